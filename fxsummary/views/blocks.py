"""Nest the operations of a graph in blocks, one per module call, in execution order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall, Returned
from fxsummary.graph.records import Repeat, differing, of_each_copy
from fxsummary.text.numbers import relative_path, run_name

UNREAD = "unread"
"""The `op` of a row for parameters that no operation in its module reads; see `fxsummary.views.unread`."""


@dataclass(slots=True)
class Block:
    """A module call with the operations and blocks that ran in it.

    Attributes:
        call: the module call, or the invented call of a repeated pattern; None for the model itself.
        items: node keys and blocks in execution order.
        repeat: number of copies that it represents (see `fxsummary.views.fold`).
        last: path of the last module of the last copy where `repeat` > 1, "" otherwise.
        copies: number of blocks in the model that it represents: its copies in all copies of the enclosing blocks.
        unit: "steps" or "calls" of the same code, "" for other copies; see `fxsummary.graph.records.Repeat`.
    """

    call: ModuleCall | None
    items: list[str | Block] = field(default_factory=list)
    repeat: int = 1
    last: str = ""
    copies: int = 1
    unit: str = ""

    @property
    def path(self) -> str:
        """Module path; for a pattern, that of its first module; "" for the model itself."""
        return "" if self.call is None else self.call.path

    @property
    def type(self) -> str:
        """Class name of the module; for a pattern, the classes and labels in it, joined by " · "."""
        return "" if self.call is None else self.call.type

    @property
    def again(self) -> str:
        """The number of the call of its module, such as " (call 2)"; "" for the first."""
        return f" (call {self.call.call + 1})" if self.call is not None and self.call.call > 0 else ""

    @property
    def copied(self) -> str:
        """The number of copies, such as " ×12" or " ×128 steps"; "" for one."""
        return f" ×{self.repeat} {self.unit}".rstrip() if self.repeat > 1 else ""

    def name_from(self, path: str) -> str:
        """Return the path relative to an enclosing module; for a run, the first path and where the last one differs."""
        name = relative_path(self.path, path)
        return run_name(name, relative_path(self.last, path)) if self.repeat > 1 else name

    @property
    def is_pattern(self) -> bool:
        """Whether it is not a module but a pattern: several neighbours that repeat together."""
        return self.call is not None and self.call.call < 0

    def operations(self) -> Iterator[str]:
        """Return the keys of all nodes inside, in execution order."""
        return operations(self.items)

    def blocks(self) -> Iterator[Block]:
        """The direct sub-blocks."""
        return (item for item in self.items if isinstance(item, Block))

    def walk(self) -> Iterator[Block]:
        """Yield this block and all blocks inside, parents first, in execution order."""
        return (chain[-1] for chain in self.chains())

    def chains(self) -> Iterator[tuple[Block, ...]]:
        """Yield the blocks of `walk`, each with its enclosing blocks, this one first."""
        pending: list[tuple[Block, ...]] = [(self,)]
        while pending:
            chain = pending.pop()
            yield chain
            pending.extend(reversed([(*chain, block) for block in chain[-1].blocks()]))


Item = str | Block
"""The key of an operation, or a block."""


def everything(items: Iterable[Item]) -> Iterator[Item]:
    """Yield these items and all items inside, in execution order, each block before its contents."""
    todo = [iter(items)]
    while todo:
        for item in todo[-1]:
            yield item
            if isinstance(item, Block):
                todo.append(iter(item.items))
                break
        else:
            todo.pop()


def operations(items: Iterable[Item]) -> Iterator[str]:
    """Return the keys of all nodes among these items and inside, in execution order."""
    return (item for item in everything(items) if isinstance(item, str))


def own_call(data: NodeData) -> tuple[ModuleCall, ...]:
    """Return the module call of a call_module operation; () for other operations."""
    stack: tuple[ModuleCall, ...] = data["module_stack"]
    is_own = data["op"] == "call_module" and stack and stack[-1].path == data["module"] and stack[-1].call >= 0
    return stack[-1:] if is_own else ()


def result_of(graph: ModelGraph, block: Block) -> Returned:
    """Return a block's result; if it was not captured, the block's values that are read outside, the last one first."""
    if block.call is None:
        assumed = any(data["assumed"] for _, data in graph.nodes(data=True) if data["op"] == "output")
        return Returned(graph.output_spec, assumed)
    known = graph.returned.get(block.call)
    if known is not None:
        return known
    if block.is_pattern and isinstance(block.items[-1], Block):
        return result_of(graph, block.items[-1])
    inside = dict.fromkeys(key for key in block.operations() if graph.nodes[key]["op"] != UNREAD)
    leaving = [key for key in inside if any(reader not in inside for reader in graph.readers(key))] or list(inside)[-1:]
    results = [graph.nodes[key] for key in reversed(leaving)]
    assumed, outputs = any(data["assumed"] for data in results), [data["outputs"] for data in results]
    if len(results) == 1:
        return Returned(outputs[0], assumed, differing(results[0], "outputs") or ())
    each = list(zip(*[of_each_copy(data, "outputs") for data in results], strict=False))
    return Returned(tuple(outputs), assumed, tuple(each) if any(differing(data, "outputs") for data in results) else ())


def run_of(graph: ModelGraph, data: NodeData) -> Repeat | None:
    """Return the run that a closed module starts, if each copy in it is a single module."""
    stack: tuple[ModuleCall, ...] = data["module_stack"] if data.get("closed") else ()
    run: Repeat | None = graph.graph.get("repeats", {}).get(stack[-1]) if stack and stack[-1].call >= 0 else None
    return run


def calls_around(data: NodeData) -> tuple[ModuleCall, ...]:
    """Return the module calls around an operation, outermost first, without its own."""
    stack: tuple[ModuleCall, ...] = data["module_stack"]
    return stack[:-1] if own_call(data) else stack


def block_tree(graph: ModelGraph) -> Block:
    """Nest the operations of ``graph`` by their module stacks.

    A call_module operation is an item of its parent's block, not a separate block. Folded repeats
    (``graph.graph["repeats"]``) carry their count.
    """
    root = Block(None)
    opened: dict[ModuleCall, Block] = {}
    innermost: dict[int, Block] = {}
    for key, data in graph.nodes(data=True):
        stack = data["module_stack"]
        if own_call(data):
            parent = _entered(root, opened, stack[:-1])
        else:
            parent = innermost.get(id(stack)) or _entered(root, opened, stack)
            innermost[id(stack)] = parent
        parent.items.append(key)
    for call, repeat in graph.graph.get("repeats", {}).items():
        if call in opened:
            opened[call].repeat, opened[call].last, opened[call].unit = repeat.count, repeat.last, repeat.unit
    for block in root.walk() if opened else ():  # outer ones first
        for inner in block.blocks():
            inner.copies = block.copies * inner.repeat
    return root


def _entered(root: Block, opened: dict[ModuleCall, Block], stack: Sequence[ModuleCall]) -> Block:
    """Return the block of the innermost call of a stack, and create the blocks that do not exist yet."""
    parent = root
    for call in stack:
        block = opened.get(call)
        if block is None:
            block = opened[call] = Block(call)
            parent.items.append(block)
        parent = block
    return parent


def stacks_in(root: Block) -> dict[str, tuple[ModuleCall, ...]]:
    """Return the calls of the blocks around each operation, outermost first."""
    stacks: dict[str, tuple[ModuleCall, ...]] = {}
    for chain in root.chains():
        stack = tuple([block.call for block in chain if block.call is not None])
        stacks.update((item, stack) for item in chain[-1].items if isinstance(item, str))
    return stacks
