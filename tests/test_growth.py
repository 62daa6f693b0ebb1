"""Cost follows what is distinct, and grows with the size of the graph, not with its square. Counts, never time."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from graphs import contents
from torch import Tensor, nn

import fxsummary
from fxsummary import ModelGraph, passes
from fxsummary.capture import Capture, capture
from fxsummary.capture.nodes import LIKE, STACK
from fxsummary.convert import convert
from fxsummary.support.gc_pause import paused
from fxsummary.text.numbers import _CLEAN
from fxsummary.views.depth import close_small, limit_depth
from fxsummary.views.fold import fold_repeats
from fxsummary.views.scalars import hide_scalars
from fxsummary.views.simplify import simplify


class Layer(nn.Module):
    """A residual block with modules, functions, methods, a parameter and a buffer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.fc = nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.ones(4))
        self.register_buffer("shift", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        y = self.fc(self.norm(x)).view(x.size(0), -1, 4)
        first, second = torch.relu(y * self.scale + self.shift).split([1, 3], dim=-1)
        return x + torch.cat((second, first), dim=-1)


class Stack(nn.Module):
    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Layer() for _ in range(layers)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Chain(nn.Module):
    """Functions one after the other."""

    def __init__(self, operations: int) -> None:
        super().__init__()
        self.operations = operations

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.operations // 2):
            x = torch.relu(x + 1)
        return x


class Views(Chain):
    """Views of views, which a picture shows as one."""

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.operations):
            x = x.transpose(0, 1)
        return x


class Nest(nn.Module):
    """Modules in modules, each with a layer beside the next."""

    def __init__(self, inner: nn.Module | None) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(x)
        return x if self.inner is None else self.inner(x)


def modules_in_a_row(operations: int) -> nn.Module:
    """Leaf modules one after the other."""
    return nn.Sequential(*[nn.Linear(4, 4) if number % 2 else nn.ReLU() for number in range(operations)])


def unlike_blocks(operations: int) -> nn.Module:
    """Blocks of which no two neighbours are the same for long."""
    kinds = [Nest(None) if number * number % 7 < 3 else nn.Sequential(nn.ReLU()) for number in range(operations)]
    return nn.Sequential(*kinds)


