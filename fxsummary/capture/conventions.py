"""Candidate inputs for a model of which none are given.

Names of arguments tell what is wanted (`fxsummary.capture.arguments`), settings tell the sizes
(`fxsummary.capture.sizes`), and the first operation that reads an argument tells what neither does. Where several
shapes are possible, candidates come in the order of how far they are from the first guess.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from fxsummary.capture.arguments import ALWAYS, Convention, convention_for
from fxsummary.capture.inputs import Inputs, forward_signature, model_device
from fxsummary.capture.needs import Need, dtype_for, first_layer, first_needs
from fxsummary.capture.sizes import WORDS, Settings, Size, Sizes, words_of
from fxsummary.capture.symbolic import Trace
from fxsummary.capture.twins import spec_of
from fxsummary.spec import TensorSpec

MAX_GUESSES = 60
"""Guesses to make with the same parts of the input."""

OTHER_PARTS = 2
"""How much farther a guess is if it passes other parts of the input than the first."""

BEFORE_DUMMIES = 6
"""Guesses to make before what the model itself offers, which is made to run and tells little of its use."""


def candidates(model: nn.Module, partial: Trace | None = None) -> Iterator[Inputs]:
    """Inputs to try, the likeliest first.

    Args:
        partial: the trace of forward without inputs, as far as it got.
    """
    guesses = _guesses(model, partial)
    seen = set()
    for inputs in itertools.chain(itertools.islice(guesses, BEFORE_DUMMIES), _dummy_inputs(model), guesses):
        key = repr(inputs)
        if key not in seen:
            seen.add(key)
            yield inputs


def added(model: nn.Module, inputs: Inputs, name: str) -> Inputs | None:
    """The same inputs with one more argument of forward; None if its name tells nothing."""
    convention = convention_for(name)
    if convention is None:
        return None
    ids = inputs.arguments.get("input_ids")
    choices = {"text": ids.shape[-1:]} if isinstance(ids, TensorSpec) else {}
    settings = Settings(model)
    argument = _Argument(name, convention, required=True)
    one = _Maker(model, settings).inputs([argument], [*convention.shapes[:1], ""][:1], Sizes(settings, choices))
    if one is None:
        return None
    return replace(inputs, arguments={**inputs.arguments, **one.arguments}, values={**inputs.values, **one.values})


def _dummy_inputs(model: nn.Module) -> Iterator[Inputs]:
    """The model's own ``dummy_inputs``, as far as forward takes them."""
    try:
        given = dict(getattr(model, "dummy_inputs", None) or {})
    except Exception:  # a property of the user's class
        return
    taken = forward_signature(model).parameters
    tensors = {name: value for name, value in given.items() if name in taken and isinstance(value, torch.Tensor)}
    if tensors:
        device = model_device(model)
        specs = {name: spec_of(value, device) for name, value in tensors.items()}
        yield Inputs(specs, inferred=True, values=tensors)


def _guesses(model: nn.Module, partial: Trace | None) -> Iterator[Inputs]:
    """Guesses from names, settings and first readers, all parts of the input first."""
    settings = Settings(model)
    arguments = _arguments(model, settings, partial)
    maker = _Maker(model, settings)
    guesses = [
        (cost + OTHER_PARTS * index, index, count, inputs)
        for index, parts in enumerate(_part_sets(arguments))
        for count, (cost, inputs) in enumerate(itertools.islice(maker.guesses(_chosen(arguments, parts)), MAX_GUESSES))
    ]
    for _, _, _, inputs in sorted(guesses, key=lambda guess: guess[:3]):
        yield inputs


@dataclass(frozen=True)
class _Argument:
    """An argument to pass, and what for; one without a default is required."""

    name: str
    convention: Convention
    required: bool


def _arguments(model: nn.Module, settings: Settings, partial: Trace | None) -> list[_Argument]:
    """Those that forward requires, and those that are passed by convention."""
    needs = first_needs(model, partial) if partial is not None else {}
    found = []
    parameters = forward_signature(model).parameters

    def is_there(name: str) -> bool:
        return name in parameters or any(settings.all((name,)))

    for parameter in parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        required = parameter.default is parameter.empty
        convention = convention_for(parameter.name)
        if convention is not None:
            convention = convention.given(is_there)
        if required:
            convention = _with_need(convention, needs.get(parameter.name), model, Sizes(settings))
        if convention is not None and (required or convention.when == ALWAYS or any(map(is_there, convention.when))):
            found.append(_Argument(parameter.name, convention, required))
    return found


def _with_need(convention: Convention | None, need: Need | None, model: nn.Module, sizes: Sizes) -> Convention:
    """The convention, with the shapes first that the first reader takes."""
    if convention is None:
        need = need or first_layer(model)
        convention = Convention()
    if need is None:
        return convention
    if need.kind == "ids":
        return replace(convention, kind="int", shapes=convention.shapes or _OWN_SHAPES["ids"])
    size = str(need.size)
    shapes = [_with_channels(shape, size) if _suits(shape, need, sizes) else shape for shape in convention.shapes]
    shapes.sort(key=lambda shape: not _suits(shape, need, sizes))
    own = [shape.replace("size", size) for shape in _OWN_SHAPES[need.kind + str(need.dims or "")]]
    return replace(convention, shapes=tuple(dict.fromkeys([*shapes, *own])))


