"""The attributes that a saved graph has: what each may hold, and its usual value, which is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fxsummary.graph.records import TRUST, ModuleCall
from fxsummary.graph.saved.values import WrongValueError, expected, is_sizes, load_value, save_value
from fxsummary.graph.spec import TensorSpec

_NO_USUAL = object()


@dataclass(frozen=True, slots=True)
class Field:
    """One attribute.

    Attributes:
        what: what it holds, for errors.
        fits: whether a value is that.
        usual: the value that stands for an attribute left out; if there is none, it must be there.
    """

    what: str
    fits: Callable[[Any], bool]
    usual: Any = _NO_USUAL

    @property
    def required(self) -> bool:
        """Whether it must be there."""
        return self.usual is _NO_USUAL


def save_fields(data: Mapping[str, Any], fields: Mapping[str, Field], place: str) -> dict[str, Any]:
    """Attributes as JSON: those of the table in its order, without usual values, then all others by name.

    Raises:
        WrongValueError: one is missing, or is not what the table says.
    """
    saved = {}
    for name, field in fields.items():
        if name not in data:
            if field.required:
                raise WrongValueError(place, f"the attribute {name!r} is missing")
            continue
        value = data[name]
        if not field.fits(value):
            raise expected(field.what, value, f"{place}.{name}")
        if field.required or value != field.usual or type(value) is not type(field.usual):
            saved[name] = save_value(value, f"{place}.{name}")
    for name in sorted(data.keys() - fields.keys()):
        saved[name] = save_value(data[name], f"{place}.{name}")
    return saved


def load_fields(
    raw: Any, fields: Mapping[str, Field], place: str, without: Iterable[str] = (), more: bool = True
) -> dict[str, Any]:
    """Attributes from JSON; those left out get their usual values.

    Args:
        without: keys of the object that are no attributes.
        more: whether attributes beyond the table may be there.
    """
    loaded: dict[str, Any] = {}
    for name, field in fields.items():
        if name in raw:
            loaded[name] = load_field(raw[name], field, f"{place}.{name}")
        elif field.required:
            raise WrongValueError(place, f"{name!r} is missing: expected {field.what}")
        else:
            loaded[name] = field.usual
    for name in raw.keys() - fields.keys() - set(without):
        if not more:
            raise WrongValueError(place, f"unknown {name!r}; known are {', '.join(fields)}")
    loaded |= {name: load_value(raw[name], f"{place}.{name}") for name in raw if name not in {*fields, *without}}
    return loaded


def load_field(raw: Any, field: Field, place: str) -> Any:
    """One attribute from JSON."""
    value = load_value(raw, place)
    if not field.fits(value):
        raise expected(field.what, raw, place)
    return value


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(is_text, value))


def is_stack(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(_is_call, value))


def _is_call(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 3 and is_texts(value[:2]) and is_count(value[2])


def stack_of(value: Iterable[tuple[Any, ...]]) -> tuple[ModuleCall, ...]:
    """A module stack from the triples that it was saved as."""
    return tuple([ModuleCall(*call) for call in value])


def _is_dtype_counts(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(pair, tuple) and len(pair) == 2 and is_text(pair[0]) and is_count(pair[1]) for pair in value
    )


def _or_unknown(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and is_sizes(value)


def _is_paths(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(path, tuple) and all(isinstance(step, (int, str)) for step in path) for path in value
    )


_FLAG = "true or false"
_COUNT = "a whole number, not negative"
_COUNT_OR_UNKNOWN = f"{_COUNT}, or null where it is not known"
_TEXTS = "an array of texts"

_TEXT = Field("text", is_text)
_SHAPE = Field("an array of sizes, or null", _or_unknown(_is_shape), None)
_DTYPE = Field("the name of a dtype, or null", _or_unknown(is_text), None)
_NUMBER = Field(_COUNT, is_count, 0)
_NUMBER_OR_UNKNOWN = Field(_COUNT_OR_UNKNOWN, _or_unknown(is_count), 0)

NODE: dict[str, Field] = {
    "op": _TEXT,
    "target": _TEXT,
    "kind": _TEXT,
    "module": _TEXT,
    "module_type": _TEXT,
    "module_stack": Field("an array of [path, type, call]", is_stack, ()),
    "label": _TEXT,
    "config": Field("text", is_text, ""),
    "arguments": Field("text", is_text, ""),
    "outputs": Field("a value", lambda value: True, None),
    "shape": _SHAPE,
    "dtype": _DTYPE,
    "reads": Field(_TEXTS, is_texts, ()),
    "parameters": _NUMBER_OR_UNKNOWN,
    "trainable_parameters": _NUMBER_OR_UNKNOWN,
    "parameter_names": Field(_TEXTS, is_texts, ()),
    "parameter_bytes": _NUMBER_OR_UNKNOWN,
    "parameter_dtypes": Field("an array of [dtype, number]", _is_dtype_counts, ()),
    "buffers": _NUMBER,
    "buffer_bytes": _NUMBER,
    "flops": _NUMBER_OR_UNKNOWN,
    "unknown_operators": Field(_TEXTS, is_texts, ()),
    "assumed": Field(_FLAG, is_flag, False),
    "trust": Field(f"one of {', '.join(TRUST)}", lambda value: value in TRUST, "exact"),
    "packed": Field(_FLAG, is_flag, False),
    "output_bytes": _NUMBER_OR_UNKNOWN,
    "source": Field("text", is_text, ""),
    "multiplicity": Field("a whole number of at least 1", lambda value: is_count(value) and value > 0, 1),
}
"""Of an operation."""

EDGE: dict[str, Field] = {
    "slots": Field("an array of argument positions", _is_shape, ()),
    "parts": Field("an array with the path of a part for each slot", _is_paths, ()),
    "shape": _SHAPE,
    "dtype": _DTYPE,
    "bytes": _NUMBER_OR_UNKNOWN,
}
"""Of a value that flows."""

CALL: dict[str, Field] = {
    "path": _TEXT,
    "type": _TEXT,
    "call": _NUMBER,
    "outputs": Field("a value", lambda value: True, None),
    "assumed": Field(_FLAG, is_flag, False),
}
"""Of a call of a module, and of what it returned."""

MODULE: dict[str, Field] = {
    "path": _TEXT,
    "type": _TEXT,
    "config": Field("text", is_text, ""),
    "children": Field(_TEXTS, is_texts, ()),
    "shared_with": Field("the path of a module, or null", _or_unknown(is_text), None),
    "called": Field(_FLAG, is_flag, True),
    "training": Field(_FLAG, is_flag, False),
}
"""Of a module, beside its parameters."""

PARAMETER: dict[str, Field] = {
    "name": _TEXT,
    "spec": Field("a tensor, or null", lambda value: value is None or isinstance(value, TensorSpec)),
    "trainable": Field(_FLAG, is_flag, False),
    "buffer": Field(_FLAG, is_flag, False),
    "tied_to": Field("the name of a parameter, or null", _or_unknown(is_text), None),
    "read": Field(_FLAG, is_flag, True),
    "stored_bytes": Field(_COUNT_OR_UNKNOWN, _or_unknown(is_count), None),
}
"""Of a parameter or buffer."""

GRAPH: dict[str, Field] = {
    "name": Field("text", is_text),
    "captured_by": Field("text", is_text),
    "inputs_inferred": Field(_FLAG, is_flag),
    "is_partial": Field(_FLAG, is_flag),
    "notes": Field(_TEXTS, is_texts),
    "output_spec": Field("a value", lambda value: True),
}
"""Of the graph; each may be left out."""
