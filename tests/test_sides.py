"""A comparison on the page: both models side by side, and old values next to new ones."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import torch
from torch import nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.graph.saved import dumps, loads
from fxsummary.views.shown import shown


class Block(nn.Module):
    def __init__(self, width: int, act: nn.Module) -> None:
        super().__init__()
        self.norm, self.up, self.act, self.down = nn.LayerNorm(8), nn.Linear(8, width), act, nn.Linear(width, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = x + self.down(self.act(self.up(self.norm(x))))
        return y


class Net(nn.Module):
    """Blocks, perhaps a dropout in front of the head; the name of the blocks varies."""

    def __init__(
        self, widths: tuple[int, ...], *, name: str = "layers", drop: bool = False, scale: bool = False
    ) -> None:
        super().__init__()
        self.name, self.scale = name, nn.LayerNorm(8) if scale else None
        self.drop = nn.Dropout() if drop else None
        setattr(self, name, nn.ModuleList([Block(width, nn.ReLU()) for width in widths]))
        self.head = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in getattr(self, self.name):
            x = block(x)
        x = x if self.drop is None else self.drop(x)
        y: torch.Tensor = self.head(x if self.scale is None else self.scale(x))
        return y


def net(*widths: int, **options: Any) -> ModelGraph:
    return fxsummary.graph(Net(widths, **options), torch.empty(2, 8))


@cache
def compared() -> ModelGraph:
    """A wider block, a dropout less, a norm more, and the blocks under another name."""
    return fxsummary.diff(net(64, 64, name="blocks", drop=True), net(64, 128, scale=True))


def data_of(graph: ModelGraph) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', graph.to_html(), re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_a_comparison_holds_both_graphs_but_not_in_a_file() -> None:
    before, after = net(8), net(16)
    result = fxsummary.diff(before, after)
    assert result.comparison is not None and result.comparison.sides is not None
    sides = result.comparison.sides
    assert [dict(each.nodes(data=True)) for each in sides[:2]] == [dict(g.nodes(data=True)) for g in (before, after)]
    assert sides.before.program is None and sides.after.program is None  # the models are not kept alive
    again = loads(dumps(result))
    assert again.comparison == result.comparison and again.comparison.sides is None
    assert 'id="sides"' in result.to_html() and 'id="sides"' not in again.to_html()
    assert data_of(again)["sides"] is None and 'id="sides"' not in before.to_html()


def test_counterparts_have_the_same_number() -> None:
    data = data_of(compared())
    (old, new) = data["sides"]["levels"][-1]
    named = {number: each["key"] for number, each in enumerate(data["operations"])}
    changes = {each["key"]: each["change"] for each in data["operations"]}
    before, after = (
        {named[number] for number in side["rows"] if number is not None and number >= 0} for side in (old, new)
    )
    assert before ^ after == {key for key, change in changes.items() if change in ("added", "removed")}
    assert before & after and before - after == {"drop"} and after - before == {"scale"}
    modules = [{data["modules"][at]["path"] for at in side["frames"]} for side in (old, new)]
    assert modules[0] == modules[1] and "layers.1" in modules[0]  # under the new path on both sides


def test_what_opens_in_place_has_the_same_number() -> None:
    """Each side shows the inside of a module as it is in that model."""
    data = data_of(compared())
    old, new = data["sides"]["inside"]
    paths = {data["modules"][int(number)]["path"] for number in old}
    assert old.keys() == new.keys() and paths == {"layers.0", "layers.1"}
    for number, level in new.items():
        before, after = (
            [data["operations"][at]["key"] for at in side["rows"] if at is not None] for side in (old[number], level)
        )
        assert before == after and any(key.endswith("_up") for key in before)


def test_costs_are_those_of_each_model() -> None:
    """The rows of each side add up to the totals of that model; a changed operation has old and new costs."""
    data, graphs = data_of(compared()), (net(64, 64, name="blocks", drop=True), net(64, 128, scale=True))
    up = next(str(at) for at, each in enumerate(data["operations"]) if each["key"] == "layers_1_up")
    assert [costs[up][:2] for costs in data["sides"]["costs"]] == [[2048, 576], [4096, 1152]]
    for costs, graph in zip(data["sides"]["costs"], graphs, strict=True):
        whole = [graph.totals.flops, graph.totals.parameters]
        rows = [each for number, each in costs.items() if int(number) >= 0]
        assert costs["-1"][:2] == whole == [sum(each[at] for each in rows) for at in (0, 1)]
        assert graph.memory is not None and costs["-1"][2] == max(each[2] for each in rows) == graph.memory.peak


def test_old_and_new_values() -> None:
    data = data_of(compared())
    up = next(each for each in data["operations"] if each["key"] == "layers_1_up")
    assert up["change"] == "changed" and up["was"] == "blocks.1.up"
    changes = dict(up["changes"])
    assert changes["Parameters"] == "576 → 1,152" and changes["FLOPs"] == "2,048 → 4,096"
    assert changes["Output"] == "2×64 float32 → 2×128 float32" and changes["Configuration"] == "8→64 ⇒ 8→128"
    module = next(each for each in data["modules"] if each["path"] == "layers.1")
    assert module["change"] == "changed" and dict(module["changes"])["Parameters"] == "1,112 → 2,200"
    removed = next(each for each in data["operations"] if each["key"] == "drop")
    assert removed["change"] == "removed"
    assert "change" not in data_of(net(8))["operations"][1]


def test_similar_copies_with_different_changes_do_not_fold() -> None:
    """What changed stays visible: similar copies fold into one only if they changed alike."""
    before, after = net(16, 24, 32, 40, 48, 56), net(16, 24, 32, 40, 48, 57)
    assert max(times for _, times in shown(after).nodes(data="multiplicity")) == 6
    folded = shown(fxsummary.diff(before, after))
    found = {data["change"]: data["multiplicity"] for _, data in folded.nodes(data=True) if data["label"] == "Linear"}
    ups = [data for _, data in folded.nodes(data=True) if data["target"].endswith(".up")]
    assert found and [(data["change"], data["multiplicity"]) for data in ups] == [("same", 5), ("changed", 1)]
