"""The page: everything can be reached, nothing is asked of the network, no name breaks out, same bytes each time."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zipfile
from dataclasses import replace
from functools import cache, cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
from graphs import graph_of
from printed import Interval, Row, check, picture_rows
from torch import nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.drawing.timeline import draw_fragment
from fxsummary.errors import UnknownNameError
from fxsummary.exporters.html import SCRIPTS, to_html
from fxsummary.exporters.page.atlas import draw_atlas
from fxsummary.exporters.page.outline import outline
from fxsummary.graph.modelgraph import ModuleCall
from fxsummary.text.html import escape
from fxsummary.text.numbers import size
from zoo import HOSTILE, OWN, ZOO

VOID = frozenset({"meta", "link", "input", "br", "wbr"})
every_model = pytest.mark.parametrize("name", ZOO)


class Page(HTMLParser):
    """A page taken apart: elements in order, the text of scripts and styles, and whether all tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag in self.raw:
            self.raw[tag].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.raw:
            self.raw[self.open[-1]][-1] += data

    @cached_property
    def data(self) -> dict[str, Any]:
        """What the script works with."""
        data: dict[str, Any] = json.loads(self.raw["script"][0])
        return data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of the elements of a tag."""
        return [attributes for name, attributes in self.elements if name == tag]


@cache
def html_of(name: str) -> str:
    return to_html(graph_of(name))


@cache
def page_of(name: str) -> Page:
    """The page of a model, taken apart; do not change it."""
    return Page(html_of(name))


# --- what is on the page ---------------------------------------------------------------------------


@every_model
def test_every_module_and_operation_is_reachable(name: str) -> None:
    graph, data = graph_of(name), page_of(name).data
    known = {module["path"]: module for module in data["modules"]}
    reached, todo = set(), [0]
    while todo:
        module = data["modules"][todo.pop()]
        reached.add(module["path"])
        todo += module.get("children", [])
    called = {call.path for _, stack in graph.nodes(data="module_stack") for call in stack}
    for path in called.union(graph.modules):
        parts = path.split(".")
        is_copy = any(".".join(parts[: length + 1]) in data["copies"] for length in range(len(parts)))
        assert path in reached or is_copy, path
    assert set(data["copies"].values()) <= set(known)
    shown = {row for view in data["views"].values() for level in view["levels"] for row in level["rows"]}
    shown |= {-1 - at for at, module in enumerate(data["modules"]) if module["path"] in data["views"]}
    hidden = [operation for at, operation in enumerate(data["operations"]) if at not in shown]
    for operation in hidden:  # the inside of a module that has one row
        assert any(-1 - data["modules"].index(known[path]) in shown for path in _around(operation["module"])), operation


def _around(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


@every_model
def test_costs_of_the_modules_are_the_totals(name: str) -> None:
    graph, data = graph_of(name), page_of(name).data
    totals, root = graph.totals, data["modules"][0]
    assert root.get("flops", 0) == (totals.flops or 0)
    assert root.get("parameters", 0) == totals.parameters
    assert root.get("bytes", 0) == totals.parameter_bytes


@every_model
def test_pictures_of_modules_add_up(name: str) -> None:
    graph = graph_of(name)
    page, data = html_of(name), page_of(name).data
    pictures = {int(n): svg for n, svg in re.findall(r'<template id="picture-(\d+)">(.*?)</template>', page, re.DOTALL)}
    stage = re.search(r'data-picture="(\d+)"[^>]*>\s*(<svg.*?</svg>)', page, re.DOTALL)
    if stage is not None:
        pictures[int(stage[1])] = stage[2]
    modules = {module["path"]: module for module in data["modules"]}
    for path, view in data["views"].items():
        for level in view["levels"]:
            svg = pictures[level["picture"]]
            if "xmlns" not in svg[:200]:
                svg = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
            root = picture_rows(svg, tips=False)
            with_shares(root, level["rows"], data)
            check(root)
            held = modules[path].get("parameters", 0)
            shown = root.value("parameters")
            if path and (shares(graph, path) or modules[path].get("unknown") or modules[path].get("summed")):
                assert shown.low <= held
            else:
                assert shown.meets(Interval(held, held if not modules[path].get("unknown") else float("inf"))), (
                    path,
                    shown,
                    held,
                )


@every_model
def test_modules_inside_add_up(name: str) -> None:
    modules, known = page_of(name).data["modules"], graph_of(name).modules.values()
    if any(module.shared_with or any(tensor.tied_to for tensor in module.parameters) for module in known):
        return

    def of_all(module: dict[str, Any]) -> int:
        return module.get("parameters", 0) * (1 if module.get("summed") else module.get("copies", 1))

    for module in modules:
        inside = [modules[at] for at in module.get("children", [])]
        if inside and not module.get("tensors"):
            assert sum(map(of_all, inside)) == of_all(module), module["path"]


def with_shares(root: Row, rows: list[int | None], data: dict[str, Any]) -> None:
    """Give each row of a picture the share of FLOPs that the page's panel tells of it."""
    if not data["flops"]:
        return
    calls = {(at, call) for each in data["operations"] for at, call in each.get("stack", [])}
    for row in root.walk():
        places = [at for number in row.numbers if (at := rows[number]) is not None]
        facts = [data["operations"][at] if at >= 0 else data["modules"][-1 - at] for at in places]
        all_copies = [1 if "path" in each or each.get("summed") else each.get("times", 1) for each in facts]
        known = sum((each.get("flops") or 0) * copies for each, copies in zip(facts, all_copies, strict=True))
        if facts:
            is_all = all(each.get("flops", 0) is not None for each in facts)
            share = 100 * known / data["flops"]
            # the panel tells of a module what all of its calls cost
            once = all(len({call for called, call in calls if called == -1 - at}) < 2 for at in places if at < 0)
            row.share = Interval(share if once else 0, share if is_all else float("inf"))


