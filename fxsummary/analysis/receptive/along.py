"""What a tensor sees: for each dimension of an input a span, and the dimension of the tensor along which it runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import prod
from typing import NamedTuple

from fxsummary.analysis.receptive.spans import MOST, NOTHING, Span, joined, listed


class Axis(NamedTuple):
    """A dimension of an input: its name and its number."""

    name: str
    dim: int


class Along(NamedTuple):
    """A span, and the dimension of the tensor along which it runs; None if all positions see the same."""

    dim: int | None
    span: Span


Sight = Mapping[Axis, Along | None]
"""What a tensor sees of the inputs; None if unknown. What it does not see is missing."""

Shape = Sequence[int]


def along(dim: int | None, span: Span | None) -> Along | None:
    """Return a span along a dimension; None if the span is unknown."""
    return None if span is None else Along(None if span.is_same else dim, span)


def _at(span: Span, place: int) -> Along:
    """Return what one position sees."""
    return Along(None, Span((span.at(place),), 0, span.of))


def opaque(sights: Iterable[Sight]) -> Sight:
    """Return what a result sees if it may depend on everything in these: unknown where positions differ."""
    found: dict[Axis, Along | None] = {}
    for sight in sights:
        for axis, each in sight.items():
            same = each if each is not None and each.dim is None else None
            found[axis] = _union(found[axis], same, (), axis) if axis in found else same
    return found


def aligned(sights: Sequence[tuple[Sight, Shape]], shape: Shape) -> Sight:
    """Return what an elementwise result sees, whose arguments are broadcast to a shape."""
    found: dict[Axis, Along | None] = {}
    for sight, own in sights:
        more = len(shape) - len(own)
        for axis, each in sight.items():
            if each is not None and (dim := each.dim) is not None:
                is_broadcast = own[dim] == 1 and shape[dim + more] != 1
                each = _at(each.span, 0) if is_broadcast else Along(dim + more, each.span)
            found[axis] = _union(found[axis], each, shape, axis) if axis in found else each
    return found


def _union(one: Along | None, other: Along | None, shape: Shape, axis: Axis) -> Along | None:
    known = [each for each in (one, other) if each is not None]
    if (whole := next((each for each in known if each.span.is_whole), None)) is not None:
        return whole
    if len(known) < 2:
        return None
    dims = {each.dim for each in known} - {None}
    if len(dims) > 1:
        return None
    dim = dims.pop() if dims else None
    return along(dim, joined([each.span for each in known], shape[dim] if dim is not None else 1))


def mixed(sight: Sight, shape: Shape, dims: Collection[int]) -> Sight:
    """Return what a result sees whose positions along these dimensions all see what any of them sees."""
    return {
        axis: along(None, each.span.mixed(shape[each.dim]))
        if each and each.dim is not None and each.dim in dims
        else each
        for axis, each in sight.items()
    }


def moved(sight: Sight, dims: Mapping[int, int]) -> Sight:
    """Return what a tensor sees whose dimensions have these new numbers; those that are missing must be mixed."""
    return {
        axis: each if not each or each.dim is None else Along(dims[each.dim], each.span) for axis, each in sight.items()
    }


def taken(sight: Sight, dim: int, place: int) -> Sight:
    """Return what one position along a dimension sees, which goes away."""
    found: dict[Axis, Along | None] = {}
    for axis, each in sight.items():
        if each and each.dim == dim:
            each = _at(each.span, place)
        elif each and each.dim is not None and each.dim > dim:
            each = Along(each.dim - 1, each.span)
        found[axis] = each
    return found


def slid(sight: Sight, dim: int, windows: Sequence[Sequence[int]], step: int, count: int) -> Sight:
    """Return what windows over the positions along a dimension see; see `Span.slid`."""
    return {
        axis: along(dim, each.span.slid(windows, step, count)) if each and each.dim == dim else each
        for axis, each in sight.items()
    }


def concatenated(sights: Sequence[tuple[Sight, Shape]], dim: int) -> Sight:
    """Return what tensors see that are concatenated along a dimension."""
    sights = [(sight, shape) for sight, shape in sights if prod(shape)]
    found: dict[Axis, Along | None] = {}
    for axis in dict.fromkeys(axis for sight, _ in sights for axis in sight):
        parts = [(sight.get(axis, _UNSEEN) if axis in sight else _UNSEEN, shape) for sight, shape in sights]
        spans = [each for each, _ in parts if isinstance(each, Along)]
        across = {each.dim for each in spans} - {None, dim}
        if any(each is None for each, _ in parts) or (across and dim in {each.dim for each in spans}):
            found[axis] = (
                spans[0] if spans and all(each.span.is_whole for each in spans) and len(spans) == len(parts) else None
            )
        elif len(across) > 1:
            found[axis] = None
        elif across or any(each.span.is_whole for each in spans) or len(set(spans)) == 1 == len(parts):
            of_all = [each for each in spans if each.span.is_whole][:1] or spans
            shape = parts[0][1]
            first = across.pop() if across else None
            found[axis] = along(first, joined([each.span for each in of_all], shape[first] if first is not None else 1))
        else:
            ends = [
                each.span.at(place) if isinstance(each, Along) else NOTHING
                for each, shape in parts
                for place in (range(shape[dim]) if shape[dim] <= MOST else ())
            ]
            found[axis] = along(dim, listed(ends, spans[0].span.of)) if ends else None
    return found


_UNSEEN = object()


def reshaped(sight: Sight, old: Shape, new: Shape) -> Sight:
    """Return what a tensor sees after a reshape."""
    if not any(each and each.dim is not None for each in sight.values()):
        return sight
    groups = {dim: group for group in _groups(old, new) for dim in group[0]}
    return {
        axis: each if not each or each.dim is None else _reshaped(each.dim, each.span, old, new, groups.get(each.dim))
        for axis, each in sight.items()
    }


def _reshaped(dim: int, span: Span, old: Shape, new: Shape, group: tuple[list[int], list[int]] | None) -> Along | None:
    if group is None or old[dim] == 1:
        return _at(span, 0)
    before, after = [each for each in group[0] if old[each] != 1], [each for each in group[1] if new[each] != 1]
    inner = prod(old[each] for each in before if each > dim)
    merged = span if len(before) == 1 else span.placed(old[dim], inner, before[0] == dim)
    if merged is None or len(after) == 1:
        return along(after[0], merged) if after else None
    count = prod(new[each] for each in after)
    if count > MOST:
        return None
    for place in after:
        inner = prod(new[each] for each in after if each > place)
        size = new[place]
        if all(merged.at(i) == merged.at(i // inner % size * inner) for i in range(count)):
            if place == after[0]:
                return along(place, merged.slid([[0]], inner, size))
            return along(place, listed([merged.at(i * inner) for i in range(size)], span.of))
    return None


def _groups(old: Shape, new: Shape) -> Iterable[tuple[list[int], list[int]]]:
    """Yield the smallest groups of neighbouring dimensions with the same number of elements before and after."""
    i = j = 0
    while i < len(old) and j < len(new):
        before, after = [i], [j]
        a, b = old[i], new[j]
        while a != b:
            if a < b:
                i += 1
                before.append(i)
                a *= old[i]
            else:
                j += 1
                after.append(j)
                b *= new[j]
        i, j = i + 1, j + 1
        yield before, after
