"""What a picture shows without a depth: a page, each class once, and a heading that says what is closed."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import pytest
import torch
from graphs import graph_of
from test_svg import every_model, picture_of
from torch import nn

import fxsummary
from benchmarks.gallery_entries import GALLERY
from fxsummary import ModelGraph
from fxsummary.drawing import arrangement, choose
from fxsummary.drawing.arrangement import arrange
from fxsummary.drawing.choose import LEAST_ROWS
from fxsummary.drawing.compose import Picture
from fxsummary.drawing.fitting import MOST_IN_A_ROW, MOST_ROWS, Fitting
from fxsummary.drawing.labels import LONGEST_PATH, short
from fxsummary.drawing.look import Look
from fxsummary.drawing.structure import hidden_structures, structures
from fxsummary.drawing.unseen import unseen_flops
from fxsummary.exporters.svg import to_svg
from fxsummary.graph.pictures import Fold
from fxsummary.graph.records import over_copies
from fxsummary.text.numbers import relative_path
from fxsummary.views.blocks import UNREAD, block_tree
from fxsummary.views.joined import join_cheap
from fxsummary.views.shown import shown


@every_model
def test_a_picture_has_at_most_a_hundred_rows_or_says_that_it_is_large(name: str) -> None:
    picture = picture_of(name)
    assert picture.rows <= MOST_ROWS or picture.excess


@every_model
def test_the_heading_says_what_is_closed_and_which_depth_shows_it(name: str) -> None:
    graph, picture = graph_of(name), picture_of(name)
    view = shown(graph)
    small = {data["target"] for _, data in view.nodes(data=True) if "closed" in data}
    closed = {data["label"] for data in picture.closed_nodes() if data["target"] not in small}
    assert (picture.closed in picture.scene.facts) and ("closed: " in picture.closed) == bool(closed)
    if not closed:
        return
    found = re.search(r"closed: ([^;]*?)(?: and (\d+) more)?;.*depth=(\d+) shows all", picture.closed)
    assert found
    named, more, depth = found.groups()
    assert closed.issuperset(named.split(", ")) and len(named.split(", ")) + int(more or 0) == len(closed)
    whole = Fitting(graph, view, graph.totals).closed(int(depth))
    assert all(data["target"] in small for _, data in whole.nodes(data=True) if "closed" in data)


@every_model
def test_operations_that_share_a_row_keep_costs_order_and_count(name: str) -> None:
    view = shown(graph_of(name))
    joined = join_cheap(view)
    for cost in ("parameters", "flops"):
        assert total(view, cost) == total(joined, cost)
    assert operations(view) == operations(joined)
    assert in_order(joined) or not in_order(view)


def total(graph: ModelGraph, cost: str) -> int:
    return sum(over_copies(data, cost) for _, data in graph.nodes(data=True))


def operations(graph: ModelGraph) -> int:
    nodes = [data for _, data in graph.nodes(data=True) if data["op"] != UNREAD]
    return sum(d["multiplicity"] * d.get("closed", 1) for d in nodes) + sum(graph.graph.get("hidden", {}).values())


def in_order(graph: ModelGraph) -> bool:
    place = {key: at for at, key in enumerate(graph)}
    return all(place[source] < place[target] for source, target in graph.edges)


class Written(nn.Module):
    """Layers with arithmetic between them, in no order that repeats."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.layers, self.count = nn.ModuleList(nn.Linear(8, 8) for _ in range(12)), count

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        chosen, values = random.Random(0), [x]
        for layer in self.layers:
            for _ in range(self.count):
                a, b = chosen.choices(values[-9:], k=2)
                values.append(chosen.choice([a + b, a * b, a - b, a.roll(1), a.flip(0), torch.maximum(a, b)]))
            values.append(layer(torch.stack(values[-9:]).sum(0)))
        return values[-1]


