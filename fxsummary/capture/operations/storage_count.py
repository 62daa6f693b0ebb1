"""Counts the bytes of storages that exist at a time."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import partial

import torch


class StorageCount:
    """The bytes of the storages that it was told of and that still exist.

    Attributes:
        live: bytes now.
        peak: the most bytes so far.
    """

    def __init__(self) -> None:
        self.live = 0
        self.peak = 0
        self._known: dict[int, tuple[weakref.ref[torch.UntypedStorage], int]] = {}

    def add(self, tensors: Iterable[torch.Tensor]) -> None:
        """Count the storages of these tensors from now until they are freed; after a resize, the new size counts."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            key, size = storage._cdata, storage.nbytes()
            reference, before = self._known.get(key, (None, 0))
            self._known[key] = reference or weakref.ref(storage, partial(self._gone, key)), size
            self.live += size - before
        self.peak = max(self.peak, self.live)

    def _gone(self, key: int, _: object) -> None:
        self.live -= self._known.pop(key)[1]
