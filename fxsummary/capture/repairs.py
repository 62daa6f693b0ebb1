"""What an error of forward says about inputs that did not fit, and the inputs that follow from it."""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import nn

from fxsummary.capture import conventions
from fxsummary.capture.arguments import CONVENTIONS
from fxsummary.capture.inputs import Inputs, forward_signature
from fxsummary.capture.sizes import Settings
from fxsummary.spec import TensorSpec, map_structure


def repaired(model: nn.Module, inputs: Inputs, error: BaseException) -> Inputs | None:
    """Other inputs, if the error tells what is wrong with these."""
    message = str(error)
    for pattern, repair in _REPAIRS:
        found = re.search(pattern, message, re.IGNORECASE | re.DOTALL)
        better = repair(model, inputs, found) if found is not None else None
        if better is not None:
            return better
    for name in _missing(model, inputs, error):
        better = conventions.added(model, inputs, name)
        if better is not None:
            return better
    return None


def _missing(model: nn.Module, inputs: Inputs, error: BaseException) -> Iterator[str]:
    """Arguments of forward that were not passed and that an error names, or that are None where it was raised."""
    names = [name for name in forward_signature(model).parameters if name not in inputs.arguments]
    yield from (name for name in names if name in CONVENTIONS and re.search(rf"\b{name}\b", str(error)))
    frames = list(traceback.walk_tb(error.__traceback__)) if "NoneType" in str(error) else []
    for frame, line in reversed(frames[-_INNERMOST:]):
        text = linecache.getline(frame.f_code.co_filename, line)
        for name in names:
            if frame.f_locals.get(name, inputs) is None and re.search(rf"\b{name}\b", text):
                yield name


_INNERMOST = 4
"""Frames to look at for what is None."""


def compare_features(error: BaseException) -> int | None:
    """1 if a linear layer got more features than it takes, -1 if fewer, None if that is not what is wrong."""
    for pattern in _FEATURES:
        found = re.search(pattern, str(error))
        if found is not None:
            got, wanted = (int(number) for number in found.groups())
            return (got > wanted) - (got < wanted)
    return None


_FEATURES = (
    r"mat1 and mat2 shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)",
    r"same reduction dim, but got \[\d+, (\d+)\] X \[(\d+), \d+\]",
)


def resized(inputs: Inputs, size: tuple[int, int]) -> Inputs:
    """The same inputs with images of another size."""
    return _map(inputs, lambda spec: _contiguous(spec, (*spec.shape[:-2], *size)) if is_image(spec) else spec)


def is_image(spec: TensorSpec) -> bool:
    """Whether a tensor may be an image or several."""
    return len(spec.shape) > 3 and spec.dtype.startswith(("float", "bfloat"))


def _map(inputs: Inputs, change: Callable[[TensorSpec], TensorSpec]) -> Inputs:
    arguments = map_structure(lambda v: change(v) if isinstance(v, TensorSpec) else v, dict(inputs.arguments))
    return replace(inputs, arguments=arguments)


def _contiguous(spec: TensorSpec, shape: tuple[int, ...]) -> TensorSpec:
    stride = tuple(torch.empty(shape, device="meta").stride())
    return replace(spec, shape=shape, stride=stride)


