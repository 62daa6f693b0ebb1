"""The truth about receptive fields: which inputs have a gradient from one position of a result."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import torch
from torch import Tensor, nn

_AVERAGES: Mapping[type[nn.Module], type[nn.Module]] = {
    nn.MaxPool1d: nn.AvgPool1d, nn.MaxPool2d: nn.AvgPool2d, nn.MaxPool3d: nn.AvgPool3d,
}  # fmt: skip


def averaged(model: nn.Module) -> nn.Module:
    """Return a model in eval mode whose gradients vanish nowhere: weights are positive, max pools are averages.

    The model is changed.
    """
    torch.manual_seed(0)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) in _AVERAGES:
                settings = child.kernel_size, child.stride, child.padding, child.ceil_mode
                setattr(module, name, _AVERAGES[type(child)](*settings))
    with torch.no_grad():
        for name, each in model.named_parameters():
            if each.dim() > 1:
                each.uniform_(0.5, 1.5).div_(2 * each[0].numel())
            else:
                each.fill_(float(name.endswith(("weight", "gamma"))))
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean.zero_()
            module.running_var.fill_(1)
    return model.double().eval()


def outputs_of(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Return the last result of each module that returns a tensor, by path."""
    found: dict[str, Tensor] = {}

    def noting(path: str) -> object:
        def note(module: nn.Module, args: object, output: object) -> None:
            if isinstance(output, Tensor):
                found[path] = output

        return note

    hooks = [module.register_forward_hook(noting(path)) for path, module in model.named_modules() if path]
    output = model(x)
    for hook in hooks:
        hook.remove()
    return {**found, "": output} if isinstance(output, Tensor) else found


def extent(output: Tensor, x: Tensor, place: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return the first and last input position with a gradient from one position, by spatial dimension."""
    (gradient,) = torch.autograd.grad(output[(0, slice(None), *place)].sum(), x, retain_graph=True)
    seen = (gradient[0].abs().sum(0) > 0).nonzero()
    return tuple(zip(seen.min(0).values.tolist(), seen.max(0).values.tolist(), strict=True)) if len(seen) else ()


def expected(
    size: tuple[int, ...], stride: tuple[Fraction | None, ...], start: tuple[int, ...], of: tuple[int, ...],
    place: tuple[int, ...],
) -> tuple[tuple[int, int], ...]:  # fmt: skip
    """Return the extent of a position that size, stride and start tell, without the padding."""
    firsts = [int(begin + step * index) for begin, step, index in zip(start, stride, place, strict=True)]
    return tuple([(max(low, 0), min(low + n - 1, most - 1)) for low, n, most in zip(firsts, size, of, strict=True)])
