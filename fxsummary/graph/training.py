"""Records of training: `Training`, the memory and FLOPs of one step, and `Checkpoint`, what checkpointing saves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from fxsummary.graph.device import Device
from fxsummary.graph.step_time import StepTime, Work, time_of
from fxsummary.text import html
from fxsummary.text import numbers as fmt

TENSORS_ONLY = "Tensors only: not what libraries (cuDNN, cuBLAS, oneDNN), the context and the allocator take."
LISTED = 4
"""The number of operations and of blocks that the text lists."""


class ModuleSaved(NamedTuple):
    """Bytes that a module saves for backward.

    Attributes:
        exclusive: those that only it saves.
        inclusive: those that it saves, alone or with others.
    """

    exclusive: int
    inclusive: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What ``torch.utils.checkpoint`` of all blocks with one path pattern would change.

    Attributes:
        pattern: their module paths, with ``*`` for numbers.
        type: the class of the modules.
        count: the number of calls.
        saves: the bytes less that are kept for backward; negative if there would be more.
        flops: FLOPs of the blocks, which run again; None if unknown.
    """

    pattern: str
    type: str
    count: int
    saves: int
    flops: int | None

    @property
    def name(self) -> str:
        """The pattern, with the number of blocks."""
        return f"{self.pattern} ×{self.count}" if self.count > 1 else self.pattern