def shares(graph: ModelGraph, path: str) -> bool:
    """Whether a parameter of a module counts in another one, which reads it first."""
    inside = {inner: module for inner, module in graph.modules.items() if f"{inner}.".startswith(f"{path}.")}
    holders = [graph.modules[module.shared_with] if module.shared_with else module for module in inside.values()]
    names = {tensor.tied_to or tensor.name for module in holders for tensor in module.parameters}
    return any(
        names.intersection(data["parameter_names"])
        for _, data in graph.nodes(data=True)
        if not any(call.path == path for call in data["module_stack"])
    )


@every_model
def test_the_page_is_well_formed_and_its_numbers_are_right(name: str) -> None:
    page = page_of(name)
    assert not page.open
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    data = page.data
    pictures = [int(each.removeprefix("picture-")) for each in ids if each and each.startswith("picture-")]
    (stage,) = (each for each in page.all("div") if each.get("id") == "stage")
    pictures.append(int(stage["data-picture"] or ""))
    used = {level["picture"] for view in data["views"].values() for level in view["levels"]}
    assert used == set(pictures) and len(pictures) == len(used)
    rows = [-1 - len(data["modules"]), len(data["operations"])]
    for view in data["views"].values():
        assert 0 <= view["start"] < len(view["levels"])
        for level in view["levels"]:
            assert all(row is None or rows[0] < row < rows[1] for row in level["rows"])


def test_pictures_and_their_numbers_go_together() -> None:
    atlas = draw_atlas(outline(graph_of("torchvision.resnet50")))
    pictures = list(atlas.pictures)
    for view in atlas.views.values():
        for level in view.levels:
            svg = pictures[level.picture]
            assert sorted(map(int, re.findall(r'data-n="(\d+)"', svg))) == list(range(len(level.operations)))
            assert set(map(int, re.findall(r'data-m="(\d+)"', svg))) == set(range(len(level.frames)))
            items = set(re.findall(r'data-i="(\d+)"', svg))
            assert set(re.findall(r'data-v="(\d+)"', svg)) <= items
            assert {end for ends in re.findall(r'data-t="([\d ]+)"', svg) for end in ends.split()} <= items


def test_a_repeated_module_has_one_picture() -> None:
    data = page_of("torchvision.vit_b_16").data
    assert data["copies"]["encoder.layers.encoder_layer_7"] == "encoder.layers.encoder_layer_0"
    layers = [path for path in data["views"] if "encoder_layer" in path]
    assert layers and all("encoder_layer_0" in path for path in layers)
    (layer,) = (module for module in data["modules"] if module["path"].endswith("encoder_layer_0"))
    assert layer["copies"] == 12 and layer["last"].endswith("encoder_layer_11")
    assert layer["flops"] > 0.9 * data["flops"]


def test_the_first_level_is_that_of_svg() -> None:
    graph = graph_of("torchvision.resnet50")
    assert len(page_of("torchvision.resnet50").data["views"][""]["levels"]) == 3
    closed = Page(to_html(graph, depth=1)).data["views"][""]
    assert closed["start"] == 0
    assert "drawn as 43 rows" in html_of("torchvision.resnet50")
    assert "drawn as 13 rows" in to_html(graph, depth=1)


def test_sizes_are_in_proportion() -> None:
    assert len(html_of("torchvision.resnet50").encode()) < 500_000


@pytest.mark.slow
def test_a_model_of_126_layers_is_small() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        hidden_size=1024, intermediate_size=4096, num_hidden_layers=126, num_attention_heads=16, num_key_value_heads=8
    )
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config).eval()
    graph = fxsummary.graph(model, kwargs={"input_ids": torch.ones(1, 16, dtype=torch.long, device="meta")})
    assert len(to_html(graph).encode()) < 500_000


# --- safety and sameness ---------------------------------------------------------------------------


