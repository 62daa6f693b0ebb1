"""The mode that sees the ATen calls of an operation: counts FLOPs and bytes, notes writes, and calls our kernels."""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.flop_counter import shape_wrapper

from fxsummary.capture.operations import kernels
from fxsummary.capture.operations.flops import aten
from fxsummary.capture.operations.outcome import Alias, Base, Outcome
from fxsummary.capture.operations.storage_count import StorageCount
from fxsummary.capture.operations.traits import Traits, formula, traits_of
from fxsummary.capture.operations.twins import META, spec_of
from fxsummary.capture.structures import map_values, tensors_in
from fxsummary.capture.torch_internals import (
    DispatchMode,
    has_python_kernel,
    storage_of,
)
from fxsummary.errors import OperatorError

_SAME_DTYPE = {
    aten.linear: (0, 1), aten.mm: (0, 1), aten.bmm: (0, 1), aten.mv: (0, 1), aten.addmm: (1, 2), aten.baddbmm: (1, 2),
}  # fmt: skip
"""Positions of two matrices that must have the same dtype; kernels on meta do not check it."""


_paused = threading.local()


@contextmanager
def uncounted() -> Iterator[None]:
    """Count nothing that this thread runs inside the context."""
    outer = is_paused()
    _paused.now = True
    try:
        yield
    finally:
        _paused.now = outer


def is_paused() -> bool:
    """Whether this thread counts nothing."""
    return getattr(_paused, "now", False)


class FlopCount(DispatchMode):
    """Counts the FLOPs of the ATen calls made while it is active, and notes which tensors they write to.

    Args:
        tensors: the tensors among the operation's arguments, in order.
        on_meta: whether they are on meta; if so, new tensors are too, and our kernels answer.

    Attributes:
        flops: the sum so far.
        unknown: names of the operators called that have no formula, and are of the matrix family or not of ATen.
    """

    supports_higher_order_operators = True

    def __init__(self, tensors: Sequence[torch.Tensor] = (), on_meta: bool = False) -> None:
        super().__init__()
        self.flops = 0
        self.unknown: list[str] = []
        self._tensors = tensors
        self._on_meta = on_meta
        self._written: set[int] = set()
        self._storages = StorageCount()
        self._is_workspace_known = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        traits = traits_of(func)
        for place in traits.written:
            self._written.update(map(storage_of, tensors_in(args[place] if place < len(args) else kwargs.get("out"))))
        packet = getattr(func, "_overloadpacket", func)
        count = formula(packet)
        parts = traits.parts if count is None else None
        if parts is not None:
            with self:
                result = parts(*args, **kwargs)
            if result is not NotImplemented:
                return result
        _check_dtypes(packet, args)
        result = self._call(func, traits, args, kwargs) if self._on_meta else func(*args, **kwargs)
        flops = 0 if is_paused() else self._count(packet, count, traits, args, kwargs, result)
        if not traits.is_view:
            self._hold(func, traits, args, kwargs, result, flops)
        return result

    def _count(self, packet: Any, count: Any, traits: Traits, args: Any, kwargs: Any, result: object) -> int:
        """Count the FLOPs of a call, and return them; note an operator whose FLOPs are unknown."""
        if count is not None and not any(map(_is_sparse, args)):
            flops = _evaluate(count, packet, args, kwargs, result)
            self.flops += flops
            return flops
        if count is not None or not traits.is_free:  # the formulas are for dense products
            self.unknown.append(str(packet))
        return 0

    def _call(self, func: Any, traits: Traits, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operator on meta, by a kernel of ours if one covers the call."""
        if traits.takes_device:
            kwargs = {**kwargs, "device": META}
            kwargs.pop("pin_memory", None)
        result = kernels.answer(func, args, kwargs)
        if result is not NotImplemented:
            return result
        if traits.is_in_parts:
            with uncounted(), self:
                return func.decompose(*args, **kwargs)
        if has_python_kernel(func):
            import_compiler()
        return func(*args, **kwargs)

    def _hold(self, func: Any, traits: Traits, args: Any, kwargs: Any, result: object, flops: int) -> None:
        """Count the new storages of a result, and the bytes that the operator held besides."""
        self._storages.add(self._new(traits, args, kwargs, result))
        inside = kernels.workspace(func, args, kwargs)
        if inside is None:
            self._is_workspace_known = False
        else:
            self._storages.peak = max(self._storages.peak, self._storages.live + inside)

    def _new(self, traits: Traits, args: Any, kwargs: Any, result: object) -> list[torch.Tensor]:
        """Return the tensors in a result that lie in memory of their own."""
        found = [result] if isinstance(result, torch.Tensor) else tensors_in(result)
        new = [each for each in found if each.layout is torch.strided]
        if new and traits.may_share:
            given = set(map(storage_of, tensors_in((args, kwargs))))
            new = [each for each in new if storage_of(each) not in given]
        return new

    def outcome(self, value: object, device: str) -> Outcome:
        """Return what was observed, with the operation's result."""
        outputs = list(tensors_in(value))
        aliases = tuple([_alias(output, self._tensors) for output in outputs])
        storages = map(storage_of, self._tensors) if self._written else ()
        workspace = self._storages.peak - self._storages.live if self._is_workspace_known else None
        return Outcome(
            map_values(lambda each: spec_of(each, device) if isinstance(each, torch.Tensor) else each, value),
            self.flops,
            tuple(dict.fromkeys(self.unknown)),
            aliases if any(aliases) else (),
            tuple([index for index, storage in enumerate(storages) if storage in self._written]),
            bases=_bases(outputs, aliases),
            workspace=workspace,
        )


def _alias(output: torch.Tensor, tensors: Sequence[torch.Tensor]) -> Alias | None:
    for index, tensor in enumerate(tensors):
        if output is tensor:
            return Alias(index)
    storage = storage_of(output)
    for index, tensor in enumerate(tensors):
        if storage == storage_of(tensor) and output.dtype == tensor.dtype:
            return Alias(index, int(output.storage_offset()) - int(tensor.storage_offset()))
    return None


def _bases(outputs: Sequence[torch.Tensor], aliases: Sequence[Alias | None]) -> tuple[Base | None, ...]:
    """Return the memory of each new output; () if each fills memory of its own."""
    numbers: dict[int, int] = {}
    bases = [None if alias else _base(output, numbers) for output, alias in zip(outputs, aliases, strict=True)]
    is_plain = len(numbers) == len(bases) - bases.count(None) and all(
        base is None or (base.offset == 0 and base.nbytes == spec_of(output).extent)
        for output, base in zip(outputs, bases, strict=True)
    )
    return () if is_plain else tuple(bases)


def _base(output: torch.Tensor, numbers: dict[int, int]) -> Base | None:
    if output.layout is not torch.strided:
        return None
    storage = output.untyped_storage()
    return Base(numbers.setdefault(storage._cdata, len(numbers)), storage.nbytes(), int(output.storage_offset()))


@functools.cache
def import_compiler() -> None:
    """Import torch's compiler on the CPU: Python kernels import it, which fails in a meta device before torch 2.13."""
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 13):
        with torch.device("cpu"):
            importlib.import_module("torch._dynamo")