@dataclass(frozen=True)
class Training:
    """The memory and FLOPs of one training step: forward, loss and backward, then the optimizer.

    It counts tensors. What libraries (cuDNN, cuBLAS, oneDNN), the context and the allocator take besides is not
    included, nor what the optimizer needs only while it runs.

    Attributes:
        device: the device whose kernels run: "cuda" or "cpu".
        optimizer: its name; None for none.
        precision: "bf16" or "fp16" for mixed precision; None for the dtypes of the model.
        mode: "train", "eval", or "train and eval" if modules differ.
        loss: what is differentiated.
        parameters: bytes of all parameters.
        buffers: bytes of the buffers.
        inputs: bytes of the inputs.
        gradients: bytes of the gradients of parameters.
        optimizer_state: bytes that the optimizer keeps between steps.
        master_copies: bytes of float32 copies of the parameters.
        saved: bytes that operations save for backward; a storage counts once.
        saved_by_operation: the same by operation; a storage counts for the first operation that saves it.
        saved_by_label: the same, added up over operations with the same label.
        saved_by_module: the same by module path.
        forward_end: bytes of activations at the end of forward: what is saved, and the outputs.
        activation_peak: most bytes of activations and gradients at one time.
        at: key of the operation at that peak; "loss" if the loss is computed.
        in_backward: whether it is in the backward pass of that operation.
        forward_flops: FLOPs of the forward pass; None if unknown.
        backward_flops: FLOPs of the backward pass.
        work: number of ATen calls by what they compute and move, see `time`.
        tokens: number of tokens in the batch; None if the model reads none.
        parameter_count: number of parameters; None if unknown.
        checkpoints: what checkpointing each kind of block would save, the most first.
        unknown: keys of operations that may save more; if there are any, the bytes are lower bounds.
        unknown_flops: operators with unknown FLOPs; if there are any, the FLOPs are lower bounds.
        is_assumed: whether shapes depend on assumed values, or dtypes on casts that were captured in another precision.
    """

    device: str
    optimizer: str | None
    precision: str | None
    mode: str
    loss: str
    parameters: int
    buffers: int
    inputs: int
    gradients: int
    optimizer_state: int
    master_copies: int
    saved: int
    saved_by_operation: Mapping[str, int]
    saved_by_label: Mapping[str, int]
    saved_by_module: Mapping[str, ModuleSaved]
    forward_end: int
    activation_peak: int
    at: str
    in_backward: bool
    forward_flops: int | None
    backward_flops: int
    work: Mapping[Work, int] = field(default_factory=dict, repr=False)
    tokens: int | None = None
    parameter_count: int | None = None
    checkpoints: tuple[Checkpoint, ...] = ()
    unknown: tuple[str, ...] = ()
    unknown_flops: tuple[str, ...] = ()
    is_assumed: bool = False

    @property
    def peak(self) -> int:
        """Most bytes of tensors at one time: parameters, buffers, inputs, optimizer, activations and gradients."""
        fixed = self.parameters + self.buffers + self.inputs + self.optimizer_state + self.master_copies
        return fixed + self.activation_peak

    @property
    def where(self) -> str:
        """Where the peak is, such as ``backward of lm_head``."""
        return f"backward of {self.at}" if self.in_backward else self.at

    @property
    def flops(self) -> int | None:
        """FLOPs of forward and backward; None if those of forward are unknown."""
        return None if self.forward_flops is None else self.forward_flops + self.backward_flops

    @property
    def rule_of_thumb(self) -> int | None:
        """6·N·D for N parameters and D tokens (Kaplan et al., arXiv 2001.08361); None without tokens."""
        if self.tokens is None or self.parameter_count is None:
            return None
        return 6 * self.parameter_count * self.tokens

    @property
    def recompute_flops(self) -> int:
        """FLOPs that run again if the repeated blocks that save the most are checkpointed; 0 if there are none."""
        return next((each.flops or 0 for each in self.checkpoints if each.count > 1 and each.saves > 0), 0)

    def time(
        self,
        device: Device | str = "H100",
        *,
        efficiency: float | tuple[float, float] = 1.0,
        tf32: bool | None = None,
    ) -> StepTime:
        """Return the time of a step at best on a device.

        Args:
            device, efficiency, tf32: as in `ModelGraph.roofline`.
        """
        return time_of(self, device, efficiency=efficiency, tf32=tf32)

    def _repr_html_(self) -> str:
        """Return the sizes for Jupyter."""
        rows = {
            **self.parts(),
            "Peak of a step": f"{self._mark}{fmt.size(self.peak)} of tensors",
            "FLOPs": _flops(self),
        }
        return html.table(("", ""), list(rows.items()), (False, False), [TENSORS_ONLY])

    def parts(self) -> dict[str, str]:
        """Return the sizes as text by name, without those that are nothing."""
        mark, size = self._mark, fmt.size
        return {
            "Parameters": size(self.parameters),
            "Gradients": size(self.gradients),
            "Optimizer state": size(self.optimizer_state),
            **({"Master copies": size(self.master_copies)} if self.master_copies else {}),
            "Buffers and inputs": size(self.buffers + self.inputs),
            "Saved for backward": f"{mark}{size(self.saved)}",
            "Activations, gradients": f"{mark}{size(self.activation_peak)} in {self._shown_at}",
        }

    @property
    def _mark(self) -> str:
        return "≥ " if self.unknown else "≈" if self.is_assumed else ""

    @property
    def _shown_at(self) -> str:
        return f"{'backward of ' if self.in_backward else ''}{fmt.shorten(self.at, 24)}"

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain values."""
        found = asdict(replace(self, work={}))
        del found["work"]
        found["saved_by_module"] = {path: saved._asdict() for path, saved in self.saved_by_module.items()}
        return {**found, "peak": self.peak, "where": self.where}

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def _lines(training: Training) -> Iterator[str]:
    """Yield the lines of the report."""
    t = training
    precision = f"mixed precision {t.precision}" if t.precision else "the model's dtypes"
    yield f"Training · {t.optimizer or 'no optimizer'} · {t.device} · {precision} · {t.mode} mode"
    yield ""
    yield from _rows({**t.parts(), "Peak of a step": f"{t._mark}{fmt.size(t.peak)} of tensors"})
    yield from _rows({"FLOPs": _flops(t)})
    if t.rule_of_thumb and t.flops and t.tokens and t.parameter_count:
        what = f"{fmt.flops(t.rule_of_thumb)}, {t.rule_of_thumb / t.flops:.2f} of both"
        size = f"{fmt.parameters(t.parameter_count)} parameters, {fmt.count(t.tokens)} tokens"
        yield from _rows({"6·N·D": f"{what} ({size})"})
    if t.saved:
        yield ""
        yield from _wrapped(f"Saved by {', '.join(_largest(t.saved_by_label))}")
    yield from _checkpoint_lines(t)
    yield ""
    if t.precision and t.is_assumed:
        yield "≈: casts that forward wrote itself are those of the captured precision."
    if t.unknown:
        yield fmt.shorten(f"≥: more may be saved by {fmt.listed(t.unknown)}", 80)
    yield fmt.shorten(f"Loss: {t.loss}.", 80)
    yield from _wrapped(TENSORS_ONLY)


def _rows(values: Mapping[str, str]) -> Iterator[str]:
    for title, text in values.items():
        yield fmt.shorten(f"{title:24}{text}", 80)


def _flops(t: Training) -> str:
    backward = fmt.flops(t.backward_flops, lower_bound=bool(t.unknown_flops), assumed=t.is_assumed)
    times = f" ({t.backward_flops / t.forward_flops:.2f}×)" if t.forward_flops and not t.unknown_flops else ""
    return f"{fmt.flops(t.forward_flops, assumed=t.is_assumed)} forward, {backward} backward{times}"


def _checkpoint_lines(t: Training) -> Iterator[str]:
    """Yield a line for each repeated block that checkpointing makes smaller."""
    useful = [each for each in t.checkpoints if each.count > 1 and each.saves > 0][:LISTED]
    if useful:
        yield ""
        yield "Checkpointing"
    width = max((len(fmt.shorten(each.name, 40)) for each in useful), default=0)
    for each in useful:
        cost = "?" if each.flops is None or not t.forward_flops else f"+{each.flops / t.forward_flops:.2f} forward"
        yield f"  {fmt.shorten(each.name, 40):{width}}  −{fmt.size(each.saves):9} for {cost}"


def _largest(nbytes: Mapping[str, int]) -> Iterator[str]:
    for label, number in sorted(nbytes.items(), key=lambda item: -item[1])[:LISTED]:
        yield f"{fmt.shorten(label, 30)} {fmt.size(number)}"


def _wrapped(text: str) -> Iterator[str]:
    line = ""
    for word in text.split():
        if len(line) + len(word) + 1 > 80:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield line
