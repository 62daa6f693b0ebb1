"""Structural signatures: modules with the same signature do the same with the same arguments.

A signature depends on the class, the training flag, all attributes, the specs of parameters and buffers, and the
submodules. Objects count by identity. Attributes that number a block among its siblings (``layer_idx``) are left out;
`Signatures.reads` counts how often forward reads them. Signatures are ints that are valid for one model in its current
state.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from functools import cache
from types import MethodType

import torch
from torch import nn

from fxsummary.capture.module_index import modules_of
from fxsummary.capture.operations import memo
from fxsummary.capture.subject import Leaf

_is_number = cache(re.compile(r"(.*_)?(idx|index|number|layer_?(id|num|i)|block_?(id|num)|depth_id)").fullmatch)
"""Whether an attribute with this name numbers a block."""


class Signatures:
    """The signatures of a model's modules.

    Attributes:
        counts: number of modules by signature.
        last: the ``id`` of the last module by signature.
        reads: how often block numbers were read or set inside `watched`.
    """

    def __init__(self, model: nn.Module, is_leaf: Leaf) -> None:
        self.counts: Counter[int] = Counter()
        self.last: dict[int, int] = {}
        self.reads = 0
        self._is_leaf = is_leaf
        self._signatures: dict[int, int | None] = {}
        self._own: dict[int, Hashable] = {}
        self._numbers: dict[type, frozenset[str]] = {}
        self._interned: dict[Hashable, int] = {}
        self._add(model, "")

    def of(self, module: nn.Module) -> int | None:
        """Return the signature of a module; None if it has none, as with hooks or shared submodules."""
        return self._signatures.get(id(module))

    def is_unchanged(self, module: nn.Module) -> bool:
        """Whether a module and its submodules are as they were."""
        return all(self._own.get(id(each)) == self._of_own(each) for each in modules_of(module))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count in `reads`: in each class, a descriptor hands out the numbers, which stay in their modules."""
        numbers = [(kind, name) for kind, names in self._numbers.items() for name in names]
        for kind, name in numbers:
            type.__setattr__(kind, name, _Number(name, self))
        try:
            yield
        finally:
            for kind, name in numbers:
                type.__delattr__(kind, name)

    def _add(self, module: nn.Module, path: str) -> int | None:
        if id(module) in self._signatures:
            return None  # shared: its nodes have the path of another block
        self._signatures[id(module)] = None
        children: list[Hashable] = []
        is_known = True
        for name, child in module._modules.items():
            number = None if child is None else self._add(child, f"{path}.{name}" if path else name)
            is_known &= number is not None or child is None
            children += [name, number]
        kind = type(module)
        if not self._is_leaf(module, path):
            numbers = [name for name, value in vars(module).items() if type(value) is int and _is_number(name)]
            hidden = {name for name in numbers if not hasattr(kind, name)}
            self._numbers[kind] = self._numbers.get(kind, frozenset()) | hidden
        own = self._own[id(module)] = self._of_own(module)
        if own is None or not is_known:
            return None
        number = self._interned.setdefault((own, *children), len(self._interned))
        self._signatures[id(module)] = number
        self.counts[number] += 1
        self.last[number] = id(module)
        return number

    def _of_own(self, module: nn.Module) -> Hashable:
        """Return a key of a module's own attributes without its numbers; None if it has hooks."""

        def other(value: object) -> Hashable:
            if isinstance(value, torch.Tensor):
                stride = value.stride() if value.layout is torch.strided else None
                return type(value), value.shape, stride, value.dtype, value.device, value.requires_grad
            if isinstance(value, MethodType) and value.__self__ is module:
                return MethodType, value.__func__
            return type(value), id(value)

        try:
            return memo.attributes_key(module, other, memo.IRRELEVANT | self._numbers.get(type(module), frozenset()))
        except memo.NoKeyError:
            return None


class _Number:
    """A descriptor that counts each access to an attribute."""

    def __init__(self, name: str, signatures: Signatures) -> None:
        self._name = name
        self._signatures = signatures

    def __get__(self, module: nn.Module | None, kind: type) -> object:
        if module is None or self._name not in vars(module):
            raise AttributeError(self._name)
        self._signatures.reads += 1
        return vars(module)[self._name]

    def __set__(self, module: nn.Module, value: object) -> None:
        self._signatures.reads += 1
        vars(module)[self._name] = value

    def __delete__(self, module: nn.Module) -> None:
        self._signatures.reads += 1
        del vars(module)[self._name]
