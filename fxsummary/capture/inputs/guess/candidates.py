"""Candidate inputs for a model of which none are given.

Names of arguments tell what is wanted (`argument_names`), settings tell the sizes (`sizes`), and the first operation
that reads an argument tells what neither does. Where several shapes are possible, candidates come in the order of how
far they are from the first guess.
"""

from __future__ import annotations

import heapq
import inspect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from fxsummary.capture.inputs.example import Inputs, bind, forward_signature, model_device
from fxsummary.capture.inputs.guess.argument_names import ALWAYS, Convention, by_annotation, convention_for
from fxsummary.capture.inputs.guess.requirements import Need, dtype_for, field_needs, first_layer, first_needs
from fxsummary.capture.inputs.guess.sizes import WORDS, Settings, Size, Sizes, dimension, words_of
from fxsummary.capture.module_index import modules_of
from fxsummary.capture.operations.twins import spec_of
from fxsummary.capture.symbolic.trace import Trace
from fxsummary.errors import InputError
from fxsummary.graph.spec import TensorSpec

MAX_GUESSES = 60
"""Guesses to make with the same parts of the input."""

OTHER_PARTS = 3
"""How much farther a guess is if it passes other parts of the input than the first."""

OTHER_SIZE = 3
"""How much farther it is if it has another size, where another shape is one step."""


def candidates(model: nn.Module, partial: Trace | None = None) -> Iterator[Inputs]:
    """Inputs to try, the likeliest first.

    Args:
        partial: the trace of forward without inputs, as far as it got.
    """
    guesses = Guesses(model, partial)
    return itertools.chain(guesses.candidates(), guesses.dummies())


class Guesses:
    """What the inputs of a model may be, from names, settings and first readers.

    Attributes:
        settings: what the model and its config name.
        parameters: names of what forward takes.
        keywords: name of the parameter that takes any keyword, or "".
        main: the argument that the model itself names as its main one, or "".

    Args:
        partial: the trace of forward without inputs, as far as it got.
    """

    def __init__(self, model: nn.Module, partial: Trace | None = None) -> None:
        self._model = model
        self.settings = Settings(model)
        self.parameters = tuple(forward_signature(model).parameters)
        kinds = {each.kind: name for name, each in forward_signature(model).parameters.items()}
        self.keywords = kinds.get(inspect.Parameter.VAR_KEYWORD, "")
        main = getattr(model, "main_input_name", "")
        self.main = main if isinstance(main, str) else ""
        self._maker = _Maker(model, self.settings)
        self._needs = first_needs(model, partial) if partial is not None else {}
        self._fields = field_needs(model, partial) if partial is not None else {}

    def candidates(self) -> Iterator[Inputs]:
        """Inputs to try, the likeliest first."""
        seen = set()
        for inputs in itertools.chain(_example_inputs(self._model), self._in_order()):
            key = repr(inputs)
            if key not in seen:
                seen.add(key)
                yield inputs

    def dummies(self) -> Iterator[Inputs]:
        """What the model itself offers: it is made to run, and tells little of how the model is used."""
        return _dummy_inputs(self._model)

    def alternatives(self, inputs: Inputs, name: str) -> Iterator[Inputs]:
        """The same inputs with another value, or one at all, for an argument of forward."""
        convention = self._convention(name, required=True)
        if convention is None:
            return
        argument = _Argument(name, convention, required=True)
        sizes = Sizes(self.settings, _sizes_in(inputs))
        for shape in convention.shapes or ("",):
            one = self._maker.inputs([argument], [shape], sizes)
            if one is not None:
                values = {key: value for key, value in inputs.values.items() if key != name}
                arguments = {**inputs.arguments, **one.arguments}
                yield replace(inputs, arguments=arguments, values={**values, **one.values})

    @property
    def float_dtype(self) -> str:
        """The dtype of the model's floating-point tensors."""
        return self._maker.float_dtype

    @property
    def lengths_of_lists(self) -> list[int]:
        """How many modules the model's lists have, the longest first."""
        lists = [module for module in modules_of(self._model) if isinstance(module, nn.ModuleList)]
        return sorted({len(each) for each in lists}, reverse=True)

    def shape_of_words(self, inputs: Inputs, name: str, words: Sequence[str]) -> Size | None:
        """A shape for an argument by the names that forward's code gives to its dimensions."""
        convention = self._convention(name, required=True)
        if convention is None:
            return None
        likely = {word for shape in convention.shapes for word in shape.strip("[]").split()}
        sizes = Sizes(self.settings, _sizes_in(inputs))
        return tuple([dimension(word, likely, sizes) for word in words])

    def _in_order(self) -> Iterator[Inputs]:
        """All guesses, the nearest to the first of them first."""
        arguments = self._arguments()
        streams = [
            self._with_parts(arguments, parts, index)
            for index, parts in enumerate(_part_sets(arguments, self._main_part()))
        ]
        for _, _, inputs in heapq.merge(*streams, key=lambda guess: guess[:2]):
            yield inputs

    def _with_parts(
        self, arguments: Sequence[_Argument], parts: frozenset[str], index: int
    ) -> Iterator[tuple[int, int, Inputs]]:
        for cost, inputs in itertools.islice(self._maker.guesses(_chosen(arguments, parts)), MAX_GUESSES):
            yield cost + OTHER_PARTS * index, index, inputs

    def _arguments(self) -> list[_Argument]:
        """Those that forward requires, and those that are passed by convention."""
        found = []
        for parameter in forward_signature(self._model).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            required = parameter.default is parameter.empty
            convention = self._convention(parameter.name, required)
            if convention is not None and (required or self._is_passed(convention)):
                found.append(_Argument(parameter.name, convention, required))
        return found

    def _convention(self, name: str, required: bool) -> Convention | None:
        sizes, convention = Sizes(self.settings), convention_for(name)
        if convention is not None:
            convention = _with_known_sizes(convention.given(self._is_there), sizes, ANY_SIZE if required else "")
        if not required:
            return convention
        if name in self._fields:
            return self._of_fields(self._fields[name])
        need = self._needs.get(name)
        annotation = forward_signature(self._model).parameters[name].annotation
        is_open = need is None and name != next(iter(self.parameters))
        if convention is None and (is_open or "list[" in str(annotation)):
            return by_annotation(annotation)
        return _with_need(convention, need, self._model, sizes)

    def _of_fields(self, needs: Mapping[str, Need]) -> Convention:
        """For a dict: each key by its own name and first reader."""
        sizes = Sizes(self.settings)
        return Convention(
            fields=tuple(
                [(key, _with_need(convention_for(key), need, self._model, sizes)) for key, need in needs.items()]
            )
        )

    def _main_part(self) -> str:
        convention = convention_for(self.main)
        return convention.part if convention is not None else ""

    def _is_passed(self, convention: Convention) -> bool:
        return convention.when == ALWAYS or any(map(self._is_there, convention.when))

    def _is_there(self, name: str) -> bool:
        return name in self.parameters or any(self.settings.all((name,)))


