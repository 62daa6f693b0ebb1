"""What an error of forward says about inputs that did not fit, and the inputs that follow from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.inputs.guess import reshaping
from fxsummary.capture.inputs.guess.argument_names import CONVENTIONS
from fxsummary.capture.inputs.guess.candidates import Guesses
from fxsummary.capture.inputs.guess.error_context import Refusal
from fxsummary.capture.inputs.guess.reshaping import Match, changed, contiguous, holds
from fxsummary.capture.inputs.hints import NEEDS_INTEGERS
from fxsummary.graph.spec import TensorSpec

MAX_TOKENS = 100_000
"""A text is not made longer than this."""


def repaired(guesses: Guesses, inputs: Inputs, refusal: Refusal) -> Iterator[Inputs]:
    """Other inputs, if the refusal tells what is wrong with these; the likeliest first."""
    for pattern, repair in _REPAIRS:
        found = re.search(pattern, refusal.message, re.IGNORECASE | re.DOTALL)
        if found is not None:
            yield from repair(guesses, inputs, refusal, found)
    for name in _missing(guesses, inputs, refusal):
        yield from guesses.alternatives(inputs, name)
    made = "".join([step.text for step in refusal.scene.steps])
    found = re.search("cache", refusal.scene.source) or re.search(r"\wCache\(", made)
    if found is not None:
        yield from _without_cache(guesses, inputs, refusal, found)


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
    r"batch2 tensor to be: \[\d+, (?P<got>\d+)\] but got: \[\d+, (?P<wanted>\d+)\]",
)


def _missing(guesses: Guesses, inputs: Inputs, refusal: Refusal) -> Iterator[str]:
    """Arguments of forward that were not passed and that an error names, or that are None where it was raised."""
    names = [name for name in guesses.parameters if name not in inputs.arguments]
    yield from (name for name in names if name in CONVENTIONS and holds(refusal.message, name))
    steps = refusal.scene.steps
    asked = steps if re.search("NoneType(?!.* not callable)", refusal.message) else steps[:1]
    for step in asked:
        absent = [name for name in names if name in step.absent and holds(step.text, name)]
        if absent:
            yield from absent
            return


# --- values and flags ------------------------------------------------------------------------------


def _with_tokens(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """As many tokens that stand for an image (or sound, ...) as it has features."""
    have, features = int(found["tokens"]), int(found["features"])
    hidden = guesses.settings.first(_HIDDEN, "text")
    counts = [features]
    if type(hidden) is int and hidden > 0 and features % hidden == 0:
        counts.insert(0, features // hidden)  # some count the elements of all features
    kind = _kind(found.groupdict().get("kind") or "image", refusal)
    token = int(found["id"]) if found.groupdict().get("id") else _token_id(guesses, kind)
    ids = inputs.arguments.get("input_ids")
    if isinstance(ids, TensorSpec) and token is not None:
        for count in counts:
            if have < count < MAX_TOKENS:
                yield _with_more_tokens(guesses, inputs, ids, count - have, token, kind)


def _kind(said: str, refusal: Refusal) -> str:
    """The kind of tokens that a message names, or else the lines that raised it."""
    lines = "".join([step.text for step in refusal.scene.steps])
    named = re.search(rf"\b({'|'.join(_KINDS)})_token_", lines)
    return named[1] if said.lower() not in _KINDS and named is not None else said.lower()


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
        return contiguous(spec, (*spec.shape[:1], length + count, *spec.shape[2:]))

    better = changed(inputs, longer)
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


def _with_last_tokens(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """One token, or three, of the kind that forward looks for, at the end."""
    kind, count = found["kind"].lower(), 3 if "three" in found[0] else 1
    token = int(kind) if kind.isdigit() else guesses.settings.first((f"{kind}_token_id", f"{kind}_token_index"), "text")
    ids = inputs.arguments.get("input_ids")
    if isinstance(ids, TensorSpec) and type(token) is int and "input_ids" not in inputs.values:
        values = torch.zeros(ids.shape, dtype=torch.int64)
        values[..., -count:] = token
        yield replace(inputs, values={**inputs.values, "input_ids": values})


def _without_one(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """One of two arguments less, the main one last."""
    names = [name for name in found.groups() if name in inputs.arguments]
    for name in sorted(names, key=lambda name: name == guesses.main):
        arguments = {key: value for key, value in inputs.arguments.items() if key != name}
        if arguments:
            yield replace(inputs, arguments=arguments)


def _without_cache(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """Without the cache that forward makes by default."""
    if "use_cache" in inputs.arguments or "use_cache" in inputs.arguments.get(guesses.keywords, ()):
        return
    if "use_cache" in guesses.parameters:
        yield replace(inputs, arguments={**inputs.arguments, "use_cache": False})
    elif guesses.keywords and guesses.settings.first(("use_cache",)):
        yield replace(inputs, arguments={**inputs.arguments, guesses.keywords: {"use_cache": False}})


def _without_key(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """Without what a module does not take, in dicts of arguments."""
    for name, value in inputs.arguments.items():
        if isinstance(value, dict) and found["key"] in value:
            fewer = {key: item for key, item in value.items() if key != found["key"]}
            yield replace(inputs, arguments={**inputs.arguments, name: fewer})


def _with_listed_value(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """One of the numbers that the message offers, for an argument that it names."""
    for name, value in inputs.arguments.items():
        if type(value) is int and holds(refusal.message, name):
            for number in re.findall(r"\d+", found["values"]):
                yield replace(inputs, arguments={**inputs.arguments, name: int(number)})


def _with_longer_list(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """As many tensors in a list as the model has modules in one of its own."""
    for name, value in inputs.arguments.items():
        if isinstance(value, list) and len(value) == 1:
            for length in guesses.lengths_of_lists:
                yield replace(inputs, arguments={**inputs.arguments, name: value * length})


def _as_list(guesses: Guesses, inputs: Inputs, refusal: Refusal, found: Match) -> Iterator[Inputs]:
    """A list of one tensor, of those that are refused."""
    for name in reshaping.blamed(inputs, refusal)[: reshaping.MAX_BLAMED]:
        if isinstance(inputs.arguments[name], TensorSpec):
            yield replace(inputs, arguments={**inputs.arguments, name: [inputs.arguments[name]]})


NEEDS_BATCH = "Expected more than 1 value per channel when training"
"""What torch says of batch normalization that is to train on one sample."""

_Repair = Callable[[Guesses, Inputs, Refusal, Match], Iterator[Inputs]]

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
    (r"<(?P<kind>eos)>", _with_last_tokens),
    (r"at least one (?P<kind>\w+) token", _with_last_tokens),
    (r"three \w+ tokens: (?P<kind>\d+)", _with_last_tokens),
    (r"cannot specify both `?(\w+)`? and `?(\w+)`?", _without_one),
    (r"\bcache\b", _without_cache),
    (r"size \(\d+\*\d+\) doesn't match model \((?P<height>\d+)\*(?P<width>\d+)\)", reshaping.with_size_of_image),
    (r"too small|greater than actual input size|k not in range|Padding size should be less", reshaping.larger),
    (r"multiple of (?P<step>\d+)", reshaping.rounded),
    (NEEDS_BATCH, reshaping.with_batch),
    (NEEDS_INTEGERS, reshaping.with_integers),
    (r"predicate to be bool", reshaping.with_bool_masks),
    (
        r"same dtype, but got:? \S*int\d+ != \S*float|expected a floating-point .*got dtype=\S*int",
        reshaping.with_floats,
    ),
    (r"unexpected keyword argument '(?P<key>\w+)'", _without_key),
    (r"(?:available|supported|one of)[^\[(]*[\[(](?P<values>[\d, ]+)[\])]", _with_listed_value),
    (r"list index out of range", _with_longer_list),
    (r"index (?P<index>\d+) is out of bounds for dimension (?P<place>\d) with size", reshaping.with_index),
    (r"(?:to be|must be|should be|expects) a list", _as_list),
    (r"to have (?P<wanted>\d+) channels, but got (?P<got>\d+) channels", reshaping.with_size),
    (r"channel dimension.* Expected (?P<wanted>\d+) but got (?P<got>\d+)", reshaping.with_size),
    (r"expected (?P<wanted>\d+) [\w ]*channels?, (?:but )?got (?P<got>\d+)", reshaping.with_size),
    (r"tuple index out of range", reshaping.deeper),
    (r"must have shape [\[(]|must be a `\(", reshaping.with_named_shape),
    (r"spatial dimensions of \[[\d, ]+\] and output size of \[(?P<space>[\d, ]+)\]", reshaping.with_space),
    (r"Invalid channel dimensions", reshaping.with_channels),
    (r"values to unpack \(expected (?P<wanted>\d)(?:, got (?P<got>\d))?", reshaping.with_rank),
    (r"input.dim\(\) = (?P<got>\d) is not equal to len\(dims\) = (?P<wanted>\d)", reshaping.with_rank),
    (r"Expected \dD \(unbatched\) or (\d)D \(batched\)", reshaping.with_rank),
    (r"too many indices for tensor of dimension (\d)", reshaping.with_rank),
    (r"Padding size \d is not supported for \dD", reshaping.shallower),
    (r"\b(\d)-?D (?:input )?tensor|ndim == (\d)|only supports (\d)-d", reshaping.with_rank),
    (r"tensors must match\. +Expected \d-D tensors, but got (\d)-D|got \d and (\d)$", reshaping.with_rank),
    *[(pattern, reshaping.with_size) for pattern in _FEATURES],
    (r"reduction dim, but got \[(?P<rows>\d+), \d+\] X \[(?P<wanted>\d+)", reshaping.as_line),
    (r"first two dimensions of batch2", reshaping.as_line),
    (r"to conv1d, but got input of size: \[\d+, \d+, \d+, \d+\]", reshaping.as_line),
    (r": (?P<got>\d+) doesn't correspond to [\w.]+: (?P<wanted>\d+)", reshaping.with_size),
    (r"normalized_shape=\[(?P<wanted>\d+)\].*got input of size\D*\[.*?(?P<got>\d+)\]", reshaping.with_size),
    (r"shape '\[(?P<view>[-\d, ]+)\]' is invalid for input of size", reshaping.with_elements),
    (r"must match except in dimension (?P<free>\d)", reshaping.with_other_shape),
    (r"Expected (?P<wanted>\d+) in dimension \d but got (?P<got>\d+)", reshaping.with_either_size),
    (r"tensor a \((?P<got>\d+)\) must match the size of tensor b \((?P<wanted>\d+)\)", reshaping.with_either_size),
    (r"shape of the mask \[(?P<a>[\d, ]+)\].*indexed tensor \[(?P<b>[\d, ]+)\]", reshaping.with_mask_shape),
    (r"had torch.Size\(\[(?P<a>[\d, ]+)\]\).*broadcastable to \[(?P<b>[\d, ]+)\]", reshaping.with_same_shape),
)
"""What errors say, and what to do about it."""
