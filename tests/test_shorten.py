"""A long series of equal blocks or steps is simplified and folded by a few of them, with the same result as for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from graphs import contents, graph_of
from torch import Tensor, nn
from torch.nn import functional

import fxsummary
from fxsummary import ModelGraph
from fxsummary.views import shorten, shown
from fxsummary.views.shorten import series
from fxsummary.views.unread import with_unread
from zoo import OWN

SERIES = ["cait_xxs24_224", "eva02_tiny_patch14_224", "nest_tiny", "vit_tiny_patch16_224", "xception41"]
"""Models with series; some series are parts of longer patterns."""


class Layer(nn.Module):
    """A layer with identities, views and operations that nothing reads, which simplifying hides."""

    def __init__(self, size: int = 6, kinds: int = 3, bias: bool = True) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.kinds = nn.ModuleList([nn.Linear(size, size, bias) for _ in range(kinds)])
        self.scale = nn.Parameter(torch.ones(1, size))
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        y = self.norm(x).view(2, 1, -1).view(2, -1)
        y.neg()
        for kind in self.kinds:
            y = kind(y) * self.scale.expand(2, -1)
        y = self.dropout(y).contiguous()
        return x + (y if mask is None else y * mask)


class Stack(nn.Module):
    """Layers, and what they read and return beside the value that they pass on."""

    def __init__(self, layers: list[nn.Module], way: str = "") -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.way = way

    def forward(self, x: Tensor) -> Any:
        masks = [x.ge(0).float() for _ in self.layers] if "mask" in self.way else []
        found = []
        for number, layer in enumerate(self.layers):
            if self.way == "positions":
                x = x + number
            x = layer(x, masks[number if self.way == "own masks" else 0]) if masks else layer(x)
            found.append(x)
        if self.way == "read later":
            return torch.cat(found)
        if self.way in RETURNED:
            return RETURNED[self.way](found)
        return x + found[4] if self.way == "one is read later" else x


RETURNED: dict[str, Callable[[list[Tensor]], Any]] = {
    "each is returned": lambda found: (found[-1] + 1, found),
    "each is returned, the last one first": lambda found: found[::-1],
    "each is returned but one": lambda found: [*found[:4], *found[5:]],
    "each is returned out of order": lambda found: [found[1], found[0], *found[2:]],
    "each is returned twice": lambda found: [*found, *found],
}
"""What is returned of the values of all layers."""


class Steps(nn.Module):
    """A layer of steps that counts them, and notes its state in place."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        state, y = torch.zeros(2), self.fc(x.view(6, 2))
        with torch.no_grad():
            for number in range(6):
                state = state * 0.5 + y[number]
        return torch.zeros_like(x).copy_((x.view(6, 2) + state).view(2, 6))


class Caching(nn.Module):
    """A layer that also returns a key and a value."""

    def __init__(self) -> None:
        super().__init__()
        self.key, self.value = nn.Linear(6, 6), nn.Linear(6, 3)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        key, value = self.key(x), self.value(x)
        return x + key, self.dropout(key), value


class Caches(nn.Module):
    """Layers whose keys and values are returned."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Caching() for _ in range(9)])
        self.way = way

    def forward(self, x: Tensor) -> Any:
        pairs = []
        for layer in self.layers:
            x, *pair = layer(x)
            pairs.append(pair)
        if self.way == "mixed":
            pairs[1::2] = [pair[::-1] for pair in pairs[1::2]]
        return (x, pairs) if self.way != "by kind" else (list(zip(*pairs, strict=True)), x.exp())


class Delayed(nn.Module):
    """A layer that passes on what the layers one, two and three before it made."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, values: tuple[Tensor, Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x, a, b, c = values
        return self.fc(x), x.neg(), a.exp(), b.sin() + 0 * c


class Delays(nn.Module):
    def __init__(self, read: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Delayed() for _ in range(9)])
        self.read = read

    def forward(self, x: Tensor) -> Any:
        values = x, x, x, x
        for layer in self.layers:
            values = layer(values)
        return values[self.read]


