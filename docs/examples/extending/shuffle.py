"""A kernel: the result of ``channel_shuffle`` on meta."""

from torch import Tensor

from fxsummary.capture.operations.kernels import DECLINED, KERNELS
from fxsummary.capture.operations.kernels.results import is_plain, new


def shuffled(x: Tensor, groups: int) -> Tensor:
    """Return a new tensor of the same shape; leave other strides, and errors, to torch's kernel."""
    covered = x.dim() > 2 and groups > 0 and x.shape[1] % groups == 0 and is_plain(x)
    return new(x.shape, x.dtype) if covered else DECLINED


KERNELS["aten::channel_shuffle"] = shuffled
