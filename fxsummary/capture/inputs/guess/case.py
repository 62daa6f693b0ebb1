"""Inputs that forward refused, with its error, and how to change them."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace

from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.inputs.guess.candidates import Guesses
from fxsummary.capture.inputs.guess.error_context import ErrorContext, blamed
from fxsummary.graph.spec import TensorSpec, contiguous, map_structure

MAX_BLAMED = 3
"""How many of the inputs that may be wrong to change in turn."""

MAX_SIZE = 2**20
"""No dimension is made larger than this."""

Shape = tuple[int, ...]
Change = Callable[[TensorSpec], "TensorSpec | None"]


@dataclass(frozen=True)
class Case:
    """Inputs that forward refused, with its error.

    Attributes:
        found: the match of the row of `guesses.REPAIRS` in the message.
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
        """A number in the message."""
        return int(self.found[group])

    def numbers(self, group: str) -> Shape:
        """The numbers in a part of the message."""
        return tuple(map(int, re.findall(r"\d+", self.found[group])))

    def each(self, change: Change, names: Iterable[str] | None = None) -> Iterator[Inputs]:
        """Yield the inputs with one of the blamed arguments changed, if it can be; an image keeps its form."""
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
        """Yield the inputs with another shape that the name of an argument suggests."""
        for other in self.guesses.alternatives(self.inputs, name):
            value = only_tensor(other.arguments[name])
            if value is not None and suits(value):
                yield other

    def rank(self, name: str) -> int:
        """Number of dimensions of an argument, -1 if it is not a tensor."""
        spec = only_tensor(self.inputs.arguments[name])
        return len(spec.shape) if spec is not None else -1


def only_tensor(value: object) -> TensorSpec | None:
    """Return the spec that an argument is, alone or in a list; else None."""
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
    """Whether a tensor may be an image or several."""
    return len(spec.shape) > 3 and is_float(spec)


def is_float(spec: TensorSpec) -> bool:
    """Whether a tensor holds floating-point numbers."""
    return "float" in spec.dtype
