"""Block replay: with it and without it the graph is the same; and where it must not be done, it is not."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from graphs import contents, graph_with, meta_inputs, meta_model
from torch import fx, nn

import fxsummary
from fxsummary.capture import Capture, capture
from fxsummary.capture.recorded.repeats.copy_block import Copy
from fxsummary.errors import ForwardError
from zoo import ZOO, given


class Counted:
    """Counts the copies that are written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.copies = 0
        write = Copy.write

        def counted(copy: Copy) -> Any:
            self.copies += 1
            return write(copy)

        monkeypatch.setattr(Copy, "write", counted)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


@pytest.mark.parametrize("name", ZOO)
def test_the_graph_is_the_same_without_replay(name: str) -> None:
    """Law: names, targets, arguments, module stacks, sources, specs, FLOPs and edges are identical."""
    entry = ZOO[name]
    model, example = (meta_model(entry), meta_inputs(entry)) if entry.real else (entry.model(), entry.inputs())
    graphs = [graph_with(model, example, trace="record", replay=replay) for replay in (True, False)]
    assert contents(graphs[0]) == contents(graphs[1])


class Block(nn.Module):
    """A residual block that is not one of torch.nn."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.weight = nn.Parameter(torch.zeros(8, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.relu(self.norm(x) @ self.weight)


class Stack(nn.Module):
    """Blocks one after the other."""

    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return x


def both(model: nn.Module, *args: Any) -> fxsummary.ModelGraph:
    """The recorded graph, which must be the same without replay."""
    graph = graph_with(model, given(*args), trace="record")
    assert contents(graph) == contents(graph_with(model, given(*args), trace="record", replay=False))
    return graph


def test_all_but_two_and_the_last_are_copied(counted: Counted) -> None:
    graph = both(Stack(*[Block() for _ in range(12)]), torch.zeros(2, 8))
    assert counted.copies == 9
    assert len(graph) == 2 + 12 * 5
    assert graph.totals.flops == 12 * 2 * 2 * 8 * 8


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_blocks_are_recorded(counted: Counted, count: int) -> None:
    both(Stack(*[Block() for _ in range(count)]), torch.zeros(2, 8))
    assert counted.copies == 0


def test_replay_false_copies_nothing(counted: Counted) -> None:
    graph_with(Stack(*[Block() for _ in range(12)]), given(torch.zeros(2, 8)), trace="record", replay=False)
    assert counted.copies == 0


class Numbered(Block):
    """A block that knows its number."""

    def __init__(self, layer_idx: int) -> None:
        super().__init__()
        self.layer_idx = layer_idx


class ByNumber(Numbered):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) if self.layer_idx % 2 else x * 2


class ByDict(Numbered):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) if self.__dict__.get("layer_idx", 0) % 2 else x * 2


class ByValue(Block):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) if x.sum() > 0 else x * 2


class Writing(Block):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.add_(super().forward(x))


class Viewing(Block):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        super().forward(x)
        return x.view(-1, 8)


class Keeping(Block):
    kept: list[torch.Tensor]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = super().forward(x)
        self.kept.append(x)
        return x


class Counting(Block):
    """A block that counts its calls in an attribute."""

    calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return super().forward(x)


class Random(Block):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        import random

        return super().forward(x) if random.random() < 0.5 else x * 2


class Listing(Block):
    """A block that returns a list, which somebody may hold."""

    def forward(self, x: torch.Tensor) -> Any:
        return [super().forward(x[0] if isinstance(x, list) else x)]


class Setting(Numbered):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.layer_idx = 0
        return super().forward(x)


@pytest.mark.parametrize(
    "kind", [ByNumber, ByDict, ByValue, Writing, Viewing, Keeping, Counting, Random, Listing, Setting]
)
def test_what_a_copy_cannot_tell_is_recorded(counted: Counted, kind: type[Block]) -> None:
    made = [kind(i) if issubclass(kind, Numbered) else kind() for i in range(8)]  # type: ignore[call-arg]
    if kind is Keeping:
        Keeping.kept = []
    torch.manual_seed(0)
    both(Stack(*made), torch.ones(2, 8))
    assert counted.copies == 0


def test_a_number_that_is_not_read_does_not_matter(counted: Counted) -> None:
    model = Stack(*[Numbered(index) for index in range(8)])
    both(model, torch.ones(2, 8))
    assert counted.copies == 5
    assert [block.layer_idx for block in model.blocks] == list(range(8))  # type: ignore[union-attr]
    assert list(vars(model.blocks[0])) == list(vars(Numbered(0)))
    assert "layer_idx" not in vars(Numbered)


class Asking(Numbered):
    """A block whose number is where forward looks for it: nothing is taken out of a module while it runs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert "layer_idx" in vars(self) and hasattr(self, "layer_idx") and not hasattr(type(self), "layer_idx")
        return super().forward(x)


def test_a_number_stays_in_its_module_while_forward_runs() -> None:
    both(Stack(*[Asking(index) for index in range(6)]), torch.ones(2, 8))


