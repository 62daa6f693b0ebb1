"""Hold our kernels against torch's own kernels on meta, which stay the truth."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from fxsummary.capture.operations.kernels import DECLINED, KERNELS, answer
from fxsummary.capture.operations.twins import META
from fxsummary.graph.spec import TensorSpec


def spec(*shape: int, dtype: str = "float32", stride: tuple[int, ...] | None = None) -> TensorSpec:
    """A spec, contiguous unless strides are given."""
    return TensorSpec(shape, dtype, stride or tuple(torch.empty(shape, device="meta").stride()), "cpu")


def described(result: Any) -> list[Any]:
    """What a kernel decides: shape, strides, dtype and device of each tensor."""
    leaves = tree_flatten(result)[0]
    return [
        (tuple(each.shape), each.stride(), each.dtype, each.device) if isinstance(each, torch.Tensor) else each
        for each in leaves
    ]


def on_meta(func: Any, result: Any) -> list[Any]:
    """What a kernel decides, apart from that in which meta differs from a CPU, whose real kernels ours follow.

    The fused attention of a CPU keeps the order of its queries in memory, and batch norms in eval mode return no
    statistics; tests/test_kernels.py compares both with real runs.
    """
    if func._name == "aten::scaled_dot_product_attention":
        return [(shape, dtype, device) for shape, _, dtype, device in described(result)]
    return described(result)[:1] if func._name == "aten::native_batch_norm" else described(result)


class Compared(TorchDispatchMode):
    """Runs every operator by torch's kernel and compares what ours answers.

    Attributes:
        answered: how many calls each of our kernels answered.
        wrong: the calls on which the two differ.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.answered: Counter[str] = Counter()
        self.wrong: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = {name: META if name == "device" else value for name, value in (kwargs or {}).items()}
        if func._name not in KERNELS:
            return func(*args, **kwargs)
        try:
            ours = answer(func, args, kwargs)
        except Exception as error:  # a kernel declines, it never raises
            ours = error
        try:
            theirs = func(*args, **kwargs)
        except Exception:
            if ours is not DECLINED:
                self.wrong.append((func, described(args), kwargs, ours, "torch raises"))
            raise
        if ours is not DECLINED:
            self.answered[func._name] += 1
            if isinstance(ours, Exception) or on_meta(func, ours) != on_meta(func, theirs):
                self.wrong.append((func, described(args), kwargs, ours, described(theirs)))
        return theirs
