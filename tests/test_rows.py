"""Rows of a summary: loops that fold although each step reads a buffer or a number of its own, and what rows say."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from unfolding import as_listed, unfolded_as_listed

import fxsummary
from fxsummary.views.blocks import block_tree
from fxsummary.views.fold import fold_repeats
from fxsummary.views.scalars import hide_scalars


class Codebook(nn.Module):
    """Vectors that are made of two buffers."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(size, 16))
        self.register_buffer("usage", torch.ones(size))

    def table(self) -> Tensor:
        table: Tensor = self.total / self.usage.clamp(min=1e-5)[:, None]
        return table


class Quantizer(nn.Module):
    """Quantizes what the codebooks before left, then adds up the vectors that it chose.

    Args:
        sizes: of the codebooks; decoded: their order in the second loop.
    """

    def __init__(self, sizes: tuple[int, ...] = (32,) * 12, decoded: tuple[int, ...] = tuple(range(12))) -> None:
        super().__init__()
        self.codebooks = nn.ModuleList(map(Codebook, sizes))
        self.decoded = decoded

    def forward(self, x: Tensor) -> Tensor:
        tables, codes, rest = [codebook.table() for codebook in self.codebooks], [], x
        for table in tables:
            codes.append(torch.cdist(rest, table[None]).argmin(-1))
            rest = rest - nn.functional.embedding(codes[-1], table)
        result = torch.zeros_like(rest)
        for number in self.decoded:
            result = result + nn.functional.embedding(codes[number], tables[number])
        return result + rest


class Shared(Quantizer):
    """Every third codebook is the first one."""

    def forward(self, x: Tensor) -> Tensor:
        tables = [codebook.table() for codebook in self.codebooks]
        for number in range(12):
            x = x - nn.functional.embedding(torch.cdist(x, tables[number]).argmin(-1), tables[number % 3 and number])
        return x


EXCHANGED = (0, 1, 2, 3, 5, 4, *range(6, 12))
OTHER_SIZE = (*[32] * 6, 48, *[32] * 5)
LOOPS = [
    (Quantizer(), ["×12", "×12 steps", "×12 steps"]),
    (Quantizer(decoded=EXCHANGED), ["×2", "×4", "×4 steps", "×5 steps", "×4 steps", "×6 steps"]),
    (Quantizer(OTHER_SIZE), ["×6", "×5", "×6 steps", "×5 steps", "×6 steps", "×5 steps"]),
    (Shared(), ["×2", "×3", "×2", "×4 steps"]),
]


@pytest.mark.parametrize(("model", "runs"), LOOPS, ids=["in order", "exchanged", "another size", "shared"])
def test_steps_fold_that_read_a_buffer_each(model: nn.Module, runs: list[str]) -> None:
    graph = fxsummary.graph(model, torch.zeros(1, 8, 16))
    whole = hide_scalars(graph)
    folded = fold_repeats(whole)
    assert [b.copied.strip() for b in block_tree(folded).walk() if b.repeat > 1] == runs
    assert unfolded_as_listed(folded)[1] == as_listed(whole)[1]


def test_a_quantizer_is_three_loops_of_a_step_each() -> None:
    rows = fxsummary.graph(Quantizer(), torch.zeros(1, 8, 16)).to_text().splitlines()
    assert len(rows) < 35
    assert [row.count("×12") for row in rows if "├" in row and "×12" in row] == [1, 1, 1]
    assert sum("steps carry 1×8×16" in row for row in rows) == 2


class Thresholds(nn.Module):
    """A step for each threshold, below which values are dropped."""

    def __init__(self, *thresholds: float) -> None:
        super().__init__()
        self.thresholds = thresholds
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in thresholds)

    def forward(self, x: Tensor) -> Tensor:
        for layer, threshold in zip(self.layers, self.thresholds, strict=True):
            x = layer(x) * (x >= threshold)
        return x


