"""What a saved graph holds beside operations and values: modules, parameters, calls; and fields as JSON and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fxsummary.graph import fields as of
from fxsummary.graph.fields import NO_DEFAULT, Field
from fxsummary.graph.saved.values import WrongValueError, expected, load_value, save_value

CALL = {
    "path": Field(of.TEXT),
    "type": Field(of.TEXT),
    "call": Field(of.COUNT, default=0),
    "outputs": Field(of.VALUE, default=None),
    "assumed": Field(of.FLAG, default=False),
}
"""Of a call of a module, and of what it returned."""

MODULE = {
    "path": Field(of.TEXT),
    "type": Field(of.TEXT),
    "config": Field(of.TEXT, default=""),
    "children": Field(of.TEXTS, default=()),
    "shared_with": Field(of.PATH, default=None),
    "called": Field(of.FLAG, default=True),
    "training": Field(of.FLAG, default=False),
}
"""Of a module, beside its parameters."""

PARAMETER = {
    "name": Field(of.TEXT),
    "spec": Field(of.TENSOR),
    "trainable": Field(of.FLAG, default=False),
    "buffer": Field(of.FLAG, default=False),
    "tied_to": Field(of.NAME, default=None),
    "read": Field(of.FLAG, default=True),
    "stored_bytes": Field(of.COUNT_OR_UNKNOWN, default=None),
}
"""Of a parameter or buffer."""

GRAPH = {
    "name": Field(of.TEXT, "Class name of the model."),
    "captured_by": Field(
        replace(of.TEXT, schema={"enum": ["symbolic", "recorded", "exported", "modules"]}),
        'How the graph was captured; "modules" has no dataflow.',
    ),
    "inputs_inferred": Field(of.FLAG),
    "is_partial": Field(of.FLAG, "Whether the graph ends before forward does."),
    "notes": Field(of.TEXTS),
    "output_spec": Field(of.VALUE),
}
"""Of the graph; each may be left out."""


def save_fields(data: Mapping[str, Any], fields: Mapping[str, Field], place: str) -> dict[str, Any]:
    """Attributes as JSON: those of the table in its order, without defaults, then all others by name.

    Raises:
        WrongValueError: one is missing, or is not what the table says.
    """
    saved = {}
    for name, field in fields.items():
        value = data.get(name, NO_DEFAULT)
        if value is NO_DEFAULT:
            if field.required:
                raise WrongValueError(place, f"the attribute {name!r} is missing")
            continue
        default = field.default
        if type(value) is type(default) and value == default and field.always:
            continue
        if not field.type.fits(value):
            raise expected(field.type.what, value, f"{place}.{name}")
        saved[name] = save_value(value, f"{place}.{name}")
    for name in sorted(data.keys() - fields.keys()):
        saved[name] = save_value(data[name], f"{place}.{name}")
    return saved


def load_fields(
    raw: Any, fields: Mapping[str, Field], place: str, without: Iterable[str] = (), more: bool = True
) -> dict[str, Any]:
    """Attributes from JSON; those left out get their defaults.

    Args:
        without: keys of the object that are no attributes.
        more: whether attributes beyond the table may be there.
    """
    loaded: dict[str, Any] = {}
    for name, field in fields.items():
        if name in raw:
            loaded[name] = load_field(raw[name], field, f"{place}.{name}")
        elif field.required:
            raise WrongValueError(place, f"{name!r} is missing: expected {field.type.what}")
        elif field.always:
            loaded[name] = field.default
    for name in raw.keys() - fields.keys() - set(without):
        if not more:
            raise WrongValueError(place, f"unknown {name!r}; known are {', '.join(fields)}")
    loaded |= {name: load_value(raw[name], f"{place}.{name}") for name in raw if name not in {*fields, *without}}
    return loaded


def load_field(raw: Any, field: Field, place: str) -> Any:
    """One attribute from JSON."""
    value = load_value(raw, place)
    if not field.type.fits(value):
        raise expected(field.type.what, raw, place)
    return value
