"""Candidates for the inputs of a model.

Argument names suggest shapes, settings give the sizes, and the first operation that reads an argument fills the gaps.
Candidates are ordered by their distance from the first guess.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import nn

from fxsummary.capture.inputs.example import Inputs, bind, forward_signature, map_named, model_device, placeholder_names
from fxsummary.capture.inputs.guess.argument_rows import ArgumentRows, row_for
from fxsummary.capture.inputs.guess.guesses import PARTS, SIZES
from fxsummary.capture.inputs.guess.requirements import dtype_for
from fxsummary.capture.inputs.guess.rows import Argument, Size
from fxsummary.capture.inputs.guess.sizes import Settings, Shape, Sizes, found_sizes, words_of
from fxsummary.capture.results import Trace
from fxsummary.errors import InputError
from fxsummary.graph.spec import TensorSpec, contiguous

MAX_GUESSES = 60
"""Maximum number of guesses with the same parts of the input."""

OTHER_PARTS = 3
"""Distance of a guess that passes different parts of the input."""

OTHER_SIZE = 3
"""Distance of a guess with a different size; a different shape has distance 1."""


class Guesses:
    """Guesses the inputs of a model from argument names, settings and first readers.

    Attributes:
        model: the model.
        settings: settings of the model and its config.
        parameters: names of forward's parameters.
        keywords: name of the ``**kwargs`` parameter, or "".
        main: the main argument according to the model, or "".
        float_dtype: dtype of the model's floating-point tensors.
        spatial_dims: number of spatial dimensions, by argument name, if an image layer reads the argument first.

    Args:
        partial: the trace of forward without inputs, as far as it got.
        by_name: whether to use argument names; if not, only arguments without a default are passed.
    """

    def __init__(self, model: nn.Module, partial: Trace | None = None, by_name: bool = True) -> None:
        self.model = model
        self._device = model_device(model)
        self.settings = Settings(model)
        signature = forward_signature(model).parameters
        self.parameters = tuple(signature)
        self.keywords = next((name for name, each in signature.items() if each.kind is each.VAR_KEYWORD), "")
        main = getattr(model, "main_input_name", "")
        self.main = main if isinstance(main, str) else ""
        self.float_dtype = dtype_for(None, model)
        self._rows = ArgumentRows(model, self.settings, partial, by_name)
        self.spatial_dims = {name: need.dims for name, need in self._rows.needs.items() if need and need.dims}

    # --- candidates ----------------------------------------------------------------------------

    def stages(self) -> Iterator[Iterator[Inputs]]:
        """Yield candidates, the likeliest first; then the model's own ``dummy_inputs``, which are rarely typical."""
        yield self.candidates()
        yield self._dummies()

    def candidates(self) -> Iterator[Inputs]:
        """Yield inputs to try, the likeliest first."""
        rows = self._rows.passed()
        sets = self._part_sets(rows, (row_for(self.main) or Argument()).part)
        streams = [self._with_parts(rows, parts, index) for index, parts in enumerate(sets)]
        guessed = (inputs for _, _, inputs in heapq.merge(*streams, key=lambda guess: guess[:2]))
        seen = set()
        for inputs in itertools.chain(self._examples(), guessed):
            key = repr(inputs)
            if key not in seen:
                seen.add(key)
                yield inputs

    def alternatives(self, inputs: Inputs, name: str) -> Iterator[Inputs]:
        """Yield the same inputs with each possible value of one argument, whether it is passed now or not."""
        row = self._rows.row(name, required=True)
        for shape in row.options or ("",) if row is not None else ():
            made = self._made({name: row or Argument()}, [shape], self._sizes_in(inputs))
            if made:
                yield inputs.passing(made, self._device)

    def resized(self, inputs: Inputs, *sizes: int) -> Inputs | None:
        """Return the inputs with images of another size; None if there are no images."""
        images = [name for name, spec in placeholder_names(inputs) if is_image(spec) or name in self.spatial_dims]

        def change(name: str, value: Any) -> object:
            dims = self.spatial_dims.get(name, 2)
            space = sizes if len(sizes) == dims else sizes[-1:] * dims
            return shaped(value, *value.shape[:-dims], *space) if name in images else value

        resized = {name: map_named(change, name, value) for name, value in inputs.arguments.items()}
        return inputs.passing({name: v for name, v in resized.items() if name not in inputs.values}) if images else None

    def shape_of_words(self, inputs: Inputs, name: str, words: Sequence[str]) -> Shape | None:
        """Return a shape for an argument from the variable names that forward uses for its dimensions."""
        row = self._rows.row(name, required=True)
        if row is None:
            return None
        likely = {word for shape in row.options for word in shape.strip("[]").split()}
        sizes = self._sizes_in(inputs)
        return tuple([sizes.dimension(word, likely) for word in words])

    def _sizes_in(self, inputs: Inputs) -> Sizes:
        """Return sizes that agree with the text length and image size of these inputs."""
        found: dict[str, Shape] = {}
        for name, value in inputs.arguments.items():
            if isinstance(value, TensorSpec) and name.endswith("input_ids"):
                found.setdefault("text", value.shape[-1:])
            elif isinstance(value, TensorSpec) and name.startswith("pixel_values") and len(value.shape) > 3:
                found.setdefault("image", value.shape[-2:])
        return Sizes(self.settings, found)

    def _examples(self) -> Iterator[Inputs]:
        """Yield the model's ``example_input_array``, a convention of Lightning."""
        example = vars(self.model).get("example_input_array")
        args = (example,) if isinstance(example, torch.Tensor) else example
        with suppress(InputError):
            if isinstance(args, Mapping):
                yield bind(self.model, (), args)
            elif isinstance(args, (tuple, list)):
                yield bind(self.model, args, {})

    def _dummies(self) -> Iterator[Inputs]:
        try:
            given = dict(getattr(self.model, "dummy_inputs", None) or {})
        except Exception:  # raised by a property of the user's class
            return
        tensors = {n: value for n, value in given.items() if n in self.parameters and isinstance(value, torch.Tensor)}
        if tensors:
            yield Inputs().passing(tensors, self._device)

    # --- inputs --------------------------------------------------------------------------------

    def _part_sets(self, rows: Mapping[str, Argument], main: str) -> list[frozenset[str]]:
        """List sets of input parts to pass, the full set first; an image model gets video only as a last resort."""
        wanted = {row.part for row in rows.values()}
        needed = {row.part for name, row in rows.items() if name in self._rows.required}
        parts = [part for part in PARTS if part in wanted]
        counts = range(len(parts), 0, -1)
        sets = [needed.union(chosen) for count in counts for chosen in itertools.combinations(parts, count)]
        has_image = "image" in parts
        sets.sort(key=lambda chosen: (has_image and "video" in chosen, -len(chosen), main not in chosen))
        return list(dict.fromkeys(map(frozenset, sets))) or [frozenset()]

    def _with_parts(
        self, rows: Mapping[str, Argument], parts: frozenset[str], index: int
    ) -> Iterator[tuple[int, int, Inputs]]:
        chosen = {
            name: row for name, row in rows.items() if name in self._rows.required or not row.part or row.part in parts
        }
        for cost, made in itertools.islice(self._combinations(chosen), MAX_GUESSES):
            yield cost + OTHER_PARTS * index, index, Inputs().passing(made, self._device)

    def _combinations(self, rows: Mapping[str, Argument]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield all combinations of shapes and sizes, with their distance from the first."""
        shapes = [row.options or ("",) for row in rows.values()]
        words = sorted({word for each in shapes for shape in each for word in words_of(shape)})
        sizes = [found_sizes(row, self.settings) for row in map(SIZES.get, words) if isinstance(row, Size)]
        steps = [OTHER_SIZE] * len(sizes) + [1] * len(shapes)
        for cost, places in _nearest_first([max(len(each), 1) for each in (*sizes, *shapes)], steps):
            chosen = [each[place] for each, place in zip(shapes, places[len(words) :], strict=True)]
            used = {word for shape in chosen for word in words_of(shape)}
            at = dict(zip(words, places, strict=False))
            if all(word in used for word, place in at.items() if place):
                choices = {word: each[at[word]] for word, each in zip(words, sizes, strict=True) if each}
                made = self._made(rows, chosen, Sizes(self.settings, choices))
                if made:
                    yield cost, made

    def _made(self, rows: Mapping[str, Argument], shapes: Sequence[str], sizes: Sizes) -> dict[str, Any]:
        """Make arguments with these shapes; none if a required size is unknown."""
        made: dict[str, Any] = {}
        for (name, row), shape in zip(rows.items(), shapes, strict=True):
            try:
                made[name] = self._value(row, shape, sizes)
            except KeyError:  # a size is unknown
                if name in self._rows.required:
                    return {}
        return made

    def _value(self, row: Argument, shape: str, sizes: Sizes) -> Any:
        dtype = {"float": self.float_dtype, "int": "int64"}.get(row.dtype, row.dtype)
        if row.value:
            value = sizes.value(row.value)
            return value if dtype == "plain" else torch.tensor(value, dtype=getattr(torch, dtype))
        if isinstance(row.fields, tuple) and row.fields:
            return tuple([self._value(each, each.shapes, sizes) for each in row.fields])
        if isinstance(row.fields, Mapping) and row.fields:
            return {key: self._value(each, (*each.options, "")[0], sizes) for key, each in row.fields.items()}
        spec = contiguous(sizes.shape(shape), dtype, self._device)
        return [spec] if shape.startswith("[") else spec


def _nearest_first(lengths: Sequence[int], steps: Sequence[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield all tuples of indices into lists of these lengths, with their distance from zero, the nearest first.

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


# --- specs -----------------------------------------------------------------------------------------


def shaped(spec: TensorSpec, *shape: int) -> TensorSpec:
    """Return the spec with another shape."""
    return contiguous(shape, spec.dtype, spec.device)


def with_dimension(spec: TensorSpec, place: int, size: int) -> TensorSpec:
    """Return the spec with another size of one dimension."""
    shape = [*spec.shape]
    shape[place] = size
    return shaped(spec, *shape)


def is_image(spec: TensorSpec) -> bool:
    """Whether a tensor may be a batch of images."""
    return len(spec.shape) > 3 and is_float(spec)


def is_float(spec: TensorSpec) -> bool:
    """Whether a tensor holds floating-point numbers."""
    return "float" in spec.dtype