def _sizes_in(inputs: Inputs) -> dict[str, Size]:
    """The sizes that some words stand for in these inputs."""
    found: dict[str, Size] = {}
    for name, value in inputs.arguments.items():
        if isinstance(value, TensorSpec) and name.endswith("input_ids"):
            found.setdefault("text", value.shape[-1:])
        elif isinstance(value, TensorSpec) and name.startswith("pixel_values") and len(value.shape) > 3:
            found.setdefault("image", value.shape[-2:])
    return found


def _example_inputs(model: nn.Module) -> Iterator[Inputs]:
    """What the model's author set as an example, by the convention of Lightning."""
    example = vars(model).get("example_input_array")
    with suppress(InputError):
        if isinstance(example, Mapping):
            yield replace(bind(model, (), example), inferred=True)
        elif isinstance(example, (torch.Tensor, tuple, list)):
            yield replace(bind(model, example if isinstance(example, (tuple, list)) else (example,), {}), inferred=True)


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


@dataclass(frozen=True)
class _Argument:
    """An argument to pass, and what for; one without a default is required."""

    name: str
    convention: Convention
    required: bool


ANY_SIZE = "64"
"""What is passed where nothing tells a size; the refusal may tell it."""


def _with_known_sizes(convention: Convention, sizes: Sizes, other: str = "") -> Convention | None:
    """The convention with those of its shapes whose sizes are known, or with another size; None if it has none."""
    if not convention.shapes:
        return convention
    known = tuple([shape for shape in convention.shapes if sizes.is_known(shape)])
    if not known and other:
        words = [[word if sizes.is_known(word) else other for word in shape.split()] for shape in convention.shapes]
        known = tuple([" ".join(each) for each in words])
    return replace(convention, shapes=known) if known else None


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
    if need.kind == "image":
        shapes = [_with_channels(shape, size) if _suits(shape, need, sizes) else shape for shape in convention.shapes]
    else:
        fitting = [_with_features(shape, size) for shape in convention.shapes]
        shapes = [*filter(None, fitting), *convention.shapes]
    shapes.sort(key=lambda shape: not _suits(shape, need, sizes))
    own = [shape.replace("size", size) for shape in _OWN_SHAPES[need.kind + str(need.dims or "")]]
    return replace(convention, shapes=tuple(dict.fromkeys([*shapes, *own])))


