"""Rows for parameters that no operation of their module reads, so that a module shows all its parameters.

A parameter counts where it is first read. If another module reads it, that is outside its own module; if nothing
reads it, it counts nowhere. Such a parameter gets a row in the innermost module around it that is called, in its
first call. Rows of modules name the parameters that they share with others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from fxsummary.graph.attributes import BLANK, NodeData
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall, ParameterInfo
from fxsummary.passes.parameters import counts
from fxsummary.text import numbers as fmt
from fxsummary.views.blocks import UNREAD, own_call

MOST_NAMES = 2

Stack = tuple[ModuleCall, ...]


def with_unread(graph: ModelGraph) -> ModelGraph:
    """Return the graph with a row in each module for the parameters that no operation in it reads.

    All operations and rows add up to the totals, and those in a module to all parameters of the module, except the
    ones that it shares with an earlier module. A comparison is returned unchanged.
    """
    if graph.comparison is not None:
        return graph
    places = _Places(graph)
    moved = places.moved()
    unread = [tensor for tensor in places.tensors.values() if not tensor.read]
    if not moved and not unread:
        return graph
    nodes = {key: data.copy() for key, data in graph.nodes(data=True)}
    for key, tensors in moved.items():
        _take(places, nodes[key], tensors, graph.name)
    rows: dict[tuple[bool, Stack], list[ParameterInfo]] = {}
    for tensor in (*unread, *(each for tensors in moved.values() for each in tensors)):
        rows.setdefault((tensor.read, places.of(tensor.name)), []).append(tensor)
    leaves = {data["module_stack"]: data for data in reversed(nodes.values()) if own_call(data)}
    waiting: dict[Stack, list[tuple[str, NodeData]]] = {}
    for number, ((read, stack), held) in enumerate(sorted(rows.items(), key=lambda row: row[0][0])):
        if stack in leaves:  # an operation in this module that reads them, but not first
            _hold(leaves[stack], [*places.held_by(leaves[stack]), *held])
        else:
            row = graph.new_key(f"not read {number}"), _row(stack, held, read, graph.name)
            waiting.setdefault(stack, []).append(row)
    edges = ((source, target, edge.copy()) for source, target, edge in graph.links())
    return graph.derived(_in_order(nodes, waiting), edges, unread_shown=True)


class _Places:
    """The module of each parameter, and the modules that get rows.

    Attributes:
        tensors: parameters by first name.
        calls: the stack of the first call of each module that is called, by path.
    """

    def __init__(self, graph: ModelGraph) -> None:
        self._graph = graph
        every = (tensor for module in graph.modules.values() for tensor in module.parameters)
        self.tensors = {each.name: each for each in every if not each.tied_to and not each.buffer}
        self.calls: dict[str, Stack] = {"": ()}
        for stack in {id(stack): stack for _, stack in graph.nodes(data="module_stack")}.values():
            for length, call in enumerate(stack, start=1):
                if call.path not in self.calls:
                    self.calls[call.path] = stack[:length]

    def moved(self) -> dict[str, list[ParameterInfo]]:
        """Return, by operation, the parameters that it reads first but that belong elsewhere."""
        moved: dict[str, list[ParameterInfo]] = {}
        read: set[str] = set()
        for key, data in self._graph.nodes(data=True):
            for name in data["reads"]:
                if name not in read and name in self.tensors and not self._is_at_home(name, data["module_stack"]):
                    moved.setdefault(key, []).append(self.tensors[name])
                read.add(name)
        return moved

    def of(self, name: str) -> Stack:
        """Return the module calls around the row for a parameter; all of these modules hold it."""
        stack = self.calls[self._row(name)]
        return next((stack[:at] for at, call in enumerate(stack) if not self._holds(call.path, name)), stack)

    def held_by(self, data: NodeData) -> list[ParameterInfo]:
        """Return the parameters that count in an operation."""
        return [self.tensors[name] for name in data["parameter_names"]]

    def _is_at_home(self, name: str, stack: Stack) -> bool:
        """Return whether all modules around an operation hold a parameter, including the parameter's own module."""
        if not all(name.startswith(f"{call.path}.") or self._holds(call.path, name) for call in stack):
            return False
        paths = {"", *(call.path for call in stack)}
        return self._row(name) in paths or any(self._row(other) in paths for other in self._names.get(name, ()))

    def _row(self, name: str) -> str:
        """Return the path of the innermost called module around a parameter."""
        path = name.rpartition(".")[0]
        while path not in self.calls:
            path = path.rpartition(".")[0]
        return path

    def _holds(self, path: str, name: str) -> bool:
        return any(each.startswith(f"{path}.") for each in (name, *self._names.get(name, ())))

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        return later_names(self._graph)


