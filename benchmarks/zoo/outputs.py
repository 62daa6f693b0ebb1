"""The tensors in what forward returns, in order, as shape and dtype."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn


class Leaf(NamedTuple):
    """A tensor in an output."""

    shape: tuple[int, ...]
    dtype: str
    inside: bool
    """Whether it lies inside an object, such as a cache, that not every reader opens."""


def tensors(
    value: Any, inside: bool = False, seen: frozenset[int] = frozenset()
) -> Iterator[tuple[torch.Tensor, bool]]:
    """The tensors of a nested value in order; those inside objects are marked."""
    if isinstance(value, torch.Tensor):
        yield value, inside
    elif id(value) in seen:
        return
    else:
        items, opens = _items(value)
        for item in items:
            yield from tensors(item, inside or opens, seen | {id(value)})


def _items(value: Any) -> tuple[list[Any], bool]:
    """The parts of a value, and whether it had to be opened as an object."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in dataclasses.fields(value)], False
    if isinstance(value, Mapping):
        return list(value.values()), False
    if isinstance(value, (list, tuple)):
        return list(value), False
    if isinstance(value, (nn.Module, type)) or not hasattr(value, "__dict__"):
        return [], False
    return list(vars(value).values()), True


def leaves(value: Any) -> list[Leaf]:
    """The tensors of a nested value as shape and dtype.

    >>> leaves({"a": torch.zeros(2, 3), "b": [None, torch.arange(4)]})
    [Leaf(shape=(2, 3), dtype='float32', inside=False), Leaf(shape=(4,), dtype='int64', inside=False)]
    """
    return [
        Leaf(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), inside) for tensor, inside in tensors(value)
    ]


def difference(mine: list[tuple[tuple[int, ...], str]], truth: list[Leaf]) -> str:
    """Where two lists of shapes and dtypes differ, "" where they do not; leaves inside objects may be left out.

    >>> difference([((2, 3), "float32")], [Leaf((2, 3), "float32", False), Leaf((9,), "float32", True)])
    ''
    >>> difference([((2, 3), "float32")], [Leaf((2, 4), "float32", False)])
    'output 0 is 2×3 float32, not 2×4 float32'
    """
    everything = [(leaf.shape, leaf.dtype) for leaf in truth]
    outside = [(leaf.shape, leaf.dtype) for leaf in truth if not leaf.inside]
    if mine in (everything, outside):
        return ""
    expected = everything if len(mine) == len(everything) else outside
    for position, (found, wanted) in enumerate(zip(mine, expected, strict=False)):
        if found != wanted:
            return f"output {position} is {_text(*found)}, not {_text(*wanted)}"
    return f"{len(mine)} output tensors, not {len(outside)}" + (f" or {len(everything)}" * (everything != outside))


def _text(shape: tuple[int, ...], dtype: str) -> str:
    return f"{'×'.join(map(str, shape)) or 'scalar'} {dtype}"
