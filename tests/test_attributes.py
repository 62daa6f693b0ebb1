"""The table of attributes against graphs: every attribute occurs, is what the table says, and adds up as it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any, get_type_hints

import pytest
import torch
from graphs import graph_of
from printed import check, markdown_rows
from torch import nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.errors import DuplicateNameError, InputError, UnknownNameError
from fxsummary.graph.attributes import BLANK, EDGE, NO_COSTS, NODE, Attribute, EdgeData, NodeData
from fxsummary.graph.fields import COUNT, COUNT_OR_UNKNOWN, NUMBER, TEXTS, VALUE
from fxsummary.graph.records import known, over_copies
from fxsummary.graph.saved import dumps, loads
from fxsummary.graph.table import Attributes
from fxsummary.views.broadcast import cut_broadcasts
from fxsummary.views.depth import limit_depth
from fxsummary.views.fold import fold_repeats
from fxsummary.views.ghosts import with_ghosts
from fxsummary.views.idioms import merge_idioms
from fxsummary.views.simplify import simplify
from fxsummary.views.unread import with_unread
from zoo import ZOO

OWN = [name for name, entry in ZOO.items() if not entry.real]
SOME = ["CNN", "twelve_blocks", "SharedBlock", "TiedWeights", "Unused", "SelfAttention", "torchvision.resnet50"]


class Masked(nn.Module):
    """Four blocks that differ, and read one mask."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Scaled(width) for width in (8, 16, 24, 32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = torch.tanh(x) * 2
        for block in self.blocks:
            x = block(x, mask)
        return x


