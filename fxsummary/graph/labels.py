"""The vocabulary of labels: the kind of each operation, and families of labels for views, lint rules and pictures.

A label is the name of the called class (``Conv2d``), function (``conv2d``) or method (``add_``). Families contain base
names, without the ``_`` of in-place operations: write ``base(label) in VIEWS``.

>>> kind_of("call_module", "Conv2d"), kind_of("call_method", "view"), kind_of("call_function", "__radd__")
('convolution', 'reshape', 'arithmetic')
>>> base("Flatten") in VIEWS, base("squeeze_") in VIEWS, operator_of("iadd")
(True, True, 'add')
"""

from __future__ import annotations

import re
from functools import cache

KINDS = (
    "convolution", "linear", "attention", "norm", "activation", "pool", "embedding", "recurrent",
    "arithmetic", "reshape", "input", "output", "parameter", "other",
)  # fmt: skip
"""All kinds, in legend order."""

PRODUCTS = frozenset({"convolution", "linear", "attention", "recurrent"})
"""Kinds of the matrix-product family, whose FLOPs are counted."""
FREE = frozenset(KINDS) - PRODUCTS - {"other"}
"""Kinds with 0 FLOPs by convention, whatever their shapes."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


RESHAPES = _names("view view_as reshape reshape_as flatten unflatten squeeze unsqueeze expand expand_as")
"""Views that keep the order of the elements: if the shape is unchanged, so is the value."""
PERMUTATIONS = _names("transpose permute t mt swapaxes swapdims movedim")
VIEWS = RESHAPES | PERMUTATIONS
CASTS = _names("to type type_as float half bfloat16 double")
LIKE_ANOTHER = frozenset(name for name in RESHAPES | CASTS if name.endswith("_as"))
"""Operations that read only the shape or dtype of their second argument."""
EXPANSIONS = VIEWS | {"repeat"}
"""Operations that adapt a parameter to its reader; views merge them into the parameter."""
IDENTITIES = _names("identity contiguous detach clone alias checkpoint_name")

CONCATENATIONS = _names("cat concat concatenate")
JOINS = CONCATENATIONS | _names("stack hstack vstack")
PARTS = _names("index chunk split split_with_sizes tensor_split unbind narrow select slice")
PLUMBING = VIEWS | JOINS | PARTS
"""Operations that rearrange values and compute nothing."""

DROPOUTS = _names(
    "dropout dropout1d dropout2d dropout3d feature_dropout alphadropout alpha_dropout featurealphadropout "
    "feature_alpha_dropout"
)
PATH_DROPS = _names("droppath drop_path stochasticdepth stochastic_depth")
"""Layers that drop whole samples; like dropout, they are identities at inference."""
DROPS = DROPOUTS | PATH_DROPS

OPERATORS = _names("add sub mul div truediv floordiv mod pow neg abs and or xor invert lshift rshift")
"""Python's arithmetic operators, by their names in the `operator` module."""

VALUE_READS = _names("item tolist nonzero unique bincount multinomial numpy")
"""Operations whose result or output shape depends on the values of a tensor."""
NO_TENSOR = _names("size dim numel len _assert is_floating_point get_device")
"""Operations that never return a tensor, even if their result is unknown."""
TENSOR_ATTRIBUTES = frozenset({"T", "mT", "H", "mH", "data", "real", "imag"})
"""Tensor attributes that are tensors themselves, as spelled in Python."""
WRITES = _names("setitem _assert index_put iadd isub imul")
"""Operations that are called for a side effect (a write or an assertion) although their names do not end in ``_``."""

