"""What it costs to generate with a language model: prefill and decode, per device, from two captures of its forward.

Prefill is a forward pass over the prompt. Decode is a forward pass with one new token in each sequence and the cache
that prefill returned, so that grouped and latent attention, sliding windows, recurrent states, experts and quantized
weights come out as the model class has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from fxsummary.analysis.generation import cache_names, cache_nbytes, sequences_of, without_cache
from fxsummary.api import graph
from fxsummary.capture import result_of
from fxsummary.capture.inputs.example import forward_signature
from fxsummary.capture.module_index import unwrapped
from fxsummary.errors import InputError
from fxsummary.exporters.tables.table import Column, render_table
from fxsummary.graph.device import Device, device_of
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.roofline import Roofline
from fxsummary.passes.roofline import is_part
from fxsummary.passes.traffic import traffic, weights_read
from fxsummary.text.numbers import about, count, parameters, short, size

_LAST_ONLY = ("logits_to_keep", "num_logits_to_keep")
"""Arguments that make forward compute the logits of only so many tokens, as generation does."""


class Phase(NamedTuple):
    """One forward pass of generation.

    Attributes:
        name: "prefill" or "decode".
        batch: number of sequences.
        tokens: new tokens in each sequence.
        context: tokens in each sequence when the pass ends.
        flops: FLOPs; a lower bound if some are unknown.
        weights: bytes of parameters and buffers that it reads.
        cache: bytes of the cache that it reads; 0 for prefill.
        moved: all bytes, if each operation reads from memory and writes to it.
        rooflines: the times at best, in the order of the devices.
    """

    name: str
    batch: int
    tokens: int
    context: int
    flops: int
    weights: int
    cache: int
    moved: int
    rooflines: tuple[Roofline, ...]

    def rate(self, place: int, fused: bool = False) -> float:
        """Return the tokens per second at best on one of the devices, over all sequences."""
        found = self.rooflines[place]
        return self.batch * self.tokens / (found.ideal_seconds if fused else found.seconds)


@dataclass(frozen=True)
class Generation:
    """The cost of generating with a language model; times are lower bounds.

    Attributes:
        model: class name of the model.
        devices: the devices.
        parameters: number of parameters; activated: those that a token uses, fewer with experts.
        weight_bytes: bytes of parameters and buffers, as they are stored.
        cache_per_token: bytes by which the cache of one sequence grows with one token more, at this context.
        cache_bytes: bytes of the cache of one sequence at this context.
        phases: prefill, then decode for each batch size.
        is_assumed: whether FLOPs or shapes depend on assumed values, as when experts are chosen.
        unknown: names of weights of unknown size; if there are any, parameters and bytes are lower bounds.
    """

    model: str
    devices: tuple[Device, ...]
    parameters: int
    activated: int
    weight_bytes: int
    cache_per_token: int
    cache_bytes: int
    phases: tuple[Phase, ...]
    is_assumed: bool
    unknown: tuple[str, ...] = ()

    def largest_batch(self, device: Device) -> int | None:
        """Return the most sequences whose caches fit beside the weights; None if the memory is unknown.

        It leaves no room for activations, so that no larger batch fits.
        """
        if device.memory is None or self.unknown:
            return None
        free = device.memory - self.weight_bytes
        return max(free // self.cache_bytes, 0) if self.cache_bytes else None

    def to_text(self, width: int = 80) -> str:
        """Return two tables: the passes, and the devices."""
        first = render_table([Column("Pass"), *_right(*_PASSES)], [_pass_cells(each) for each in self.phases], width)
        rows = [cells for place in range(len(self.devices)) for cells in self._device_rows(place)]
        second = render_table([Column("Device", shrinks=12), Column("Pass"), *_right(*_RATES)], rows, width)
        remarks = [
            *_REMARKS,
            *(["Experts: tokens of different sequences are taken to choose different ones."] * self._routes),
        ]
        return "\n".join([*self._heading(), "", *first, "", *second, "", *remarks])

    @property
    def _routes(self) -> bool:
        """Whether tokens choose among experts."""
        return self.activated != self.parameters

    def _heading(self) -> Iterator[str]:
        mark = "≥ " * bool(self.unknown)
        weights = f"{mark}{parameters(self.parameters)} parameters, {mark}{size(self.weight_bytes)}"
        if self._routes:
            weights += f", {about(parameters(self.activated), self.is_assumed)} activated per token"
        yield f"{self.model} · {weights}"
        context = self.phases[0].context
        grows = f"{count(self.cache_per_token)} bytes per token" if self.cache_per_token else "does not grow"
        yield f"cache {grows}, {size(self.cache_bytes)} per sequence at {count(context)} tokens"

    def _device_rows(self, place: int) -> Iterator[tuple[str, ...]]:
        device = self.devices[place]
        most = self.largest_batch(device)
        for index, phase in enumerate(self.phases):
            found = phase.rooflines[place]
            rates = [about(f"{phase.rate(place, fused):,.0f}", self.is_assumed) for fused in (False, True)]
            largest = ("?" if most is None else count(most)) if index == 0 else ""
            bound = "memory" if found.is_memory_bound else "compute"
            yield device.name * (index == 0), _title(phase), found.text(found.seconds), *rates, bound, largest

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain values."""
        phases = [
            {**each._asdict(), "rooflines": {
                device.name: {"seconds": found.seconds, "ideal_seconds": found.ideal_seconds}
                for device, found in zip(self.devices, each.rooflines, strict=True)
            }}
            for each in self.phases
        ]  # fmt: skip
        batches = {device.name: self.largest_batch(device) for device in self.devices}
        names = ("model", "parameters", "activated", "weight_bytes", "cache_per_token", "cache_bytes", "is_assumed")
        return {**{name: getattr(self, name) for name in names}, "phases": phases, "largest_batch": batches}

    def __str__(self) -> str:
        return self.to_text()


