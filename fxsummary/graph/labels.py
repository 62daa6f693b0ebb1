"""The vocabulary of labels: the kind of each operation, and the families that views, lint rules and pictures ask for.

A label is the name of what is called: a class (``Conv2d``), a function (``conv2d``) or a method (``add_``). Families
hold base names, without the ``_`` of operations that work in place. Ask for ``base(label) in VIEWS``.

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
"""All kinds, in the order in which a legend lists them."""

PRODUCTS = frozenset({"convolution", "linear", "attention", "recurrent"})
"""Kinds of the matrix-product family, whose FLOPs are counted."""
FREE = frozenset(KINDS) - PRODUCTS - {"other"}
"""Kinds that have no FLOPs by the convention, whatever their shapes."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


RESHAPES = _names("view view_as reshape reshape_as flatten unflatten squeeze unsqueeze expand expand_as")
"""They keep the order of the elements: if the shape is the same, so is the value."""
PERMUTATIONS = _names("transpose permute t mt swapaxes swapdims movedim")
VIEWS = RESHAPES | PERMUTATIONS
CASTS = _names("to type type_as float half bfloat16 double")
LIKE_ANOTHER = frozenset(name for name in RESHAPES | CASTS if name.endswith("_as"))
"""Their second argument gives only a shape or a dtype."""
EXPANSIONS = RESHAPES | {"repeat"}
"""What fits a parameter to its reader, and belongs to the parameter then."""
IDENTITIES = _names("identity contiguous detach clone alias checkpoint_name")

CONCATENATIONS = _names("cat concat concatenate")
JOINS = CONCATENATIONS | _names("stack hstack vstack")
PARTS = _names("index chunk split split_with_sizes tensor_split unbind narrow select slice")
PLUMBING = VIEWS | JOINS | PARTS
"""Operations that compute nothing: they arrange values."""

DROPOUTS = _names(
    "dropout dropout1d dropout2d dropout3d feature_dropout alphadropout alpha_dropout featurealphadropout "
    "feature_alpha_dropout"
)
PATH_DROPS = _names("droppath drop_path stochasticdepth stochastic_depth")
"""They drop whole samples, and are identities at inference like dropout."""
DROPS = DROPOUTS | PATH_DROPS

OPERATORS = _names("add sub mul div truediv floordiv mod pow neg abs and or xor invert lshift rshift")
"""Python's arithmetic, under the names of the module `operator`."""

VALUE_READS = _names("item tolist nonzero unique bincount multinomial numpy")
"""What they return, or its shape, depends on the values of a tensor."""
NO_TENSOR = _names("size dim numel len _assert is_floating_point get_device")
"""They return no tensor, also if what they return is not known."""
TENSOR_ATTRIBUTES = frozenset({"T", "mT", "H", "mH", "data", "real", "imag"})
"""Attributes of a tensor that are tensors, spelled as in Python."""
WRITES = _names("setitem _assert index_put iadd isub imul")
"""Operations without a ``_`` at the end that are called for what they write, or to stop."""

_BY_KIND = {
    "norm": _names("normalize crossmaplrn2d"),
    "attention": _names("sdpa transformer"),
    "convolution": _names("unfold fold"),
    "linear": _names(
        "matmul bmm mm mv dot vdot inner outer ger addmm addbmm baddbmm addmv einsum tensordot chain_matmul multi_dot "
        "kron cdist __matmul__ __rmatmul__"
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
"""For families of names that other libraries add to, such as ``RMSNorm`` or ``FrozenBatchNorm2d``."""
_OF_OP = {"placeholder": "input", "output": "output", "get_attr": "parameter"}

_LAYERS = _names(
    "Flatten Unflatten Permute Identity Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout "
    "DropPath StochasticDepth T mT"
)
"""Classes and attributes that do what a function of the same name does; a ``Stack`` of yours may be anything."""
_BATCH_NORM = re.compile(r".*batch_?norm(act)?[123]?d?")
_INSTANCE_NORM = re.compile(r".*instance_?norm[123]?d?")
_RANDOM = re.compile(r"rand|normal|bernoulli|multinomial|dropout|drop_path|uniform")


@cache
def base(label: str) -> str:
    """The base name: without the ``_`` of what works in place, and in lower case if it is a layer of torch.

    >>> base("Flatten"), base("squeeze_"), base("Stack")
    ('flatten', 'squeeze', 'Stack')
    """
    return (label.lower() if label in _LAYERS else label).rstrip("_")


@cache
def operator_of(label: str) -> str:
    """The operator that a label spells: ``add`` for ``add``, ``add_``, ``iadd`` and ``__radd__``; "" if it is none.

    >>> operator_of("__rsub__"), operator_of("truediv"), operator_of("addmm"), operator_of("rand")
    ('sub', 'truediv', '', '')
    """
    name = label.strip("_")
    if name in OPERATORS:
        return name
    reflected = name[:1] == "i" or (name[:1] == "r" and label.startswith("__"))
    return name[1:] if reflected and name[1:] in OPERATORS else ""


def kind_of(op: str, label: str) -> str:
    """Kind of an operation from its FX opcode and its label."""
    return _OF_OP.get(op) or _kind_of(label)


@cache
def _kind_of(label: str) -> str:
    name = label.lower().rstrip("_")
    if known := _KIND_OF.get(name) or _KIND_OF.get(operator_of(label)) or _KIND_OF.get(label.lower()):
        return known
    return next((kind for kind, pattern in _PATTERNS if pattern.fullmatch(name)), "other")


def is_batch_norm(label: str) -> bool:
    """Whether a norm is a batch norm, frozen or with an activation in it or not."""
    return _BATCH_NORM.fullmatch(label.lower()) is not None


def is_instance_norm(label: str) -> bool:
    """Whether a norm is an instance norm."""
    return _INSTANCE_NORM.fullmatch(label.lower()) is not None


def is_drop(label: str) -> bool:
    """Whether an operation drops values at a rate, which often depends on the depth: all of `DROPS`, and others."""
    return "drop" in label.lower() or base(label) in DROPS


def is_random(label: str) -> bool:
    """Whether an operation draws random numbers, so that two calls with the same arguments differ."""
    return _RANDOM.search(label.lower()) is not None


def writes(label: str) -> bool:
    """Whether an operation is called for what it writes."""
    return label.endswith("_") or label in WRITES
