"""Wires between two layers: each trunk has one horizontal track, ordered so that they cross and touch little."""

from __future__ import annotations

from dataclasses import dataclass, field

# Ordering compares all pairs of tracks; gaps with more of them are ordered by their ends alone.
MOST_COMPARED = 60
NEAR = 4.0
TOUCH_COST = 50


@dataclass(slots=True)
class Track:
    """A horizontal wire piece in a gap.

    Attributes:
        up, down: x where it meets the layer above and the layer below.
        place: number of the track, counted from the top.
    """

    up: list[float] = field(default_factory=list)
    down: list[float] = field(default_factory=list)
    place: int = 0

    @property
    def low(self) -> float:
        """Left end."""
        return min(*self.up, *self.down)

    @property
    def high(self) -> float:
        """Right end."""
        return max(*self.up, *self.down)


def place_tracks(tracks: list[Track]) -> int:
    """Number the tracks of a gap from the top; returns how many numbers were needed."""
    ordered = _ordered(tracks)
    used: list[list[tuple[float, float]]] = []
    for track in ordered:
        low, high = track.low - NEAR, track.high + NEAR
        place = len(used)
        while place and not any(a < high and low < b for a, b in used[place - 1]):
            place -= 1
        if place == len(used):
            used.append([])
        track.place = place
        used[place].append((track.low, track.high))
    return len(used)


def _ordered(tracks: list[Track]) -> list[Track]:
    """From top to bottom: repeatedly the one that costs least above all others left."""
    rest = sorted(tracks, key=_by_direction)
    if len(rest) > MOST_COMPARED:
        return rest
    cost = [[_cost(a, b) if a is not b else 0 for b in rest] for a in rest]
    total = {i: sum(cost[i]) - sum(row[i] for row in cost) for i in range(len(rest))}
    ordered: list[Track] = []
    while total:
        best = min(total, key=total.__getitem__)
        del total[best]
        for i in total:
            total[i] -= cost[i][best] - cost[best][i]
        ordered.append(rest[best])
    return ordered


def _by_direction(track: Track) -> tuple[bool, float, float]:
    """Those going right from the right end, then those going left from the left end."""
    rightwards = sum(track.down) * len(track.up) > sum(track.up) * len(track.down)
    start = min(track.up, default=track.low)
    return not rightwards, -start if rightwards else start, track.high


def _cost(above: Track, below: Track) -> int:
    """Crossings, and costlier touches, if one track lies above another."""
    crossings = sum(above.low < x < above.high for x in below.up) + sum(below.low < x < below.high for x in above.down)
    touches = sum(abs(a - b) < NEAR for a in above.down for b in below.up)
    return crossings + TOUCH_COST * touches