@pytest.mark.slow
def test_cheap_operations_share_a_row_only_if_the_picture_is_too_large() -> None:
    few, many = (choose.picture(fxsummary.graph(Written(count), torch.zeros(4, 8))) for count in (1, 30))
    assert few.rows <= MOST_ROWS and "share rows" not in few.scene.facts
    assert LEAST_ROWS <= many.rows <= MOST_ROWS and "share rows; depth=1 shows all" in many.scene.facts
    assert "operations in shared rows" in many.scene.description and not many.excess
    labels = [data["label"] for _, data in many.graph.nodes(data=True)]
    assert labels.count("Linear") == 12
    assert choose.picture(fxsummary.graph(Written(30), torch.zeros(4, 8)), depth=1).rows > MOST_ROWS


def test_branches_stand_below_each_other_where_parts_then_fit_the_page() -> None:
    picture = choose.picture(graph_of("torchvision.inception_v3"), fold="exact")
    assert arrange(picture.scene).page.parts == 2 and picture.rows > 60 and not picture.excess


def test_a_pattern_of_closed_modules_opens_no_class() -> None:
    graph = graph_of("torchvision.swin_t")
    closed, opened = (choose.picture(graph, depth=depth) for depth in (3, 5))
    assert any(block.is_pattern for block in block_tree(closed.graph).walk())
    assert unseen_flops(closed) > 0.9 * (graph.totals.flops or 0) and not unseen_flops(opened)


def test_a_picture_that_is_too_high_names_the_largest_depth_that_fits() -> None:
    graph = graph_of("torchvision.swin_t")
    fitting = Fitting(graph, shown(graph), graph.totals)
    picture = fitting.compose(fitting.closed(5))
    fitting.note_excess(picture, 5)
    assert picture.excess.endswith("depth=3 fits a page")


@every_model
def test_siblings_of_one_kind_are_opened_alike_or_named_like_an_open_one(name: str) -> None:
    check_siblings(picture_of(name), shown(graph_of(name)))


@pytest.mark.slow
@pytest.mark.parametrize("fold", ["exact", False])
@pytest.mark.parametrize("name", ["densenet121", "swin_t", "resnet50"])
def test_siblings_that_are_not_folded_are_opened_alike(name: str, fold: Fold) -> None:
    graph = graph_of(f"torchvision.{name}")
    check_siblings(choose.picture(graph, fold=fold), shown(graph, fold=fold))


def check_siblings(picture: Picture, view: ModelGraph) -> None:
    """Check that modules of one class with as many operations are open alike, or else named like an open one."""
    opened = {block.path for block in block_tree(picture.graph).walk() if not block.is_pattern}
    likes = likes_in(picture)
    for around in block_tree(view).walk():
        by_kind: dict[tuple[str, int], list[str]] = {}
        for block in around.blocks():
            by_kind.setdefault((block.type, len(list(block.operations()))), []).append(block.path)
        for (_, operations), paths in by_kind.items():
            if operations > MOST_IN_A_ROW and not opened.isdisjoint(paths):
                known = [short(relative_path(path, around.path), LONGEST_PATH) for path in paths if path in opened]
                assert all(likes[path] in known for path in paths if path in likes)


def likes_in(picture: Picture) -> dict[str, str]:
    """Return what each closed module is like, "" where nothing says so."""
    rows = {key: row for row in picture.scene.rows() for key in row.keys}
    closed = {data["target"]: rows[key] for key, data in picture.graph.nodes(data=True) if "closed" in data}
    return {
        path: "".join(text.removeprefix("like ") for text, _ in row.chips if text.startswith("like "))
        for path, row in closed.items()
    }


def test_a_closed_module_like_an_open_one_names_it() -> None:
    picture = choose.picture(fxsummary.graph(Alternating(), torch.zeros(2, 8)))
    assert likes_in(picture) == {f"blocks.{number}": "blocks.0" for number in (2, 4, 6)}
    assert "with the same operations" in to_svg(fxsummary.graph(Alternating(), torch.zeros(2, 8)))


