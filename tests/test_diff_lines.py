"""What a comparison says of models with many copies: each kind of change once, with the names of all copies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from graphs import graph_of
from torch import Tensor, nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.compare import Line, changed_lines
from fxsummary.compare.line import shortened, size
from fxsummary.errors import InputError
from fxsummary.views.fold import fold_repeats


def lines_of(one: nn.Module, other: nn.Module, *inputs: Tensor) -> list[str]:
    """The lines, indented, as sign, name and text."""
    given = inputs or (torch.empty(2, 16, 8),)
    graphs = [fxsummary.graph(model.eval(), *given, trace="record") for model in (one, other)]
    result = fxsummary.diff(*graphs)
    check_sums(result)
    return list(_written(changed_lines(result)))


def _written(lines: list[Line], indent: str = "") -> Iterator[str]:
    for line in lines:
        yield indent + " ".join(filter(None, (line.change, line.name, line.text)))
        yield from _written(line.children, indent + "  ")


def check_sums(result: ModelGraph) -> None:
    """The law: what lines say adds up to the line around them, and to the totals."""
    comparison = result.comparison
    assert comparison is not None
    lines = changed_lines(result)
    for name in ("parameters", "flops"):
        before, after = (getattr(totals, name) for totals in (comparison.before, comparison.after))
        grown = [_grown(line, name) for line in lines]
        assert None in (before, after, *grown) or sum(grown) == after - before, name
        todo = [line for line in lines if line.children]
        while todo:
            line = todo.pop()
            todo += [child for child in line.children if child.children]
            inside = [_grown(child, name) for child in line.children]
            assert None in (_grown(line, name), *inside) or sum(inside) == _grown(line, name), line


def _grown(line: Line, name: str) -> Any:
    before, after = getattr(line, name)
    return None if before is None or after is None else after - before


# --- models -------------------------------------------------------------------------------------


class Layer(nn.Module):
    """A layer with a mask that it takes a slice of, or makes itself; ``wide`` ones have other sizes."""

    def __init__(self, kind: str, width: int = 16) -> None:
        super().__init__()
        self.kind = kind
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, width), nn.Linear(width, 8)

    def forward(self, x: Tensor, masks: dict[str, Tensor]) -> Tensor:
        y = self.norm(x)
        if self.kind == "b":
            y = y[..., -8:]
        weights = (y @ y.mT + masks[self.kind]).softmax(-1)
        return x + self.down(self.up(weights @ y).relu())


class Layers(nn.Module):
    """Layers by a pattern of kinds, such as "abab": those of one kind read the same mask."""

    def __init__(self, kinds: str, **widths: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(kind, widths.get(f"at_{at}", 16)) for at, kind in enumerate(kinds))

    def forward(self, x: Tensor) -> Tensor:
        whole = torch.ones(16, 16).tril()
        masks = {"a": whole, "b": whole.triu(-4)}
        for layer in self.layers:
            x = layer(x, masks)
        return x


class Loop(nn.Module):
    """A cell that is called in a loop over the input."""

    def __init__(self, steps: int, cell: Callable[[int, int], nn.Module] = nn.GRUCell) -> None:
        super().__init__()
        self.steps = steps
        self.cell, self.out = cell(8, 8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        state, outputs = x[:, 0], []
        for step in range(self.steps):
            state = self.cell(x[:, step], state)
            outputs.append(self.out(state))
        return torch.stack(outputs, 1)


class Written(nn.Module):
    """A cell that is written out."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps, self.a, self.b = steps, nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        state = x[:, 0]
        for step in range(self.steps):
            gate = torch.sigmoid(self.a(x[:, step]) + self.b(state))
            state = gate * state + (1 - gate) * x[:, step].tanh()
        return state


class Experts(nn.Module):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.gate = nn.Linear(8, number)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8)) for _ in range(number)
        )

    def forward(self, x: Tensor) -> Tensor:
        weights = self.gate(x).softmax(-1)
        result = x
        for number, expert in enumerate(self.experts):
            result = result + weights[..., number : number + 1] * expert(x)
        return result


