"""Functions with gradients for operators that meta tensors cannot run; they save what the real ones save."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.twins import materialize, spec_of
from fxsummary.capture.structures import tensors_in
from fxsummary.capture.torch_internals import without_dispatch_modes
from fxsummary.graph.spec import TensorSpec, leaves, map_structure


def results(spec: object, inputs: object, saved: object = ()) -> Any:
    """Return new tensors with these specs, computed from ``inputs``, with the tensors ``saved`` kept for backward."""
    specs = list(leaves(spec))
    tensors = [each for each in tensors_in(inputs) if each.requires_grad]
    if tensors and torch.is_grad_enabled() and any("float" in each.dtype or "complex" in each.dtype for each in specs):
        made = iter(_Results.apply(specs, tuple(tensors_in(saved)), *tensors))  # type: ignore[no-untyped-call]
    else:
        made = iter([materialize(each) for each in specs])
    return map_structure(lambda each: next(made) if type(each) is TensorSpec else each, spec)


class _Results(torch.autograd.Function):
    """New tensors, whose backward pass makes a gradient for each input."""

    @staticmethod
    def forward(ctx: Any, specs: list[TensorSpec], saved: tuple[Tensor, ...], *inputs: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(*saved)
        with without_dispatch_modes():  # gradients lie in memory as the inputs do
            ctx.gradients = [spec_of(torch.empty_like(each)) for each in inputs]
        made = [materialize(each) for each in specs]
        ctx.mark_non_differentiable(*[each for each in made if not (each.is_floating_point() or each.is_complex())])
        return tuple(made)

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        ctx.saved_tensors  # noqa: B018  # unpacked, and freed after this call
        return None, None, *[materialize(each) for each in ctx.gradients]
