"""Watches operations on real tensors during tracing; these run instead of becoming nodes."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from fxsummary.capture.operations.traits import costs_nothing
from fxsummary.capture.structures import Args, Kwargs
from fxsummary.capture.torch_internals import DispatchMode, storage_of


class Guard(DispatchMode):
    """Raises RuntimeError if the trace would be wrong: on writes to the user's tensors and on operations with FLOPs."""

    def __init__(self) -> None:
        super().__init__()
        self._made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: object, args: Args = (), kwargs: Kwargs | None = None) -> Any:
        if not costs_nothing(func):
            raise RuntimeError(f"forward computes a product that does not depend on an input ({func})")
        if func._schema.is_mutable:
            for argument, value in zip(func._schema.arguments, args):  # noqa: B905 (defaults are left out)
                if argument.alias_info is not None and argument.alias_info.is_write:
                    self._check(value, func)
        result = func(*args, **(kwargs or {}))
        if func._schema.name in _NEW or not any(returned.alias_info for returned in func._schema.returns):
            self._made.update(storage_of(each) for each in tree_leaves(result) if isinstance(each, torch.Tensor))
        return result

    def has_made(self, tensor: torch.Tensor) -> bool:
        """Return whether an operation that it saw made the memory of a tensor."""
        return storage_of(tensor) in self._made

    def _check(self, value: object, func: object) -> None:
        if any(isinstance(each, torch.Tensor) and storage_of(each) not in self._made for each in tree_leaves(value)):
            raise RuntimeError(f"forward writes into a tensor that it did not make ({func})")


_NEW = frozenset({"aten::lift_fresh", "aten::lift"})
"""The last operators of `torch.tensor`; their schema wrongly says that they return views."""
