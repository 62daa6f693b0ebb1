"""The table of attributes: each attribute of the nodes and edges of a `ModelGraph`, once.

Exporters, saved graphs, views and comparisons read this table. If you register an attribute in `NODE`, with a pass
that sets it, it becomes a column of tables and DataFrames, a line of tooltips and of the HTML page, a field of saved
graphs and a difference in comparisons. docs/extending.md has an example.

>>> NODE["flops"].title, NODE.cell("flops", {"flops": 677376, "trust": "assumed"}), NODE.cell("flops", {"flops": 0})
('FLOPs', '≈677 k', '')
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, cast

from fxsummary.graph import fields as of
from fxsummary.graph.records import ModuleCall, known
from fxsummary.graph.spec import TensorSpec, leaves
from fxsummary.graph.table import Attribute as Attribute
from fxsummary.graph.table import Attributes
from fxsummary.text import numbers as fmt

_OWN: dict[str, Any] = {"folds": False, "compared": "", "tip": False, "is_own": True}
"""Defaults for fxsummary's own attributes."""


def _part(type_: of.Type, description: str, default: Any = of.NO_DEFAULT, title: str = "", **more: Any) -> Attribute:
    """Return an attribute that every node or edge has."""
    return Attribute(type_, description, default, title=title, always=True, **(_OWN | more))


def _cost(description: str, title: str, type_: of.Type = of.COUNT_OR_UNKNOWN, **more: Any) -> Attribute:
    """Return a cost: a number that adds up over the operations of a model."""
    usual = {"text": fmt.count, "folds": True, "compared": "own", "adds": "sum"}
    return _part(type_, description, 0, title, **(usual | more))


def _remark(type_: of.Type, description: str, default: Any = None, **more: Any) -> Attribute:
    """Return an attribute that only views and comparisons set, on some nodes or edges."""
    return Attribute(type_, description, default, **(_OWN | more))


def _intensity(data: Mapping[str, Any]) -> float:
    """Return the FLOPs per byte moved; 0 if nothing is moved."""
    moved = known(data, "moved")
    return known(data, "flops") / moved if moved else 0.0


def _bound(data: Mapping[str, Any]) -> str:
    """Return what bounds the time at best: "compute", "memory", or the share of the time in computing."""
    seconds, computing = known(data, "seconds"), known(data, "compute_seconds")
    percent = round(100 * computing / seconds) if seconds else 0
    return "" if not seconds else {0: "memory", 100: "compute"}.get(percent, f"{percent} % compute")


