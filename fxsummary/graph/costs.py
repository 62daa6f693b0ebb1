"""`Costs`: what a module, or all operations of one kind, cost."""

from __future__ import annotations

from dataclasses import dataclass

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.records import is_unknown, known

_SUMS = ("parameters", "trainable_parameters", "parameter_bytes", "buffer_bytes", "flops")


@dataclass(frozen=True, slots=True)
class Costs:
    """Sums over a module with its submodules, or over the operations of one kind.

    Attributes:
        type: class name of the module; for a kind "".
        operations: number of operations of the graph.
        parameters: elements of the parameters; a tied or shared one counts once, under its first name.
        trainable_parameters: those with ``requires_grad``; `frozen_parameters` are the rest.
        unread_parameters: those that the captured forward never reads.
        parameter_bytes, buffer_bytes: bytes of parameters and buffers.
        flops: floating-point operations of the matrix-product family, 2 per multiply-accumulate; None if unknown.
        activation_bytes: bytes of the tensors that the operations make, views not counted; None if unknown.
        in_use: the most bytes of activations that are in use while one of the operations runs; None if unknown.
        unknown: names of the sums that are lower bounds, because a part of them is unknown.
        assumed: whether the FLOPs depend on assumed values.
    """

    type: str
    operations: int
    parameters: int
    trainable_parameters: int
    unread_parameters: int
    parameter_bytes: int
    buffer_bytes: int
    flops: int | None
    activation_bytes: int | None
    in_use: int | None
    unknown: tuple[str, ...] = ()
    assumed: bool = False

    @property
    def frozen_parameters(self) -> int:
        """Elements of the parameters with ``requires_grad=False``."""
        return self.parameters - self.trainable_parameters

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates: half of the FLOPs."""
        return None if self.flops is None else self.flops // 2


def costs_of(data: NodeData, activation_bytes: int | None) -> Costs:
    """Return the costs of a closed module, or of anything else that is one operation in a view."""
    flops = known(data, "flops")
    return Costs(
        type=data["module_type"] or "",
        operations=data["closed"],
        parameters=known(data, "parameters"),
        trainable_parameters=known(data, "trainable_parameters"),
        unread_parameters=known(data, "unread"),
        parameter_bytes=known(data, "parameter_bytes"),
        buffer_bytes=known(data, "buffer_bytes"),
        flops=None if is_unknown(data, "flops") and not flops else flops,
        activation_bytes=activation_bytes,
        in_use=None if activation_bytes is None else data["in_use"],
        unknown=tuple([name for name in _SUMS if is_unknown(data, name)]),
        assumed=data["trust"] == "assumed",
    )
