"""What folds, and what must not: each model has a run, or one that only looks like it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from unfolding import as_listed, unfolded_as_listed

import fxsummary
from fxsummary import ModelGraph
from fxsummary.exporters.tables.opening import MOST_ROWS
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.fold import fold_repeats
from fxsummary.views.scalars import hide_scalars
from fxsummary.views.shown import shown


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x: Tensor, mask: Tensor | None = None, other: Tensor | None = None) -> Tensor:
        hidden = self.a(x)
        if mask is not None:
            hidden = hidden.softmax(-1) + mask
        if other is not None:
            hidden = hidden + other
        return x + self.b(torch.relu(hidden))


class Stack(nn.Module):
    """Six layers on embedded tokens."""

    def __init__(self, layers: int = 6) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 16)
        self.layers = nn.ModuleList(Layer() for _ in range(layers))

    def masks(self, tokens: Tensor, *offsets: int) -> list[Tensor]:
        length = tokens.shape[1]
        return [
            (torch.arange(length)[:, None] - offset >= torch.arange(length + 8)[None]).float() for offset in offsets
        ]


class MasksInTurn(Stack):
    def forward(self, tokens: Tensor) -> Tensor:
        x, masks = self.embedding(tokens), self.masks(tokens, 0, 4)
        for number, layer in enumerate(self.layers):
            x = layer(x, masks[number % 2])
        return x


class HalfAndHalf(Stack):
    def forward(self, tokens: Tensor) -> Tensor:
        x, masks = self.embedding(tokens), self.masks(tokens, 0, 4)
        for number, layer in enumerate(self.layers):
            x = layer(x, masks[number // 3])
        return x


class OwnMasks(Stack):
    offsets = (0, 0, 0, 0, 0, 0)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for layer, mask in zip(self.layers, self.masks(tokens, *self.offsets), strict=True):
            x = layer(x, mask)
        return x


class OtherMasks(OwnMasks):
    """Windows of other sizes: one row for all would hide them."""

    offsets = (0, 1, 4, 4, 1, 0)


class SideBySide(Stack):
    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        return torch.stack([layer(x) for layer in self.layers]).sum(0)


class ReadsAnEarlierLayer(Stack):
    def forward(self, tokens: Tensor) -> Tensor:
        x, before = self.embedding(tokens), []
        for number, layer in enumerate(self.layers):
            x = layer(before[0] if number == 3 else x)
            before.append(x)
        return x


class Reversed(Stack):
    """The second half reads the first half backwards."""

    def forward(self, tokens: Tensor) -> Tensor:
        x, before = self.embedding(tokens), []
        for layer in self.layers[:3]:
            x = layer(x)
            before.append(x)
        for layer, other in zip(self.layers[3:], before[::-1], strict=True):
            x = layer(x, None, other)
        return x


class InOrder(Stack):
    """The second half reads the first half in order."""

    def forward(self, tokens: Tensor) -> Tensor:
        x, before = self.embedding(tokens), []
        for layer in self.layers[:3]:
            x = layer(x)
            before.append(x)
        for layer, other in zip(self.layers[3:], before, strict=True):
            x = layer(x, None, other)
        return x


class Looped(Stack):
    """One layer called five times, each time with another factor."""

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for step in range(5):
            x = self.layers[0](x) * (step + 1)
        return self.layers[1](x)


class SharedAndOwn(Stack):
    """One layer is called again and again, each time before another layer."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = Layer()

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(self.shared(x))
        return x


