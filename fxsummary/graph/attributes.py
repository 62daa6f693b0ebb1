"""The table of attributes: every attribute of the operations and values of a `ModelGraph`, once.

What exporters show, what is saved, what views add up and what comparing looks at follow from it. An attribute that
you register in `NODE`, with a pass that sets it, is a column of tables and DataFrames, a line of tooltips and of the
page, a field of saved graphs and a difference in comparisons; docs/extending.md has an example.

>>> NODE["flops"].title, NODE.cell("flops", {"flops": 677376, "trust": "assumed"}), NODE.cell("flops", {"flops": 0})
('FLOPs', '≈677 k', '')
"""

from __future__ import annotations

from typing import Any, TypedDict, cast

from fxsummary.graph import fields as of
from fxsummary.graph.records import ModuleCall
from fxsummary.graph.table import Attribute as Attribute
from fxsummary.graph.table import Attributes
from fxsummary.text import numbers as fmt

_OWN: dict[str, Any] = {"folds": False, "compared": "", "tip": False, "is_own": True}
"""What an attribute of fxsummary is unless the table says otherwise."""


def _part(type_: of.Type, description: str, default: Any = of.NO_DEFAULT, title: str = "", **more: Any) -> Attribute:
    """An attribute that every node or edge has."""
    return Attribute(type_, description, default, title=title, always=True, **(_OWN | more))


def _cost(description: str, title: str, type_: of.Type = of.COUNT_OR_UNKNOWN, **more: Any) -> Attribute:
    """A number of an operation that adds up to that of the model."""
    usual = {"text": fmt.count, "folds": True, "compared": "own", "adds": "sum"}
    return _part(type_, description, 0, title, **(usual | more))


def _remark(type_: of.Type, description: str, default: Any = None, **more: Any) -> Attribute:
    """An attribute that views and comparisons set where it says something."""
    return Attribute(type_, description, default, **(_OWN | more))


NODE = Attributes("node attribute", {
    "op": _part(
        of.TEXT, "torch.fx opcode: placeholder, call_module, call_function, call_method, get_attr, output", title="Op",
        folds=True,
    ),
    "target": _part(
        of.TEXT, "what is called: a module path, a qualified function name or a method name", title="Target"
    ),
    "kind": _part(
        of.TEXT, "convolution, linear, attention, norm, activation, pool, embedding, recurrent, arithmetic, reshape, "
        "input, output, parameter or other", title="Kind",
    ),
    "module": _part(
        of.TEXT, 'path of the innermost module that was running ("" for the model itself; for a call_module node the '
        "module called)", title="Module",
    ),
    "module_type": _part(of.TEXT, "class name of that module", title="Module type"),
    "module_stack": _part(
        of.STACK, "tuple of `ModuleCall` (path, class name, number of the call), outermost first; the model itself is "
        "left out", (),
    ),
    "label": _part(
        of.TEXT, "short name of the operation, such as ``Conv2d`` or ``flatten``", title="Label", folds=True,
        compared="own",
    ),
    "config": _part(
        of.TEXT, "settings in short, such as ``3→16, 3×3, s1, p1``", "", title="Config", folds=True, compared="own"
    ),
    "arguments": _part(
        of.TEXT, "the call's arguments as text, ``%`` where a value of another node goes in; the k-th ``%`` is slot k "
        "of the in-edges", "", folds=True, compared="follows",
    ),
    "outputs": _part(
        of.VALUE, "`TensorSpec` in the nesting of the operation's result; None where not known, and for values that "
        "are not tensors their literal", None, folds=True, compared="follows",
    ),
    "shape": _part(
        of.SHAPE, "of the first tensor of `outputs`; None where there is none", None, title="Output shape",
        text=fmt.shape, rests_on=("outputs",),
    ),
    "dtype": _part(of.DTYPE, "of the first tensor of `outputs`; None where there is none", None, title="dtype"),
    "reads": _part(
        of.TEXTS, "names of all parameters and buffers that the operation reads, first read here or not", (),
        adds="union",
    ),
    "parameters": _cost("elements of the parameters first read here; None if unknown", "Parameters", tip=True),
    "trainable_parameters": _cost("elements of the trainable ones of these parameters; None if unknown", "Trainable"),
    "parameter_names": _part(of.TEXTS, "names of these parameters", (), adds="union"),
    "parameter_bytes": _cost("bytes of these parameters; None if unknown", "Parameter bytes", text=fmt.size),
    "parameter_dtypes": _part(
        of.COUNTS, "elements of these parameters by dtype, as pairs of dtype name and number", (), adds="union",
        folds=True, compared="own",
    ),
    "buffers": _cost("number of the buffers first read here", "Buffers", of.COUNT),
    "buffer_bytes": _cost("bytes of these buffers", "Buffer bytes", of.COUNT, text=fmt.size, compared="follows"),
    "flops": _cost(
        "FLOPs of the matrix-product family (2 per multiply-accumulate); None if unknown", "FLOPs", text=fmt.short,
        exact=fmt.count, rests_on=("flops",), compared="follows", tip=True,
    ),
    "unknown_operators": _part(of.TEXTS, "names of the operators called whose FLOPs are not known", (), adds="union"),
    "assumed": _part(
        of.FLAG, "whether its shapes rest on values that were assumed, such as a routing decision", False, adds="any"
    ),
    "trust": _part(
        of.TRUSTED, 'of the FLOPs: "exact", "assumed" (they rest on such values) or "unknown"', "exact", title="Trust",
        adds="worst",
    ),
    "packed": _part(
        of.FLAG, "whether the module holds weights in a form whose size is not known", False, adds="any", folds=True,
        compared="own",
    ),
    "output_bytes": _part(
        of.COUNT_OR_UNKNOWN, "bytes of the tensors in `outputs`; None if unknown", 0, title="Output bytes",
        text=fmt.size, rests_on=("outputs",),
    ),
    "multiplicity": _part(
        of.TIMES, "number of identical operations that it represents (1 unless repeats are folded)", 1, title="Copies",
        folds=True,
    ),
    "source": _part(
        of.TEXT, '``file:line`` of the call in your code, "" where it is not known', "", title="Source", tip=True
    ),
    "absorbed": _remark(of.TEXTS, "keys of the operations that are shown as part of this one", ()),
    "at_least": _remark(of.VALUE, "what is known of costs that are None, by name"),
    "change": _remark(
        of.TEXT, 'in a comparison "added", "removed", "changed", "moved" (the same elsewhere) or "same"', "",
        title="Change",
    ),
    "closed": _remark(of.COUNT, "number of operations in a closed module", 0),
    "differences": _remark(
        of.VALUE, "in a comparison a tuple of `Difference`: attribute, what it was, what it is; of a removed operation "
        "its costs", (),
    ),
    "run": _remark(of.TEXTS, "labels of the views that are shown as one", ()),
    "shared": _remark(of.TEXT, "what a closed module shares with others", ""),
    "stands_for": _remark(of.TEXT, "key of the operation whose value is shown once more here", ""),
    "unread": _remark(of.COUNT, "elements of the parameters in this row that forward never reads", 0, adds="sum"),
    "was": _remark(
        of.TEXT, "in a comparison the path before, where that is another; of a removed operation its path", "",
        title="Was",
    ),
})  # fmt: skip
"""Of an operation."""

