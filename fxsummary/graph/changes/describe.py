"""The differences of an operation in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fxsummary.graph.attributes import NODE
from fxsummary.graph.changes.records import Difference
from fxsummary.graph.spec import leaves
from fxsummary.text import numbers as fmt

BECAME = "⇒"
"""Between what was and what is; settings have → in them."""
LONGEST = 60
_SILENT = frozenset({*NODE.sums, "parameter_dtypes"}) - {"parameters"}
"""What is told by another difference, or by the columns of costs."""


def follows(data: Mapping[str, Any]) -> bool:
    """Whether an operation differs only in what follows from its inputs: the shape of its result, its FLOPs."""
    if data["change"] != "changed" or data["op"] == "placeholder" or not _shapes(data):
        return False
    return NODE.following.issuperset(each.attribute for each in data["differences"])


def _shapes(data: Mapping[str, Any]) -> bool:
    return any(each.attribute in ("outputs", "flops") for each in data["differences"])


def describe(data: Mapping[str, Any]) -> str:
    """What an operation is, and what is different of it.

    >>> relu = {"op": "call_module", "label": "ReLU", "config": "", "change": "added", "differences": (), "was": ""}
    >>> describe(relu), describe({**relu, "change": "changed", "differences": (Difference("label", "GELU", "ReLU"),)})
    ('ReLU', 'GELU ⇒ ReLU')
    """
    name = {"placeholder": "input", "get_attr": "parameter"}.get(data["op"], data["label"])
    if data["change"] != "changed":
        was = f" (was {data['was']})" if data["was"] and data["change"] == "moved" else ""
        return f"{name} {data['config']}".rstrip() + was
    found = {each.attribute: each for each in data["differences"]}
    texts = [_head(data, name, found)]
    if "outputs" in found and "config" not in found and "label" not in found:
        texts.append(_became(*map(_specs, found["outputs"][1:])))
    if "arguments" in found and len(found) == 1:
        texts.append(_became(*(f"({text})" for text in found["arguments"][1:])))
    if "inputs" in found:
        texts.append("reads " + _became(*(", ".join(names) for names in found["inputs"][1:])))
    if "parameter_dtypes" in found and (dtypes := _dtypes(found["parameter_dtypes"])):
        texts.append(dtypes)
    if "trainable_parameters" in found and "parameters" not in found:
        texts.append("trainable " + _became(*map(fmt.count, found["trainable_parameters"][1:])))
    if not set(found) - _SILENT and len(texts) == 1 and "buffers" in found:
        texts.append("buffers " + _became(*map(str, found["buffers"][1:])))
    for name in NODE.added:
        if name in found:
            values = (fmt.UNKNOWN if value is None else NODE[name].text(value) for value in found[name][1:])
            texts.append(f"{NODE[name].label} {_became(*values)}")
    if data["was"]:
        texts.append(f"(was {data['was']})")
    return f"{texts[0]}{': ' if len(texts) > 1 else ''}{', '.join(texts[1:])}"


def _head(data: Mapping[str, Any], name: str, found: Mapping[str, Difference]) -> str:
    if "label" in found:
        settings = found.get("config", Difference("", data["config"], data["config"]))
        label = found["label"]
        return _became(f"{label.before} {settings.before}".rstrip(), f"{label.after} {settings.after}".rstrip())
    if "config" in found:
        settings = found["config"]
        return f"{name} {_became(settings.before or 'none', settings.after or 'none')}"
    return f"{name} {data['config']}".rstrip()


def _became(was: str, now: str) -> str:
    return f"{fmt.shorten(was, LONGEST)} {BECAME} {fmt.shorten(now, LONGEST)}"


def _specs(outputs: Any) -> str:
    return ", ".join(str(spec) for spec in leaves(outputs)) or "?"


def _dtypes(difference: Difference) -> str:
    was, now = (" and ".join(dtype for dtype, _ in pairs) for pairs in difference[1:])
    return _became(was or "none", now or "none") if was != now else ""
