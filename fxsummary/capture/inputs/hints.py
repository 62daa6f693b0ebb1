"""What is often meant by inputs that do not fit forward; said at the end of the error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import torch

from fxsummary.capture.inputs.example import is_shape
from fxsummary.capture.inputs.guess.guesses import NEEDS_INTEGERS
from fxsummary.errors import FxsummaryError


def add_hints(error: FxsummaryError, args: Sequence[object]) -> None:
    """Add to an error what its inputs suggest."""
    hints = [*_of_arguments(args), *_of_dtype(str(error))]
    if hints:
        error.args = ("\n  ".join([str(error), *hints]),)


def _of_arguments(args: Sequence[object]) -> Iterator[str]:
    if args and all(map(is_shape, args)) and all(args):
        yield f"Did you mean input_shape={args[0] if len(args) == 1 else list(args)}?"
    elif len(args) == 1 and isinstance(args[0], (list, tuple)) and set(map(type, args[0])) == {torch.Tensor}:
        yield f"The input is a {type(args[0]).__name__} of tensors. To pass them as inputs of forward, write *inputs."


def _of_dtype(message: str) -> Iterator[str]:
    if re.search(NEEDS_INTEGERS, message):
        yield (
            "Indices are integers: pass an int64 tensor, or the dtype with a shape, "
            'such as input_dtype="int64" or 2x12:int64.'
        )
