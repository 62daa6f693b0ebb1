"""Repairs for inputs that forward rejected: change their rank, size or dtype.

Each repair yields copies of the inputs with one change. `guesses.REPAIRS` names the functions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.inputs.guess.guesses import LINE_OF_TEXT
from fxsummary.capture.inputs.guess.repairs import Case, changed, is_float, is_image, only_tensor, resized, shaped
from fxsummary.graph.spec import TensorSpec

NO_FEATURES = 2
"""Maximum number of leading elements that are not features, such as coordinates."""


# --- rank ----------------------------------------------------------------------------------------


def with_rank(case: Case) -> Iterator[Inputs]:
    """Change the rank to the expected one, or by the difference that the message shows."""
    groups = case.found.groupdict()
    numbers = [int(number) for number in case.found.groups() if number]
    wanted = int(groups.get("wanted") or max(numbers)) + ("too many indices" in case.found.group())
    more = wanted - int(groups["got"]) if groups.get("got") else 0
    for name in [name for name in case.blamed if case.rank(name) >= 0]:
        ranks = dict.fromkeys([wanted, case.rank(name) + more])
        for rank in [rank for rank in ranks if rank not in (0, case.rank(name))]:
            yield from _named_dimensions(case, name, rank)
            yield from _of_rank(case, name, rank)


def shallower(case: Case) -> Iterator[Inputs]:
    """Remove one dimension."""
    for name in [name for name in case.blamed if case.rank(name) > 1]:
        yield from _of_rank(case, name, case.rank(name) - 1)


def deeper(case: Case) -> Iterator[Inputs]:
    """Add one or two dimensions."""
    for more in (1, 2):
        yield from case.each(lambda spec: _with_dims(spec, len(spec.shape) + more) if spec.shape else None)  # noqa: B023


def _of_rank(case: Case, name: str, rank: int) -> Iterator[Inputs]:
    yield from case.alternatives(name, lambda spec: len(spec.shape) == rank)
    yield from case.each(lambda spec: _with_dims(spec, rank), [name])


def _with_dims(spec: TensorSpec, rank: int) -> TensorSpec:
    """Insert dimensions of size 1 after the batch, or remove dimensions there."""
    shape = spec.shape
    if rank >= len(shape):
        return shaped(spec, *shape[:1], *[1] * (rank - len(shape)), *shape[1:])
    return shaped(spec, *shape[:1], *shape[len(shape) - rank + 1 :]) if rank > 1 else shaped(spec, *shape[-1:])


def with_named_shape(case: Case) -> Iterator[Inputs]:
    """Use the shape that the message names."""
    named = [name for name in case.inputs.arguments if f"`{name}`" in case.error.message]
    for name in [*named, *case.blamed][:1]:
        yield from _named_dimensions(case, name)


_UNPACKED = r"^\s*(\w[\w, ]*?),? *= *[\w.]+\.(?:shape|size\(\))|(?:shape|be a) `?[\[(]([A-Za-z_]\w*, [\w, ]+)[\])]"


def _named_dimensions(case: Case, name: str, rank: int | None = None) -> Iterator[Inputs]:
    """Use the shape that a line unpacks, such as ``batch, channels, height, width = x.shape``."""
    for text in [*[step.text for step in case.error.steps[:2]], case.error.message]:
        found = re.search(_UNPACKED, text)
        names = re.split(r", *", found[1] or found[2]) if found is not None else []
        shape = None
        if names and rank in (None, len(names)):
            shape = case.guesses.shape_of_words(case.inputs, name, names)
        if shape is not None:
            yield from case.each(lambda spec: shaped(spec, *shape), [name])  # noqa: B023
            return


def with_space(case: Case) -> Iterator[Inputs]:
    """Use one channel and the spatial size in the message."""
    return case.each(lambda spec: shaped(spec, 1, 1, *case.numbers("space")))


# --- size ----------------------------------------------------------------------------------------


def with_size_of_image(case: Case) -> Iterator[Inputs]:
    """Use the image size in the message."""
    yield resized(case.inputs, (case.number("height"), case.number("width")))


def as_line(case: Case) -> Iterator[Inputs]:
    """Use images of one line of text, if the number of rows does not fit the layer."""
    if "rows" not in case.found.groupdict() or case.number("rows") % case.number("wanted") == 0:
        yield resized(case.inputs, LINE_OF_TEXT)


def larger(case: Case) -> Iterator[Inputs]:
    """Round the size of images or sound up to the multiple in the message, or else double it."""
    step = case.number("step") if "step" in case.found.groupdict() else 0

    def change(spec: TensorSpec) -> TensorSpec:
        is_sound = is_float(spec) and spec.shape[-1:] > (4096,)
        split = len(spec.shape) - (2 if is_image(spec) else int(is_sound))
        sizes = [-(-size // step) * step if step else 2 * size for size in spec.shape[split:]]
        return shaped(spec, *spec.shape[:split], *sizes)

    yield changed(case.inputs, change)


def with_batch(case: Case) -> Iterator[Inputs]:
    """Use batch size 2."""
    yield changed(case.inputs, lambda spec: shaped(spec, 2, *spec.shape[1:]) if spec.shape[:1] == (1,) else spec)


def with_size(case: Case) -> Iterator[Inputs]:
    """Change the size of the dimension that an operation or the innermost convolution rejects."""
    is_named = "got" in case.found.groupdict()
    sizes = (case.number("got"), case.number("wanted")) if is_named else case.error.channels
    return _with_sizes(case, *sizes) if sizes is not None else iter(())


def with_either_size(case: Case) -> Iterator[Inputs]:
    """Make the sizes of two tensors equal, in either direction."""
    got, wanted = case.number("got"), case.number("wanted")
    yield from _exchanged(case, got, wanted)
    images = [name for name, dims in case.guesses.spatial_dims.items() if dims > 1]
    for a, b in ((wanted, got), (got, wanted)):  # also change masks, which must have the same length
        yield changed(case.inputs, partial(_with_all, got=a, wanted=b), keep=images)


def _with_all(spec: TensorSpec, got: int, wanted: int) -> TensorSpec:
    return shaped(spec, *spec.shape[:1], *[wanted if size == got else size for size in spec.shape[1:]])


def with_same_shape(case: Case) -> Iterator[Inputs]:
    """Make the sizes of two tensors equal if they cannot be broadcast."""
    for x, y in zip(reversed(case.numbers("a")), reversed(case.numbers("b")), strict=False):
        if x != y and 1 not in (x, y):
            yield from _exchanged(case, x, y)
            for more in (y - x, x - y):
                yield from case.each(partial(_longer, more=more))


def _exchanged(case: Case, a: int, b: int) -> Iterator[Inputs]:
    yield from _with_sizes(case, a, b, exact=True)
    yield from _with_sizes(case, b, a, exact=True)


def _longer(spec: TensorSpec, more: int) -> TensorSpec | None:
    """Make a sequence longer or shorter, because it may have been concatenated before the failing operation."""
    if len(spec.shape) != 3 or spec.shape[1] + more < 1:
        return None
    return shaped(spec, spec.shape[0], spec.shape[1] + more, spec.shape[2])


def with_mask_shape(case: Case) -> Iterator[Inputs]:
    """Give the mask the length of the masked tensor."""
    for got, wanted in zip(case.numbers("a"), case.numbers("b"), strict=False):
        if got != wanted:
            yield from _with_sizes(case, got, wanted, exact=True)


def with_other_shape(case: Case) -> Iterator[Inputs]:
    """Give one tensor the shape of the other, except for the dimension in which they may differ."""
    place = case.number("free")
    specs = [(name, case.inputs.arguments[name]) for name in case.blamed]
    tensors = [(name, spec) for name, spec in specs if isinstance(spec, TensorSpec) and len(spec.shape) > place]
    for name, spec in tensors:
        for shape in [other.shape for _, other in tensors if other is not spec and len(other.shape) == len(spec.shape)]:
            new = shaped(spec, *shape[:place], spec.shape[place], *shape[place + 1 :])
            yield from case.each(lambda _: new, [name])  # noqa: B023


def with_index(case: Case) -> Iterator[Inputs]:
    """Make a dimension large enough for the index that forward reads."""
    place, size = case.number("place"), case.number("index") + 1
    names = [name for name in case.blamed if 0 < place < case.rank(name)]
    return case.each(lambda spec: shaped(spec, *spec.shape[:place], size, *spec.shape[place + 1 :]), names)


def with_elements(case: Case) -> Iterator[Inputs]:
    """Use a shape with the number of elements that forward's view needs."""
    wanted = math.prod(int(size) for size in re.findall(r"\d+", case.found["view"].replace("-1", "")))
    for name in case.blamed:
        now = only_tensor(case.inputs.arguments[name])
        yield from case.alternatives(name, lambda spec: bool(wanted) and spec.numel % wanted == 0 and spec != now)  # noqa: B023
        yield from case.each(partial(_with_more, wanted=wanted), [name])


