"""Which operation before is which after, on pairs of small models."""

from __future__ import annotations

import torch
from torch import nn

import fxsummary
from fxsummary.compare.align import Alignment
from fxsummary.compare.sequences import aligned


def aligned_models(before: nn.Module, after: nn.Module) -> Alignment:
    x = torch.empty(2, 8)
    return Alignment(fxsummary.graph(before, x), fxsummary.graph(after, x))


def test_identical_models_are_aligned_one_to_one() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    alignment = aligned_models(model, model)
    assert all(before == after for after, before in alignment.partner.items()) and len(alignment.partner) == 5
    assert not alignment.moved


def test_an_inserted_layer_has_no_partner_and_moves_nothing() -> None:
    before = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4))
    after = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    alignment = aligned_models(before, after)
    assert alignment.partner["_2"] == "_1" and "_1" not in alignment.partner and not alignment.moved


def test_a_changed_layer_is_paired_by_its_path() -> None:
    alignment = aligned_models(nn.Sequential(nn.Linear(8, 8)), nn.Sequential(nn.Linear(8, 6)))
    assert alignment.partner["_0"] == "_0"


def test_a_block_that_moved_is_found() -> None:
    def block() -> nn.Module:
        return nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))

    before = nn.Sequential(block(), nn.Linear(8, 8, bias=False), nn.LayerNorm(8))
    after = nn.Sequential(nn.Linear(8, 8, bias=False), nn.LayerNorm(8), block())
    alignment = aligned_models(before, after)
    assert len(alignment.partner) == 7 and alignment.moved


def test_the_order_holds_every_operation_of_both_once() -> None:
    before, after = nn.Sequential(nn.Linear(8, 8), nn.ReLU()), nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.ReLU())
    order = aligned_models(before, after).order
    assert sorted(b for b, _ in order if b) == sorted(fxsummary.graph(before, torch.empty(2, 8)))
    assert sorted(a for _, a in order if a) == sorted(fxsummary.graph(after, torch.empty(2, 8)))


def test_sequences_keep_their_order() -> None:
    pairs = aligned("abcde", "axcye", lambda i, j: 0.5)
    both = [(i, j) for i, j in pairs if i is not None and j is not None]
    assert both == sorted(both) == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]
    assert aligned("ab", "", lambda i, j: 1.0) == [(0, None), (1, None)]


def test_long_sequences_are_aligned_by_what_is_identical() -> None:
    one = list(range(600))
    other = [*range(300), "new", *range(300, 600)]
    pairs = aligned(one, other, lambda i, j: 0.0)
    assert (None, 300) in pairs and sum(i is not None and j is not None for i, j in pairs) == 600
