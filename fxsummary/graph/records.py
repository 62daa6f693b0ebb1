"""The frozen records in a `ModelGraph`: modules, parameters and totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from fxsummary.graph.spec import TensorSpec, itemsize

if TYPE_CHECKING:
    from fxsummary.graph.modelgraph import ModelGraph

TRUST = ("exact", "assumed", "unknown")
"""Levels of trust in the FLOPs of an operation, best first."""


class ModuleCall(NamedTuple):
    """One entry of a module stack: the module that was running, and which call of it."""

    path: str
    """Dotted name as in ``named_modules()``."""
    type: str
    """Class name."""
    call: int = 0
    """0 for the first call of this module, 1 for the second, ...; negative for a repeated pattern in a folded graph."""


class Returned(NamedTuple):
    """The result of a module call."""

    outputs: Any
    """`TensorSpec` in the nesting of the result; None if unknown."""
    assumed: bool = False
    """Whether its shapes depend on assumed values."""
    each: tuple[Any, ...] = ()
    """In a folded graph, the results of all copies where they differ."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A folded run of copies, stored in ``graph.graph["repeats"]`` under the call of the block that one copy is.

    A run of single operations is stored under the key of the first one.

    Attributes:
        count: number of copies.
        last: path of the last module in the last copy that has one, "" if there is none.
        carried: values that each further copy reads from the previous copy: by operation and slot, the operation that
            produces the value and the part of it. Its other inputs are those of the first copy, or its own.
        own: operations and slots that read a value of its own for each copy.
        unit: "steps" if the copies are calls of the same code and each reads values of the one before, "calls" if it
            does not; "experts" if a router gives each copy its own part of the tokens; "" for other copies.
    """

    count: int
    last: str
    carried: Mapping[tuple[str, int], tuple[str, tuple[int | str, ...]]] = field(default_factory=dict)
    own: tuple[tuple[str, int], ...] = ()
    unit: Literal["steps", "calls", "experts", ""] = ""

    @property
    def copied(self) -> str:
        """The number of copies, such as "×12" or "×128 steps"."""
        return f"×{self.count} {self.unit}".rstrip()


Stored = tuple[tuple[str, int], ...]
"""Tensors in memory, as pairs of dtype and number of elements."""


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """A parameter or buffer, as registered under one name.

    Attributes:
        name: dotted name as in ``named_parameters()`` or ``named_buffers()``.
        spec: shape, dtype, stride, device; the shape of a quantized weight is that of the weight that it represents;
            None if that is unknown (packed weights).
        trainable: ``requires_grad``; False for buffers.
        buffer: True for a buffer.
        tied_to: the first name of the same tensor, if this is a later one.
        read: whether the captured forward reads it, under any name.
        stored: what a quantized, packed or sparse tensor is stored as; None if as `spec` says.
        part_of: the name of the quantized weight that it belongs to, as scales do; it has no elements of its own.
        nonzero: number of elements that are not zero; None unless ``fxsummary.graph(nonzero=True)`` counted them.
    """

    name: str
    spec: TensorSpec | None
    trainable: bool = False
    buffer: bool = False
    tied_to: str | None = None
    read: bool = True
    stored: Stored | None = None
    part_of: str | None = None
    nonzero: int | None = None

    @property
    def numel(self) -> int | None:
        """Number of elements, of a quantized weight those that it represents; None if unknown."""
        return None if self.spec is None else 0 if self.part_of else self.spec.numel

    @property
    def by_dtype(self) -> Stored:
        """What it is stored as; () if unknown."""
        if self.stored is not None or self.spec is None:
            return self.stored or ()
        return ((self.spec.dtype, self.spec.numel),)

    @property
    def nbytes(self) -> int | None:
        """Size in bytes as it is stored; None if unknown."""
        if self.spec is None and self.stored is None:
            return None
        return sum([numel * itemsize(dtype) for dtype, numel in self.by_dtype])


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
    """Sums over a model. Unknown counts are listed, and make their sum a lower bound.

    Attributes:
        parameters: elements of all distinct parameters, read or not; tied and shared ones count once.
        trainable_parameters: those with ``requires_grad``; `frozen_parameters` are the rest.
        unread_parameters: those that the captured forward never reads.
        parameter_bytes, buffer_bytes: bytes of distinct parameters and buffers.
        bytes_by_dtype: parameter bytes by dtype name.
        flops: floating-point operations of the matrix-product family, 2 per multiply-accumulate;
            None if nothing is known, as without inputs.
        unknown_flops: names of the operations with unknown FLOPs; if any, `flops` is a lower bound.
        assumed_flops: names of the operations whose FLOPs depend on assumed values.
        unknown_parameters: names of the weights of unknown size; if any, `parameters` is a lower bound.
        nonzero_parameters: those that are not zero; None unless ``fxsummary.graph(nonzero=True)`` counted them.
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
    assumed_flops: tuple[str, ...] = ()
    unknown_parameters: tuple[str, ...] = ()
    nonzero_parameters: int | None = None

    @property
    def frozen_parameters(self) -> int:
        """Elements of the parameters with ``requires_grad=False``."""
        return self.parameters - self.trainable_parameters

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates: half of the FLOPs."""
        return None if self.flops is None else self.flops // 2


_ADDED = ("parameters", "trainable_parameters", "flops", "buffers", "buffer_bytes")


def add_up(graph: ModelGraph) -> Totals:
    """Return the totals of a graph."""
    nodes = [
        (key, data)
        for key, data in graph.nodes(data=True)
        if data["flops"] != 0 or data["parameters"] != 0 or data["parameter_dtypes"] or data["buffers"] != 0
    ]
    sums = {name: sum([over_copies(data, name) for _, data in nodes]) for name in _ADDED}
    sums["unread_parameters"] = sum([over_copies(data, "unread") for _, data in nodes])
    by_dtype: Counter[str] = Counter()
    for _, data in nodes:
        for copy in of_each_copy(data, "parameter_dtypes"):
            for dtype, numel in copy:
                by_dtype[dtype] += numel * itemsize(dtype)
    unknown = [data["target"] for _, data in nodes if is_unknown(data, "parameters")]
    unknown += _add_unread(graph, sums, by_dtype)
    unknown_flops = [key for key, data in nodes if is_unknown(data, "flops")] + [
        "the rest of forward"
    ] * graph.is_partial
    flops = sums.pop("flops")
    nothing_known = graph.captured_by == "modules" or (unknown_flops and not flops)
    return Totals(
        **sums,
        flops=None if nothing_known else flops,
        parameter_bytes=by_dtype.total(),
        bytes_by_dtype=dict(sorted(by_dtype.items())),
        unknown_flops=tuple(unknown_flops),
        assumed_flops=tuple([key for key, data in nodes if data["trust"] == "assumed"]),
        unknown_parameters=tuple(unknown),
        nonzero_parameters=_nonzero(graph),
    )


def _nonzero(graph: ModelGraph) -> int | None:
    tensors = (tensor for module in graph.modules.values() for tensor in module.parameters)
    counted = [tensor.nonzero for tensor in tensors if not tensor.buffer and tensor.tied_to is None]
    return summed(counted) if counted else None


def _add_unread(graph: ModelGraph, sums: dict[str, int], by_dtype: Counter[str]) -> list[str]:
    """Add the parameters that no operation reads, unless they have rows; return the weights of unknown size."""
    unknown: list[str] = []
    in_rows = graph.graph.get("unread_shown", False)
    for tensor in (each for module in graph.modules.values() for each in module.parameters if not each.read):
        if tensor.tied_to is not None or (in_rows and not tensor.buffer):
            continue
        if tensor.numel is None:
            unknown.append(tensor.name)
        if tensor.buffer and tensor.spec is not None:
            sums["buffers"] += 1
            sums["buffer_bytes"] += tensor.nbytes or 0
        else:
            for name in ("parameters", "unread_parameters", "trainable_parameters")[: 2 + tensor.trainable]:
                sums[name] += tensor.numel or 0
            for dtype, numel in tensor.by_dtype:
                by_dtype[dtype] += numel * itemsize(dtype)
    return unknown


def summed(numbers: Iterable[int | None]) -> int | None:
    """Return the sum of numbers; None if one is unknown."""
    found = list(numbers)
    return None if None in found else sum(filter(None, found))


def known(data: Mapping[str, Any], cost: str) -> int:
    """Return the known part of a cost: all of it, or a lower bound if the operation merges several."""
    number: int | None = data.get(cost, 0)
    return data.get("at_least", {}).get(cost, 0) if number is None else number


def differing(data: Mapping[str, Any], name: str) -> tuple[Any, ...] | None:
    """Return the values of an attribute in all copies that an operation represents; None if they are equal."""
    return data["each_copy"].get(name) if "each_copy" in data else None


def is_unknown(data: Mapping[str, Any], cost: str) -> bool:
    """Return whether a cost is unknown; one that differs from copy to copy is not."""
    return data.get(cost, 0) is None and differing(data, cost) is None


def over_copies(data: Mapping[str, Any], cost: str) -> int:
    """Return the known part of a cost over all copies that an operation represents."""
    each = differing(data, cost)
    return data["multiplicity"] * known(data, cost) if each is None else sum(number or 0 for number in each)


def of_each_copy(data: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    """Return the values of an attribute in all copies that an operation represents."""
    return differing(data, name) or (data[name],) * data["multiplicity"]
