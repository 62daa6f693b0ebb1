"""Views on small graphs: which blocks dissolve, which values are cut."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.broadcast import cut_broadcasts
from fxsummary.views.dissolve import dissolve
from fxsummary.views.fold import fold_repeats


def paths(graph: ModelGraph) -> list[str]:
    """Paths of all blocks, outer ones before those in them, with their number of copies."""
    blocks = list(block_tree(graph).walk())[1:]
    return [block.path + (f" ×{block.repeat}" if block.repeat > 1 else "") for block in blocks]


def nothing(block: Block) -> bool:
    return False


def up_to(number: int) -> Any:
    return lambda block: len(block.items) <= number


class Chain(nn.Module):
    """Modules one after the other; each may read a second value."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(modules)

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x


def double(size: int = 4) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, size), nn.Linear(size, 4))


def traced(model: nn.Module, *args: Tensor) -> ModelGraph:
    return fxsummary.graph(model, *(args or (torch.empty(2, 4),)))


def test_a_block_around_one_child_dissolves() -> None:
    inner = nn.Sequential(nn.Sequential(nn.Sequential(double(), nn.ReLU())))
    graph = traced(Chain(inner, nn.Linear(4, 4), nn.Linear(4, 4)))
    assert paths(graph) == ["parts.0", "parts.0.0", "parts.0.0.0", "parts.0.0.0.0"]
    result = dissolve(graph, nothing)
    assert paths(result) == ["parts.0.0.0", "parts.0.0.0.0"]
    assert [data["module"] for _, data in result.nodes(data=True)] == [d["module"] for _, d in graph.nodes(data=True)]


def test_what_says_nothing_is_asked_of_the_caller() -> None:
    graph = traced(Chain(double(), nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Tanh()), nn.Linear(4, 4), nn.Tanh()))
    assert dissolve(graph, nothing) is graph
    assert paths(dissolve(graph, up_to(2))) == ["parts.1"]
    asked: list[list[Any]] = []
    dissolve(graph, lambda block: bool(asked.append(block.items)))
    assert [len(items) for items in asked] == [2, 3] and all(isinstance(key, str) for items in asked for key in items)


def test_a_container_of_most_operations_is_transparent() -> None:
    body = nn.Sequential(double(), nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)), nn.ReLU())
    graph = traced(nn.Sequential(body, nn.Linear(4, 4)))
    assert paths(dissolve(graph, nothing)) == ["0.0", "0.1"]
    less = traced(nn.Sequential(body, *(nn.Linear(4, 4) for _ in range(6))))
    assert dissolve(less, nothing) is less


def test_what_is_repeated_stays() -> None:
    graph = fold_repeats(traced(nn.Sequential(*(double() for _ in range(3)))))
    assert paths(graph) == ["0 ×3"]
    assert dissolve(graph, up_to(9)) is graph


@pytest.mark.parametrize(("most", "members"), [(1, ["0", "1"]), (2, ["1"]), (3, [])])
def test_a_pattern_stays_where_its_blocks_dissolve(most: int, members: list[str]) -> None:
    pairs = [(double(), nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))) for _ in range(3)]
    graph = fold_repeats(traced(nn.Sequential(*(block for pair in pairs for block in pair))))
    result = dissolve(graph, up_to(most))
    (pattern,) = block_tree(result).blocks()
    assert (pattern.repeat, pattern.path, pattern.last, pattern.type) == (3, "0", "5", "Sequential")
    assert pattern.is_pattern and [block.path for block in pattern.blocks()] == members
    assert len([*pattern.operations()]) == 5
    assert paths(dissolve(result, up_to(most))) == paths(result)


class Scaled(nn.Module):
    """Reads a mask at two places, one of them in a module inside."""

    def __init__(self, *, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.inner = inner

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.fc(x) * mask
        return x if self.inner is None else self.inner(x, mask)


class ReadsOften(nn.Module):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Scaled(inner=Scaled()) for _ in range(count))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        mask = mask.sigmoid()
        for layer in self.layers:
            x = layer(x, mask)
        return x + mask


def test_a_value_that_four_blocks_read_has_a_stand_in_in_each() -> None:
    graph = traced(ReadsOften(4), torch.empty(2, 4), torch.empty(2, 4))
    result = cut_broadcasts(graph)
    assert [key for key in result if key not in graph] == [f"tag {number}: sigmoid" for number in range(4)]
    assert list(result.succ["sigmoid"]) == ["add"]
    order = list(result)
    for number in range(4):
        key = f"tag {number}: sigmoid"
        data = result.nodes[key]
        assert data["stands_for"] == "sigmoid" and data["shape"] == (2, 4) and data["module"] == f"layers.{number}"
        assert [call.path for call in data["module_stack"]] == [f"layers.{number}"]
        assert order[order.index(key) + 1] == f"layers_{number}_fc"
        readers = list(result.succ[key])
        assert [result.nodes[reader]["module"] for reader in readers] == [f"layers.{number}", f"layers.{number}.inner"]
        assert all(result.edges[key, reader] == graph.edges["sigmoid", reader] for reader in readers)
    assert cut_broadcasts(result) is result


def test_a_value_that_three_blocks_read_is_not_cut() -> None:
    graph = traced(ReadsOften(3), torch.empty(2, 4), torch.empty(2, 4))
    assert cut_broadcasts(graph) is graph


def test_stand_ins_in_a_repeated_block_stand_for_as_many_copies() -> None:
    graph = traced(ReadsOften(5), torch.empty(2, 4), torch.empty(2, 4))
    graph = graph.copy()
    for _, data in graph.nodes(data=True):
        data["multiplicity"] = 3 if data["module"].startswith("layers.1") else 1
    stand_ins = [data for _, data in cut_broadcasts(graph).nodes(data=True) if "stands_for" in data]
    assert [data["multiplicity"] for data in stand_ins] == [1, 3, 1, 1, 1]
