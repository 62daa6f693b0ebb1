"""The data of the page apart from the pictures: modules, operations, parameters, views; plain values for JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from fxsummary.drawing.labels import LONGEST_TIP, Subject, call_text, short
from fxsummary.drawing.style import LEGEND, colour_of
from fxsummary.exporters.page.atlas import Atlas, Level
from fxsummary.exporters.page.changes import change_of, changes_of_modules
from fxsummary.exporters.page.outline import Outline
from fxsummary.exporters.page.panels import timeline_of
from fxsummary.exporters.page.sides import Numbers, Pairs
from fxsummary.graph.attributes import NODE, NodeData
from fxsummary.graph.modelgraph import ModelGraph, ModuleInfo, ParameterInfo
from fxsummary.graph.records import is_unknown, known, over_copies
from fxsummary.graph.spec import leaves
from fxsummary.text import numbers as fmt
from fxsummary.views.blocks import Block, result_of

Record = dict[str, Any]
MOST_SPECS = 8


def contents(outline: Outline, atlas: Atlas, pairs: Pairs | None = None) -> Record:
    """Return everything that the script of the page needs; records omit empty values.

    Args:
        pairs: the pictures of both models of a comparison, if it has them.
    """
    graph, totals = outline.graph, outline.graph.totals
    costs, held = _module_costs(graph, outline.folded), _held(graph)
    everywhere = _held_by_copies(outline, held)
    subject = Subject(outline.folded, graph, totals)
    changes = changes_of_modules(graph)
    return {
        "name": graph.name,
        "dataflow": graph.captured_by != "modules",
        "captured": graph.captured_by,
        "notes": [_text(note) for note in graph.notes],
        "flops": totals.flops,
        "parameters": totals.parameters,
        "kinds": LEGEND,
        "modules": [
            _module(outline, path, costs[path], held[path], everywhere[path]) | changes.get(path, {})
            for path in outline.modules
        ],
        "operations": [_operation(subject, outline, key) for key in outline.folded],
        "tensors": _tensors(graph, outline),
        "copies": outline.copy_of,
        "timeline": timeline_of(outline),
        "changes": {} if graph.comparison is None else graph.comparison.counts,
        "sides": None if pairs is None else _sides(pairs),
        "views": {path: {"start": view.start, "levels": _levels(view.levels)} for path, view in atlas.views.items()},
    }


def _levels(levels: Iterable[Level]) -> list[Record]:
    return [{"picture": level.picture, "rows": level.operations, "frames": level.frames} for level in levels]


def _sides(pairs: Pairs) -> Record:
    inside = [dict(zip(side, _levels(side.values()), strict=True)) for side in pairs.inside]
    costs = [_costs_by_number(*model) for model in pairs.models]
    return {"start": pairs.start, "levels": [_levels(pair) for pair in pairs.levels], "inside": inside, "costs": costs}


def _costs_by_number(model: Outline, numbers: Numbers) -> dict[int, list[int]]:
    """Return FLOPs, parameters and memory in use of one of two models, over all copies, by the numbers of its rows."""
    inside, held = _module_costs(model.graph, model.folded), _held_by_copies(model, _held(model.graph))
    found: dict[int, list[int]] = {}
    for path in model.modules:
        if (module := numbers.module(path)) is not None:
            costs = [inside[path]["flops"], _sizes(held[path])["parameters"], inside[path]["use"]]
            found.setdefault(-1 - module, costs)
    for key, data in model.folded.nodes(data=True):
        if (number := numbers.operation(key)) is not None:
            costs = [over_copies(data, "flops"), over_copies(data, "parameters"), data["in_use"] or 0]
            found.setdefault(number, costs)
    return {number: costs for number, costs in found.items() if any(costs)}


def _module(
    outline: Outline, path: str, costs: Record, tensors: list[ParameterInfo], everywhere: list[ParameterInfo]
) -> Record:
    """Return everything about a module; its sizes are those of one copy, or if copies differ those of all.

    Args:
        tensors: the parameters and buffers of one copy; everywhere: those of all copies.
    """
    info = outline.graph.modules.get(path) or ModuleInfo(path, outline.blocks[path].type if path else "Model")
    outputs = result_of(outline.folded, outline.blocks[path]) if path in outline.blocks else ()
    copies, one, all_copies = outline.stands_for(path), _sizes(tensors), _sizes(everywhere)
    summed = any(copies * one[name] != number for name, number in all_copies.items())
    return _filled({
        "path": path,
        "type": _text(info.type),
        "config": _text(info.config),
        "children": [outline.modules[child] for child in info.children if child in outline.modules],
        "copies": copies if copies > 1 else 0,
        "last": outline.last.get(path, ""),
        **(all_copies if summed else one),
        "summed": summed,
        "differ": path in outline.blocks and _differs(outline.folded, outline.blocks[path]),
        "unknown": any(tensor.numel is None for tensor in tensors),
        "tensors": [tensor.name for tensor in info.parameters],
        **costs,
        "outputs": _specs(*outputs[:2]) if outputs else [],
        "shared": info.shared_with or "",
        "never": not info.called and not costs["memory"] and outline.graph.captured_by != "modules",
        "training": info.training,
    })  # fmt: skip


def _differs(graph: ModelGraph, block: Block) -> bool:
    """Return whether the copies of a block differ."""
    return any(graph.nodes[key].get("each_copy") for key in block.operations())


def _sizes(tensors: list[ParameterInfo]) -> dict[str, int]:
    parameters = [tensor for tensor in tensors if not tensor.buffer]
    return {
        "parameters": sum(tensor.numel or 0 for tensor in parameters),
        "frozen": sum(tensor.numel or 0 for tensor in parameters if not tensor.trainable),
        "bytes": sum(tensor.nbytes or 0 for tensor in parameters),
        "buffers": sum(tensor.nbytes or 0 for tensor in tensors if tensor.buffer),
    }


def _module_costs(graph: ModelGraph, folded: ModelGraph) -> dict[str, Record]:
    """Return the FLOPs, bytes written and most bytes in use of each module, over all its copies and calls.

    A container that is never called itself, such as a ModuleList, has the costs of its contents.
    """
    costs: dict[str, Record] = defaultdict(lambda: {"flops": 0, "memory": 0, "use": 0})
    owners: dict[int, list[str]] = {}
    for _, data in folded.nodes(data=True):
        stack = data["module_stack"]
        if id(stack) not in owners:
            called = dict.fromkeys(("", *(call.path for call in stack)))
            around = dict.fromkeys(path for call in stack for path in _ancestors(call.path) if path in graph.modules)
            owners[id(stack)] = [*called, *(p for p in around if p not in called and not graph.modules[p].called)]
        for path in owners[id(stack)]:
            cost = costs[path]
            cost["memory"] += over_copies(data, "output_bytes")
            cost["flops"] += over_copies(data, "flops")
            cost["use"] = max(cost["use"], data["in_use"] or 0)
            if is_unknown(data, "flops"):
                cost["least"] = True
    return costs


def _held(graph: ModelGraph) -> dict[str, list[ParameterInfo]]:
    """Return the distinct parameters and buffers in each module, including submodules and shared modules."""
    held: dict[str, dict[str, ParameterInfo]] = defaultdict(dict)
    for path, module in graph.modules.items():
        holder = module if module.shared_with is None else graph.modules[module.shared_with]
        for tensor in holder.parameters:
            for owner in _ancestors(path):
                held[owner].setdefault(tensor.tied_to or tensor.name, tensor)
    return defaultdict(list, {path: list(tensors.values()) for path, tensors in held.items()})


def _held_by_copies(outline: Outline, held: dict[str, list[ParameterInfo]]) -> dict[str, list[ParameterInfo]]:
    """Return the distinct parameters and buffers of all modules that each module represents."""
    found: dict[str, dict[str, ParameterInfo]] = defaultdict(dict)
    for path, tensors in held.items():
        for tensor in tensors:
            found[outline.drawn(path)].setdefault(tensor.tied_to or tensor.name, tensor)
    return defaultdict(list, {path: list(tensors.values()) for path, tensors in found.items()})


def _ancestors(path: str) -> Iterator[str]:
    yield path
    while path:
        path = path.rpartition(".")[0]
        yield path


def _operation(subject: Subject, outline: Outline, key: str) -> Record:
    modules = outline.modules
    data, sources = subject.node(key), subject.graph.sources(key)
    inputs = []
    for source, edge in sources.items() if subject.graph.captured_by != "modules" else ():
        shape = edge.get("shape")
        spec = "" if shape is None else f"{fmt.shape(shape)} {edge.get('dtype') or ''}".rstrip()
        inputs.append([outline.operations[source], list(edge["slots"]), spec])
    return _filled({
        "key": key,
        "op": data["op"],
        "target": _text(data["target"]),
        "label": _text(data["label"]),
        "config": _text(data["config"]),
        "kind": colour_of("parameter" if data["op"] == "get_attr" else data["kind"]),
        "call": _text(call_text(subject, key)),
        "joined": [_text(call_text(subject, other)) for other in data.get("absorbed", ())],
        "stack": [[modules[call.path], call.call] for call in data["module_stack"] if call.path in modules],
        "module": data["module"],
        "inputs": inputs,
        "outputs": _specs(data["outputs"], data["assumed"]),
        **_costs(data),
        "tensors": list(dict.fromkeys((*data["parameter_names"], *data["reads"]))),
        "trust": data["trust"] if data["trust"] != "exact" else "",
        "unknown": [_text(name) for name in data["unknown_operators"]],
        "source": _text(data["source"]),
        "more": [[NODE[name].title, _text(text)] for name in NODE.added if (text := NODE.tip(name, data))],
        "times": data["multiplicity"] if data["multiplicity"] > 1 else 0,
        **change_of(data),
    })  # fmt: skip


def _costs(data: NodeData) -> Record:
    """Return the costs of an operation: those of one copy, or if copies differ the sums over all of them."""
    summed = bool(data.get("each_copy"))

    def cost(name: str) -> int | None:
        return None if is_unknown(data, name) else over_copies(data, name) if summed else known(data, name)

    return {
        "parameters": cost("parameters"),
        "frozen": (cost("parameters") or 0) - (cost("trainable_parameters") or 0),
        "bytes": cost("parameter_bytes"),
        "buffers": cost("buffer_bytes"),
        "flops": cost("flops"),
        "memory": cost("output_bytes") or 0,
        "use": data["in_use"] or 0,
        "summed": summed,
    }


def _tensors(graph: ModelGraph, outline: Outline) -> Record:
    """Return parameters and buffers by name: spec as text, elements, bytes, and remarks."""
    records: Record = {}
    for path, module in graph.modules.items():
        for tensor in () if outline.is_copy(path) else module.parameters:
            remarks = ["buffer"] if tensor.buffer else [] if tensor.trainable else ["frozen"]
            remarks += [f"tied to {tensor.tied_to}"] if tensor.tied_to else []
            remarks += [] if tensor.read else ["never read"]
            spec = "?" if tensor.spec is None else str(tensor.spec)
            records[tensor.name] = [spec, tensor.numel, tensor.nbytes, _text(", ".join(remarks))]
    return records


def _specs(outputs: object, assumed: bool) -> list[str]:
    specs = [fmt.about(str(spec), assumed) for spec in leaves(outputs)]
    return specs if len(specs) <= MOST_SPECS else [*specs[:MOST_SPECS], f"and {len(specs) - MOST_SPECS} more"]


def _text(value: object) -> str:
    return short(str(value), LONGEST_TIP)


def _filled(record: Record) -> Record:
    """Drop empty values, except None (unknown) and paths, where "" is the model itself."""
    kept = ("path", "module")
    return {name: value for name, value in record.items() if name in kept or value is None or value not in (0, "", [])}
