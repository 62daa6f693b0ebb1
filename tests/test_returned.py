"""A module's row shows what the module returned, all of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from graphs import graph_of, graph_with, shapes_of
from torch import nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.graph.saved import loads
from fxsummary.graph.spec import leaves
from zoo import OWN, ZOO


def returned_by(model: nn.Module, example: Any) -> dict[tuple[str, int], list[Any]]:
    """Shapes of what the calls of modules return in a real forward, by path and number of the call."""
    calls: dict[str, int] = {}
    shapes: dict[tuple[str, int], list[Any]] = {}

    def note(path: str, result: Any) -> None:
        number = calls[path] = calls.get(path, -1) + 1
        shapes[path, number] = [shapes_of(tensor) for tensor in _tensors(result)]

    for path, module in model.named_modules():
        if path and not isinstance(module, torch.jit.ScriptModule):  # which take no hooks
            module.register_forward_hook(lambda module, args, result, path=path: note(path, result))
    model(*example.args, **example.kwargs)
    return shapes


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return [tensor for item in items for tensor in _tensors(item)]


@pytest.mark.parametrize("trace", ["auto", "record"])
@pytest.mark.parametrize("name", [name for name, entry in OWN.items() if entry.has_dataflow and not entry.packed])
def test_what_modules_return_is_what_they_return(name: str, trace: str) -> None:
    entry = ZOO[name]
    graph = graph_of(name) if trace == "auto" else graph_with(entry.model(), entry.inputs(), trace=trace)
    truth = returned_by(entry.model(), entry.inputs())
    for call, returned in graph.returned.items():
        if (call.path, call.call) in truth and returned.outputs is not None:
            shown = [(spec.shape, spec.dtype) for spec in leaves(returned.outputs)]
            assert shown == truth[call.path, call.call], call


@pytest.mark.parametrize("name", ZOO)
def test_all_modules_that_are_entered_are_told(name: str) -> None:
    graph = graph_of(name)
    if graph.captured_by in ("symbolic", "recorded") and not graph.is_partial:
        leaf_calls = {
            d["module_stack"][-1] for _, d in graph.nodes(data=True) if d["op"] == "call_module" and d["module_stack"]
        }
        entered = {call for _, stack in graph.nodes(data="module_stack") for call in stack}
        assert entered - leaf_calls <= graph.returned.keys() | leaf_calls
    assert dict(loads(graph.to_json()).returned) == dict(graph.returned)


class Attention(nn.Module):
    """Returns two values; the one computed last is not the first."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(16, 48)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        q, k, v = self.qkv(x).chunk(3, -1)
        weights = (q @ k.transpose(1, 2)).softmax(-1)
        return weights @ v, weights.mean(-1)


class Layers(nn.Module):
    """Layers with an attention in each, so that recordings copy them."""

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = Attention()

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            y, weights = self.attention(x)
            return {"x": x + y, "weights": weights}

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(self.Layer() for _ in range(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)["x"]
        return x


@pytest.mark.parametrize("options", [{"trace": "symbolic"}, {"trace": "record"}, {"trace": "record", "replay": False}])
def test_the_row_of_a_module_shows_all_that_it_returned(options: dict[str, Any]) -> None:
    graph = fxsummary.graph(Layers(), torch.zeros(2, 5, 16), **options)
    text = " ".join(graph.to_text(width=200).split())
    assert "attention Attention 2×5×16 +1" in text
    assert "layers.0…5 Layer ×6 2×5×16 +1" in text
    assert len([call for call in graph.returned if call.type == "Attention"]) == 6
    for depth in (1, 2):
        shown = {d["label"]: d["outputs"] for _, d in _drawn(graph, depth).nodes(data=True) if d.get("closed")}
        assert all(len(list(leaves(outputs))) == 2 for outputs in shown.values())


def _drawn(graph: ModelGraph, depth: int) -> ModelGraph:
    from fxsummary.drawing.choose import picture

    return picture(graph, depth=depth).graph
