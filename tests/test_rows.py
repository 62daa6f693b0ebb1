"""Loops whose steps read a buffer each, as residual quantizers do: what folds, and what must not."""

from __future__ import annotations

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
    (Quantizer(), ["×12", "×12", "×12"]),
    (Quantizer(decoded=EXCHANGED), ["×2", "×4", "×4", "×5", "×4", "×6"]),
    (Quantizer(OTHER_SIZE), ["×6", "×5", "×6", "×4", "×6", "×5"]),
    (Shared(), ["×2", "×3", "×2", "×4"]),
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
