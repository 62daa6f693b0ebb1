"""What torch's own kernels on meta say of an operation: the truth that rules are held against."""

from __future__ import annotations

from typing import Any

import torch

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.run import NoDataError, Operations, RefusedError
from fxsummary.capture.operations.twins import META
from fxsummary.graph.spec import TensorSpec


def spec(*shape: int, dtype: str = "float32", stride: tuple[int, ...] | None = None) -> TensorSpec:
    """A spec, contiguous unless strides are given."""
    return TensorSpec(shape, dtype, stride or tuple(torch.empty(shape, device="meta").stride()), "cpu")


def of_kernel(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome | None:
    """The outcome by the kernel; None where it refuses or needs values."""
    operations = Operations("cpu")
    try:
        return operations._observe(target, args, kwargs, operations.twins, None, META)[0]
    except (RefusedError, NoDataError):
        return None