def _with_tokens(model: nn.Module, inputs: Inputs, found: re.Match[str]) -> Inputs | None:
    """As many tokens that stand for an image (or sound, ...) as it has features."""
    have, want = int(found["tokens"]), int(found["features"])
    hidden = Settings(model).first(_HIDDEN, "text")
    if type(hidden) is int and hidden > 0 and want % hidden == 0 and have != want // hidden:
        want //= hidden  # some count the elements of all features
    ids = inputs.arguments.get("input_ids")
    token = _token_id(model, found)
    if not isinstance(ids, TensorSpec) or token is None or have >= want:
        return None
    length = ids.shape[-1]
    given = inputs.values.get("input_ids", torch.zeros(ids.shape, dtype=torch.int64))
    tokens = torch.full((*ids.shape[:-1], want - have), token)
    values = {**inputs.values, "input_ids": _inserted(given, tokens)}
    longer = _map(
        inputs,
        lambda spec: (
            _contiguous(spec, (*spec.shape[:1], length + want - have, *spec.shape[2:]))
            if spec.dtype == "int64" and spec.shape[1:2] == (length,)
            else spec
        ),
    )
    if "mm_token_type_ids" in forward_signature(model).parameters:
        types = longer.values.get("mm_token_type_ids", torch.zeros(ids.shape, dtype=torch.int64))
        kind = _KINDS.get((found.groupdict().get("kind") or "image").lower(), 1)
        values["mm_token_type_ids"] = _inserted(types, torch.full_like(tokens, kind))
        arguments = {**longer.arguments, "mm_token_type_ids": longer.arguments["input_ids"]}
        longer = replace(longer, arguments=arguments)
    return replace(longer, values=values)


_KINDS = {"image": 1, "video": 2, "audio": 3}
"""What stands in ``mm_token_type_ids`` for tokens of images, video and sound."""


def _inserted(ids: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    return torch.cat([ids[..., :1], tokens, ids[..., 1:]], -1)


def _with_end(model: nn.Module, inputs: Inputs, found: re.Match[str]) -> Inputs | None:
    """One token at the end that says so."""
    ids, token = inputs.arguments.get("input_ids"), Settings(model).first(("eos_token_id",), "text")
    if not isinstance(ids, TensorSpec) or type(token) is not int or "input_ids" in inputs.values:
        return None
    values = torch.zeros(ids.shape, dtype=torch.int64)
    values[..., -1] = token
    return replace(inputs, values={**inputs.values, "input_ids": values})


_HIDDEN = ("hidden_size", "d_model", "n_embd")


def _token_id(model: nn.Module, found: re.Match[str]) -> int | None:
    if found.groupdict().get("id"):
        return int(found["id"])
    settings = Settings(model)
    names = [f"{kind}_token_{form}" for kind in (found["kind"].lower(), "image") for form in ("id", "index")]
    value = settings.first(tuple(names))
    return value if type(value) is int else None


def _with_size(model: nn.Module, inputs: Inputs, found: re.Match[str]) -> Inputs | None:
    height, width = int(found["height"]), int(found["width"])
    better = resized(inputs, (height, width))
    return None if better == inputs else better


def _with_channels(model: nn.Module, inputs: Inputs, found: re.Match[str]) -> Inputs | None:
    got, wanted = int(found["got"]), int(found["wanted"])

    def change(spec: TensorSpec) -> TensorSpec:
        if not is_image(spec) or got not in spec.shape[1:-2]:
            return spec
        place = spec.shape.index(got, 1)
        return _contiguous(spec, (*spec.shape[:place], wanted, *spec.shape[place + 1 :]))

    better = _map(inputs, change)
    return None if better == inputs else better


_REPAIRS: tuple[tuple[str, Callable[[nn.Module, Inputs, re.Match[str]], Inputs | None]], ...] = (
    (
        r"tokens \((?P<tokens>\d+)\) and features \((?P<features>\d+)\) do not match for token id (?P<id>\d+)",
        _with_tokens,
    ),
    (r"(?P<kind>\w+) features.*tokens.*tokens:? (?P<tokens>\d+),? *features:? (?P<features>\d+)", _with_tokens),
    (
        r"number of (?P<kind>\w+) tokens is (tensor\(\[)?(?P<tokens>\d+).*given to the model is (?P<features>\d+)",
        _with_tokens,
    ),
    (r"<eos>", _with_end),
    (r"size \(\d+\*\d+\) doesn't match model \((?P<height>\d+)\*(?P<width>\d+)\)", _with_size),
    (r"to have (?P<wanted>\d+) channels, but got (?P<got>\d+) channels", _with_channels),
    (r"channel dimension.* Expected (?P<wanted>\d+) but got (?P<got>\d+)", _with_channels),
)
"""What errors say, and what to do about it."""
