"""Inputs that forward refused, with its error, and how to change them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
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
    def changed(inputs: Inputs, change: Callable[[TensorSpec], TensorSpec]) -> Inputs:
    """Return the inputs with each spec changed."""
    arguments = map_structure(lambda v: change(v) if isinstance(v, TensorSpec) else v, dict(inputs.arguments))
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


def in_pairs(inputs: Inputs) -> Inputs:
    """Return the inputs with a batch of 2 in place of 1."""
    return changed(inputs, lambda spec: shaped(spec, 2, *spec.shape[1:]) if spec.shape[:1] == (1,) else spec)