_PASSES = ("New tokens", "FLOPs", "Weights", "Cache", "Moved", "FLOP/B")
_RATES = ("At best", "Tokens/s", "If fused", "Bound", "Largest batch")
_REMARKS = (
    "At best: launches, elementwise arithmetic and waiting count as nothing. Tokens/s: if",
    "each operation reads and writes memory, as in eager PyTorch; if fused: weights, cache",
    "and results move once. Largest batch: how many caches fit beside the weights.",
)


def _right(*titles: str) -> list[Column]:
    return [Column(title, right=True) for title in titles]


def _title(phase: Phase) -> str:
    return phase.name if phase.name == "prefill" else f"decode {count(phase.batch)}"


def _pass_cells(phase: Phase) -> tuple[str, ...]:
    new = f"{count(phase.batch)}×{count(phase.tokens)}"
    intensity = (
        f"{phase.flops / phase.moved:.3g}" if phase.flops < 100 * phase.moved else f"{phase.flops // phase.moved:,}"
    )
    flops = "≥ " * bool(phase.rooflines[0].unknown) + about(short(phase.flops), phase.rooflines[0].is_assumed)
    cells = (flops, size(phase.weights), size(phase.cache), size(phase.moved), intensity)
    return (_title(phase), f"{new} of {count(phase.context)}" if phase.cache else new, *cells)


def generation(
    model: nn.Module,
    *,
    tokens: int = 2048,
    batch: int | Sequence[int] = 1,
    device: Device | str | Sequence[Device | str] = "H100",
    efficiency: float | tuple[float, float] = 1.0,
    **inputs: Any,
) -> Generation:
    """Return what prefill and decode of a language model cost, and how fast they are at best.

    It captures forward once for the prompt, and once per batch size with one new token and the cache of the prompt.

    Args:
        model: a decoder whose forward returns its cache, on any device, ``meta`` included.
        tokens: length of the prompt, and context of decode.
        batch: the number of sequences in decode, or several; prefill has one.
        device: a `Device`, the name of one, or several.
        efficiency: as for `fxsummary.passes.roofline.roofline`.
        inputs: further arguments of forward, by name.

    Raises:
        InputError: forward returns no cache, or takes no batch or more than one batch of sequences of tokens.
        UnknownNameError: unknown device.

    It also raises the errors of `fxsummary.graph`.
    """
    found = (device,) if isinstance(device, (str, Device)) else tuple(device)
    devices, batches = tuple(map(device_of, found)), (batch,) if isinstance(batch, int) else tuple(batch)
    passes = _Passes(model, tokens, devices, efficiency, inputs)
    graphs = {each: passes.decode_graph(each) for each in dict.fromkeys((1, *batches))}
    prefill, one = passes.prefill(), graphs[1]
    decodes = [passes.decode(each, graphs[each]) for each in batches]
    totals = one.totals
    cache_bytes = cache_nbytes(passes.captured, passes.caches)
    return Generation(
        model=one.name,
        devices=devices,
        parameters=totals.parameters,
        activated=totals.parameters - _idle(one),
        weight_bytes=totals.parameter_bytes + totals.buffer_bytes,
        cache_per_token=cache_nbytes(one, passes.caches) - cache_bytes,
        cache_bytes=cache_bytes,
        phases=(prefill, *decodes),
        is_assumed=any(each.rooflines[0].is_assumed for each in (prefill, *decodes)),
        unknown=totals.unknown_parameters,
    )


