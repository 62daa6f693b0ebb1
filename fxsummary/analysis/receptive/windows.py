"""Rules for windows that slide along dimensions: convolutions, pools, interpolations, padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor, gcd
from typing import Any

from fxsummary.analysis.receptive.along import Sight, mixed
from fxsummary.analysis.receptive.call import Call, and_weight, slide


def convolution(call: Call) -> Sight:
    x, weight = call["input"], call["weight"]
    spatial = weight.dim() - 2
    settings = [_each(call[name], spatial) for name in ("stride", "padding", "dilation")]
    sight = mixed(call.seen("input"), x.shape, [x.dim() - spatial - 1])
    for place, (size, stride, padding, dilation) in enumerate(zip(weight.shape[2:], *settings, strict=True)):
        taps = [tap * dilation - padding for tap in range(size)]
        if call["transposed"]:
            phases = [
                [(phase - tap) // stride for tap in taps if (phase - tap) % stride == 0] for phase in range(stride)
            ]
            sight = slide(call, sight, x.dim() - spatial + place, phases, 1)
        else:
            sight = slide(call, sight, x.dim() - spatial + place, [taps], stride)
    return and_weight(call, sight, "weight")


def pool(call: Call) -> Sight:
    sizes, sight = call["kernel_size"], call.seen("self")
    strides = _each(call.arguments.get("stride") or sizes, len(sizes))
    dilations = _each(call.arguments.get("dilation", 1), len(sizes))
    settings = sizes, strides, _each(call["padding"], len(sizes)), dilations
    for place, (size, stride, padding, dilation) in enumerate(zip(*settings, strict=True)):
        taps = [tap * dilation - padding for tap in range(size)]
        sight = slide(call, sight, call["self"].dim() - len(sizes) + place, [taps], stride)
    return sight


def adaptive_pool(call: Call) -> Sight:
    sight, x = call.seen("self"), call["self"]
    for place, size in enumerate(call["output_size"]):
        dim = x.dim() - len(call["output_size"]) + place
        common = gcd(size, x.shape[dim])
        period, step = size // common, x.shape[dim] // common
        windows = [range(each * step // period, -(-(each + 1) * step // period)) for each in range(period)]
        sight = slide(call, sight, dim, windows, step)
    return sight


def _resized(call: Call, taps: Sequence[int], is_centered: bool) -> Sight:
    """Each position depends on neighbours (``taps``) of a position in the argument, or on it alone where they meet."""
    sight, x, result = call.seen("self"), call["self"], call.results[0]
    scales = _scales(call.arguments, x.dim() - 2)
    is_aligned = call.arguments.get("align_corners", False)
    for dim in range(2, x.dim()):
        before, after = x.shape[dim], result.shape[dim]
        scale = scales[dim - 2]
        ratio = 1 / scale if scale else Fraction(before, after)
        if is_aligned:
            ratio = Fraction(before - 1, after - 1) if after > 1 else Fraction(0)
        offset = (ratio - 1) / 2 if is_centered and not is_aligned else Fraction(0)
        windows = []
        for place in range(ratio.denominator):
            at = ratio * place + offset
            windows.append([floor(at) + tap for tap in taps] if at.denominator > 1 else [int(at)])
        sight = slide(call, sight, dim, windows, ratio.numerator)
    return sight


def nearest(call: Call) -> Sight:
    return _resized(call, [0], False)


def linear(call: Call) -> Sight:
    return _resized(call, [0, 1], True)


def cubic(call: Call) -> Sight:
    return _resized(call, [-1, 0, 1, 2], True)


def _scales(arguments: Mapping[str, Any], count: int) -> list[Fraction | None]:
    given = arguments.get("scale_factors") or [
        arguments.get(name) for name in ("scales", "scales_d", "scales_h", "scales_w") if name in arguments
    ]
    found = [None if each is None else Fraction(each).limit_denominator(1000) for each in given]
    return found if len(found) == count else [None] * count


def pad(call: Call) -> Sight:
    sight, x, pads = call.seen("self"), call["self"], call["pad" if "pad" in call.arguments else "padding"]
    for place in range(len(pads) // 2):
        sight = slide(call, sight, x.dim() - 1 - place, [[-pads[2 * place]]], 1, notes=False)
    return sight


def pixel_shuffle(call: Call) -> Sight:
    factor, sight, x = call["upscale_factor"], call.seen("self"), call["self"]
    sight = mixed(sight, x.shape, [x.dim() - 3])
    for dim in (x.dim() - 2, x.dim() - 1):
        sight = slide(call, sight, dim, [[0]] * factor, 1)
    return sight


def pixel_unshuffle(call: Call) -> Sight:
    factor, sight, x = call["downscale_factor"], call.seen("self"), call["self"]
    sight = mixed(sight, x.shape, [x.dim() - 3])
    for dim in (x.dim() - 2, x.dim() - 1):
        sight = slide(call, sight, dim, [range(factor)], factor)
    return sight


def _each(value: int | Sequence[int], count: int) -> list[int]:
    given = [value] if isinstance(value, int) else list(value)
    return given * count if len(given) == 1 else given