_OWN_SHAPES = {
    "ids": ("1 text", "text"),
    "sequence": ("1 16 size", "16 1 size", "1 size"),
    "features": ("1 size", "1 16 size", "1 16 16 size"),
    "image1": ("1 size length",),
    "image2": ("1 size image",),
    "image3": ("1 size volume",),
}
"""Shapes by what the first reader needs, where a name does not tell."""


def _suits(shape: str, need: Need, sizes: Sizes) -> bool:
    words = shape.strip("[]").split()
    if need.kind == "image":
        return sum(WORDS[word].dims if word in WORDS else 1 for word in words) == need.dims + 2
    try:
        return sizes[words[-1]][-1] == need.size
    except KeyError:
        return False


def _with_channels(shape: str, size: str) -> str:
    return " ".join(size if word in ("channels", "latents", "audio_channels") else word for word in shape.split())


_PARTS = ("text", "decoder", "image", "audio", "latent", "video")
"""Parts of an input, those first that are passed where not all can be."""


def _part_sets(arguments: Sequence[_Argument]) -> list[frozenset[str]]:
    """Which parts of the input to pass: all but the video of a model that takes images, then fewer."""
    wanted = {argument.convention.part for argument in arguments}
    needed = {argument.convention.part for argument in arguments if argument.required}
    parts = [part for part in _PARTS if part in wanted]
    counts = range(len(parts), 0, -1)
    sets = [needed.union(chosen) for count in counts for chosen in itertools.combinations(parts, count)]
    sets.sort(key=lambda chosen: {"image", "video"} <= chosen)
    return list(dict.fromkeys(map(frozenset, sets))) or [frozenset()]


def _chosen(arguments: Sequence[_Argument], parts: frozenset[str]) -> list[_Argument]:
    return [each for each in arguments if each.required or not each.convention.part or each.convention.part in parts]


class _Maker:
    """Makes inputs for a model."""

    def __init__(self, model: nn.Module, settings: Settings) -> None:
        self._settings = settings
        self._device = model_device(model)
        self._dtypes = {"float": dtype_for(None, model), "int": "int64", "bool": "bool"}

    def guesses(self, arguments: Sequence[_Argument]) -> Iterator[tuple[int, Inputs]]:
        """All combinations of their shapes and of the sizes in them, with their distance from the first."""
        shapes = [argument.convention.shapes or ("",) for argument in arguments]
        words = sorted({word for options in shapes for shape in options for word in words_of(shape)})
        sizes = [WORDS[word].sizes(self._settings) for word in words]
        for cost, places in _nearest_first([max(len(options), 1) for options in (*sizes, *shapes)]):
            chosen = [options[place] for options, place in zip(shapes, places[len(words) :], strict=True)]
            used = {word for shape in chosen for word in words_of(shape)}
            at = dict(zip(words, places, strict=False))
            if all(word in used for word, place in at.items() if place):
                choices = {word: each[at[word]] for word, each in zip(words, sizes, strict=True) if each}
                inputs = self.inputs(arguments, chosen, Sizes(self._settings, choices))
                if inputs is not None:
                    yield cost, inputs

    def inputs(self, arguments: Sequence[_Argument], shapes: Sequence[str], sizes: Sizes) -> Inputs | None:
        """These arguments in these shapes; None if a size is not known."""
        made: dict[str, Any] = {}
        for argument, shape in zip(arguments, shapes, strict=True):
            try:
                made[argument.name] = self._value(argument.convention, shape, sizes)
            except KeyError:  # no setting tells a size
                if argument.required:
                    return None
        values = {name: value for name, value in made.items() if isinstance(value, torch.Tensor)}
        specs = {name: spec_of(value, self._device) for name, value in values.items()}
        return Inputs({**made, **specs}, inferred=True, values=values) if made else None

    def _value(self, convention: Convention, shape: str, sizes: Sizes) -> Any:
        if convention.values is not None:
            return convention.values(sizes)
        spec = self._spec(sizes.shape(shape.strip("[]")), self._dtypes[convention.kind])
        return [spec] if shape.startswith("[") else spec

    def _spec(self, shape: Size, dtype: str) -> TensorSpec:
        return spec_of(torch.empty(shape, dtype=getattr(torch, dtype), device="meta"), self._device)


def _nearest_first(lengths: Sequence[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """All places in lists of these lengths, with the sum of the places, the smallest first.

    >>> [places for _, places in _nearest_first([2, 2])]
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    start = (0,) * len(lengths)
    heap, seen = [(0, start)], {start}
    while heap:
        cost, places = heapq.heappop(heap)
        yield cost, places
        for i, length in enumerate(lengths):
            following = (*places[:i], places[i] + 1, *places[i + 1 :])
            if following[i] < length and following not in seen:
                seen.add(following)
                heapq.heappush(heap, (cost + 1, following))
