"""The storages that operations save for the backward pass."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from fxsummary.capture.torch_internals import storage_of


class Kept(NamedTuple):
    """A storage that lives at the end of forward.

    Attributes:
        number: its number.
        nbytes: its size.
        savers: positions of the operations that save it for backward, in order.
        is_held: whether forward returns it, or leaves it elsewhere, as in an attribute of a module.
    """

    number: int
    nbytes: int
    savers: tuple[int, ...]
    is_held: bool


@dataclass(eq=False, slots=True)
class _Storage:
    reference: weakref.ref[torch.UntypedStorage]
    number: int
    savers: list[int] = field(default_factory=list)


class SavedStorages:
    """Numbers storages, and notes which operations save them; parameters, buffers and inputs do not count.

    Attributes:
        now: the position of the operation that is running; None to note nothing.
        saving: the positions of all operations that save something, also parameters and inputs.
    """

    def __init__(self) -> None:
        self.now: int | None = None
        self.saving: set[int] = set()
        self._outside: dict[int, torch.UntypedStorage] = {}
        self._found: dict[int, _Storage] = {}
        self._count = 0

    def leave_out(self, tensors: Iterable[Tensor]) -> None:
        """Do not count the storages of these tensors."""
        for tensor in tensors:
            self._outside[storage_of(tensor)] = tensor.untyped_storage()

    def number(self, tensor: Tensor) -> tuple[int, int] | None:
        """Return the number and the size of a tensor's storage; None if it does not count."""
        found = self._storage(tensor)
        return None if found is None else (found.number, tensor.untyped_storage().nbytes())

    def pack(self, tensor: Tensor) -> Tensor:
        """Note that the operation that is running saves a tensor.

        What is kept is another tensor in the same storage, because a result that its own operation saves would keep
        itself alive.
        """
        if self.now is not None:
            self.saving.add(self.now)
            found = self._storage(tensor)
            if found is not None and (not found.savers or found.savers[-1] != self.now):
                found.savers.append(self.now)
        return tensor.data

    def _storage(self, tensor: Tensor) -> _Storage | None:
        key = storage_of(tensor)
        if key in self._outside or key == id(tensor):
            return None
        found = self._found.get(key)
        if found is None:
            reference = weakref.ref(tensor.untyped_storage(), partial(self._gone, key))
            found = self._found[key] = _Storage(reference, self._count)
            self._count += 1
        return found

    def _gone(self, key: int, _: object) -> None:
        self._found.pop(key, None)

    def kept(self, held: Iterable[Tensor]) -> Iterator[Kept]:
        """Yield the storages that are saved for backward, or held otherwise."""
        numbers = {found.number for tensor in held if (found := self._storage(tensor)) is not None}
        for found in list(self._found.values()):
            storage = found.reference()
            if storage is not None and (found.savers or found.number in numbers):
                yield Kept(found.number, storage.nbytes(), tuple(found.savers), found.number in numbers)