_WRAPPER = shape_wrapper(len).__code__


def _evaluate(count: Any, packet: object, args: Any, kwargs: Any, result: Any) -> int:
    """Evaluate a formula; torch's wrapper, which turns tensors into shapes, takes longer than most kernels."""
    try:
        if getattr(count, "__code__", None) is not _WRAPPER:
            return int(count(*args, **kwargs, out_val=result))
        return int(count.__wrapped__(*_shapes(args), **_shapes(kwargs), out_shape=_shapes(result)))
    except Exception as error:
        raise OperatorError(
            f"the FLOP formula of {packet} raised {type(error).__name__}: {error}. It gets the shapes of the "
            "operator's arguments, and out_shape= and others by name: accept **kwargs."
        ) from error


def _shapes(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.shape
    if isinstance(value, (tuple, list)):
        return value if value and type(value[0]) is int else [_shapes(item) for item in value]
    return {name: _shapes(item) for name, item in value.items()} if isinstance(value, dict) else value


def _is_sparse(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.layout is not torch.strided


def _check_dtypes(packet: object, args: tuple[Any, ...]) -> None:
    """Raise RuntimeError for dtypes that the real kernels refuse and those on meta do not."""
    if packet in _SAME_DTYPE:
        a, b = (args[place].dtype for place in _SAME_DTYPE[packet])
        if a != b:
            raise RuntimeError(f"expected both matrices to have the same dtype, but got: {a} != {b}")
    if packet is aten.embedding and args[1].dtype not in (torch.int64, torch.int32):
        raise RuntimeError(f"expected indices of an embedding to be int64 or int32, but got: {args[1].dtype}")
