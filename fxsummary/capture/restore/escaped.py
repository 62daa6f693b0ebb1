"""Finds and removes proxies and tensors that outlive their capture, such as in a global that no snapshot covers."""

from __future__ import annotations

import functools
import gc
import types
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fxsummary.capture.restore.holders import base_of, refill


def survivors(references: Iterable[Callable[[], Any]]) -> list[Any]:
    """Return the objects that are still alive after garbage collection."""
    alive = list(references)
    for generation in (0, 2):  # most are in the youngest generation; a full collection is slow
        alive = [reference for reference in alive if reference() is not None]
        if alive:
            gc.collect(generation)
    return [value for reference in alive if (value := reference()) is not None]


def remove(values: Sequence[object]) -> None:
    """Remove objects from the containers, closures and caches that hold them."""
    wanted = set(map(id, values))
    tuples = []
    for holder in gc.get_referrers(*values):
        if issubclass(type(holder), tuple):
            tuples.append(holder)
        elif holder is not values:
            _remove_from(holder, wanted)
    if tuples:
        remove(tuples)


def _remove_from(holder: object, wanted: set[int]) -> None:
    """Remove objects from one holder."""
    base = base_of(holder)
    if base in (OrderedDict, dict):
        for key in [key for key, item in base.items(holder) if id(item) in wanted or id(key) in wanted]:
            base.__delitem__(holder, key)
    elif base is not None:
        refill(holder, [item for item in base.__iter__(holder) if id(item) not in wanted])
    elif type(holder) is types.CellType:
        holder.cell_contents = None
    elif type(holder) is functools._lru_cache_wrapper:
        holder.cache_clear()
