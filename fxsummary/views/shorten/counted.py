"""Texts whose integers count up from copy to copy, such as the index of a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fxsummary.views.fold.symbols import NUMBER


class Counted(NamedTuple):
    """A text for each copy: the pieces around its numbers, the numbers of the first copy, and the steps from it on."""

    pieces: Sequence[str]
    numbers: Sequence[str]
    steps: Sequence[int]

    def at(self, copy: int) -> str:
        """Return the text of a copy, 0 for the first."""
        texts = (
            str(int(each) + copy * step) if step else each for each, step in zip(self.numbers, self.steps, strict=True)
        )
        return "".join(part for pair in zip(self.pieces, (*texts, ""), strict=True) for part in pair)


def counted(before: str, after: str) -> Counted | None:
    """Return the texts that go on as from one copy to the next; None if more than integers differ.

    >>> counted("%, (:, 3), 0.5", "%, (:, 5), 0.5").at(2)
    '%, (:, 7), 0.5'
    >>> counted("%, 0.5", "%, 0.6"), counted("a", "b")
    (None, None)
    """
    pieces, numbers, others = NUMBER.split(before), NUMBER.findall(before), NUMBER.findall(after)
    if pieces != NUMBER.split(after):
        return None
    if any(one != other and not _are_integers(one, other) for one, other in zip(numbers, others, strict=True)):
        return None
    steps = [0 if one == other else int(other) - int(one) for one, other in zip(numbers, others, strict=True)]
    found = Counted(pieces, numbers, steps)
    return found if found.at(1) == after else None


def _are_integers(*texts: str) -> bool:
    return all(text.lstrip("-").isdecimal() for text in texts)
