"""Nodes of copies that are not in the graph yet: few ask for them, and to make a node of torch.fx takes a while."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import fx

from fxsummary.capture.nodes import AFTER, STACK, named_node
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.recorded.repeats.template import Operation, Ref

AnyNode = "fx.Node | CopiedNode"


class CopiedCall:
    """What the copied nodes of one call share.

    Attributes:
        prefix: path of the module with a dot.
        table: the nodes that a `Ref` of the template names.
        stacks: module stacks, as the template numbers them.
    """

    __slots__ = ("prefix", "stacks", "table")

    def __init__(self, prefix: str, table: list[Any], stacks: Sequence[dict[str, Any]]) -> None:
        self.prefix = prefix
        self.table = table
        self.stacks = stacks


class CopiedNode:
    """A node like another one, in another call of a module.

    Attributes:
        name: its name in the graph.
        call: the copied call that it belongs to.
        item: what of the template it is a copy of.
    """

    __slots__ = ("call", "item", "name")

    def __init__(self, name: str, call: CopiedCall, item: Operation) -> None:
        self.name = name
        self.call = call
        self.item = item

    @property
    def op(self) -> str:
        """As that of an `fx.Node`."""
        return self.item.op

    @property
    def target(self) -> Any:
        """As that of an `fx.Node`."""
        item = self.item
        return self.call.prefix + item.target if item.is_relative else item.target

    @property
    def stack(self) -> dict[str, Any]:
        """The module stack."""
        return self.call.stacks[self.item.stack]

    @property
    def sources(self) -> list[Any]:
        """The nodes that it reads, those of its arguments first."""
        table = self.call.table
        return [table[ref] for ref in self.item.sources]

    @property
    def outcome(self) -> Outcome:
        """What it yields."""
        return self.item.outcome

    def write(self, graph: fx.Graph) -> fx.Node:
        """Put a node for it in the graph, and in the table."""
        node = named_node(graph, self.name, self.op, self.target, (), {})
        node.meta.update(self.item.meta)
        node.meta[STACK] = self.stack
        self.read(node)
        return node

    def read(self, node: fx.Node) -> None:
        """Give its node the arguments, as far as the nodes for them are there; what is not stands for itself."""
        item, table = self.item, self.call.table
        if item.is_flat:
            node.args = tuple([table[arg] if type(arg) is Ref else arg for arg in item.args])
        else:
            node.args, node.kwargs = _with_nodes(item.args, table), _with_nodes(item.kwargs, table)
        if item.after:
            node.meta[AFTER] = tuple([table[ref] for ref in item.after])

    def replace(self, node: fx.Node) -> None:
        """The node stands for it from here on."""
        table = self.call.table
        table[table.index(self)] = node


def _with_nodes(value: Any, table: Sequence[Any]) -> Any:
    kind = type(value)
    if kind is Ref:
        return table[value]
    if kind is tuple or kind is list:
        return kind([_with_nodes(item, table) for item in value])
    if kind is dict:
        return {key: _with_nodes(item, table) for key, item in value.items()}
    if kind is slice:
        return slice(*[_with_nodes(item, table) for item in (value.start, value.stop, value.step)])
    return value
