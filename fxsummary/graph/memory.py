"""Records of memory: `Storage`, what tensors lie in, and `Memory`, the memory of one forward pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from fxsummary.support.registry import call
from fxsummary.text.html import scaled
from fxsummary.text.numbers import about, size

STORAGE_KINDS = ("activation", "input", "parameter", "buffer", "constant")


class Storage(NamedTuple):
    """The memory of one tensor, and of all tensors that are views of it.

    Attributes:
        nbytes: its size.
        kind: one of `STORAGE_KINDS`.
        born: key of the operation that makes it.
        last_read: key of the last operation that reads it or writes to it; `born` if there is none.
        dies: key of the operation after which the last reference to it goes away; "" if it outlives forward.
    """

    nbytes: int
    kind: str
    born: str
    last_read: str
    dies: str


@dataclass(frozen=True, slots=True)
class Alive:
    """Memory that is in use at the peak.

    Attributes:
        nbytes: its size.
        operation: key of the operation that made it.
        name: that operation as it is shown: its module path, or its key.
        shape: shape of its first tensor; None if unknown.
        reason: why it is in use.
        is_held: whether no operation needs it any more, and only Python holds it.
        is_returned: whether no operation needs it any more, and it outlives forward.
    """

    nbytes: int
    operation: str
    name: str
    shape: tuple[int, ...] | None
    reason: str
    is_held: bool = False
    is_returned: bool = False


@dataclass(frozen=True)
class Memory:
    """The memory of one forward pass without gradients, as eager PyTorch runs it.

    It counts tensors. What libraries (oneDNN, cuDNN, cuBLAS) and the allocator take besides is not included.

    Attributes:
        weights: bytes of the parameters; None if unknown.
        buffers: bytes of the buffers.
        inputs: bytes of the inputs.
        outputs: bytes that forward makes and that outlive it.
        peak: most bytes of activations at one time.
        at: key of the operation at which they are in use.
        name: that operation as it is shown: its module path, or its key.
        inside: bytes of the peak that this operation holds only while it runs.
        alive: the memory in use at the peak, the largest first.
        peak_at_last_use: the peak if each value were freed after its last use.
        at_last_use: key of the operation at which that peak occurs.
        timeline: bytes in use while each operation runs, in execution order.
        held: bytes of these that no operation reads any more, and that only Python holds.
        outliving: bytes of these that no operation reads any more, and that outlive forward; returning is not reading.
        workspaces: bytes of these that each operation holds only while it runs.
        operations: keys of the operations, in the same order.
        modules: path of the innermost module that runs each operation.
        unknown: keys of the operations that may hold more while they run; if there are any, the peak is a lower bound.
        is_recorded: whether it is known when Python lets go of each value; if not, each dies after its last use.
        is_assumed: whether shapes depend on assumed values.
    """

    weights: int | None
    buffers: int
    inputs: int
    outputs: int
    peak: int
    at: str
    name: str
    inside: int
    alive: tuple[Alive, ...]
    peak_at_last_use: int
    at_last_use: str
    timeline: tuple[int, ...]
    held: tuple[int, ...]
    outliving: tuple[int, ...]
    workspaces: tuple[int, ...]
    operations: tuple[str, ...]
    modules: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    is_recorded: bool = True
    is_assumed: bool = False

    @property
    def total(self) -> int | None:
        """Bytes of weights, buffers, inputs and activations at the peak; None if the weights are unknown."""
        return None if self.weights is None else self.weights + self.buffers + self.inputs + self.peak

    @property
    def peak_text(self) -> str:
        """The peak with its unit, marked if it is a lower bound or depends on assumed values."""
        return about(("≥ " if self.unknown else "") + size(self.peak), self.is_assumed)

    def _repr_svg_(self) -> str:
        """Return the timeline for Jupyter."""
        return scaled(self.to_svg())

    def to_svg(self, *, title: str = "Memory", theme: str = "auto") -> str:
        """Return the timeline as an SVG picture: bytes over operations, the peak, and what is in use at it.

        ``g.to_svg(view="memory")`` returns the same with the name and the inputs of the model.
        """
        svg: str = call("fxsummary.drawing.timeline:draw", self, title=title, theme=theme)
        return svg
