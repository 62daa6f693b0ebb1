"""Repairs for inputs that forward rejected: change their rank, size or dtype.

Each repair yields copies of the inputs with one change. `guesses.REPAIRS` names the functions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace

from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.inputs.guess.candidates import is_float, is_image, shaped, with_dimension
from fxsummary.capture.inputs.guess.guesses import LINE_OF_TEXT
from fxsummary.capture.inputs.guess.repairs import Case, only_tensor
from fxsummary.graph.spec import TensorSpec

NO_FEATURES = 2
"""Maximum number of leading elements that are not features, such as coordinates."""


# --- rank ----------------------------------------------------------------------------------------


def with_rank(case: Case) -> Iterator[Inputs]:
    """Change the rank to the expected one, or by the difference that the message shows."""
    (wanted,) = case.numbers("wanted") or (max(int(number) for number in case.found.groups() if number),)
    wanted += "too many indices" in case.found[0]
    more = [wanted - got for got in case.numbers("got")]
    for name, spec in case.suspects.items():
        yield from _of_ranks(case, name, wanted, *[len(spec.shape) + each for each in more])


def shallower(case: Case) -> Iterator[Inputs]:
    """Remove one dimension."""
    for name, spec in case.suspects.items():
        yield from _of_ranks(case, name, len(spec.shape) - 1)


def deeper(case: Case) -> Iterator[Inputs]:
    """Add one or two dimensions."""
    for name, spec in case.suspects.items():
        if spec.shape:
            yield from _of_ranks(case, name, len(spec.shape) + 1, len(spec.shape) + 2)


def _of_ranks(case: Case, name: str, *ranks: int) -> Iterator[Inputs]:
    spec = case.suspects[name]
    for rank in dict.fromkeys(ranks):
        if rank > 0 and rank != len(spec.shape):
            yield from _named_dimensions(case, name, rank)
            yield from case.alternatives(name, lambda other: len(other.shape) == rank)  # noqa: B023
            yield from case.passing(name, _with_dims(spec, rank))


def _with_dims(spec: TensorSpec, rank: int) -> TensorSpec:
    """Insert dimensions of size 1 after the batch, or remove dimensions there."""
    shape = spec.shape
    if rank >= len(shape):
        return shaped(spec, *shape[:1], *[1] * (rank - len(shape)), *shape[1:])
    return shaped(spec, *shape[:1], *shape[len(shape) - rank + 1 :]) if rank > 1 else shaped(spec, *shape[-1:])


def with_named_shape(case: Case) -> Iterator[Inputs]:
    """Use the shape that the message names."""
    named = [name for name in case.inputs.arguments if f"`{name}`" in case.error.message]
    for name in [*named, *case.suspects][:1]:
        yield from _named_dimensions(case, name)


_UNPACKED = r"^\s*(\w[\w, ]*?),? *= *[\w.]+\.(?:shape|size\(\))|(?:shape|be a) `?[\[(]([A-Za-z_]\w*, [\w, ]+)[\])]"


def _named_dimensions(case: Case, name: str, rank: int | None = None) -> Iterator[Inputs]:
    """Use the shape that a line unpacks, such as ``batch, channels, height, width = x.shape``."""
    for text in [*[step.text for step in case.error.steps[:2]], case.error.message]:
        found = re.search(_UNPACKED, text)
        names = re.split(r", *", found[1] or found[2]) if found is not None else []
        shape, spec = case.guesses.shape_of_words(case.inputs, name, names), only_tensor(case.inputs.arguments[name])
        if names and rank in (None, len(names)) and shape is not None and spec is not None:
            yield from case.passing(name, shaped(spec, *shape))
            return


# --- size ----------------------------------------------------------------------------------------


def with_size_of_image(case: Case) -> Iterator[Inputs]:
    """Use the image size in the message."""
    yield from filter(None, [case.guesses.resized(case.inputs, *case.numbers("size"))])


def as_line(case: Case) -> Iterator[Inputs]:
    """Use images of one line of text, if the number of rows does not fit the layer."""
    if all(rows % wanted == 0 for rows, wanted in zip(case.numbers("rows"), case.numbers("wanted"), strict=False)):
        yield from filter(None, [case.guesses.resized(case.inputs, *LINE_OF_TEXT)])


def larger(case: Case) -> Iterator[Inputs]:
    """Round the size of images or sound up to the multiple in the message, or else double it."""
    steps = case.numbers("step")

    def change(spec: TensorSpec) -> TensorSpec:
        is_sound = is_float(spec) and spec.shape[-1:] > (4096,)
        split = len(spec.shape) - (2 if is_image(spec) else int(is_sound))
        sizes = [-(-size // steps[0]) * steps[0] if steps else 2 * size for size in spec.shape[split:]]
        return shaped(spec, *spec.shape[:split], *sizes)

    yield case.with_all(change)


def with_batch(case: Case) -> Iterator[Inputs]:
    """Use batch size 2."""
    yield case.with_all(lambda spec: with_dimension(spec, 0, 2) if spec.shape[:1] == (1,) else spec)


def with_size(case: Case) -> Iterator[Inputs]:
    """Change the size of the dimension that an operation or the innermost convolution rejects."""
    sizes = (*case.numbers("got"), *case.numbers("wanted")) or case.error.channels
    if sizes is None:
        return
    got, wanted = sizes
    for name, spec in case.suspects.items():
        yield from case.alternatives(name, lambda other: other.shape[-1:] == (wanted,) != (got,))
        for place in reversed(range(int(len(spec.shape) > 1), len(spec.shape))):  # the batch stays
            yield from case.passing(name, _with_size(spec, place, got, wanted))
    if len(case.inputs.arguments) > 1:  # the inputs may be concatenated
        yield case.with_all(lambda spec: _with_size(spec, -1, got, wanted) if spec.shape else spec)


def _with_size(spec: TensorSpec, place: int, got: int, wanted: int) -> TensorSpec:
    """Change the size of one dimension, if it can be the rejected one."""
    now = spec.shape[place]
    if now == got or 0 < now - got <= NO_FEATURES:
        new = wanted + now - got
    elif not is_float(spec) or now > got:
        new = now
    elif now * wanted % got == 0:
        new = now * wanted // got  # forward folds spatial dimensions into this one
    else:
        new = now + wanted - got  # forward concatenates something to it
    return with_dimension(spec, place, new if new > 0 else now)


def with_equal_sizes(case: Case) -> Iterator[Inputs]:
    """Make the sizes of two tensors equal, in either direction."""
    a, b = case.numbers("got"), case.numbers("wanted")
    pairs = zip(reversed(a), reversed(b), strict=False)
    for x, y in [(x, y) for x, y in pairs if x != y and (len(a) == 1 or 1 not in (x, y))]:
        yield from _with_equal_sizes(case, x, y)
        yield from _with_equal_sizes(case, y, x)
        yield _with_all_sizes(case, y, x)
        yield _with_all_sizes(case, x, y)
        for more in (y - x, x - y):  # a sequence may have been concatenated before the operation
            for name, spec in case.suspects.items():
                if len(spec.shape) == 3 and spec.shape[1] + more > 0:
                    yield from case.passing(name, with_dimension(spec, 1, spec.shape[1] + more))


def _with_equal_sizes(case: Case, got: int, wanted: int) -> Iterator[Inputs]:
    for name, spec in case.suspects.items():
        for place in reversed(range(1, len(spec.shape))):
            if spec.shape[place] == got:
                yield from case.passing(name, with_dimension(spec, place, wanted))


def _with_all_sizes(case: Case, got: int, wanted: int) -> Inputs:
    """Also change masks, which must have the same length."""

    def change(spec: TensorSpec) -> TensorSpec:
        sizes = [wanted if size == got else size for size in spec.shape[1:]]
        return spec if is_image(spec) else shaped(spec, *spec.shape[:1], *sizes)

    return case.with_all(change)


def with_mask_size(case: Case) -> Iterator[Inputs]:
    """Give the mask the length of the masked tensor."""
    for got, wanted in zip(case.numbers("got"), case.numbers("wanted"), strict=False):
        if got != wanted:
            yield from _with_equal_sizes(case, got, wanted)


def with_index(case: Case) -> Iterator[Inputs]:
    """Make a dimension large enough for the index that forward reads."""
    (index,), (size,) = case.numbers("index"), case.numbers("got")
    return _with_equal_sizes(case, size, index + 1)


def with_elements(case: Case) -> Iterator[Inputs]:
    """Use a shape with the number of elements that forward's view needs."""
    wanted = math.prod(case.numbers("view"))
    for name, now in case.suspects.items():
        yield from case.alternatives(name, lambda spec: bool(wanted) and spec.numel % wanted == 0 and spec != now)  # noqa: B023
        more, rest = divmod(wanted, now.numel or 1)
        if now.shape and more > 1 and not rest:
            place = -1 if is_float(now) else 0  # the features, or the rows of ids
            yield from case.passing(name, with_dimension(now, place, now.shape[place] * more))


# --- dtype ---------------------------------------------------------------------------------------


def with_dtype(case: Case) -> Iterator[Inputs]:
    """Use the dtype that the group of the pattern is named after."""
    (group,) = case.found.groupdict()
    dtype = case.guesses.float_dtype if group == "float" else group
    for name, spec in case.suspects.items():
        if dtype == "bool" or is_float(spec) != ("float" in dtype):
            yield from case.passing(name, replace(spec, dtype=dtype))
