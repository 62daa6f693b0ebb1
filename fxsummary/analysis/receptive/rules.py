"""What the results of ATen operators see, given what their arguments see: a rule for each kind of operator."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fxsummary.analysis.receptive import windows
from fxsummary.analysis.receptive.along import (
    Sight,
    aligned,
    concatenated,
    mixed,
    moved,
    opaque,
    reshaped,
    slid,
    taken,
)
from fxsummary.analysis.receptive.call import Call, Rule, and_weight, slide

# --- elementwise, and over dimensions --------------------------------------------------------------


def elementwise(call: Call) -> Sight:
    """Each position of the result depends on the same position of each argument."""
    tensors = [each for each in call.arguments.values() if isinstance(each, Tensor) and id(each) in call.sights]
    return aligned([(call.sights[id(each)], each.shape) for each in tensors], call.results[0].shape)


def reduction(call: Call) -> Sight:
    """Dimensions are reduced: each position depends on all positions along them."""
    x, shape = call.seen("self"), call["self"].shape
    dims = call.dims("dim", len(shape))
    x = mixed(x, shape, dims)
    if call.results[0].dim() == len(shape):
        return x
    kept = [dim for dim in range(len(shape)) if dim not in dims]
    return moved(x, {dim: place for place, dim in enumerate(kept)})


def softmax(call: Call) -> Sight:
    return mixed(call.seen("self"), call["self"].shape, call.dims("dim", call["self"].dim()))


def batch_norm(call: Call) -> Sight:
    """In training the statistics depend on the whole batch, in all dimensions except for the channels."""
    x = call["input"]
    by_batch = call.arguments.get("training", call.arguments.get("running_mean") is None)
    return mixed(call.seen("input"), x.shape, [0, *range(2, x.dim())]) if by_batch else call.seen("input")


def layer_norm(call: Call) -> Sight:
    x = call["input"]
    return mixed(call.seen("input"), x.shape, range(x.dim() - len(call["normalized_shape"]), x.dim()))


def group_norm(call: Call) -> Sight:
    return mixed(call.seen("input"), call["input"].shape, range(1, call["input"].dim()))


# --- products --------------------------------------------------------------------------------------


def _product(first: str, second: str, added: str = "") -> Rule:
    """(…, m, k) @ (…, k, n): rows of the first and columns of the second stay apart; all along k is mixed."""

    def rule(call: Call) -> Sight:
        a, b, shape = call[first], call[second], call.results[0].shape
        left = mixed(call.seen(first), a.shape, [a.dim() - 1])
        right = mixed(call.seen(second), b.shape, [max(b.dim() - 2, 0)])
        left_shape = (*a.shape[:-1], 1) if b.dim() > 1 else a.shape[:-1]
        right_shape = (*b.shape[:-2], 1, b.shape[-1]) if b.dim() > 1 else ()
        terms = [(left, left_shape), (right, right_shape)]
        if added:
            terms.append((call.seen(added), call[added].shape))
        return aligned(terms, shape)

    return rule


def dense(call: Call) -> Sight:
    x = call["input"]
    return and_weight(call, mixed(call.seen("input"), x.shape, [x.dim() - 1]), "weight")


def attention(call: Call) -> Sight:
    shape = call.results[0].shape
    rows = mixed(call.seen("query"), call["query"].shape, [len(shape) - 1])
    others = [mixed(call.seen(n), call[n].shape, [len(shape) - 2, len(shape) - 1]) for n in ("key", "value")]
    return aligned([(each, shape) for each in (rows, *others)], shape)


# --- places ----------------------------------------------------------------------------------------


def reshape(call: Call) -> Sight:
    return reshaped(call.seen("self"), call["self"].shape, call.results[0].shape)


def permute(call: Call) -> Sight:
    dims = call.dims("dims", call["self"].dim())
    return moved(call.seen("self"), {dim: place for place, dim in enumerate(dims)})


def transpose(call: Call) -> Sight:
    count = call["self"].dim()
    one, other = (
        (call[name] % max(count, 1) for name in ("dim0", "dim1")) if "dim0" in call.arguments else (0, count - 1)
    )
    return moved(call.seen("self"), {**{each: each for each in range(count)}, one: other, other: one})


def narrow(call: Call) -> Sight:
    x, dim = call["self"], call["dim"] % call["self"].dim()
    start = slice(call["start"], call["end"]).indices(x.shape[dim])[0]
    return slide(call, call.seen("self"), dim, [[start]], call["step"], notes=False)


def select(call: Call) -> Sight:
    x, dim = call["self"], call["dim"] % call["self"].dim()
    return taken(call.seen("self"), dim, call["index"] % x.shape[dim])


def unbind(call: Call) -> list[Sight]:
    dim = call["dim"] % call["self"].dim()
    return [taken(call.seen("self"), dim, place) for place in range(len(call.results))]


def split(call: Call) -> list[Sight]:
    dim, start, found = call["dim"] % call["self"].dim(), 0, []
    for result in call.results:
        found.append(slid(call.seen("self"), dim, [[start]], 1, result.shape[dim]))
        start += result.shape[dim]
    return found


def concatenate(call: Call) -> Sight:
    sights = [(call.sights.get(id(each), {}), each.shape) for each in call["tensors"] if each.shape != (0,)]
    return concatenated(sights, call["dim"] % call.results[0].dim())


def stack(call: Call) -> Sight:
    dim = call["dim"] % call.results[0].dim()
    shape = call.results[0].shape
    one = (*shape[:dim], 1, *shape[dim + 1 :])
    return concatenated([(reshaped(call.sights.get(id(t), {}), t.shape, one), one) for t in call["tensors"]], dim)


def embedding(call: Call) -> Sight:
    sights = [opaque([call.seen("weight")]), call.seen("indices")]
    return aligned([(sights[0], ()), (sights[1], (*call["indices"].shape, 1))], call.results[0].shape)


def nothing(call: Call) -> Sight:
    """The result does not depend on the values of the arguments."""
    return {}


def written(call: Call) -> Sight:
    return aligned([(call.seen("src"), call["src"].shape)], call["self"].shape)


def anything(call: Call) -> Sight:
    """Each position of the result may depend on all arguments, in a way that is not known."""
    tensors = [each for value in call.arguments.values() for each in (value if isinstance(value, list) else [value])]
    return opaque([call.sights[id(each)] for each in tensors if id(each) in call.sights])


_UPSAMPLED = {
    "nearest": windows.nearest, "linear": windows.linear, "bilinear": windows.linear, "trilinear": windows.linear,
    "bicubic": windows.cubic,
}  # fmt: skip

_NAMES: dict[Rule, str] = {
    elementwise: "_to_copy detach alias lift_fresh contiguous clone expand native_dropout hardswish hardswish_ prelu "
    "_prelu_kernel log_sigmoid_forward rrelu_with_noise bernoulli dropout feature_dropout rand_like",
    reduction: "mean sum amax amin var std var_mean std_mean max min logsumexp linalg_vector_norm norm prod any all "
    "argmax argmin",
    softmax: "_softmax _log_softmax _safe_softmax softmax",
    batch_norm: "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training cudnn_batch_norm "
    "_batch_norm_with_update _batch_norm_no_update miopen_batch_norm batch_norm",
    layer_norm: "native_layer_norm _fused_rms_norm rms_norm layer_norm",
    group_norm: "native_group_norm group_norm",
    windows.convolution: "convolution _convolution convolution_overrideable",
    windows.pool: "max_pool2d_with_indices max_pool3d_with_indices avg_pool1d avg_pool2d avg_pool3d max_pool1d "
    "max_pool2d max_pool3d",
    windows.adaptive_pool: "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d "
    "adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d",
    windows.pad: "constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d "
    "replication_pad2d replication_pad3d",
    windows.pixel_shuffle: "pixel_shuffle",
    windows.pixel_unshuffle: "pixel_unshuffle",
    _product("self", "mat2"): "mm bmm",
    _product("mat1", "mat2", "self"): "addmm",
    _product("batch1", "batch2", "self"): "baddbmm",
    _product("self", "vec"): "mv",
    _product("self", "other"): "matmul",
    _product("self", "tensor"): "dot",
    dense: "linear",
    attention: "scaled_dot_product_attention _scaled_dot_product_flash_attention _scaled_dot_product_attention_math "
    "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_efficient_attention "
    "_scaled_dot_product_cudnn_attention _scaled_dot_product_fused_attention_overrideable",
    reshape: "view _unsafe_view reshape _reshape_alias flatten unsqueeze squeeze unflatten squeeze_ unsqueeze_",
    permute: "permute",
    transpose: "transpose t transpose_",
    narrow: "slice",
    select: "select",
    unbind: "unbind",
    split: "split split_with_sizes unsafe_split unsafe_split_with_sizes chunk unsafe_chunk",
    concatenate: "cat concat",
    stack: "stack",
    embedding: "embedding",
    nothing: "zeros_like ones_like empty_like full_like new_zeros new_ones new_empty new_full fill_ zero_ "
    "new_empty_strided empty_strided",
    written: "copy_",
    **{
        rule: " ".join(f"upsample_{kind}{dim}d" for kind, own in _UPSAMPLED.items() if own is rule for dim in (1, 2, 3))
        for rule in (windows.nearest, windows.linear, windows.cubic)
    },
}  # fmt: skip

RULES: dict[str, Rule] = {name: rule for rule, names in _NAMES.items() for name in names.split()}
"""Rules by the name of the ATen operator."""


def rule_of(func: Any) -> Rule:
    """Return the rule of an operator: that of its name, elementwise if torch marks it so, or else `anything`."""
    if getattr(func, "namespace", "") == "aten" and (rule := RULES.get(func._schema.name.removeprefix("aten::"))):
        return rule
    return elementwise if torch.Tag.pointwise in getattr(func, "tags", ()) else anything
