"""Choose the module bands below a plot over operations: one row of modules, and one of the modules inside them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from fxsummary.drawing.labels import LONGEST_LABEL, short
from fxsummary.text.numbers import relative_path, run_name

DOMINANT, ALMOST_ALL = 0.6, 0.9
"""Shares of a row and of a band from which a module is replaced by the modules inside it."""
LEGIBLE = 0.5
"""Share of the operations that must be in labelled bands for a second row."""
LEAST_RUN = 3
"""Minimum number of modules of a run."""

_NUMBERED = re.compile(r"(.*?)\d+")


@dataclass(frozen=True, slots=True)
class Band:
    """Consecutive operations of a module, or of a run of numbered modules.

    Attributes:
        path: path of the module; last: path of the last module of a run, or the same.
        start, end: positions of the first operation and after the last one.
        inside: positions where the other modules of a run start.
    """

    path: str
    last: str
    start: int
    end: int
    inside: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The path, or for a run the paths from the first to the last."""
        return run_name(self.path, self.last)


Row = list[tuple[Band, str]]
"""Bands with their labels, "" if none fits."""


def tracks(modules: Sequence[str], width: float, measure: Callable[[str], float]) -> list[Row]:
    """Return one or two rows of bands with their labels, the outer modules first; none without modules.

    Args:
        modules: path of the module of each operation.
        width: px for all operations.
        measure: returns the px that a label needs.
    """
    step = width / max(len(modules), 1)
    outer = _opened(modules, Band("", "", 0, len(modules)), DOMINANT)
    opened = [(band.path, _opened(modules, band, ALMOST_ALL)) for band in outer]
    inner = [(each, path) for path, bands in opened if len(bands) > 1 for each in bands]
    rows = [_labelled([(band, "") for band in outer], step, measure), _labelled(inner, step, measure)]
    labelled = sum(band.end - band.start for band, label in rows[1] if label)
    return [row for row in (rows if labelled >= LEGIBLE * len(modules) else rows[:1]) if row]


def _opened(modules: Sequence[str], band: Band, most: float) -> list[Band]:
    """Return the modules inside a band; one that has at least the share ``most`` of it is replaced by its contents."""
    bands = list(_inside(modules, band.path, band.start, band.end))
    least = most * (band.end - band.start)
    while found := [at for at, each in enumerate(bands) if each.end - each.start >= least]:
        at, one = found[0], bands[found[0]]
        inner = list(_inside(modules, one.path, one.start, one.end))
        if not inner:
            break
        bands[at : at + 1] = inner
    return bands


def _inside(modules: Sequence[str], path: str, start: int, end: int) -> Iterator[Band]:
    """Yield the modules directly inside a module among these operations, in execution order."""
    depth = path.count(".") + 1 if path else 0

    def child(place: int) -> str:
        parts = modules[place].split(".", depth + 1)
        return ".".join(parts[: depth + 1]) if modules[place] and len(parts) > depth else ""

    for found, places in groupby(range(start, end), child):
        if found:
            first, *others = places
            yield Band(found, found, first, (others or [first])[-1] + 1)


def _labelled(bands: Iterable[tuple[Band, str]], step: float, measure: Callable[[str], float]) -> Row:
    """Label bands relative to a module; numbered siblings that have no room for their labels share one band."""
    row: Row = []
    for (stem, base), group in groupby(bands, lambda each: (_stem(each[0]), each[1])):
        run = [band for band, _ in group]
        if stem and len(run) >= LEAST_RUN and not all(_ends(band, base, step, measure) for band in run):
            run = [Band(run[0].path, run[-1].path, run[0].start, run[-1].end, tuple([each.start for each in run[1:]]))]
        row += [(band, base) for band in run]
    parents = [band.path.rpartition(".")[0] for band, _ in row]
    ends = [_ends(band, base, step, measure) for band, base in row]
    parts: dict[str, int] = {}  # siblings have labels of as many parts
    for parent, names in zip(parents, ends, strict=True):
        if names:
            parts[parent] = min(parts.get(parent, len(names)), len(names))
    labels = [names[-parts[parent]] if names else "" for parent, names in zip(parents, ends, strict=True)]
    return [(band, label) for (band, _), label in zip(row, labels, strict=True)]


def _ends(band: Band, base: str, step: float, measure: Callable[[str], float]) -> list[str]:
    """Return the ends of the path of a band, or of the paths of a run, that fit it, the longest first."""
    first, last = (relative_path(path, base).split(".") for path in (band.path, band.last))
    names = [short(run_name(".".join(first[at:]), ".".join(last[at:])), LONGEST_LABEL) for at in range(len(first))]
    return [name for name in names if measure(name) <= step * (band.end - band.start)]


def _stem(band: Band) -> str:
    """Return the path of a module without the number at its end; "" if it has none."""
    found = _NUMBERED.fullmatch(band.path)
    return f"{found[1]}#" if found else ""
