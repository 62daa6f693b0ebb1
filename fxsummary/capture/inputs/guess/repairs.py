"""Reads the error of a forward that refused its inputs, and suggests other inputs.

Each repair yields the inputs with one change: its docstring says which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.inputs.guess import reshaping
from fxsummary.capture.inputs.guess.candidates import Guesses
from fxsummary.capture.inputs.guess.case import Case, changed, shaped
from fxsummary.capture.inputs.guess.error_context import ErrorContext, holds
from fxsummary.capture.inputs.guess.guesses import ARGUMENTS, FEATURES, HIDDEN, REPAIRS, TOKEN_TYPES, VIEWS
from fxsummary.graph.spec import TensorSpec

MAX_TOKENS = 100_000
"""A text is not made longer than this."""


def repaired(guesses: Guesses, inputs: Inputs, error: ErrorContext) -> Iterator[Inputs]:
    """Yield what an error suggests instead of these inputs, the likeliest first."""
    for pattern, name in REPAIRS:
        found = re.search(pattern, error.message, re.IGNORECASE | re.DOTALL)
        if found is not None:
            yield from repair_named(name)(Case(guesses, inputs, error, found))
    for name in _missing(guesses, inputs, error):
        yield from guesses.alternatives(inputs, name)
    found = re.search("cache", error.source) or re.search(r"\wCache\(", error.code)
    if found is not None:
        yield from without_cache(Case(guesses, inputs, error, found))


def repair_named(name: str) -> Callable[[Case], Iterator[Inputs]]:
    """Return the function that a row of `REPAIRS` names."""
    found: Callable[[Case], Iterator[Inputs]] = globals().get(name) or getattr(reshaping, name)
    return found


def compare_features(error: ErrorContext) -> int | None:
    """Return 1 if a linear layer or a view got too many features, -1 if too few, None if something else is wrong."""
    for pattern in (*FEATURES, VIEWS):
        found = re.search(pattern, error.message)
        if found is not None:
            got, wanted = int(found["got"]), int(found["wanted"])
            return (got > wanted) - (got < wanted)
    return None


def _missing(guesses: Guesses, inputs: Inputs, error: ErrorContext) -> Iterator[str]:
    """Yield arguments that were not passed, but that the error names or that are None where it was raised."""
    names = [name for name in guesses.parameters if name not in inputs.arguments]
    yield from (name for name in names if name in ARGUMENTS and holds(error.message, name))
    for step in error.steps if re.search("NoneType(?!.* not callable)", error.message) else error.steps[:1]:
        absent = [name for name in names if name in step.absent and holds(step.text, name)]
        if absent:
            yield from absent
            return


# --- tokens ----------------------------------------------------------------------------------------


def with_tokens(case: Case) -> Iterator[Inputs]:
    """As many placeholder tokens of an image (or sound, ...) as it has features."""
    have, features = case.number("tokens"), case.number("features")
    hidden = case.guesses.settings.first(HIDDEN, "text")
    counts = [features]
    if type(hidden) is int and hidden > 0 and features % hidden == 0:
        counts.insert(0, features // hidden)  # some count the elements of all features
    groups = case.found.groupdict()
    kind = _kind(groups.get("kind") or "image", case.error)
    names = " | ".join([f"{each}_token_{form}" for each in (kind, "image") for form in ("id", "index")])
    token = int(groups["id"]) if groups.get("id") else case.guesses.settings.first(names)
    if "input_ids" in case.inputs.arguments and type(token) is int:
        for count in counts:
            if have < count < MAX_TOKENS:
                yield _with_more_tokens(case, count - have, token, kind)


def _kind(said: str, error: ErrorContext) -> str:
    """Return the kind of tokens that the message names, or else the lines that raised it."""
    named = re.search(rf"\b({'|'.join(TOKEN_TYPES)})_token_", error.code)
    return named[1] if said.lower() not in TOKEN_TYPES and named is not None else said.lower()


def _with_more_tokens(case: Case, count: int, token: int, kind: str) -> Inputs:
    """Insert a block of tokens after the first; tensors as long as the text grow with it."""
    ids = case.inputs.arguments["input_ids"]
    length = ids.shape[-1]

    def longer(spec: TensorSpec) -> TensorSpec:
        if spec.dtype != "int64" or spec.shape[1:2] != (length,):
            return spec
        return shaped(spec, spec.shape[0], length + count, *spec.shape[2:])

    better = changed(case.inputs, longer)
    tokens = {"input_ids": token}
    if "mm_token_type_ids" in case.guesses.parameters:
        tokens["mm_token_type_ids"] = TOKEN_TYPES.get(kind, 1)
    values = dict(better.values)
    for name, value in tokens.items():
        before = values.get(name, torch.zeros(ids.shape, dtype=torch.int64))
        block = torch.full((*ids.shape[:-1], count), value)
        values[name] = torch.cat([before[..., :1], block, before[..., 1:]], -1)
    arguments = {**better.arguments, **dict.fromkeys(tokens, better.arguments["input_ids"])}
    return replace(better, arguments=arguments, values=values)


def with_last_tokens(case: Case) -> Iterator[Inputs]:
    """One token, or three, of the kind that forward looks for, at the end."""
    kind, count = case.found["kind"].lower(), 3 if "three" in case.found[0] else 1
    names = f"{kind}_token_id | {kind}_token_index"
    token = int(kind) if kind.isdigit() else case.guesses.settings.first(names, "text")
    ids = case.inputs.arguments.get("input_ids")
    if isinstance(ids, TensorSpec) and type(token) is int and "input_ids" not in case.inputs.values:
        values = torch.zeros(ids.shape, dtype=torch.int64)
        values[..., -count:] = token
        yield replace(case.inputs, values={**case.inputs.values, "input_ids": values})


# --- arguments -------------------------------------------------------------------------------------


def _with(inputs: Inputs, **arguments: object) -> Inputs:
    return replace(inputs, arguments={**inputs.arguments, **arguments})


def without_one(case: Case) -> Iterator[Inputs]:
    """Without one of two arguments, the main one last."""
    passed = case.inputs.arguments
    names = [name for name in case.found.groups() if name in passed]
    for name in sorted(names, key=lambda name: name == case.guesses.main) if len(passed) > 1 else ():
        yield replace(case.inputs, arguments={key: value for key, value in passed.items() if key != name})


def without_cache(case: Case) -> Iterator[Inputs]:
    """Without the cache that forward makes by default."""
    guesses, passed = case.guesses, case.inputs.arguments
    if "use_cache" in passed or "use_cache" in passed.get(guesses.keywords, ()):
        return
    if "use_cache" in guesses.parameters:
        yield _with(case.inputs, use_cache=False)
    elif guesses.keywords and guesses.settings.first("use_cache"):
        yield _with(case.inputs, **{guesses.keywords: {"use_cache": False}})


def without_key(case: Case) -> Iterator[Inputs]:
    """Without the key of a dict of arguments that a module does not take."""
    for name, value in case.inputs.arguments.items():
        if isinstance(value, dict) and case.found["key"] in value:
            yield _with(case.inputs, **{name: {key: v for key, v in value.items() if key != case.found["key"]}})


def with_listed_value(case: Case) -> Iterator[Inputs]:
    """One of the numbers that the message offers, for an argument that it names."""
    for name, value in case.inputs.arguments.items():
        if type(value) is int and holds(case.error.message, name):
            for number in case.numbers("values"):
                yield _with(case.inputs, **{name: number})


def with_longer_list(case: Case) -> Iterator[Inputs]:
    """As many tensors in a list as the model has modules in one of its lists."""
    for name, value in case.inputs.arguments.items():
        if isinstance(value, list) and len(value) == 1:
            for length in case.guesses.lengths_of_lists:
                yield _with(case.inputs, **{name: value * length})


def as_list(case: Case) -> Iterator[Inputs]:
    """A list of one tensor in place of the tensor."""
    for name in case.blamed:
        if isinstance(case.inputs.arguments[name], TensorSpec):
            yield _with(case.inputs, **{name: [case.inputs.arguments[name]]})
