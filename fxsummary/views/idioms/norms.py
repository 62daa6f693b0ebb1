"""Norms that are written out: a value divided by the root of the mean or sum of its squares."""

from __future__ import annotations

from fxsummary.graph.labels import CASTS, base, operator_of
from fxsummary.views.idioms.operands import Operand, operands
from fxsummary.views.merger import Merger, is_plain

_LABELS = {"mean": "rms_norm", "sum": "l2_norm"}


def merge_norms(merger: Merger) -> None:
    """Merge ``x * rsqrt(mean(x²) + eps)`` or ``x / sqrt(...)``, with the product with a weight after it."""
    for end, data in merger.nodes():
        operator = _name(merger, end)
        if operator not in ("mul", "div") or not is_plain(data) or len(read := operands(merger.graph, end)) != 2:
            continue
        for x, (factor, _) in (read, read[::-1]) if operator == "mul" else (read,):
            if found := _norm(merger, end, x, factor):
                label, region = found
                region = _with_weight(merger, region, end)
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
        is_square = name == "square" or power == "pow 2" or (name == "mul" and operands(merger.graph, key) == [x, x])
        steps.append("root" if name in root or power in root else "square" if is_square else name)
        region.append(key)
        if is_square:
            break
        key = merger.graph.only_source(key)
    mean = next((step for step in steps if step in _LABELS), "")
    if [step for step in steps if step != "add"] != ["root", mean, "square"] or steps[-2:] != [mean, "square"]:
        return None
    whole, means = merger.node(end)["shape"], merger.node(region[-2])["shape"]
    fits = bool(whole) and whole is not None and means == (*whole[:-1], 1)
    return (_LABELS[mean], set(region)) if fits and set(operands(merger.graph, region[-1])) == {x} else None


def _with_weight(merger: Merger, region: set[str], end: str) -> set[str]:
    """Add the product with a weight that follows, and the cast before it."""
    graph, last = merger.graph, end
    below = list(graph.readers(last))
    if len(below) == 1 and base(merger.node(below[0])["label"]) in CASTS and is_plain(merger.node(below[0])):
        last = below[0]
        below = list(graph.readers(last))
    if len(below) != 1 or _name(merger, below[0]) != "mul" or not is_plain(merger.node(below[0])):
        return region
    others = [s for s in graph.sources(below[0]) if s != last]
    weight = merger.node(others[0]) if len(others) == 1 else {}
    if weight.get("op") != "get_attr" or not weight["parameter_names"] or len(weight["shape"] or ()) != 1:
        return region
    own = {others[0]} if list(graph.readers(others[0])) == below else set()
    return region | own | {last, below[0]}