class DropLayers(nn.Module):
    """Layers with drop rates that grow with depth."""

    class Layer(nn.Module):
        def __init__(self, rate: float) -> None:
            super().__init__()
            self.fc, self.drop = nn.Linear(8, 8), nn.Dropout(rate)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.drop(self.fc(x))

    def __init__(self, number: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(self.Layer(0.3 * (at + 1) / number) for at in range(number))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Dense(nn.Module):
    """Layers that each read the results of all earlier ones."""

    class Layer(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.norm, self.fc = nn.LayerNorm(width), nn.Linear(width, 4)

        def forward(self, *x: Tensor) -> Tensor:
            return self.fc(self.norm(torch.cat(x, -1)))

    def __init__(self, first: int) -> None:
        super().__init__()
        self.first = nn.Linear(8, first)
        self.layers = nn.ModuleList(self.Layer(first + 4 * at) for at in range(8))

    def forward(self, x: Tensor) -> Tensor:
        known = [self.first(x)]
        for layer in self.layers:
            known.append(layer(*known))
        return torch.cat(known, -1)


class Cached(nn.Module):
    """Layers whose inner values are all returned."""

    def __init__(self, number: int, width: int = 4, turned: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(number))
        self.width, self.turned = width, turned

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        kept = []
        for layer in self.layers:
            x = layer(x)
            kept.append(x[..., : self.width])
        return x, *(reversed(kept) if self.turned else kept)


# --- what is said -------------------------------------------------------------------------------


def test_a_longer_pattern_is_one_line_for_all_layers_that_it_adds() -> None:
    short, long = Layers("ab" * 12), Layers("ab" * 18)
    assert lines_of(short, long) == ["changed layers 24 → 36 Layer", "  added 24…35 Layer ×12"]
    assert lines_of(long, short) == ["changed layers 36 → 24 Layer", "  removed 24…35 Layer ×12"]


def test_layers_of_another_pattern_change_in_their_place() -> None:
    gain = ["  added getitem […, -8:]", "  changed add: reads tril ⇒ triu"]
    lose = ["  removed getitem […, -8:]", "  changed add: reads triu ⇒ tril"]
    assert lines_of(Layers("ab" * 12), Layers("aab" * 8)) == [
        "changed layers.1, 3, …, 21 Layer ×8", *lose, "changed layers.2, 8, 14, 20 Layer ×4", *gain
    ]  # fmt: skip
    assert lines_of(Layers("ab" * 12), Layers("ba" * 12)) == [
        "changed layers.0, 2, …, 22 Layer ×12", *gain, "changed layers.1, 3, …, 23 Layer ×12", *lose
    ]  # fmt: skip
    assert lines_of(Layers("a" * 8), Layers("abbb" * 2)) == ["changed layers.1…3, 5…7 Layer ×6", *gain]


def test_one_layer_in_the_middle_is_named() -> None:
    assert lines_of(Layers("a" * 12), Layers("a" * 12, at_5=32)) == [
        "changed layers.5 Layer",
        "  changed up Linear 8→16 ⇒ 8→32",
        "  changed down Linear 16→8 ⇒ 32→8",
        "  1 operation changed only in shapes or FLOPs",
    ]
    assert lines_of(Layers("a" * 12), Layers("a" * 12, at_2=32, at_7=32)) == [
        "changed layers.2, 7 Layer ×2",
        "  changed up Linear 8→16 ⇒ 8→32",
        "  changed down Linear 16→8 ⇒ 32→8",
        "  2 operations changed only in shapes or FLOPs",
    ]


def test_more_steps_of_a_loop_are_one_line() -> None:
    follows = "1 operation changed only in shapes or FLOPs"
    for cell, name in ((nn.GRUCell, "GRUCell"), (nn.RNNCell, "RNNCell")):
        steps = f"cell getitem · {name} · Linear ×8 steps"
        assert lines_of(Loop(8, cell), Loop(16, cell)) == [f"added {steps}", follows]
        assert lines_of(Loop(16, cell), Loop(8, cell)) == [f"removed {steps}", follows]
    assert lines_of(Written(8), Written(16)) == ["added a getitem · … · tanh ×8 steps"]


class Filled(nn.Module):
    """A loop that writes its results into a tensor, whose size every step sees."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps, self.gate = steps, nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        state, out = x[:, 0], x.new_zeros(2, self.steps, 8)
        for step in range(self.steps):
            state = (state * 0.5 + 1).tanh() - (state + 2).sigmoid()
            out[:, step] = state
        return self.gate(out)


def test_a_long_loop_keeps_its_steps() -> None:
    short, long = (fxsummary.graph(Filled(steps), torch.empty(2, 1, 8), trace="record") for steps in (60, 90))
    for before, after, change in ((short, long, "added"), (long, short, "removed")):
        result = fxsummary.diff(before, after)
        check_sums(result)
        comparison = result.comparison
        assert comparison is not None
        assert comparison.counts[change] == 30 * 7 and comparison.counts["moved"] == 0
        assert any(re.fullmatch(rf"{change} .* ×30 steps", line) for line in _written(changed_lines(result)))


def test_a_module_that_all_steps_call_is_one_line() -> None:
    assert lines_of(Loop(16), Loop(16, nn.RNNCell)) == ["changed cell GRUCell 8→8 ⇒ RNNCell 8→8 ×16"]


def test_experts_are_added_behind_those_that_stay() -> None:
    assert lines_of(Experts(4), Experts(8)) == [
        "changed gate Linear 8→4 ⇒ 8→8",
        "added mul · add · getitem 12 operations",
        "changed experts 4 → 8 Sequential",
        "  added 4…7 Sequential ×4",
        "5 operations changed only in shapes or FLOPs",
    ]


def test_drop_rates_that_grow_with_depth_are_one_line() -> None:
    assert lines_of(DropLayers(8), DropLayers(12)) == [
        "changed layers 8 → 12 Layer",
        "  added 8…11 Layer ×4",
        "changed Dropout p=0.0375, 0.075, …, 0.3 ⇒ p=0.025, 0.05, …, 0.2 ×8",
    ]


def test_widths_that_grow_from_layer_to_layer_are_one_line() -> None:
    assert lines_of(Dense(8), Dense(16))[1:5] == [
        "changed layers.0…7 Layer ×8",
        "  changed norm LayerNorm 8, 12, …, 36 ⇒ 16, 20, …, 44",
        "  changed fc Linear 8, 12, …, 36→4 ⇒ 16, 20, …, 44→4",
        "  8 operations changed only in shapes or FLOPs",
    ]


def test_modules_with_different_numbers_are_not_joined() -> None:
    one, other = (nn.Sequential(nn.Linear(8, n), nn.ReLU(), nn.Linear(n, 8)) for n in (16, 32))
    assert lines_of(one, other) == [
        "changed 0 Linear 8→16 ⇒ 8→32",
        "changed 2 Linear 16→8 ⇒ 32→8",
        "1 operation changed only in shapes or FLOPs",
    ]


def test_many_outputs_are_counted() -> None:
    assert lines_of(Cached(6), Cached(6, turned=True)) == ["changed output: reads 6 other values"]
    (line,) = [each for each in lines_of(Cached(6), Cached(6, 2)) if "getitem […" in each]
    assert line == "changed getitem […, :4] ⇒ […, :2] ×6"


class Reads(nn.Module):
    """Reads one of two values that are made alike, or of two that are not."""

    def __init__(self, which: int, alike: bool) -> None:
        super().__init__()
        self.which, self.alike, self.fc = which, alike, nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        scales = [torch.arange(8) + 1, torch.arange(8) + (1 if self.alike else 2)]
        return self.fc(x) * scales[self.which] + scales[0].sum() + scales[1].sum()


@pytest.mark.parametrize("alike", [True, False])
def test_reading_an_equal_value_is_no_change(alike: bool) -> None:
    lines = lines_of(Reads(0, alike), Reads(1, alike))
    assert lines == ([] if alike else ["changed mul: reads add ⇒ add_1"])


class Writes(nn.Module):
    """Reads one of two buffers that are made alike, but are written to."""

    def __init__(self, which: int) -> None:
        super().__init__()
        self.which = which

    def forward(self, x: Tensor) -> Tensor:
        states = [torch.zeros(8), torch.zeros(8)]
        states[0][0] = 1
        return x * states[self.which] + states[0].sum() + states[1].sum()


def test_a_value_that_is_written_to_is_no_equal_one() -> None:
    assert any("reads" in each or "removed" in each for each in lines_of(Writes(0), Writes(1)))


class Stages(nn.Module):
    """Many modules that are no copies of each other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        for at, name in enumerate("abcdefghijklmnopqrstuvwxyz"):
            layers = [nn.Linear(8, width + at), nn.LayerNorm(width + at), nn.Linear(width + at, at + 2), nn.ReLU()]
            self.add_module(name, nn.Sequential(*layers, nn.Linear(at + 2, 8)))

    def forward(self, x: Tensor) -> Tensor:
        for stage in self.children():
            x = stage(x)
        return x


def test_the_text_of_many_changes_closes_those_that_matter_least() -> None:
    result = fxsummary.diff(*[fxsummary.graph(Stages(width), torch.empty(2, 8)) for width in (16, 24)])
    check_sums(result)
    text = result.to_text(width=120)
    closed = re.findall(r"^~  ([a-z]) Sequential \(\d lines\)", text, re.MULTILINE)
    assert closed and closed == sorted(closed) and closed[0] == "a"  # the last stages grow most
    assert len(text.split("\n")) < 120 and "lines are closed: depth=2 shows all" in text
    assert "closed" not in result.to_text(width=120, depth=2)
    lines = changed_lines(result)
    assert size(shortened(lines, 10_000)) == size(lines) and size(shortened(lines, 50)) <= 50


@pytest.mark.parametrize(
    "pair", [("twelve_blocks", "alternating_blocks"), ("CNN", "Residual"), ("LSTM", "CNN")], ids=str
)
def test_lines_add_up(pair: tuple[str, str]) -> None:
    one, other = map(graph_of, pair)
    check_sums(fxsummary.diff(one, other))
    check_sums(fxsummary.diff(other, one))


def test_folded_graphs_are_not_compared() -> None:
    graph = graph_of("twelve_blocks")
    with pytest.raises(InputError, match=r"Sequential is folded.* compare the graph that it was made from"):
        fxsummary.diff(graph, fold_repeats(graph))
