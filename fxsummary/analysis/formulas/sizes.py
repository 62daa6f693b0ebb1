"""The sizes of inputs: which dimensions have names, and where to start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from fxsummary.api import graph
from fxsummary.capture.inputs.example import forward_signature
from fxsummary.capture.module_index import unwrapped
from fxsummary.errors import FxsummaryError, InputError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import TensorSpec

Shape = tuple[int | str, ...]
Sizes = Mapping[str, int]

BATCH, SEQUENCE, IMAGE, FEATURES = "batch", "sequence", "image", "features"
_STARTS = {BATCH: (1,), SEQUENCE: (64, 16, 512), IMAGE: (224, 64, 32, 256, 512), FEATURES: (64, 16, 16000)}
"""Sizes to start with if they cannot be inferred, by role."""


@dataclass(frozen=True)
class Named:
    """Inputs whose dimensions are numbers or names.

    Attributes:
        shapes: the shape of each input, by name.
        start: a size that forward accepts, by name.
        roles: `BATCH`, `SEQUENCE`, `IMAGE` or `FEATURES`, by name.
        dtypes: dtypes by input; None for those of `fxsummary.graph`.
        by_name: whether the inputs are passed by name.
        is_inferred: whether the names are made up, so that a size may be fixed if forward refuses others.
    """

    shapes: Mapping[str, Shape]
    start: Sizes
    roles: Mapping[str, str]
    dtypes: Any = None
    by_name: bool = True
    is_inferred: bool = False

    def key(self, sizes: Sizes) -> tuple[tuple[int, ...], ...]:
        """Return the shapes of the inputs with these sizes."""
        return tuple([
            tuple([each if isinstance(each, int) else sizes[each] for each in shape]) for shape in self.shapes.values()
        ])  # fmt: skip

    def at(self, sizes: Sizes) -> dict[str, Any]:
        """Return the arguments of `fxsummary.graph` for the inputs with these sizes."""
        shapes = self.key(sizes)
        found = dict(zip(self.shapes, shapes, strict=True)) if self.by_name else list(shapes)
        return {"input_shape": found, "input_dtype": self.dtypes}

    def typed(self, captured: ModelGraph) -> Named:
        """Return the inputs with the dtypes that a capture found, because to infer them again takes several runs."""
        specs = captured.inputs
        if any(spec is None for spec in specs.values()) or (self.by_name and list(specs) != list(self.shapes)):
            return self
        dtypes = {name: spec.dtype for name, spec in specs.items() if spec is not None}
        if len(dtypes) != len(self.shapes):
            return self
        return replace(self, dtypes=dtypes if self.by_name else list(dtypes.values()))

    def starting(self, sizes: Sizes) -> Named:
        """Return the inputs with these sizes to start with."""
        return replace(self, start=dict(sizes))

    def renamed(self, names: Mapping[str, int | str]) -> Named:
        """Return the inputs with sizes fixed at numbers, or tied to other names."""
        shapes = {
            key: tuple([names.get(each, each) if isinstance(each, str) else each for each in shape])
            for key, shape in self.shapes.items()
        }
        return replace(self, shapes=shapes, start={each: n for each, n in self.start.items() if each not in names})


def inferred(captured: ModelGraph) -> Named:
    """Return the inputs of a graph with names for their batch, their sequences and the sides of their images."""
    specs = {name: spec for name, spec in captured.inputs.items() if spec is not None}
    names = _Names(specs)
    shapes = {name: tuple(names.of(name, spec)) for name, spec in specs.items()}
    dtypes = {name: spec.dtype for name, spec in specs.items()}
    return Named(shapes, names.start, names.roles, dtypes, is_inferred=True)


class _Names:
    """Gives names to dimensions; equal names for equal sizes with the same role."""

    def __init__(self, specs: Mapping[str, TensorSpec]) -> None:
        self.start: dict[str, int] = {}
        self.roles: dict[str, str] = {}
        self._batch = next((spec.shape[0] for spec in specs.values() if spec.shape), None)
        self._has_decoder = any(name.startswith(_DECODER) for name in specs) and len(specs) > 1

    def of(self, name: str, spec: TensorSpec) -> Iterator[int | str]:
        for place, size in enumerate(spec.shape):
            role = role_of(place, len(spec.shape), spec.is_index)
            options = _NAMES.get(role, "")
            if role == BATCH and size != self._batch:
                options = ""
            if role == IMAGE:
                options = options[place - len(spec.shape) + 2]
            if role == SEQUENCE and self._has_decoder:
                options = "T" if name.startswith(_DECODER) else "S"
            yield self._named(options, role, size) if options else size

    def _named(self, options: str, role: str, size: int) -> int | str:
        """Return the first of these names that is free or has this size; the size if there is none."""
        for option in options:
            if self.start.setdefault(option, size) == size:
                self.roles[option] = role
                return option
        return size


_DECODER = "decoder_"
_NAMES = {BATCH: "B", SEQUENCE: "TSUV", IMAGE: "HW", FEATURES: "LMN"}


def role_of(place: int, rank: int, is_index: bool) -> str:
    """Return the role of a dimension of an input; "" for channels. Features may be samples of sound, and so vary.

    >>> [role_of(place, 4, False) for place in range(4)], [role_of(place, 2, True) for place in range(2)]
    (['batch', '', 'image', 'image'], ['batch', 'sequence'])
    """
    if place == 0:
        return BATCH
    if is_index:
        return SEQUENCE if place == 1 else ""
    if rank >= 4 and place >= rank - 2:
        return IMAGE
    if rank == 3 and place == 1:
        return SEQUENCE
    return FEATURES if rank <= 3 else ""


def given(model: nn.Module, shapes: object, dtypes: object) -> Named:
    """Return inputs with the names that were given.

    Raises:
        InputError: a dimension is neither a size nor a name.
    """
    by_name = isinstance(shapes, Mapping)
    each = list(shapes.values()) if isinstance(shapes, Mapping) else _listed(shapes)
    for shape in each:
        _check(shape, shapes)
    parameters = [*forward_signature(unwrapped(model)).parameters, *map(str, range(len(each)))]
    keys = list(shapes) if isinstance(shapes, Mapping) else parameters[: len(each)]
    found = {key: tuple(shape) for key, shape in zip(keys, each, strict=True)}
    roles: dict[str, str] = {}
    for shape in found.values():
        for place, name in enumerate(shape):
            if isinstance(name, str):
                roles.setdefault(name, role_of(place, len(shape), len(shape) == 2) or SEQUENCE)
    if not roles:
        raise InputError(f"input_shape={shapes!r} has no name of a size: write names such as ('B', 3, 'H', 'W').")
    return Named(found, {}, roles, dtypes, by_name)


def _listed(shapes: object) -> list[Any]:
    if not isinstance(shapes, (tuple, list)):
        return [shapes]
    return list(shapes) if shapes and all(isinstance(each, (tuple, list)) for each in shapes) else [shapes]


def _check(shape: object, shapes: object) -> None:
    good = isinstance(shape, (tuple, list)) and all(
        (type(each) is int and each >= 0) or (isinstance(each, str) and each.isidentifier()) for each in shape
    )
    if not good:
        raise InputError(
            f"input_shape={shapes!r} is neither a shape such as ('B', 3, 'H', 'W'), nor a list or a dict of shapes: "
            "a dimension is a size of 0 or more, or the name of one."
        )


def starts(model: nn.Module, named: Named, options: Mapping[str, Any]) -> Iterator[Sizes]:
    """Yield sizes to start with: those that fxsummary infers, then usual ones."""
    found: dict[str, int] = {}
    try:
        inputs = graph(model, **options).inputs
    except FxsummaryError:
        inputs = {}
    specs = list(inputs.values())
    for place, (key, shape) in enumerate(named.shapes.items()):
        spec = inputs.get(key) or (specs[place] if not named.by_name and place < len(specs) else None)
        if spec is not None and len(spec.shape) == len(shape):
            for name, size in zip(shape, spec.shape, strict=True):
                if isinstance(name, str):
                    found.setdefault(name, size)
    for attempt in range(max(map(len, _STARTS.values()))):
        usual = {name: _STARTS[role][min(attempt, len(_STARTS[role]) - 1)] for name, role in named.roles.items()}
        yield {**usual, **(found if attempt == 0 else {})}
