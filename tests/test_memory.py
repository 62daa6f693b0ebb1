"""The memory of a forward pass: equal to that of a real run, to the byte and at the same operation."""

from __future__ import annotations

import pytest
from torch import nn

import fxsummary
from zoo import OWN, storages
from zoo.entry import Entry


def is_measurable(entry: Entry) -> bool:
    """Whether a real run tells the truth: it needs a captured forward, weights with data, and a model that is ready."""
    return entry.captured_by in ("symbolic", "recorded") and entry.name not in ("on_meta", "Lazy")


def compared(
    model: nn.Module, args: tuple, kwargs: dict, **options: object
) -> tuple[fxsummary.ModelGraph, storages.Storages]:
    graph = fxsummary.graph(model, *args, kwargs=kwargs, **options)
    count, _ = storages.run(model, args, kwargs)
    return graph, count


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
    count, _ = storages.run(entry.model(), example.args, dict(example.kwargs))
    if memory.is_assumed:
        return
    if memory.unknown:
        assert memory.peak <= count.peak
    else:
        assert memory.peak == count.peak, (memory.name, count.operator, count.module)
