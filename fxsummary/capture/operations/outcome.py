"""What one operation yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Alias:
    """An output that shares memory with an input.

    Attributes:
        index: position of the input among the tensors of the arguments.
        offset: elements between the two; None if the output is the input itself.
    """

    index: int
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one operation yields.

    Attributes:
        value: its result, with a `TensorSpec` for each tensor; `UNKNOWN` if it could not be computed.
        flops: FLOPs of the matrix-product family; None if they could not be counted.
        unknown: operators with unknown FLOPs that it called.
        aliases: for each tensor of `value`, the input whose memory it shares; () if none does.
        writes: positions, among the tensors of the arguments, of those written in place.
        assumed: whether it depends on assumed values.
    """

    value: Any
    flops: int | None = 0
    unknown: tuple[str, ...] = ()
    aliases: tuple[Alias | None, ...] = ()
    writes: tuple[int, ...] = ()
    assumed: bool = False
