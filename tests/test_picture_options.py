"""The options of the picture: colours, direction, facts, folding, links; and the errors of wrong ones."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
import torch
from graphs import graph_of
from test_layout import check_boxes, check_edges
from test_svg import SVG, Stages, contrast, parsed, texts
from torch import nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.drawing.arrangement import arrange
from fxsummary.drawing.choose import picture
from fxsummary.drawing.finishing import STEPS
from fxsummary.drawing.look import Look, address
from fxsummary.drawing.style import DARK, LIGHT, Palette
from fxsummary.errors import InputError, UnknownNameError
from fxsummary.exporters.svg import to_svg
from zoo import HOSTILE

MODELS = ("CNN", "branches", "stages", "transformer")
TEMPLATE = "https://host.example/repo/{file}?a=1&b=2#L{line}"


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.a(x), self.b(x), x], 1)


@cache
def graph_named(name: str) -> ModelGraph:
    if name == "CNN":
        return graph_of("CNN")
    if name == "branches":
        return fxsummary.graph(Branches(), torch.empty(1, 3, 8, 8))
    if name == "stages":
        return fxsummary.graph(Stages().eval(), torch.empty(2, 3, 16, 16))
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    return fxsummary.graph(nn.TransformerEncoder(layer, 3), torch.empty(1, 4, 16))


every_model = pytest.mark.parametrize("name", MODELS)
every_direction = pytest.mark.parametrize("direction", ["TB", "LR"])


# --- colours ---------------------------------------------------------------------------------------


@every_model
@every_direction
@pytest.mark.parametrize("color", ["flops", "parameters", "memory"])
def test_rows_have_the_step_of_their_share(name: str, color: str, direction: str) -> None:
    graph = graph_named(name)
    found = picture(graph, look=Look(color=color, direction=direction))
    rows = [row for item in found.scene.items() if item.form != "terminal" for row in item.rows]
    costs = {}
    for row in rows:
        data = [found.graph.nodes[key] for key in row.keys]
        if color == "memory":
            costs[id(row)] = max(d["in_use"] for d in data)
        else:
            costs[id(row)] = sum(d[color] * d["multiplicity"] for d in data)
    largest = max(costs.values())
    for row in rows:
        assert row.heat == f"heat{sum(costs[id(row)] >= least * largest for least in STEPS)}"
    assert found.scene.heat is not None
    for row in rows:  # the bar shows what the colour shows
        assert row.share is not None and abs(row.share / found.scene.largest - costs[id(row)] / largest) < 1e-9
    if color == "memory":
        assert graph.memory is not None and largest == graph.memory.peak
        (marked,) = [row for row in rows if ("peak", "peak") in row.chips]
        assert costs[id(marked)] == largest and any("the most of the forward pass" in tip for tip in marked.tips)
    else:
        assert sum(costs.values()) == getattr(graph.totals, color)


@pytest.mark.parametrize(
    ("color", "legend"),
    [
        ("flops", "FLOPs of a row, up to 1.81 M of 2.52 M"),
        ("parameters", "parameters of a row, up to 15.7 k of 20.8 k"),
        ("memory", "memory in use of a row, up to 98 KiB"),
    ],
)
def test_the_legend_says_what_colours_mean(color: str, legend: str) -> None:
    svg = to_svg(graph_named("CNN"), color=color)
    assert [text for text in texts(svg) if text.startswith(legend)], texts(svg)
    assert "75 to 100 % of the largest row" in [e.text for e in parsed(svg).iter(f"{SVG}title")]
    for step in range(5):
        assert f"f-heat{step}" in svg
    assert "f-heat" not in to_svg(graph_named("CNN"))


def test_unknown_costs_have_a_colour_of_their_own() -> None:
    graph = fxsummary.graph(Stages().eval(), torch.empty(2, 3, 16, 16))
    graph.nodes["head"]["flops"] = None
    svg = to_svg(graph, color="flops")
    assert "unknown FLOPs" in texts(svg)
    assert any(" of ≥ " in text for text in texts(svg))
    assert re.search(r'<path d="[^"]*" class="f-heat-unknown"/>', svg)


def test_a_model_without_costs() -> None:
    graph = fxsummary.graph(nn.Sequential(nn.ReLU(), nn.Tanh()), torch.empty(1, 4))
    assert "FLOPs of a row, up to 0 of 0" in texts(to_svg(graph, color="flops"))


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast_of_the_heat_scale(palette: Palette) -> None:
    for fill in (*palette.heat, palette.heat_unknown):
        assert min(contrast(fill, palette.text), contrast(fill, palette.heat_muted)) >= 5.2
        assert contrast(fill, palette.heat_bar) >= 3
    assert len(set(palette.heat)) == 5 and contrast(palette.track, palette.heat_bar) >= 3


@pytest.mark.parametrize("color", ["flops", "memory"])
def test_heat_in_both_schemes(color: str) -> None:
    auto, dark = (to_svg(graph_named("CNN"), color=color, theme=theme) for theme in ("auto", "dark"))
    assert LIGHT.heat[4] in auto and DARK.heat[4] in auto
    assert LIGHT.heat[4] not in dark and DARK.heat[4] in dark


def test_bars_have_a_colour_of_their_own_on_heat_and_a_name() -> None:
    plain, heated = (to_svg(graph_named("stages"), color=color, theme="light") for color in ("kind", "parameters"))
    assert f".heat .bar{{fill:{LIGHT.heat_bar}}}" in heated and '<g class="heat">' in heated
    assert LIGHT.heat_bar not in plain and '<g class="heat">' not in plain
    assert "parameters relative to the largest" in texts(heated)
    assert "FLOPs relative to the largest" not in texts(heated)


# --- from left to right ----------------------------------------------------------------------------


@every_model
def test_pictures_from_left_to_right(name: str) -> None:
    scene = picture(graph_named(name), look=Look(direction="LR")).scene
    arranged = arrange(scene)
    placed = arranged.layout
    check_boxes(arranged.measured.root, placed)
    check_edges(arranged.measured.root, scene.edges, placed, merges=False)
    assert "stack" not in {item.form for item in scene.items()}
    for edge in scene.edges:
        source, target = placed.boxes[edge.source], placed.boxes[edge.target]
        assert source.right < target.x or source.bottom < target.y  # further right, or on a line further down


def test_a_chain_runs_to_the_right_with_its_shapes() -> None:
    svg = to_svg(graph_named("CNN"), direction="LR")
    labels = [e for e in parsed(svg).iter(f"{SVG}text") if "".join(e.itertext()) in ("Conv2d", "MaxPool2d", "Linear")]
    assert ["".join(e.itertext()) for e in labels] == ["Conv2d", "MaxPool2d", "Conv2d", "MaxPool2d", "Linear"]
    places = [(float(e.attrib["y"]), float(e.attrib["x"])) for e in labels]
    assert places == sorted(places) and len({y for y, _ in places}) <= 2  # on one line, or on two
    assert {"1×16×28×28", "1×32×7×7", "448 params"} <= set(texts(svg))


def test_repeats_and_chips_from_left_to_right() -> None:
    seen = texts(to_svg(graph_named("stages"), direction="LR"))
    assert {"×4", "+", "BN", "ReLU"} <= set(seen)
    assert "×4" in texts(to_svg(graph_named("stages"), direction="LR", depth=2))


# --- facts, folding, title -------------------------------------------------------------------------


FACTS = {
    "path": "head",
    "config": "8→10",
    "shape": "2×10",
    "parameters": "90",
    "flops": "FLOPs relative to the largest",
}


@pytest.mark.parametrize("fact", FACTS)
def test_only_the_facts_wished_for_are_drawn(fact: str) -> None:
    def widths(svg: str) -> float:
        return float(parsed(svg).attrib["width"])

    graph = graph_named("stages")
    whole, alone, rest = (to_svg(graph, show=show) for show in (None, {fact}, set(FACTS) - {fact}))
    shapes = {"2×10"}  # the output pill has its shape, which is a fact as well
    for other, text in FACTS.items():
        assert text in texts(whole)
        assert (text in texts(alone)) == (other == fact), other
        assert (text in texts(rest)) == (other != fact) or (text in shapes and other == "shape"), other
    assert widths(alone) <= widths(whole)
    assert any("params" in text for text in texts(alone)) == (fact == "parameters")
    assert any("% FLOPs" in text for text in texts(alone)) == (fact == "flops")


def test_facts_as_text_and_none_at_all() -> None:
    graph = graph_named("stages")
    assert to_svg(graph, show="path, shape") == to_svg(graph, show=["shape", "path"])
    assert "Linear" in texts(to_svg(graph, show=()))


def test_fold() -> None:
    graph = graph_named("stages")
    folded, unfolded = texts(to_svg(graph)), texts(to_svg(graph, fold=False))
    assert "×4" in folded and not any(re.fullmatch(r"×\d+", text) for text in unfolded)
    assert folded.count("+") == 1 and unfolded.count("+") == 4


# --- links -----------------------------------------------------------------------------------------


def links(svg: str) -> list[str]:
    return [element.attrib["href"] for element in parsed(svg).iter(f"{SVG}a")]


@every_direction
def test_rows_and_groups_lead_to_their_lines(direction: str) -> None:
    graph = graph_named("stages")
    svg = to_svg(graph, source_url=TEMPLATE, direction=direction)
    lines = {data["source"].rpartition(":")[2] for _, data in graph.nodes(data=True) if data["source"]}
    found = links(svg)
    assert found and all(link.startswith("https://host.example/repo/") for link in found)
    assert {link.rpartition("#L")[2] for link in found} <= lines
    heads = ["".join(a.itertext()) for a in parsed(svg).iter(f"{SVG}a")]
    assert any("Residual" in text for text in heads) and any("Linear" in text for text in heads)
    assert "?a=1&amp;b=2#L" in svg
    assert not links(to_svg(graph))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_names(name: str) -> None:
    graph = fxsummary.graph(nn.Sequential(nn.Linear(2, 2)), torch.empty(1, 2))
    for _, data in graph.nodes(data=True):
        data["source"] = f"{HOSTILE[name]}:12"
    for template in (TEMPLATE, "{file}", "src/{file}"):
        for link in links(to_svg(graph, source_url=template)):
            assert re.fullmatch(r"[!#-;=?-\[\]_a-z~]+", link), link
            assert re.match(r"https://host\.example/|\./|src/", link)


@pytest.mark.parametrize(
    "file", ["javascript:alert(1)", "/home/me/net.py", "C:\\net.py", "<string>", "\\\\host\\net.py"]
)
def test_files_outside_the_code_have_no_link(file: str) -> None:
    assert address("{file}", f"{file}:3") == ""


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "color": ({"color": "heat"}, UnknownNameError, "Known: kind, flops, parameters, memory"),
    "direction": ({"direction": "RL"}, UnknownNameError, "Known: TB, LR"),
    "theme": ({"theme": "sepia"}, UnknownNameError, "Known: auto, light, dark"),
    "fact": ({"show": {"colour"}}, UnknownNameError, "Known: path, config, shape, parameters, flops"),
    "facts": ({"show": 3}, InputError, "is not a set of names. Known: path"),
    "script": ({"source_url": "javascript:alert('{file}')"}, InputError, "not an http, https or relative"),
    "data": ({"source_url": "DATA:text/html,{file}"}, InputError, "not an http, https or relative"),
    "script with a tab": ({"source_url": "java\tscript:{file}"}, InputError, "characters that a URL cannot contain"),
    "script with a space": ({"source_url": " javascript:{file}"}, InputError, "characters that a URL cannot contain"),
    "no file": ({"source_url": "https://host/#L{line}"}, InputError, "no placeholder {file}"),
    "other places": ({"source_url": "https://host/{file.__class__}{file}"}, InputError, "placeholders other than"),
    "not a text": ({"source_url": 3}, InputError, "no placeholder {file}"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_known_is_refused(name: str) -> None:
    options, error, said = BAD[name]
    with pytest.raises(error, match=re.escape(said)):
        to_svg(graph_named("CNN"), **options)


OPTIONS: list[dict[str, Any]] = [
    {"color": "flops"}, {"color": "memory", "theme": "dark"}, {"direction": "LR"}, {"show": {"path"}}, {"fold": False},
    {"direction": "LR", "color": "flops"}, {"source_url": TEMPLATE},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_same_bytes_and_the_graph_as_it_was(options: dict[str, Any]) -> None:
    graph = fxsummary.graph(Stages().eval(), torch.empty(2, 3, 16, 16))
    before = [(key, dict(data)) for key, data in graph.nodes(data=True)], dict(graph.graph)
    first = to_svg(graph, **options)
    parsed(first)
    assert first == to_svg(graph, **options)
    assert before == ([(key, dict(data)) for key, data in graph.nodes(data=True)], dict(graph.graph))


# --- the page --------------------------------------------------------------------------------------


def size_of(svg: str) -> tuple[float, float]:
    return float(parsed(svg).attrib["width"]), float(parsed(svg).attrib["height"])


@pytest.mark.parametrize("view", ["model", "memory", "roofline"])
def test_what_stands_above_the_picture_can_be_left_out(view: str) -> None:
    graph = graph_named("stages")
    whole = to_svg(graph, view=view)
    bare = to_svg(graph, view=view, title=False, subtitle=False, legend=False)
    width, height = size_of(bare)
    assert (width, height) < size_of(whole) and height < size_of(whole)[1] - 40
    kept = texts(whole)[-len(texts(bare)) :]
    assert texts(bare) == kept  # the picture is the same, and nothing else is left
    lefts = [texts(to_svg(graph, view=view, **{option: False})) for option in ("title", "subtitle", "legend")]
    assert all(len(kept) <= len(left) < len(texts(whole)) for left in lefts)
    assert graph.name in texts(whole) and graph.name not in lefts[0]
    names = [parsed(svg).findtext(f"{SVG}title") for svg in (whole, bare)]
    assert names[0] == names[1] == graph.name  # readers who cannot see it hear the name
    assert parsed(bare).findtext(f"{SVG}desc") == parsed(whole).findtext(f"{SVG}desc")


@every_direction
def test_a_transparent_page_has_no_ground(direction: str) -> None:
    page, none = (
        to_svg(graph_named("stages"), direction=direction, background=background) for background in ("page", "none")
    )
    grounds = [line for line in page.split("\n") if 'class="page"' in line]
    assert len(grounds) == 1 and page.replace(f"{grounds[0]}\n", "") == none


def test_font_and_size() -> None:
    plain, set_ = to_svg(graph_named("CNN")), to_svg(graph_named("CNN"), font="Times New Roman", font_size=22)
    assert size_of(set_) == (2 * size_of(plain)[0], 2 * size_of(plain)[1])
    assert parsed(set_).attrib["viewBox"] == parsed(plain).attrib["viewBox"]
    assert 'text{font-family:"Times New Roman",Helvetica,' in set_ and set_.count("Times") == 1
    assert plain.split("\n")[4:] == set_.split("\n")[4:]  # the layout stays


@pytest.mark.parametrize(
    "wrong",
    [
        {"background": "#fff"},
        {"title": True},
        {"font": ""},
        {"font": 'a"}</style>'},
        {"font": "Arial, serif"},
        {"font_size": 0},
        {"font_size": "9"},
        {"font_size": float("nan")},
    ],
    ids=str,
)
def test_wrong_options_of_the_page(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises((InputError, UnknownNameError), match=name):
        to_svg(graph_named("CNN"), **wrong)


def test_no_sample_in_the_legend_is_a_number() -> None:
    picture_of = to_svg(graph_named("stages"), title="Net")
    above = picture_of[: picture_of.index("<g><title>")]
    seen = re.findall(r'font-size="10.5"[^>]*>([^<]*)<', above)
    assert "parameters, + those of its norm" in seen
    assert not [text for text in seen if re.search(r"\d", text)], seen