class Slices(Stack):
    """Each layer reads its slice of one tensor."""

    order = (0, 1, 2, 3, 4, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        slices = self.embedding(tokens)[:, :, None].expand(1, 8, 6, 16)
        for number, layer in zip(self.order, self.layers, strict=True):
            x = layer(x, None, slices[:, :, number])
        return x


class SlicesOutOfOrder(Slices):
    order = (0, 2, 1, 5, 3, 4)


class PartsInOrder(Stack):
    """Each layer reads its part of a tuple."""

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for layer, part in zip(self.layers, torch.cat([x] * 6, -1).chunk(6, -1), strict=True):
            x = layer(x, None, part)
        return x


class EveryThird(Stack):
    """Every third layer has another mask."""

    def forward(self, tokens: Tensor) -> Tensor:
        x, masks = self.embedding(tokens), self.masks(tokens, 0, 4)
        for number, layer in enumerate(self.layers):
            x = layer(x, masks[number % 3 == 1])
        return x


RUNS = [
    (MasksInTurn(), ["layers.0…5 Layer ×3"]),
    (HalfAndHalf(), ["layers.0…2 Layer ×3", "layers.3…5 Layer ×3"]),
    (OwnMasks(), ["layers.0…5 Layer ×6"]),
    (OtherMasks(), ["layers.2…3 Layer ×2"]),
    (SideBySide(), ["layers.0…5 Layer ×6"]),
    (ReadsAnEarlierLayer(), ["layers.1…2 Layer ×2", "layers.3…5 Layer ×3"]),
    (Reversed(), []),
    (InOrder(), ["layers.0…2 Layer ×3", "layers.3…5 Layer ×3"]),
    (Looped(), ["layers.0 Layer · mul ×5"]),
    (SharedAndOwn(), ["shared Layer ×6"]),
    (Slices(), ["layers.0…5 getitem · Layer ×6"]),
    (SlicesOutOfOrder(), ["layers.4…5 getitem · Layer ×2"]),
    (PartsInOrder(), ["layers.0…5 Layer ×6"]),
    (EveryThird(9), ["layers.0…8 Layer ×3"]),
]


def graph_of(model: nn.Module) -> ModelGraph:
    return fxsummary.graph(model, torch.zeros(1, 8, dtype=torch.int64))


def runs_of(root: Block) -> list[str]:
    return [f"{b.name_from('')} {b.type}{b.copied}" for b in root.walk() if b.repeat > 1 and "ayer" in b.type]


@pytest.mark.parametrize(("model", "runs"), RUNS, ids=[type(model).__name__ for model, _ in RUNS])
def test_a_run_folds_if_its_copies_correspond(model: nn.Module, runs: list[str]) -> None:
    whole = hide_scalars(graph_of(model))
    folded = fold_repeats(whole)
    assert runs_of(block_tree(folded)) == runs
    assert unfolded_as_listed(folded)[1] == as_listed(whole)[1]


def test_integers_that_count_are_a_range() -> None:
    assert "getitem [:, :, 0…5]" in graph_of(Slices()).to_text().replace("index", "getitem")
    assert "mul 1…5" in graph_of(Looped()).to_text()


def test_calls_in_a_loop_are_steps_that_carry_a_value_and_count_their_weights_once() -> None:
    lines = graph_of(Looped()).to_text(width=100).splitlines()
    run, layer = (
        next(line for line in lines if name in line) for name in ("Layer · mul ×5 steps", "├ layers.0 Layer  ")
    )
    assert "×5 steps carry 1×8×16" in run and " 544 " in run
    assert "Σ 544" in layer


def test_a_block_that_was_shown_before_is_one_row_that_says_what_differs() -> None:
    text = graph_of(HalfAndHalf()).to_text(width=120)
    row = next(line for line in text.splitlines() if "layers.3…5" in line)
    assert "layers.3…5 ×3 = layers.0, other causal mask" in row
    assert "= NAME     the same operations and shapes as in NAME" in text
    text = graph_of(SharedAndOwn()).to_text(width=120)
    row = next(line for line in text.splitlines() if "layers.0" in line)
    assert "layers.0 = shared " in row and "544" in row


class Widening(nn.Module):
    """Five operations without weights or FLOPs, and a layer of another width each time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width + 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(((x + 0.5) * x - x).exp().tanh())


def test_a_long_summary_is_a_page_and_says_what_it_leaves_out() -> None:
    model = nn.Sequential(*(Widening(width) for width in range(16, 40)))
    graph = fxsummary.graph(model, torch.zeros(2, 16))
    text = graph.to_text(width=120, fold="exact")
    rows = [line for line in text.splitlines() if line[:1] in ("├", "└", "│")]
    assert MOST_ROWS - 10 < len(rows) <= MOST_ROWS
    assert any("rows)" in row for row in rows) and any("operations" in row for row in rows)
    assert "rows in" in text and "share rows" in text and "shows all" in text
    whole = graph.to_text(width=120, depth=9, fold="exact")
    assert whole.count("Linear") == 24 and "Closed" not in whole and "operations" not in whole
    assert graph.to_text(fold=False).count("tanh") == 24


def test_the_view_that_is_shown_leaves_the_graph_as_it_was() -> None:
    graph = graph_of(Slices())
    before = fxsummary.graph(Slices(), torch.zeros(1, 8, dtype=torch.int64)).to_json()
    shown(graph)
    assert graph.to_json() == before


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_summary_keeps_the_numbers_of_copies_and_of_closed_rows(width: int) -> None:
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a_rather_long_name_of_a_module = Slices()

        def forward(self, tokens: Tensor) -> Tensor:
            return self.a_rather_long_name_of_a_module(tokens)

    text = graph_of(Wrapper()).to_text(width=width)
    assert sum(" ×6" in line for line in text[: text.rindex("───")].splitlines()) == 1
    model = nn.Sequential(*(Widening(width) for width in range(16, 40)))
    text = fxsummary.graph(model, torch.zeros(2, 16)).to_text(width=width, fold="exact")
    closed = text.count("rows)")
    assert closed > 0 and f"in {closed} blocks" in text.replace("\n           ", " ")
