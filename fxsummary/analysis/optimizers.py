"""What optimizers keep between steps, as ``torch.optim`` implements them; the counters of steps are left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from fxsummary.graph.spec import TensorSpec

State = Callable[[TensorSpec], int]
"""Returns the number of elements that an optimizer keeps for a parameter."""


def adafactor(spec: TensorSpec) -> int:
    """Return the elements of the factors: one for each row and each column of a matrix.

    >>> adafactor(TensorSpec((3, 4), "float32")), adafactor(TensorSpec((5,), "float32"))
    (7, 5)
    """
    if len(spec.shape) < 2:
        return spec.numel
    *batch, rows, columns = spec.shape
    return math.prod(batch) * (rows + columns)


OPTIMIZERS: Mapping[str, State] = {
    "adamw": lambda spec: 2 * spec.numel,
    "adam": lambda spec: 2 * spec.numel,
    "momentum": lambda spec: spec.numel,
    "sgd": lambda spec: 0,
    "adafactor": adafactor,
}
"""Elements of state by name; "momentum" is SGD with momentum."""
