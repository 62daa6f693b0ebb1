"""The figures of pictures: what is planted in a picture is found, and nothing else."""

from __future__ import annotations

import pytest

import fxsummary
from benchmarks.figures import figures
from zoo.own import CalledTwice

TABLE = '<rect x="100" y="100" width="80" height="40" rx="5.5" class="line"/>'
FRAME = '<rect x="10" y="10" width="380" height="280" class="g0"/>'


def wires(*paths: str) -> str:
    return "".join(f'<path d="{path}" class="e"/>' for path in paths)


def svg(body: str) -> str:
    page = '<rect width="400" height="330" class="page" fill="#ffffff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="400" height="330">{page}{body}</svg>'


@pytest.mark.parametrize(
    ("paths", "count"),
    [
        (["M20 50H300", "M60 20V200"], 1),
        (["M20 50H300", "M60 20L60 45Q60 50 60 55L60 200"], 1),
        (["M20 50H300", "M60 20V200", "M60 20V220H90"], 1),  # two wires of one value cross at one point
        (["M20 50H300", "M20 50V20H60V200"], 0),  # one value crosses itself
        (["M20 50V250", "M20 100H300", "M20 200H300"], 0),  # a rail and what branches off
        (["M20 50H300", "M60 20V50"], 0),  # an end touches
        (["M20 50H300", "M10 80L10 55Q10 50 15 50L300 50"], 0),  # they run along each other
        (["M20 50L52 50Q60 50 60 58L60 200", "M100 70H30V100H200"], 2),
    ],
)
def test_crossings_of_different_values_are_counted(paths: list[str], count: int) -> None:
    assert len(figures(svg(FRAME + wires(*paths))).faults.crossings) == count


@pytest.mark.parametrize(("x", "anchor", "is_hit"), [(150, "start", True), (120, "end", False), (160, "middle", True)])
def test_a_wire_touches_a_text(x: int, anchor: str, is_hit: bool) -> None:
    label = f'<text x="{x}" y="100" font-size="11" class="t" text-anchor="{anchor}">label</text>'
    assert figures(svg(wires("M160 20V200") + label)).faults.texts == (["label"] if is_hit else [])


@pytest.mark.parametrize(
    ("path", "count"),
    [("M140 20V300", 1), ("M140 20V100", 0), ("M20 120H180", 1), ("M180 120H300", 0), ("M40 20V300", 0)],
)
def test_a_wire_runs_through_a_box(path: str, count: int) -> None:
    sheet = TABLE.replace('x="100" y="100"', 'x="104" y="104"')
    found = figures(svg(FRAME + wires(path) + sheet + TABLE)).faults.boxes
    assert found == [(100, 100, 180, 140)] * count


def test_size_type_and_empty_ground() -> None:
    body = '<rect x="0" y="90" width="192" height="240" class="line" fill="url(#a)"/>'
    stripes = "".join(f'<rect x="0" y="{y}" width="192" height="2"/>' for y in range(90, 330, 10))
    found = figures(svg(body + stripes + '<text x="300" y="40" font-size="10">a</text>'))
    assert (found.width, found.height, found.empty) == (400, 330, 0.5)
    assert round(found.points, 2) == round(10 * 170 / 25.4 * 72 / 400, 2)
    assert found.pixels == 10


def test_every_wire_of_a_picture_is_seen() -> None:
    """Planted behind a real picture, a line from top to bottom crosses, touches and runs through what is there."""
    import torch

    picture = fxsummary.graph(CalledTwice().eval(), torch.empty(1, 8)).to_svg()
    before = figures(picture)
    middle = before.width / 2
    after = figures(picture.replace("</svg>", wires(f"M{middle} 0V{before.height}") + "</svg>"))
    assert len(after.faults.boxes) > len(before.faults.boxes) == 0
