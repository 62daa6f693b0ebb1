"""Receptive fields: which part of an input each position of an operation's result sees.

The captured operations run again on meta tensors. For each ATen call a rule (`rules.py`) derives what the result sees
from what the arguments see, as spans of input positions (`spans.py`) along the dimensions of tensors (`along.py`). With
plain convolutions and pools this is the usual recurrence: the size grows by (kernel − 1) · dilation · stride, and the
stride by the factor of the operation's own (Araujo, Norris and Sim, *Computing Receptive Fields of Convolutional Neural
Networks*, Distill 2019).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fxsummary.analysis.receptive.along import Along, Axis, Sight, opaque
from fxsummary.analysis.receptive.call import Call
from fxsummary.analysis.receptive.rules import rule_of
from fxsummary.analysis.receptive.spans import Span
from fxsummary.analysis.values import fill, fits, view_of
from fxsummary.analysis.weights import Weights
from fxsummary.capture.operations.run import method
from fxsummary.capture.operations.twins import materialize
from fxsummary.capture.program import Inside, Operation, Program
from fxsummary.capture.structures import UNKNOWN, has_unknown, on_meta, tensors_in
from fxsummary.capture.torch_internals import DispatchMode, HigherOrderOperator, in_python, storage_of
from fxsummary.errors import InputError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.receptive import ReceptiveField, ReceptiveFields, Seen
from fxsummary.graph.spec import TensorSpec, map_structure
from fxsummary.support.gc_pause import paused


@paused()
def receptive_field(graph: ModelGraph) -> ReceptiveFields:
    """Return the receptive field of each operation, by input and spatial dimension.

    Sizes count padding, as if the input were large enough. Every position sees the whole input after a global pool,
    attention over positions, or a norm over space.

    Raises:
        InputError: the graph does not come directly from `fxsummary.graph`, was changed, or is partial.

    >>> import fxsummary
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, dilation=2))
    >>> found = fxsummary.graph(net, torch.empty(1, 3, 64, 64)).receptive_field()
    >>> found.text("1"), found.head["input"].size
    ('5×5 /4', (21, 21))
    """
    program = graph.program
    if program is None or program.names != tuple(graph):
        raise InputError(
            "this graph cannot run again, because it was loaded, copied, folded or changed, or has no shapes: call "
            "receptive_field() on the graph that fxsummary.graph(model, ...) returns."
        )
    if program.refusal:
        raise InputError(f"receptive fields cannot be computed, because {program.refusal}.")
    run = _Run(graph, program)
    with torch.no_grad(), warnings.catch_warnings(), run.eyes:
        warnings.simplefilter("ignore")
        for place in range(len(program.names)):
            run.step(place)
    return run.record()


class _Eyes(DispatchMode):
    """Notes what the result of each ATen call sees."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()
        self.sights: dict[int, Sight] = {}
        self.windowed: set[Axis] = set()
        self._held: dict[int, Tensor] = {}  # so that no id is used twice
        self._sharing: dict[int, list[Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if isinstance(func, HigherOrderOperator):
            run = in_python(func)
            if run is None:
                raise NotImplementedError(str(func))
            with self:
                return run(*args, **kwargs)
        result = func(*args, **kwargs)
        results = list(tensors_in(result))
        if results and any(id(each) in self.sights for each in tensors_in((args, kwargs))):
            names = [each.name for each in func._schema.arguments]
            defaults = {each.name: each.default_value for each in func._schema.arguments if each.has_default_value()}
            call = Call(
                {**defaults, **dict(zip(names, args, strict=False)), **kwargs}, results, self.sights, self.windowed
            )
            found = rule_of(func)(call)
            sights = found if isinstance(found, list) else [found]
            for place, each in enumerate(results):
                own = sights[place] if place < len(sights) else _same(sights[0], results[0], each)
                self.note(each, own, func._schema.is_mutable)
        elif results and func._schema.is_mutable:
            self.note(results[0], {}, True)
        return result

    def note(self, tensor: Tensor, sight: Sight, is_written: bool = False) -> None:
        """Note what a tensor sees; if it was written, other tensors that share its memory may have changed."""
        before = self.sights.get(id(tensor), {})
        self._held[id(tensor)] = tensor
        sharing = self._sharing.setdefault(storage_of(tensor), [])
        sharing.append(tensor)
        self.sights[id(tensor)] = sight
        if is_written and sight != before:
            for other in sharing:
                own = self.sights[id(other)]
                if other is not tensor and own != sight:
                    self.sights[id(other)] = _blurred(own, sight)


def _same(sight: Sight, tensor: Tensor, other: Tensor) -> Sight:
    return sight if tensor.shape == other.shape else opaque([sight])


def _blurred(one: Sight, other: Sight) -> Sight:
    """Return what a tensor sees that another was written to, in part."""
    both = opaque([one, other])
    return {axis: each if one.get(axis) == other.get(axis) else both[axis] for axis, each in both.items()}


class _Run:
    """Runs a program, and notes what each operation's first result sees."""

    def __init__(self, graph: ModelGraph, program: Program) -> None:
        self.eyes = _Eyes()
        self._graph = graph
        self._program = program
        self._weights = Weights(graph)
        self._values: list[Any] = []
        self._seen: dict[str, tuple[Sight, tuple[int, ...]]] = {}
        self._applied: dict[tuple[int, int], Tensor] = {}
        self._modules: dict[str, nn.Module] = {}
        self._sizes: dict[str, tuple[int, ...]] = {}

    def step(self, place: int) -> None:
        """Run one operation."""
        name, operation = self._program.names[place], self._program.operations[place]
        value = self._value(place, operation)
        self._values.append(value)
        first = next(tensors_in(value), None)
        if first is not None:
            self._seen[name] = self.eyes.sights.get(id(first), {}), tuple(first.shape)

    def _value(self, place: int, operation: Operation) -> Any:
        target = self._graph.data(self._program.names[place])["target"]
        if operation.op == "placeholder":
            return self._input(target, operation)
        if operation.op == "get_attr":
            return self._weights.attribute(target, operation.value)
        if operation.op == "skip":
            return None
        given = [self._values[each] for each in self._program.reads[place]]
        if operation.op == "output":
            return fill(operation.args, given)[0]
        if operation.op == "take":
            return self._applied.pop((operation.call, operation.kwargs))
        try:
            inside = self._program.inside.get(self._program.names[place])
            value = self._called(target, operation, given) if inside is None else _inner(inside, operation, given)
            if fits(value, operation.value):
                return value
        except Exception:  # torch's kernels raise many types
            pass
        return self._recorded(operation, given)

    def _input(self, name: str, operation: Operation) -> Any:
        if operation.value is UNKNOWN:
            return UNKNOWN
        tensor = materialize(operation.value)
        self._sizes[name] = tuple(tensor.shape)
        spans = {Axis(name, dim): Span(((0, 0),), 1, size) for dim, size in enumerate(tensor.shape) if size > 1}
        self.eyes.note(tensor, {axis: Along(axis.dim, span) for axis, span in spans.items()})
        return tensor

    def _called(self, path: str, operation: Operation, given: list[Any]) -> Any:
        if operation.op == "opaque" or any(each is UNKNOWN for each in given):
            return UNKNOWN
        args, kwargs = fill(operation.args, given), operation.kwargs
        if operation.op == "apply":
            tensors = list(tensors_in(operation.target.apply(*args)))
            self._applied.update({(operation.call, place): tensor for place, tensor in enumerate(tensors)})
            return self._applied.pop((operation.call, operation.kwargs))
        args, kwargs = on_meta(operation.target, args, fill(kwargs, given))
        function = operation.target
        if isinstance(function, str):
            function = method(function)
        elif isinstance(function, nn.Module):
            if path not in self._modules:
                self._modules[path] = self._weights.module(function, path)
            function = self._modules[path]
        return function(*args, **kwargs)

    def _recorded(self, operation: Operation, given: list[Any]) -> Any:
        """Return new tensors with the recorded specs; what they see is unknown."""
        if operation.value is UNKNOWN or has_unknown(operation.value):
            return UNKNOWN
        view = view_of(operation, given) if any(operation.aliases) else None
        sight = opaque([self.eyes.sights.get(id(each), {}) for each in tensors_in(given)])
        value = map_structure(_made, operation.value) if view is None else view
        for each in tensors_in(value):
            self.eyes.note(each, sight)
        return value

    def record(self) -> ReceptiveFields:
        """Return what was noted, for the dimensions along which windows slide."""
        dims: dict[str, list[int]] = {}
        for name, dim in sorted(self.eyes.windowed, key=lambda axis: axis.dim):
            dims.setdefault(name, []).append(dim)
        dims = {name: dims[name] for name in self._sizes if name in dims}
        fields = {key: dict(self._fields(sight, shape, dims)) for key, (sight, shape) in self._seen.items()}
        fields = {key: seen for key, seen in fields.items() if seen}
        last: dict[str, str] = {}
        for key in self._program.names:
            for call in self._graph.data(key)["module_stack"] if key in self._seen else ():
                last[call.path] = key
        output = next(key for key, data in self._graph.nodes(data=True) if data["op"] == "output")
        head: Seen = fields.pop(output, {})
        sizes = {name: tuple([self._sizes[name][dim] for dim in found]) for name, found in dims.items()}
        return ReceptiveFields(fields, head, sizes, last)

    def _fields(
        self, sight: Sight, shape: tuple[int, ...], dims: Mapping[str, list[int]]
    ) -> Iterator[tuple[str, ReceptiveField | None]]:
        for name, slides in dims.items():
            axes = [Axis(name, dim) for dim in slides]
            found = [sight[axis] for axis in axes if axis in sight]
            known = [each for each in found if each is not None]
            if len(known) == len(axes):
                yield name, _field(known, shape)
            elif found:
                yield name, None


def _field(found: list[Along], shape: tuple[int, ...]) -> ReceptiveField:
    counts = [1 if each.dim is None else shape[each.dim] for each in found]
    return ReceptiveField(
        size=tuple([each.span.size(count) for each, count in zip(found, counts, strict=True)]),
        stride=tuple([each.span.stride for each in found]),
        start=tuple([each.span.at(0)[0] for each in found]),
        of=tuple([each.span.of for each in found]),
    )


def _inner(inside: Inside, operation: Operation, given: list[Any]) -> Any:
    """Run the ATen calls of a leaf module of an exported program."""
    values = list(fill(operation.args, given))
    for target, args, kwargs in inside.calls:
        values.append(target(*fill(args, values), **fill(kwargs, values)))
    results = tuple([values[place] for place in inside.results])
    return results[0] if len(results) == 1 else results


def _made(value: Any) -> Any:
    return materialize(value) if type(value) is TensorSpec else value
