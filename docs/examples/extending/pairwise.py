"""A formula: the FLOPs of an operator of one's own."""

import torch
from torch.utils.flop_counter import register_flop_formula


@torch.library.custom_op("extending::pairwise", mutates_args=())
def pairwise(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Scalar products of the rows of x, (n, d), with those of y, (m, d): (n, m)."""
    return x @ y.T


@pairwise.register_fake
def _(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return x.new_empty(x.shape[0], y.shape[0])


@register_flop_formula(torch.ops.extending.pairwise)
def pairwise_flops(x_shape: torch.Size, y_shape: torch.Size, out_shape: object = None, **_: object) -> int:
    """2 per multiply-accumulate: 2·n·m·d."""
    (n, d), (m, _) = x_shape, y_shape
    return 2 * n * m * d
