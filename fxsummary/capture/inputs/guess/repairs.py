"""Repairs for inputs that forward rejected: change tokens, or add and remove arguments.

Each repair yields copies of the inputs with one change. `guesses.REPAIRS` names the functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import nn

from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.inputs.guess.candidates import Guesses, with_dimension
from fxsummary.capture.inputs.guess.error_context import MAX_BLAMED, ErrorContext, blamed, holds
from fxsummary.capture.inputs.guess.guesses import HIDDEN, TOKEN_TYPES
from fxsummary.capture.module_index import modules_of
from fxsummary.graph.spec import TensorSpec, map_structure

MAX_TOKENS = 100_000
"""Maximum length of a text."""

MAX_SIZE = 2**20
"""Maximum size of a dimension."""


@dataclass(frozen=True)
class Case:
    """Inputs that forward rejected, with the error.

    Attributes:
        found: the match of a pattern of `guesses.REPAIRS` in the error message.
    """

    guesses: Guesses
    inputs: Inputs
    error: ErrorContext
    found: re.Match[str]

    @cached_property
    def suspects(self) -> dict[str, TensorSpec]:
        """The arguments that are most likely wrong and are one tensor, alone or in a list."""
        specs = {
            name: only_tensor(self.inputs.arguments[name]) for name in blamed(self.inputs, self.error)[:MAX_BLAMED]
        }
        return {name: spec for name, spec in specs.items() if spec is not None}

    def numbers(self, group: str) -> tuple[int, ...]:
        """Return the numbers in a part of the message; () if the pattern does not have this part."""
        return tuple(map(int, re.findall(r"\d+", self.found.groupdict().get(group) or "")))

    def passing(self, name: str, new: TensorSpec) -> Iterator[Inputs]:
        """Yield the inputs with another tensor for an argument, unless an image would get another size."""
        value = self.inputs.arguments[name]
        old, dims = only_tensor(value), self.guesses.spatial_dims.get(name, 0)
        if old is None or new == old or max(new.shape, default=0) >= MAX_SIZE:
            return
        if dims < 2 or len(new.shape) != len(old.shape) or new.shape[-dims:] == old.shape[-dims:]:
            yield self.inputs.passing({name: new if old is value else [new]})

    def alternatives(self, name: str, suits: Callable[[TensorSpec], bool]) -> Iterator[Inputs]:
        """Yield the inputs with each other shape that an argument's name suggests."""
        for other in self.guesses.alternatives(self.inputs, name):
            value = only_tensor(other.arguments[name])
            if value is not None and suits(value):
                yield other

    def with_all(self, change: Callable[[TensorSpec], TensorSpec]) -> Inputs:
        """Return the inputs with each tensor changed, except those with data."""
        changed = map_structure(lambda v: change(v) if isinstance(v, TensorSpec) else v, dict(self.inputs.arguments))
        return self.inputs.passing({name: v for name, v in changed.items() if name not in self.inputs.values})


def only_tensor(value: object) -> TensorSpec | None:
    """Return the spec if an argument is one tensor, alone or in a list; else None."""
    value = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
    return value if isinstance(value, TensorSpec) else None


# --- tokens ----------------------------------------------------------------------------------------


