"""One call of an ATen operator, for the rules, and what several of them do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from fxsummary.analysis.receptive.along import Axis, Sight, aligned, mixed, slid


@dataclass(frozen=True)
class Call:
    """One call of an operator.

    Attributes:
        arguments: by name, defaults included.
        results: its tensors.
        sights: what a tensor sees, by its ``id``.
        windowed: the dimensions of inputs along which windows slide; rules add to it.
    """

    arguments: Mapping[str, Any]
    results: Sequence[Tensor]
    sights: Mapping[int, Sight]
    windowed: set[Axis] = field(default_factory=set)

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def seen(self, name: str) -> Sight:
        """Return what an argument sees."""
        return self.sights.get(id(self.arguments[name]), {})

    def dims(self, name: str, of: int) -> list[int]:
        """Return the dimensions that an argument names, all of ``of`` if it names none."""
        given = self.arguments.get(name)
        given = [given] if isinstance(given, int) else given
        return [each % max(of, 1) for each in given] if given else list(range(of))


Rule = Callable[[Call], Sight | list[Sight]]
"""Returns what the result sees, or what each of the results sees."""


def slide(call: Call, sight: Sight, dim: int, windows: Sequence[Sequence[int]], step: int, notes: bool = True) -> Sight:
    """Return what windows along a dimension of an argument see; see `fxsummary.analysis.receptive.spans.Span.slid`."""
    if notes:
        call.windowed.update(axis for axis, each in sight.items() if each and each.dim == dim)
    return slid(sight, dim, windows, step, call.results[0].shape[dim])


def and_weight(call: Call, sight: Sight, name: str) -> Sight:
    """Add what a weight sees, which all positions share."""
    weight, shape = call.seen(name), call[name].shape
    if not weight:
        return sight
    return aligned(
        [(sight, call.results[0].shape), (mixed(weight, shape, range(len(shape))), ())], call.results[0].shape
    )