_OWN_SHAPES = {
    "ids": ("1 text", "text"),
    "sequence": ("1 16 size", "16 1 size", "1 size"),
    "features": ("1 pictured", "1 size", "1 16 size", "1 16 16 size"),
    "image1": ("1 size length",),
    "image2": ("1 pictured", "1 size image"),
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


def _with_features(shape: str, size: str) -> str:
    """The shape with its last dimension of this size; "" if that is one of space."""
    *words, last = shape.split()
    is_space = last in WORDS and WORDS[last].dims > 1
    return "" if is_space or not words else " ".join([*words, size])


def _with_channels(shape: str, size: str) -> str:
    return " ".join(size if word in _CHANNELS else word for word in shape.split())


_CHANNELS = ("channels", "latents", "audio_channels", "conditions")
"""Words that stand for channels."""


_PARTS = ("text", "decoder", "image", "audio", "latent", "series", "video")
"""Parts of an input, those first that are passed where not all can be."""


def _part_sets(arguments: Sequence[_Argument], main: str) -> list[frozenset[str]]:
    """Which parts of the input to pass, all first; a model that takes images gets video only if nothing else fits."""
    wanted = {argument.convention.part for argument in arguments}
    needed = {argument.convention.part for argument in arguments if argument.required}
    parts = [part for part in _PARTS if part in wanted]
    counts = range(len(parts), 0, -1)
    sets = [needed.union(chosen) for count in counts for chosen in itertools.combinations(parts, count)]
    has_image = "image" in parts
    sets.sort(key=lambda chosen: (has_image and "video" in chosen, -len(chosen), main not in chosen))
    return list(dict.fromkeys(map(frozenset, sets))) or [frozenset()]


def _chosen(arguments: Sequence[_Argument], parts: frozenset[str]) -> list[_Argument]:
    return [each for each in arguments if each.required or not each.convention.part or each.convention.part in parts]


class _Maker:
    """Makes inputs for a model."""

    def __init__(self, model: nn.Module, settings: Settings) -> None:
        self._settings = settings
        self._device = model_device(model)
        self.float_dtype = dtype_for(None, model)
        self._dtypes = {"float": self.float_dtype, "int": "int64", "bool": "bool"}

    def guesses(self, arguments: Sequence[_Argument]) -> Iterator[tuple[int, Inputs]]:
        """All combinations of their shapes and of the sizes in them, with their distance from the first."""
        shapes = [argument.convention.shapes or ("",) for argument in arguments]
        words = sorted({word for options in shapes for shape in options for word in words_of(shape)})
        sizes = [WORDS[word].sizes(self._settings) for word in words]
        steps = [OTHER_SIZE] * len(sizes) + [1] * len(shapes)
        for cost, places in _nearest_first([max(len(options), 1) for options in (*sizes, *shapes)], steps):
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
        if convention.fields:
            made = {key: self._value(each, next(iter(each.shapes), ""), sizes) for key, each in convention.fields}
            return tuple(made.values()) if 0 in made else made
        spec = self._spec(sizes.shape(shape.strip("[]")), self._dtypes[convention.kind])
        return [spec] if shape.startswith("[") else spec

    def _spec(self, shape: Size, dtype: str) -> TensorSpec:
        return spec_of(torch.empty(shape, dtype=getattr(torch, dtype), device="meta"), self._device)


def _nearest_first(lengths: Sequence[int], steps: Sequence[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """All places in lists of these lengths, with their distance from the start, the nearest first.

    >>> list(_nearest_first([2, 2], [3, 1]))
    [(0, (0, 0)), (1, (0, 1)), (3, (1, 0)), (4, (1, 1))]
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
                heapq.heappush(heap, (cost + steps[i], following))
