"""Parameters and buffers: each tensor is counted once, at the operation that reads it first.

Tied and shared tensors are therefore never counted twice. Tensors that no operation reads remain in the module tree,
where `Totals` finds them. A packed weight of unknown size makes the count unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.modelgraph import ModelGraph, ModuleInfo, ParameterInfo
from fxsummary.graph.records import summed
from fxsummary.text.numbers import count, listed


def annotate(graph: ModelGraph) -> None:
    """Set the parameter and buffer attributes of every node, mark the tensors that are read, and add notes."""
    tensors = {p.name: p for module in graph.modules.values() for p in module.parameters if p.tied_to is None}
    read: dict[str, str] = {}
    nothing: NodeData = {**counts([], unknown=False), "buffers": 0, "buffer_bytes": 0}
    for _, data in graph.nodes(data=True):
        if not data["reads"] and not data["packed"]:
            data.update(nothing)
            continue
        fresh = [tensors[name] for name in dict.fromkeys(data["reads"]) if name not in read and name in tensors]
        if len(fresh) < len(data["reads"]):
            _note_ties(data, tensors, read)
        read.update([(tensor.name, data["target"]) for tensor in fresh])
        data.update(counts([tensor for tensor in fresh if not tensor.buffer], unknown=data["packed"]))
        buffers = [tensor.nbytes or 0 for tensor in fresh if tensor.buffer]
        data["buffers"], data["buffer_bytes"] = len(buffers), sum(buffers)
    graph.modules = {path: _mark_read(module, read) for path, module in graph.modules.items()}
    graph.notes += tuple(_notes(graph))


def _note_ties(data: NodeData, tensors: Mapping[str, ParameterInfo], read: Mapping[str, str]) -> None:
    """If a module shares a parameter, name the one that ``read`` it first in its `config`."""
    target = data["target"]
    shared = [read[name] for name in data["reads"] if name in read and not tensors[name].buffer]
    others = [each for each in shared if each != target and not f"{each}.".startswith(f"{target}.")]
    if data["op"] == "call_module" and others:
        data["config"] = ", ".join(filter(None, (f"tied to {others[0]}", data["config"])))


def counts(parameters: list[ParameterInfo], *, unknown: bool) -> NodeData:
    """Return the parameter attributes of an operation that first reads these, and perhaps ``unknown`` weights."""
    dtypes: dict[str, int] = {}
    elements = trainable = nbytes = 0
    is_size_unknown = unknown or any(each.nbytes is None for each in parameters)
    unknown = unknown or any(each.numel is None for each in parameters)
    for each in parameters:
        numel = each.numel or 0
        for dtype, count_ in each.by_dtype:
            dtypes[dtype] = dtypes.get(dtype, 0) + count_
        elements += numel
        trainable += numel if each.trainable else 0
        nbytes += each.nbytes or 0
    counted: NodeData = {}
    if parameters and (nonzero := summed(each.nonzero for each in parameters)) is not None:
        counted["nonzero_parameters"] = nonzero
    return {
        **counted,
        "parameters": None if unknown else elements,
        "trainable_parameters": None if unknown else trainable,
        "parameter_names": tuple([each.name for each in parameters]),
        "parameter_bytes": None if is_size_unknown else nbytes,
        "parameter_dtypes": tuple(dtypes.items()),
    }


def _mark_read(module: ModuleInfo, read: Collection[str]) -> ModuleInfo:
    if not module.parameters or all(_is_read(parameter, module, read) for parameter in module.parameters):
        return module
    marked = tuple(replace(p, read=_is_read(p, module, read)) for p in module.parameters)
    return replace(module, parameters=marked)


def _is_read(parameter: ParameterInfo, module: ModuleInfo, read: Collection[str]) -> bool:
    if parameter.spec is None and parameter.name.endswith("packed weights"):
        return module.called
    return (parameter.tied_to or parameter.name) in read


def _notes(graph: ModelGraph) -> Iterator[str]:
    parameters = [p for module in graph.modules.values() for p in module.parameters if not p.buffer]
    unread = [p for p in parameters if not p.read and p.tied_to is None and p.numel is not None]
    if unread and graph.captured_by != "modules" and not graph.is_partial:
        total = sum(p.numel or 0 for p in unread)
        yield f"{count(total)} parameters are never read in this forward: {listed([p.name for p in unread])}"
    tied = [p for p in parameters if p.tied_to is not None]
    if tied:
        yield "tied parameters, counted once: " + listed([f"{p.name} = {p.tied_to}" for p in tied])
