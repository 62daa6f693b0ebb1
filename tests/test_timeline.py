"""The memory of a forward pass as a picture: it adds up, names the peak, and says what is not certain."""

from __future__ import annotations

import dataclasses
import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from graphs import graph_of
from torch import nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.peak_bar import HEIGHT, PLOT, USES
from fxsummary.drawing.style import DARK, LIGHT, stylesheet
from fxsummary.drawing.timeline import MOST_STEPS, draw, draw_fragment, steps, ticks
from fxsummary.drawing.tracks import tracks
from fxsummary.errors import InputError, UnknownNameError
from fxsummary.graph.memory import Memory
from zoo import ZOO

SVG = "{http://www.w3.org/2000/svg}"
MODELS = ("CNN", "Residual", "SharedBlock", "twelve_blocks", "transformer", "hostile_html", "timm.densenet121")
Area = tuple[float, float, float, float]


class Held(nn.Module):
    """Python holds `y` until forward returns; `z` outlives it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.blocks = nn.Linear(64, 64), nn.Sequential(*(nn.Linear(64, 64) for _ in range(12)))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.first(x)
        z = y.relu()
        return self.blocks(z).softmax(-1), z


@pytest.fixture(scope="module")
def held() -> ModelGraph:
    return fxsummary.graph(Held().eval(), torch.empty(32, 64))


def memory_of(graph: ModelGraph) -> Memory:
    assert graph.memory is not None
    return graph.memory


def made(timeline: tuple[int, ...], modules: tuple[str, ...] | None = None, **facts: object) -> Memory:
    """A record of memory that has only a timeline."""
    zeros, keys = (0,) * len(timeline), tuple(f"op_{place}" for place in range(len(timeline)))
    peak = max(timeline, default=0)
    at = keys[timeline.index(peak)] if keys else ""
    known = Memory(
        weights=0, buffers=0, inputs=0, outputs=0, peak=peak, at=at, name=at, inside=0, alive=(), peak_at_last_use=peak,
        at_last_use=at, timeline=timeline, held=zeros, outliving=zeros, workspaces=zeros, operations=keys,
        modules=modules or ("",) * len(timeline),
    )  # fmt: skip
    return dataclasses.replace(known, **facts)  # type: ignore[arg-type]


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def levels(svg: str, use: str) -> list[tuple[float, float, float]]:
    """The areas of what holds memory as (start, end, height) in px."""
    found = []
    for path in re.findall(rf'd="([^"]*)" class="use-{use}" shape-rendering', svg):
        for part in path.removesuffix("Z").split("Z"):
            x, y = map(float, re.findall(r"[\d.]+", part.split("V")[0]))
            moves = [(kind, float(number)) for kind, number in re.findall(r"([VH])([\d.]+)", part)]
            edges = []
            for kind, number in moves:
                if kind == "V":
                    y = number
                else:
                    edges.append((min(x, number), max(x, number), y, number > x))
                    x = number
            cuts = sorted({end for each in edges for end in each[:2]})
            for a, b in pairwise(cuts):
                over = {forth: y for start, end, y, forth in edges if start <= a and b <= end}
                found.append((a, b, over[False] - over[True]))
    return found


# --- what the record holds -------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*(name for name in ZOO if "." not in name), "timm.densenet121"])
def test_what_holds_memory_adds_up(name: str) -> None:
    memory = graph_of(name).memory
    if memory is None:
        return
    parts = zip(memory.timeline, memory.held, memory.outliving, memory.workspaces, strict=True)
    assert all(min(whole - sum(others), *others) >= 0 for whole, *others in parts)
    at = memory.operations.index(memory.at)
    assert sum(each.nbytes for each in memory.alive) + memory.inside == memory.peak == memory.timeline[at]
    assert sum(each.nbytes for each in memory.alive if each.is_held) == memory.held[at]
    assert sum(each.nbytes for each in memory.alive if each.is_returned) == memory.outliving[at]
    assert memory.workspaces[at] == memory.inside
    assert memory.outliving[-1] <= memory.outputs


def test_to_return_a_value_is_not_to_read_it(held: ModelGraph) -> None:
    memory, size = memory_of(held), 32 * 64 * 4
    after = memory.operations.index("blocks_3")
    assert (memory.held[after], memory.outliving[after]) == (size, size)
    assert (memory.held[-2], memory.held[-1], memory.outliving[-1]) == (size, 0, 2 * size)


# --- what is drawn ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_the_stack_is_the_timeline(name: str) -> None:
    memory = memory_of(graph_of(name))
    areas = {use: levels(draw(memory), use) for use in USES}
    left = min(start for each in areas.values() for start, _, _ in each)
    first = next(step.start for step in steps(memory.timeline) if memory.timeline[step.at])
    count = len(memory.timeline)
    left -= PLOT * first / count
    for step in steps(memory.timeline):
        middle = left + PLOT * (step.start + step.end) / 2 / count
        heights = {
            use: sum(height for start, end, height in each if start <= middle <= end) for use, each in areas.items()
        }
        place = step.at
        wanted = {"outlives": memory.outliving[place], "held": memory.held[place], "inside": memory.workspaces[place]}
        wanted["needed"] = memory.timeline[place] - sum(wanted.values())
        for use, nbytes in wanted.items():
            assert heights[use] == pytest.approx(HEIGHT * nbytes / memory.peak, abs=0.21), (step, use)
        assert sum(heights.values()) == pytest.approx(HEIGHT * memory.timeline[place] / memory.peak, abs=0.21)


def test_the_peak_is_marked_and_named(held: ModelGraph) -> None:
    memory = memory_of(held)
    svg = held.to_svg(view="memory")
    assert f"peak {memory.peak_text}" in texts(svg) and f"at {memory.name}" in texts(svg)
    place = memory.operations.index(memory.at)
    (x,) = re.findall(r'<circle cx="([\d.]+)"', svg)
    (line,) = re.findall(r'<path d="M([\d.]+) [^"]*" class="peak"', svg)
    assert x == line
    assert float(x) == pytest.approx(28 + 54 + PLOT * (place + 0.5) / len(memory.timeline), abs=0.06)
    assert [text for text in texts(svg) if text in ("8 KiB", "16 KiB")]
    names = [each.text or "" for each in ElementTree.fromstring(svg).iter(f"{SVG}title")]
    for each in memory.alive:
        assert any(each.name in name and each.reason in name for name in names)


def test_bounds_and_assumptions_are_marked() -> None:
    bound = texts(draw(made((1024, 2048), unknown=("op_0",))))
    assert "peak ≥ 2 KiB" in bound and "at least; part of it is unknown" in bound
    assumed = texts(draw(made((1024, 2048), is_assumed=True)))
    assert "peak ≈2 KiB" in assumed and "depends on assumed values" in assumed
    plain = texts(draw(made((1024, 2048))))
    assert "peak 2 KiB" in plain and not set("≥≈?") & set("".join(plain))
    assert "? weights" in "".join(texts(draw(made((1,), weights=None))))


@pytest.mark.parametrize("timeline", [(), (0,), (5,), (0, 0, 0), (7, 0), (3, 1, 2), (2**50, 1)])
def test_tiny_graphs(timeline: tuple[int, ...]) -> None:
    for svg in (draw(made(timeline)), draw_fragment(made(timeline))):
        assert f"{len(timeline):,} operations in execution order" in texts(svg)
        assert not re.search(r"nan|inf", svg)
        check_texts(svg)


def test_a_long_timeline_is_a_small_file_with_its_exact_peak() -> None:
    timeline = tuple(place * 7919 % 100_003 for place in range(180_000))
    modules = tuple(f"layers.{place // 60}.{'attention' if place % 60 < 40 else 'mlp'}" for place in range(180_000))
    memory = made(timeline, modules)
    svg = draw(memory)
    assert len(svg) < 40_000
    found = steps(timeline)
    assert len(found) == MOST_STEPS and found[-1].end == 180_000 and timeline[found[0].at] == max(timeline[:600])
    assert max(timeline[step.at] for step in found) == memory.peak
    assert "layers.0…2999" in texts(svg)


@pytest.mark.parametrize("most", [1, 3, 7, 1000, 1025, 10_435_299, 2**30 - 1, 5 * 2**30, 2**44])
def test_axis(most: int) -> None:
    unit, marks = ticks(most)
    assert (3 <= len(marks) <= 5 or most < 3) and marks[0] == 0 and marks[-1] <= most
    assert len({b - a for a, b in pairwise(marks)}) <= 1 and unit <= most


_BLOCKS = tuple(f"net.blocks.{place // 20}.{'up' if place % 20 < 8 else 'down'}" for place in range(100))


def test_bands() -> None:
    modules = ("", *("net.stem",) * 8, *_BLOCKS, *("net.head",) * 11, "")
    (row,) = tracks(modules, 242, lambda name: 5.0 * len(name) + 20 * (len(name) < 8))
    assert [(label, band.start, band.end) for band, label in row] == [
        ("", 1, 9), ("blocks.0", 9, 29), ("blocks.1", 29, 49), ("blocks.2", 49, 69), ("blocks.3", 69, 89),
        ("blocks.4", 89, 109), ("", 109, 120),
    ]  # fmt: skip
    (narrow,) = tracks(modules, 100, lambda name: 7.0 * len(name) + 12)
    assert ("blocks.0…4", 9, 109) in [(label, band.start, band.end) for band, label in narrow]
    outer, inner = tracks(modules, 1000, lambda name: 5.0 * len(name))
    assert [label for _, label in outer] == ["net.stem", *(f"net.blocks.{number}" for number in range(5)), "net.head"]
    assert [label for _, label in inner] == ["up", "down"] * 5 and inner[1][0].path == "net.blocks.0.down"
    assert tracks((), 100, len) == [] and tracks(("", ""), 100, len) == []


HOSTILE = ("</svg><script>alert(1)</script>", "&" * 500, "a\x00\n\u202eb.c", "層" * 400, ".", "..", "a." * 300, "%", "")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(name: str) -> None:
    memory = memory_of(graph_of("Residual"))
    alive = tuple(dataclasses.replace(each, name=name, reason=name, operation=memory.at) for each in memory.alive)
    modules = (name,) * len(memory.modules)
    memory = dataclasses.replace(memory, name=name, alive=alive, modules=modules)
    for svg in (draw(memory, title=name, inputs=name), draw_fragment(memory)):
        check_texts(svg)
        assert "<script" not in svg and not re.search("[\x00\u202e]", svg)


@pytest.mark.parametrize("name", [*MODELS, "held"])
def test_no_text_over_text(name: str, held: ModelGraph) -> None:
    graph = held if name == "held" else graph_of(name)
    check_texts(graph.to_svg(view="memory"))
    check_texts(draw_fragment(memory_of(graph)))


def check_texts(svg: str) -> None:
    """Check that no text lies over another, or leaves the page."""
    root = ElementTree.fromstring(svg)
    boxes: list[tuple[str, Area]] = []
    for each in root.iter(f"{SVG}text"):
        size, x, y = (float(each.get(name, "0")) for name in ("font-size", "x", "y"))
        width = text_width(each.text or "", size, bold=each.get("font-weight") == "bold")
        left = x - width * {"end": 1.0, "middle": 0.5}.get(each.get("text-anchor", ""), 0.0)
        boxes.append((each.text or "", (left, y - 0.72 * size, left + width, y + 0.2 * size)))
    page = (0.0, 0.0, float(root.get("width", "0")), float(root.get("height", "0")))
    for at, (name, box) in enumerate(boxes):
        assert box[0] >= page[0] and box[1] >= page[1] and box[2] <= page[2] + 0.01 and box[3] <= page[3], name
        for other, (left, top, right, foot) in boxes[:at]:
            assert box[0] >= right or left >= box[2] or box[1] >= foot or top >= box[3], (name, other)


# --- how it is asked for ---------------------------------------------------------------------------


def test_the_same_bytes_by_every_way(held: ModelGraph, tmp_path: Path) -> None:
    memory = memory_of(held)
    svg = held.to_svg(view="memory")
    assert svg == draw(memory, title="Held", inputs=held.inputs_text)
    assert svg == fxsummary.graph(Held().eval(), torch.empty(32, 64)).to_svg(view="memory")
    assert memory.to_svg(title="Held") == draw(memory, title="Held")
    assert held.render(tmp_path / "memory.svg", view="memory").read_text("utf-8") == svg
    held.render(tmp_path / "held.json")
    assert fxsummary.load(tmp_path / "held.json").to_svg(view="memory") == svg
    assert "memory of a forward pass" in svg and held.to_svg(view="memory", title="A name").count("A name") == 3


def test_png_and_pdf(held: ModelGraph) -> None:
    pytest.importorskip("resvg_py")
    assert held.to_png(view="memory").startswith(b"\x89PNG")
    pytest.importorskip("svglib")
    assert held.to_pdf(view="memory", theme="dark").startswith(b"%PDF-")


def test_themes(held: ModelGraph) -> None:
    auto, dark = (held.to_svg(view="memory", theme=theme) for theme in ("auto", "dark"))
    for name, colour in LIGHT.uses.items():
        assert colour in auto and colour not in dark and DARK.uses[name] in auto and DARK.uses[name] in dark
    assert "use-" not in stylesheet("auto")


def test_errors(held: ModelGraph) -> None:
    unknown = ModelGraph()
    unknown.name = "Net"
    with pytest.raises(
        InputError, match=r"the memory of Net is unknown, because its shapes are: pass example inputs\."
    ):
        unknown.to_svg(view="memory")
    with pytest.raises(InputError, match=r'^color= has no meaning for view="memory": leave it out\.$'):
        held.to_svg(view="memory", color="flops")
    with pytest.raises(UnknownNameError, match="unknown view 'memroy'"):
        held.to_svg(view="memroy")
    with pytest.raises(UnknownNameError, match="unknown theme"):
        memory_of(held).to_svg(theme="sepia")
