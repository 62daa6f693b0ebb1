"""Loops whose steps are not all alike: one operation where operations share rows."""

from __future__ import annotations

import torch
from torch import nn

import fxsummary
from fxsummary.drawing import choose
from fxsummary.graph.records import over_copies
from fxsummary.views.blocks import block_tree
from fxsummary.views.loops import IN_LOOPS, close_loops
from fxsummary.views.shown import shown


class Pasted(nn.Module):
    """Each step writes a part; some take another branch."""

    def __init__(self, steps: int, classes: int = 0) -> None:
        super().__init__()
        self.steps = steps
        self.layers = nn.ModuleList(nn.Linear(4 + n, 5 + n) for n in range(classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        parts = []
        for step in range(self.steps):
            part = x[step]
            if step * step % 11 != 5 or step < 8:
                part = part * 2
            parts.append(torch.sin(part) + 1)
        return torch.stack(parts)


def test_the_steps_of_a_loop_that_differ_become_one_operation() -> None:
    graph = fxsummary.graph(Pasted(35), torch.zeros(35, 8))
    view = shown(graph)
    closed = close_loops(view)
    assert sum(block.is_pattern for block in block_tree(view).walk()) > 1
    assert [data["label"] for _, data in closed.nodes(data=True)] == ["x", "loop", "stack", "output"]
    (loop,) = [data for _, data in closed.nodes(data=True) if data["label"] == "loop"]
    assert loop["config"].startswith("35 steps, ") and len(loop["outputs"]) == 35
    assert closed.graph["hidden"][IN_LOOPS] == 35 * 4 - 4
    moved = [sum(over_copies(data, "moved") for _, data in each.nodes(data=True)) for each in (view, closed)]
    assert moved[0] == moved[1]


def test_a_loop_with_equal_steps_stays() -> None:
    view = shown(fxsummary.graph(Pasted(6), torch.zeros(6, 8)))
    assert close_loops(view) is view


def test_a_picture_without_room_has_one_row_for_the_loop() -> None:
    graph = fxsummary.graph(Pasted(280, 40), torch.zeros(280, 4))
    picture = choose.picture(graph, fold="exact")
    labels = [row.label for row in picture.scene.rows()]
    assert labels.count("loop") == 1 and picture.rows < 60
