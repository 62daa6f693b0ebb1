"""The kind of each operation, by the standard name of what is called.

>>> kind_of("call_module", "Conv2d"), kind_of("call_method", "view"), kind_of("call_function", "add")
('convolution', 'reshape', 'arithmetic')
"""

from __future__ import annotations

import re

from fxsummary.graph.modelgraph import ModelGraph

KINDS = (
    "convolution", "linear", "attention", "norm", "activation", "pool", "embedding", "recurrent",
    "arithmetic", "reshape", "input", "output", "parameter", "other",
)  # fmt: skip
"""All kinds, in the order in which a legend lists them."""

_BY_OP = {"placeholder": "input", "output": "output", "get_attr": "parameter"}

_PATTERNS = (
    ("norm", r".*(batch|layer|group|instance|local_response|rms|cross_map_lrn|)_?norm(\d?d)?|.*norm|"
             r"(lazy|sync)?(batch|layer|group|instance)norm.*|.*norm(act)?\d?d?|normalize|crossmaplrn2d"),
    ("attention", r".*attention.*|sdpa|transformer.*(layer|encoder|decoder)|transformer|flex_attention"),
    ("convolution", r"(lazy)?conv.*|.*conv(transpose)?[123]d.*|deform_conv.*|unfold|fold"),
    ("linear", r"(lazy)?linear.*|.*linear|bilinear|matmul|bmm|mm|mv|dot|vdot|inner|outer|ger|addmm|addbmm|baddbmm|"
               r"addmv|einsum|tensordot|chain_matmul|multi_dot|kron|cdist|__r?matmul__"),
    ("recurrent", r"(lstm|gru|rnn)(cell|_cell|base)?(_tanh|_relu)?|rnn_(tanh|relu)(_cell)?"),
    ("pool", r".*pool(ing)?\d?d?.*|upsampl(e|ing).*|interpolate|grid_sample|pixel_?(un)?shuffle"),
    ("embedding", r".*embedding(bag|_bag)?|one_hot"),
    ("activation", r"(relu6?|gelu|silu|swish|sigmoid|tanh|softmax[12]?d?|log_softmax|log_?sigmoid|log_?softmax|softmin|"
                   r"leaky_?relu|prelu|rrelu|elu|selu|celu|glu|mish|hard(swish|sigmoid|tanh|shrink)|soft(plus|shrink|sign)|"
                   r"tanhshrink|threshold|gumbel_softmax|.*activation)_?"),
    ("reshape", r"(view|view_as|reshape|reshape_as|transpose|permute|flatten|unflatten|unsqueeze|squeeze|expand|"
                r"expand_as|contiguous|split|split_with_sizes|tensor_split|chunk|getitem|to|type|type_as|float|half|"
                r"bfloat16|double|long|int|bool|unbind|repeat|repeat_interleave|tile|t|swapaxes|swapdims|movedim|moveaxis|"
                r"roll|flip|narrow|select|index_select|gather|take_along_dim|ravel|squeeze|rot90|view_as_real|"
                r"view_as_complex|as_strided|unfold|pad|.*pad[123]d|channelshuffle|identity|detach|clone|cpu|cuda|"
                r"slice|index|alias|dropout[123]?d?|alpha_?dropout|feature_?(alpha_)?dropout|stochastic_depth|getattr|size|shape|dim|"
                r"numel|setitem)_?"),
    ("arithmetic", r"_{0,2}i?r?(add|sub|mul|div|truediv|floordiv|mod|pow|neg|abs|and|or|xor|invert|lshift|rshift)"
                   r"_{0,2}|(cat|concat|concatenate|stack|hstack|vstack|sum|mean|prod|std|var|max|min|amax|amin|argmax|argmin|"
                   r"rsqrt|sqrt|square|exp|expm1|log|log2|log10|log1p|sin|cos|tan|atan2?|where|any|all|diff|bitwise_(and|or|xor|not)|masked_fill|clamp|clip|"
                   r"clamp_(min|max)|cumsum|cumprod|topk|sort|argsort|tril|triu|lerp|addcmul|addcdiv|reciprocal|sign|"
                   r"floor|ceil|round|erf|eq|ne|lt|le|gt|ge|logical_(and|or|not|xor)|maximum|minimum|norm|logsumexp|"
                   r"scatter|scatter_add|index_add|index_put|masked_select|masked_scatter|isnan|nan_to_num|outer|float_power|remainder|fmod|floor_divide|true_divide|multiply|subtract|divide|negative|absolute|rsub)_?"),
)  # fmt: skip
_COMPILED = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _PATTERNS)


def kind_of(op: str, label: str) -> str:
    """Kind of an operation from its FX opcode and its label (class, function or method name)."""
    if op in _BY_OP:
        return _BY_OP[op]
    known = _known.get(label)
    if known is None:
        known = _known[label] = next((kind for kind, pattern in _COMPILED if pattern.fullmatch(label)), "other")
    return known


_known: dict[str, str] = {}


def annotate(graph: ModelGraph) -> None:
    """Set `kind` on every node."""
    for _, data in graph.nodes(data=True):
        data["kind"] = "reshape" if data["target"].endswith(".getattr") else kind_of(data["op"], data["label"])
