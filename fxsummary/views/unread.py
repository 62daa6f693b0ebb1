"""Rows for parameters that no operation of their module reads, so that a module shows all its parameters.

A parameter counts where it is first read. If another module reads it, that is outside its own module; if nothing
reads it, it counts nowhere. Such a parameter gets a row in the innermost module around it that is called, in its
first call. Rows of modules name the parameters that they share with others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fxsummary.graph.attributes import BLANK, NodeData, placed
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall, ModuleInfo, ParameterInfo
from fxsummary.passes.notes import never_called
from fxsummary.passes.parameters import counts
from fxsummary.text import numbers as fmt
from fxsummary.views.blocks import UNREAD, own_call

MOST_NAMES = 2

Stack = tuple[ModuleCall, ...]
Row = tuple[str, NodeData]


def with_unread(graph: ModelGraph, *, ghosts: bool = False) -> ModelGraph:
    """Return the graph with a row in each module for the parameters that no operation in it reads.

    With ``ghosts``, each outermost module with parameters or buffers that forward never calls has a row of its own.
    All operations and rows add up to the totals, and those in a module to all parameters of the module, except the
    ones that it shares with an earlier module. A comparison is returned unchanged.
    """
    if graph.comparison is not None:
        return graph
    places = _Places(graph)
    moved = {} if "repeats" in graph.graph else places.moved()  # a folded operation reads parameters of all copies
    unread = [tensor for tensor in places.tensors.values() if not tensor.read]
    uncalled = {each.path: each for each in never_called(graph)} if ghosts and not graph.is_partial else {}
    if not moved and not unread and not uncalled:
        return graph
    nodes = {key: data.copy() for key, data in graph.nodes(data=True)}
    for key, tensors in moved.items():
        _take(places, nodes[key], tensors, graph.name)
    rows: dict[tuple[bool, Stack, str], list[ParameterInfo]] = {}
    for tensor in (*unread, *(each for tensors in moved.values() for each in tensors)):
        ghost = next(filter(uncalled.__contains__, _holders(tensor.name)), "")
        rows.setdefault((tensor.read, places.of(f"{ghost}." if ghost else tensor.name), ghost), []).append(tensor)
    for path in uncalled:
        rows.setdefault((False, places.of(f"{path}."), path), [])
    leaves = {data["module_stack"]: data for data in reversed(nodes.values()) if own_call(data)}
    waiting: dict[Stack, list[Row]] = {}
    for number, ((read, stack, ghost), held) in enumerate(sorted(rows.items(), key=lambda row: row[0][0])):
        if stack in leaves:  # an operation in this module that reads them, but not first
            leaf = leaves[stack]
            leaf.update(counts([*places.held_by(leaf), *held], unknown=leaf["packed"]))
        else:
            data = _ghost(stack, uncalled[ghost], held, graph.name) if ghost else _row(stack, held, read, graph.name)
            waiting.setdefault(stack, []).append((graph.new_key(f"not read {number}"), data))
    edges = ((source, target, edge.copy()) for source, target, edge in graph.links())
    return graph.derived(_in_order(nodes, waiting), edges, unread_shown=True)


class _Places:
    """The parameters by first name (``tensors``), and the first ``calls`` of modules as stacks, by path."""

    def __init__(self, graph: ModelGraph) -> None:
        self._graph = graph
        self._names = names_of(graph)
        every = (tensor for module in graph.modules.values() for tensor in module.parameters)
        self.tensors = {each.name: each for each in every if not each.tied_to and not each.buffer}
        self.calls: dict[str, Stack] = {"": ()}
        single = [data["module_stack"] for _, data in graph.nodes(data=True) if data["multiplicity"] == 1]
        for stack in {id(stack): stack for stack in single}.values():
            for length, call in enumerate(stack, start=1):
                self.calls.setdefault(call.path, stack[:length])

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
        paths = {"", *(call.path for call in stack)}
        holds = all(name.startswith(f"{call.path}.") or self._holds(call.path, name) for call in stack)
        return holds and any(self._row(each) in paths for each in self._names.get(name, (name,)))

    def _row(self, name: str) -> str:
        """Return the path of the innermost called module around a parameter."""
        path = name.rpartition(".")[0]
        while path not in self.calls:
            path = path.rpartition(".")[0]
        return path

    def _holds(self, path: str, name: str) -> bool:
        return any(each.startswith(f"{path}.") for each in self._names.get(name, (name,)))


def _in_order(nodes: dict[str, NodeData], waiting: dict[Stack, list[Row]]) -> Iterator[Row]:
    """Return the nodes with each row inserted after the last operation of its module."""
    last: dict[Stack, str] = {}
    around: dict[int, list[Stack]] = {}
    for key, data in nodes.items():
        stack = data["module_stack"]
        if id(stack) not in around:
            stacks = (stack[:length] for length in range(len(stack) + 1))
            around[id(stack)] = [each for each in stacks if each in waiting]
        if data["op"] != "output":
            last.update(dict.fromkeys(around[id(stack)], key))
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
    kept = [tensor for tensor in places.held_by(data) if tensor not in tensors]
    stacks = [places.of(tensor.name) for tensor in tensors]
    paths = dict.fromkeys(stack[-1].path if stack else "" for stack in stacks)
    names = [fmt.seen_from(path, data["module"]) or model for path in paths]
    data["config"] = ", ".join(filter(None, (data["config"], f"in {', '.join(names[:MOST_NAMES])}")))
    data.update(counts(kept, unknown=data["packed"]))


def _ghost(stack: Stack, module: ModuleInfo, tensors: list[ParameterInfo], model: str) -> NodeData:
    """Return the row of a module that is never called."""
    path = fmt.relative_path(module.path, stack[-1].path if stack else "")
    labels: NodeData = {"target": module.path, "label": "never called", "config": f"{path} {module.type}"}
    return {**_row(stack, tensors, False, model), **labels, "ghost": True}


def _row(stack: Stack, tensors: list[ParameterInfo], read: bool, model: str) -> NodeData:
    names = [fmt.relative_path(tensor.name, stack[-1].path if stack else "") for tensor in tensors]
    if len(names) > MOST_NAMES:
        names = list(dict.fromkeys(name.partition(".")[0] for name in names))
    return {
        **BLANK, **counts(tensors, unknown=False), **placed(stack, model),
        "op": UNREAD, "target": tensors[0].name if tensors else "", "kind": "parameter", "label": _label(tensors, read),
        "config": fmt.listed(names, MOST_NAMES), "outputs": (),
        "unread": sum(tensor.numel or 0 for tensor in tensors if not tensor.read),
    }  # fmt: skip


def _label(tensors: list[ParameterInfo], read: bool) -> str:
    if all(tensor.spec is None and tensor.stored is not None for tensor in tensors):
        return "stored"  # whether an operation reads it is not known
    return "read elsewhere" if read else "not read"


def shared_with_others(graph: ModelGraph) -> Mapping[str, str]:
    """Return remarks on parameters that count in another module, by the path of the module that holds them.

    Example: ``shares 16.4 M with encoder.embed_tokens``. Only for modules that are called and not leaves.
    """
    names = names_of(graph)
    if not names:
        return {}
    tensors = {tensor.name: tensor for module in graph.modules.values() for tensor in module.parameters}
    called = {call.path for _, stack in graph.nodes(data="module_stack") for call in stack}
    places: dict[str, list[tuple[str, int]]] = {}
    for _, data in graph.nodes(data=True):
        for name in filter(names.__contains__, data["parameter_names"]):
            holders = called.intersection(path for each in names[name] for path in _holders(each))
            for path in sorted(holders.difference(call.path for call in data["module_stack"])):
                places.setdefault(path, []).append((data["module"] or name, tensors[name].numel or 0))
    return {path: _remark(found) for path, found in places.items()}


def names_of(graph: ModelGraph) -> dict[str, list[str]]:
    """Return all names of the parameters that have several, by the first; a later path of a module gives names too."""
    names: dict[str, list[str]] = {}
    for path, module in graph.modules.items():
        holder = module if module.shared_with is None else graph.modules[module.shared_with]
        for tensor in holder.parameters:
            if not tensor.buffer and (tensor.tied_to or holder is not module):
                name = f"{path}.{tensor.name.rpartition('.')[2]}" if path else tensor.name
                first = tensor.tied_to or tensor.name
                names.setdefault(first, [first]).append(name)
    return names


def _holders(name: str) -> list[str]:
    """Return the paths of the modules around a parameter, including its own."""
    parts = name.split(".")[:-1]
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _remark(found: list[tuple[str, int]]) -> str:
    where = list(dict.fromkeys(place for place, _ in found))
    more = f" and {len(where) - 1} more" if len(where) > 1 else ""
    return f"shares {fmt.parameters(sum(number for _, number in found))} with {where[0]}{more}"
