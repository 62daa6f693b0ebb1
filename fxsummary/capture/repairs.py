"""What an error of forward says about inputs that did not fit, and the inputs that follow from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from fxsummary.capture.arguments import CONVENTIONS
from fxsummary.capture.conventions import Guesses
from fxsummary.capture.inputs import Inputs
from fxsummary.capture.scene import Scene, scene_of
from fxsummary.spec import TensorSpec, map_structure


@dataclass(frozen=True)
class Refusal:
    """What forward said, and what its code was doing."""

    message: str
    scene: Scene


def refusal_of(error: BaseException) -> Refusal:
    """The refusal that an error of an attempt is."""
    cause = error.__cause__ or error
    scene = getattr(error, "scene", None)
    return Refusal(str(cause), scene if isinstance(scene, Scene) else scene_of(cause))


def repaired(guesses: Guesses, inputs: Inputs, refusal: Refusal) -> Iterator[Inputs]:
    """Other inputs, if the refusal tells what is wrong with these; the likeliest first."""
    for pattern, repair in _REPAIRS:
        found = re.search(pattern, refusal.message, re.IGNORECASE | re.DOTALL)
        if found is not None:
            yield from repair(guesses, inputs, refusal, found)
    for name in _missing(guesses, inputs, refusal):
        yield from guesses.alternatives(inputs, name)


def compare_features(refusal: Refusal) -> int | None:
    """1 if a linear layer got more features than it takes, -1 if fewer, None if that is not what is wrong."""
    for pattern in _FEATURES:
        found = re.search(pattern, refusal.message)
        if found is not None:
            got, wanted = int(found["got"]), int(found["wanted"])
            return (got > wanted) - (got < wanted)
    return None


_FEATURES = (
    r"mat1 and mat2 shapes cannot be multiplied \(\d+x(?P<got>\d+) and (?P<wanted>\d+)x\d+\)",
    r"same reduction dim, but got \[\d+, (?P<got>\d+)\] X \[(?P<wanted>\d+), \d+\]",
)


def resized(inputs: Inputs, size: tuple[int, int]) -> Inputs:
    """The same inputs with images of another size."""
    return _map(inputs, lambda spec: _contiguous(spec, (*spec.shape[:-2], *size)) if is_image(spec) else spec)


def is_image(spec: TensorSpec) -> bool:
    """Whether a tensor may be an image or several."""
    return len(spec.shape) > 3 and _is_float(spec)


def _is_float(spec: TensorSpec) -> bool:
    return "float" in spec.dtype


def _map(inputs: Inputs, change: Callable[[TensorSpec], TensorSpec]) -> Inputs:
    arguments = map_structure(lambda v: change(v) if isinstance(v, TensorSpec) else v, dict(inputs.arguments))
    return replace(inputs, arguments=arguments)


def _contiguous(spec: TensorSpec, shape: tuple[int, ...]) -> TensorSpec:
    stride = tuple(torch.empty(shape, device="meta").stride())
    return replace(spec, shape=shape, stride=stride)


MAX_TOKENS = 100_000
"""A text is not made longer than this."""


# --- where the error was raised --------------------------------------------------------------------


def _missing(guesses: Guesses, inputs: Inputs, refusal: Refusal) -> Iterator[str]:
    """Arguments of forward that were not passed and that an error names, or that are None where it was raised."""
    names = [name for name in guesses.parameters if name not in inputs.arguments]
    yield from (name for name in names if name in CONVENTIONS and _holds(refusal.message, name))
    for step in refusal.scene.steps if re.search("NoneType(?!.* not callable)", refusal.message) else ():
        absent = [name for name in names if name in step.absent and _holds(step.text, name)]
        if absent:
            yield from absent
            return


def _blamed(inputs: Inputs, refusal: Refusal) -> Iterator[str]:
    """Arguments that were passed, those first that the lines name where it was raised."""
    names = list(inputs.arguments)
    named = [name for step in refusal.scene.steps for name in names if _holds(step.text, name)]
    yield from dict.fromkeys([*named, *names])


def _holds(text: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None


# --- what to do about it -----------------------------------------------------------------------------


def _with_tokens(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: re.Match[str]) -> Iterator[Inputs]:
    """As many tokens that stand for an image (or sound, ...) as it has features."""
    have, features = int(found["tokens"]), int(found["features"])
    hidden = guesses.settings.first(_HIDDEN, "text")
    counts = [features]
    if type(hidden) is int and hidden > 0 and features % hidden == 0:
        counts.insert(0, features // hidden)  # some count the elements of all features
    kind = (found.groupdict().get("kind") or "image").lower()
    token = int(found["id"]) if found.groupdict().get("id") else _token_id(guesses, kind)
    ids = inputs.arguments.get("input_ids")
    if isinstance(ids, TensorSpec) and token is not None:
        for count in counts:
            if have < count < MAX_TOKENS:
                yield _with_more_tokens(guesses, inputs, ids, count - have, token, kind)


_HIDDEN = ("hidden_size", "d_model", "n_embd")


def _token_id(guesses: Guesses, kind: str) -> int | None:
    names = [f"{each}_token_{form}" for each in (kind, "image") for form in ("id", "index")]
    value = guesses.settings.first(tuple(names))
    return value if type(value) is int else None


def _with_more_tokens(guesses: Guesses, inputs: Inputs, ids: TensorSpec, count: int, token: int, kind: str) -> Inputs:
    """One block of tokens after the first; what is as long as the text grows with it."""
    length = ids.shape[-1]

    def longer(spec: TensorSpec) -> TensorSpec:
        if spec.dtype != "int64" or spec.shape[1:2] != (length,):
            return spec
        return _contiguous(spec, (*spec.shape[:1], length + count, *spec.shape[2:]))

    better = _map(inputs, longer)
    arguments, values = dict(better.arguments), dict(better.values)
    nothing = torch.zeros(ids.shape, dtype=torch.int64)
    block = torch.full((*ids.shape[:-1], count), token)
    values["input_ids"] = _inserted(values.get("input_ids", nothing), block)
    if "mm_token_type_ids" in guesses.parameters:
        block = torch.full_like(block, _KINDS.get(kind, 1))
        values["mm_token_type_ids"] = _inserted(values.get("mm_token_type_ids", nothing), block)
        arguments["mm_token_type_ids"] = arguments["input_ids"]
    return replace(better, arguments=arguments, values=values)


_KINDS = {"image": 1, "video": 2, "audio": 3}
"""What stands in ``mm_token_type_ids`` for tokens of images, video and sound."""


def _inserted(ids: torch.Tensor, block: torch.Tensor) -> torch.Tensor:
    return torch.cat([ids[..., :1], block, ids[..., 1:]], -1)


def _with_end(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: re.Match[str]) -> Iterator[Inputs]:
    """One token at the end that says so."""
    ids, token = inputs.arguments.get("input_ids"), guesses.settings.first(("eos_token_id",), "text")
    if isinstance(ids, TensorSpec) and type(token) is int and "input_ids" not in inputs.values:
        values = torch.zeros(ids.shape, dtype=torch.int64)
        values[..., -1] = token
        yield replace(inputs, values={**inputs.values, "input_ids": values})


def _without_one(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: re.Match[str]) -> Iterator[Inputs]:
    """One of two arguments less, the main one last."""
    names = [name for name in found.groups() if name in inputs.arguments]
    for name in sorted(names, key=lambda name: name == guesses.main):
        arguments = {key: value for key, value in inputs.arguments.items() if key != name}
        if arguments:
            yield replace(inputs, arguments=arguments)


def _with_size(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: re.Match[str]) -> Iterator[Inputs]:
    yield resized(inputs, (int(found["height"]), int(found["width"])))


def _larger(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: re.Match[str]) -> Iterator[Inputs]:
    """Images or sound of twice the size."""

    def twice(spec: TensorSpec) -> TensorSpec:
        space = 2 if is_image(spec) else 1 if _is_long(spec) else 0
        sizes = spec.shape[len(spec.shape) - space :]
        return _contiguous(spec, (*spec.shape[: len(spec.shape) - space], *[2 * size for size in sizes]))

    yield _map(inputs, twice)


def _rounded(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: re.Match[str]) -> Iterator[Inputs]:
    """Images or sound whose size is a multiple of what is wanted."""
    step = int(found["step"])

    def up(spec: TensorSpec) -> TensorSpec:
        space = 2 if is_image(spec) else 1 if _is_long(spec) else 0
        sizes = [-(-size // step) * step for size in spec.shape[len(spec.shape) - space :]]
        return _contiguous(spec, (*spec.shape[: len(spec.shape) - space], *sizes))

    yield _map(inputs, up)


def _is_long(spec: TensorSpec) -> bool:
    """Whether a tensor may be sound."""
    return _is_float(spec) and spec.shape[-1:] > (4096,)


def _with_dimensions(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: re.Match[str]) -> Iterator[Inputs]:
    """Another shape with as many dimensions as the code wants."""
    wanted = max(int(number) for number in found.groups() if number) + ("too many indices" in found.group())
    for name in _blamed(inputs, refusal):
        if _dimensions(inputs.arguments[name]) == wanted:
            continue
        others = [each for each in guesses.alternatives(inputs, name) if _dimensions(each.arguments[name]) == wanted]
        yield from others
        if others:
            return


def _dimensions(value: Any) -> int:
    return len(value.shape) if isinstance(value, TensorSpec) else -1


def _with_features(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: re.Match[str]) -> Iterator[Inputs]:
    """Another shape, or size of the last dimension, that a linear layer takes."""
    got, wanted = int(found["got"]), int(found["wanted"])
    for name in _blamed(inputs, refusal):
        spec = inputs.arguments[name]
        if not isinstance(spec, TensorSpec) or not _is_float(spec) or not spec.shape:
            continue
        more = spec.shape[-1] - got
        if not 0 <= more <= _NO_FEATURES:
            continue
        for other in guesses.alternatives(inputs, name):
            value = other.arguments[name]
            if isinstance(value, TensorSpec) and value.shape[-1:] == (wanted + more,):
                yield other
        if not is_image(spec):
            changed = _contiguous(spec, (*spec.shape[:-1], wanted + more))
            yield replace(inputs, arguments={**inputs.arguments, name: changed})


_NO_FEATURES = 2
"""So many elements before the features may be something else, such as a place."""


def _with_channels(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: re.Match[str]) -> Iterator[Inputs]:
    """Other channels, in proportion where space was folded into them."""
    numbers = found.groupdict()
    pair = (int(numbers["got"]), int(numbers["wanted"])) if numbers else refusal.scene.channels
    if pair is None:
        return
    got, wanted = pair
    for name in _blamed(inputs, refusal):
        spec = inputs.arguments[name]
        if not isinstance(spec, TensorSpec) or not _is_float(spec) or len(spec.shape) < 3:
            continue
        for place in range(1, max(len(spec.shape) - 2, 2)):
            for size in _other_channels(spec.shape[place], got, wanted):
                changed = _contiguous(spec, (*spec.shape[:place], size, *spec.shape[place + 1 :]))
                yield replace(inputs, arguments={**inputs.arguments, name: changed})


def _other_channels(now: int, got: int, wanted: int) -> Iterator[int]:
    """Channels of an input after which a convolution gets as many as it takes."""
    if now <= got and now * wanted % got == 0:
        yield now * wanted // got  # space was folded into them
    if now < got and now + wanted - got > 0:
        yield now + wanted - got  # something was put beside them


def _with_bool_masks(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: re.Match[str]) -> Iterator[Inputs]:
    arguments = {
        name: replace(value, dtype="bool") if isinstance(value, TensorSpec) and name.endswith("mask") else value
        for name, value in inputs.arguments.items()
    }
    yield replace(inputs, arguments=arguments)


_Repair = Callable[[Guesses, Inputs, Refusal, "re.Match[str]"], Iterator[Inputs]]

_REPAIRS: tuple[tuple[str, _Repair], ...] = (
    (
        r"tokens \((?P<tokens>\d+)\) and features \((?P<features>\d+)\) do not match for token id (?P<id>\d+)",
        _with_tokens,
    ),
    (r"(?P<kind>\w+) features.*tokens.*tokens:? (?P<tokens>\d+),? *features:? (?P<features>\d+)", _with_tokens),
    (
        r"number of (?P<kind>\w+) tokens is (?:tensor\(\[)?(?P<tokens>\d+).*given to the model is (?P<features>\d+)",
        _with_tokens,
    ),
    (r"<eos>", _with_end),
    (r"cannot specify both `?(\w+)`? and `?(\w+)`?", _without_one),
    (r"size \(\d+\*\d+\) doesn't match model \((?P<height>\d+)\*(?P<width>\d+)\)", _with_size),
    (r"too small|greater than actual input size", _larger),
    (r"multiple of (?P<step>\d+)", _rounded),
    (r"to have (?P<wanted>\d+) channels, but got (?P<got>\d+) channels", _with_channels),
    (r"channel dimension.* Expected (?P<wanted>\d+) but got (?P<got>\d+)", _with_channels),
    (r"Invalid channel dimensions", _with_channels),
    (r"values to unpack \(expected (\d)", _with_dimensions),
    (r"input.dim\(\) = \d is not equal to len\(dims\) = (\d)", _with_dimensions),
    (r"Expected \dD \(unbatched\) or (\d)D \(batched\)", _with_dimensions),
    (r"too many indices for tensor of dimension (\d)", _with_dimensions),
    (r"\b(\d)-?D (?:input )?tensor|ndim == (\d)", _with_dimensions),
    (r"tensors must match\. +Expected \d-D tensors, but got (\d)-D|got \d and (\d)$", _with_dimensions),
    (r"predicate to be bool", _with_bool_masks),
    *[(pattern, _with_features) for pattern in _FEATURES],
    (r": (?P<got>\d+) doesn't correspond to [\w.]+: (?P<wanted>\d+)", _with_features),
    (r"normalized_shape=\[(?P<wanted>\d+)\].*got input of size\D*\[.*?(?P<got>\d+)\]", _with_features),
)
"""What errors say, and what to do about it."""
