"""The types of attributes. Each `Type` has a description, a Python type, a JSON Schema and a pandas dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from fxsummary.graph.records import TRUST, ModuleCall
from fxsummary.graph.spec import TensorSpec

NO_DEFAULT = object()
Fits = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a value.

    Attributes:
        what: description, for errors.
        hint: Python type.
        fits: returns whether a value has the type.
        schema: JSON Schema.
        column: dtype of a pandas column of such values; "" for structures.
    """

    what: str
    hint: Any
    fits: Fits
    schema: Mapping[str, object]
    column: str = ""

    @property
    def is_number(self) -> bool:
        """Whether tables align its values to the right."""
        return self.column in ("Int64", "Float64")


@dataclass(frozen=True, slots=True)
class Field:
    """A named value.

    Attributes:
        type: its type.
        description: its meaning.
        default: value if the field is missing; a field without a default is required.
        always: whether the field is written even if it has its default value.
    """

    type: Type
    description: str = ""
    default: Any = NO_DEFAULT
    always: bool = True

    @property
    def required(self) -> bool:
        """Whether the field must be present."""
        return self.always and not self.has_default

    @property
    def has_default(self) -> bool:
        """Whether the field has a default value."""
        return self.default is not NO_DEFAULT


def is_sizes(value: object) -> bool:
    """Return whether a value is a sequence of integers >= 0."""
    return isinstance(value, (tuple, list)) and all(type(item) is int and item >= 0 for item in value)


def _a(*kinds: type) -> Fits:
    """Return a test for values of these types; true and false are not numbers."""
    return lambda value: isinstance(value, kinds) and (type(value) is not bool or bool in kinds)


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and type(value) is not bool and value >= 0


_is_text = _a(str)


def every(what: str, item: Type) -> Type:
    """Return the type of a tuple whose items all have one type."""

    def fits(value: object) -> bool:
        return isinstance(value, tuple) and all(map(item.fits, value))

    hint: Any = item.hint
    return Type(what, tuple[hint, ...], fits, {"type": "array", "items": item.schema})


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def row(what: str, hint: Any, *columns: Type) -> Type:
    """Return the type of a tuple with items of these types."""

    def fits(value: object) -> bool:
        if not isinstance(value, tuple) or len(value) != len(columns):
            return False
        return all(column.fits(item) for column, item in zip(columns, value, strict=True))

    schemas = [column.schema for column in columns]
    return Type(what, hint, fits, {"type": "array", "prefixItems": schemas, "minItems": len(columns), "items": False})


def at_least(least: int) -> Type:
    """Return the type of integers of at least this."""
    what, schema = f"a whole number of at least {least}", {"type": "integer", "minimum": least}
    return Type(what, int, lambda value: _is_count(value) and value >= least, schema, "Int64")


def one_of(*names: str) -> Type:
    """Return a type with these strings as its only values."""
    return Type(f"one of {', '.join(names)}", str, lambda value: value in names, {"enum": list(names)}, "string")


def optional(type_: Type, what: str, schema: Mapping[str, object]) -> Type:
    """Return a type that also allows None."""
    return Type(what, type_.hint | None, lambda value: value is None or type_.fits(value), schema, type_.column)


_OR_NULL = {"type": ["string", "null"]}
_STRING, _COUNT = {"type": "string"}, _ref("count")

TEXT = Type("text", str, _is_text, _STRING, "string")
FLAG = Type("true or false", bool, _a(bool), {"type": "boolean"}, "boolean")
COUNT = Type("a whole number, not negative", int, _is_count, _COUNT, "Int64")
COUNT_OR_UNKNOWN = optional(COUNT, f"{COUNT.what}, or null if unknown", _ref("known"))
TIMES, COPIES = at_least(1), at_least(2)
NUMBER = Type("a number", float, _a(int, float), {"type": "number"}, "Float64")
NUMBER_OR_UNKNOWN = optional(NUMBER, "a number, or null if unknown", {"type": ["number", "null"]})
VALUE = Type("a value", Any, lambda value: True, _ref("value"))
TEXTS = replace(every("an array of texts", TEXT), schema=_ref("texts"))
SIZES = Type("an array of sizes", tuple[int, ...], lambda value: isinstance(value, tuple) and is_sizes(value), _STRING)
SHAPE = Type("an array of sizes, or null", SIZES.hint | None, optional(SIZES, "", {}).fits, _ref("shape"), "string")
SLOTS = Type("an array of argument positions", SIZES.hint, SIZES.fits, {"type": "array", "items": _COUNT})
DTYPE = optional(TEXT, "the name of a dtype, or null", _OR_NULL)
PATH = optional(TEXT, "the path of a module, or null", _OR_NULL)
NAME = optional(TEXT, "the name of a parameter, or null", _OR_NULL)
TENSOR = optional(
    Type("a tensor", TensorSpec, _a(TensorSpec), {}), "a tensor, or null", {"anyOf": [_ref("tensor"), {"type": "null"}]}
)
CALL = Type("the number of a call", int, _a(int), {"type": "integer"}, "Int64")  # negative for a pattern in `repeats`
STACK = every("an array of [path, type, call]", row("", ModuleCall, TEXT, TEXT, CALL))
COUNTS = every("an array of [dtype, number]", row("", tuple[str, int], TEXT, COUNT))
STORED = optional(COUNTS, "an array of [dtype, number], or null", {"anyOf": [COUNTS.schema, {"type": "null"}]})
PART = every("the path of a part", Type("", int | str, _a(int, str), {"type": ["integer", "string"]}))
PARTS = every("an array with the path of a part for each slot", PART)
TRUSTED = one_of(*TRUST)
