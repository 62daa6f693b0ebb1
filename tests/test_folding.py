"""What folds, and what must not: each model has a run, or one that only looks like it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from printed import check, text_rows
from torch import Tensor, nn
from unfolding import as_listed, unfolded_as_listed

import fxsummary
from fxsummary import ModelGraph
from fxsummary.drawing.choose import picture
from fxsummary.errors import InputError
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
    (Looped(), ["layers.0 Layer · mul ×5 steps"]),
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
    assert whole.rpartition("───\n")[0].count("Linear") == 24 and "Closed" not in whole and "operations" not in whole
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


# --- similar copies --------------------------------------------------------------------------------


class Widen(nn.Module):
    """A convolution with a norm and two activations, to another number of channels."""

    def __init__(self, before: int, after: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(x)).sigmoid())


def widening(*kernels: int) -> nn.Sequential:
    """One block for each kernel size, each with 8 channels more."""
    return nn.Sequential(*(Widen(8 * number, 8 * number + 8, kernel) for number, kernel in enumerate(kernels, 1)))


def text_of(model: nn.Module, *inputs: Tensor, **options: Any) -> str:
    return fxsummary.graph(model.eval(), *inputs).to_text(width=140, **options)


def test_similar_blocks_are_one_with_ranges_of_sizes_and_sums_of_costs() -> None:
    text = text_of(widening(3, 3, 3, 3), torch.zeros(1, 8, 4, 4))
    convs = [9 * before * (before + 8) + before + 8 for before in (8, 16, 24, 32)]
    assert re.search(r"0…3 Widen ×4 1.2 k…11.6 k parameters each +1×16…40×4×4", text)
    assert re.search(rf"conv Conv2d 8…32→16…40, 3×3, s1, p1 +1×16…40×4×4 +Σ {sum(convs):,} +Σ ", text)
    assert "Σ          the sum over all copies" in text


def test_blocks_of_other_kernel_sizes_are_not_similar() -> None:
    text = text_of(widening(3, 5, 3, 5), torch.zeros(1, 8, 4, 4))
    assert not re.search(r" ×\d", text) and text.count(" Conv2d ") == 4
    assert re.search(r"0…3 Widen ×4", text_of(widening(3, 3, 3, 3, 5), torch.zeros(1, 8, 4, 4)))


def test_two_similar_blocks_and_operations_without_blocks_stay_apart() -> None:
    assert text_of(widening(3, 3), torch.zeros(1, 8, 4, 4)).count("Conv2d") == 2
    plain = nn.Sequential(
        *(layer for width in (8, 16, 24, 32) for layer in (nn.Conv2d(width, width + 8, 3), nn.ReLU()))
    )
    assert text_of(plain, torch.zeros(1, 8, 32, 32)).count("Conv2d") == 4


def test_similar_blocks_do_not_take_a_run_of_equal_ones_apart() -> None:
    layers = [Widen(8, 8) for _ in range(4)] + [Widen(8 * width, 8 * width + 8) for width in range(1, 5)]
    text = text_of(nn.Sequential(*layers), torch.zeros(1, 8, 4, 4))
    assert re.search(r"0…3 Widen ×4 .*\n.*conv Conv2d 8→8,", text) and re.search(r"4…7 Widen ×4", text)


@pytest.mark.parametrize(("fold", "convs"), [("similar", 1), (True, 1), ("exact", 4), (False, 4)])
def test_what_to_fold_is_an_option(fold: Any, convs: int) -> None:
    assert text_of(widening(3, 3, 3, 3), torch.zeros(1, 8, 4, 4), fold=fold).count("Conv2d") == convs


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "mermaid", "svg"])
def test_another_way_to_fold_is_refused(form: str) -> None:
    graph = fxsummary.graph(nn.Linear(2, 2), torch.zeros(1, 2))
    with pytest.raises(InputError, match=r"fold='some' is not a way to fold: pass \"similar\", \"exact\""):
        getattr(graph, f"to_{form}")(fold="some")


class Experts(nn.Module):
    """Each expert gets the tokens that the gate sends to it."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(8, 4)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8)) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        chosen = self.gate(x).argmax(-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            out[chosen == number] = expert(x[chosen == number])
        return out