class Twins(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = (Stack([Layer() for _ in range(8)]) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.right(self.left(x)))


class Loop(nn.Module):
    """A loop over time; the way says what happens in it, and what is made of its values.

    Args:
        times: numbers of the steps, in order.
    """

    def __init__(self, way: str = "", times: Sequence[int] = range(9)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, max(times) + 1))
        self.way = way
        self.times = times

    def forward(self, x: Tensor) -> Any:
        values = (x[:, :1] + x.sum()).expand(2, max(self.times) + 1).exp()
        state, found, written = x.sum(1), [], torch.zeros_like(values)
        for number in self.times:
            y = values[:, number].to(torch.float32)
            if self.way == "own weights":
                y = y * self.weight[:, number]
            if self.way == "one is different" and number == 4:
                y = y.neg()
            if self.way == "floats":
                y = y * (0.5 * number)
            state = torch.tanh(y + state * self.weight[:, 0]) - y
            found.append(torch.relu(state))
            if self.way == "written":
                written[:, number] = found[-1]
        return LOOPS.get(self.way, LOOPS[""])[0](x, found, written)


class Heads(nn.Module):
    """Several loops in one module."""

    def __init__(self, *steps: int) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for head, steps in enumerate(self.steps):
            values, state = x[:, head : head + 1].expand(2, 9).exp(), x.sum(1)
            for number in range(steps):
                state = torch.tanh(values[:, number] + state) * 2
            found.append(state)
        return x + torch.stack(found).sum()


LOOPS: dict[str, tuple[Callable[[Tensor, list[Tensor], Tensor], Any], bool]] = {
    "": (lambda x, found, written: x * found[-1].sum(), True),
    "written": (lambda x, found, written: x * written.sum(), True),
    "stacked": (lambda x, found, written: x + torch.stack(found, 1).sum(), True),
    "between others": (lambda x, found, written: x + torch.stack([x[:, 0], *found, x[:, 1]], 1).sum(), True),
    "stacked twice": (lambda x, found, written: x + (torch.stack(found) * torch.stack(found)).sum(), True),
    "returned": (lambda x, found, written: (x, found), True),
    "own weights": (lambda x, found, written: x + found[-1].sum(), True),
    "one is read later": (lambda x, found, written: x + found[4].sum() + found[-1].sum(), False),
    "in pairs": (lambda x, found, written: x + (torch.stack(found[:4]) - torch.stack(found[4:8])).sum(), False),
    "one is different": (lambda x, found, written: x + torch.stack(found).sum(), False),
    "floats": (lambda x, found, written: x + torch.stack(found).sum(), False),
}
"""What is made of the values of a loop, and whether it is shortened."""


def layers(number: int = 9, **options: Any) -> list[nn.Module]:
    return [Layer(**options) for _ in range(number)]


def with_one(change: Callable[[Any], object], at: int = 4) -> nn.Module:
    """Layers that are equal but for one."""
    model = Stack(layers()).eval()
    change(model.layers[at])
    return model


def tied() -> nn.Module:
    model: Any = Stack(layers())
    model.layers[6].kinds[0].weight = model.layers[3].kinds[0].weight
    return model