class Scaled(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(8, width), nn.Linear(width, 8)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.down(self.up(x * mask)) * mask


class Chosen(nn.Module):
    """A product of as many rows as there are positive values, which is not known of a tensor without data."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x[x[:, 0] > 0])


class Remembering(nn.Module):
    """It returns what each of its blocks returns."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(4))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        results = []
        for block in self.blocks:
            x = block(x)
            results.append(x)
        return tuple(results)


class Detached(nn.Module):
    """Computes a part without gradients."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            scale = x.abs().mean()
        return x / scale


@cache
def graph_named(name: str) -> ModelGraph:
    """The graph of a model of the zoo, or of this file."""
    if name in HERE:
        model, x = HERE[name]
        return fxsummary.graph(model(), x, nonzero=model is Remembering)
    return graph_of(name)


HERE = {
    "Masked": (Masked, torch.empty(2, 8)),
    "Chosen": (Chosen, torch.empty(6, 4, device="meta")),
    "Detached": (Detached, torch.empty(2, 4)),
    "Remembering": (Remembering, torch.empty(2, 4)),
}
MODELS = [*ZOO, *HERE]


@cache
def views_of(name: str) -> dict[str, ModelGraph]:
    """A graph and what views make of it."""
    graph = graph_named(name)
    folded = fold_repeats(with_unread(graph))
    merged = merge_idioms(fold_repeats(simplify(with_unread(graph))))
    costs = {"costs": graph.roofline().graph} if graph.storages and len(graph) < 60 else {}
    ghosts = {"ghosts": with_ghosts(graph)} if len(graph) < 60 else {}
    return {
        "captured": graph,
        **costs,
        **ghosts,
        "folded": folded,
        "closed": limit_depth(folded, 1),
        "one row": limit_depth(folded, 0),
        "merged": merged,
        "broadcasts cut": cut_broadcasts(merged),
        "compared": fxsummary.diff(graph, graph_of("CNN")),
    }


def attributes(graph: ModelGraph) -> Iterator[tuple[Attributes, dict[str, Any]]]:
    """The attributes of all nodes and edges, with the table that they are in."""
    yield from ((NODE, data) for _, data in graph.nodes(data=True))
    yield from ((EDGE, data) for *_, data in graph.edges(data=True))


@pytest.mark.parametrize("name", [*OWN, *HERE, "torchvision.resnet50", "timm.swin_tiny_patch4_window7_224"])
def test_every_attribute_is_in_the_table_and_is_what_it_says(name: str) -> None:
    for view, graph in views_of(name).items():
        for table, data in attributes(graph):
            assert data.keys() <= table.keys(), view
            assert {each for each, attribute in table.items() if attribute.always} <= data.keys(), view
            wrong = {each: value for each, value in data.items() if not table[each].type.fits(value)}
            assert not wrong, (view, wrong)


def test_every_attribute_of_the_table_occurs() -> None:
    found: dict[int, set[str]] = {id(NODE): set(), id(EDGE): set()}
    for graph in (graph for model in MODELS for graph in views_of(model).values()):
        for table, data in attributes(graph):
            found[id(table)].update(data)
    assert found[id(NODE)] == {*NODE} and found[id(EDGE)] == {*EDGE}


def test_every_attribute_differs_from_its_default_somewhere() -> None:
    waiting = {name: each.default for name, each in NODE.items() if not each.required}
    for model in MODELS:
        for graph in views_of(model).values():
            for _, data in graph.nodes(data=True):
                for name in [name for name in waiting if name in data and data[name] != waiting[name]]:
                    del waiting[name]
    assert not waiting


@pytest.mark.parametrize("table", [NODE, EDGE], ids=["nodes", "edges"])
def test_defaults_and_descriptions_are_as_the_table_wants_them(table: Attributes) -> None:
    for name, attribute in table.items():
        optional = name in ("at_least",)
        assert attribute.required or optional or attribute.type.fits(attribute.default), name
        assert attribute.description and not attribute.description.endswith("."), name
        assert not attribute.title or attribute.type.column, f"{name} is a column of structures"
        assert attribute.adds != "sum" or attribute.default == 0, name
        assert attribute.adds != "union" or attribute.default == (), name
        assert f"{name}: " in (ModelGraph.__doc__ or ""), name


def test_type_checkers_know_the_same_attributes() -> None:
    assert get_type_hints(NodeData) == {name: attribute.type.hint for name, attribute in NODE.items()}
    assert get_type_hints(EdgeData) == {name: attribute.type.hint for name, attribute in EDGE.items()}


def test_what_costs_nothing_is_part_of_what_does_nothing() -> None:
    assert NO_COSTS.items() <= BLANK.items()
    assert BLANK.keys() == {name for name, attribute in NODE.items() if attribute.always}
    assert {name for name in NODE.sums if NODE[name].always} <= NO_COSTS.keys()


@pytest.mark.parametrize("name", OWN)
def test_what_adds_up_adds_up_when_the_model_is_closed(name: str) -> None:
    graph = graph_of(name)
    whole = next(data for _, data in limit_depth(graph, 0).nodes(data=True) if data.get("closed"))
    parts = [data for _, data in graph.nodes(data=True) if data["op"] not in ("placeholder", "output")]
    for attribute in NODE.sums:
        assert known(whole | {attribute: whole.get(attribute, 0)}, attribute) == sum(
            known(data, attribute) for data in parts if attribute in data
        ), attribute
    for attribute in NODE.unions:
        assert Counter(whole[attribute]) == Counter(each for data in parts for each in data[attribute]), attribute
    assert whole["packed"] == any(data["packed"] for data in parts)
    assert whole["trust"] == max((data["trust"] for data in parts), key=["exact", "assumed", "unknown"].index)


@pytest.mark.parametrize("name", OWN)
def test_folding_keeps_what_adds_up(name: str) -> None:
    graph = graph_of(name)
    for attribute in NODE.sums:
        sums = [
            sum(over_copies(data, attribute) for _, data in each.nodes(data=True))
            for each in (graph, fold_repeats(graph))
        ]
        assert sums[0] == sums[1], attribute


def test_a_derived_graph_knows_the_same_of_the_whole() -> None:
    class Mine(ModelGraph):
        pass

    graph = Mine(name="Net", notes=("a note",))
    graph.fill([("x", {**BLANK, "op": "placeholder"})], ())
    derived = graph.derived(graph.nodes(data=True), hidden=3)
    assert type(derived) is Mine and derived.notes == ("a note",) and derived.graph["hidden"] == 3
    assert "hidden" not in graph.graph and list(derived) == ["x"]


# --- columns -------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["trainable_parameters", "buffers"])
@pytest.mark.parametrize("name", SOME)
def test_a_column_that_is_asked_for_adds_up(name: str, column: str) -> None:
    for depth in (1, 2, None):
        check(markdown_rows(graph_of(name).to_markdown(columns=("shape", column, "flops", "share"), depth=depth)))


@pytest.mark.parametrize("name", [*SOME, "opaque_weights", "CustomOperatorWithoutFormula"])
def test_every_titled_attribute_is_a_column_of_every_table(name: str) -> None:
    graph = graph_of(name)
    for column in set(NODE.columns) - {"nonzero_parameters"}:  # which must be counted first
        texts = (
            graph.to_text(columns=[column], width=200),
            graph.to_text(view="operations", columns=[column], width=200),
        )
        assert all(NODE[column].title in text for text in (*texts, graph.to_markdown(columns=[column])))
    assert graph.to_text(columns="shape,parameters,flops,share") == graph.to_text()


def test_a_folded_graph_lists_operations_with_all_their_copies() -> None:
    graph = fold_repeats(graph_of("twelve_blocks"))
    rows = [line.split() for line in graph.to_text(view="operations", columns="trainable_parameters").splitlines()]
    printed = sum(int(row[-1].replace(",", "")) for row in rows[2:] if row[-1].replace(",", "").isdigit())
    assert printed == graph.totals.trainable_parameters


def test_columns_stand_in_the_order_in_which_they_are_asked_for() -> None:
    heading = graph_of("CNN").to_text(columns="flops, kind ,share").splitlines()[2]
    assert heading.split() == ["Module", "FLOPs", "Kind", "%"]


def test_columns_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown column 'colour'"):
        graph_of("CNN").to_text(columns=["colour"])
    with pytest.raises(InputError, match="'parameters' has fixed columns"):
        graph_of("CNN").to_text(view="parameters", columns=["flops"])


def test_a_text_in_a_cell_is_escaped() -> None:
    graph = loads(dumps(graph_of("CNN")))
    for _, data in graph.nodes(data=True):
        data["source"] = "a|b_.py:1"
    assert "a&#124;b\\_.py:1" in graph.to_markdown(columns=["source"])


# --- attributes of others ------------------------------------------------------------------------


@pytest.fixture
def added(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Registers attributes for one test."""
    names: list[str] = []

    def add(name: str, attribute: Attribute) -> None:
        NODE.register(name, attribute)
        names.append(name)

    yield add
    for name in names:
        NODE.unregister(name)


def numbered(name: str, attribute: str) -> ModelGraph:
    """A model with an attribute that numbers its calls."""
    graph = loads(dumps(graph_of(name)))
    for number, (_, data) in enumerate(graph.nodes(data=True)):
        data[attribute] = number if data["op"].startswith("call_") else 0
    return graph


def test_a_cost_of_yours_adds_up_like_ours(added: Any) -> None:
    added("hours", Attribute(COUNT_OR_UNKNOWN, "time that it took", 0, title="Hours", adds="sum", text="{:,}".format))
    graph = numbered("twelve_blocks", "hours")
    total = sum(data["hours"] for _, data in graph.nodes(data=True))
    for depth in (0, 1, 2, None):
        root = markdown_rows(graph.to_markdown(columns=("shape", "hours", "flops", "share"), depth=depth))
        check(root)
        assert root.parameters is not None and root.parameters.low == total
    assert len(fold_repeats(graph)) == len(graph), "blocks that differ in it are not one"
    assert f"hours: {total:,}" in graph.to_svg(depth=0)


def test_a_cost_of_yours_may_be_unknown(added: Any) -> None:
    added("hours", Attribute(COUNT_OR_UNKNOWN, "time that it took", 0, title="Hours", adds="sum"))
    graph = numbered("CNN", "hours")
    graph.nodes["conv1"]["hours"] = None
    rows = graph.to_text(columns="hours").splitlines()
    assert rows[4].endswith(f"≥ {sum(data['hours'] or 0 for _, data in graph.nodes(data=True))}")
    assert rows[5].endswith("?")


def test_the_largest_of_yours_is_the_largest(added: Any) -> None:
    added("peak", Attribute(NUMBER, "memory at its highest", 0, title="Peak", adds="max"))
    graph = numbered("CNN", "peak")
    assert next(data for _, data in limit_depth(graph, 0).nodes(data=True) if data.get("closed"))["peak"] == max(
        data["peak"] for _, data in graph.nodes(data=True)
    )


def test_names_of_yours_are_joined(added: Any) -> None:
    added("saves", Attribute(TEXTS, "what it keeps for the backward pass", (), adds="union"))
    graph = loads(dumps(graph_of("CNN")))
    for key, data in graph.nodes(data=True):
        data["saves"] = (key,)
    whole = next(data for _, data in limit_depth(graph, 0).nodes(data=True) if data.get("closed"))
    assert set(whole["saves"]) == {key for key, data in graph.nodes(data=True) if data["op"].startswith("call_")}


def test_an_operation_with_a_cost_of_yours_is_not_hidden(added: Any) -> None:
    added("hours", Attribute(COUNT, "time that it took", 0, title="Hours", adds="sum"))
    model = nn.Sequential(nn.Linear(4, 4), nn.Identity(), nn.Linear(4, 4))
    graph = fxsummary.graph(model, torch.empty(2, 4))
    assert "_1" not in simplify(graph)
    graph.nodes["_1"]["hours"] = 3
    assert "_1" in simplify(graph)


def test_what_is_not_to_be_saved_is_not_saved(added: Any) -> None:
    added("scratch", Attribute(VALUE, "a note", saved=False))
    graph = numbered("CNN", "scratch")
    graph.nodes["conv1"]["scratch"] = object()
    assert "scratch" not in dumps(graph)


def test_a_saved_value_of_yours_is_checked_when_it_is_read(added: Any) -> None:
    added("hours", Attribute(COUNT, "time that it took", 0))
    text = dumps(numbered("CNN", "hours")).replace('"hours": 1', '"hours": "one"')
    with pytest.raises(fxsummary.errors.SavedGraphError, match=r"hours: expected a whole number, not negative"):
        loads(text)


def test_names_of_ours_are_taken() -> None:
    with pytest.raises(DuplicateNameError, match="node attribute 'flops' is already registered"):
        NODE.register("flops", Attribute(COUNT, "mine"))
    with pytest.raises(UnknownNameError):
        NODE.unregister("hours")