def test_experts_with_other_numbers_of_tokens_are_one() -> None:
    torch.manual_seed(0)
    model, x = Experts(), torch.randn(40, 8)
    tokens = [int(number) for number in model.gate(x).argmax(-1).bincount(minlength=4)]
    assert len(set(tokens)) > 2
    text = text_of(model, x)
    assert re.search(rf"experts\.0…3 .* ×4 .*\n(.*\n)*.*0 Linear 8→32 +{min(tokens)}…{max(tokens)}×32 +288 +Σ", text)


class Growing(nn.Module):
    """Each layer reads the concatenation of all results before it."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Widen(8 * number, 8) for number in range(1, layers + 1))

    def forward(self, x: Tensor) -> Tensor:
        found = [x]
        for layer in self.layers:
            found.append(layer(torch.cat(found, 1)))
        return torch.cat(found, 1)


def test_layers_that_read_all_before_them_are_similar() -> None:
    text = text_of(Growing(6), torch.zeros(1, 8, 4, 4))
    assert re.search(r"layers\.0…4 Widen · cat ×5 .*\n.*layers\.0 Widen ", text)
    assert re.search(r"cat 1 +1×16…48×4×4", text)


# --- loops -----------------------------------------------------------------------------------------


class Recurrent(nn.Module):
    """A loop over time: the weights of a module and of functions, and a state that goes round."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(8, 8)
        self.weight = nn.Parameter(torch.zeros(8, 8))

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(2, 8)
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state @ self.weight)
        return state


def test_a_loop_is_one_run_of_steps_from_the_first_on() -> None:
    text = fxsummary.graph(Recurrent(), torch.zeros(2, 12, 8), trace="record").to_text(width=100)
    assert re.search(r"×12 steps carry 2×8 +2×8 +496 ", text)
    assert re.search(r"weight matmul +2×8 +Σ 64 ", text) and re.search(r"cell GRUCell 8→8 +2×8 +Σ 432 ", text)
    assert "[:, 0…11]" in text


def test_the_picture_of_steps_shows_what_goes_round_with_its_shape() -> None:
    graph = fxsummary.graph(Recurrent(), torch.zeros(2, 12, 8), trace="record")
    scene = picture(graph).scene
    ends = {item.key: item.rows[0].label for item in scene.items()}
    assert {(ends[a], ends[b]): shape for (a, b), shape in scene.loops.items()} == {("GRUCell", "matmul"): "2×8"}
    assert not picture(graph, depth=0).scene.loops
    entry = "value for the next step"
    assert entry in graph.to_svg() and entry not in graph.to_svg(depth=0)


def test_a_module_called_side_by_side_is_a_run_of_calls() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([self.head(part) for part in x.chunk(5, 1)])

    assert re.search(r"head Sequential ×5 calls ", text_of(Heads(), torch.zeros(2, 40)))


# --- blocks like one before ------------------------------------------------------------------------


class Residual(nn.Module):
    def __init__(self, before: int, after: int, kernel: int = 3, extra: bool = False) -> None:
        super().__init__()
        self.first, self.second = Widen(before, after, kernel), Widen(after, after, kernel)
        self.third = Widen(after, after)
        self.skip = nn.Conv2d(before, after, 1) if before != after else None
        self.extra = nn.Linear(4, 4) if extra else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.third(self.second(self.first(x)))
        if self.extra is not None:
            y = self.extra(y)
        return y + (x if self.skip is None else self.skip(x))


def test_a_long_summary_says_which_blocks_are_like_one_before_and_how_they_differ() -> None:
    layers = [
        Residual(8, 16), Residual(16, 16), Residual(16, 24, 5), Residual(24, 24), Residual(24, 32, extra=True),
        *(nn.Sequential(*(nn.Linear(4, 4) for _ in range(5))) for _ in range(2)), Residual(32, 40),
    ]  # fmt: skip
    text = text_of(nn.Sequential(*layers), torch.zeros(1, 8, 4, 4))
    rows = {found[1]: found[2] for found in re.finditer(r"^[├└] ([\d…]+) (.*?)  ", text, re.MULTILINE)}
    assert rows["0"] == "Residual" and rows["5…6"] == "Sequential ×2"
    assert rows["1"] == "like 0 but without skip"
    assert rows["2"] == "Residual" and "first like 0.first but another conv" in text
    assert rows["3"] == "like 0 but without skip"
    assert rows["4"] == "like 0 but with extra"
    assert rows["7"] == "like 0"
    assert "like NAME" in text and "depth=" in text
    assert " like " not in text_of(nn.Sequential(*layers), torch.zeros(1, 8, 4, 4), fold="exact")
    assert " like " not in text_of(nn.Sequential(*layers), torch.zeros(1, 8, 4, 4), depth=9)


