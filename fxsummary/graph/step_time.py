"""The time of a training step at best: `StepTime`, from what the ATen calls of a step compute and move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fxsummary.graph.device import Device, device_of, shares_of
from fxsummary.text.numbers import about, duration, flops, rate

if TYPE_CHECKING:
    from fxsummary.graph.training import Training


class Work(NamedTuple):
    """What one ATen call computes and moves.

    Attributes:
        dtype: dtype of its result.
        is_convolution: whether it is a convolution, which PyTorch lets run in TF32.
        in_backward: whether it belongs to the backward pass.
        flops: FLOPs of the matrix-product family.
        nbytes: bytes that it reads and writes.
    """

    dtype: str
    is_convolution: bool
    in_backward: bool
    flops: int
    nbytes: int


@dataclass(frozen=True)
class StepTime:
    """The time of a training step at best, if each ATen call reads from memory and writes to it: a lower bound.

    Attributes:
        device: the device.
        forward, backward, optimizer: seconds of the three parts of a step.
        recompute: seconds of computing alone if the repeated blocks that save the most are checkpointed.
        flops: FLOPs of forward and backward.
        tokens: number of tokens in the batch; None if the model reads none.
        is_bound: whether FLOPs are missing, so that the real time is longer still.
        is_assumed: whether shapes depend on assumed values.
    """

    device: Device
    forward: float
    backward: float
    optimizer: float
    recompute: float
    flops: int
    tokens: int | None
    is_bound: bool
    is_assumed: bool

    @property
    def seconds(self) -> float:
        """Seconds of forward, backward and optimizer."""
        return self.forward + self.backward + self.optimizer

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens per second at best."""
        return None if self.tokens is None else self.tokens / self.seconds

    @property
    def _flops(self) -> str:
        return flops(self.flops, lower_bound=self.is_bound, assumed=self.is_assumed)

    def __str__(self) -> str:
        rows = {"Forward": self.forward, "Backward": self.backward, "Optimizer": self.optimizer, "Step": self.seconds}
        lines = [f"Time at best · {self.device.title or self.device.name}", ""]
        lines += [f"{name:24}{about(duration(each), self.is_assumed)}" for name, each in rows.items()]
        if self.recompute:
            lines.append(f"{'With checkpointing':24}{duration(self.seconds + self.recompute)} or more")
        lines.append(f"{'Rate':24}{rate(self.flops / self.seconds)}FLOP/s ({self._flops})")
        if self.tokens_per_second is not None:
            lines.append(f"{'Tokens per second':24}{self.tokens_per_second:,.0f} at most")
        if self.is_bound:
            lines.append("≥: some FLOPs are unknown, and their time is missing here.")
        return "\n".join([*lines, "", "A bound, not a prediction: launches, elementwise arithmetic, communication and",
            "waiting count as nothing, and each kernel reads from memory and writes to it."])  # fmt: skip


def time_of(
    training: Training,
    device: Device | str = "H100",
    *,
    efficiency: float | tuple[float, float] = 1.0,
    tf32: bool | None = None,
) -> StepTime:
    """Return the time of a training step at best: for each ATen call the longer of computing and moving its bytes.

    The optimizer reads gradients, and reads and writes parameters and its state.

    Args:
        device, efficiency, tf32: as for `fxsummary.passes.roofline.roofline`.

    Raises:
        UnknownNameError: unknown device.
        InputError: an efficiency is not above 0 and at most 1.
    """
    found, (compute, transfer) = device_of(device), shares_of(efficiency)
    bandwidth = found.bandwidth * transfer
    times = {False: 0.0, True: 0.0}
    fastest = max(found.flops.values())
    for work, number in training.work.items():
        computing = work.flops / (found.peak(_rate(work, found, tf32)) * compute)
        times[work.in_backward] += number * max(computing, work.nbytes / bandwidth)
    changed = training.parameters + training.optimizer_state + training.master_copies
    is_trained = training.optimizer is not None
    return StepTime(
        device=found,
        forward=times[False],
        backward=times[True],
        optimizer=(2 * changed + training.gradients) / bandwidth if is_trained else 0.0,
        recompute=training.recompute_flops / (fastest * compute),
        flops=training.flops or 0,
        tokens=training.tokens,
        is_bound=bool(training.unknown_flops),
        is_assumed=training.is_assumed,
    )


def _rate(work: Work, device: Device, tf32: bool | None) -> str:
    return device.rate_of(work.dtype, work.is_convolution if tf32 is None else tf32)