class TwoLayers(Thresholds):
    """A step has two layers."""

    def __init__(self, *thresholds: float) -> None:
        super().__init__(*thresholds)
        self.others = nn.ModuleList(nn.Linear(16, 16) for _ in thresholds)

    def forward(self, x: Tensor) -> Tensor:
        for layer, other, threshold in zip(self.layers, self.others, self.thresholds, strict=True):
            x = other(layer(x) * (x >= threshold))
        return x


SCHEDULES = [
    (Thresholds(0.9, 0.75, 0.7, 0.1), "0.9…0.1"),
    (Thresholds(1e-05, 0.2, 0.25), "1e-05…0.25"),
    (Thresholds(0.1, 0.5, 0.2, 0.6), None),
    (Thresholds(0.1, 0.5), None),
    (TwoLayers(0.1, 0.5), None),
]


@pytest.mark.parametrize(("model", "numbers"), SCHEDULES, ids=["falls", "rises", "in turn", "two", "two of two layers"])
def test_steps_fold_whose_floats_only_rise_or_only_fall(model: Thresholds, numbers: str | None) -> None:
    whole = hide_scalars(fxsummary.graph(model, torch.zeros(1, 8, 16)))
    folded = fold_repeats(whole)
    copies = [block.copies for block in block_tree(folded).walk() if block.repeat > 1]
    assert copies == ([len(model.thresholds)] if numbers else [])
    assert unfolded_as_listed(folded)[1] == as_listed(whole)[1]
    shown = next(data["config"] for _, data in folded.nodes(data=True) if data["label"] == "ge")
    assert shown == (numbers or "0.1")


class Scaled(nn.Module):
    """A block that scales by a number of its own."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.inner, self.outer = factor, nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(self.inner(x).relu() * self.factor).relu()


def test_a_block_that_equals_one_before_but_for_a_float_says_so() -> None:
    model = nn.Sequential(Scaled(0.5), nn.Linear(16, 16), Scaled(0.25))
    assert "2 = 0, other numbers" in fxsummary.graph(model, torch.zeros(1, 16)).to_text()


class ClassWhoseNameIsLongerThanTheFirstColumnOfASummary(Scaled):
    """A block whose type does not fit."""


class Named(nn.Module):
    """Blocks whose path does not fit either."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [ClassWhoseNameIsLongerThanTheFirstColumnOfASummary(0.5) for _ in range(7)]
        self.a_name_that_is_longer_than_the_first_column_of_a_summary = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.a_name_that_is_longer_than_the_first_column_of_a_summary:
            x = block(x)
        return x


@pytest.mark.parametrize("width", [60, 70, 80])
def test_a_row_below_its_long_name_keeps_its_number_of_copies(width: int) -> None:
    text = fxsummary.graph(Named(), torch.zeros(1, 16)).to_text(width=width)
    assert "… ×7  " in text


