"""Plain values as JSON and back: what JSON has not (lists beside tuples, dicts, infinity) is an object with a tag.

An array is a tuple, since nearly all sequences of a graph are; an object without a tag is a `TensorSpec`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from fxsummary.graph.fields import is_sizes
from fxsummary.graph.spec import TensorSpec


class WrongValueError(Exception):
    """A value that is not what is expected in its place.

    Attributes:
        place: where it stands, such as ``nodes[3].shape``.
    """

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place = place


def expected(what: str, found: Any, place: str) -> WrongValueError:
    """The error for a value of another kind."""
    text = repr(found)
    return WrongValueError(place, f"expected {what}, found {text if len(text) <= 60 else text[:59] + '…'}")


def save_value(value: Any, place: str = "") -> Any:
    """A value as JSON has it; raises WrongValueError if it is not plain.

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
    if isinstance(value, dict):
        return _save_dict(value, place)
    if isinstance(value, complex):
        return {"complex": [save_value(value.real), save_value(value.imag)]}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, slice):
        return {"slice": [save_value(part, place) for part in (value.start, value.stop, value.step)]}
    raise expected("a plain value (a number, text, a TensorSpec, or tuples, lists and dicts of them)", value, place)


def _save_dict(value: dict[Any, Any], place: str) -> Any:
    if all(isinstance(key, str) for key in value):
        return {"dict": {str.__str__(key): save_value(item, f"{place}.{key}") for key, item in value.items()}}
    return {"pairs": [[save_value(key, place), save_value(item, place)] for key, item in value.items()]}


def _save_spec(spec: TensorSpec) -> dict[str, Any]:
    """The spec without what is usual: a dense stride, and the CPU."""
    saved: dict[str, Any] = {"shape": list(spec.shape), "dtype": spec.dtype}
    if spec.stride != dense_stride(spec.shape):
        saved["stride"] = None if spec.stride is None else list(spec.stride)
    if spec.device != "cpu":
        saved["device"] = spec.device
    return saved


def dense_stride(shape: Sequence[int]) -> tuple[int, ...]:
    """The stride of a contiguous tensor.

    >>> dense_stride((2, 3, 4)), dense_stride((2, 0)), dense_stride(())
    ((12, 4, 1), (1, 1), ())
    """
    stride = []
    step = 1
    for size in reversed(shape):
        stride.append(step)
        step *= max(size, 1)
    return tuple(reversed(stride))


def load_value(raw: Any, place: str = "") -> Any:
    """A value from what `json.loads` made of it; raises WrongValueError with the place.

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
    what, load = _TAGS[tag]
    try:
        return load(content, f"{place}.{tag}")
    except (TypeError, ValueError, AttributeError, KeyError):
        raise expected(what, content, f"{place}.{tag}") from None


def load_spec(raw: Any, place: str) -> TensorSpec:
    """A `TensorSpec`."""
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


def _load_list(content: Any, place: str) -> list[Any]:
    if not isinstance(content, list):
        raise TypeError
    return list(load_value(content, place))


def _load_dict(content: Any, place: str) -> dict[str, Any]:
    return {key: load_value(item, f"{place}.{key}") for key, item in content.items()}


def _load_pairs(content: Any, place: str) -> dict[Any, Any]:
    return {load_value(key, place): load_value(item, place) for key, item in content}


def _load_float(content: Any, place: str) -> float:
    return {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}[content]


def _load_complex(content: Any, place: str) -> complex:
    real, imaginary = load_value(content, place)
    return complex(real, imaginary)


def _load_slice(content: Any, place: str) -> slice:
    start, stop, step = load_value(content, place)
    return slice(start, stop, step)


_TAGS: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "list": ("an array", _load_list),
    "dict": ("an object", _load_dict),
    "pairs": ("an array of pairs of key and value", _load_pairs),
    "float": ('"inf", "-inf" or "nan"', _load_float),
    "complex": ("an array of two numbers", _load_complex),
    "bytes": ("hexadecimal digits", lambda content, place: bytes.fromhex(content)),
    "slice": ("an array of start, stop and step", _load_slice),
}
"""What an object with one key stands for, by that key."""
