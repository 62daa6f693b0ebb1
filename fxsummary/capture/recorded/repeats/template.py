"""What the call of a block wrote into a recording, in a form that can be written again for another such block.

Everything in it is relative: paths to the block's own, nodes to the arguments or to their place in the
template, memory to the arguments or to the template. So two calls did the same if their templates are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from fxsummary.capture.nodes import AUTOCAST, SOURCE
from fxsummary.capture.operations.run import Outcome
from fxsummary.capture.structures import ATOMS
from fxsummary.graph.records import Returned
from fxsummary.graph.spec import TensorSpec


class Ref(int):
    """A node: its place in the table of the arguments' nodes, known attributes and the template's own nodes."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Read:
    """The node of an argument or of a parameter or buffer of the block, made here for the first time.

    Attributes:
        what: index of the argument, or path in the block.
        node: that of the first call.
        stack: index of its module stack.
    """

    what: int | str
    node: fx.Node
    stack: int

    def does_as(self, other: object) -> bool:
        """Whether two calls read the same at the same place."""
        return (
            type(other) is Read
            and (self.what, self.stack) == (other.what, other.stack)
            and self.node.meta[SOURCE] == other.node.meta[SOURCE]
        )


@dataclass(frozen=True, slots=True)
class Operation:
    """A node of its own.

    Attributes:
        node: that of the first call.
        name: that of `node`, of which its copies get one with the next number; None where it comes from `target`.
        meta: of each copy, but the module stack.
        is_relative: whether `target` is relative to the block's path.
        args, kwargs: with `Ref` for nodes.
        is_flat: whether no `Ref` is deeper inside.
        stack: index of its module stack.
        after: `Ref` of in-place writes that it must see.
        is_element: whether it takes an element out of a result of several.
    """

    node: fx.Node
    op: str
    name: str | None
    meta: dict[str, Any]
    target: Any
    is_relative: bool
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    is_flat: bool
    stack: int
    after: tuple[Ref, ...]
    is_element: bool
    outcome: Outcome

    def does_as(self, other: object) -> bool:
        """Whether two calls are the same."""
        return (
            type(other) is Operation
            and (self.op, self.is_relative, self.stack, self.after)
            == (other.op, other.is_relative, other.stack, other.after)
            and same(self.target, other.target)
            and same(self.args, other.args)
            and same(self.kwargs, other.kwargs)
            and self.outcome == other.outcome
            and all(self.node.meta.get(name) == other.node.meta.get(name) for name in (SOURCE, AUTOCAST))
        )


@dataclass(frozen=True, slots=True)
class Result:
    """A tensor that the block returns.

    Attributes:
        node: the node that yields it, at `place` in its result.
        made: the node of its own; None where none was needed yet.
    """

    node: Ref
    place: tuple[Any, ...]
    made: Ref | None
    spec: TensorSpec
    storage: int
    version: int
    assumed: bool


Entry = tuple[str, Any, int]
"""Of a module stack: path relative to the block, class, and which call of it since the block's began."""


@dataclass(frozen=True, slots=True)
class Template:
    """What a call of a block wrote.

    Attributes:
        attributes: paths of the parameters and buffers read that had a node before.
        memory: the number of the memory of each argument, of each of these, and of each attribute first read here.
        storages: how many memories there are in all.
        items: what was written, in order.
        places: for each of them the numbers of the memory that it yields or writes.
        stacks: module stacks, relative to the block.
        writes: by number of a memory the operations that wrote it in place.
        calls: how often modules of the block were called.
        returned: the calls of modules in it, as in a stack, and what they returned.
        result: what it returned, with `Result` and `Ref` for tensors.
    """

    attributes: tuple[str, ...]
    memory: tuple[int, ...]
    storages: int
    items: tuple[Read | Operation, ...]
    places: tuple[tuple[int, ...], ...]
    stacks: tuple[tuple[Entry, ...], ...]
    writes: tuple[tuple[int, tuple[int, ...]], ...]
    calls: tuple[tuple[str, int], ...]
    returned: tuple[tuple[Entry, Returned], ...]
    result: Any

    def does_as(self, other: Template) -> bool:
        """Whether two calls of blocks did the same."""
        return (
            (self.attributes, self.memory, self.storages, self.places, self.stacks, self.writes, self.calls)
            == (other.attributes, other.memory, other.storages, other.places, other.stacks, other.writes, other.calls)
            and self.returned == other.returned
            and same(self.result, other.result)
            and len(self.items) == len(other.items)
            and all(a.does_as(b) for a, b in zip(self.items, other.items, strict=True))
        )


def same(a: Any, b: Any) -> bool:
    """Whether two arguments are the same; ``1`` and ``True`` are not."""
    kind = type(a)
    if kind is not type(b):
        return False
    if kind in (tuple, list):
        return len(a) == len(b) and all(map(same, a, b))
    if kind is dict:
        return list(a) == list(b) and all(map(same, a.values(), b.values()))
    if kind is slice:
        return same((a.start, a.stop, a.step), (b.start, b.stop, b.step))
    return a is b or ((kind in ATOMS or kind in (Ref, Result) or isinstance(a, (str, torch.Size))) and bool(a == b))
