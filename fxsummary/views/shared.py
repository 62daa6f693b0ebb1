"""What modules share: parameters that count in a module that was called before, so that rows can say so."""

from __future__ import annotations

from collections.abc import Mapping

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.text.numbers import parameters


def shared_with_others(graph: ModelGraph) -> Mapping[str, str]:
    """For the path of each module that holds parameters which count elsewhere: how many, and where.

    Such as ``shares 16.4 M with encoder.embed_tokens``; only of modules that are called and no operation themselves.
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
            holders = {path for each in (name, *names.get(name, ())) for path in _around(each)} if name in names else ()
            for path in sorted(called.intersection(holders) - around):
                places.setdefault(path, []).append((data["module"] or name, tensors[name].numel or 0))
    return {path: _remark(found) for path, found in places.items()}


def later_names(graph: ModelGraph) -> dict[str, list[str]]:
    """The later names of parameters by their first, those under the later paths of shared modules included."""
    names: dict[str, list[str]] = {}
    for path, module in graph.modules.items():
        holder = module if module.shared_with is None else graph.modules[module.shared_with]
        for tensor in holder.parameters:
            if not tensor.buffer and (tensor.tied_to or holder is not module):
                name = f"{path}.{tensor.name.rpartition('.')[2]}" if path else tensor.name
                names.setdefault(tensor.tied_to or tensor.name, []).append(name)
    return names


def _around(name: str) -> list[str]:
    """The paths of the modules around a parameter, its own included."""
    parts = name.split(".")[:-1]
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _remark(found: list[tuple[str, int]]) -> str:
    where = list(dict.fromkeys(place for place, _ in found))
    more = f" and {len(where) - 1} more" if len(where) > 1 else ""
    return f"shares {parameters(sum(number for _, number in found))} with {where[0]}{more}"
