"""One training step of a captured program on meta: forward, loss and backward, with a count of the living storages."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from fxsummary.analysis import devices
from fxsummary.analysis.casting import Casts
from fxsummary.analysis.functions import results
from fxsummary.analysis.saved import Kept, SavedStorages
from fxsummary.analysis.values import fill, fits, saved_by_mask, view_of
from fxsummary.analysis.watch import BACKWARD, LOSS, Watch, prepare
from fxsummary.analysis.weights import Weights
from fxsummary.capture.autograd_internals import intercepted, sequence_number
from fxsummary.capture.operations.autocast import Casting
from fxsummary.capture.operations.run import method
from fxsummary.capture.operations.twins import materialize
from fxsummary.capture.program import Operation, Program
from fxsummary.capture.structures import UNKNOWN, has_unknown, on_meta, tensors_in
from fxsummary.capture.torch_internals import storage_of, without_dispatch_modes
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import leaves
from fxsummary.graph.step_time import Work


@dataclass
class Step:
    """A training step; operations are positions in the program.

    Attributes:
        kept: the storages that are saved or returned at the end of forward.
        saving: the operations that save something, also parameters and inputs.
        results: number and size of the storages of some operations' results.
        at_end: living bytes at the end of forward.
        peak: most living bytes.
        at: the operation at the peak, or `LOSS`.
        is_backward: whether it is in the backward pass of that operation.
        backward_flops: FLOPs of the backward pass.
        unknown_flops: operators of the backward pass with unknown FLOPs.
        unknown: operations whose memory is not known, each with the reason.
        work: number of ATen calls by what they compute and move.
        loss: what was differentiated; "" if no output requires gradients.
        gradients: the bytes of the gradient of each parameter that has one.
    """

    kept: list[Kept] = field(default_factory=list)
    saving: set[int] = field(default_factory=set)
    results: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    at_end: int = 0
    peak: int = 0
    at: int | str = 0
    is_backward: bool = False
    backward_flops: int = 0
    unknown_flops: tuple[str, ...] = ()
    unknown: dict[int, str] = field(default_factory=dict)
    work: Mapping[Work, int] = field(default_factory=dict)
    loss: str = ""
    gradients: dict[str, int] = field(default_factory=dict)


class Runner:
    """Runs a training step.

    Args:
        graph: a graph with its program.
        weights: the parameters and buffers.
        device: "cpu" or "cuda".
        casting: the state of autocast for all operations; None for the captured one.
        noted: the operations whose results to note, see `Step.results`.
    """

    def __init__(
        self, graph: ModelGraph, weights: Weights, device: str, casting: Casting | None, noted: Collection[int]
    ) -> None:
        self.step = Step()
        self._program: Program = graph.program
        self._targets = [graph.data(name)["target"] for name in self._program.names]
        self._numbers = [graph.data(name)["storages"] for name in self._program.names]
        self._unread, self._ends = _lives(graph, self._program)
        self._weights = weights
        self._device = device
        self._casting = casting
        self._casts = Casts(device)
        self._noted = frozenset(noted)
        self._saved = SavedStorages()
        self._watch = Watch()
        self._values: dict[int, Any] = {}
        self._held: dict[int, list[Tensor]] = defaultdict(list)
        self._applied: dict[tuple[int, int], Tensor] = {}
        self._modules: dict[str, nn.Module] = {}
        self._starts: list[int] = []

    def run(self) -> Step:
        """Run forward, loss and backward."""
        prepare()
        self._saved.leave_out({id(each): each for each in self._weights.named.values()}.values())
        with ExitStack() as stack:
            stack.enter_context(torch.enable_grad())
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            stack.enter_context(self._watch)
            stack.enter_context(intercepted(self._kernels()))
            with torch.autograd.graph.saved_tensors_hooks(self._saved.pack, lambda tensor: tensor):
                outputs = list(tensors_in(self._forward()))
                self._casts.end()
                self.step.at_end = self._watch.live
                self.step.saving = self._saved.saving
                held = [each for tensors in self._held.values() for each in tensors]
                self.step.kept = list(self._saved.kept([*outputs, *held]))
                del held
                self._backward(outputs)
        self._read_watch()
        self.step.gradients = self._weights.gradients()
        return self.step

    def _kernels(self) -> dict[str, Callable[..., Any]]:
        own = devices.kernels(self._device, self._report)
        has_casts = self._casting is not None or any(each.casting for each in self._program.operations)
        return self._casts.kernels(own, casts=has_casts)

    def _report(self, reason: str) -> None:
        assert isinstance(self._watch.place, int)
        self.step.unknown.setdefault(self._watch.place, reason)

    # --- forward -------------------------------------------------------------------------------

    def _forward(self) -> Any:
        for place in range(len(self._program.operations)):
            self._starts.append(sequence_number())
            self._watch.place = self._saved.now = place
            self._run(place)
        self._saved.now = None
        return self._values.pop(len(self._program.operations) - 1)

    def _run(self, place: int) -> None:
        value = self._values[place] = self._value(place, self._program.operations[place])
        tensors = [value] if type(value) is Tensor else list(tensors_in(value))
        if place in self._noted:
            numbered = map(self._saved.number, tensors)
            self.step.results[place] = [each for each in dict.fromkeys(numbered) if each is not None]
        numbers = self._numbers[place]
        if len(numbers) == len(tensors) == 1:
            self._held[numbers[0]].append(tensors[0])
        elif tensors:
            self._hold(tensors, list(dict.fromkeys(numbers)))
        for number in self._ends.get(place, ()):
            self._held.pop(number, None)
        for unread in self._unread.get(place, ()):
            self._values.pop(unread, None)

    def _hold(self, tensors: list[Tensor], numbers: list[int]) -> None:
        """Keep the results of an operation until Python lets go of their storages."""
        storages = dict.fromkeys(map(storage_of, tensors))
        of = dict(zip(storages, numbers, strict=True)) if len(storages) == len(numbers) else {}
        for tensor in tensors:
            for number in (of[storage_of(tensor)],) if of else numbers:
                self._held[number].append(tensor)

    def _value(self, place: int, operation: Operation) -> Any:
        if operation.op == "placeholder":
            if operation.value is UNKNOWN:
                return UNKNOWN
            with without_dispatch_modes():
                tensor = materialize(operation.value).requires_grad_(operation.requires_grad)
            self._saved.leave_out([tensor])
            return tensor
        if operation.op == "get_attr":
            with without_dispatch_modes():
                return self._weights.attribute(self._targets[place], operation.value)
        if operation.op == "skip":
            return None
        given = [self._values[each] for each in self._program.reads[place]]
        if operation.op == "output":
            return fill(operation.args, given)[0]
        if operation.op == "take":
            return self._applied.pop((operation.call, operation.kwargs))
        if any(each is UNKNOWN for each in given):
            return self._recorded(place, operation, given, "it reads an unknown value")
        self._casts.now = operation.casting or self._casting
        with torch.no_grad() if operation.is_detached else nullcontext():
            return self._called(place, operation, given)

    def _called(self, place: int, operation: Operation, given: list[Any]) -> Any:
        """Run an operation; if it cannot run on meta, return new tensors with the recorded specs."""
        if operation.op == "opaque":
            return self._recorded(place, operation, given, "it cannot run again")
        try:
            args = fill(operation.args, given)
            if operation.op == "apply":
                return self._apply(operation, args)
            function = self._function(place, operation)
            args, kwargs = on_meta(operation.target, args, fill(operation.kwargs, given))
            value = function(*args, **kwargs)
            if function is torch.tensor:
                value = value.clone()  # on meta it makes no call that a mode sees
            if operation.requires_grad:
                value.requires_grad_()
        except Exception as error:  # torch's kernels raise many types
            return self._recorded(place, operation, given, str(error).strip().partition("\n")[0][:100])
        if not fits(value, operation.value):
            return self._recorded(place, operation, given, "its result on meta is not the recorded one")
        return value

    def _function(self, place: int, operation: Operation) -> Callable[..., Any]:
        target = operation.target
        if isinstance(target, str):
            return method(target)
        if not isinstance(target, nn.Module):
            return target  # type: ignore[no-any-return]
        path = self._targets[place]
        if path not in self._modules:
            with without_dispatch_modes():
                self._modules[path] = self._weights.module(target, path)
        return self._modules[path]

    def _apply(self, operation: Operation, args: tuple[Any, ...]) -> Any:
        tensors = list(tensors_in(operation.target.apply(*args)))
        self._applied.update({(operation.call, place): tensor for place, tensor in enumerate(tensors)})
        return self._applied.pop((operation.call, operation.kwargs))

    def _recorded(self, place: int, operation: Operation, given: list[Any], reason: str) -> Any:
        """Return new tensors with the recorded specs; what the operation saves is known for masks and integers."""
        if operation.value is UNKNOWN or has_unknown(operation.value):
            self._report(reason)
            return UNKNOWN
        if any(operation.aliases):
            view = view_of(operation, given)
            if view is not None:
                return view
        has_gradient = torch.is_grad_enabled() and any(each.requires_grad for each in tensors_in(given))
        saved = saved_by_mask(operation, given)
        if has_gradient and saved is None and not all(each.is_index for each in leaves(operation.value)):
            self._report(reason)
        return results(operation.value, given, saved or ())

    # --- backward ------------------------------------------------------------------------------

    def _backward(self, outputs: list[Tensor]) -> None:
        """Differentiate the first output, or the mean of its squares if it is not one number."""
        place, output = next(
            ((place, each) for place, each in enumerate(outputs) if each.requires_grad and each.is_floating_point()),
            (0, None),
        )
        if output is None:
            return
        which = "the output" if len(outputs) == 1 else f"output {place + 1} of {len(outputs)}"
        self._watch.place = LOSS
        forward_flops, self._watch.unknown = self._watch.flops, []
        loss = output
        if output.numel() != 1:
            numbers = output.float()
            loss = (numbers * numbers).mean()
            del numbers
        self.step.loss = which if loss is output else f"the mean square of {which}"
        self._watch.place = BACKWARD
        try:
            torch.autograd.backward(loss)
        except Exception as error:  # an operator of the backward pass needs values
            reason = str(error).strip().partition("\n")[0][:100]
            self.step.unknown.setdefault(len(self._program.names) - 1, f"the backward pass stopped: {reason}")
            self._watch.unknown.append("the backward pass")
        self.step.backward_flops = self._watch.flops - forward_flops
        self.step.unknown_flops = tuple(dict.fromkeys(self._watch.unknown))

    def _read_watch(self) -> None:
        step, (place, number) = self.step, self._watch.at
        step.peak, step.is_backward, step.work = self._watch.peak, place == BACKWARD, self._watch.work
        if place == BACKWARD:
            made = bisect_right(self._starts, number) - 1
            step.at = LOSS if made == len(self._starts) - 1 else max(made, 0)
        else:
            step.at = place


def _lives(graph: ModelGraph, program: Program) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Return by operation whose results are read last by it, and which storages Python lets go of after it."""
    last = list(range(len(program.names)))
    for place, reads in enumerate(program.reads):
        for source in reads:
            last[source] = place
    unread: dict[int, list[int]] = defaultdict(list)
    for place, end in enumerate(last[:-1]):
        unread[end].append(place)
    order = {name: place for place, name in enumerate(program.names)}
    ends: dict[int, list[int]] = defaultdict(list)
    for number, storage in enumerate(graph.storages):
        died = storage.dies if graph.deaths_recorded else storage.last_read
        if died in order:
            ends[order[died]].append(number)
    return unread, ends