class _Passes:
    """Captures the passes of one model."""

    def __init__(
        self, model: nn.Module, tokens: int, devices: tuple[Device, ...], efficiency: Any, inputs: Mapping[str, Any]
    ) -> None:
        self._model, self._tokens, self._devices, self._efficiency = model, tokens, devices, efficiency
        taken = forward_signature(unwrapped(model)).parameters
        self._inputs = {**{name: 1 for name in _LAST_ONLY if name in taken}, **inputs}
        self._name = self._sequence()
        self.captured = graph(model, kwargs=self._given(1))
        self.caches = cache_names(model, self.captured)
        if not self.caches:
            raise without_cache(self.captured)

    def _sequence(self) -> str:
        """Return the name of the input with the tokens."""
        first = graph(self._model)
        names = [name for name, _ in sequences_of(first)]
        if len(names) != 1:
            what = (
                f"{len(names)} inputs are batches of sequences of tokens" if names else "no input is a batch of tokens"
            )
            raise InputError(f"{first.name} is not analysed as a decoder, because {what}: {first.inputs_text}.")
        return names[0]

    def _ids(self, batch: int, tokens: int) -> torch.Tensor:
        return torch.empty(batch, tokens, dtype=torch.int64, device="meta")

    def _given(self, batch: int) -> dict[str, Any]:
        return {**self._inputs, self._name: self._ids(batch, self._tokens)}

    def prefill(self) -> Phase:
        """Return the pass over a prompt."""
        return self._phase("prefill", self.captured, 1, self._tokens, self._tokens)

    def decode_graph(self, batch: int) -> ModelGraph:
        """Return the graph of a pass with one token more in each sequence."""
        returned = result_of(self._model, self._given(batch))
        caches = {
            name: returned[name] if isinstance(returned, Mapping) else getattr(returned, name) for name in self.caches
        }
        return graph(self._model, kwargs={**self._inputs, self._name: self._ids(batch, 1), **caches})

    def decode(self, batch: int, captured: ModelGraph) -> Phase:
        """Return the pass for one token more in each sequence."""
        return self._phase("decode", captured, batch, 1, self._tokens)

    def _phase(self, kind: str, captured: ModelGraph, batch: int, tokens: int, context: int) -> Phase:
        rooflines = tuple([captured.roofline(each, efficiency=self._efficiency) for each in self._devices])
        cached = [spec for name, spec in captured.inputs.items() if any(is_part(name, each) for each in self.caches)]
        cache = sum(spec.nbytes for spec in cached if spec is not None)
        weights, first = sum(weights_read(traffic(captured)).values()), rooflines[0]
        return Phase(kind, batch, tokens, context, first.flops, weights, cache, first.nbytes, rooflines)


def _idle(captured: ModelGraph) -> int:
    """Return the number of parameters that products with one matrix per expert do not read for a token."""
    moved = {key: each for key, each in traffic(captured).items() if captured.data(key)["kind"] != "embedding"}
    infos = {info.name: info for module in captured.modules.values() for info in module.parameters if not info.buffer}
    idle = 0
    for name, nbytes in weights_read(moved).items():
        info = infos.get(name)
        if info is not None and info.nbytes and info.numel:
            idle += info.numel - info.numel * nbytes // info.nbytes
    return idle