def test_nothing_is_asked_of_the_network() -> None:
    text, page = html_of("torchvision.resnet50"), page_of("torchvision.resnet50")
    assert set(re.findall(r"https?://[^\s\"'>)]+", text)) == {"http://www.w3.org/2000/svg"}
    (policy,) = (each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    for name, content in (("script-src", page.raw["script"][1]), ("style-src", page.raw["style"][0])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"
    assert not [each for _, attributes in page.elements for each in attributes if each.startswith("on")]
    assert not [attributes for _, attributes in page.elements if "style" in attributes]
    loading = [attributes for _, attributes in page.elements if {"src", "srcset"} & set(attributes)]
    assert not loading


def hostile_graph(hostile: str) -> ModelGraph:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
            self.other = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.other(self.inner(x)) + x

    graph = fxsummary.graph(Net(), torch.empty(1, 2))
    for key, data in graph.nodes(data=True):
        data.update(label=hostile, config=hostile, source=hostile, arguments=hostile.replace("%", "") + "%")
        if data["op"] != "call_module":
            data["target"] = hostile
        if key.startswith("inner"):
            data["module_stack"] = (ModuleCall(hostile, hostile), *data["module_stack"][1:])
    graph.graph["notes"] = (hostile,)
    assert graph.memory is not None
    alive = tuple(replace(each, name=hostile, reason=hostile) for each in graph.memory.alive)
    modules = (hostile,) * len(graph.memory.modules)
    graph.memory = replace(graph.memory, name=hostile, alive=alive, modules=modules)
    return graph


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(name: str) -> None:
    text = to_html(hostile_graph(HOSTILE[name]), title=HOSTILE[name])
    text.encode()
    page = Page(text)
    assert len(page.all("script")) == 2 and not page.open
    assert not {"b", "iframe", "img"} & {tag for tag, _ in page.elements}
    assert page.all("table") == [{}] * len(re.findall('<section class="dock', text))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text)
    assert len(text) < 400_000
    assert HOSTILE[name] in [module["path"] for module in page.data["modules"]]


def test_same_bytes_and_the_graph_as_it_was() -> None:
    graph = graph_of(next(iter(OWN)))
    before = [(key, dict(data)) for key, data in graph.nodes(data=True)], dict(graph.graph)
    assert to_html(graph) == to_html(graph)
    assert before == ([(key, dict(data)) for key, data in graph.nodes(data=True)], dict(graph.graph))


def test_title_and_theme() -> None:
    graph = graph_of(next(iter(OWN)))
    text = to_html(graph, title="A & B", theme="dark")
    assert "<title>A &amp; B</title>" in text and '<html lang="en" data-theme="dark">' in text
    with pytest.raises(UnknownNameError, match="auto, light, dark"):
        to_html(graph, theme="sepia")


def test_render_by_suffix(tmp_path: Path) -> None:
    graph = graph_of(next(iter(OWN)))
    path = graph.render(tmp_path / "model.html")
    assert path.read_text("utf-8") == graph.to_html()


def test_the_files_of_the_page_are_in_the_wheel(tmp_path: Path) -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel")
    (built,) = wheel.WheelBuilder(str(Path(__file__).parents[1])).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(built).namelist())
    assert {f"fxsummary/exporters/page/{name}" for name in (*SCRIPTS, "page.css", "page.html")} <= names


def test_memory() -> None:
    graph = graph_of("CNN")
    assert graph.memory is not None
    text = to_html(graph)
    panel = panel_of(text, "memory")
    assert 'id="show-memory"' in text and draw_fragment(graph.memory) in panel
    data = Page(text).data
    for each in graph.memory.alive:
        (number,) = (at for at, record in enumerate(data["operations"]) if record["key"] == each.operation)
        assert f'data-go="{number}">{each.name}</button>' in panel and f"<td>{size(each.nbytes)}</td>" in panel
    assert f"<dt>Peak</dt><dd>{graph.memory.peak_text} of activations" in panel
    records = {each["key"]: each for each in data["operations"]}
    assert records[graph.memory.at]["use"] == graph.memory.peak
    steps = data["timeline"]["steps"]
    assert steps[-1][0] == len(graph.memory.operations)
    assert data["operations"].index(records[graph.memory.at]) in [number for _, number in steps]
    unknown = fxsummary.graph(nn.Linear(2, 2), torch.empty(1, 2))
    unknown.memory = None
    assert 'id="memory"' not in to_html(unknown) and 'id="show-memory"' not in to_html(unknown)


@pytest.mark.parametrize("name", ["CNN", "torchvision.vit_b_16"])
def test_the_longest_operations_are_linked(name: str) -> None:
    graph = graph_of(name)
    text, found = to_html(graph), graph.roofline()
    panel, data = panel_of(text, "roofline"), Page(text).data
    longest = max(found.operations, key=lambda key: found.operations[key].seconds)
    at = int(re.findall(r'data-go="(-?\d+)"', panel)[0])
    known = data["operations"][at] if at >= 0 else data["modules"][-1 - at]
    assert (known["key"] == longest) if at >= 0 else known["path"]
    assert escape(found.device_text) in panel and found.text(found.seconds) in panel
    tree = fxsummary.graph(nn.Sequential(nn.Linear(2, 2)))
    assert 'id="roofline"' not in to_html(tree) or tree.roofline()


def panel_of(text: str, name: str) -> str:
    start = text.index(f'<section class="dock needs-script" id="{name}"')
    return text[start : text.index("</section>", start)]
