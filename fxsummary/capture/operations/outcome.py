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
class Base:
    """The memory of an output that does not fill memory of its own.

    Attributes:
        number: equal for outputs of one operation that share memory.
        nbytes: size of the memory.
        offset: elements from its start to the output.
    """

    number: int
    nbytes: int
    offset: int


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
        bases: for each tensor of `value` its memory, None for an alias; () if each new tensor fills memory of its own.
        workspace: bytes that it holds for a time beyond its inputs and outputs; None if unknown.
        most_workspace: the most that it may hold if that is unknown; None if nothing is known.
    """

    value: Any
    flops: int | None = 0
    unknown: tuple[str, ...] = ()
    aliases: tuple[Alias | None, ...] = ()
    writes: tuple[int, ...] = ()
    assumed: bool = False
    bases: tuple[Base | None, ...] = ()
    workspace: int | None = 0
    most_workspace: int | None = None