_BY_KIND = {
    "norm": _names("normalize crossmaplrn2d"),
    "attention": _names("sdpa transformer"),
    "convolution": _names("unfold fold"),
    "linear": _names(
        "matmul bmm mm mv dot vdot inner outer ger addmm addbmm baddbmm addmv einsum tensordot chain_matmul multi_dot "
        "kron cdist __matmul__ __rmatmul__ _grouped_mm grouped_mm"
    ),
    "recurrent": _names(
        "lstm gru rnn lstmcell grucell rnncell rnnbase rnncellbase lstm_cell gru_cell rnn_tanh rnn_relu rnn_tanh_cell "
        "rnn_relu_cell"
    ),
    "pool": _names("interpolate grid_sample pixelshuffle pixel_shuffle pixelunshuffle pixel_unshuffle"),
    "embedding": _names("one_hot"),
    "activation": _names(
        "relu relu6 gelu silu swish sigmoid tanh softmax softmax1d softmax2d logsoftmax log_softmax logsigmoid "
        "log_sigmoid softmin leakyrelu leaky_relu prelu rrelu elu selu celu glu mish hardswish hardsigmoid hardtanh "
        "hardshrink softplus softshrink softsign tanhshrink threshold gumbel_softmax"
    ),
    "reshape": VIEWS | CASTS | PARTS | IDENTITIES | DROPS | _names(
        "getitem setitem getattr size shape dim numel long int bool cpu cuda repeat repeat_interleave tile moveaxis "
        "roll flip rot90 ravel index_select gather take_along_dim as_strided view_as_real view_as_complex pad "
        "channelshuffle convert_element_type"
    ),
    "arithmetic": OPERATORS | JOINS | _names(
        "sum mean prod std var max min amax amin argmax argmin any all where rsqrt sqrt square exp expm1 log log2 "
        "log10 log1p sin cos tan atan atan2 diff cumsum cumprod topk sort argsort tril triu lerp addcmul addcdiv "
        "reciprocal sign floor ceil round erf eq ne lt le gt ge maximum minimum logsumexp clamp clip clamp_min "
        "clamp_max scatter scatter_add index_add index_put masked_fill masked_select masked_scatter isnan "
        "nan_to_num float_power remainder fmod floor_divide true_divide multiply subtract divide negative absolute "
        "rsub bitwise_and bitwise_or bitwise_xor bitwise_not logical_and logical_or logical_xor logical_not"
    ),
}  # fmt: skip
_KIND_OF = {name: kind for kind, names in _BY_KIND.items() for name in names}
_PATTERNS = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("norm", r".*norm(act)?\d?d?|(lazy|sync)?(batch|layer|group|instance)norm.*"),
        ("attention", r".*attention.*|transformer.*(layer|encoder|decoder)"),
        ("pool", r".*pool.*|upsampl(e|ing).*"),
        ("convolution", r"(lazy)?conv.*|.*conv(transpose)?[123]d.*|deform_conv.*"),
        ("linear", r"(lazy)?linear.*|.*linear"),
        ("embedding", r".*embedding(_?bag)?"),
        ("activation", r".*activation"),
        ("reshape", r".*pad[123]d"),
    )
)
"""Patterns for open families of names, such as ``RMSNorm`` or ``FrozenBatchNorm2d`` of other libraries."""
_OF_OP = {"placeholder": "input", "output": "output", "get_attr": "parameter"}

_LAYERS = _names(
    "Flatten Unflatten Permute Identity Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout "
    "DropPath StochasticDepth T mT"
)
"""Classes and attributes that do the same as the function of that name; a user's ``Stack`` may be anything."""
_BATCH_NORM = re.compile(r".*batch_?norm(act)?[123]?d?")
_INSTANCE_NORM = re.compile(r".*instance_?norm[123]?d?")
_RANDOM = re.compile(r"rand|normal|bernoulli|multinomial|dropout|drop_path|uniform")


@cache
def base(label: str) -> str:
    """Return the base name: without the ``_`` of in-place operations, and in lower case for torch layers.

    >>> base("Flatten"), base("squeeze_"), base("Stack")
    ('flatten', 'squeeze', 'Stack')
    """
    return (label.lower() if label in _LAYERS else label).rstrip("_")


@cache
def operator_of(label: str) -> str:
    """Return the operator that a label names: ``add`` for ``add``, ``add_``, ``iadd`` and ``__radd__``; "" if none.

    >>> operator_of("__rsub__"), operator_of("truediv"), operator_of("addmm"), operator_of("rand")
    ('sub', 'truediv', '', '')
    """
    name = label.strip("_")
    if name in OPERATORS:
        return name
    reflected = name[:1] == "i" or (name[:1] == "r" and label.startswith("__"))
    return name[1:] if reflected and name[1:] in OPERATORS else ""


@cache
def kind_of(op: str, label: str) -> str:
    """Return the kind of an operation, given its FX opcode and label."""
    if op in _OF_OP:
        return _OF_OP[op]
    name = label.lower().rstrip("_")
    if known := _KIND_OF.get(name) or _KIND_OF.get(operator_of(label)) or _KIND_OF.get(label.lower()):
        return known
    return next((kind for kind, pattern in _PATTERNS if pattern.fullmatch(name)), "other")


def is_batch_norm(label: str) -> bool:
    """Return whether a norm is a batch norm, including frozen ones and ones with a built-in activation."""
    return _BATCH_NORM.fullmatch(label.lower()) is not None


def is_instance_norm(label: str) -> bool:
    """Return whether a norm is an instance norm."""
    return _INSTANCE_NORM.fullmatch(label.lower()) is not None


def is_drop(label: str) -> bool:
    """Return whether an operation has a drop rate (which often depends on depth): `DROPS` and similar layers."""
    return "drop" in label.lower() or base(label) in DROPS


def is_random(label: str) -> bool:
    """Return whether an operation draws random numbers, so that two calls with the same arguments differ."""
    return _RANDOM.search(label.lower()) is not None


def writes(label: str) -> bool:
    """Return whether an operation is called for its side effect."""
    return label.endswith("_") or label in WRITES
