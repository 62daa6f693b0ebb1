"""Makes the record of formulas from what was fitted, one piece for each range of sizes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from fxsummary.analysis.formulas.crossovers import crossovers
from fxsummary.analysis.formulas.explore import Explorer, Limits
from fxsummary.analysis.formulas.make import LEAST_HELD, Fitting
from fxsummary.analysis.formulas.observe import Key, Observation, Observer
from fxsummary.analysis.formulas.sizes import BATCH, SEQUENCE, Sizes
from fxsummary.graph.formula import QUANTITIES, Formula, Part, Piece, Range
from fxsummary.graph.formulas import Formulas
from fxsummary.graph.polynomial import Exponents, Polynomial


class Region(NamedTuple):
    """A range of sizes with its captures and what was fitted to them."""

    explorer: Explorer
    fitting: Fitting
    limits: Limits


def assembled(observer: Observer, regions: Sequence[Region], notes: Sequence[str]) -> Formulas:
    """Return the record."""
    pieces: dict[Key, list[Piece]] = {}
    for region in regions:
        checks = list(_checks(observer, region))
        for key, parts in _parts(region):
            known = pieces.setdefault(key, [])
            if parts:
                piece = Piece(_ranges(region, key, parts, checks), parts, _exceptions(observer, region, key, parts))
                pieces[key] = (
                    [*known[:-1], _joined(known[-1], piece)] if known and known[-1].parts == parts else [*known, piece]
                )
    first = regions[0].explorer
    names = tuple(first.base)
    table: dict[str, dict[str, Formula]] = {}
    for key, found in pieces.items():
        quantity, path = key
        samples = (
            () if found else tuple([(at, seen.values[key]) for at, seen in first.points.items() if key in seen.values])
        )
        table.setdefault(quantity, {})[path] = Formula(quantity, names, tuple(found), _mark(regions, key), samples)
    order = {path: place for place, path in enumerate(first.first.modules)}
    table = {
        quantity: dict(sorted(table[quantity].items(), key=lambda each: order[each[0]]))
        for quantity in QUANTITIES
        if quantity in table
    }
    named = observer.named
    others = tuple([axis.name for axis in first.axes if axis.role != BATCH])
    checked = [each.explorer.held for each in regions if len(each.explorer.held) >= LEAST_HELD]
    held = [dict(zip(names, point, strict=True)) for points in checked for point in points]
    return Formulas(
        model=first.first.model, inputs=named.shapes, table=table, types=first.first.modules, base=dict(named.start),
        captures=observer.count,
        crossovers=crossovers(table["flops"], others), checked=tuple(held), notes=tuple(notes),
    )  # fmt: skip


def _exceptions(
    observer: Observer, region: Region, key: Key, parts: Iterable[Part]
) -> tuple[tuple[tuple[str, int], ...], ...]:
    """Return the first sizes if the captures were moved away from them and the formula does not hold there."""
    named, base = observer.named, region.explorer.base
    if all(base[name] == size for name, size in named.start.items() if named.roles[name] != BATCH) or region.limits:
        return ()
    seen = observer.at(named.start)
    if seen is None or seen.values.get(key) == _most(parts, named.start):
        return ()
    return (tuple([(name, size) for name, size in named.start.items() if named.roles[name] != BATCH]),)


def _joined(one: Piece, other: Piece) -> Piece:
    """Return one piece for two neighbouring ranges with the same polynomials."""
    pairs = zip(one.ranges, other.ranges, strict=True)
    return Piece(
        tuple([a._replace(most=b.most) if a.most is not None else a for a, b in pairs]), one.parts, one.exceptions
    )


def _mark(regions: Sequence[Region], key: Key) -> str:
    """Return the mark of a quantity; a peak is a lower bound if it is unknown what an operation holds."""
    is_known = key != ("peak", "") or all(region.fitting.is_known for region in regions)
    return regions[0].explorer.first.marks.get(key, "") if is_known else "≥"


def _parts(region: Region) -> Iterator[tuple[Key, tuple[Part, ...]]]:
    """Yield the polynomials of each quantity and module."""
    sums = region.fitting.sums
    for key, total in sums.items():
        if key != ("peak", ""):
            yield key, () if total is None else (Part(total),)
    timeline = region.fitting.timeline()
    explorer = region.explorer
    known = [(each, name) for each, name in zip(timeline, explorer.first.names, strict=True) if each is not None]
    parts = _largest(known, explorer.base)
    points = {**explorer.points, **explorer.held}
    names = tuple(explorer.base)
    if all(_most(parts, dict(zip(names, at, strict=True))) == seen.whole["peak", ""] for at, seen in points.items()):
        yield ("peak", ""), parts
    else:
        total = sums.get(("peak", ""))
        yield ("peak", ""), () if total is None else (Part(total),)


def _most(parts: Iterable[Part], sizes: Sizes) -> Fraction | None:
    return max((part.polynomial(**sizes) for part in parts), default=None)


def _largest(timeline: Iterable[tuple[Polynomial, str]], base: Sizes) -> tuple[Part, ...]:
    """Return the polynomials that can be the largest, that of the base first."""
    at: dict[Polynomial, str] = {}
    for polynomial, name in timeline:
        at.setdefault(polynomial, name)
    kept: dict[Polynomial, dict[Exponents, Fraction]] = {}
    for each in sorted(at, key=lambda each: -each(**base)):
        terms = dict(each.terms)
        if not any(_is_covered(terms, other) for other in kept.values()):
            kept = {key: other for key, other in kept.items() if not _is_covered(other, terms)} | {each: terms}
    return tuple([Part(each, at[each]) for each in kept])


def _is_covered(one: Mapping[Exponents, Fraction], other: Mapping[Exponents, Fraction]) -> bool:
    """Whether a polynomial is nowhere larger than another, as far as their coefficients show."""
    return all(other.get(each, 0) >= number for each, number in one.items()) and all(
        number >= 0 for each, number in other.items() if each not in one
    )


def _checks(observer: Observer, region: Region) -> Iterator[tuple[Sizes, Observation]]:
    """Yield captures with a batch of one and, unless the range begins at a threshold, with sequences of one."""
    explorer = region.explorer
    roles, start = observer.named.roles, observer.named.start
    ones = {name: 1 for name in start if roles[name] == BATCH}
    small = [dict(zip(explorer.base, point, strict=True)) for point in (*explorer.held, *explorer.dropped)]
    yield from zip(small[len(explorer.held) :], explorer.dropped.values(), strict=True)
    if ones and not any(ones.items() <= sizes.items() for sizes in small):
        yield from _check(observer, {**explorer.base, **ones})
    if any(least > 1 for least, _ in region.limits.values()):
        return
    if start != {**explorer.base, **ones}:
        yield from _check(observer, start)
    short = {axis.name: 1 for axis in explorer.axes if axis.role == SEQUENCE and axis.step == 1}
    is_known = any({**ones, **short}.items() <= sizes.items() for sizes in small)
    if short and not explorer.is_unrolled and not is_known:
        yield from _check(observer, {**explorer.base, **ones, **short})


def _check(observer: Observer, sizes: Sizes) -> Iterator[tuple[Sizes, Observation]]:
    seen = observer.at(sizes)
    if seen is not None:
        yield sizes, seen


def _ranges(
    region: Region, key: Key, parts: Iterable[Part], checks: Iterable[tuple[Sizes, Observation]]
) -> tuple[Range, ...]:
    """Return the values that each size may have."""
    explorer = region.explorer
    points = [*explorer.points, *explorer.held]
    agreeing = [sizes for sizes, seen in checks if seen.values.get(key) == _most(parts, sizes)]
    names = tuple(explorer.base)
    dropped = [(dict(zip(names, point, strict=True)), seen) for point, seen in explorer.dropped.items()]
    if any(seen.values.get(key) != _most(parts, sizes) for sizes, seen in dropped):
        others = [axis for axis in explorer.axes if axis.role != BATCH]
        agreeing = [sizes for sizes in agreeing if all(sizes[axis.name] >= axis.base for axis in others)]
    found = []
    for place, axis in enumerate(explorer.axes):
        least, most = region.limits.get(axis.name, (1, None))
        smallest = min(point[place] for point in points)
        if least == 1:
            least = min([smallest, *(sizes[axis.name] for sizes in agreeing)])
        found.append(Range(axis.name, least, most, axis.step, axis.base % axis.step))
    return tuple(found)