class Chain(nn.Module):
    """Linear layers, each of another size, so that none are copies of each other."""

    def __init__(self, size: int, count: int = 60, last: int | None = None) -> None:
        super().__init__()
        sizes = [size + number for number in range(count)] + [last or size + count]
        self.layers = nn.ModuleList([nn.Linear(*ends) for ends in pairwise(sizes)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Alternating(nn.Module):
    """Long blocks with others between them, each of another length."""

    def __init__(self) -> None:
        super().__init__()
        counts = (30, 2, 30, 3, 30, 4, 30)
        self.blocks = nn.ModuleList([Chain(8, count, 8) for count in counts])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return x


class Around(nn.Module):
    """A module around another."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.norm = inner, nn.LayerNorm(460)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(self.inner(x))
        return normed


class Nested(nn.Module):
    """Costly layers two levels deep, and cheap ones one level deep; there is no room for several of them."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.neck, self.back = Around(Chain(400)), nn.Linear(460, 4), nn.Linear(64, 4)
        self.decoder, self.head = Chain(4), Chain(4, 50)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        decoded: torch.Tensor = self.head(self.back(self.decoder(self.neck(self.encoder(x)))))
        return decoded


def test_costly_blocks_are_opened_before_cheap_ones_of_an_outer_level() -> None:
    picture = choose.picture(fxsummary.graph(Nested(), torch.zeros(2, 400)), fold="exact", look=Look(page="column"))
    assert [data["target"] for data in picture.closed_nodes()] == ["decoder", "head"]


class Residual(nn.Module):
    """Operations without texts that could be left out."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.tanh() + x


def test_a_page_is_not_laid_out_again_if_no_text_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = choose.picture(fxsummary.graph(Residual(), torch.zeros(4, 8))).scene
    made = list[int]()
    lay_out = arrangement._laid_out
    monkeypatch.setattr(arrangement, "_laid_out", lambda *given: made.append(given[2].steps) or lay_out(*given))
    search = arrangement._Search(scene)
    for steps in range(5):
        search._try(arrangement._Attempt(steps))
        assert search.found[arrangement._Attempt(steps)].page.left_out == steps
    assert made == [0]


def gallery_graph(name: str) -> ModelGraph:
    with torch.device("meta"):
        case = GALLERY[name].make()
    return fxsummary.graph(case.model.eval(), *case.args)


def test_the_first_block_of_a_class_with_other_contents_is_open_too() -> None:
    picture = choose.picture(gallery_graph("deeplab"))
    opened = [block for block in block_tree(picture.graph).walk() if block.type == "Bottleneck"]
    assert [block.path for block in opened] == ["backbone.layer1.0", "backbone.layer1.1"]


def test_a_picture_that_fits_is_better_than_a_larger_one_that_says_more() -> None:
    graph = gallery_graph("perceiver")
    fitting = Fitting(graph, shown(graph), graph.totals)
    smaller, larger = (fitting.compose(fitting.closed(depth)) for depth in (4, 6))
    assert fitting.value(larger) > fitting.value(smaller) and not fitting.page(larger).fits
    assert fitting.page(choose.best(fitting).picture).fits


class Pyramid(nn.Module):
    """Few FLOPs; each level joins two values."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Linear(width, width + 1) for width in range(60, 74))
        self.side = nn.ModuleList(nn.Linear(width + 1, width + 1) for width in range(60, 74))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for down, side in zip(self.down, self.side, strict=True):
            below = down(x)
            x = below + side(below)
        return x


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.chain, self.pyramid = Chain(200), Pyramid()

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.chain(x), self.pyramid(y)


def test_a_structure_is_opened_in_place_of_a_chain_that_costs_more() -> None:
    graph = fxsummary.graph(Both(), torch.zeros(1, 200), torch.zeros(1, 60))
    picture = choose.picture(graph, fold="exact")
    opened = {block.type for block in block_tree(picture.graph).walk()}
    assert "Pyramid" in opened and "Chain" not in opened and structures(picture) == {"Pyramid"}
    closed = choose.picture(graph, fold="exact", depth=1)
    hidden = hidden_structures(shown(graph, fold="exact"), closed, least=0)
    assert not structures(closed) and [chain[-1].type for chain in hidden] == ["Pyramid"]
