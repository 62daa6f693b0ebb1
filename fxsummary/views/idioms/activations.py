"""Activations that are written out in elementwise functions; the values that they compute show which one it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping

from fxsummary.graph.labels import CASTS, base, operator_of
from fxsummary.views.idioms.operands import operands
from fxsummary.views.merger import Merger, is_plain

Values = tuple[float, ...]
"""The results of an operation for the numbers in `_POINTS`."""

_MOST = 12
"""Number of operations that an activation consists of at most."""
_POINTS = (-2.25, -0.75, 0.5, 2.25)
_CLOSE = 2e-5
"""Relative difference of two values that count as equal; GELU and its approximation by tanh differ by more."""


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _softplus(x: float) -> float:
    return math.log1p(math.exp(x))


_ACTIVATIONS: dict[tuple[str, str], Callable[[float], float]] = {
    ("silu", ""): lambda x: x * _sigmoid(x),
    ("gelu", ""): lambda x: x / 2 * (1 + math.erf(x / math.sqrt(2))),
    ("gelu", "approximate=tanh"): lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ("quick_gelu", ""): lambda x: x * _sigmoid(1.702 * x),
    ("mish", ""): lambda x: x * math.tanh(_softplus(x)),
}
_KNOWN = {look: tuple([function(x) for x in _POINTS]) for look, function in _ACTIVATIONS.items()}
_SEEDS = frozenset({"sigmoid", "tanh", "erf"})
"""Functions that the activations above contain."""
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "sigmoid": _sigmoid, "tanh": math.tanh, "erf": math.erf, "exp": math.exp, "softplus": _softplus,
    "log1p": math.log1p, "neg": lambda x: -x, "square": lambda x: x * x,
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "div": lambda x, y: x / y,
    "truediv": lambda x, y: x / y, "pow": lambda x, y: x**y,
    **dict.fromkeys(CASTS, lambda x, *_: x),
}  # fmt: skip


def merge_activations(merger: Merger) -> None:
    """Merge the elementwise operations that compute an activation of one value."""
    for seed, _ in merger.nodes(_SEEDS):
        for x in list(_above(merger, seed)):
            if seed in merger.graph and (found := _activation(merger, seed, x)) is not None:
                region, (label, config) = found
                merger.merge(region, "operations of activations", label=label, config=config, kind="activation")
                break


def _above(merger: Merger, seed: str) -> Iterator[str]:
    """Yield the values that an operation may be a function of, nearest first."""
    found = [seed]
    for key in found:  # grows
        new = [s for s in merger.graph.sources(key) if s not in found] if is_plain(merger.node(key)) else []
        found += new
        yield from new
        if len(found) > _MOST:
            break


def _activation(merger: Merger, seed: str, x: str) -> tuple[set[str], tuple[str, str]] | None:
    """Return the operations of the activation of ``x`` that contains ``seed``, with its label and configuration."""
    values: dict[str, Values] = {x: _POINTS}
    pending = [x]
    stack = merger.node(seed)["module_stack"]
    for key in pending:  # grows
        readers = merger.graph.readers(key)
        for reader in sorted(readers, key=merger.order.__getitem__) if len(readers) <= _MOST else ():
            found = _value(merger, reader, values) if len(values) <= _MOST and reader not in values else None
            if found is None or merger.node(reader)["module_stack"] != stack:
                continue
            values[reader] = found
            pending.append(reader)
            look = next((look for look, known in _KNOWN.items() if _equal(known, found)), None)
            region = _between(merger, x, reader, values) if look else set()
            if look and seed in region:
                return region, look
    return None


def _value(merger: Merger, key: str, values: Mapping[str, Values]) -> Values | None:
    """Return the values of an elementwise operation; None if they are not known."""
    data, read = merger.node(key), operands(merger.graph, key)
    function = _FUNCTIONS.get(operator_of(data["label"]) or base(data["label"]))
    texts = data["arguments"].split(", ")
    known = all(source in values and not part for source, part in read) and texts.count("%") == len(read)
    if function is None or not known or not is_plain(data):
        return None
    left = [values[source] for source, _ in read]
    try:
        arguments = [left.pop(0) if text == "%" else (float(text),) * len(_POINTS) for text in texts]
        ordered = arguments[::-1] if data["label"].startswith("__r") else arguments
        return tuple([float(function(*each)) for each in zip(*ordered, strict=True)])
    except (ArithmeticError, TypeError, ValueError):  # a text that is no number, or an unusual call
        return None


def _equal(one: Values, other: Values) -> bool:
    return all(math.isclose(a, b, rel_tol=_CLOSE) for a, b in zip(one, other, strict=True))


def _between(merger: Merger, x: str, end: str, known: Collection[str]) -> set[str]:
    """Return the operations between x and ``end``; empty if something else reads one of them."""
    region, pending = {end}, [end]
    for key in pending:  # grows
        inner = [s for s in merger.graph.sources(key) if s in known and s != x and s not in region]
        region.update(inner)
        pending += inner
    return region if all(region.issuperset(merger.graph.readers(key)) for key in region - {end}) else set()