class ByGlobal(Block):
    """A block that counts in a global, which nothing tells of: only the last call gives it away."""

    calls: ClassVar = [0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ByGlobal.calls[0] += 1
        return super().forward(x) * 2 if ByGlobal.calls[0] > 3 else super().forward(x)


def test_a_last_block_that_does_otherwise_has_all_recorded() -> None:
    model = Stack(*[ByGlobal() for _ in range(4)])
    ByGlobal.calls[0] = 1  # 2 and 3 do as said; the last is the third that runs, so it does otherwise
    graph = graph_with(model, given(torch.ones(2, 8)), trace="record")
    assert [data["label"] for _, data in graph.nodes(data=True)].count("mul") > 0


class Shared(nn.Module):
    """One block, called again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.block = Block()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(6):
            x = self.block(x)
        return x


def test_a_module_called_again() -> None:
    both(Shared(), torch.ones(2, 8))


def test_blocks_with_hooks_are_recorded(counted: Counted) -> None:
    model = Stack(*[Block() for _ in range(8)])
    for block in model.blocks:
        block.register_forward_hook(lambda *_: None)
    both(model, torch.ones(2, 8))
    assert counted.copies == 0


def test_blocks_of_different_widths_or_settings(counted: Counted) -> None:
    blocks = [Block() for _ in range(8)]
    for index, block in enumerate(blocks):
        block.norm.eps = 1e-5 * (index + 1)
    both(Stack(*blocks), torch.ones(2, 8))
    assert counted.copies == 0


class Pairs(nn.Module):
    """A block with several arguments and results, that calls other blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Block(), Block()

    def forward(
        self, pair: tuple[torch.Tensor, torch.Tensor], scale: float = 1.0, *, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        a, b = torch.chunk(torch.cat([self.first(pair[0]) * scale, self.second(pair[1])], dim=-1), 2, dim=-1)
        return a.clone(), (b if mask is None else b * mask).clone()


class OfPairs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Pairs() for _ in range(9))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> Any:
        pair = (x, x)
        for index, block in enumerate(self.blocks):
            pair = block(pair, 2.0, mask=mask if index % 2 else None)
        return pair


def test_nested_blocks_with_several_arguments_and_results(counted: Counted) -> None:
    both(OfPairs(), torch.ones(2, 8), torch.ones(2, 8))
    assert counted.copies > 0


class InPlace(Block):
    """Writes into what it made itself."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = super().forward(x)
        y[0].add_(1)
        y += x
        return y.relu_()


def test_in_place_writes_of_its_own(counted: Counted) -> None:
    both(Stack(*[InPlace() for _ in range(8)]), torch.ones(2, 8))
    assert counted.copies == 5


# --- the nodes of copies -----------------------------------------------------


def recorded(model: nn.Module, *args: torch.Tensor, replay: bool = True) -> Capture:
    return capture(model.eval(), args, trace="record", replay=replay)


def lines(graph: fx.Graph) -> list[str]:
    return [node.format_node() or str(node.target) for node in graph.nodes]


@pytest.mark.parametrize("kind", [Block, InPlace])
def test_the_graph_of_copies_is_that_of_recorded_blocks(kind: type[Block]) -> None:
    model = Stack(*[kind() for _ in range(9)])
    traces = [recorded(model, torch.ones(2, 8), replay=replay).trace for replay in (True, False)]
    assert traces[0] is not None and traces[1] is not None
    assert lines(traces[0].graph) == lines(traces[1].graph)
    traces[0].graph.lint()


class AskingAfter(nn.Module):
    """Goes by a value that copied blocks yield, between other copied blocks."""

    def __init__(self, kind: type[Block]) -> None:
        super().__init__()
        self.first, self.second = (Stack(*[kind() for _ in range(8)]) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        return self.second(y * 2 if y.sum() > 0 else y - 1)


@pytest.mark.parametrize("kind", [Block, InPlace])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_values_of_copies_are_computed(counted: Counted, kind: type[Block], sign: float) -> None:
    model = AskingAfter(kind)
    graph = both(model, torch.full((2, 8), sign))
    assert counted.copies == 13
    way = model.eval().first(torch.full((2, 8), sign)).sum() > 0
    assert ("mul" in {label for _, label in graph.nodes(data="label")}) == bool(way)


class Refusing(Block):
    """Is called with an object that no copy can be told by, and raises."""

    def forward(self, x: torch.Tensor, cache: object = None) -> torch.Tensor:
        raise ValueError("never")


class WithObject(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Refusing() for _ in range(8)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x, object())
        return x


def test_an_error_inside_of_a_block_has_no_error_of_ours_behind_it() -> None:
    """Its frames would hold the tensors of the recording, and to look for who holds them takes long."""
    with pytest.raises(ForwardError) as raised:
        fxsummary.graph(WithObject(), torch.zeros(2, 8), trace="record")
    assert raised.value.__cause__ is not None
    assert raised.value.__cause__.__context__ is None


def test_an_error_tells_its_traceback_and_holds_no_frames() -> None:
    with pytest.raises(ForwardError) as raised:
        fxsummary.graph(WithObject(), torch.zeros(2, 8), trace="record")
    cause = raised.value.__cause__
    assert isinstance(cause, ValueError) and cause.__traceback__ is None
    assert 'raise ValueError("never")' in str(cause.__cause__)