EDGE = Attributes("edge attribute", {
    "slots": _part(
        of.SLOTS, "argument positions that the value goes to (``x + x`` is one edge with two slots); () where the "
        "value is read because it was written in place, through another name", (),
    ),
    "parts": _part(
        of.PARTS, "for each slot the part of the value that goes there, as a path: ``(1,)`` for element 1 of a tuple, "
        "``()`` for the whole value; () alone where every slot takes the whole value", (),
    ),
    "shape": _part(of.SHAPE, "of the value; of its first tensor where there are several", None),
    "dtype": _part(of.DTYPE, "of the same tensor", None),
    "bytes": _part(of.COUNT_OR_UNKNOWN, "of the whole value; None if unknown", 0),
    "change": _remark(of.TEXT, 'in a comparison "added", "removed" or "same"', ""),
    "each": _remark(of.FLAG, "whether every copy of a folded block has such an edge", False),
})  # fmt: skip
"""Of a value that flows."""


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
    buffers: int
    buffer_bytes: int
    flops: int | None
    unknown_operators: tuple[str, ...]
    assumed: bool
    trust: str
    packed: bool
    output_bytes: int | None
    multiplicity: int
    source: str
    absorbed: tuple[str, ...]
    at_least: Any
    change: str
    closed: int
    differences: Any
    run: tuple[str, ...]
    shared: str
    stands_for: str
    unread: int
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
"""What every operation has, in the order of the table; None in place of what must be given."""

NO_COSTS = cast(NodeData, {name: each.default for name, each in NODE.items() if each.adds and each.always})
"""The attributes that add up, of an operation that costs nothing."""


def own_path(data: NodeData) -> str:
    """The dotted name of an operation's own module or parameter; "" for a function."""
    return data["target"] if data["op"] in ("call_module", "get_attr") else ""


def own_result(data: NodeData) -> NodeData:
    """What an operation's result is."""
    return {
        "outputs": data["outputs"], "shape": data["shape"], "dtype": data["dtype"], "output_bytes": data["output_bytes"]
    }  # fmt: skip


def edge_from(source: NodeData, slots: tuple[int, ...], nbytes: int | None) -> EdgeData:
    """The attributes of an edge that takes the whole value of a node, which has ``nbytes``, to these slots."""
    return {"slots": slots, "parts": (), "shape": source["shape"], "dtype": source["dtype"], "bytes": nbytes}