def with_tokens(case: Case) -> Iterator[Inputs]:
    """Insert as many placeholder tokens for an image (or sound, ...) as it has features."""
    (have,), (features,) = case.numbers("tokens"), case.numbers("features")
    kind = (case.found.groupdict().get("kind") or "image").lower()
    named = re.search(rf"\b({'|'.join(TOKEN_TYPES)})_token_", case.error.code)
    if kind not in TOKEN_TYPES and named is not None:
        kind = named[1]
    names = " | ".join([f"{each}_token_{form}" for each in (kind, "image") for form in ("id", "index")])
    token = next(iter(case.numbers("id")), case.guesses.settings.first(names))
    hidden = case.guesses.settings.first(HIDDEN, "text")
    is_multiple = type(hidden) is int and hidden > 0 and features % hidden == 0
    # some models count the elements of all features
    for count in [features // hidden, features] if is_multiple else [features]:
        if "input_ids" in case.inputs.arguments and type(token) is int and have < count < MAX_TOKENS:
            yield _with_more_tokens(case, count - have, token, kind)


def _with_more_tokens(case: Case, count: int, token: int, kind: str) -> Inputs:
    """Insert a block of tokens after the first, and lengthen all tensors that are as long as the text."""
    ids = case.inputs.arguments["input_ids"]
    length = ids.shape[-1]
    tokens = {"input_ids": token}
    if "mm_token_type_ids" in case.guesses.parameters:
        tokens["mm_token_type_ids"] = TOKEN_TYPES.get(kind, 1)
    data = {}
    for name, value in tokens.items():
        before = case.inputs.values.get(name, torch.zeros(ids.shape, dtype=torch.int64))
        block = torch.full((*ids.shape[:-1], count), value)
        data[name] = torch.cat([before[..., :1], block, before[..., 1:]], -1)
    longer = case.with_all(
        lambda spec: (
            with_dimension(spec, 1, length + count) if (spec.dtype, *spec.shape[1:2]) == ("int64", length) else spec
        )
    )
    return longer.passing(data, ids.device)


def with_last_tokens(case: Case) -> Iterator[Inputs]:
    """Put one or three tokens of the kind that forward looks for at the end."""
    kind, count = case.found["kind"].lower(), 3 if "three" in case.found[0] else 1
    names = f"{kind}_token_id | {kind}_token_index"
    token = int(kind) if kind.isdigit() else case.guesses.settings.first(names, "text")
    ids = case.inputs.arguments.get("input_ids")
    if isinstance(ids, TensorSpec) and type(token) is int and "input_ids" not in case.inputs.values:
        values = torch.zeros(ids.shape, dtype=torch.int64)
        values[..., -count:] = token
        yield case.inputs.passing({"input_ids": values}, ids.device)


# --- arguments -------------------------------------------------------------------------------------


def without_one(case: Case) -> Iterator[Inputs]:
    """Leave out one of two arguments; try the main one last."""
    passed = case.inputs.arguments
    names = [name for name in case.found.groups() if name in passed]
    for name in sorted(names, key=lambda name: name == case.guesses.main) if len(passed) > 1 else ():
        yield replace(case.inputs, arguments={key: value for key, value in passed.items() if key != name})


def without_cache(case: Case) -> Iterator[Inputs]:
    """Disable the cache that forward creates by default."""
    guesses, passed = case.guesses, case.inputs.arguments
    if "use_cache" in passed or "use_cache" in passed.get(guesses.keywords, ()):
        return
    if "use_cache" in guesses.parameters:
        yield case.inputs.passing({"use_cache": False})
    elif guesses.keywords and guesses.settings.first("use_cache"):
        yield case.inputs.passing({guesses.keywords: {"use_cache": False}})


def without_key(case: Case) -> Iterator[Inputs]:
    """Leave out a key that a module does not accept from a dict of arguments."""
    for name, value in case.inputs.arguments.items():
        if isinstance(value, dict) and case.found["key"] in value:
            yield case.inputs.passing({name: {key: v for key, v in value.items() if key != case.found["key"]}})


def with_listed_value(case: Case) -> Iterator[Inputs]:
    """Try each number that the message lists, for an argument that it names."""
    for name, value in case.inputs.arguments.items():
        if type(value) is int and holds(case.error.message, name):
            for number in case.numbers("values"):
                yield case.inputs.passing({name: number})


def with_longer_list(case: Case) -> Iterator[Inputs]:
    """Pass as many tensors in a list as one of the model's module lists has modules."""
    for name, value in case.inputs.arguments.items():
        if isinstance(value, list) and len(value) == 1:
            lists = [module for module in modules_of(case.guesses.model) if isinstance(module, nn.ModuleList)]
            for length in sorted({len(each) for each in lists}, reverse=True):
                yield case.inputs.passing({name: value * length})
