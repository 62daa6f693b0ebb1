"""`ModelGraph`: the operations of a model as a `networkx.DiGraph`, and its module tree beside it.

Everything in it is a plain frozen value: no tensor, no module, no weight. It pickles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import networkx as nx

from fxsummary import files
from fxsummary.registry import EXPORTERS, exporter_for
from fxsummary.spec import TensorSpec, itemsize

if TYPE_CHECKING:
    import graphviz


class ModuleCall(NamedTuple):
    """One entry of a module stack: the module that was running, and which call of it."""

    path: str
    """Dotted name as in ``named_modules()``."""
    type: str
    """Class name."""
    call: int = 0
    """0 for the first call of this module, 1 for the second, ..."""


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """A parameter or buffer as it is registered under one name.

    Attributes:
        name: dotted name as in ``named_parameters()`` or ``named_buffers()``.
        spec: shape, dtype, stride, device; None where its size is not known (packed weights).
        trainable: ``requires_grad``; False for buffers.
        buffer: True for a buffer.
        tied_to: the first name of the same tensor, if this is a later one.
        read: whether the captured forward reads it, under whatever name.
    """

    name: str
    spec: TensorSpec | None
    trainable: bool = False
    buffer: bool = False
    tied_to: str | None = None
    read: bool = True

    @property
    def numel(self) -> int | None:
        """Number of elements; None where not known."""
        return None if self.spec is None else self.spec.numel

    @property
    def nbytes(self) -> int | None:
        """Bytes of the elements; None where not known."""
        return None if self.spec is None else self.spec.nbytes


@dataclass(frozen=True, slots=True)
class ModuleInfo:
    """A module of the model, called or not.

    Attributes:
        path: dotted name, "" for the model itself.
        type: class name.
        config: its settings in short, such as ``3→16, 3×3, s1, p1``.
        children: paths of the direct submodules, in order; a shared one appears under each parent.
        parameters: own parameters and buffers, not those of submodules.
        shared_with: the first path of the same module object, if this is a later one.
        called: whether the captured forward calls it.
        training: its training flag.
    """

    path: str
    type: str
    config: str = ""
    children: tuple[str, ...] = ()
    parameters: tuple[ParameterInfo, ...] = ()
    shared_with: str | None = None
    called: bool = True
    training: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a model. Counts that cannot be stood behind are listed, and make the sum a lower bound.

    Attributes:
        parameters: elements of all distinct parameters: tied and shared ones once, read or not.
        trainable_parameters: those with ``requires_grad``; `frozen_parameters` are the rest.
        unread_parameters: those that the captured forward never reads.
        parameter_bytes, buffer_bytes: bytes of distinct parameters and buffers.
        bytes_by_dtype: parameter bytes by dtype name.
        flops: floating-point operations of the matrix-product family, 2 per multiply-accumulate;
            None where nothing is known, as without inputs.
        unknown_flops: names of the operations whose FLOPs are not known; if any, `flops` is a lower bound.
        unknown_parameters: names of the weights whose size is not known; if any, `parameters` is a lower bound.
    """

    parameters: int = 0
    trainable_parameters: int = 0
    unread_parameters: int = 0
    parameter_bytes: int = 0
    buffers: int = 0
    buffer_bytes: int = 0
    bytes_by_dtype: Mapping[str, int] = field(default_factory=dict)
    flops: int | None = 0
    unknown_flops: tuple[str, ...] = ()
    unknown_parameters: tuple[str, ...] = ()

    @property
    def frozen_parameters(self) -> int:
        """Parameters that are not trained."""
        return self.parameters - self.trainable_parameters

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates: half of the FLOPs."""
        return None if self.flops is None else self.flops // 2


class ModelGraph(nx.DiGraph):
    """The operations of a model and the values that flow between them.

    Nodes are the operations of the traced ``torch.fx`` graph, keyed by their FX name, in execution
    order. Everything of networkx works on it.

    Node attributes:
        op: torch.fx opcode: placeholder, call_module, call_function, call_method, get_attr, output.
        target: what is called: a module path, a qualified function name or a method name.
        kind: convolution, linear, attention, norm, activation, pool, embedding, recurrent,
            arithmetic, reshape, input, output, parameter or other.
        module: path of the innermost module that was running ("" for the model itself; for a
            call_module node the module called); module_type: its class name.
        module_stack: tuple of `ModuleCall`, outermost first, the model itself left out.
        label: short name of the operation, such as ``Conv2d`` or ``flatten``.
        config: settings in short, such as ``3→16, 3×3, s1, p1``.
        arguments: the call's arguments as text, ``%`` where a value of another node goes in; the
            k-th ``%`` is slot k of the in-edges.
        outputs: `TensorSpec` in the nesting of the operation's result; None where not known, and for
            values that are not tensors their literal.
        shape, dtype: of the first tensor of `outputs`; None where there is none.
        parameters, trainable_parameters: elements of the parameters first read here; None if unknown.
        parameter_names: names of those parameters; parameter_bytes: their bytes.
        parameter_dtypes: their elements by dtype, as pairs of dtype name and number.
        buffers, buffer_bytes: number and bytes of the buffers first read here.
        reads: names of all parameters and buffers that the operation reads, first read here or not.
        flops: FLOPs of the matrix-product family (2 per multiply-accumulate); None if unknown.
        unknown_operators: names of the operators called whose FLOPs are not known.
        packed: whether the module holds weights in a form whose size is not known.
        output_bytes: bytes of the tensors in `outputs`; None if unknown.
        source: ``file:line`` of the call in the user's code, "" where it is not known.
        multiplicity: how many identical operations this one stands for (1 unless repeats are folded).

    Edge attributes:
        slots: argument positions that the value goes to (``x + x`` is one edge with two slots).
        shape, dtype, bytes: of the value; of its first tensor where there are several.
    """

    @property
    def name(self) -> str:
        """Class name of the model."""
        name: str = self.graph.get("name", "")
        return name

    @name.setter
    def name(self, value: str) -> None:
        self.graph["name"] = value

    @property
    def captured_by(self) -> str:
        """How the graph was captured: "symbolic", "recorded", "exported" or "modules" (no dataflow)."""
        captured_by: str = self.graph.get("captured_by", "symbolic")
        return captured_by

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, one sentence or two each."""
        notes: tuple[str, ...] = self.graph.get("notes", ())
        return notes

    @property
    def inputs(self) -> Mapping[str, TensorSpec | None]:
        """Spec of each input by its name in forward; None where not known."""
        return {data["target"]: data["outputs"] for _, data in self.nodes(data=True) if data.get("op") == "placeholder"}

    @property
    def inputs_inferred(self) -> bool:
        """Whether the inputs were guessed because none were given."""
        return bool(self.graph.get("inputs_inferred", False))

    @property
    def output_spec(self) -> Any:
        """Forward's return value with `TensorSpec` for its tensors; dataclasses as dicts; None if unknown."""
        return self.graph.get("output_spec")

    @property
    def modules(self) -> Mapping[str, ModuleInfo]:
        """The module tree: every submodule by path, also those never called; "" is the model itself."""
        modules: Mapping[str, ModuleInfo] = self.graph.get("modules", {})
        return modules

    @property
    def totals(self) -> Totals:
        """Sums over the operations present, times their multiplicity, and the parameters that none reads."""
        return _totals(self)

    def to_text(self, **options: Any) -> str:
        """The summary as text; see `fxsummary.exporters.text.to_text` for the options."""
        text: str = EXPORTERS["text"](self, **options)
        return text

    def to_dot(self, **options: Any) -> str:
        """The graph in the DOT language; see `fxsummary.exporters.dot.to_graphviz` for the options."""
        source: str = EXPORTERS["dot"](self, **options)
        return source

    def to_graphviz(self, **options: Any) -> graphviz.Digraph:
        """The graph as a `graphviz.Digraph`, to be changed or rendered further."""
        return EXPORTERS["graphviz"](self, **options)

    def to_svg(self, **options: Any) -> str:
        """The picture as SVG; see `fxsummary.exporters.svg.to_svg` for the options."""
        svg: str = EXPORTERS["svg"](self, **options)
        return svg

    def render(self, path: str | Path, **options: Any) -> Path:
        """Write the graph to a file in the form that the suffix names; returns the path.

        Raises:
            UnknownNameError: the suffix is not known; the message lists those that are.
            OutputError: the file cannot be written; what was there before is left as it was.
        """
        target = Path(path)
        result = exporter_for(target.suffix.lower())(self, **options)
        files.write(target, result if isinstance(result, bytes) else result.encode("utf-8"))
        return target

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"<ModelGraph {self.name}: {len(self)} operations, captured by {self.captured_by!r}>"


