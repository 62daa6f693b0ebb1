"""Summarize a comparison for reviewers: the changed modules and operations, as a tree of lines.

A module that was added, removed or moved as a whole is one line, and items that changed in the same way are one line.
An operation that differs only as a result of another change (its output shape, its FLOPs) is counted, not listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from fxsummary.compare.line import Line, add_up, joined
from fxsummary.compare.union import costs, module_change
from fxsummary.graph.attributes import NODE
from fxsummary.graph.changes import BECAME, Comparison, describe, follows
from fxsummary.graph.changes import joined as change_of
from fxsummary.graph.labels import is_drop
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.text.numbers import relative_path
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.fold import fold_repeats
from fxsummary.views.scalars import hide_scalars

_FOLLOWING = "{} changed only in shapes or FLOPs"


def changed_lines(graph: ModelGraph) -> list[Line]:
    """Return the lines of a compared graph; none if both models are equal."""
    comparison = graph.comparison
    assert comparison is not None, "the graph is not a comparison"
    shown = hide_scalars(graph)
    hidden = sum(change != "same" for key, change in graph.nodes(data="change") if key not in shown)
    lines = _Lines(shown, comparison).all()
    if hidden:
        lines.append(Line("", "", "", count=hidden, counts="{} without tensor results, such as sizes, changed"))
    unread = comparison.before.unread_parameters, comparison.after.unread_parameters
    if unread[0] != unread[1]:
        lines.append(Line("changed", "", "parameters never read", parameters=unread))
    return lines


class _Lines:
    """Builds the lines of a compared graph."""

    def __init__(self, graph: ModelGraph, comparison: Comparison) -> None:
        self._graph, self._root = graph, block_tree(graph)
        self._calls = comparison.calls
        self._runs = comparison.runs_by_path
        self._rates = _rates(graph)
        self._loops = _loops(graph, [*self._root.operations()])
        self._changed: dict[int | str, list[str]] = {
            key: [key] * (data["change"] != "same" and key not in self._rates) for key, data in graph.nodes(data=True)
        }
        for block in reversed([*self._root.walk()]):  # inner ones first
            inside = [self._changed[item if isinstance(item, str) else id(item)] for item in block.items]
            self._changed[id(block)] = [*chain.from_iterable(inside)]

    def all(self) -> list[Line]:
        """Return all lines; drop rates that differ from operation to operation come last."""
        return [*self._inside(self._root), *joined([*self._rates.values()], separate=0)]

    def _inside(self, block: Block) -> list[Line]:
        """Return the lines of the changes directly in a block, with paths relative to it."""
        lines: list[Line] = []
        groups: dict[str, Line] = {}
        following: list[str] = []
        for line in _exchanged([*self._found(block, following)]):
            holder = line.path.rpartition(".")[0]
            if holder not in self._runs or holder == block.path:
                lines.append(line)
                continue
            if holder not in groups:
                text = ", ".join(map(str, self._runs[holder]))
                groups[holder] = Line("changed", relative_path(holder, block.path), text, holder, is_run=True)
                lines.append(groups[holder])
            line.name = relative_path(line.name, groups[holder].name)
            groups[holder].children.append(line)
        for group in groups.values():
            group.children = joined(group.children)
            group.parameters = add_up([line.parameters for line in group.children])
            group.flops = add_up([line.flops for line in group.children])
        lines = joined(lines)
        if following:
            flops = costs(self._graph, following, "flops")
            count = len(following)
            lines.append(Line("", "", "", block.path, (0, 0), flops, count=count, counts=_FOLLOWING))
        return lines

    def _found(self, block: Block, following: list[str]) -> Iterator[Line]:
        """Yield the lines of items that differ; operations that only follow are added to ``following``."""
        in_loop: set[object] = set()
        for item in block.items:
            key = item if isinstance(item, str) else id(item)
            changed, is_block = self._changed[key], isinstance(item, Block)
            flops = costs(self._graph, changed, "flops")
            if key in in_loop or not changed:
                continue
            if self._follow(changed) and (not is_block or flops[0] == flops[1]):
                following += [each for each in changed if self._graph.nodes[each]["op"] != "output"]
            elif isinstance(item, Block):
                yield self._of_block(item, block.path)
            elif item in self._loops:
                in_loop.update(self._loops[item][1])
                yield self._of_loop(*self._loops[item], block.path)
            else:
                yield self._of_operation(item, block.path)

    def _of_block(self, block: Block, base: str) -> Line:
        found = module_change(self._graph, block, self._calls)
        was = f" (was {found.was})" if found.was else ""
        name = relative_path(block.path, base)
        line = Line(found.change, name, found.type, block.path, found.parameters, found.flops)
        line.source = next(filter(None, [self._graph.nodes[key]["source"] for key in block.operations()]), "")
        changed = self._changed[id(block)]
        if found.change == "moved":
            line.tail = was
        elif found.change == "changed" and self._follow(changed):
            line.count, line.counts = len(changed), f": {_FOLLOWING}"
        elif found.change == "changed":
            runs = self._runs.get(block.path, ())
            line.tail = "".join(f": {run}" for run in runs) + was
            line.is_run = bool(runs)
            line.children = self._inside(block)
        return line

    def _of_loop(self, loop: Block, keys: list[str], base: str) -> Line:
        """Return the line of a loop that was added or removed as a whole."""
        first = self._graph.nodes[keys[0]]
        parameters, flops = costs(self._graph, keys, "parameters"), costs(self._graph, keys, "flops")
        line = Line(first["change"], relative_path(loop.path, base), loop.type, loop.path, parameters, flops)
        line.copies, line.unit, line.source = loop.repeat, "steps", first["source"]
        return line

    def _of_operation(self, key: str, base: str) -> Line:
        data = self._graph.nodes[key]
        own = data["target"] if data["op"] in ("call_module", "get_attr", "placeholder") else ""
        parameters, flops = costs(self._graph, [key], "parameters"), costs(self._graph, [key], "flops")
        path = own or data["module"]
        line = Line(data["change"], relative_path(own, base), describe(data), path, parameters, flops, data["source"])
        line.count = 1
        return line

    def _follow(self, changed: list[str]) -> bool:
        """Return whether operations changed only as a result of other changes."""
        return bool(changed) and all(follows(self._graph.nodes[key]) for key in changed)


def _loops(graph: ModelGraph, order: list[str]) -> dict[str, tuple[Block, list[str]]]:
    """Return the loops over single operations that were added or removed as a whole, by their first operation."""
    folded = fold_repeats(graph)
    place = {key: number for number, key in enumerate(order)}
    loops: dict[str, tuple[Block, list[str]]] = {}
    for *around, block in block_tree(folded).chains():
        if _is_loop(folded, block):
            length = _length(folded, block) * block.repeat
            for start in _starts(folded, around, place[next(block.operations())]):
                loops.setdefault(order[start], (block, order[start : start + length]))
    return loops


def _is_loop(folded: ModelGraph, block: Block) -> bool:
    if not block.is_pattern or folded.graph["repeats"][block.call].unit != "steps":
        return False
    changes = change_of(folded.nodes[key]["change"] for key in block.operations())
    return changes in ("added", "removed") and all(inner.is_pattern for inner in block.walk())


def _length(folded: ModelGraph, block: Block) -> int:
    """Return the number of operations of the model in one copy of a block."""
    return sum(folded.nodes[key]["multiplicity"] for key in block.operations()) // block.copies


def _starts(folded: ModelGraph, around: list[Block], first: int) -> list[int]:
    """Return the place of an operation in each copy of the blocks around it."""
    starts = [first]
    for block in around:
        if block.repeat > 1:
            length = _length(folded, block)
            starts = [start + number * length for start in starts for number in range(block.repeat)]
    return starts


def _rates(graph: ModelGraph) -> dict[str, Line]:
    """Return a line for each changed drop rate if they differ, such as those that depend on the number of layers."""
    found = {
        key: Line("changed", "", describe(data))
        for key, data in graph.nodes(data=True)
        if data["change"] == "changed"
        and is_drop(data["label"])
        and all(each.attribute == "config" or each.attribute in NODE.following for each in data["differences"])
        and any(each.attribute == "config" for each in data["differences"])
    }
    return found if len({line.text for line in found.values()}) > 1 else {}


def _exchanged(lines: list[Line]) -> list[Line]:
    """Return the lines; a replacement under the same name is one line together with the item that it replaces."""
    joint: list[Line] = []
    for line in lines:
        before = joint[-1] if joint else line
        if (before.change, line.change) == ("removed", "added") and line.name and line.name == before.name:
            joint.pop()
            line.change, line.head = "changed", f"{before.head} {BECAME} {line.head}"
            line.parameters = before.parameters[0], line.parameters[1]
            line.flops = before.flops[0], line.flops[1]
        joint.append(line)
    return joint
