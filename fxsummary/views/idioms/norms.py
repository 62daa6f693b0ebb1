"""Norms that are written out: a value divided by the root of the mean or sum of its squares.

In a layer norm, the value is less its mean.
"""

from __future__ import annotations

from fxsummary.graph.labels import CASTS, VIEWS, base, operator_of
from fxsummary.views.idioms.operands import Operand, operands
from fxsummary.views.merger import Merger, is_plain

_LABELS = {"mean": "rms_norm", "sum": "l2_norm"}
_OF_ALL = ("unbiased=False", "correction=0", "False")
"""Settings of a variance that divides by the number of elements, as that of a layer norm does."""


def merge_norms(merger: Merger) -> None:
    """Merge ``x * rsqrt(mean(x²) + eps)`` or ``x / sqrt(...)``, also of ``x - mean(x)``, with weight and bias."""
    for end, data in merger.nodes():
        operator = _name(merger, end)
        if operator not in ("mul", "div") or not is_plain(data) or len(read := operands(merger.graph, end)) != 2:
            continue
        for x, (factor, _) in (read, read[::-1]) if operator == "mul" else (read,):
            if found := _norm(merger, end, x, factor):
                label, region = found
                last, region = _with_parameter(merger, region, end, "mul")
                if label == "layer_norm":
                    _, region = _with_parameter(merger, region, last, "add")
                merger.merge(region, "operations of norms", label=label, kind="norm")
                break


def _name(merger: Merger, key: str) -> str:
    """Return the operator or function of an operation, without the number of a power."""
    label = merger.node(key)["label"]
    name = operator_of(label) or base(label)
    return "div" if name == "truediv" else name


def _norm(merger: Merger, end: str, x: Operand, factor: str) -> tuple[str, set[str]] | None:
    """Return the label and the operations of the norm that ends with ``x * factor`` or ``x / factor``."""
    root = ("rsqrt", "pow -0.5") if _name(merger, end) == "mul" else ("sqrt", "pow 0.5")
    steps: list[str] = []
    key: str | None = factor
    region = [end]
    while key is not None and list(merger.graph.readers(key)) == [region[-1]] and is_plain(merger.node(key)):
        name = _name(merger, key)
        power = f"{name} {merger.node(key)['config']}"
        is_square = (
            name == "square" or power == "pow 2" or (name == "mul" and len(set(operands(merger.graph, key))) == 1)
        )
        steps.append("root" if name in root or power in root else "square" if is_square else name)
        region.append(key)
        if is_square or name == "var":
            break
        key = merger.graph.only_source(key)
    kinds = [step for step in steps if step != "add"]
    if kinds == ["root", "var"] and steps[-1] == "var":
        return _layer_norm(merger, x, region)
    mean = next((step for step in steps if step in _LABELS), "")
    if kinds != ["root", mean, "square"] or steps[-2:] != [mean, "square"]:
        return None
    squared = operands(merger.graph, region[-1])[0]
    if mean == "mean" and _centred(merger, x) and _centred(merger, x) == _centred(merger, squared):
        return _layer_norm(merger, x, region)
    whole, means = merger.node(end)["shape"], merger.node(region[-2])["shape"]
    fits = bool(whole) and whole is not None and means == (*whole[:-1], 1)
    return (_LABELS[mean], set(region)) if fits and squared == x else None


def _centred(merger: Merger, x: Operand) -> tuple[Operand, str] | None:
    """Return the value and its mean if an operand is a value less its mean, else None."""
    if x[1] or _name(merger, x[0]) != "sub" or not is_plain(merger.node(x[0])):
        return None
    read = operands(merger.graph, x[0])
    if len(read) != 2 or _name(merger, mean := read[1][0]) != "mean" or not is_plain(merger.node(mean)):
        return None
    return (read[0], mean) if operands(merger.graph, mean) == [read[0]] else None


def _layer_norm(merger: Merger, x: Operand, region: list[str]) -> tuple[str, set[str]] | None:
    """Return the label and the operations of a layer norm of one dimension; None if something else reads a step."""
    if (found := _centred(merger, x)) is None:
        return None
    value, mean = found
    spread = region[-1] if _name(merger, region[-1]) == "var" else region[-2]
    inside = {*region, mean, *merger.graph.readers(mean)}
    if spread == region[-1]:
        of_all = any(setting in merger.node(spread)["arguments"].split(", ") for setting in _OF_ALL)
        if not of_all or operands(merger.graph, spread) != [value]:
            return None
    whole, means = (merger.node(key)["shape"] or () for key in (x[0], mean))
    alike = (
        means == merger.node(spread)["shape"] and len(whole) == len(means) and sum(map(int.__ne__, whole, means)) == 1
    )
    alone = all(inside.issuperset(merger.graph.readers(key)) for key in inside - {region[0]})
    return ("layer_norm", inside) if alike and alone and whole[0] == means[0] else None


def _with_parameter(merger: Merger, region: set[str], end: str, name: str) -> tuple[str, set[str]]:
    """Add the product with a weight or the sum with a bias that follows, and the cast before it."""
    graph, last = merger.graph, end
    below = list(graph.readers(last))
    if len(below) == 1 and base(merger.node(below[0])["label"]) in CASTS and is_plain(merger.node(below[0])):
        last = below[0]
        below = list(graph.readers(last))
    if len(below) != 1 or _name(merger, below[0]) != name or not is_plain(merger.node(below[0])):
        return end, region
    others = [s for s in graph.sources(below[0]) if s != last]
    if len(others) != 1 or not _is_vector(merger, others[0]):
        return end, region
    own = set(others) if list(graph.readers(others[0])) == below else set()
    return below[0], region | own | {last, below[0]}


def _is_vector(merger: Merger, key: str) -> bool:
    """Return whether an operation is a parameter of one dimension, or a view of one such as ``weight[:, None]``."""
    data = merger.node(key)
    is_view = base(data["label"]) in VIEWS | {"index"} and not merger.graph.sources(key)
    is_one = sum(size != 1 for size in data["shape"] or (0, 0)) <= 1
    return (data["op"] == "get_attr" or is_view) and bool(data["parameter_names"]) and is_one