def _totals(graph: ModelGraph) -> Totals:
    sums = _Sums()
    for key, data in graph.nodes(data=True):
        sums.add_operation(key, data)
    for module in graph.modules.values():
        for parameter in module.parameters:
            if parameter.tied_to is None and not parameter.read:
                sums.add_unread(parameter)
    nothing_known = graph.captured_by == "modules" or (sums.unknown_flops and not sums.flops)
    return Totals(
        parameters=sums.parameters,
        trainable_parameters=sums.trainable,
        unread_parameters=sums.unread,
        parameter_bytes=sum(sums.bytes_by_dtype.values()),
        buffers=sums.buffers,
        buffer_bytes=sums.buffer_bytes,
        bytes_by_dtype=dict(sorted(sums.bytes_by_dtype.items())),
        flops=None if nothing_known else sums.flops,
        unknown_flops=tuple(sums.unknown_flops),
        unknown_parameters=tuple(sums.unknown_parameters),
    )


class _Sums:
    """`Totals` while they are added up."""

    def __init__(self) -> None:
        self.parameters = self.trainable = self.unread = self.buffers = self.buffer_bytes = self.flops = 0
        self.bytes_by_dtype: dict[str, int] = {}
        self.unknown_flops: list[str] = []
        self.unknown_parameters: list[str] = []

    def add_operation(self, key: str, data: Mapping[str, Any]) -> None:
        times = data["multiplicity"]
        if data["parameters"] is None:
            self.unknown_parameters.append(data["target"])
        if data["flops"] is None:
            self.unknown_flops.append(key)
        self.parameters += times * (data["parameters"] or 0)
        self.trainable += times * (data["trainable_parameters"] or 0)
        self.buffers += times * data["buffers"]
        self.buffer_bytes += times * data["buffer_bytes"]
        self.flops += times * (data["flops"] or 0)
        for dtype, numel in data["parameter_dtypes"]:
            self._add_bytes(dtype, times * numel * itemsize(dtype))

    def add_unread(self, tensor: ParameterInfo) -> None:
        if tensor.spec is None:
            self.unknown_parameters.append(tensor.name)
        elif tensor.buffer:
            self.buffers += 1
            self.buffer_bytes += tensor.spec.nbytes
        else:
            self.unread += tensor.spec.numel
            self.parameters += tensor.spec.numel
            self.trainable += tensor.spec.numel if tensor.trainable else 0
            self._add_bytes(tensor.spec.dtype, tensor.spec.nbytes)

    def _add_bytes(self, dtype: str, nbytes: int) -> None:
        self.bytes_by_dtype[dtype] = self.bytes_by_dtype.get(dtype, 0) + nbytes