def _with_more(spec: TensorSpec, wanted: int) -> TensorSpec | None:
    """Multiply the features, or the rows of ids, to get this many elements; None if that is not a multiple."""
    more, rest = divmod(wanted, spec.numel or 1)
    if more < 2 or rest or not spec.shape:
        return None
    if is_float(spec):
        return shaped(spec, *spec.shape[:-1], spec.shape[-1] * more)
    return shaped(spec, spec.shape[0] * more, *spec.shape[1:])


def _with_sizes(case: Case, got: int, wanted: int, exact: bool = False) -> Iterator[Inputs]:
    for name in case.blamed:
        if not exact:
            yield from case.alternatives(name, lambda spec: spec.shape[-1:] == (wanted,) != (got,))
        for place in range(-1, -case.rank(name) - 1, -1):
            yield from case.each(partial(_with_size, place=place, got=got, wanted=wanted, exact=exact), [name])
    if not exact and len(case.inputs.arguments) > 1:  # the inputs may be concatenated
        change = partial(_with_size, place=-1, got=got, wanted=wanted, exact=False)
        yield changed(case.inputs, lambda spec: (spec.shape and change(spec)) or spec)


def _with_size(spec: TensorSpec, place: int, got: int, wanted: int, exact: bool) -> TensorSpec | None:
    """Change the size of one dimension; return None if it cannot be the rejected one."""
    now, is_batch = spec.shape[place], place == -len(spec.shape)
    if is_batch and (exact or len(spec.shape) > 1):
        return None
    if now == got or (0 < now - got <= NO_FEATURES and not exact):
        new = wanted + now - got
    elif exact or not is_float(spec) or now > got:
        return None
    elif now * wanted % got == 0:
        new = now * wanted // got  # forward folds spatial dimensions into this one
    else:
        new = now + wanted - got  # forward concatenates something to it
    shape = list(spec.shape)
    shape[place] = new
    return shaped(spec, *shape) if new > 0 else None


# --- dtype ---------------------------------------------------------------------------------------


def with_integers(case: Case) -> Iterator[Inputs]:
    """Use integers for an input that forward reads as an index."""
    return case.each(lambda spec: replace(spec, dtype="int64") if is_float(spec) else None)


def with_floats(case: Case) -> Iterator[Inputs]:
    """Use floating-point numbers for an integer input."""
    return case.each(lambda spec: None if is_float(spec) else replace(spec, dtype=case.guesses.float_dtype))


def with_bool_masks(case: Case) -> Iterator[Inputs]:
    """Use boolean masks."""
    yield from case.each(lambda spec: replace(spec, dtype="bool"))
    masks = {name: value for name, value in case.inputs.arguments.items() if name.endswith("mask")}
    bools = {name: replace(each, dtype="bool") for name, each in masks.items() if isinstance(each, TensorSpec)}
    yield replace(case.inputs, arguments={**case.inputs.arguments, **bools})
