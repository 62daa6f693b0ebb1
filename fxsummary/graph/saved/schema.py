"""Tables of the fields of a saved graph, and the JSON Schema made from them for other programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from inspect import Parameter, signature

from fxsummary.graph import fields as of
from fxsummary.graph.attributes import EDGE, NODE
from fxsummary.graph.fields import Field
from fxsummary.graph.memory import STORAGE_KINDS, Alive, Memory, Storage
from fxsummary.graph.records import ModuleCall, ModuleInfo, ParameterInfo, Returned
from fxsummary.graph.saved.folded import REPEAT, TABLES

VERSION = 1
"""Format version; increased when readers of the previous version would misunderstand a file."""


def _fields(record: type, **types: of.Type) -> dict[str, Field]:
    """Return fields for attributes of a record, with its defaults."""
    own = signature(record).parameters
    known = {name: own[name].default for name in types if own[name].default is not Parameter.empty}
    return {name: Field(type_, default=known.get(name, of.NO_DEFAULT)) for name, type_ in types.items()}


CALL = {
    **_fields(ModuleCall, path=of.TEXT, type=of.TEXT, call=of.COUNT),
    "outputs": Field(of.VALUE, default=None),
    **_fields(Returned, **dict.fromkeys(Returned._fields[1:], of.VALUE) | {"assumed": of.FLAG}),
}
"""Fields of a module call and its result."""

MODULE = _fields(
    ModuleInfo, path=of.TEXT, type=of.TEXT, config=of.TEXT, children=of.TEXTS, shared_with=of.PATH, called=of.FLAG,
    training=of.FLAG,
)  # fmt: skip
"""Fields of a module, apart from its parameters."""

PARAMETER = _fields(
    ParameterInfo, name=of.TEXT, spec=of.TENSOR, trainable=of.FLAG, buffer=of.FLAG, tied_to=of.NAME, read=of.FLAG,
    stored=of.STORED, part_of=of.NAME, nonzero=of.COUNT_OR_UNKNOWN,
)  # fmt: skip
"""Fields of a parameter or buffer."""

ALIVE = _fields(
    Alive,
    nbytes=of.COUNT,
    operation=of.TEXT,
    name=of.TEXT,
    shape=of.SHAPE,
    reason=of.TEXT,
    is_held=of.FLAG,
    is_returned=of.FLAG,
)
"""Fields of memory in use at the peak."""

MEMORY = _fields(
    Memory, weights=of.COUNT_OR_UNKNOWN, buffers=of.COUNT, inputs=of.COUNT, outputs=of.COUNT, peak=of.COUNT,
    at=of.TEXT, name=of.TEXT, inside=of.COUNT, peak_at_last_use=of.COUNT, at_last_use=of.TEXT, timeline=of.SLOTS,
    held=of.SLOTS, outliving=of.SLOTS, workspaces=of.SLOTS, operations=of.TEXTS, modules=of.TEXTS, unknown=of.TEXTS,
    is_recorded=of.FLAG, is_assumed=of.FLAG,
)  # fmt: skip
"""Fields of the memory of a forward pass, apart from what is in use at the peak."""

STORAGE = of.row(
    "[bytes, kind, born, last read, dies]", Storage, of.COUNT, of.one_of(*STORAGE_KINDS), of.TEXT, of.TEXT, of.TEXT
)
"""A storage: its size and kind, and the keys of operations."""

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
    "storages": Field(of.every(f"an array of {STORAGE.what}", STORAGE), "The memory of the values.", ()),
    "deaths_recorded": Field(of.FLAG, "Whether it is known when Python lets go of each value.", False),
}
"""Fields of the graph; all are optional."""


_TEXT, _COUNT, _VALUE = {"type": "string"}, {"$ref": "#/$defs/count"}, {"$ref": "#/$defs/value"}


def schema() -> dict[str, object]:
    """Return the format of saved graphs as JSON Schema (draft 2020-12), including attributes that you registered.

    >>> schema()["$defs"]["node"]["properties"]["flops"]
    {'$ref': '#/$defs/known', 'description': 'FLOPs of the matrix-product family (2 per multiply-accumulate); None if \
unknown', 'default': 0}
    """
    lists = {
        "modules": ("module", 'The module tree: first the model itself, "", and each module before its children.'),
        "calls": ("call", "What each call of a module that is no leaf returned."),
        "repeats": ("repeat", "In a folded graph: the runs of copies, each shown once."),
        "nodes": ("node", "The operations in execution order."),
        "edges": ("edge", "The values that flow, by the operation that reads them."),
    }
    fields = GRAPH | {name: table.field for name, table in TABLES.items()}
    head = {"format": {"const": "fxsummary"}, "version": {"const": VERSION}}
    arrays = {name: _array({"$ref": f"#/$defs/{item}"}, description=text) for name, (item, text) in lists.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:fxsummary:graph:{VERSION}",
        "title": f"A saved ModelGraph of fxsummary, version {VERSION}",
        "description": "An attribute that is left out has its default. There may be attributes beyond those listed; "
        "they hold values as in $defs/value.",
        "type": "object",
        "required": ["format", "version", "modules", "nodes", "edges"],
        "properties": head
        | {name: _field(field) for name, field in fields.items()}
        | {"memory": {"$ref": "#/$defs/memory"}}
        | arrays,
        "additionalProperties": _VALUE,
        "$defs": {
            "memory": _object(MEMORY, {"alive": _array({"$ref": "#/$defs/alive"})}, ("alive",)),
            "alive": _object(ALIVE),
            "module": _object(MODULE, {"parameters": _array({"$ref": "#/$defs/parameter"}, default=[])}),
            "parameter": _object(PARAMETER),
            "call": _object(CALL),
            "repeat": _object(REPEAT),
            "node": _object(NODE, {"key": _TEXT}, ("key",), more=True),
            "edge": _object(EDGE, {"from": _TEXT, "to": _TEXT}, ("from", "to"), more=True),
            **_values(),
        },
    }


def _object(
    fields: Mapping[str, Field], own: Mapping[str, object] = {}, needed: tuple[str, ...] = (), more: bool = False
) -> dict[str, object]:
    """Return the JSON Schema of an object with these fields and ``more`` properties; ``needed`` ones are required."""
    return {
        "type": "object",
        "required": [*needed, *(name for name, field in fields.items() if field.required)],
        "properties": {**own, **{name: _field(field) for name, field in fields.items()}},
        "additionalProperties": _VALUE if more else False,
    }


def _field(field: Field) -> dict[str, object]:
    described = {"description": field.description} if field.description else {}
    usual = list(field.default) if isinstance(field.default, tuple) else field.default
    return {**field.type.schema, **described, **({"default": usual} if field.has_default else {})}


def _array(items: Mapping[str, object], **more: object) -> dict[str, object]:
    return {"type": "array", "items": items, **more}


def _values() -> dict[str, object]:
    """Return the shared schemas, to which others refer; see `fxsummary.graph.saved.values`."""
    pair = _array(_VALUE, minItems=2, maxItems=2)
    tagged = {
        "list": _array(_VALUE),
        "dict": {"type": "object", "additionalProperties": _VALUE},
        "pairs": _array(pair, description="A dict with keys that are not text."),
        "float": {"enum": ["inf", "-inf", "nan"]},
        "complex": pair,
        "bytes": {"type": "string", "pattern": "^([0-9a-f]{2})*$"},
        "slice": _array(_VALUE, minItems=3, maxItems=3),
    }
    stride = "Left out: that of a contiguous tensor; null: a layout without strides."
    tensor = {
        "shape": _array(_COUNT),
        "dtype": _TEXT,
        "stride": {"type": ["array", "null"], "items": _COUNT, "description": stride},
        "device": {"type": "string", "default": "cpu"},
    }
    single = {"type": ["null", "boolean", "number", "string"]}
    return {
        "count": {"type": "integer", "minimum": 0},
        "known": {"type": ["integer", "null"], "minimum": 0, "description": "null: unknown."},
        "texts": _array(_TEXT),
        "shape": {"type": ["array", "null"], "items": _COUNT},
        "tensor": {
            "type": "object", "required": ["shape", "dtype"], "properties": tensor, "additionalProperties": False,
        },
        "value": {
            "description": "A Python value. An array is a tuple; other than numbers, texts, true, false and null are "
            "objects.",
            "anyOf": [single, _array(_VALUE), {"$ref": "#/$defs/tensor"}, {"$ref": "#/$defs/tagged"}],
        },
        "tagged": {
            "type": "object", "minProperties": 1, "maxProperties": 1, "properties": tagged,
            "additionalProperties": False,
        },
    }  # fmt: skip