def layers(operations: int) -> nn.Module:
    """Layers that fold."""
    return Stack(operations // 10)


def captured(model: nn.Module, *shape: int, trace: str = "auto") -> Capture:
    return capture(model.eval(), (torch.empty(shape),), trace=trace)


def mark_copies(capture: Capture) -> int:
    """Say of the nodes of all layers that they are copies of those of the first; returns how many do."""
    by_layer: dict[str, list[Any]] = {}
    assert capture.trace is not None
    for node in capture.trace.graph.nodes:
        layer = next((path for path, _ in node.meta[STACK].values() if path.count(".") == 1), None)
        if layer is not None:
            by_layer.setdefault(layer, []).append(node)
    first, *others = by_layer.values()
    for layer_nodes in others:
        for node, prototype in zip(layer_nodes, first, strict=True):
            node.meta[LIKE] = prototype
    return len(first) * len(others)


def calls_of(function: Callable[[], Any]) -> Counter[str]:
    """How often each function of the package is called while ``function`` runs, and all others together."""
    counts: Counter[str] = Counter()

    def count(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            ours = str(frame.f_globals.get("__name__", "")).startswith("fxsummary")
            counts[frame.f_code.co_name if ours else "others"] += 1
        elif event == "c_call":
            counts["others"] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(before)
    return counts


@pytest.mark.parametrize("trace", ["symbolic", "record"])
def test_copies_have_the_same_attributes(trace: str) -> None:
    found = captured(Stack(5), 2, 3, 4, trace=trace)
    alone = contents(passes.annotate(convert(found)))
    assert mark_copies(found) > 40
    assert contents(passes.annotate(convert(found))) == alone


def test_settings_are_read_once_for_copies() -> None:
    few, many = captured(Stack(12), 2, 3, 4), captured(Stack(126), 2, 3, 4)
    for found in (few, many):
        mark_copies(found)
    counts = [calls_of(partial(convert, found)) for found in (few, many)]
    assert counts[0]["of_call"] == counts[1]["of_call"] > 0
    assert counts[0]["_arguments"] == counts[1]["_arguments"]


def test_folded_layers_are_formatted_once() -> None:
    few, many = (passes.annotate(convert(captured(Stack(layers), 2, 3, 4))) for layers in (12, 126))
    assert len(many) > 10 * len(few)
    counts = [calls_of(graph.to_text) for graph in (few, many)]
    for formatter in ("_add_operation", "add_items", "shape_cell", "_line"):
        assert counts[0][formatter] == counts[1][formatter] > 0


def views_of(graph: ModelGraph) -> None:
    simple = simplify(graph)
    for view in (hide_scalars, fold_repeats, close_small, lambda graph: limit_depth(graph, 0)):
        view(graph)
        view(simple)


STAGES: dict[str, Callable[[Capture, ModelGraph], Any]] = {
    "convert": lambda found, graph: convert(found),
    "passes": lambda found, graph: passes.annotate(graph),
    "views": lambda found, graph: views_of(graph),
    "totals": lambda found, graph: graph.totals,
    "text": lambda found, graph: graph.to_text(),
    "unfolded": lambda found, graph: graph.to_text(fold=False),
    "modules": lambda found, graph: graph.to_text(view="modules"),
    "parameters": lambda found, graph: graph.to_text(view="parameters"),
    "operations": lambda found, graph: graph.to_text(view="operations"),
}


@pytest.mark.parametrize(
    ("model", "trace"),
    [
        (Chain, "symbolic"),
        (Chain, "record"),
        (Views, "symbolic"),
        (modules_in_a_row, "symbolic"),
        (unlike_blocks, "symbolic"),
        (layers, "symbolic"),
    ],
)
def test_calls_grow_with_the_number_of_operations(model: Callable[[int], nn.Module], trace: str) -> None:
    counts: list[dict[str, int]] = []
    for operations in (200, 2000):
        found = captured(model(operations), 4, 4, 4, trace=trace)
        graph = passes.annotate(convert(found))
        counts.append({name: calls_of(partial(stage, found, graph)).total() for name, stage in STAGES.items()})
    assert {name: many for name, many in counts[1].items() if many > 11 * counts[0][name]} == {}


def test_a_run_of_views_is_joined_once() -> None:
    graph = passes.annotate(convert(captured(Views(50), 8, 8)))
    assert calls_of(lambda: simplify(graph))["_join_run"] == 1
    assert list(simplify(graph)) == ["x", "transpose_49", "output"]


def nested(levels: int) -> nn.Module:
    model = Nest(None)
    for _ in range(levels - 1):
        model = Nest(model)
    return model


@pytest.fixture
def deep_models() -> Any:
    """Torch itself needs more than the usual depth of calls, three for each module, to run such a model."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    yield
    sys.setrecursionlimit(limit)


def test_modules_in_modules_are_followed_down(deep_models: None) -> None:
    graph = fxsummary.graph(nested(500), input_shape=(2, 4))
    sys.setrecursionlimit(1000)
    assert graph.totals.parameters == 500 * 20
    assert graph.to_text(depth=501, width=3000).count("Linear") >= 500
    for view in ("modules", "parameters", "operations"):
        assert len(graph.to_text(view=view).splitlines()) >= 500
    views_of(graph)


def test_modules_in_modules_are_listed_without_dataflow(deep_models: None) -> None:
    class Stops(Nest):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else super().forward(x)

    model = Stops(nested(499))
    sys.setrecursionlimit(1000)
    graph = fxsummary.graph(model, trace="symbolic")
    assert graph.captured_by == "modules"
    assert graph.to_text(depth=501, width=3000).count("Linear") == 500
    views_of(graph)


def test_twin_towers_are_compared(deep_models: None) -> None:
    """Two deep blocks of the same size and shape beside each other."""
    graph = fxsummary.graph(nn.Sequential(nested(400), nested(400)), input_shape=(2, 4))
    sys.setrecursionlimit(1000)
    folded = fold_repeats(graph)
    assert len(folded) == 400 + 2
    assert folded.totals.flops == graph.totals.flops


def test_what_is_never_called_is_found_in_one_sweep(deep_models: None) -> None:
    counts = []
    for levels in (40, 400):
        model = Nest(None)
        model.unused = nested(levels)
        found = captured(model, 2, 4)
        counts.append(calls_of(lambda found=found: passes.annotate(convert(found))).total())
    assert counts[1] < 11 * counts[0]


def test_collecting_is_left_as_it_was() -> None:
    gc.disable()
    try:
        with paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
    with pytest.raises(ZeroDivisionError), paused():
        _ = 1 / 0
    assert gc.isenabled()


def test_what_is_cleaned_away_is_not_printable() -> None:
    """So that text which is printable may be left as it is."""
    assert not any(chr(code).isprintable() for code in _CLEAN)
