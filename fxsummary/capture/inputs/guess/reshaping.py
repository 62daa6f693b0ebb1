"""Other shapes for inputs that forward refused: another rank, size or dtype."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch

from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.inputs.guess.candidates import Guesses
from fxsummary.capture.inputs.guess.error_context import Refusal
from fxsummary.graph.spec import TensorSpec, map_structure

Match = re.Match[str]

MAX_BLAMED = 3
"""How many of the inputs that may be wrong to change in turn."""

NO_FEATURES = 2
"""Up to this many leading elements may be something other than features, such as coordinates."""

MAX_SIZE = 2**20
"""No dimension is made larger than this."""


# --- specs ---------------------------------------------------------------------------------------


def changed(inputs: Inputs, change: Callable[[TensorSpec], TensorSpec]) -> Inputs:
    """The same inputs with each spec changed."""
    arguments = map_structure(lambda v: change(v) if isinstance(v, TensorSpec) else v, dict(inputs.arguments))
    return replace(inputs, arguments=arguments, given=None)


def contiguous(spec: TensorSpec, shape: tuple[int, ...]) -> TensorSpec:
    """The spec with another shape."""
    return replace(spec, shape=shape, stride=tuple(torch.empty(shape, device="meta").stride()))


def resized(inputs: Inputs, size: tuple[int, int]) -> Inputs:
    """The same inputs with images of another size."""
    return changed(inputs, lambda spec: contiguous(spec, (*spec.shape[:-2], *size)) if is_image(spec) else spec)


def is_image(spec: TensorSpec) -> bool:
    """Whether a tensor may be an image or several."""
    return len(spec.shape) > 3 and is_float(spec)


def is_float(spec: TensorSpec) -> bool:
    """Whether a tensor holds floating-point numbers."""
    return "float" in spec.dtype


def _space(spec: TensorSpec) -> int:
    """How many of the last dimensions are space or time."""
    return 2 if is_image(spec) else int(is_float(spec) and spec.shape[-1:] > (4096,))


def _put(inputs: Inputs, name: str, change: Callable[[TensorSpec], TensorSpec | None]) -> Iterator[Inputs]:
    """The inputs with one argument changed; nothing if it cannot be."""
    value = inputs.arguments[name]
    is_list = isinstance(value, (list, tuple)) and len(value) == 1
    spec = value[0] if is_list else value
    new = change(spec) if isinstance(spec, TensorSpec) else None
    if new is not None and new != spec and all(size < MAX_SIZE for size in new.shape):
        values = {key: given for key, given in inputs.values.items() if key != name}
        yield replace(
            inputs, arguments={**inputs.arguments, name: [new] if is_list else new}, values=values, given=None
        )


def blamed(inputs: Inputs, refusal: Refusal) -> list[str]:
    """Arguments that were passed, the likeliest culprits first.

    First those that the refused tensors depend on, then those that the lines name, then all.
    """
    names = list(inputs.arguments)
    behind = [name for found in refusal.scene.inputs for name in _arguments_of(found, names)]
    named = [name for step in refusal.scene.steps for name in names if holds(step.text, name)]
    return list(dict.fromkeys([*behind, *named, *names]))


def _arguments_of(placeholder: str, names: list[str]) -> list[str]:
    """The argument that a placeholder is, or of whose items it is one."""
    return [placeholder] if placeholder in names else [name for name in names if placeholder.startswith(f"{name}_")]


def holds(text: str, name: str) -> bool:
    """Whether a text has a word."""
    return re.search(rf"\b{name}\b", text) is not None


# --- rank ----------------------------------------------------------------------------------------


def with_rank(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """Another shape with as many dimensions as the code wants, or with as many more as it misses."""
    groups = found.groupdict()
    numbers = [int(number) for number in found.groups() if number]
    wanted = int(groups.get("wanted") or max(numbers)) + ("too many indices" in found.group())
    more = wanted - int(groups["got"]) if groups.get("got") else 0
    for name in [name for name in blamed(inputs, refusal)[:MAX_BLAMED] if _rank(inputs, name) >= 0]:
        ranks = [wanted, _rank(inputs, name) + more]
        for rank in [rank for rank in dict.fromkeys(ranks) if rank not in (0, _rank(inputs, name))]:
            yield from _named_dimensions(guesses, inputs, refusal, name, rank)
            for other in guesses.alternatives(inputs, name):
                if _rank(other, name) == rank:
                    yield other
            yield from _put(inputs, name, lambda spec, rank=rank: contiguous(spec, _of_rank(spec.shape, rank)))  # type: ignore[misc]


def deeper(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """One or two dimensions more, where a shape has fewer than forward reads."""
    for more in (1, 2):
        for name in [name for name in blamed(inputs, refusal)[:MAX_BLAMED] if _rank(inputs, name) > 0]:
            yield from _put(inputs, name, partial(_deeper, more=more))


def shallower(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """One dimension less."""
    for name in blamed(inputs, refusal)[:MAX_BLAMED]:
        rank = _rank(inputs, name) - 1
        if rank > 0:
            yield from [other for other in guesses.alternatives(inputs, name) if _rank(other, name) == rank]
            yield from _put(inputs, name, lambda spec, rank=rank: contiguous(spec, _of_rank(spec.shape, rank)))  # type: ignore[misc]


def _deeper(spec: TensorSpec, more: int) -> TensorSpec:
    return contiguous(spec, _of_rank(spec.shape, len(spec.shape) + more))


def with_named_shape(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """The shape that the message spells out."""
    named = [name for name in inputs.arguments if f"`{name}`" in refusal.message]
    for name in [*named, *blamed(inputs, refusal)][:1]:
        yield from _named_dimensions(guesses, inputs, refusal, name)


def with_space(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """One channel in the space that the message names."""
    space = tuple(int(size) for size in re.findall(r"\d+", found["space"]))
    for name in blamed(inputs, refusal)[:MAX_BLAMED]:
        yield from _put(inputs, name, lambda spec: contiguous(spec, (1, 1, *space)))


def _rank(inputs: Inputs, name: str) -> int:
    value = inputs.arguments[name]
    spec = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
    return len(spec.shape) if isinstance(spec, TensorSpec) else -1


def _of_rank(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """With dimensions of 1 after the batch, or without those before the last."""
    if rank >= len(shape):
        return (*shape[:1], *[1] * (rank - len(shape)), *shape[1:])
    return (*shape[:1], *shape[len(shape) - rank + 1 :]) if rank > 1 else shape[-1:]


def _named_dimensions(
    guesses: Guesses, inputs: Inputs, refusal: Refusal, name: str, rank: int | None = None
) -> Iterator[Inputs]:
    """The shape in the words of the line that unpacks it, such as ``batch, channels, height, width = x.shape``."""
    for text in [step.text for step in refusal.scene.steps[:2]] + [refusal.message]:
        found = re.search(
            r"^\s*(\w[\w, ]*?),? *= *[\w.]+\.(?:shape|size\(\))|(?:shape|be a) `?[\[(]([A-Za-z_]\w*, [\w, ]+)[\])]",
            text,
        )
        names = re.split(r", *", found[1] or found[2]) if found is not None else []
        shape = guesses.shape_of_words(inputs, name, names) if names and rank in (None, len(names)) else None
        if shape is not None:
            yield from _put(inputs, name, lambda spec, shape=shape: contiguous(spec, shape))  # type: ignore[misc]
            return


# --- size ----------------------------------------------------------------------------------------


def with_size_of_image(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """Images of the size that the message names."""
    yield resized(inputs, (int(found["height"]), int(found["width"])))


def larger(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """Images or sound of twice the size."""
    yield changed(inputs, lambda spec: _scaled(spec, lambda size: 2 * size))


def rounded(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """Images or sound whose size is a multiple of what is wanted."""
    step = int(found["step"])
    yield changed(inputs, lambda spec: _scaled(spec, lambda size: -(-size // step) * step))


def _scaled(spec: TensorSpec, scale: Callable[[int], int]) -> TensorSpec:
    split = len(spec.shape) - _space(spec)
    return contiguous(spec, (*spec.shape[:split], *map(scale, spec.shape[split:])))


def with_size(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """Another size for the dimension that an operation refuses, or in proportion to it."""
    got, wanted = int(found["got"]), int(found["wanted"])
    yield from _with_sizes(guesses, inputs, refusal, got, wanted)


def with_either_size(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """The size of one of two tensors for the other."""
    got, wanted = int(found["got"]), int(found["wanted"])
    yield from _with_sizes(guesses, inputs, refusal, got, wanted, exact=True)
    yield from _with_sizes(guesses, inputs, refusal, wanted, got, exact=True)
    for a, b in ((wanted, got), (got, wanted)):  # a mask is as long as what it masks
        yield changed(inputs, partial(_with_all, got=a, wanted=b))


def _with_all(spec: TensorSpec, got: int, wanted: int) -> TensorSpec:
    return contiguous(spec, (*spec.shape[:1], *[wanted if size == got else size for size in spec.shape[1:]]))


def with_other_shape(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """The shape of one of two tensors for the other, but for the dimension in which they may differ."""
    place = int(found["free"])
    specs = [(name, inputs.arguments[name]) for name in blamed(inputs, refusal)[:MAX_BLAMED]]
    tensors = [(name, spec) for name, spec in specs if isinstance(spec, TensorSpec) and len(spec.shape) > place]
    for name, spec in tensors:
        for shape in [other.shape for _, other in tensors if other is not spec and len(other.shape) == len(spec.shape)]:
            new = (*shape[:place], spec.shape[place], *shape[place + 1 :])
            yield from _put(inputs, name, lambda spec, new=new: contiguous(spec, new))  # type: ignore[misc]


def with_same_shape(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """One of two shapes that cannot be broadcast for the other."""
    a, b = ([int(size) for size in re.findall(r"\d+", found[name])] for name in ("a", "b"))
    for x, y in zip(reversed(a), reversed(b), strict=False):
        if x != y and 1 not in (x, y):
            yield from _with_sizes(guesses, inputs, refusal, x, y, exact=True)
            yield from _with_sizes(guesses, inputs, refusal, y, x, exact=True)
            yield from _with_length(inputs, refusal, y - x)
            yield from _with_length(inputs, refusal, x - y)


def with_mask_shape(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """A mask as long as what it masks."""
    mask, masked = ([int(size) for size in found[name].split(",")] for name in ("a", "b"))
    for got, wanted in zip(mask, masked, strict=False):
        if got != wanted:
            yield from _with_sizes(guesses, inputs, refusal, got, wanted, exact=True)


def _with_length(inputs: Inputs, refusal: Refusal, more: int) -> Iterator[Inputs]:
    """Longer or shorter sequences: what does not fit may be several of them, one after the other."""

    def longer(spec: TensorSpec) -> TensorSpec | None:
        if len(spec.shape) != 3 or spec.shape[1] + more < 1:
            return None
        return contiguous(spec, (spec.shape[0], spec.shape[1] + more, spec.shape[2]))

    for name in blamed(inputs, refusal)[:MAX_BLAMED]:
        yield from _put(inputs, name, longer)


def with_index(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """A dimension in which the index lies that forward reads."""
    place, size = int(found["place"]), int(found["index"]) + 1
    for name in blamed(inputs, refusal)[:MAX_BLAMED]:
        if place and _rank(inputs, name) > place:
            yield from _put(
                inputs, name, lambda spec: contiguous(spec, (*spec.shape[:place], size, *spec.shape[place + 1 :]))
            )


def with_elements(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """Another shape whose elements fill the view that forward asks for."""
    wanted = math.prod(int(size) for size in re.findall(r"\d+", found["view"].replace("-1", "")))
    for name in blamed(inputs, refusal)[:MAX_BLAMED]:
        for other in guesses.alternatives(inputs, name):
            value = other.arguments[name]
            if (
                isinstance(value, TensorSpec)
                and wanted
                and value.numel % wanted == 0
                and value != inputs.arguments[name]
            ):
                yield other
        yield from _put(inputs, name, lambda spec: _with_more(spec, wanted))


def _with_more(spec: TensorSpec, wanted: int) -> TensorSpec | None:
    """The spec with so many elements, by more features or more rows of ids; None if it takes a fraction of them."""
    more, rest = divmod(wanted, spec.numel or 1)
    if more < 2 or rest or not spec.shape:
        return None
    if is_float(spec):
        return contiguous(spec, (*spec.shape[:-1], spec.shape[-1] * more))
    return contiguous(spec, (spec.shape[0] * more, *spec.shape[1:]))


def as_line(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """Images of one line of text, where height was left over in front of features."""
    groups = found.groupdict()
    if not groups or int(groups["rows"]) % int(groups["wanted"]) == 0:
        yield resized(inputs, LINE)


LINE = (48, 320)
"""Size of an image of one line of text."""


def with_channels(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """As many channels as the innermost convolution takes."""
    if refusal.scene.channels is not None:
        yield from _with_sizes(guesses, inputs, refusal, *refusal.scene.channels)


def _with_sizes(
    guesses: Guesses, inputs: Inputs, refusal: Refusal, got: int, wanted: int, exact: bool = False
) -> Iterator[Inputs]:
    for name in blamed(inputs, refusal)[:MAX_BLAMED]:
        for other in guesses.alternatives(inputs, name) if not exact else ():
            value = other.arguments[name]
            if isinstance(value, TensorSpec) and value.shape[-1:] == (wanted,) != (got,):
                yield other
        for place in range(-1, -_rank(inputs, name) - 1, -1):
            change = partial(_with_size, place=place, got=got, wanted=wanted, exact=exact)
            yield from _put(inputs, name, change)
    if not exact and len(blamed(inputs, refusal)) > 1:  # they may lie side by side
        change = partial(_with_size, place=-1, got=got, wanted=wanted, exact=False)
        yield changed(inputs, lambda spec: (spec.shape and change(spec)) or spec)


def _with_size(spec: TensorSpec, place: int, got: int, wanted: int, exact: bool) -> TensorSpec | None:
    """The spec with another size at one place, if that may be what was refused."""
    now, is_batch = spec.shape[place], place == -len(spec.shape)
    if is_batch and (exact or len(spec.shape) > 1):
        return None
    if now == got or (0 < now - got <= NO_FEATURES and not exact):
        new = wanted + now - got
    elif exact or not is_float(spec) or now > got:
        return None
    elif now * wanted % got == 0:
        new = now * wanted // got  # space was folded into it
    else:
        new = now + wanted - got  # something was concatenated to it
    shape = list(spec.shape)
    shape[place] = new
    return contiguous(spec, tuple(shape)) if new > 0 else None


def with_batch(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """A batch of 2."""
    yield changed(inputs, lambda spec: contiguous(spec, (2, *spec.shape[1:])) if spec.shape[:1] == (1,) else spec)


# --- dtype ---------------------------------------------------------------------------------------


def with_integers(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """Integers for the input that is read as an index."""
    yield from with_dtype(inputs, refusal, "int64", is_float)


def with_floats(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """Floating-point numbers for the input that is read as integers."""
    yield from with_dtype(inputs, refusal, guesses.float_dtype, lambda spec: not is_float(spec))


def with_bool_masks(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """Masks of bool."""
    yield from with_dtype(inputs, refusal, "bool", lambda spec: spec.dtype != "bool")
    masks = {name: value for name, value in inputs.arguments.items() if name.endswith("mask")}
    bools = {name: replace(each, dtype="bool") for name, each in masks.items() if isinstance(each, TensorSpec)}
    yield replace(inputs, arguments={**inputs.arguments, **bools})


def with_dtype(
    inputs: Inputs, refusal: Refusal, dtype: str, is_wrong: Callable[[TensorSpec], bool]
) -> Iterator[Inputs]:
    """Another dtype for one of the inputs that are blamed."""
    for name in blamed(inputs, refusal)[:MAX_BLAMED]:
        yield from _put(inputs, name, lambda spec: replace(spec, dtype=dtype) if is_wrong(spec) else None)
