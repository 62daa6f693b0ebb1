"""What is often meant by inputs that do not fit forward; said at the end of the error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from fxsummary.capture.inputs.guess.guesses import NEEDS_INTEGERS
from fxsummary.errors import FxsummaryError


def add_hints(error: FxsummaryError, args: Sequence[Any]) -> None:
    """Add to an error what its inputs suggest."""
    hints = [*_of_arguments(args), *_of_dtype(str(error))]
    if hints:
        error.args = ("\n  ".join([str(error), *hints]),)


def _of_arguments(args: Sequence[Any]) -> Iterator[str]:
    if args and all(map(_is_shape, args)):
        shapes = args[0] if len(args) == 1 else list(args)
        yield f"Did you mean input_shape={shapes}?"
    elif len(args) == 1 and isinstance(args[0], (list, tuple)) and _holds_tensors(args[0]):
        yield f"The input is a {type(args[0]).__name__} of tensors. To pass them as inputs of forward, write *inputs."


def _is_shape(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and bool(value) and all(type(size) is int for size in value)


def _holds_tensors(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, torch.Tensor) for value in values)


def _of_dtype(message: str) -> Iterator[str]:
    if re.search(NEEDS_INTEGERS, message):
        yield (
            "Indices are integers: pass an int64 tensor, or the dtype with a shape, "
            'such as input_dtype="int64" or 2x12:int64.'
        )