MODELS: dict[str, tuple[Callable[[], nn.Module], bool]] = {
    "equal": (lambda: Stack(layers()), True),
    "one mask": (lambda: Stack(layers(), "one mask"), True),
    "own masks": (lambda: Stack(layers(), "own masks"), False),
    "numbers between": (lambda: Stack(layers(), "positions"), False),
    "read later": (lambda: Stack(layers(), "read later"), True),
    "one is read later": (lambda: Stack(layers(), "one is read later"), False),
    **{way: (lambda way=way: Stack(layers(), way), way == "each is returned") for way in RETURNED},
    **{f"caches {way}": (lambda way=way: Caches(way), way != "mixed") for way in ("in pairs", "by kind", "mixed")},
    "other ends": (lambda: Stack([Layer(kinds=2), *layers(), Layer(bias=False)]), False),
    "another layer before": (lambda: Stack([nn.Linear(6, 6), *layers()]), True),
    "a pattern of eight": (lambda: Stack([*layers(7), Layer(kinds=2), *layers(7), Layer(kinds=2)]), False),
    "twins": (Twins, False),
    "one module": (lambda: Stack([Layer()] * 9), False),
    "tied": (tied, False),
    "frozen": (lambda: with_one(lambda layer: layer.kinds[1].requires_grad_(False)), False),
    "not read": (lambda: with_one(lambda layer: layer.register_parameter("more", nn.Parameter(torch.ones(2)))), False),
    "another rate": (lambda: with_one(lambda layer: setattr(layer, "dropout", nn.Dropout(0.2))), False),
    "in train mode": (lambda: with_one(lambda layer: layer.dropout.train()), False),
    "another size inside": (lambda: with_one(lambda layer: setattr(layer, "kinds", layer.kinds[:2])), False),
    "another last one": (lambda: with_one(lambda layer: setattr(layer, "dropout", nn.Dropout(0.2)), 8), False),
    "another first one": (lambda: with_one(lambda layer: setattr(layer, "kinds", layer.kinds[:2]), 0), False),
    "other values of the first one": (lambda: with_one(lambda layer: setattr(layer, "dropout", nn.ReLU()), 0), True),
    **{f"steps, {way}": (lambda way=way: Loop(way), is_short) for way, (_, is_short) in LOOPS.items()},
    "steps backwards": (lambda: Loop("stacked", range(8, -1, -1)), True),
    "every other step": (lambda: Loop("written", range(1, 18, 2)), True),
    "loops in equal blocks": (lambda: Stack([Loop("stacked") for _ in range(9)]), True),
    "loops in two kinds of blocks": (lambda: Stack([Loop("written", range(7 + at % 2)) for at in range(6)]), True),
    "loops of heads": (lambda: Heads(9, 9, 9), True),
    "loops of other heads": (lambda: Heads(9, 7, 9), True),
    "loops of one block": (lambda: Stack([Loop("written")] * 3), True),
    **{f"delayed by {read}": (lambda read=read: Delays(read), read < 2) for read in range(4)},
}


def assert_same_by_few(graph: ModelGraph, monkeypatch: pytest.MonkeyPatch) -> bool:
    """The view is the same as without it, to the order of everything; returns whether a series was shortened."""
    monkeypatch.setattr(series, "LEAST_OPERATIONS", 1)
    before = contents(graph)
    found = views_of(graph)
    short, steps = shorten.without_steps(graph)
    is_short = shorten.by_few(with_unread(short), steps, similar=False) is not None
    assert contents(graph) == before
    monkeypatch.setattr(shown, "without_steps", lambda graph: (graph, []))
    monkeypatch.setattr(shown, "by_few", lambda graph, steps, similar: None)
    assert found == views_of(graph)
    return is_short


def views_of(graph: ModelGraph) -> list[str]:
    ways: list[dict[str, Any]] = [{"fold": "similar"}, {"fold": "exact"}, {"ghosts": True}]
    return [contents(shown.shown(graph, **way)) for way in ways]


@pytest.mark.parametrize("trace", ["symbolic", "record"])
@pytest.mark.parametrize("name", MODELS)
def test_a_few_blocks_show_what_becomes_of_all(name: str, trace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, is_short = MODELS[name]
    graph = fxsummary.graph(model(), torch.ones(2, 6), trace=trace)
    assert assert_same_by_few(graph, monkeypatch) == (is_short and graph.captured_by != "modules")


@pytest.mark.parametrize("way", ["", "each is returned"])
def test_a_few_blocks_of_steps_show_what_becomes_of_all(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = fxsummary.graph(Stack([Steps() for _ in range(9)], way), torch.ones(2, 6), trace="record")
    assert assert_same_by_few(graph, monkeypatch)


@pytest.mark.parametrize("name", [*OWN, *(f"timm.{name}" for name in SERIES)])
def test_a_few_blocks_of_a_known_model_show_what_becomes_of_all(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same_by_few(graph_of(name), monkeypatch)


def test_a_few_blocks_are_simplified_in_a_big_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    simplify = shorten.simplify
    monkeypatch.setattr(shorten, "simplify", lambda graph, **more: sizes.append(len(graph)) or simplify(graph, **more))
    for number in (20, 80, 160):
        graph = fxsummary.graph(Stack(layers(number)).eval(), torch.ones(2, 6))
        assert f"layers.0…{number - 1} Layer ×{number}" in graph.to_text()
    assert len(sizes) == 2
    assert sizes[0] == sizes[1] < 100