NODE = Attributes("node attribute", {
    "op": _part(of.TEXT, "torch.fx opcode: placeholder, call_module, call_function, call_method, get_attr, output",
        title="Op", folds=True),
    "target": _part(of.TEXT, "what is called: a module path, a qualified function name or a method name",
        title="Target"),
    "kind": _part(of.TEXT, "convolution, linear, attention, norm, activation, pool, embedding, recurrent, arithmetic, "
        "reshape, input, output, parameter or other", title="Kind"),
    "module": _part(of.TEXT, 'path of the innermost module that was running ("" for the model itself; for a '
        'call_module node the module called)', title="Module"),
    "module_type": _part(of.TEXT, "class name of that module", title="Module type"),
    "module_stack": _part(of.STACK, "tuple of `ModuleCall` (path, class name, number of the call), outermost first, "
        "without the model itself", ()),
    "label": _part(of.TEXT, "short name of the operation, such as ``Conv2d`` or ``flatten``", title="Label", folds=True,
        compared="own"),
    "config": _part(of.TEXT, "settings in short, such as ``3→16, 3×3, s1, p1``", "", title="Config", folds=True,
        compared="own"),
    "arguments": _part(of.TEXT, "the call's arguments as text, with ``%`` for each value of another node; the k-th "
        "``%`` is slot k of the in-edges", "", folds=True, compared="follows"),
    "outputs": _part(of.VALUE, "the operation's result, with a `TensorSpec` for each tensor and literals for other "
        "values; None if unknown", None, folds=True, compared="follows"),
    "shape": _part(of.SHAPE, "shape of the first tensor of `outputs`; None if there is none", None,
        title="Output shape", text=fmt.shape, rests_on=("outputs",)),
    "dtype": _part(of.DTYPE, "dtype of the first tensor of `outputs`; None if there is none", None, title="dtype"),
    "reads": _part(of.TEXTS, "names of all parameters and buffers that the operation reads, first read here or not", (),
        adds="union"),
    "parameters": _cost("elements of the parameters first read here; None if unknown", "Parameters", tip=True),
    "trainable_parameters": _cost("elements of these parameters that are trainable; None if unknown", "Trainable"),
    "parameter_names": _part(of.TEXTS, "names of these parameters", (), adds="union"),
    "parameter_bytes": _cost("bytes of these parameters; None if unknown", "Parameter bytes", text=fmt.size),
    "parameter_dtypes": _part(of.COUNTS, "elements of these parameters as stored, as pairs of dtype and number", (),
        adds="union", folds=True, compared="own"),
    "buffers": _cost("number of the buffers first read here; None if copies differ", "Buffers"),
    "buffer_bytes": _cost("bytes of these buffers; None if copies differ", "Buffer bytes", text=fmt.size,
        compared="follows"),
    "flops": _cost("FLOPs of the matrix-product family (2 per multiply-accumulate); None if unknown", "FLOPs",
        text=fmt.short, exact=fmt.count, rests_on=("flops",), compared="follows", tip=True),
    "unknown_operators": _part(of.TEXTS, "names of the operators called whose FLOPs are unknown", (), adds="union"),
    "assumed": _part(of.FLAG, "whether its shapes depend on assumed values, such as a routing decision", False,
        adds="any"),
    "trust": _part(of.TRUSTED, 'trust in the FLOPs: "exact", "assumed" (they depend on assumed values) or "unknown"',
        "exact", title="Trust", adds="worst"),
    "packed": _part(of.FLAG, "whether the module holds packed weights of unknown size", False, adds="any", folds=True,
        compared="own"),
    "output_bytes": _part(of.COUNT_OR_UNKNOWN, "bytes of the tensors in `outputs`; None if unknown", 0,
        title="Output bytes", text=fmt.size, rests_on=("outputs",)),
    "storages": _part(of.SLOTS, "numbers of the storages that its tensors lie in, or that it writes to in place; see "
        "`ModelGraph.storages`", ()),
    "workspace": _part(of.COUNT_OR_UNKNOWN, "bytes that it holds for a time beyond its inputs and outputs; None if "
        "unknown", 0, title="Workspace", text=fmt.size, adds="max", rests_on=("outputs",)),
    "in_use": _part(of.COUNT_OR_UNKNOWN, "bytes of activations in use while it runs, see `ModelGraph.memory`; None if "
        "unknown", 0, title="In use", text=fmt.size, adds="max", rests_on=("outputs",)),
    "multiplicity": _part(of.TIMES, "number of identical operations that it represents (1 unless repeats are folded)",
        1, title="Copies", folds=True),
    "source": _part(of.TEXT, '``file:line`` of the call in your code, "" if unknown', "", title="Source", tip=True),
    "absorbed": _remark(of.TEXTS, "keys of the operations that are shown as part of this one", ()),
    "at_least": _remark(of.VALUE, "lower bounds of the costs that are None, by name"),
    "change": _remark(of.TEXT, 'in a comparison "added", "removed", "changed", "moved" (the same elsewhere) or "same"',
        "", title="Change"),
    "closed": _remark(of.COUNT, "number of operations in a closed module", 0),
    "differences": _remark(of.VALUE, "in a comparison a tuple of `Difference` (attribute, old value, new value); for a "
        "removed operation its costs", ()),
    "each_copy": _remark(of.VALUE, "in a folded graph the values of all copies where they differ, by attribute; such a "
        "cost is None", folds=True),
    "ghost": _remark(of.FLAG, "whether a picture draws it as a ghost: nothing reads its result, or it is a module that "
        "forward never calls", False, folds=True),
    "most_workspace": _remark(of.COUNT_OR_UNKNOWN, "the most that it may hold for a time, if `workspace` is None"),
    "nonzero_parameters": _remark(of.COUNT_OR_UNKNOWN, "elements of these parameters that are not zero, if "
        "``fxsummary.graph(nonzero=True)`` counted them", 0, title="Nonzero", text=fmt.count, adds="sum", folds=True),
    "no_grad": _remark(of.FLAG, "whether forward turns gradients off around it", False),
    "run": _remark(of.TEXTS, "labels of the views that are shown as one", ()),
    "shared": _remark(of.TEXT, "what a closed module shares with others", ""),
    "stands_for": _remark(of.TEXT, "key of the operation whose value this stand-in shows again", ""),
    "unread": _remark(of.COUNT_OR_UNKNOWN, "elements of the parameters in this row that forward never reads", 0,
        adds="sum"),
    "moved": _remark(of.COUNT_OR_UNKNOWN, "bytes that it reads from memory and writes to it, see `ModelGraph.roofline`",
        0, title="Moved", text=fmt.size, adds="sum", rests_on=("outputs",), tip=True),
    "seconds": _remark(of.NUMBER_OR_UNKNOWN, "its time at best on a device, see `ModelGraph.roofline`", 0.0,
        title="At best", text=fmt.duration, adds="sum", rests_on=("outputs", "flops"), tip=True),
    "compute_seconds": _remark(of.NUMBER_OR_UNKNOWN, "`seconds` if computing takes longer than moving data, else 0",
        0.0, text=fmt.duration, adds="sum"),
    "intensity": _remark(of.NUMBER_OR_UNKNOWN, "FLOPs per byte moved", 0.0, title="FLOP/B", text=fmt.ratio,
        adds=_intensity),
    "bound": _remark(of.TEXT, "what takes longer: computing or moving data", "", title="Bound", adds=_bound),
    "writes": _remark(of.SLOTS, "positions of the tensors among its arguments that it writes to in place", ()),
    "was": _remark(of.TEXT, "in a comparison the old path, if it changed; for a removed operation its path", "",
        title="Was"),
})  # fmt: skip
"""Attributes of an operation."""

