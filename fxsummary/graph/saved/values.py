"""Convert values and fields to JSON and back. Values that JSON lacks (lists, dicts, infinity) are tagged objects.

An array is a tuple, because nearly all sequences in a graph are tuples. An object without a tag is a `TensorSpec`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fxsummary.graph.fields import NO_DEFAULT, Field, is_sizes
from fxsummary.graph.spec import TensorSpec, dense_stride


class WrongValueError(Exception):
    """Raised for a value that is not the expected one, with its place in the file, such as ``nodes[3].shape``."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}" if place else message)


def expected(what: str, found: object, place: str) -> WrongValueError:
    """Return the error for an unexpected value."""
    text = repr(found)
    return WrongValueError(place, f"expected {what}, found {text if len(text) <= 60 else text[:59] + '…'}")


def save_value(value: object, place: str = "") -> object:
    """Return a value as JSON data; raises WrongValueError if it is not plain.

    >>> save_value((1, [2.5], {"a": float("inf")}))
    [1, {'list': [2.5]}, {'dict': {'a': {'float': 'inf'}}}]
    >>> save_value(TensorSpec((2, 3), "float32", (3, 1)))
    {'shape': [2, 3], 'dtype': 'float32'}
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, TensorSpec):
        return _save_spec(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, tuple):
        return [save_value(item, place) for item in value]
    if isinstance(value, list):
        return {"list": [save_value(item, place) for item in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {str.__str__(key): save_value(item, f"{place}.{key}") for key, item in value.items()}}
    if isinstance(value, dict):
        return {"pairs": [[save_value(key, place), save_value(item, place)] for key, item in value.items()]}
    if isinstance(value, complex):
        return {"complex": [save_value(value.real), save_value(value.imag)]}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, slice):
        return {"slice": [save_value(part, place) for part in (value.start, value.stop, value.step)]}
    raise expected("a plain value (a number, text, a TensorSpec, or tuples, lists and dicts of them)", value, place)


def _save_spec(spec: TensorSpec) -> dict[str, object]:
    """Return a spec as JSON data, without a dense stride and without the device if it is the CPU."""
    saved: dict[str, object] = {"shape": list(spec.shape), "dtype": spec.dtype}
    if spec.stride != dense_stride(spec.shape):
        saved["stride"] = None if spec.stride is None else list(spec.stride)
    if spec.device != "cpu":
        saved["device"] = spec.device
    return saved


def load_value(raw: object, place: str = "") -> Any:
    """Return the value for the output of `json.loads`; raises WrongValueError with the place.

    >>> load_value([1, {"list": [2.5]}, {"dict": {"a": {"float": "inf"}}}])
    (1, [2.5], {'a': inf})
    """
    if isinstance(raw, list):
        return tuple([load_value(item, f"{place}[{index}]") for index, item in enumerate(raw)])
    if not isinstance(raw, dict):
        return raw
    if "shape" in raw:
        return load_spec(raw, place)
    tag, content = next(iter(raw.items()), ("", None))
    if len(raw) != 1 or tag not in _TAGS:
        raise expected(f"an object with one of {', '.join(_TAGS)}, or shape and dtype", raw, place)
    what, kind, make = _TAGS[tag]
    place = f"{place}.{tag}"
    try:
        if not isinstance(content, kind):
            raise TypeError
        if isinstance(content, dict):
            return {key: load_value(item, f"{place}.{key}") for key, item in content.items()}
        return make(load_value(content, place))
    except (TypeError, ValueError, KeyError):
        raise expected(what, content, place) from None


def load_spec(raw: object, place: str) -> TensorSpec:
    if not isinstance(raw, dict) or not {"shape", "dtype"} <= set(raw) <= {"shape", "dtype", "stride", "device"}:
        raise expected("a tensor: shape, dtype and perhaps stride and device", raw, place)
    shape, dtype, device = raw["shape"], raw["dtype"], raw.get("device", "cpu")
    stride = raw.get("stride", ...)
    if not is_sizes(shape):
        raise expected("an array of sizes", shape, f"{place}.shape")
    if not isinstance(dtype, str) or not isinstance(device, str):
        raise expected("names of dtype and device", [dtype, device], place)
    if stride is ...:
        return TensorSpec(tuple(shape), dtype, dense_stride(shape), device)
    if stride is not None and (not is_sizes(stride) or len(stride) != len(shape)):
        raise expected("null, or a step for each dimension", stride, f"{place}.stride")
    return TensorSpec(tuple(shape), dtype, None if stride is None else tuple(stride), device)


def _exactly(count: int, make: Callable[..., object]) -> Callable[[Any], object]:
    def load(items: tuple[object, ...]) -> object:
        if len(items) != count:
            raise ValueError
        return make(*items)

    return load


_TAGS: dict[str, tuple[str, type, Callable[[Any], object]]] = {
    "list": ("an array", list, list),
    "dict": ("an object", dict, dict),
    "pairs": ("an array of pairs of key and value", list, dict),
    "float": ('"inf", "-inf" or "nan"', str, {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}.__getitem__),
    "complex": ("an array of two numbers", list, _exactly(2, complex)),
    "bytes": ("hexadecimal digits", str, bytes.fromhex),
    "slice": ("an array of start, stop and step", list, _exactly(3, slice)),
}
"""The tagged objects by tag: a description of the content, its JSON type, and a function that builds the value."""


def save_fields(
    data: Mapping[str, object], fields: Mapping[str, Field], place: str, without: Iterable[str] = ()
) -> dict[str, object]:
    """Return attributes as JSON data: first those in the table, in its order and without defaults, then others by name.

    Raises:
        WrongValueError: an attribute is missing, has another type than the table says, or a name in ``without``.
    """
    others = data.keys() - fields.keys()
    for name in others:
        if not isinstance(name, str) or name in without:
            raise WrongValueError(place, f"an attribute cannot be named {name!r}")
    saved: dict[str, object] = {}
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
    for name in sorted(others):
        saved[name] = save_value(data[name], f"{place}.{name}")
    return saved


def load_fields(
    raw: Mapping[str, object], fields: Mapping[str, Field], place: str, without: Iterable[str] = (), more: bool = True
) -> dict[str, Any]:
    """Load attributes from JSON data, with ``more`` also those outside of the table; missing ones get their defaults.

    Keys in ``without`` are not attributes.
    """
    loaded: dict[str, Any] = {}
    for name, field in fields.items():
        if name in raw:
            loaded[name] = load_field(raw[name], field, f"{place}.{name}")
        elif field.required:
            raise WrongValueError(place, f"{name!r} is missing: expected {field.type.what}")
        elif field.always:
            loaded[name] = field.default
    for name in [name for name in raw if name not in fields and name not in without]:
        if not more:
            raise WrongValueError(place, f"unknown {name!r}; the known names are {', '.join(fields)}")
        loaded[name] = load_value(raw[name], f"{place}.{name}")
    return loaded


def load_field(raw: object, field: Field, place: str) -> Any:
    value = load_value(raw, place)
    if not field.type.fits(value):
        raise expected(field.type.what, raw, place)
    return value


def objects(items: object, place: str) -> list[dict[str, object]]:
    """Return an array of objects; raises WrongValueError for anything else."""
    if not isinstance(items, list):
        raise expected("an array", items, place)
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise expected("an object", item, f"{place}[{index}]")
    return items
