"""Links: how one copy of a run corresponds to the copy before it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Link = tuple[str, object]
"""How a value that a copy reads from elsewhere corresponds to that of the copy before."""

UNEXPECTED = ("own", "part", "inside the previous")
"""Links that two copies do not make a run with: a third one must confirm them."""

Step = int | Literal["rises", "falls"]
"""How a number differs from that of the copy before."""


class Links(NamedTuple):
    """How a copy corresponds to the one before it; equal for all copies of a run.

    Attributes:
        steps: by how much each integer is greater, and which way each float goes; () if all are equal.
        shares: for each operation with parameters or buffers, whether both read the same ones.
        values: the links of the values that it reads from elsewhere.
    """

    steps: tuple[Step, ...]
    shares: tuple[bool, ...]
    values: tuple[Link, ...]


def step_of(before: float, after: float) -> Step:
    """Return how a number differs from the one before.

    >>> step_of(2, 5), step_of(0.9, 0.8), step_of(0.5, 0.5)
    (3, 'falls', 0)
    """
    if isinstance(before, int) and isinstance(after, int):
        return after - before
    return 0 if before == after else "rises" if after > before else "falls"
