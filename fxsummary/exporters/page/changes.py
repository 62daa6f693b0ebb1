"""What changed in an operation or a module of a comparison, for the details of the page: old values and new ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fxsummary.graph.attributes import NODE, NodeData
from fxsummary.graph.changes import BECAME, Difference
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import leaves
from fxsummary.text import numbers as fmt

ARROW = "→"
_LONGEST = 300


def _specs(outputs: Any) -> str:
    return ", ".join(map(str, leaves(outputs))) or fmt.UNKNOWN


_TEXTS: dict[str, tuple[str, str, Callable[[Any], str]]] = {
    "outputs": ("Output", ARROW, _specs),
    "inputs": ("Inputs", BECAME, ", ".join),
    "label": ("Operation", BECAME, str),
    "config": ("Configuration", BECAME, str),
    "arguments": ("Call", BECAME, "({})".format),
    "parameter_dtypes": ("Stored as", ARROW, lambda pairs: " and ".join(dict(pairs)) or "none"),
}
"""Title, sign and format of the attributes that are no numbers."""


def change_of(data: NodeData) -> dict[str, object]:
    """Return the change of an operation, its old path, and its old and new values; nothing outside of a comparison."""
    if "change" not in data:
        return {}
    changes = [row for each in data["differences"] if (row := _row(each))]
    return {"change": data["change"], "was": data["was"], "changes": changes}


def changes_of_modules(graph: ModelGraph) -> dict[str, dict[str, object]]:
    """Return the changes of the modules of a comparison by path, for the first call of each."""
    compared = graph.comparison
    if compared is None:
        return {}
    found: dict[str, dict[str, object]] = {}
    for each in compared.modules:
        named = [["Class", fmt.shorten(each.type, _LONGEST)]] if BECAME in each.type else []
        costs = [Difference("parameters", *each.parameters), Difference("flops", *each.flops)]
        rows = [row for cost in costs if cost.before != cost.after and (row := _row(cost))]
        found.setdefault(each.path, {"change": each.change, "was": each.was, "changes": [*named, *rows]})
    return found


def _row(difference: Difference) -> list[str] | None:
    """Return the title of an attribute with its old and new value; None if it has no title or both look alike."""
    name, *values = difference
    attribute = NODE.get(name)
    if name in _TEXTS:
        title, sign, text = _TEXTS[name]
    elif attribute is not None and attribute.title and attribute.type.is_number:
        title, sign, text = attribute.title, ARROW, attribute.exact or attribute.text
    else:
        return None
    old, new = (fmt.UNKNOWN if value is None else fmt.shorten(text(value), _LONGEST) or "none" for value in values)
    return [title, f"{old} {sign} {new}"] if old != new else None
