"""Pooling, resizing and padding of images, signals and volumes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.rules.answers import (
    dense,
    dimension,
    each,
    floats,
    fresh,
    integers,
    plain,
    strides,
    sure,
    tensor,
)
from fxsummary.capture.operations.rules.layout import Sizes, contiguous_stride, image_stride, suggests_channels_last
from fxsummary.graph.spec import TensorSpec


def _image(input: Any, rank: int) -> TensorSpec:
    spec = floats(input)
    sure(len(spec.shape) == rank + 2)
    return spec


def _plain_or_image(spec: TensorSpec) -> None:
    """Require strides of which all kernels make the same."""
    sure((len(spec.shape) == 4 and spec.shape[1] > 1) or spec.stride == contiguous_stride(spec.shape))


def _resized(spec: TensorSpec, sizes: Sizes) -> Outcome:
    shape = (*spec.shape[:2], *sizes)
    return fresh(shape, spec, stride=image_stride(shape, spec.shape, strides(spec)))


def _pool(rank: int, input: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any) -> Outcome:
    spec = _image(input, rank)
    kernel, pads, dilations = each(kernel_size, rank), each(padding, rank), each(dilation, rank)
    steps = kernel if stride is None else each(stride, rank)
    sure(type(ceil_mode) is bool and min(steps + kernel + dilations) > 0)
    sure(all(0 <= 2 * pad <= width for pad, width in zip(pads, kernel, strict=True)))
    _plain_or_image(spec)
    settings = zip(spec.shape[2:], kernel, steps, pads, dilations, strict=True)
    return _resized(spec, tuple([_pooled(*setting, ceil_mode) for setting in settings]))


def _pooled(size: int, width: int, step: int, pad: int, extent: int, ceil_mode: bool) -> int:
    """Length of a pooled dimension; a window that would start in the right padding is left out."""
    room = size + 2 * pad - extent * (width - 1) - 1
    sure(room >= 0)
    result = (room + (step - 1 if ceil_mode else 0)) // step + 1
    return result - 1 if ceil_mode and (result - 1) * step >= size + pad else result


def _max_pool(rank: int) -> Callable[..., Outcome]:
    def rule(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: Any = False,
        return_indices: Any = False,
    ) -> Outcome:
        sure(return_indices is False)
        return _pool(rank, input, kernel_size, stride, padding, dilation, ceil_mode)

    return rule


def _average_pool(rank: int) -> Callable[..., Outcome]:
    def rule(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: Any = False,
        count_include_pad: Any = True,
        divisor_override: Any = None,
    ) -> Outcome:
        sure(divisor_override is None)
        return _pool(rank, input, kernel_size, stride, padding, 1, ceil_mode)

    return rule


def _adaptive_pool(rank: int, averages: bool) -> Callable[..., Outcome]:
    def rule(input: Any, output_size: Any, return_indices: Any = False) -> Outcome:
        spec = _image(input, rank)
        sure(return_indices is False)
        _plain_or_image(spec)
        given = (output_size,) * rank if type(output_size) is int else tuple(output_size)
        sure(len(given) == rank)
        sizes = integers(tuple([old if new is None else new for old, new in zip(spec.shape[2:], given, strict=True)]))
        if averages and rank > 1 and set(sizes) == {1}:
            return _mean(spec)
        return _resized(spec, sizes)

    return rule


def _mean(spec: TensorSpec) -> Outcome:
    """The average over all positions, which has a kernel of its own."""
    if spec.stride != contiguous_stride(spec.shape):
        sure(len(spec.shape) == 4 and suggests_channels_last(spec.shape, strides(spec)))
    shape = (*spec.shape[:2], *[1] * (len(spec.shape) - 2))
    if not suggests_channels_last(spec.shape, strides(spec)):
        return fresh(shape, spec)
    return fresh(shape, spec, stride=(shape[1], 1, *[shape[1]] * (len(shape) - 2)))


def _interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: Any = "nearest",
    align_corners: Any = None,
    recompute_scale_factor: Any = None,
    antialias: Any = False,
) -> Outcome:
    spec = _image(input, 2)
    sure(mode in ("nearest", "nearest-exact", "bilinear", "bicubic") and antialias is False)
    sure(align_corners is None or (mode in ("bilinear", "bicubic") and type(align_corners) is bool))
    sure((size is None) is not (scale_factor is None))
    _plain_or_image(spec)
    if size is not None:
        sure(not recompute_scale_factor)
        return _resized(spec, each(size, 2))
    factors = (scale_factor,) * 2 if type(scale_factor) in (int, float) else tuple(scale_factor)
    sure(len(factors) == 2 and all(type(factor) in (int, float) for factor in factors))
    return _resized(
        spec, tuple([math.floor(float(old * factor)) for old, factor in zip(spec.shape[2:], factors, strict=True)])
    )


def _pad(input: Any, pad: Any, mode: Any = "constant", value: Any = None) -> Outcome:
    spec, widths = tensor(input), integers(pad)
    sure(mode == "constant" and type(value) in (int, float, type(None)))
    sure(len(widths) % 2 == 0 and len(widths) <= 2 * len(spec.shape) and min(widths) >= 0)
    sizes = list(spec.shape)
    for position in range(len(widths) // 2):
        sizes[-1 - position] += widths[2 * position] + widths[2 * position + 1]
    if not any(widths):
        return Outcome(dense(spec))
    return fresh(sizes, spec, stride=image_stride(tuple(sizes), spec.shape, strides(spec)))


def _grid_sample(
    input: Any, grid: Any, mode: Any = "bilinear", padding_mode: Any = "zeros", align_corners: Any = None
) -> Outcome:
    spec = floats(input, grid)
    rank = len(spec.shape) - 2
    sure(rank in (2, 3) and len(grid.shape) == rank + 2 and grid.shape[-1] == rank and grid.shape[0] == spec.shape[0])
    sure(mode in ("bilinear", "nearest") and padding_mode in ("zeros", "border", "reflection"))
    sure(type(align_corners) in (bool, type(None)))
    return fresh((*spec.shape[:2], *grid.shape[1:-1]), spec)


def _from_columns(
    input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Outcome:
    """The image that columns of blocks are of: ``F.fold``."""
    spec = floats(input)
    sizes, widths, steps, pads, extents = (
        each(value, 2) for value in (output_size, kernel_size, stride, padding, dilation)
    )
    sure(len(spec.shape) == 3 and min(sizes + widths + steps + extents) > 0 and min(pads) >= 0)
    plain(spec)
    settings = zip(sizes, widths, steps, pads, extents, strict=True)
    sure(spec.shape[2] == math.prod([_pooled(*setting, False) for setting in settings]))
    sure(spec.shape[1] % math.prod(widths) == 0)
    return fresh((spec.shape[0], spec.shape[1] // math.prod(widths), *sizes), spec)


def _glu(input: Any, dim: Any = -1) -> Outcome:
    spec = floats(input)
    place = dimension(dim, len(spec.shape))
    sure(spec.shape[place] % 2 == 0)
    plain(spec)
    return fresh((*spec.shape[:place], spec.shape[place] // 2, *spec.shape[place + 1 :]), spec)


def _pixel_shuffle(input: Any, upscale_factor: Any) -> Outcome:
    spec = tensor(input)
    sure(len(spec.shape) >= 3 and type(upscale_factor) is int and upscale_factor > 0)
    *batch, channels, height, width = spec.shape
    sure(channels % upscale_factor**2 == 0)
    plain(spec)
    shape = (*batch, channels // upscale_factor**2, height * upscale_factor, width * upscale_factor)
    return fresh(shape, spec)


def _pixel_unshuffle(input: Any, downscale_factor: Any) -> Outcome:
    spec = tensor(input)
    sure(len(spec.shape) >= 3 and type(downscale_factor) is int and downscale_factor > 0)
    *batch, channels, height, width = spec.shape
    sure(height % downscale_factor == width % downscale_factor == 0)
    plain(spec)
    shape = (*batch, channels * downscale_factor**2, height // downscale_factor, width // downscale_factor)
    return fresh(shape, spec)


def _columns(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Outcome:
    """Blocks of an image as columns: ``F.unfold``."""
    spec = _image(input, 2)
    widths, steps, pads, extents = (each(value, 2) for value in (kernel_size, stride, padding, dilation))
    sure(min(widths + steps + extents) > 0 and min(pads) >= 0)
    plain(spec)
    settings = zip(spec.shape[2:], widths, steps, pads, extents, strict=True)
    sizes = [_pooled(*setting, False) for setting in settings]
    return fresh((spec.shape[0], spec.shape[1] * math.prod(widths), math.prod(sizes)), spec)


def _one_hot(tensor_: Any, num_classes: Any = -1) -> Outcome:
    spec = tensor(tensor_, frozenset({"int64"}))
    sure(type(num_classes) is int and num_classes > 0)
    plain(spec)
    return fresh((*spec.shape, num_classes), spec)


# --- modules ---------------------------------------------------------------------------------------


def _max_pool_module(rank: int) -> Callable[..., Outcome]:
    def rule(module: nn.modules.pooling._MaxPoolNd, input: Any) -> Outcome:
        sure(module.return_indices is False)
        return _pool(rank, input, module.kernel_size, module.stride, module.padding, module.dilation, module.ceil_mode)

    return rule


def _average_pool_module(rank: int) -> Callable[..., Outcome]:
    def rule(module: Any, input: Any) -> Outcome:
        sure(getattr(module, "divisor_override", None) is None)
        return _pool(rank, input, module.kernel_size, module.stride, module.padding, 1, module.ceil_mode)

    return rule


def _adaptive_pool_module(rank: int, averages: bool) -> Callable[..., Outcome]:
    pool = _adaptive_pool(rank, averages)
    return lambda module, input: pool(input, module.output_size, getattr(module, "return_indices", False))


def _upsample(module: nn.Upsample, input: Any) -> Outcome:
    return _interpolate(
        input, module.size, module.scale_factor, module.mode, module.align_corners, module.recompute_scale_factor
    )


def _zero_pad(module: nn.ZeroPad2d, input: Any) -> Outcome:
    return _pad(input, module.padding)


_RANKS = (1, 2, 3)

MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {
    **{getattr(nn, f"MaxPool{rank}d"): _max_pool_module(rank) for rank in _RANKS},
    **{getattr(nn, f"AvgPool{rank}d"): _average_pool_module(rank) for rank in _RANKS},
    **{getattr(nn, f"AdaptiveAvgPool{rank}d"): _adaptive_pool_module(rank, True) for rank in _RANKS},
    **{getattr(nn, f"AdaptiveMaxPool{rank}d"): _adaptive_pool_module(rank, False) for rank in _RANKS},
    nn.Upsample: _upsample,
    nn.ZeroPad2d: _zero_pad,
}

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **{getattr(F, f"max_pool{rank}d"): _max_pool(rank) for rank in _RANKS},
    **{getattr(F, f"avg_pool{rank}d"): _average_pool(rank) for rank in _RANKS},
    **{getattr(F, f"adaptive_avg_pool{rank}d"): _adaptive_pool(rank, True) for rank in _RANKS},
    **{getattr(F, f"adaptive_max_pool{rank}d"): _adaptive_pool(rank, False) for rank in _RANKS},
    F.interpolate: _interpolate,
    F.pad: _pad,
    F.glu: _glu,
    F.pixel_shuffle: _pixel_shuffle,
    F.pixel_unshuffle: _pixel_unshuffle,
    F.grid_sample: _grid_sample,
    F.unfold: _columns,
    F.fold: _from_columns,
    F.one_hot: _one_hot,
}
