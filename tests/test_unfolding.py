"""Folding is true: unfolding what is shown gives the operations and edges of the graph."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from graphs import graph_of
from torch import nn
from unfolding import as_listed, unfolded_as_listed

import fxsummary
from fxsummary import ModelGraph
from fxsummary.graph.labels import is_drop
from fxsummary.graph.modelgraph import Totals
from fxsummary.graph.saved import loads
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.fold import fold_repeats
from fxsummary.views.scalars import hide_scalars
from fxsummary.views.simplify import simplify
from zoo import ZOO

SHOWN = (
    "op",
    "label",
    "config",
    "arguments",
    "shape",
    "dtype",
    "parameters",
    "parameter_dtypes",
    "flops",
    "output_bytes",
)


def assert_unfolds(graph: ModelGraph, *, similar: bool = False) -> None:
    """The folded graph says exactly what the graph says."""
    whole, reads = as_listed(graph)
    folded = fold_repeats(graph, similar=similar)
    assert _sums(folded) == _sums(graph)
    shown, shown_reads = unfolded_as_listed(folded)
    assert [_said(data) for data in shown] == [_said(data) for data in whole]
    assert shown_reads == reads


def _sums(graph: ModelGraph) -> Totals:
    """The totals, without the operations that they name, which are fewer."""
    return replace(graph.totals, unknown_flops=(), assumed_flops=(), unknown_parameters=())


def _said(data: dict[str, Any]) -> tuple[Any, ...]:
    """What is shown of an operation; the rates of dropout may differ in a run."""
    ignored = ("config", "arguments") if is_drop(data["label"]) else ("label",) if data["op"] == "get_attr" else ()
    return tuple(data[name] for name in SHOWN if name not in ignored)


@pytest.mark.parametrize("similar", [False, True])
@pytest.mark.parametrize("view", [hide_scalars, simplify])
@pytest.mark.parametrize("name", [name for name, entry in ZOO.items() if entry.has_dataflow])
def test_unfolding_gives_the_graph(name: str, view: Any, similar: bool) -> None:
    assert_unfolds(view(graph_of(name)), similar=similar)


# --- small models, each with a run that is none, or one that is ---------------------------------


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(16, 16)

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        for other in others:
            y = y * other
        return x + y


class Stack(nn.Module):
    """Six layers, and one more for what comes before and after them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(16, 32)
        self.layers = nn.ModuleList(Layer() for _ in range(6))


class InTurn(Stack):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = self.first(x).chunk(2, -1)
        for number, layer in enumerate(self.layers):
            x = layer(x, a if number % 2 else b)
        return x


class OutOfTurn(Stack):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = self.first(x).chunk(2, -1)
        for number, layer in enumerate(self.layers):
            x = layer(x, a if number in (0, 3, 4) else b)
        return x


class Skips(Stack):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for layer in self.layers[:3]:
            x = layer(x)
            kept.append(x)
        for layer in self.layers[3:]:
            x = layer(x, kept.pop())
        return x


class LastIsRead(Stack):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.first(x)


class AllAreReturned(Stack):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        kept = []
        for layer in self.layers:
            x = layer(x)
            kept.append(x)
        return self.first(x), *kept


class ReturnedInReverse(Stack):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        kept = []
        for layer in self.layers:
            x = layer(x)
            kept.insert(0, x)
        return self.first(x), *kept


class OneInTheMiddleIsReturned(Stack):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        kept = []
        for layer in self.layers:
            x = layer(x)
            kept.append(x)
        return x, kept[2]


class InnerIsStacked(Stack):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for layer in self.layers:
            x = layer(x)
            kept.append(x)
        return torch.stack(kept)


class Cells(nn.Module):
    """Layers that return two tensors each, which go crosswise into the next."""

    class Cell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.LSTMCell(16, 16)

        def forward(self, x: torch.Tensor, state: Any) -> Any:
            return self.cell(x, state)

    def __init__(self, crossed: bool) -> None:
        super().__init__()
        self.cells = nn.ModuleList(self.Cell() for _ in range(6))
        self.crossed = crossed

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = x * 0, x + 1
        for number, cell in enumerate(self.cells):
            state = cell(x, state)
            if self.crossed and number % 2:
                state = state[::-1]
        return state[0]


def runs_of(graph: ModelGraph) -> list[tuple[int, int]]:
    """Number of copies and of blocks in each, of the folded runs."""
    blocks = [block for block in block_tree(fold_repeats(hide_scalars(graph))).walk() if block.repeat > 1]
    return [(block.repeat, _length(block)) for block in blocks]


def _length(block: Block) -> int:
    return sum(inner.repeat for inner in block.blocks()) if block.is_pattern else 1


@pytest.mark.parametrize(
    ("model", "runs"),
    [
        (InTurn(), [(3, 2)]),
        (OutOfTurn(), [(2, 1), (2, 1)]),
        (Skips(), []),
        (LastIsRead(), [(6, 1)]),
        (AllAreReturned(), [(6, 1)]),
        (ReturnedInReverse(), []),
        (OneInTheMiddleIsReturned(), [(3, 1), (3, 1)]),
        (InnerIsStacked(), [(6, 1)]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
@pytest.mark.parametrize("trace", ["symbolic", "record"])
def test_a_run_folds_only_if_one_copy_can_be_shown_for_all(
    model: nn.Module, runs: list[tuple[int, int]], trace: str
) -> None:
    graph = fxsummary.graph(model, torch.zeros(4, 16), trace=trace)
    assert runs_of(graph) == runs
    assert_unfolds(hide_scalars(graph))


@pytest.mark.parametrize(("crossed", "runs"), [(False, [(6, 1)]), (True, [(3, 2), (2, 1)])])
def test_copies_that_read_the_parts_of_a_tuple_crosswise_are_no_run(crossed: bool, runs: list[tuple[int, int]]) -> None:
    graph = fxsummary.graph(Cells(crossed), torch.zeros(4, 16), trace="record")
    assert runs_of(graph) == runs
    assert_unfolds(hide_scalars(graph))


def test_an_edge_says_which_part_of_a_tuple_it_carries() -> None:
    graph = fxsummary.graph(InTurn(), torch.zeros(4, 16))
    parts = [graph.edges["chunk", reader]["parts"] for reader in graph.succ["chunk"]]
    assert parts == [((0,),), ((1,),)]
    shown = hide_scalars(graph)
    assert {edge["parts"] for _, _, edge in shown.out_edges("chunk", data=True)} == {((0,),), ((1,),)}
    assert list(loads(graph.to_json()).edges(data=True)) == list(graph.edges(data=True))
