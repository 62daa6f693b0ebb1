"""Each rule against the meta kernel, which stays the truth; and what a fresh process does not import."""

from __future__ import annotations

import itertools
import operator
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from kernels import of_kernel, spec
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils.flop_counter import flop_registry, register_flop_formula
from zoo import ZOO

import fxsummary
from fxsummary.capture.operations import memo, rules
from fxsummary.capture.operations.composed import composed
from fxsummary.capture.operations.run import Operations
from fxsummary.capture.operations.twins import META
from fxsummary.capture.recorded.torch_calls import set_item
from fxsummary.graph.spec import TensorSpec


def check(target: Any, *args: Any, **kwargs: Any) -> bool:
    """Whether a rule answered; what it answered is what the kernel says."""
    answer = rules.by_rule(target, args, kwargs, "cpu")
    if answer is None:
        return False
    expected = of_kernel(target, args, kwargs)
    assert answer == expected and repr(answer) == repr(expected), (target, args, kwargs)
    return True


# --- the zoo -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ZOO)
def test_rules_over_the_zoo(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every operation of every model that a rule answers has the outcome of the kernel."""
    compute = Operations._compute

    def both(self: Operations, target: Any, args: Any, kwargs: Any, casting: Any) -> Any:
        known = None
        if not casting:
            known = rules.by_rule(target, args, kwargs, self.device) or composed(target, args, kwargs, self.device)
        if known is not None:
            assert known == self._observe(target, args, kwargs, self.twins, None, META)[0], (target, args, kwargs)
        return compute(self, target, args, kwargs, casting)

    monkeypatch.setattr(Operations, "_compute", both)
    memo.clear()
    entry = ZOO[name]
    example = entry.inputs()
    fxsummary.graph(entry.model(), *example.args, kwargs=example.kwargs or None)


# --- sweeps ------------------------------------------------------------------------------------

IMAGES = [
    spec(2, 4, 6, 8),
    spec(2, 4, 6, 8, stride=(192, 1, 32, 4)),  # channels last
    spec(2, 4, 6, 8, stride=(384, 96, 16, 2)),  # with gaps
    spec(2, 4, 6, 8, stride=(192, 48, 1, 6)),  # transposed
    spec(2, 4, 6, 8, stride=(0, 48, 8, 1)),  # expanded
    spec(1, 4, 6, 8, stride=(1, 48, 8, 1)),
    spec(2, 1, 6, 8, stride=(48, 1, 8, 1)),
    spec(2, 1, 6, 8),
    spec(1, 1, 6, 8),
    spec(2, 4, 1, 1),
    spec(1, 4, 1, 1, stride=(4, 1, 4, 4)),
    spec(1, 4, 1, 1, stride=(4, 1, 1, 1)),
    spec(2, 4, 6, 1, stride=(24, 1, 4, 4)),
    spec(2, 4, 6, 8, dtype="bfloat16"),
    spec(2, 4, 6, 8, dtype="int64"),
    spec(2, 4, 6, 8, dtype="bool"),
]
OTHERS = [
    spec(4, 6),
    spec(6, 4, stride=(1, 6)),
    spec(5),
    spec(),
    spec(dtype="int64"),
    spec(2, 4, 6),
    spec(2, 4, 6, stride=(24, 1, 4)),
    spec(1, 4, 6, stride=(4, 1, 4)),
    spec(1, 1, 6, stride=(6, 1, 1)),
    spec(2, 4, 6, 8, 5),
    spec(2, 4, 6, 8, 5, stride=(960, 1, 160, 20, 4)),
    spec(0, 4, 6, 8),
]
SPECS = [*IMAGES, *OTHERS]

METHODS = [name for name in rules.FUNCTIONS if isinstance(name, str)]
ALONE: list[Any] = [
    *METHODS,
    *[target for target in rules.FUNCTIONS if not isinstance(target, str) and target is not getattr],
    *[target for target in rules.MAKERS if target not in (torch.zeros, torch.ones, torch.empty, torch.arange)],
    *[kind() for kind in rules.MODULES if kind.__name__ in dir(nn.modules.activation) and kind is not nn.Softmax],
    nn.Dropout2d().eval(), nn.Dropout3d(), nn.AlphaDropout().eval(),
    nn.Identity(), nn.Flatten(), nn.Flatten(0, 1), nn.Softmax(-1), nn.LogSoftmax(1),
    nn.ReLU(inplace=True), nn.SiLU(inplace=True), nn.GELU(approximate="tanh"),
    *[nn.Dropout(p, inplace=inplace).train(training)
      for p, inplace, training in itertools.product((0.0, 0.5, 1.0), (False, True), (False, True))],
    nn.LayerNorm(8), nn.LayerNorm((6, 8)), nn.LayerNorm(8, elementwise_affine=False), nn.LayerNorm(6, bias=False),
    nn.LayerNorm(1), nn.RMSNorm(8), nn.RMSNorm(6), nn.RMSNorm(1), nn.GroupNorm(2, 4), nn.GroupNorm(1, 4),
    *[kind(4, **options).train(training)
      for kind, options, training in itertools.product(
          (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
          ({}, {"affine": False}, {"track_running_stats": False}), (False, True))],
    nn.BatchNorm2d(1),
    nn.Linear(8, 3), nn.Linear(6, 3, bias=False), nn.Linear(5, 3), nn.Linear(1, 3),
    nn.Embedding(7, 3), nn.Embedding(7, 3, padding_idx=0), nn.Embedding(7, 3, max_norm=1.0),
    nn.Conv2d(4, 6, 3), nn.Conv2d(4, 6, (3, 1), stride=(2, 1), padding=1, bias=False), nn.Conv2d(4, 4, 3, groups=4),
    nn.Conv2d(4, 8, 3, padding="same", dilation=2), nn.Conv2d(4, 8, 2, padding="same"),
    nn.Conv2d(4, 8, 3, padding="valid"), nn.Conv2d(4, 8, 3, padding=1, padding_mode="reflect"),
    nn.Conv2d(4, 6, 1), nn.Conv2d(1, 6, 3), nn.Conv2d(4, 6, 7), nn.Conv1d(4, 6, 3), nn.Conv1d(4, 6, 3, padding="same"),
    nn.Conv3d(4, 6, 3, padding=1), nn.Conv2d(4, 6, 3).to(memory_format=torch.channels_last),
    nn.ConvTranspose2d(4, 6, 3), nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2), nn.ConvTranspose1d(4, 6, 3, 2),
    nn.ConvTranspose3d(4, 6, 2, 2), nn.ConvTranspose2d(4, 6, 2, dilation=2, bias=False),
    *[getattr(nn, f"{kind}Pool{rank}d")(*settings)
      for kind, rank, settings in itertools.product(("Max", "Avg"), (1, 2, 3), ((2,), (3, 2, 1), (3, 1), (2, 3)))],
    nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d(3, 2, 1, ceil_mode=True), nn.MaxPool2d(2, ceil_mode=True),
    nn.MaxPool2d(2, dilation=2), nn.MaxPool2d(2, return_indices=True), nn.MaxPool2d((3, 2), (2, 1)), nn.MaxPool2d(9),
    nn.MaxPool2d(3, 5, 1, ceil_mode=True), nn.AvgPool2d(2, divisor_override=3), nn.MaxPool2d(2, padding=2),
    *[getattr(nn, f"Adaptive{kind}Pool{rank}d")(size)
      for kind, rank, size in itertools.product(("Max", "Avg"), (1, 2, 3), (1, 2, 3))],
    nn.AdaptiveAvgPool2d((1, None)), nn.AdaptiveAvgPool2d((3, 2)), nn.AdaptiveAvgPool2d((None, None)),
    nn.Upsample(scale_factor=2), nn.Upsample(size=(5, 7)), nn.Upsample(scale_factor=(2, 1.5), mode="bilinear"),
    nn.Upsample(scale_factor=2, mode="bicubic", align_corners=True), nn.Upsample(scale_factor=0.3),
    nn.Upsample(scale_factor=2, mode="nearest-exact"), nn.Upsample(size=4, mode="linear"), nn.ZeroPad2d((1, 2, 0, 1)),
    nn.ZeroPad2d(1), *[nn.LSTM(input_size, 5, **options) for input_size, options in itertools.product(
        (6, 8), ({}, {"batch_first": True}, {"bidirectional": True, "num_layers": 2}, {"proj_size": 3}))],
    nn.GRU(6, 5), nn.GRU(6, 5, batch_first=True, bidirectional=True), nn.LSTM(6, 5, bias=False),
]  # fmt: skip
"""What is called with one tensor."""


def called(target: Any) -> str:
    return str(target) if isinstance(target, (str, nn.Module)) else getattr(target, "__name__", str(target))


@pytest.mark.parametrize("target", ALONE, ids=called)
def test_one_tensor(target: Any) -> None:
    for each in SPECS:
        check(target, each)


ARGUMENTS: dict[Any, list[tuple[Any, ...]]] = {
    **{
        key: [
            (-1,), (2, -1), (8, 24), (2, 4, 48), (1, 2, 4, 6, 8), (384,), (4, -1, 8), (2, 4, 6, 8),
            (2, 4, 3, 2, 8), ([2, 192],), (-1, -1), (7, 2), (2, 1, 4, 48),
        ]
        for key in (
            "reshape", "view",
        )
    },
    "flatten": [(1,), (0, 1), (2,), (1, 2), (-2, -1), (3, 3), (2, 1)],
    "unflatten": [(1, (2, 2)), (-1, (2, -1)), (0, (3, 1))],
    **{key: [(0, 2, 3, 1), ((0, 3, 1, 2),), (-1, 0, 1, 2), (1, 0), (0, 0, 1, 2), (2, 1, 0)] for key in ("permute",)},
    **{key: [(0, 1), (1, 2), (-1, -2), (1, 1), (0, 7)] for key in ("transpose",)},
    **{key: [(0,), (1,), (-1,), (2,), (3,), (4,), (-5,), (9,)] for key in ("unsqueeze", "squeeze", "unbind")},
    "squeeze": [((1, 2),), (1,), (-1,), ()],
    "expand": [(2, 4, 6, 8), (3, -1, -1, -1, -1), (-1, 4, -1, 8), (2, 2, 4, 6, 8), (5, 2, 3), ([2, 4, 6, 8],)],
    "repeat": [(2, 1, 1, 1), (2, 1, 1, 1, 3), (1, 2), (3,), ([2, 2, 2, 2],)],
    operator.getitem: [(0,), (-1,), (9,), (slice(1, None),), ((slice(None), 0),), ((slice(None), None),),
                       ((Ellipsis, 0),), ((Ellipsis, None),), ((Ellipsis, slice(None, None, 2)),), (None,), (Ellipsis,),
                       ((0, 0, 0, 0),), ((slice(None), slice(1, 3), Ellipsis, slice(-3, None)),), (slice(5, 2),),
                       ((slice(None), -1),), (True,), ((None, Ellipsis, None),), (slice(None, None, -1),)],
    **{key: [(1,), (2,), (3, 1), (2, -1), (4, 2), (5, 0), (2, 9)] for key in ("split", torch.split, "chunk")},
    torch.split: [([1, 3], 1), ([2, 2], 0), ((1, 3), -3), ([1, 1], 1)],
    "select": [(0, 0), (1, -1), (2, 9)],
    "roll": [
        (1,), (1, 0), ((1, 2), (0, 1)), (1, (0, 1)),
    ],
    **{key: [(-1,), (0,), (1,), (7,)] for key in ("softmax", "log_softmax", F.softmax, torch.softmax)},
    **{
        key: [
            (0,), (1,), (-1,), ((2, 3),), ((-1, -2), True), (1, True), ((0, 1),), ((1, 1),), ((),), (0, True),
        ]
        for key in (
            "sum", "mean", "amax", "amin", "argmax", "any", "all",
        )
    },
    **{key: [(0,), (1,), (-1,), (5,)] for key in ("cumsum", "cumprod", "sort", "argsort", "logsumexp")},
    **{
        key: [
            (0,), (1,), (-1,), (-1, True), (5,), (spec(8),), (2, False), (2.0,),
        ]
        for key in ("max", "min")
    },
    "topk": [(1,), (2,), (2, 0), (2, -2, False), (3, 1, True, False), (0,), (20,)],
    "sort": [(1, True), (-1, False)],
    **{key: [(0,), (1,), (-1,), ((2, 3), False), ((-1, -2), True, True), (None, False)] for key in ("var", "std")},
    torch.linalg.vector_norm: [(2,), (2.0, 1), (1, (-1, -2), True), (float("inf"), -1), (2, None, True), (2, 9)],
    "norm": [(), (2, 1), (2, -1, True), (1, (-1,)), ("fro",)],
    "narrow": [(0, 0, 1), (1, 1, 2), (-1, 2, 9), (2, -1, 1)],
    "unfold": [(0, 1, 1), (1, 2, 1), (-1, 3, 2), (2, 9, 1)],
    **{key: [([1, 3], 1), ([2, 2], 0)] for key in ("split_with_sizes",)},
    **{key: [(0, 1), (1, -1), ((0, 1), (1, 2)), (-1, 0), ((0, 0), (1, 2)), (0, (1,))] for key in ("movedim",)},
    "broadcast_to": [((2, 4, 6, 8),), ((3, 2, 4, 6, 8),), ((5,),)],
    "flip": [(0,), ((1, 2),), (-1,), (0, 0), (9,)],
    "tile": [(2,), (2, 1), ((2, 1, 1, 1, 1),)],
    "repeat_interleave": [(2,), (2, 0), (3, -1), (0, 1)],
    F.glu: [(), (0,), (1,), (-1,), (7,)],
    F.pixel_shuffle: [(1,), (2,), (3,)],
    F.pixel_unshuffle: [(1,), (2,), (3,)],
    F.unfold: [(2,), ((3, 2), 1, 1, 2), (3, 2, 1), (9,)],
    F.one_hot: [(), (5,), (-1,)],
    **{key: [(0,), (1.5,), (True,), (None,)] for key in ("clamp_min", "clamp_max", "fill_", "zero_")},
    "new_full": [((2, 3), 1.0), ([4], 2), (5, 1)],
    **{key: [(), (1,), (-1,)] for key in ("triu", "tril")},
    "size": [(0,), (-1,), (7,)],
    getattr: [("shape",), ("dtype",), ("ndim",), ("device",), ("T",)],
    **{
        key: [
            (2,), (2.5,), (True,), (2 ** 70,), ("2",), (0,),
        ]
        for key in (
            "add", "sub", "mul", "div", "pow", torch.add, operator.add, operator.iadd, operator.imul, "add_",
            "mul_", operator.truediv, operator.itruediv, operator.floordiv, operator.pow, operator.eq, "lt",
            operator.and_, "logical_or", "maximum",
            "remainder", "fmod", operator.mod, operator.xor, "divide", "subtract",
        )
    },
    **{key: [(0,), (0.0, 1.0), (None, 2), (None, None)] for key in ("clamp", torch.clamp)},
    **{
        key: [
            (0,), (0.0, 1.0), (None, 2), (spec(), spec()), (None, spec(8)), (spec(dtype="int64"),), (0, spec()),
        ]
        for key in ("clip", "clamp_", "clip_")
    },
    "type": [(torch.float16,), (torch.float32,), ("torch.FloatTensor",)],
    "prod": [(0,), (1,), (-1, True), (7,), (None,), ((0, 1),)],
    torch.histc: [(8, 0, 7), (4,), (0, 0, 1), (5, 1, 0)],
    F.grid_sample: [(spec(2, 3, 5, 2),), (spec(2, 3, 5, 2), "nearest", "border", True), (spec(1, 3, 5, 2),),
                    (spec(2, 3, 5, 7, 3),), (spec(2, 3, 5, 2), "bicubic"), (spec(2, 3, 5, 2, stride=(30, 1, 3, 15)),)],
    F.dropout2d: [(0.5, False), (0.5, True), (2.0, False)],
    F.alpha_dropout: [(0.5, False), (0.5, True)],
    "to": [(torch.float16,), (torch.float32,), ("cpu",), ("cpu", torch.float64), (torch.float32, False),
           (torch.int64,), (None, torch.float32, False), ("cpu", torch.float32, False, True),
           (torch.float32, True, True), (torch.float32, "cpu"), (True, torch.float32), (None,)],
    **{key: [(2, 3), ((2, 3),), ([4],), (0, 2)] for key in ("new_zeros", "new_empty")},
    torch.full_like: [(1.0,), (2,), (True,)],
    "masked_fill": [(spec(2, 4, 6, 8, dtype="bool"), 0.0), (spec(1, 1, 6, 8, dtype="bool"), -1), (spec(8), 1.0),
                    (spec(3, 1, 1, 1, 1, dtype="bool"), 1.0), (spec(dtype="bool"), float("-inf")),
                    (spec(8, dtype="bool"), True), (spec(8, dtype="bool"), spec()), (spec(dtype="bool"), spec(1))],
    "masked_fill_": [(spec(2, 4, 6, 8, dtype="bool"), 0.0), (spec(6, 8, dtype="bool"), 0.0)],
    F.pad: [((1, 1),), ((0, 0),), ((0, 0, 0, 0),), ((1, 1, 0, 0, 0, 0),),
            ((1, 2, 3, 0),), ((1, -1),), ((1, 1, 1, 1), "reflect"), ((1, 1), "constant", 2.0),
            ((0, 0, 1, 1, 0, 1),), ([0, 1],), ((1,),)],
    F.max_pool2d: [(2,), (3, 2, 1), ((2, 3), None, 0, 2), (2, 2, 0, 1, True), (2, 2, 0, 1, False, True)],
    F.avg_pool2d: [(2,), (3, 2, 1), (3, 2, 1, True, False), (2, 0)],
    F.adaptive_avg_pool2d: [(1,), ((1, 1),), ((2, None),), (0,)],
    F.interpolate: [((5, 7),), (None, 2), (None, 2.0, "bilinear"), (None, 2, "bilinear", False), (None, (1.5, 2.0)),
                    (12,), ((3, 4), None, "bicubic"), (None, 2, "area"), (None, None), ((3, 3), None, "nearest", True)],
    F.layer_norm: [((8,),), ([6, 8],), ((8,), spec(8), spec(8)), ((8,), spec(6)), ((8,), spec(8, dtype="float64"))],
    F.rms_norm: [((8,),), ((8,), spec(8))],
    F.group_norm: [(2,), (2, spec(4), spec(4)), (4,), (3,)],
    F.batch_norm: [(spec(4), spec(4)), (spec(4), spec(4), spec(4), spec(4), True), (None, None, None, None, True),
                   (None, None), (spec(5), spec(5))],
    F.dropout: [(0.5,), (0.5, False), (0.0,), (0.5, True, True), (1.5,)],
    F.linear: [(spec(3, 8),), (spec(3, 8), spec(3)), (spec(3, 7),), (spec(3, 8, dtype="float64"),), (spec(8),)],
    F.conv2d: [
        (spec(6, 4, 3, 3),), (spec(6, 4, 3, 3), spec(6), 2, 1), (spec(4, 1, 1, 1), None, 1, 0, 1, 4),
        (spec(6, 3, 3, 3),), (spec(6, 4, 3, 3), spec(5)), (spec(6, 4, 3, 3), None, 1, "same"),
        (spec(6, 4, 3, 3), None, 0),
    ],
    F.conv_transpose2d: [(spec(4, 6, 3, 3),), (spec(4, 6, 2, 2), spec(6), 2), (spec(4, 3, 3, 3), None, 2, 1, 1, 2),
                         (spec(4, 6, 3, 3), None, 1, 0, 1)],
    F.embedding: [(spec(9, 3),), (spec(9, 3), 2), (spec(9, 3), 20), (spec(9),)],
    F.relu: [(True,), (False,)], F.leaky_relu: [(0.1,), (0.2, True)], F.silu: [(True,)],
}  # fmt: skip
"""Further positional arguments."""


@pytest.mark.parametrize("target", ARGUMENTS, ids=called)
def test_further_arguments(target: Any) -> None:
    for first, rest in itertools.product(SPECS, ARGUMENTS[target]):
        check(target, first, *rest)
        if isinstance(target, str) and hasattr(torch, target):
            check(getattr(torch, target), first, *rest)


BINARY = [
    operator.mod, operator.xor, "remainder", "fmod", "max", "min", "copy_", torch.vdot,
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.pow, operator.iadd,
    operator.imul, operator.eq, operator.lt, operator.and_, operator.or_, "add", "add_", "mul_", "div", "maximum",
    "minimum", "logical_and", "type_as", "expand_as", "view_as", "reshape_as", torch.matmul, operator.matmul, "bmm",
    "mm", "pow", torch.ge, "to",
]  # fmt: skip
PARTNERS = [
    *SPECS, spec(8), spec(8, dtype="int64"), spec(4, 1, 1), spec(6, 1), spec(1, 4, 1, 1, dtype="float64"), spec(3, 2),
    spec(2, 1, 1, 8), spec(2, 4, 8, 6), spec(2, 4, 8, 6, stride=(192, 48, 1, 8)), spec(8, 3), spec(2, 6, 4), spec(6, 5),
    spec(1, 8, 2), spec(4, 8, 3),
]  # fmt: skip


@pytest.mark.parametrize("target", BINARY, ids=called)
def test_two_tensors(target: Any) -> None:
    for left, right in itertools.product(SPECS, PARTNERS):
        check(target, left, right)
        if not isinstance(target, str):
            check(target, right, left)


@pytest.mark.parametrize(
    "target", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.lt]
)
def test_number_first(target: Any) -> None:
    for number, each in itertools.product((2, 2.5, True), SPECS):
        check(target, number, each)


@pytest.mark.parametrize("target", [torch.cat, torch.stack], ids=called)
def test_joins(target: Any) -> None:
    for first, second, dim in itertools.product(SPECS, SPECS, (0, 1, -1, 3, 7)):
        check(target, [first, second], dim)
        check(target, (first, second, first), dim)
    assert check(torch.cat, [spec(2, 3), spec(2, 3)], dim=1) and check(torch.stack, [spec(2, 3)] * 3)


@pytest.mark.parametrize("target", [torch.where, "where"], ids=called)
def test_where(target: Any) -> None:
    conditions = [spec(2, 4, 6, 8, dtype="bool"), spec(6, 8, dtype="bool"), spec(dtype="bool"), spec(8)]
    for condition, left, right in itertools.product(conditions, [*SPECS[:5], 0.5, 2], [*SPECS, 0.5, True]):
        arguments = (left, condition, right) if target == "where" else (condition, left, right)
        check(target, *arguments)


def test_joins_with_an_empty_tensor() -> None:
    for first, dim in itertools.product(SPECS, (0, -1)):
        check(torch.cat, [spec(0), first], dim)
        check(torch.cat, [first, spec(0, dtype="int64")], dim)
    assert check(torch.cat, [spec(0), spec(1, 2, 3)], dim=-2)


def test_positions_along_several_dimensions() -> None:
    row, grid = spec(3, dtype="int64"), spec(2, 3, dtype="int64")
    every = slice(None)
    indices = [
        (every, row), (row, grid), (every, row, row), (row, every, grid), (Ellipsis, row), (0, row), (row, 0),
        (every, None, row), (slice(1, None), row), (every, 0, row), (row, None, row), ([0, 1], every), [0, 1],
        (row, row, row, row, row), (grid, Ellipsis, row), (every, spec(1, 1, dtype="int64"), row), (row, spec(4)),
        (spec(3, dtype="bool"), row), (spec(3, 1, dtype="int64"), spec(3, dtype="int32")), (every, every, row, row),
        (every, row, 1), (None, row, 0, every, row), (row, spec(2, dtype="int64")), [], (every, []),
    ]  # fmt: skip
    for first, index in itertools.product(SPECS, indices):
        check(operator.getitem, first, index)
    assert check(operator.getitem, spec(2, 3, 4), (slice(None), spec(5, dtype="int64")))
    assert check(operator.getitem, spec(2, 3, 4), (spec(5, dtype="int64"), slice(None), spec(5, dtype="int64")))
    for first, dim in itertools.product(SPECS, (0, 1, -1, 7)):
        check("index_select", first, dim, row)
        check(torch.index_select, first, dim, grid)


def test_setting_items() -> None:
    every, row = slice(None), spec(3, dtype="int64")
    indices = [
        0, (every, 1), (Ellipsis, slice(0, -3)), (slice(0, 1), None), row, (every, row), (row, row), 9, None, Ellipsis,
        spec(2, dtype="bool"), spec(2, 4, 6, 8, dtype="bool"), spec(3, dtype="bool"), (0, row, every),
    ]  # fmt: skip
    values = [0, 1.5, True, spec(), spec(8), spec(8, dtype="int64"), spec(1, 1, 6, 1), spec(4, 6, 8), spec(5), "a",
              spec(3, 4, 6, 8), spec(1, 1, 1, 1, 4, 6, 8), spec(3, 1, 1, 1)]  # fmt: skip
    for first, index, value in itertools.product(SPECS, indices, values):
        check(set_item, first, index, value)
    assert check(set_item, spec(4, 4), (slice(0, -2), slice(1, None)), 3)


CELLS = [(torch.lstm_cell, 4), (torch.gru_cell, 3), (torch.rnn_tanh_cell, 1), (torch.rnn_relu_cell, 1)]


@pytest.mark.parametrize(("cell", "gates"), CELLS, ids=called)
def test_cells(cell: Any, gates: int) -> None:
    weights = [spec(gates * 5, 3), spec(gates * 5, 5), spec(gates * 5), spec(gates * 5)]
    for rows, dtype in itertools.product((1, 2), ("float32", "bfloat16")):
        hidden = spec(rows, 5, dtype=dtype)
        for state in (hidden, spec(rows, 5, stride=(1, rows)), spec(3, 5), spec(rows, 6), spec(5)):
            for input in (spec(rows, 3), spec(rows, 3, stride=(1, rows)), spec(rows, 4), spec(3)):
                state = (state, state) if gates == 4 and type(state) is TensorSpec else state
                check(cell, input, state, *weights)
                check(cell, input, state, *weights[:2])
                check(cell, input, state, *weights[:2], None, None)
    states = (spec(2, 5), spec(2, 5)) if gates == 4 else spec(2, 5)
    assert check(cell, spec(2, 3), states, *weights)


LAYERS = [(torch.lstm, 4), (torch.gru, 3), (torch.rnn_tanh, 1), (torch.rnn_relu, 1)]


@pytest.mark.parametrize(("layer", "gates"), LAYERS, ids=called)
def test_layers_with_initial_states(layer: Any, gates: int) -> None:
    for bias, layers, twice, batch_first, train in itertools.product(
        (True, False), (1, 2), (False, True), (False, True), (False, True)
    ):
        directions = 2 if twice else 1
        weights = []
        for number in range(layers):
            width = 3 if number == 0 else 5 * directions
            one = [spec(gates * 5, width), spec(gates * 5, 5), *[spec(gates * 5)] * (2 * bias)]
            weights += one * directions
        for dropout, shape in itertools.product((0.0, 0.5), ((4, 2, 3), (1, 2, 3), (4, 1, 3), (4, 3), (4, 2, 7))):
            batch = shape[0] if batch_first else shape[1]
            state = spec(layers * directions, batch, 5)
            hidden = (state, state) if gates == 4 else state
            check(layer, spec(*shape), hidden, weights, bias, layers, dropout, train, twice, batch_first)
    state = spec(1, 2, 5)
    weights = [spec(gates * 5, 3), spec(gates * 5, 5)]
    hidden = (state, state) if gates == 4 else state
    assert check(layer, spec(4, 2, 3), hidden, weights, False, 1, 0.0, False, False, False)


def test_keywords() -> None:
    for each in SPECS:
        for dtype, copy in itertools.product((torch.float32, torch.float16), (False, True)):
            for memory_format in (torch.contiguous_format, torch.preserve_format, torch.channels_last):
                check("to", each, dtype, copy=copy, memory_format=memory_format)
        for size in (None, each.numel, 2 * each.numel):
            check(torch.repeat_interleave, each, 2, output_size=size)
            check("repeat_interleave", each, 2, dim=0, output_size=size)
        check(torch.cat, [each, each], axis=1)
        check("flip", each, dims=(0,))
        check("tile", each, dims=(2, 1))
    assert check(torch.cat, [spec(2, 3), spec(2, 3)], axis=1)
    assert check("to", spec(2, 3), torch.float16, memory_format=torch.contiguous_format)


def test_scatter() -> None:
    indices = [spec(2, 3, 6, 8, dtype="int64"), spec(1, 4, dtype="int64"), spec(3, dtype="int64"), spec(2, 4, 6, 8)]
    sources = [*SPECS[:5], spec(2, 4, 6, 8, dtype="int64"), spec(4, 6), 1, 0.5, True]
    for first, dim, index, source in itertools.product(SPECS, (0, 1, -1, 7), indices, sources):
        check("scatter_", first, dim, index, source)
        check("scatter_add_", first, dim, index, source)
    assert check("scatter_", spec(3, 4), 1, spec(3, 2, dtype="int64"), 1.0)


def test_images_of_columns() -> None:
    for columns, kernel in itertools.product(
        (spec(2, 8, 12), spec(2, 8, 6), spec(2, 9, 12), spec(8, 12)), (2, (2, 4), 3)
    ):
        for step in (1, 2):
            check(F.fold, columns, (4, 5), kernel, stride=step)
            check(F.fold, columns, (6, 4), kernel, 1, 0, step)
    assert check(F.fold, spec(1, 8, 12), (4, 5), 2)


def test_grids() -> None:
    vectors = [spec(3), spec(4), spec(5, stride=(2,)), spec(1), spec(4, dtype="int64"), spec(), spec(2, 3)]
    for first, second in itertools.product(vectors, vectors):
        for indexing in ("ij", "xy", None, "other"):
            check(torch.meshgrid, first, second, indexing=indexing)
            check(torch.meshgrid, [first, second, first], indexing=indexing)
    assert check(torch.meshgrid, spec(3), spec(4), indexing="ij")


def test_grouped_product() -> None:
    if hasattr(torch, "_grouped_mm"):
        offsets = spec(4, dtype="int32")
        for left, right in itertools.product((spec(6, 3), spec(4, 6, 3), spec(6, 2)), (spec(4, 3, 5), spec(3, 5))):
            check(torch._grouped_mm, left, right, offs=offsets, bias=None, out_dtype=None)
            check(torch._grouped_mm, left, right)
        assert check(torch._grouped_mm, spec(6, 3), spec(4, 3, 5), offs=offsets)


EQUATIONS = [
    "bij,bjk->bik", "bhid,bhjd->bhij", "bhij,bhjd->bhid", "i,j->ij", "bnd,de->bne", "bnd,de->nbe", "bid,bjd->ijb",
    "ij,jk", "ij,ij->ij", "ij,ij->", "ij,ij", "bij, bjk -> bki", "ab,cd->abcd", "ijk,kl->ijl", "Zi,iA->ZA", "ii,ij->ij",
    "ij,k->ij", "...i,ij->...j", "ij,jk->ii", "ijk->kj", "ij,jk->il", "ij;jk", "", "bi,bo->bo",
]  # fmt: skip


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(equation: str) -> None:
    letters = [part.strip() for part in equation.partition("->")[0].split(",")]
    for narrow, dtype, turned in itertools.product(("", "b", "i", "j", "bh", "n"), ("float32", "int64"), (0, 1, 2)):
        given = []
        for place, each in enumerate(letters):
            shape = [1 if letter in narrow else 2 + "bhijdnk".find(letter) for letter in each]
            shape = [size if size > 0 else 3 for size in shape]
            one = spec(*shape, dtype=dtype)
            if turned & (place + 1) and shape:
                one = TensorSpec(
                    tuple(shape), dtype, tuple(torch.empty(shape[::-1], device="meta").stride())[::-1], "cpu"
                )
            given.append(one)
        check(torch.einsum, equation, *given)
        check(torch.einsum, equation, given)


def test_einsum_of_common_forms_is_answered() -> None:
    for batch in (1, 2):
        assert check(torch.einsum, "bhid,bhjd->bhij", spec(batch, 3, 4, 5), spec(batch, 3, 6, 5))
        assert check(torch.einsum, "bij,bjk->bik", spec(batch, 3, 4), spec(batch, 4, 5))
    assert check(torch.einsum, "i,j->ij", spec(3), spec(4))


def test_weight_norm() -> None:
    for first, dim in itertools.product(SPECS, (0, 1, -1, 5)):
        for lengths in (first.shape[:1] + (1,) * (len(first.shape) - 1), (), (1, 4, 1, 1), (7,)):
            check(torch._weight_norm, first, spec(*lengths), dim)
    assert check(torch._weight_norm, spec(4, 3), spec(4, 1), 0)


def test_positions() -> None:
    indices = [
        spec(7, dtype="int64"), spec(2, 3, dtype="int32"), spec(2), spec(3, 2, dtype="int64", stride=(1, 3)),
        spec(2, 3, 6, 8, dtype="int64"), spec(dtype="int64"),
    ]  # fmt: skip
    for first, index in itertools.product(SPECS, indices):
        check(operator.getitem, first, index)
        check(operator.getitem, first, (index,))
        check(torch.gather, first, 1, index)
        check("gather", first, 0, index)
    assert check(operator.getitem, spec(5, 3), spec(2, 2, dtype="int64"))


def test_numbers() -> None:
    for target in (operator.add, operator.floordiv, operator.mod, operator.eq, operator.neg, operator.truediv):
        check(target, *((7,) if target is operator.neg else (7, 2)))
    assert rules.by_rule(operator.floordiv, (7, 0), {}, "cpu") is None
    assert check(operator.add, (2, 3), (4,)) and check(operator.getitem, (2, 3), 1)
    assert rules.by_rule(operator.getitem, ((2, 3), 5), {}, "cpu") is None


def test_vectors() -> None:
    for left, right in itertools.product(SPECS, PARTNERS):
        check(torch.mv, left, right)
        check(torch.dot, left, right)
    for input in (spec(2, 3, 5), spec(5), spec(1, 3, 1), spec(4)):
        check(torch.baddbmm, input, spec(2, 3, 4), spec(2, 4, 5))
    assert check(torch.mv, spec(3, 4), spec(4)) and check(torch.dot, spec(4), spec(4))


def attentions() -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    plain, turned = spec(2, 4, 5, 8), spec(2, 4, 5, 8, stride=(160, 8, 32, 1))
    shorter, fewer = spec(2, 4, 7, 8), spec(2, 2, 5, 8)
    masks = [
        None,
        spec(5, 5),
        spec(1, 1, 5, 5, dtype="bool"),
        spec(2, 1, 5, 5),
        spec(5, 5, dtype="float64"),
        spec(3, 3),
    ]
    for query, causal, mask in itertools.product((plain, turned), (False, True), masks):
        yield (query, query, query), {"attn_mask": mask, "is_causal": causal}
    yield (plain, shorter, shorter), {"dropout_p": 0.1, "scale": 0.5}
    yield (plain, shorter, spec(2, 4, 7, 6)), {}
    yield (plain, fewer, fewer), {"enable_gqa": True}
    yield (plain, fewer, fewer), {}
    yield (spec(4, 5, 8),) * 3, {}
    yield (spec(5, 8),) * 3, {}
    yield (spec(1, 4, 5, 8), plain, plain), {}
    yield (spec(2, 4, 5, 8, dtype="bfloat16"),) * 3, {}


def test_attention() -> None:
    for args, kwargs in attentions():
        check(F.scaled_dot_product_attention, *args, **kwargs)
    assert check(F.scaled_dot_product_attention, *[spec(2, 4, 5, 8)] * 3, is_causal=True)


MADE: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = [
    (torch.arange, (5,), {}), (torch.arange, (2, 9), {"dtype": torch.float32}), (torch.arange, (0, 1, 0.3), {}),
    (torch.arange, (5.0,), {}), (torch.arange, (9, 2, -2), {}), (torch.arange, (5,), {"device": torch.device("cpu")}),
    (torch.zeros, (2, 3), {}), (torch.ones, ((2, 3),), {"dtype": torch.bool}), (torch.empty, (), {}),
    (torch.zeros, ([2],), {"device": "cpu"}), (torch.full, ((2, 3), 1), {}), (torch.full, ((2,), 1.5), {}),
    (torch.full, ((2,), True), {}), (torch.full, ([2], 1), {"dtype": torch.float16}), (torch.arange, (3, 3), {}),
    (torch.arange, (3, 1), {}), (torch.arange, (), {"start": 0, "end": 7}), (torch.arange, (), {"end": 3.0}),
    (torch.randn, (2, 3), {}), (torch.rand, ((2, 3),), {"dtype": torch.float64}),
    (torch.tensor, ([],), {}), (torch.tensor, (3,), {}), (torch.tensor, ([[1, 2.5], [True, 2]],), {}),
    (torch.tensor, ([True],), {"dtype": torch.int32, "device": "cpu"}), (torch.tensor, ([1, 2],), {}),
    (torch.tensor, ([[]],), {}), (torch.tensor, ([[1], [2, 3]],), {}), (torch.tensor, ([2 ** 70],), {}),
    (torch.tensor, ((1.5, 2),), {"requires_grad": True}), (torch.tensor, ("a",), {}),
    (torch.linspace, (0, 1, 5), {}), (torch.linspace, (0.0, 1, 5), {"dtype": torch.float16}), (torch.eye, (3,), {}),
    (torch.linspace, (0, 1, 1), {"device": "cpu"}), (torch.eye, (3, 4), {"dtype": torch.int64}), (torch.eye, (-1,), {}),
    (torch.ones, (), {"size": [1, 3], "dtype": torch.bool}), (torch.zeros, (2,), {"size": (2,)}),
    (torch.as_tensor, ([(8, 8)],), {"dtype": torch.int64}), (torch.as_tensor, ([1.5],), {}),
    (torch.zeros, (2,), {"requires_grad": True}), (torch.zeros, (2,), {"dtype": torch.cfloat}),
]  # fmt: skip


@pytest.mark.parametrize("default", [torch.float32, torch.float64])
def test_makers(default: torch.dtype) -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(default)
    try:
        for target, args, kwargs in MADE:
            check(target, *args, **kwargs)
        for target in (torch.zeros_like, torch.ones_like, torch.empty_like):
            for each in SPECS:
                check(target, each, dtype=torch.float16)
        check(operator.mul, spec(2, dtype="int64"), 0.5)
    finally:
        torch.set_default_dtype(before)


# --- which operations have a rule --------------------------------------------------------------

ANSWERED: list[tuple[Any, tuple[Any, ...]]] = [
    (nn.Conv2d(3, 4, 3), (spec(1, 3, 8, 8),)), (nn.BatchNorm2d(4), (spec(1, 4, 8, 8),)),
    (nn.ReLU(inplace=True), (spec(2, 3),)), (nn.MaxPool2d(2), (spec(1, 4, 8, 8),)),
    (nn.AdaptiveAvgPool2d(1), (spec(1, 4, 8, 8),)), (nn.Linear(3, 4), (spec(2, 3),)), (nn.LayerNorm(3), (spec(2, 3),)),
    (nn.GELU(), (spec(2, 3),)), (nn.Dropout(), (spec(2, 3),)), (nn.Embedding(5, 3), (spec(2, 3, dtype="int64"),)),
    (nn.LSTM(3, 4), (spec(5, 2, 3),)), (nn.GRU(3, 4), (spec(5, 2, 3),)), (operator.iadd, (spec(2, 3), spec(3))),
    (operator.getitem, (spec(2, 3), (slice(None), 0))), ("reshape", (spec(2, 3), 3, 2)), ("mean", (spec(2, 3), -1)),
    (torch.matmul, (spec(2, 3), spec(3, 4))), (F.interpolate, (spec(1, 2, 4, 4), None, 2.0)),
    (F.group_norm, (spec(1, 4, 3, 3), 2)), ("to", (spec(2), torch.float16)),
]  # fmt: skip


@pytest.mark.parametrize(("target", "args"), ANSWERED, ids=called)
def test_plain_cases_are_answered(target: Any, args: tuple[Any, ...]) -> None:
    assert check(target, *args)


# --- where rules leave the answer to the kernel --------------------------------------------------


def hooked() -> nn.Module:
    layer = nn.Linear(3, 4)
    layer.register_forward_hook(lambda module, args, output: output[0])
    return layer


def with_subclass() -> nn.Module:
    class Weight(torch.Tensor):
        pass

    layer = nn.Linear(3, 4, bias=False)
    layer.weight = nn.Parameter(torch.empty(4, 3).as_subclass(Weight))
    return layer


def with_own_forward() -> nn.Module:
    layer = nn.Linear(3, 4)
    layer.forward = lambda input: input  # type: ignore[method-assign]
    return layer


class Derived(nn.Linear):
    pass


@pytest.mark.parametrize(
    "make", [hooked, with_subclass, with_own_forward, lambda: Derived(3, 4),
             lambda: parametrizations.weight_norm(nn.Linear(3, 4)),
             lambda: nn.Linear(3, 4, dtype=torch.complex64), lambda: nn.Linear(3, 4, dtype=torch.float16),
             lambda: nn.Linear(5, 4)],
)  # fmt: skip
def test_modules_that_are_not_plain(make: Callable[[], nn.Module]) -> None:
    assert rules.by_rule(make(), (spec(2, 3),), {}, "cpu") is None


REFUSED: list[tuple[Any, tuple[Any, ...]]] = [
    (F.relu, (spec(2, 3, dtype="complex64"),)), (F.relu, (spec(0, 3),)), (F.relu, (TensorSpec((2, 3), "float32"),)),
    (operator.add, (spec(2, 3), spec(4))), (operator.iadd, (spec(3), spec(2, 3))), ("mean", (spec(2, dtype="int64"),)),
    (torch.matmul, (spec(2, 3), spec(2, 3))), ("reshape", (spec(2, 3), 7)), ("relu", ()), ("relu", (1,)),
    (operator.iadd, (spec(2, 3, dtype="int64"), 0.5)), (operator.getitem, (spec(2, 3), spec(2, dtype="bool"))),
    (F.dropout, (spec(2, 3), 2.0)), ("unknown", (spec(2),)), ([], (spec(2),)), (torch.cat, ([spec(2), spec(2, 3)],)),
]  # fmt: skip


@pytest.mark.parametrize(("target", "args"), REFUSED, ids=called)
def test_arguments_that_are_left_to_the_kernel(target: Any, args: tuple[Any, ...]) -> None:
    assert rules.by_rule(target, args, {}, "cpu") is None


def test_formula_of_the_user_counts() -> None:
    """With a formula of theirs for an ATen operator, the kernel is run and counted."""
    assert rules.by_rule(F.relu, (spec(2, 3),), {}, "cpu") is not None
    register_flop_formula(torch.ops.aten.relu)(lambda shape, **_: 7)
    try:
        assert rules.by_rule(F.relu, (spec(2, 3),), {}, "cpu") is None
        assert Operations("cpu").run(F.relu, (spec(2, 3),), {}).flops == 7
    finally:
        flop_registry.pop(torch.ops.aten.relu)


def test_formula_of_torch_for_another_operator_counts() -> None:
    register_flop_formula(torch.ops.aten.relu, get_raw=True)(flop_registry[torch.ops.aten.mm])
    try:
        assert rules.by_rule(F.linear, (spec(2, 3), spec(4, 3)), {}, "cpu") is None
    finally:
        flop_registry.pop(torch.ops.aten.relu)
    assert rules.by_rule(F.linear, (spec(2, 3), spec(4, 3)), {}, "cpu") is not None


def test_without_a_formula_of_torch_the_kernel_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(flop_registry, torch.ops.aten.convolution)
    assert rules.by_rule(nn.Conv2d(3, 4, 3), (spec(1, 3, 8, 8),), {}, "cpu") is None


def test_formula_that_is_replaced_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept under the formula that was there before is not taken."""
    call: tuple[Any, ...] = (torch.mm, (spec(2, 3), spec(3, 5)), {})
    assert Operations("cpu").run(*call).flops == 60
    for flops in (7, 8):
        monkeypatch.setitem(flop_registry, torch.ops.aten.mm, lambda *_, flops=flops, **__: flops)
        assert Operations("cpu").run(*call).flops == flops
    monkeypatch.undo()
    assert Operations("cpu").run(*call).flops == 60


def test_autocast_is_left_to_the_kernel() -> None:
    outcome = Operations("cpu").run(nn.Linear(3, 4), (spec(2, 3),), {}, ("cpu", "bfloat16"))
    assert outcome.value.dtype == "bfloat16"


# --- a fresh process ---------------------------------------------------------------------------

MODELS = '''
import sys, torch
from torch import nn
from torch.nn import functional as F

class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True),
                                  nn.MaxPool2d(3, 2, 1))
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8))
        self.pool, self.head = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x)
        y = self.block(x)
        y += x
        return self.head(torch.flatten(self.pool(F.relu(y)), 1))

class Attention(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.causal, self.qkv, self.out, self.drop = causal, nn.Linear(16, 48), nn.Linear(16, 16), nn.Dropout(0.1)

    def forward(self, x, mask=None):
        q, k, v = self.qkv(x).split(16, dim=2)
        q, k, v = (t.view(*t.shape[:-1], 4, 4).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal)
        return self.drop(self.out(y.transpose(1, 2).reshape(*x.shape)))

class Gelu(nn.Module):
    def forward(self, x):
        return 0.5 * x * (1.0 + torch.tanh(0.79788 * (x + 0.044715 * torch.pow(x, 3.0))))

class Language(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.causal, self.words, self.places = causal, nn.Embedding(50, 16), nn.Embedding(12, 16)
        self.norm1, self.norm2, self.attention = nn.LayerNorm(16), nn.LayerNorm(16), Attention(causal)
        self.mlp = nn.Sequential(nn.Linear(16, 32), Gelu() if causal else nn.GELU(), nn.Linear(32, 16))

    def forward(self, ids, mask=None):
        if mask is not None:
            mask = (1.0 - mask[:, None, None, :].to(torch.float32)) * torch.finfo(torch.float32).min
        x = self.words(ids) + self.places(torch.arange(ids.shape[1], device=ids.device).unsqueeze(0))
        x = x + self.attention(self.norm1(x), mask)
        x = x + self.mlp(self.norm2(x))
        return (x @ self.words.weight.t())[:, -1] if self.causal else torch.tanh(x[:, 0])

import fxsummary
ids = torch.zeros(1, 12, dtype=torch.int64)
runs = {"resnet": (Residual(), (torch.empty(1, 3, 32, 32),)), "bert": (Language(False), (ids, torch.ones_like(ids))),
        "gpt2": (Language(True), (ids,))}
'''  # fmt: skip


def in_fresh_process(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("way", ["auto", "record"])
@pytest.mark.parametrize("name", ["resnet", "bert", "gpt2"])
def test_compiler_and_sympy_are_not_imported(name: str, way: str) -> None:
    program = f"""{MODELS}
model, inputs = runs[{name!r}]
fxsummary.graph(model.eval(), *inputs, trace={way!r}).to_text()
print([each for each in ("torch._dynamo", "sympy") if each in sys.modules])
"""
    assert in_fresh_process(program).strip() == "[]"


def test_import_and_help_leave_torch_alone() -> None:
    program = """
import sys, fxsummary
from fxsummary.cli import main
assert not {"torch", "networkx"} & set(sys.modules)
try:
    main(["--help"])
except SystemExit:
    pass
assert not {"torch", "networkx"} & set(sys.modules)
"""
    assert "usage: fxsummary" in in_fresh_process(program)
