"""Layers with packed weights whose kernels do not run here, because they need a GPU or another package.

The error is not about the inputs, so the layer is shown as the linear layer whose size it declares. If it declares
none, as experts do, the graph ends there.
"""

from __future__ import annotations

from math import prod
from traceback import walk_tb
from types import CodeType

from torch import nn

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.packed_layers import linear_size, represented
from fxsummary.capture.structures import tensors_in
from fxsummary.graph.spec import TensorSpec, contiguous


class MissingKernelError(Exception):
    """The kernel of a layer with a packed weight does not run.

    Args:
        kind: the class of the layer.
        reason: the first line of the error's message.
    """

    def __init__(self, kind: type, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"forward of {self.kind.__name__} does not run here ({self.reason}): the layer is shown as the linear "
            "layer whose size it declares"
        )


def failed_module(error: BaseException, calls: CodeType) -> tuple[nn.Module, object] | None:
    """Return the innermost module in whose call an exception was raised, and its arguments; None if it was in none.

    Args:
        calls: the code of the function that calls modules.
    """
    frames = [frame.f_locals for frame, _ in walk_tb(error.__traceback__) if frame.f_code is calls]
    return (frames[-1]["module"], (frames[-1]["args"], frames[-1]["kwargs"])) if frames else None


def is_linear(module: nn.Module, given: object) -> bool:
    """Return whether a module has a packed weight and got what the linear layer that it represents accepts."""
    size, tensors = linear_size(module), list(tensors_in(given))
    if size is None or len(tensors) != 1:
        return False
    return tensors[0].is_floating_point() and tensors[0].dim() > 0 and tensors[0].shape[-1] == size[1]


def has_weights_of_unknown_form(module: nn.Module) -> bool:
    """Return whether a module, or one of its children, has packed weights and declares no size."""
    return any(represented(each).shapes and linear_size(each) is None for each in (module, *module.children()))


def linear_outcome(module: nn.Module, x: TensorSpec) -> Outcome:
    """Return the outcome of a linear layer: x (…, in) gives (…, out); it is assumed."""
    size = linear_size(module)
    assert size is not None
    out, _ = size
    value = contiguous((*x.shape[:-1], out), x.dtype)
    return Outcome(value, 2 * prod(x.shape) * out, assumed=True, workspace=None)
