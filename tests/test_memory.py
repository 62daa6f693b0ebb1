"""The memory of a forward pass: equal to that of a real run, to the byte and at the same operation."""

from __future__ import annotations

import pickle
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fxsummary
from fxsummary.errors import BudgetError, InputError
from fxsummary.graph.memory import Memory
from fxsummary.graph.saved import loads
from zoo import OWN, storages
from zoo.entry import Entry


def is_measurable(entry: Entry) -> bool:
    """Whether a real run tells the truth: it needs a captured forward, weights with data, and a model that is ready."""
    return entry.captured_by in ("symbolic", "recorded") and entry.name not in ("on_meta", "Lazy")


@pytest.mark.parametrize("name", [name for name, entry in OWN.items() if is_measurable(entry)])
@pytest.mark.parametrize("trace", ["auto", "record"])
def test_peaks_are_those_of_real_runs(name: str, trace: str) -> None:
    entry = OWN[name]
    example = entry.example()
    graph = fxsummary.graph(entry.model(), *example.args, kwargs=dict(example.kwargs), trace=trace)
    memory = graph.memory
    if memory is None or graph.is_partial:
        pytest.skip("its shapes are not known to the end")
    example = entry.example()
    count = storages.real_forward(entry.model(), example.args, example.kwargs)
    if memory.is_assumed:
        return
    if memory.unknown:
        assert memory.peak <= count.peak
    else:
        assert memory.peak == count.peak, (memory.name, count.operator, count.module)


# --- what the graph carries ------------------------------------------------------------------------


