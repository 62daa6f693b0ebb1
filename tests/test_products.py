"""Products under other names: in place, with scales, and in packed dtypes. None of them costs nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import fxsummary
from fxsummary.capture.operations.traits import costs_nothing


class Calls(nn.Module):
    """A model of one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


PRODUCTS = re.compile(r"(?<![a-z])(add|b|addb|badd|hsp)?mm(?![a-z])|linear|matmul|conv(?!ert)|rnn|lstm|gru|attention")
OUTSIDE = re.compile("upsample|reorder_conv|_compute_linear_combination|_cslt_sparse_mm_search")
"""Names of operators that rearrange numbers, interpolate, or search for an algorithm."""


def test_no_operator_that_is_named_after_a_product_costs_nothing() -> None:
    names = {each.name.partition("::")[2] for each in torch._C._jit_get_all_schemas() if each.name.startswith("aten::")}
    products = [getattr(torch.ops.aten, each) for each in names if PRODUCTS.search(each) and not OUTSIDE.search(each)]
    overloads = [getattr(packet, name) for packet in products for name in packet.overloads()]
    assert len(overloads) > 100
    assert [str(each) for each in overloads if costs_nothing(each)] == []


def test_products_that_add_in_place() -> None:
    def forward(x: Tensor, y: Tensor, z: Tensor, a: Tensor, b: Tensor, v: Tensor) -> Any:
        first = (2 * x).addmm_(a[0], b[0]).addbmm_(a, b)
        return first, (2 * y).baddbmm_(a, b), (2 * z).addmv_(a[0], v)

    shapes = (3, 5), (2, 3, 5), (3,), (2, 3, 4), (2, 4, 5), (4,)
    totals = fxsummary.graph(Calls(forward), *map(torch.empty, shapes)).totals
    assert totals.flops == (1 + 2 + 2) * 2 * 3 * 4 * 5 + 2 * 3 * 4


def test_scaled_products() -> None:
    """An element of the 4-bit dtype holds two numbers."""
    F8, F4 = torch.float8_e4m3fn, torch.float4_e2m1fn_x2
    a, b = torch.randn(128, 64).to(F8), torch.randn(128, 64).to(F8)
    a4, b4 = (torch.zeros(128, 32, dtype=torch.uint8).view(F4) for _ in range(2))
    one, blocks = torch.ones(1), torch.ones(512).to(F8)

    def forward(*args: Tensor) -> Tensor:
        return torch._scaled_mm(args[0], args[1].t(), args[2], args[3], out_dtype=torch.bfloat16)

    for args in ((a, b, one, one), (a4, b4, blocks, blocks)):
        totals = fxsummary.graph(Calls(forward), *args).totals
        assert (totals.flops, totals.unknown_flops) == (2 * 128 * 128 * 64, ())


@pytest.mark.skipif(not hasattr(F, "scaled_mm"), reason="this torch has none")
def test_scaled_products_by_row() -> None:
    def forward(a: Tensor, b: Tensor, s: Tensor, t: Tensor) -> Tensor:
        by_row = F.ScalingType.RowWise
        return F.scaled_mm(a, b.t(), s, by_row, t, by_row, output_dtype=torch.bfloat16)

    a, b = torch.randn(16, 32).to(torch.float8_e4m3fn), torch.randn(48, 32).to(torch.float8_e4m3fn)
    totals = fxsummary.graph(Calls(forward), a, b, torch.ones(16, 1), torch.ones(1, 48)).totals
    assert (totals.flops, totals.unknown_flops) == (2 * 16 * 32 * 48, ())
