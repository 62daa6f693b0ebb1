"""The page in a browser: what a reader does with mouse and keyboard works, without errors and without network."""

from __future__ import annotations

import itertools
import logging
import re
import shutil
import struct
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import test_sides as sides
import torch
from graphs import graph_of
from test_html import hostile_graph
from torch import nn

import fxsummary
from fxsummary import ModelGraph
from zoo import HOSTILE

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium was not found on PATH: install it, e.g. apt-get install chromium"
)
RESNET = "torchvision.resnet50"
VIT = "torchvision.vit_b_16"
FAULTS = Path(__file__).with_name("page_faults.js")

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture
def page_of(browser: Any, folder: Path) -> Iterator[Open]:
    """Open the page of a graph; at the end there was no error, and nothing was asked of the network."""
    contexts, wrong = [], []

    def opened(graph: ModelGraph, address: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1700, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or wrong.append(request.url))
        page.goto(f"{written(folder, graph).as_uri()}{address}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


@cache
def written(folder: Path, graph: ModelGraph) -> Path:
    return graph.render(folder / f"{id(graph)}.html")


def rows(page: Any) -> int:
    count: int = page.locator("#stage [data-i]").count()
    return count


def row(page: Any, text: str, number: int = 0) -> Any:
    return page.locator("#stage [data-n][data-i]", has_text=text).nth(number)


def address(page: Any) -> str:
    found: str = page.evaluate("decodeURIComponent(location.hash)")
    return found


def colour(page: Any, selector: str, name: str) -> str:
    found: str = page.locator(selector).first.evaluate(f"(element) => getComputedStyle(element).{name}")
    return found


def test_collapse_open_up_and_back(page_of: Open) -> None:
    page = page_of(graph_of(RESNET))
    whole = rows(page)
    page.click("#collapse")
    page.click("#collapse")
    assert page.locator("#collapse").is_disabled() and rows(page) == 13
    page.locator("#tree .row", has_text="layer3").click()
    assert address(page) == "#layer3" and page.locator("#path button").all_inner_texts()[0] == "ResNet"
    assert page.locator("#panel h2").inner_text() == "Sequential"
    page.locator("#path button").first.click()
    assert address(page) == "" and page.locator("#level").inner_text() == "1 / 3"
    page.keyboard.press("+")
    page.click("#expand")
    assert page.locator("#expand").is_disabled() and rows(page) == whole
    page.go_back()
    assert address(page) == "#layer3"
    page.go_forward()
    assert address(page) == "" and rows(page) == whole


@pytest.mark.parametrize("name", [RESNET, VIT, "torchvision.swin_t", "torchvision.googlenet"])
def test_what_opens_in_place_makes_room(page_of: Open, name: str) -> None:
    """Nothing overlaps, no wire comes loose or runs through a box; closed again, the picture is as it was."""
    page = page_of(graph_of(name))
    found, times = page.evaluate(f"(() => {{ {FAULTS.read_text()}\nreturn openAll(); }})()")
    assert found == [] and len(times) > 5
    middle = sorted(times)[len(times) // 2]
    logging.getLogger(__name__).warning("%s: opens a module in %.0f ms, at most %.0f ms", name, middle, max(times))


def test_a_module_opens_in_place_by_mouse(page_of: Open) -> None:
    page = page_of(graph_of(RESNET))
    page.click("#collapse")
    page.click("#collapse")
    chip = page.locator("#stage .open").nth(1)
    before = row(page, "layer2").bounding_box()
    chip.click()
    after = row(page, "layer2").bounding_box()
    assert abs(after["x"] - before["x"]) < 2 and abs(after["y"] - before["y"]) < 2
    assert row(page, "layer2").get_attribute("aria-expanded") == "true"
    row(page, "Bottleneck").dblclick()  # inside of what is open
    assert page.locator("#stage .inside .inside").count() == 1
    conv = page.locator("#stage .inside .inside [data-i]", has=page.get_by_text("conv2", exact=True))
    conv.click()
    assert address(page).startswith("#:layer2_0_conv2;")
    assert page.locator("#stage .ring.in").count() == 1 and page.locator("#stage .ring.out").count() == 1
    assert abs(page.locator("#stage .ring:not(.in):not(.out)").bounding_box()["y"] - conv.bounding_box()["y"]) < 6
    page.locator("#stage .shut").first.click()
    assert page.locator("#stage .inside").count() == 1
    page.locator("#stage .shut").click()
    assert page.locator("#stage .inside").count() == 0 and rows(page) == 13


def test_what_does_not_change_keeps_its_elements(page_of: Open) -> None:
    """To open a module among others lays out only what is new: all other elements stay, and the SVG keeps its size."""
    page = page_of(graph_of(RESNET))
    page.evaluate("open('', null, 0); [...picture.keys.values()].forEach((key) => toggle(key)); pick(null)")
    wrong = page.evaluate(
        """() => {
            const before = [...stage.querySelectorAll("*")];
            const { style } = picture.svg;
            const size = () => [picture.svg.getAttribute("viewBox"), style.width, style.height].join();
            const old = size();
            toggle(picture.keys.get(picture.svg.querySelector(".inside [data-i]:has(> .open)")));
            const gone = before.filter((each) => !each.isConnected).map((each) => each.tagName);
            return [gone, old === size() ? "" : size()];
        }"""
    )
    assert wrong == [[], ""]
    assert page.locator("#stage .inside .inside").count() == 1
    assert page.locator(".sheet").bounding_box()["height"] > page.locator("#stage svg").bounding_box()["height"]


class Stages(nn.Module):
    """Four stages of many layers, no two of them alike."""

    def __init__(self) -> None:
        super().__init__()
        widths = itertools.count(8)
        stages = [
            [nn.Linear(width, width + 1) for width in itertools.islice(widths, depth)] for depth in (90, 100, 110, 120)
        ]
        self.stages = nn.ModuleList(nn.Sequential(*layers) for layers in stages)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for stage in self.stages:
            x = stage(x)
        return x


@cache
def stages() -> ModelGraph:
    return fxsummary.graph(Stages(), torch.empty(1, 8))


OPEN_STAGES = """open('', null, 0);
for (let round = 0; round < 3; round++) [...picture.keys.values()].forEach((key) => opened.has(key) || toggle(key))"""
DRAWN = "[...stage.querySelectorAll('[data-i]')].filter((each) => each.checkVisibility()).length"


def test_a_large_picture_is_drawn_where_the_reader_is(page_of: Open) -> None:
    """What lies far from the stage is not laid out; scrolling, the keyboard, search and the tree lead to it."""
    page = page_of(stages())
    page.evaluate(OPEN_STAGES)
    everything = rows(page)
    assert everything > 400
    page.evaluate("zoomTo(1); stage.scrollTop = 0; showNear(picture)")
    assert 10 < page.evaluate(DRAWN) < everything / 3
    page.evaluate("stage.scrollTop = stage.scrollHeight")
    last = page.locator("#stage .inside [data-i]", has_text="Linear").last
    last.wait_for(state="visible")
    last.click()
    assert address(page).startswith("#:stages_3_119")
    page.keyboard.press("ArrowUp")
    assert address(page).startswith("#:stages_3_118") and page.locator("#stage .ring").first.is_visible()
    page.fill("#search", "stages.0.0")
    page.keyboard.press("Enter")
    assert page.evaluate("stage.scrollTop") < 2000 and page.evaluate("selectedRow().checkVisibility()")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('#stage [data-i]')")


def test_all_of_a_large_picture_is_saved_and_printed(page_of: Open) -> None:
    page = page_of(stages())
    page.evaluate(OPEN_STAGES)
    words = page.evaluate("picture.svg.textContent.match(/Linear/g).length")
    root = ElementTree.fromstring(page.evaluate("svgFile().text"))
    assert "".join(root.itertext()).count("Linear") == words > 400 and "data-far" not in page.evaluate("svgFile().text")
    page.emulate_media(media="print")
    assert page.evaluate(DRAWN) == rows(page)
    page.emulate_media(media="screen")
    assert page.evaluate(DRAWN) < rows(page)
    page.evaluate("[...opened].forEach((key) => opened.has(key) && toggle(key))")
    assert page.evaluate(DRAWN) == rows(page) < 100


def test_what_lies_far_from_the_stage_is_saved_and_printed_in_its_place(page_of: Open) -> None:
    """What moves far from the stage is moved at the latest when it is saved or printed."""
    page = page_of(stages())
    page.evaluate(OPEN_STAGES + "; zoomTo(1); stage.scrollTop = 0; showNear(picture); toggle([...opened][0])")
    places = "[...picture.svg.querySelectorAll('[transform]')].map((each) => each.getAttribute('transform')).join()"
    before = page.evaluate(places)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    printed, saved = page.evaluate(places), page.evaluate("svgFile().text")
    page.evaluate("dispatchEvent(new Event('afterprint')); draw(picture, EVERYWHERE)")
    assert before != page.evaluate(places) == printed and saved == page.evaluate("svgFile().text")


def test_a_module_opens_quickly_on_a_large_page(page_of: Open) -> None:
    """It takes as long as what is near the stage, however much is open; opened again, it keeps what is open in it."""
    page = page_of(stages())
    page.evaluate(OPEN_STAGES)
    whole, inside = rows(page), page.locator("#stage .inside").count()
    page.locator("#stage .shut").first.dispatch_event("click")
    assert rows(page) < whole - 80
    page.locator("#stage .open").first.dispatch_event("click")
    assert rows(page) == whole and page.locator("#stage .inside").count() == inside
    assert page.evaluate("picture.things.size") >= whole
    laid_out = page.evaluate("[...stage.querySelectorAll('*')].filter((each) => each.checkVisibility()).length")
    assert laid_out < page.evaluate("stage.querySelectorAll('*').length") / 3


def test_large_pictures_are_copied_while_the_browser_is_idle(page_of: Open) -> None:
    """A module that is opened looks the same as without a copy made before."""
    page = page_of(stages())
    page.evaluate("open('', null, 0)")
    for _ in range(500):  # the page forbids what `wait_for_function` does
        if page.evaluate("ready.size") == 4:
            break
        page.wait_for_timeout(20)
    assert page.evaluate("ready.size") == 4
    page.evaluate(OPEN_STAGES)
    assert page.evaluate("ready.size") == 0
    prepared = page.evaluate("picture.svg.outerHTML")
    other = page_of(stages())
    other.evaluate("window.requestIdleCallback = undefined; ready.clear(); " + OPEN_STAGES)
    assert other.evaluate("picture.svg.outerHTML") == prepared


def test_what_is_open_is_printed(page_of: Open) -> None:
    page = page_of(graph_of(RESNET))
    page.evaluate("open('', null, 0); toggle([...picture.keys.values()][1])")
    own, box = page.evaluate("[picture.place.own, picture.place.box]")
    view = "picture.svg.getAttribute('viewBox').split(' ').map(Number)"
    assert box[3] > own[3] and page.evaluate(view) == own
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(view) == box
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(view) == own


def test_the_address_names_what_is_open(page_of: Open) -> None:
    page = page_of(graph_of(RESNET))
    page.click("#collapse")
    page.click("#collapse")
    page.locator("#stage .open").nth(1).click()
    row(page, "Bottleneck").dblclick()
    link, shown = page.evaluate("location.hash"), rows(page)
    page.reload()
    assert rows(page) == shown and page.locator("#stage .inside .inside").count() == 1
    page.locator("#tree .row", has_text="layer3").click()
    page.go_back()
    assert page.evaluate("location.hash") == link and page.locator("#stage .inside").count() == 2
    page.evaluate("location.hash = '#;0/999,0/x,/'")  # of another page
    page.locator("#stage .inside").first.wait_for(state="detached")
    assert page.locator("#stage svg").is_visible()


class Joined(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.left(x).relu() + self.right(y).sigmoid()


class Inputs(nn.Module):
    """A module with one input, and one with two."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.one = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.two = Joined()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.two(self.one(x), x)


def test_the_ends_of_an_opened_module(page_of: Open) -> None:
    """The wires of the only input and output lead to the frame; several inputs keep their names."""
    page = page_of(fxsummary.graph(Inputs(), torch.empty(2, 8)))
    page.evaluate("open('', null, 0)")
    row(page, "Joined").dblclick()
    assert page.locator("#stage .inside .f-terminal").count() >= 2
    page.keyboard.press("ArrowDown")
    assert page.evaluate(
        "Boolean(document.activeElement.querySelector('.f-terminal') && selectedRow().closest('.inside'))"
    )
    page.keyboard.press("Escape")  # closes the module around it, although the input has a row outside too
    assert page.locator("#stage .inside").count() == 0
    row(page, "Sequential").dblclick()
    assert page.locator("#stage .inside [data-i]").count() and page.locator("#stage .inside .f-terminal").count() == 0
    faults = page.evaluate(f"(() => {{ {FAULTS.read_text()}\nzoomTo(1); return faultsOfThePicture(); }})()")
    assert faults == []


def test_a_badge_lies_above_the_outline_of_its_card(page_of: Open) -> None:
    page = page_of(graph_of(RESNET))
    page.evaluate("open('layer1', null, 0)")
    badges = page.locator("#stage [data-i] > .badge")
    assert badges.count() >= 1
    assert badges.evaluate_all("(all) => all.map((badge) => badge.matches('.line ~ .badge:not(:has(~ .line))'))") == [
        True
    ]


def test_the_page_in_the_frame_of_a_notebook(page_of: Open, folder: Path) -> None:
    place = folder / "notebook.html"
    place.write_text(f"<!doctype html><p>cell</p>{graph_of(RESNET).show(height=500)._repr_html_()}")
    page = page_of(graph_of(RESNET))
    page.goto(place.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator("#collapse").click()
    frame.locator("#collapse").click()
    assert frame.locator("#stage [data-i]").count() == 13
    frame.locator("#stage .open").nth(2).click()
    assert frame.locator("#stage .inside").count() == 1
    assert frame.locator("#panel h2").inner_text() == "Sequential"
    box = page.locator("iframe").bounding_box()
    assert box["height"] == 502 and box["width"] > 1600


def test_the_tree_expands_and_opens(page_of: Open) -> None:
    page = page_of(graph_of(VIT))
    items = page.locator("#tree li")
    before = items.count()
    page.locator("#tree .row", has_text="encoder").locator(".twist").click()
    assert items.count() > before
    page.locator("#tree .row", has_text="layers").locator(".twist").click()
    repeated = page.locator("#tree .row", has_text="×12").first
    assert "encoder_layer_0 … encoder_layer_11" in repeated.inner_text()
    repeated.click()
    assert address(page) == "#encoder.layers.encoder_layer_0"
    assert "mlp" in page.locator("#stage").inner_text()


def test_search_goes_to_an_operation(page_of: Open) -> None:
    page = page_of(graph_of(RESNET), "#layer1")
    page.keyboard.press("/")
    page.keyboard.type("layer4.2.conv3")
    assert page.locator("#results [role=option]").count() >= 1
    page.keyboard.press("Enter")
    assert address(page).startswith("#layer4") and address(page).endswith("conv3")
    assert page.locator("#stage .ring").count() >= 1
    assert "conv3" in page.locator("#panel").inner_text()


@pytest.mark.parametrize("query", ["Linear", "1x1000", "1×1000", "fc"])
def test_search_by_name_class_and_shape(page_of: Open, query: str) -> None:
    page = page_of(graph_of(RESNET))
    page.fill("#search", query)
    assert "fc" in page.locator("#results").inner_text()
    page.fill("#search", "no such thing")
    assert "Nothing has this" in page.locator("#results").inner_text()


def test_an_operation_shows_its_neighbours_and_all_its_attributes(page_of: Open) -> None:
    page = page_of(graph_of(RESNET))
    page.locator("#stage [data-n][data-i]", has=page.get_by_text("+", exact=True)).first.click()
    assert page.locator("#stage .ring.in").count() == 2 and page.locator("#stage .ring.out").count() == 2
    assert page.locator("#stage path.in").count() and page.locator("#stage path.out").count()
    assert colour(page, "#stage path.e.out", "strokeDasharray") != colour(page, "#stage path.e.in", "strokeDasharray")
    row(page, "conv1").click(position={"x": 12, "y": 8})
    panel = page.locator("#panel").inner_text()
    for text in (
        "Conv2d", "conv1", "3→64, 7×7", "236,027,904", "2.9 %", "exact", "9,408", "conv1.weight", "64×3×7×7 float32",
        "1×3×224×224 float32", "1×64×112×112 float32", "torchvision/models/resnet.py", "call_module", "36.8 KiB",
    ):  # fmt: skip
        assert text in panel, text
    assert address(page) == "#:conv1"


def test_heat(page_of: Open) -> None:
    page = page_of(graph_of(RESNET))
    kinds = page.locator("#legend").inner_text()
    assert "convolution" in kinds
    cells = "#stage [data-i][data-n]:has(> .f-convolution) > .f-convolution"
    plain = colour(page, cells, "fill")
    for measure in ("flops", "parameters", "memory"):
        page.check(f"input[value={measure}]", force=True)
        assert "≥ 75 %" in page.locator("#legend").inner_text()
        assert page.locator("#stage [data-h='4']").count() >= 1
        assert colour(page, cells, "fill") != plain
    page.check("input[value=kind]", force=True)
    assert page.locator("#legend").inner_text() == kinds and colour(page, cells, "fill") == plain


def test_the_keyboard(page_of: Open) -> None:
    page = page_of(graph_of(RESNET))
    page.keyboard.press("ArrowDown")
    assert address(page) == "#:x"
    page.keyboard.press("ArrowDown")
    assert address(page) == "#:conv1"
    page.keyboard.press("Tab")
    assert address(page) == "#:maxpool"
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert rows(page) == 13 and page.locator("#stage .ring").count()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert "Sequential" in page.locator("#panel h2").inner_text()
    page.keyboard.press("Enter")
    assert page.locator("#stage .inside").count() == 1 and rows(page) > 13
    page.keyboard.press("ArrowDown")
    assert page.evaluate("Boolean(document.activeElement.closest('.inside'))")
    page.keyboard.press("Escape")
    assert rows(page) == 13 and page.locator("#panel h2").inner_text() == "Sequential"
    page.keyboard.press(" ")
    assert page.locator("#stage .inside").count() == 1
    page.keyboard.press(" ")
    assert page.locator("#stage .inside").count() == 0
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible() and address(page) == ""
    page.evaluate("location.hash = '#layer2.0'")
    page.wait_for_function("document.querySelectorAll('#path button').length === 3")
    page.keyboard.press("Backspace")
    assert address(page) == "#layer2"


@pytest.mark.parametrize(
    ("link", "wanted"),
    [
        ("#layer3.0", "Bottleneck"),
        ("#encoder.layers.encoder_layer_7.mlp", "MLPBlock"),
        ("#fc", "Linear"),
        ("#layer1.2.conv2", "Conv2d"),
        ("#layer2:layer2_0_conv3", "Conv2d"),
        ("#iadd_3", "add_"),
        ("#no.such.module", ""),
        ("#%zz:%", ""),
    ],
)
def test_deep_links(page_of: Open, link: str, wanted: str) -> None:
    graph = graph_of(VIT if "encoder" in link else RESNET)
    title = page_of(graph, link).locator("#panel h2").inner_text()
    assert title.startswith(wanted or graph.name)


def test_dark_mode(page_of: Open) -> None:
    page = page_of(graph_of(RESNET), color_scheme="dark")
    assert colour(page, "body", "backgroundColor") == "rgb(13, 18, 24)"
    page.click("#theme")
    assert colour(page, "body", "backgroundColor") == "rgb(255, 255, 255)"
    page.click("#theme")
    assert colour(page, "#stage .f-convolution", "fill") == "rgb(20, 41, 74)"
    page.emulate_media(media="print")
    assert colour(page, "body", "backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("#modules").is_visible() and page.locator("#stage svg").is_visible()


def test_zoom(page_of: Open) -> None:
    page = page_of(graph_of(RESNET))
    box = page.locator("#stage svg").bounding_box()
    page.click("#zoom-full")
    assert page.locator("#stage svg").bounding_box()["width"] > box["width"]
    page.click("#fit")
    stage, svg = page.locator("#stage").bounding_box(), page.locator("#stage svg").bounding_box()
    assert svg["width"] <= stage["width"] and svg["height"] <= stage["height"]
    page.mouse.move(stage["x"] + 300, stage["y"] + 300)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Control")
    page.wait_for_function(f"document.querySelector('#stage svg').clientWidth > {svg['width']}")


def test_fit_shows_a_very_tall_picture_whole(page_of: Open) -> None:
    page = page_of(graph_of(RESNET))
    page.evaluate("picture.place.own = picture.place.box = [0, 0, 900, 30000]; fit()")
    assert page.locator("#stage svg").bounding_box()["height"] <= page.locator("#stage").bounding_box()["height"]


def test_every_view_can_be_shown(page_of: Open) -> None:
    page = page_of(graph_of(VIT))
    wrong = page.evaluate(
        """() => [...views].filter(([path, view]) => view.levels.some((_, level) => {
            open(path, null, level);
            return state.path !== path || !stage.querySelector("[data-n]") || !stage.firstElementChild.clientWidth;
        }))"""
    )
    assert wrong == []


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(page_of: Open, name: str) -> None:
    page = page_of(hostile_graph(HOSTILE[name]))
    for number in range(rows(page)):
        page.locator("#stage [data-i]").nth(number).dispatch_event("click")
    page.fill("#search", HOSTILE[name][:30].strip() or "x")
    page.keyboard.press("Enter")
    page.locator("#tree li .row").last.click()
    page.reload()
    assert page.locator("#stage svg").is_visible()
    assert page.evaluate("document.querySelectorAll('script').length") == 2


def test_without_dataflow(page_of: Open) -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))

        def forward(self, x: torch.Tensor, *rest: Any) -> torch.Tensor:
            return self.body(x) if rest[0].sum() > 0 else x

    graph = fxsummary.graph(Branching())
    assert graph.captured_by == "modules"
    page = page_of(graph)
    row(page, "Linear").click()
    assert page.locator("#panel h2").inner_text() == "Linear"
    assert page.locator("#stage .ring.in").count() == 0 and "?" in page.locator("header").inner_text()


def test_without_script(page_of: Open) -> None:
    page = page_of(graph_of(RESNET), java_script_enabled=False)
    assert page.locator("#stage svg").is_visible() and page.locator("h1").inner_text() == "ResNet"
    assert not page.locator("#tree").is_visible() and page.locator("noscript").inner_text()


SIZES = [(1700, 900), (1400, 900), (1010, 700), (900, 800), (390, 844)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_covers_the_picture(page_of: Open, width: int, height: int) -> None:
    """The details and the tree stand beside the picture or below it, Fit fits what is left, the page never scrolls."""
    page = page_of(graph_of(VIT))
    page.set_viewport_size({"width": width, "height": height})
    for tree, details in ((False, False), (False, True), (True, False), (True, True)):
        page.evaluate(f"setTree({str(tree).lower()}); setPanel({str(details).lower()})")
        row(page, "Linear").dispatch_event("click")
        page.evaluate(f"setPanel({str(details).lower()})")
        page.click("#fit")
        stage = page.locator("#stage").bounding_box()
        svg = page.locator("#stage svg").bounding_box()
        assert stage["height"] > 60 and svg["width"] <= stage["width"] + 1
        for name in ("#panel", "#modules"):
            box = page.locator(name).bounding_box()
            assert (box is not None) == (details if name == "#panel" else tree)
            if box is not None:
                assert (
                    box["x"] >= stage["x"] + stage["width"] - 1
                    or box["x"] + box["width"] <= stage["x"] + 1
                    or (box["y"] >= stage["y"] + stage["height"] - 1 or box["y"] + box["height"] <= stage["y"] + 1)
                )
        assert page.evaluate("[document.documentElement.scrollWidth, document.body.scrollWidth]") == [width, width]


@pytest.mark.parametrize("compares", [False, True])
def test_the_header_leaves_room_on_a_phone(page_of: Open, compares: bool) -> None:
    """It is at most 120 px high, and each of its controls is in sight, or scrolls into sight."""
    page = page_of(sides.compared() if compares else graph_of(VIT), viewport={"width": 390, "height": 844})
    heights = [page.locator(bar).bounding_box()["height"] for bar in (".top", ".toolbar")]
    assert sum(heights) <= 120
    for control in page.locator(".top button, .top input[type=text], .top label, .toolbar button").all():
        if control.is_visible():
            control.scroll_into_view_if_needed()
            box = control.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 391 and box["width"] >= 24
    page.fill("#search", "linear")
    assert page.locator("#results").bounding_box()["width"] > 300
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_picture_stays_fitted(page_of: Open) -> None:
    page = page_of(graph_of(VIT))
    page.evaluate("setPanel(false); setTree(false); fit()")
    page.set_viewport_size({"width": 1010, "height": 700})
    page.click("#toggle-panel")
    page.wait_for_function("picture.svg.getBoundingClientRect().right <= panel.getBoundingClientRect().left")
    page.click("#zoom-full")
    page.click("#toggle-panel")
    assert page.locator("#zoom-full").inner_text() == "100 %"  # the reader's zoom stays


def test_the_path_leads_to_what_is_open_and_can_be_copied(page_of: Open) -> None:
    page = page_of(graph_of(RESNET), permissions=["clipboard-read", "clipboard-write"])
    page.click("#collapse")
    page.click("#collapse")
    page.locator("#stage .open").nth(1).click()
    row(page, "Bottleneck").dblclick()
    page.locator("#stage .inside .inside [data-i]", has=page.get_by_text("conv2", exact=True)).click()
    assert page.locator("#path button").all_inner_texts() == ["ResNet", "layer2", "0Bottleneck"]
    page.click("#copy")
    assert page.evaluate("navigator.clipboard.readText()") == "layer2.0.conv2"
    page.locator("#path button").nth(1).click()
    assert page.locator("#panel .key").inner_text() == "layer2"
    page.keyboard.press("c")
    assert page.evaluate("navigator.clipboard.readText()") == "layer2"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_can_be_saved(page_of: Open, tmp_path: Path, scheme: str) -> None:
    """A saved picture shows what is open, in the colours on screen, and needs neither the page nor the network."""
    page = page_of(graph_of(RESNET), color_scheme=scheme)
    page.click("#collapse")
    page.click("#collapse")
    page.locator("#stage .open").nth(1).click()
    size = page.evaluate("picture.place.box.slice(2)")
    assert page.locator("#stage svg").get_attribute("height") != str(size[1])  # what is open lies outside
    with page.expect_download() as saved:
        page.click("#save-svg")
    assert saved.value.suggested_filename == "ResNet.svg"
    saved.value.save_as(tmp_path / "saved.svg")
    text = (tmp_path / "saved.svg").read_text("utf-8")
    root = ElementTree.fromstring(text)
    words = "".join(root.itertext())
    assert "Bottleneck" in words and "MaxPool2d" in words and "close" not in words
    assert "var(" not in text and set(re.findall(r"https?://[^\s\"'>)]+", text)) == {"http://www.w3.org/2000/svg"}
    page_colour = "rgb(255, 255, 255)" if scheme == "light" else "rgb(13, 18, 24)"
    assert page_colour in text
    with page.expect_download() as saved:
        page.click("#save-png")
    saved.value.save_as(tmp_path / "saved.png")
    header = (tmp_path / "saved.png").read_bytes()[:24]
    width, height = struct.unpack(">II", header[16:])
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert abs(width - 2 * size[0]) < 3 and abs(height - 2 * size[1]) < 3


@pytest.mark.parametrize("name", ["memory", "roofline"])
def test_panels_lead_to_operations(page_of: Open, name: str) -> None:
    page = page_of(graph_of(RESNET))
    assert not page.locator(f"#{name}").is_visible()
    page.click(f"#show-{name}")
    panel, stage = page.locator(f"#{name}").bounding_box(), page.locator("#stage").bounding_box()
    assert stage["height"] > 150 and panel["y"] >= stage["y"] + stage["height"] - 1
    page.locator(f"#{name} [data-go]").first.click()
    assert page.locator("#stage .ring").count() >= 1 and len(address(page)) > 1
    if name == "memory":
        before = address(page)
        page.locator("#memory svg").click(position={"x": 400, "y": 200})
        assert address(page) != before
    page.click(f"#show-{name}")
    assert not page.locator(f"#{name}").is_visible()


# --- both models of a comparison, side by side ------------------------------------------------------


@cache
def named() -> ModelGraph:
    before, after = sides.net(64, 64, name="blocks"), sides.net(64, 128)
    return fxsummary.diff(before, after, names=("old net", "new"))


def marked(page: Any, side: int) -> list[str]:
    """The texts of the rows that are outlined in a picture, by where the outlines are."""
    found: list[str] = (
        page.locator("#sides .stage")
        .nth(side)
        .evaluate(
            """(stage) => [...stage.querySelectorAll(".ring")].map((ring) => {
            const at = ring.getBoundingClientRect();
            const row = [...stage.querySelectorAll("[data-i]")].find((each) => {
                const box = each.getBoundingClientRect();
                return Math.abs(box.left - at.left) < 9 && Math.abs(box.top - at.top) < 9;
            });
            return row ? [...row.querySelectorAll("text")].map((text) => text.textContent).join(" ") : "a frame";
        })"""
        )
    )
    return found


def is_in_view(page: Any, side: int) -> bool:
    found: bool = (
        page.locator("#sides .stage")
        .nth(side)
        .evaluate(
            """(stage) => {
            const [at, box] = [stage.querySelector(".ring"), stage].map((each) => each.getBoundingClientRect());
            return at.top >= box.top - 1 && at.bottom <= box.bottom + 1;
        }"""
        )
    )
    return found


def side_row(page: Any, side: int, text: str) -> Any:
    return page.locator("#sides .stage").nth(side).locator("[data-i]", has_text=text)


def test_the_counterpart_is_marked_and_comes_into_view(page_of: Open) -> None:
    page = page_of(sides.compared())
    page.set_viewport_size({"width": 1500, "height": 420})
    assert not page.locator("#sides").is_visible()
    page.locator("#arrangement input").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#sides").is_visible() and not page.locator("#stage").is_visible()
    head = side_row(page, 0, "head")
    head.scroll_into_view_if_needed()
    head.click()
    assert ["head" in text for text in marked(page, 0) + marked(page, 1)] == [True, True]
    assert is_in_view(page, 0) and is_in_view(page, 1)
    changed = side_row(page, 1, "8→128")
    changed.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    assert "8→64" in marked(page, 0)[0] and "8→128" in marked(page, 1)[0] and is_in_view(page, 0)
    assert "576 → 1,152" in page.locator("#panel").inner_text()
    assert "2×64 float32 → 2×128 float32" in page.locator("#panel").inner_text()


def test_what_is_in_one_model_only(page_of: Open) -> None:
    page = page_of(sides.compared())
    page.click("text=Side by side")
    notes = page.locator("#sides small")
    side_row(page, 0, "Dropout").click()
    assert notes.all_inner_texts() == ["", "not in this model"] and marked(page, 1) == []
    side_row(page, 1, "scale").click()
    assert notes.all_inner_texts() == ["not in this model", ""] and "scale" in marked(page, 1)[0]
    page.keyboard.press("Escape")
    assert marked(page, 0) == marked(page, 1) == [] and notes.all_inner_texts() == ["", ""]


def test_modules_open_in_place_on_both_sides(page_of: Open) -> None:
    page = page_of(sides.compared())
    page.click("text=Side by side")
    page.click("#collapse")
    opened = [page.locator("#sides .stage").nth(side).locator(".inside") for side in (0, 1)]
    side_row(page, 0, "blocks.1").first.locator(".open").click()
    assert [each.count() for each in opened] == [1, 1]
    assert "8→64" in opened[0].text_content() and "8→128" in opened[1].text_content()
    assert "blocks.1" in marked(page, 0)[0] and "layers.1" in marked(page, 1)[0]
    assert side_row(page, 1, "layers.1").first.get_attribute("aria-expanded") == "true"
    side_row(page, 1, "8→128").click()
    assert "8→64" in marked(page, 0)[0] and "8→128" in marked(page, 1)[0]
    page.keyboard.press("Escape")
    assert [each.count() for each in opened] == [0, 0]
    side_row(page, 1, "layers.0").first.dblclick()
    assert [each.count() for each in opened] == [1, 1] and page.evaluate("getSelection().toString()") == ""
    opened[0].locator(".shut").click()
    page.keyboard.press("Enter")
    assert [each.count() for each in opened] == [1, 1]
    page.click("text=In one")
    assert page.locator("#stage .inside").count() == 0


def test_rows_of_the_model_before_are_described_as_they_were(page_of: Open) -> None:
    page = page_of(sides.compared())
    page.click("text=Side by side")
    for side, own, other in ((0, "8→64", "8→128"), (1, "8→128", "8→64")):
        row = side_row(page, side, own).first
        for text in (row.get_attribute("aria-label"), row.locator("title").last.text_content()):
            assert own in text and other not in text


def test_heat_of_both_sides(page_of: Open) -> None:
    """Each side has the colours of its own costs, relative to the largest of both."""
    page = page_of(sides.compared())
    page.click("text=Side by side")
    kinds = page.locator("#legend").inner_text()
    page.locator("#heat input").first.focus()
    page.keyboard.press("ArrowRight")
    assert "FLOPs per row" in page.locator("#legend").inner_text()
    heats = [
        side_row(page, side, text).get_attribute("data-h") for side, text in ((0, "8→4"), (1, "8→4"), (1, "8→128"))
    ]
    assert heats == ["1", "1", "4"]
    assert side_row(page, 0, "8→64").evaluate_all("(rows) => rows.map((row) => row.dataset.h)") == ["3", "3"]
    page.check("input[value=kind]", force=True)
    assert page.locator("#sides .heated").count() == 0 and page.locator("#legend").inner_text() == kinds
    page.check("input[value=parameters]", force=True)
    page.click("#collapse")
    side_row(page, 0, "blocks.1").first.locator(".open").click()
    inside = [page.locator("#sides .stage").nth(side).locator(".inside [data-h]") for side in (0, 1)]
    assert min(each.count() for each in inside) >= 3
    page.click("text=In one")
    assert page.locator("#stage .heated [data-h='4']").count() >= 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_sides_can_be_saved(page_of: Open, tmp_path: Path, scheme: str) -> None:
    """A saved picture shows both models next to each other, each below its name, with what is open and with heat."""
    page = page_of(named(), color_scheme=scheme)
    page.click("text=Side by side")
    page.click("#collapse")
    side_row(page, 0, "blocks.1").first.locator(".open").click()
    page.check("input[value=flops]", force=True)
    boxes = page.evaluate("sides.panes.map(({ place }) => place.box.slice(2))")
    for kind in ("svg", "png"):
        with page.expect_download() as saved:
            page.click(f"#save-{kind}")
        assert saved.value.suggested_filename == f"old_net-new.{kind}"
        saved.value.save_as(tmp_path / f"saved.{kind}")
    text = (tmp_path / "saved.svg").read_text("utf-8")
    root = ElementTree.fromstring(text)
    words = "".join(root.itertext())
    assert all(word in words for word in ("Before: old net", "After: new", "8→64", "8→128")) and "close" not in words
    assert "var(" not in text and "heated" in text and 'data-h="4"' in text
    places = [(float(each.get("x", 0)), float(each.get("width", 0))) for each in root if each.tag.endswith("}svg")]
    assert [width for _, width in places] == [width for width, _ in boxes] and places[1][0] >= sum(places[0])
    width, height = struct.unpack(">II", (tmp_path / "saved.png").read_bytes()[16:24])
    assert abs(width - 2 * sum(places[1])) < 3 and height >= 2 * max(height for _, height in boxes)


def test_the_choice_stays_while_the_page_is_open(page_of: Open) -> None:
    page = page_of(sides.compared())
    page.click("text=Side by side")
    page.locator("#tree .row", has_text="head").click()
    assert "head" in marked(page, 0)[0] and page.locator("#sides").is_visible()
    level = page.locator("#level").inner_text()
    page.click("#collapse")
    assert page.locator("#level").inner_text() != level and page.locator("#sides").is_visible()
    page.click("#zoom-in")
    widths = page.locator("#sides svg").evaluate_all(
        "(all) => all.map((svg) => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)"
    )
    assert len(widths) == 2 and abs(widths[0] - widths[1]) < 0.01
    page.fill("#search", "norm")
    page.keyboard.press("Enter")
    assert page.locator("#sides").is_visible() and "norm" in address(page)
    page.click("text=In one")
    assert page.locator("#stage").is_visible() and page.locator("#stage .ring").count() >= 1
    assert page.locator("#legend .sign").count() >= 3
    box = page.locator("#stage svg").bounding_box()
    assert box["width"] > 200


def test_stacked_on_a_narrow_window(page_of: Open) -> None:
    page = page_of(sides.compared())
    page.click("text=Side by side")
    old, new = (page.locator("#sides section").nth(side).bounding_box() for side in (0, 1))
    assert abs(old["y"] - new["y"]) < 1 and old["x"] + old["width"] <= new["x"] + 1
    page.set_viewport_size({"width": 700, "height": 1000})
    old, new = (page.locator("#sides section").nth(side).bounding_box() for side in (0, 1))
    assert abs(old["x"] - new["x"]) < 1 and old["y"] + old["height"] <= new["y"] + 1 and old["height"] > 100