class Products(nn.Module):
    """A product of flattened tokens, scaled products, and more views than a label has room for."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias, self.q = nn.Parameter(torch.zeros(8, 8)), nn.Parameter(torch.zeros(8)), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        flat = torch.addmm(self.bias, x.view(-1, 8), self.weight).view(2, 4, 8) / 2
        scores = (self.q(x) * 0.125) @ x.transpose(-1, -2)
        return (scores * 0.5) @ flat + x.view(2, 2, 2, 8).permute(0, 2, 1, 3).reshape(2, 4, 8).flip(1).view(2, 4, 8)


@pytest.mark.parametrize(
    "row", ["addmm ÷2, 6 operations", "Linear 8→8, ×0.125, 2 operations", "matmul ×0.5, 2 operations"]
)
def test_a_merged_row_says_how_many_operations_it_has(row: str) -> None:
    text = fxsummary.graph(Products(), torch.zeros(2, 4, 8)).to_text(width=120)
    assert row in text


def test_more_views_than_a_label_shows_say_how_many() -> None:
    class Views(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.view(2, 2, 2, 8).permute(0, 2, 1, 3).reshape(2, 4, 8).transpose(1, 2).contiguous()

    assert "view · … · transpose 4 operations" in fxsummary.graph(Views(), torch.zeros(2, 4, 8)).to_text()


class Costly(nn.Sequential):
    """A block of 34 layers of different widths."""

    def __init__(self) -> None:
        super().__init__(*(nn.Linear(100 + number, 101 + number) for number in range(34)))


def test_one_block_of_the_most_costly_class_is_open_although_the_page_is_full() -> None:
    head = [nn.Linear(16 + number, 17 + number) for number in range(46)]
    model = nn.Sequential(*head, nn.Linear(62, 100), Costly(), nn.Linear(134, 8))
    text = fxsummary.graph(model, torch.zeros(1, 16)).to_text(fold="exact", width=100)
    assert "Linear 120→121" in text and len(text.splitlines()) <= 110


class Attending(nn.Module):
    """Attention that may be causal, or look at fewer keys."""

    def __init__(self, **settings: bool) -> None:
        super().__init__()
        self.settings = settings
        self.q, self.k, self.v, self.out = (nn.Linear(16, 16) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.q(x), self.k(x), self.v(x)
        return x + self.out(nn.functional.scaled_dot_product_attention(q, k, v, **self.settings))


class Long(nn.Module):
    """Blocks between so many layers of other widths that the summary refers to blocks that are alike."""

    def __init__(self, first: Attending, second: Attending) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.middle = nn.Sequential(*(nn.Linear(16 + number, 17 + number) for number in range(50)), nn.Linear(66, 16))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.second(self.middle(self.first(x)))
        return result


@pytest.mark.parametrize(
    ("first", "second", "setting"),
    [
        (Attending(), Attending(is_causal=True), "another scaled_dot_product_attention (is_causal=True)"),
        (Attending(is_causal=True), Attending(), "another scaled_dot_product_attention (without is_causal=True)"),
        (Attending(), Attending(is_causal=True, enable_gqa=True), "another scaled_dot_product_attention  "),
    ],
)
def test_another_operation_says_the_setting_that_differs(first: Attending, second: Attending, setting: str) -> None:
    text = fxsummary.graph(Long(first, second), torch.zeros(2, 4, 16)).to_text(width=200)
    assert f"second like first but {setting}" in text


@pytest.mark.parametrize("options", [{}, {"caption": "A model"}, {"longtable": True, "caption": "A model"}])
def test_latex_explains_its_marks_below_the_table(options: dict[str, Any]) -> None:
    graph = fxsummary.graph(Quantizer(), torch.zeros(1, 8, 16))
    latex = graph.to_latex(**options)
    note = latex[latex.index(r"\footnotesize") :]
    assert r"\textbf{$\times$N} inside $\times$N, counts are per copy and \% is over all copies\par" in note
    assert r"\textbf{carry} the shape of what each step reads" in note and r"\textbf{+N}" in note
    assert latex.index(r"\bottomrule") < latex.index(r"\footnotesize")
    if options == {"caption": "A model"}:
        assert latex.rstrip().endswith(r"\end{table}")
    assert "footnotesize" not in fxsummary.graph(nn.Linear(2, 2), torch.zeros(1, 2)).to_latex()


class Recurring(nn.Module):
    """A module whose calls carry a value on, and one whose calls stand side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.side = nn.Sequential(nn.Linear(8, 8), nn.ReLU()), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(6):
            x = self.step(x)
        return torch.cat([self.side(x[:, number]) for number in range(9)])


@pytest.mark.parametrize(
    ("form", "options"),
    [("to_svg", {}), ("to_svg", {"depth": 1}), ("to_mermaid", {}), ("to_mermaid", {"depth": 1}), ("to_dot", {})],
)
def test_pictures_say_whether_copies_are_steps_or_calls(form: str, options: dict[str, Any]) -> None:
    picture = getattr(fxsummary.graph(Recurring(), torch.zeros(1, 9, 8)), form)(**options)
    assert "×6 steps" in picture and "×9 calls" in picture