EDGE = Attributes("edge attribute", {
    "slots": _part(of.SLOTS, "argument positions that the value goes to (``x + x`` is one edge with two slots); () if "
        "the reader depends on it only through an in-place write to another name", ()),
    "parts": _part(of.PARTS, "for each slot the part of the value that goes there, as a path: ``(1,)`` for element 1 "
        "of a tuple, ``()`` for the whole value; () alone if every slot takes the whole value", ()),
    "shape": _part(of.SHAPE, "shape of the value, or of its first tensor if there are several", None),
    "dtype": _part(of.DTYPE, "dtype of the same tensor", None),
    "bytes": _part(of.COUNT_OR_UNKNOWN, "bytes of the whole value; None if unknown", 0),
    "change": _remark(of.TEXT, 'in a comparison "added", "removed" or "same"', ""),
    "each": _remark(of.FLAG, "whether every copy of a folded block has such an edge", False),
})  # fmt: skip
"""Attributes of an edge."""


class NodeData(TypedDict, total=False):
    """The attributes of a node, for type checkers."""

    op: str
    target: str
    kind: str
    module: str
    module_type: str
    module_stack: tuple[ModuleCall, ...]
    label: str
    config: str
    arguments: str
    outputs: Any
    shape: tuple[int, ...] | None
    dtype: str | None
    reads: tuple[str, ...]
    parameters: int | None
    trainable_parameters: int | None
    parameter_names: tuple[str, ...]
    parameter_bytes: int | None
    parameter_dtypes: tuple[tuple[str, int], ...]
    buffers: int | None
    buffer_bytes: int | None
    flops: int | None
    unknown_operators: tuple[str, ...]
    assumed: bool
    trust: str
    packed: bool
    output_bytes: int | None
    storages: tuple[int, ...]
    workspace: int | None
    in_use: int | None
    multiplicity: int
    source: str
    absorbed: tuple[str, ...]
    at_least: Any
    change: str
    closed: int
    differences: Any
    each_copy: Any
    ghost: bool
    most_workspace: int | None
    nonzero_parameters: int | None
    no_grad: bool
    run: tuple[str, ...]
    shared: str
    stands_for: str
    unread: int | None
    moved: int | None
    seconds: float | None
    compute_seconds: float | None
    intensity: float | None
    bound: str
    writes: tuple[int, ...]
    was: str


class EdgeData(TypedDict, total=False):
    """The attributes of an edge, for type checkers."""

    slots: tuple[int, ...]
    parts: tuple[tuple[int | str, ...], ...]
    shape: tuple[int, ...] | None
    dtype: str | None
    bytes: int | None
    change: str
    each: bool


BLANK = cast(NodeData, {name: None if each.required else each.default for name, each in NODE.items() if each.always})
"""The attributes of every operation with their defaults, in table order; None if there is no default."""

NO_COSTS = cast(NodeData, {name: each.default for name, each in NODE.items() if each.adds and each.always})
"""The additive attributes of an operation without costs."""


def own_path(data: NodeData) -> str:
    """Return the dotted name of the module or parameter that an operation calls or reads; "" for a function."""
    return data["target"] if data["op"] in ("call_module", "get_attr") else ""


def placed(stack: tuple[ModuleCall, ...], model: str = "") -> NodeData:
    """Return the attributes of the place of an operation, given the calls around it and the class of the model."""
    path, type_ = (stack[-1].path, stack[-1].type) if stack else ("", model)
    return {"module": path, "module_type": type_, "module_stack": stack}


def result(outputs: Any) -> NodeData:
    """Return the attributes that describe a result, without its size."""
    first = outputs if type(outputs) is TensorSpec else next(leaves(outputs), None)
    return {"outputs": outputs, "shape": first.shape if first else None, "dtype": first.dtype if first else None}


RESULT = ("outputs", "shape", "dtype", "output_bytes")
"""The attributes that describe an operation's result."""


def own_result(data: NodeData) -> NodeData:
    """Return the attributes that describe an operation's result, for each copy where copies differ."""
    result: NodeData = {
        "outputs": data["outputs"], "shape": data["shape"], "dtype": data["dtype"], "output_bytes": data["output_bytes"]
    }  # fmt: skip
    if each_copy := {name: values for name, values in data.get("each_copy", {}).items() if name in RESULT}:
        result["each_copy"] = each_copy
    return result


def edge_from(source: NodeData, slots: tuple[int, ...], nbytes: int | None) -> EdgeData:
    """Return the attributes of an edge that carries the whole value of a node (``nbytes`` bytes) to these slots."""
    return {"slots": slots, "parts": (), "shape": source["shape"], "dtype": source["dtype"], "bytes": nbytes}