def test_a_loop_over_parts_of_other_sizes_is_one_run_with_ranges() -> None:
    class Levels(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            scores = []
            for part in x.split([3, 5, 4, 8, 6, 6], dim=1):
                part = (part + 1).sigmoid()
                scores.append(part.exp().sum(-1) * 2)
            return torch.cat(scores, 1)

    text = text_of(Levels(), torch.zeros(2, 32, 8))
    assert re.search(r"add · … · mul ×6 .*\n.*add 1 +2×3…8×8\n.*sigmoid +2×3…8×8\n", text)


def test_similar_blocks_say_what_is_not_read_in_all_of_them() -> None:
    class Unread(Widen):
        def __init__(self, before: int) -> None:
            super().__init__(before, before + 8)
            self.unused = nn.Parameter(torch.zeros(before))

    graph = fxsummary.graph(nn.Sequential(*map(Unread, (8, 16, 24, 32))), torch.zeros(1, 8, 4, 4))
    assert re.search(r"not read unused +Σ 80\n", graph.to_text(width=100))
    assert shown(graph).totals == graph.totals


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_name_is_never_cut(width: int) -> None:
    name = "a_module_whose_name_is_longer_than_the_first_column"
    model = nn.Sequential()
    inner = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    model.add_module(name, nn.Sequential(*(inner if number % 2 else nn.Linear(8, 8) for number in range(4))))
    text = fxsummary.graph(model, torch.zeros(1, 8)).to_text(width=width, fold=False)
    assert f" {name}" in text and all(len(line) <= width for line in text.splitlines())
    check(text_rows(text))


def test_blocks_that_each_read_a_numbered_input_are_one_run() -> None:
    class Projections(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Sequential(nn.Linear(8, 8), nn.ReLU()) for _ in range(4))

        def forward(self, x_0: Tensor, x_1: Tensor, x_2: Tensor, x_3: Tensor) -> Tensor:
            return torch.cat([layer(x) for layer, x in zip(self.layers, (x_0, x_1, x_2, x_3), strict=True)])

    graph = fxsummary.graph(Projections(), *(torch.zeros(2, 8) for _ in range(4)))
    text = graph.to_text(width=100)
    assert "input x_0…3 2×8\n" in text and re.search(r"layers\.0…3 Sequential ×4 ", text)
    whole = hide_scalars(graph)
    assert unfolded_as_listed(fold_repeats(whole))[1] == as_listed(whole)[1]


def test_a_block_that_reads_more_inputs_than_the_one_it_equals_says_so() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))

        def forward(self, x: Tensor, memory: Tensor) -> Tensor:
            scores = self.query(x) @ self.key(memory).transpose(-1, -2)
            return scores.softmax(-1) @ self.value(memory)

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own, self.cross = Attention(), Attention()

        def forward(self, x: Tensor, memory: Tensor) -> Tensor:
            x = self.own(x, x)
            return self.cross(x, memory)

    text = text_of(Decoder(), torch.zeros(1, 4, 8), torch.zeros(1, 4, 8))
    assert re.search(r"cross = own, 2 inputs ", text)


class Waves(nn.Module):
    """An encoding with frequencies that double, which are floats written without a fraction."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([wave(2.0**power * x) for power in range(6) for wave in (torch.sin, torch.cos)], -1)


def test_floats_that_rise_are_one_run_of_the_encoding() -> None:
    whole = hide_scalars(fxsummary.graph(Waves(), torch.zeros(2, 3)))
    graph = fold_repeats(whole)
    (block,) = block_tree(graph).blocks()
    assert block.repeat == 6
    factors = {data["config"] for _, data in graph.nodes(data=True) if data["label"] == "mul"}
    assert factors == {"1, 2, …, 32"}
    assert unfolded_as_listed(graph)[1] == as_listed(whole)[1]