def _in_order(
    nodes: dict[str, NodeData], waiting: dict[Stack, list[tuple[str, NodeData]]]
) -> Iterator[tuple[str, NodeData]]:
    """Return the nodes with each row inserted after the last operation of its module."""
    last = {stack: key for key, data in nodes.items() for stack in _around(data) if stack in waiting}
    behind: dict[str, list[Stack]] = {}
    for stack, key in last.items():
        behind.setdefault(key, []).append(stack)
    for key, data in nodes.items():
        yield key, data
        for stack in sorted(behind.get(key, ()), key=len, reverse=True):
            yield from waiting[stack]
    yield from (row for stack, rows in waiting.items() if stack not in last for row in rows)


def _take(places: _Places, data: NodeData, tensors: list[ParameterInfo], model: str) -> None:
    """Remove parameters from an operation that reads them but is not in their module."""
    _hold(data, [tensor for tensor in places.held_by(data) if tensor not in tensors])
    stacks = [places.of(tensor.name) for tensor in tensors]
    names = list(dict.fromkeys(stack[-1].path if stack else model for stack in stacks))
    data["config"] = ", ".join(filter(None, (data["config"], f"in {', '.join(names[:MOST_NAMES])}")))


def _hold(data: NodeData, held: list[ParameterInfo]) -> None:
    """Replace the parameters of an operation by these; its buffers stay."""
    buffers: NodeData = {"buffers": data["buffers"], "buffer_bytes": data["buffer_bytes"]}
    data.update({**counts(held, unknown=data["packed"]), **buffers})


def _row(stack: Stack, tensors: list[ParameterInfo], read: bool, model: str) -> NodeData:
    """Return the attributes of a row."""
    path, type_ = (stack[-1].path, stack[-1].type) if stack else ("", model)
    names = [fmt.relative_path(tensor.name, path) for tensor in tensors]
    if len(names) > MOST_NAMES:
        names = list(dict.fromkeys(name.partition(".")[0] for name in names))
    return {
        **BLANK, **counts(tensors, unknown=False),
        "op": UNREAD, "target": tensors[0].name, "kind": "parameter", "module": path, "module_type": type_,
        "module_stack": stack, "label": "read elsewhere" if read else "not read",
        "config": fmt.listed(names, MOST_NAMES), "outputs": (),
        "unread": sum(tensor.numel or 0 for tensor in tensors if not tensor.read),
    }  # fmt: skip


def _around(data: NodeData) -> Iterator[Stack]:
    """Return the stacks of the modules around an operation, outermost first."""
    if data["op"] != "output":
        stack: Stack = data["module_stack"]
        for length in range(len(stack) + 1):
            yield stack[:length]


def shared_with_others(graph: ModelGraph) -> Mapping[str, str]:
    """Return remarks on parameters that count in another module, by the path of the module that holds them.

    Example: ``shares 16.4 M with encoder.embed_tokens``. Only for modules that are called and not leaves.
    """
    names = later_names(graph)
    if not names:
        return {}
    tensors = {tensor.name: tensor for module in graph.modules.values() for tensor in module.parameters}
    called = {call.path for _, stack in graph.nodes(data="module_stack") for call in stack}
    places: dict[str, list[tuple[str, int]]] = {}
    for _, data in graph.nodes(data=True):
        around = {call.path for call in data["module_stack"]}
        for name in data["parameter_names"]:
            holders = (
                {path for each in (name, *names.get(name, ())) for path in _holders(each)} if name in names else ()
            )
            for path in sorted(called.intersection(holders) - around):
                places.setdefault(path, []).append((data["module"] or name, tensors[name].numel or 0))
    return {path: _remark(found) for path, found in places.items()}


def later_names(graph: ModelGraph) -> dict[str, list[str]]:
    """Return the later names of parameters by first name, including names under later paths of shared modules."""
    names: dict[str, list[str]] = {}
    for path, module in graph.modules.items():
        holder = module if module.shared_with is None else graph.modules[module.shared_with]
        for tensor in holder.parameters:
            if not tensor.buffer and (tensor.tied_to or holder is not module):
                name = f"{path}.{tensor.name.rpartition('.')[2]}" if path else tensor.name
                names.setdefault(tensor.tied_to or tensor.name, []).append(name)
    return names


def _holders(name: str) -> list[str]:
    """Return the paths of the modules around a parameter, including its own."""
    parts = name.split(".")[:-1]
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _remark(found: list[tuple[str, int]]) -> str:
    where = list(dict.fromkeys(place for place, _ in found))
    more = f" and {len(where) - 1} more" if len(where) > 1 else ""
    return f"shares {fmt.parameters(sum(number for _, number in found))} with {where[0]}{more}"
