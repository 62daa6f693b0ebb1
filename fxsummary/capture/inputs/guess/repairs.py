"""Repairs for inputs that forward rejected: change tokens, or add and remove arguments.

Each repair yields copies of the inputs with one change. `guesses.REPAIRS` names the functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace

import torch

from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.inputs.guess.candidates import Guesses
from fxsummary.capture.inputs.guess.error_context import ErrorContext, blamed, holds
from fxsummary.capture.inputs.guess.guesses import HIDDEN, TOKEN_TYPES
from fxsummary.graph.spec import TensorSpec, contiguous, map_structure

MAX_TOKENS = 100_000
"""Maximum length of a text."""

MAX_BLAMED = 3
"""Number of suspected inputs to change, one after the other."""

MAX_SIZE = 2**20
"""Maximum size of a dimension."""

Shape = tuple[int, ...]
Change = Callable[[TensorSpec], "TensorSpec | None"]


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

    @property
    def blamed(self) -> list[str]:
        """The arguments that are most likely wrong."""
        return blamed(self.inputs, self.error)[:MAX_BLAMED]

    def number(self, group: str) -> int:
        """Return a number in the message."""
        return int(self.found[group])

    def numbers(self, group: str) -> Shape:
        """Return the numbers in a part of the message."""
        return tuple(map(int, re.findall(r"\d+", self.found[group])))

    def each(self, change: Change, names: Iterable[str] | None = None) -> Iterator[Inputs]:
        """Yield the inputs with one of the blamed arguments changed; the spatial size of images stays the same."""
        for name in self.blamed if names is None else names:
            value = self.inputs.arguments[name]
            spec = only_tensor(value)
            new = change(spec) if spec is not None else None
            if new is None or spec is None or new == spec or any(size >= MAX_SIZE for size in new.shape):
                continue
            dims = self.guesses.spatial_dims.get(name, 0)
            if dims < 2 or len(new.shape) != len(spec.shape) or new.shape[-dims:] == spec.shape[-dims:]:
                values = {key: given for key, given in self.inputs.values.items() if key != name}
                arguments = {**self.inputs.arguments, name: new if spec is value else [new]}
                yield replace(self.inputs, arguments=arguments, values=values, given=None)

    def alternatives(self, name: str, suits: Callable[[TensorSpec], bool]) -> Iterator[Inputs]:
        """Yield the inputs with each other shape that an argument's name suggests."""
        for other in self.guesses.alternatives(self.inputs, name):
            value = only_tensor(other.arguments[name])
            if value is not None and suits(value):
                yield other

    def rank(self, name: str) -> int:
        """Return the number of dimensions of an argument, -1 if it is not a tensor."""
        spec = only_tensor(self.inputs.arguments[name])
        return len(spec.shape) if spec is not None else -1


def only_tensor(value: object) -> TensorSpec | None:
    """Return the spec if an argument is one tensor, alone or in a list; else None."""
    value = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
    return value if isinstance(value, TensorSpec) else None


def changed(inputs: Inputs, change: Callable[[TensorSpec], TensorSpec], keep: Container[str] = ()) -> Inputs:
    """Return the inputs with each spec changed, except in some arguments."""
    arguments = {
        name: value if name in keep else map_structure(lambda v: change(v) if isinstance(v, TensorSpec) else v, value)
        for name, value in inputs.arguments.items()
    }
    return replace(inputs, arguments=arguments, given=None)


def shaped(spec: TensorSpec, *shape: int) -> TensorSpec:
    """Return the spec with another shape."""
    return contiguous(shape, spec.dtype, spec.device)


def resized(inputs: Inputs, size: tuple[int, int]) -> Inputs:
    """Return the inputs with images of another size."""
    return changed(inputs, lambda spec: shaped(spec, *spec.shape[:-2], *size) if is_image(spec) else spec)


def is_image(spec: TensorSpec) -> bool:
    """Whether a tensor may be a batch of images."""
    return len(spec.shape) > 3 and is_float(spec)


def is_float(spec: TensorSpec) -> bool:
    """Whether a tensor holds floating-point numbers."""
    return "float" in spec.dtype


# --- tokens ----------------------------------------------------------------------------------------


def with_tokens(case: Case) -> Iterator[Inputs]:
    """Insert as many placeholder tokens for an image (or sound, ...) as it has features."""
    have, features = case.number("tokens"), case.number("features")
    hidden = case.guesses.settings.first(HIDDEN, "text")
    counts = [features]
    if type(hidden) is int and hidden > 0 and features % hidden == 0:
        counts.insert(0, features // hidden)  # some models count the elements of all features
    groups = case.found.groupdict()
    kind = _kind(groups.get("kind") or "image", case.error)
    names = " | ".join([f"{each}_token_{form}" for each in (kind, "image") for form in ("id", "index")])
    token = int(groups["id"]) if groups.get("id") else case.guesses.settings.first(names)
    if "input_ids" in case.inputs.arguments and type(token) is int:
        for count in counts:
            if have < count < MAX_TOKENS:
                yield _with_more_tokens(case, count - have, token, kind)


def _kind(said: str, error: ErrorContext) -> str:
    """Return the kind of tokens named in the message, or else in the lines that raised it."""
    named = re.search(rf"\b({'|'.join(TOKEN_TYPES)})_token_", error.code)
    return named[1] if said.lower() not in TOKEN_TYPES and named is not None else said.lower()


def _with_more_tokens(case: Case, count: int, token: int, kind: str) -> Inputs:
    """Insert a block of tokens after the first, and lengthen all tensors that are as long as the text."""
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
    """Put one or three tokens of the kind that forward looks for at the end."""
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
        yield _with(case.inputs, use_cache=False)
    elif guesses.keywords and guesses.settings.first("use_cache"):
        yield _with(case.inputs, **{guesses.keywords: {"use_cache": False}})


def without_key(case: Case) -> Iterator[Inputs]:
    """Leave out a key that a module does not accept from a dict of arguments."""
    for name, value in case.inputs.arguments.items():
        if isinstance(value, dict) and case.found["key"] in value:
            yield _with(case.inputs, **{name: {key: v for key, v in value.items() if key != case.found["key"]}})


def with_listed_value(case: Case) -> Iterator[Inputs]:
    """Try each number that the message lists, for an argument that it names."""
    for name, value in case.inputs.arguments.items():
        if type(value) is int and holds(case.error.message, name):
            for number in case.numbers("values"):
                yield _with(case.inputs, **{name: number})


def with_longer_list(case: Case) -> Iterator[Inputs]:
    """Pass as many tensors in a list as one of the model's module lists has modules."""
    for name, value in case.inputs.arguments.items():
        if isinstance(value, list) and len(value) == 1:
            for length in case.guesses.lengths_of_lists:
                yield _with(case.inputs, **{name: value * length})


def as_list(case: Case) -> Iterator[Inputs]:
    """Pass a list with one tensor instead of the tensor."""
    for name in case.blamed:
        if isinstance(case.inputs.arguments[name], TensorSpec):
            yield _with(case.inputs, **{name: [case.inputs.arguments[name]]})