class Held(nn.Module):
    """Keeps a value in a variable after its last use, writes in place, and returns a view."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Linear(8, 64)
        self.narrow = nn.Linear(64, 8)

    def forward(self, x: Tensor) -> Tensor:
        held = self.wide(x)
        y = self.narrow(held)
        y += 1
        z = torch.relu(y) * 2
        return z.t()


def memory_of(model: nn.Module, *args: Tensor, **options: Any) -> Memory:
    memory = fxsummary.graph(model, *args, **options).memory
    assert memory is not None
    return memory


@pytest.mark.parametrize("trace", ["symbolic", "record"])
def test_storages_tell_views_writes_and_when_values_die(trace: str) -> None:
    graph = fxsummary.graph(Held(), torch.empty(4, 8), trace=trace)
    held, y, _, product = (each for each in graph.storages if each.kind == "activation")
    assert (held.nbytes, held.last_read) == (4 * 64 * 4, "narrow")
    assert held.dies == "t"  # the variable is gone when forward returns
    assert y.nbytes == product.nbytes == 128 and product.dies == ""
    written = [key for key, data in graph.nodes(data=True) if data["label"] == "add_"]
    assert graph.nodes[written[0]]["storages"] == graph.nodes["narrow"]["storages"]


def test_an_addition_in_place_is_one_in_a_trace() -> None:
    class Alias(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x * 2
            other = y
            y += 1
            return other

    graph = fxsummary.graph(Alias(), torch.empty(4))
    assert [data["label"] for _, data in graph.nodes(data=True)][1:3] == ["mul", "add_"]
    assert memory_of(Alias(), torch.empty(4)).peak == 16


def test_both_ways_to_capture_and_copied_blocks_give_the_same_memory() -> None:
    entry = OWN["twelve_blocks"]
    args = entry.example().args
    found = [memory_of(entry.model(), *args, trace=trace) for trace in ("symbolic", "record")]
    found.append(memory_of(entry.model(), *args, trace="record", replay=False))
    assert {(each.peak, each.timeline, each.held, each.outliving) for each in found} == {
        (found[0].peak, found[0].timeline, found[0].held, found[0].outliving)
    }


def test_outputs_that_share_memory_count_it_once() -> None:
    class Halves(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            first, second = (x * 2).chunk(2)
            return first, second

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.halves = Halves()

        def forward(self, x: Tensor) -> Tensor:
            first, second = self.halves(x)
            return first + second

    memory = memory_of(Outer(), torch.empty(8), leaf=Halves)
    assert memory.peak == 8 * 4 + 4 * 4


def test_memory_is_saved_and_pickled() -> None:
    graph = fxsummary.graph(Held(), torch.empty(4, 8))
    for again in (loads(graph.to_json()), pickle.loads(pickle.dumps(graph))):
        assert (again.memory, again.storages) == (graph.memory, graph.storages)


def test_an_exported_program_frees_values_after_their_last_use() -> None:
    program = torch.export.export(Held().eval(), (torch.empty(4, 8),))
    exported, memory = memory_of(program), memory_of(Held(), torch.empty(4, 8))
    assert not exported.is_recorded and exported.peak == memory.peak_at_last_use
    assert "no Python in an exported program" in fxsummary.graph(program).to_text(view="memory")


# --- what is said of it ----------------------------------------------------------------------------


def test_the_reasons_say_what_values_are_held_for() -> None:
    memory = memory_of(Held(), torch.empty(4, 8))
    reasons = {each.name: each.reason for each in memory.alive}
    assert re.fullmatch(
        r"last read by narrow, held by Python until forward returns, `held` at test_memory.py:\d+", reasons["wide"]
    )


def test_unknown_memory_is_a_bound() -> None:
    graph = fxsummary.graph(nn.LSTM(4, 8), torch.empty(3, 2, 4))
    assert graph.memory is not None and graph.memory.unknown == ("lstm",)
    assert "Memory     ≥ " in str(graph)


def test_memory_needs_shapes() -> None:
    graph = fxsummary.graph(Reader())
    assert graph.memory is None
    with pytest.raises(InputError, match="pass example inputs"):
        graph.to_text(view="memory")


class Reader(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x @ y


def test_peaks_have_budgets() -> None:
    graph = fxsummary.graph(Held(), torch.empty(4, 8))
    assert graph.memory is not None
    graph.check(max_peak_memory=graph.memory.peak)
    with pytest.raises(BudgetError, match=r"max_peak_memory: .* of activations at"):
        graph.check(max_peak_memory="1 KiB")
    with pytest.raises(BudgetError, match="unknown parts may exceed"):
        fxsummary.graph(nn.LSTM(4, 8), torch.empty(3, 2, 4)).check(max_peak_memory="1 GiB")


def test_a_difference_says_where_the_peak_is_now() -> None:
    one, other = nn.Sequential(nn.Linear(8, 64), nn.Linear(64, 8)), nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 99))
    diff = fxsummary.diff(one, other, args=(torch.empty(4, 8),))
    text = str(diff)
    assert "Peak memory" in text and "now at 1 (before at 0)" not in text
    back = fxsummary.diff(
        nn.Sequential(nn.Linear(8, 64)), nn.Sequential(nn.Linear(8, 64), nn.ReLU()), args=(torch.empty(4, 8),)
    )
    assert "now at 1 (before at 0)" in str(back)


def test_advice_on_memory() -> None:
    class Norm(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            wide = x.float()
            return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True))).to(x.dtype)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.norm = nn.Linear(8, 8), Norm()

        def forward(self, x: Tensor) -> Tensor:
            return x.float() + self.fc(self.norm(x))

    graph = fxsummary.graph(Block().bfloat16(), torch.empty(4, 8, dtype=torch.bfloat16))
    rules = {finding.rule for finding in graph.lint(select="all")}
    assert {"float32-islands", "wide-residuals"} <= rules
    assert not {"float32-islands", "wide-residuals", "held-values"} & {finding.rule for finding in graph.lint()}


# --- caches of language models ---------------------------------------------------------------------


class Cached(nn.Module):
    """Returns keys of all tokens, and of the last three."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 4)

    def forward(self, ids: Tensor, past: object = None) -> dict[str, Tensor | dict[str, Tensor]]:
        x = self.embed(ids)
        return {"logits": x, "past": {"all": x * 2, "window": x[:, -3:] * 2}}


def test_a_cache_grows_by_what_one_token_more_adds() -> None:
    cache = fxsummary.kv_cache(Cached(), torch.zeros(2, 8, dtype=torch.long))
    assert (cache.names, cache.per_token, cache.batch) == (("past",), {"ids": 16}, 2)
    assert cache.nbytes == 2 * (8 + 3) * 16 and "16 bytes per token of ids" in str(cache)
    with pytest.raises(InputError, match="it has no cache"):
        fxsummary.kv_cache(nn.Linear(4, 4), torch.empty(2, 4))


def test_a_block_without_gradients_is_marked() -> None:
    class Frozen(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                y = x * 2
            return y + x

    for trace in ("symbolic", "record"):
        graph = fxsummary.graph(Frozen(), torch.empty(4), trace=trace)
        assert [key for key, data in graph.nodes(data=True) if data.get("no_grad")] == ["mul"]
