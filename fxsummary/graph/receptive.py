"""Records of receptive fields: which part of an input each position of an operation's result sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from fxsummary.errors import UnknownNameError
from fxsummary.support.registry import unknown
from fxsummary.text.numbers import UNKNOWN, shape


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What one position of a result sees of one input, by spatial dimension of the input.

    Attributes:
        size: the number of input positions from the first to the last that it sees, padding included: the most over
            all positions of the result.
        stride: the input positions from one position of the result to the next; 0 if all see the same, None if the
            steps differ.
        start: the first input position that the first position of the result sees; negative inside the padding.
        of: the sizes of the input.
    """

    size: tuple[int, ...]
    stride: tuple[Fraction | None, ...]
    start: tuple[int, ...]
    of: tuple[int, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every position sees the whole input."""
        return self.size == self.of and not any(self.start) and set(self.stride) == {Fraction(0)}

    def __str__(self) -> str:
        """Return size and stride, such as ``91×91 /8``; "all" for the whole input.

        >>> str(ReceptiveField((91, 91), (Fraction(8),) * 2, (-41, -41), (224, 224)))
        '91×91 /8'
        >>> str(ReceptiveField((9, 5), (Fraction(2), Fraction(1, 2)), (0, 0), (28, 28)))
        '9×5 /2×0.5'
        """
        if self.is_whole:
            return "all"
        steps = [UNKNOWN if each is None else f"{float(each):.4g}" for each in self.stride]
        told = f" /{'×'.join(dict.fromkeys(steps) if len(set(steps)) == 1 else steps)}" if any(self.stride) else ""
        return f"{shape(self.size)}{told}"


Seen = Mapping[str, ReceptiveField | None]
"""What an operation sees, by input; None if unknown. An input that it does not see is missing."""


@dataclass(frozen=True)
class ReceptiveFields:
    """The receptive field of every operation.

    Attributes:
        operations: by key of the operation; an operation that sees no input is missing.
        head: that of the first output of forward.
        sizes: the spatial sizes of each input along which convolutions, pools or interpolations slide.
        last: the last operation of each module, by path.
    """

    operations: Mapping[str, Seen]
    head: Seen
    sizes: Mapping[str, tuple[int, ...]]
    last: Mapping[str, str] = field(repr=False)

    def at(self, name: str) -> Seen:
        """Return what an operation sees, or the last operation of the module with this path.

        Raises:
            UnknownNameError: neither an operation nor a called module has this name.
        """
        key = name if name in self.operations else self.last.get(name)
        if key is None:
            raise UnknownNameError(unknown("operation or module", name, [*self.last]))
        return self.operations.get(key, {})

    def text(self, name: str) -> str:
        """Return the same as text, such as ``91×91 /8``; with several inputs each with its name."""
        return told(self.at(name)) if name in self.operations or name in self.last else ""

    def lines(self) -> Iterator[str]:
        """Yield what the output sees, then how much the operations before it see, where that is not everything."""
        if not self.sizes:
            yield "no convolution, pool or interpolation slides along an input"
        for name, sizes in self.sizes.items():
            known = {key: seen[name] for key, seen in self.operations.items() if name in seen}
            yield f"the output sees {_of(self.head.get(name), name in self.head)} of {shape(sizes)} px of {name}"
            moving = [(key, found) for key, found in known.items() if found is not None and any(found.stride)]
            if moving and moving[-1][1] != self.head.get(name):
                key, found = max(moving, key=lambda each: each[1].size)
                yield f"{found} at {key}, the most of those that do not see everything"

    def __str__(self) -> str:
        """Return a line for the output, and one for each operation at which stride or size changes."""
        rows = list(self.lines())
        before: Seen = {}
        for key, seen in self.operations.items():
            if seen != before and told(seen):
                rows.append(f"{key}: {told(seen)}")
            before = seen
        return "\n".join(rows)


def _of(found: ReceptiveField | None, is_seen: bool) -> str:
    if found is None:
        return UNKNOWN if is_seen else "nothing"
    return "all" if found.is_whole else shape(found.size)


def told(seen: Seen) -> str:
    """Return what an operation sees as text."""
    if len(seen) == 1:
        return str(*seen.values()) if None not in seen.values() else UNKNOWN
    return ", ".join(f"{name} {UNKNOWN if found is None else found}" for name, found in seen.items())
