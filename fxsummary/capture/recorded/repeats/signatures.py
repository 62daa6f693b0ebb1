"""Structural signatures of modules: two modules with the same one do the same with the same arguments.

A signature holds the class, the training flag, every attribute, the specs of parameters and buffers, and the
signatures of the submodules. Attributes that merely number a block among its siblings (``layer_idx``) are left
out of it: `watched` tells whether forward reads them. Objects count by identity, so that only what is shared
is the same. Signatures are small integers, good for one model as it is now.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from types import MethodType
from typing import Any

import torch
from torch import nn

from fxsummary.capture.module_index import modules_of
from fxsummary.capture.operations import memo
from fxsummary.capture.structures import ATOMS

_NUMBER = re.compile(r"(.*_)?(idx|index|number|layer_?(id|num|i)|block_?(id|num)|depth_id)")
"""Names of attributes that number a block."""


class Signatures:
    """The signatures of the modules of one model.

    Args:
        is_leaf: whether a module, at a path, is one operation.
    """

    def __init__(self, model: nn.Module, is_leaf: Callable[[nn.Module, str], bool]) -> None:
        self._is_leaf = is_leaf
        self._signatures: dict[int, int | None] = {}
        self._own: dict[int, Hashable] = {}
        self._numbers: dict[int, tuple[str, ...]] = {}
        self._interned: dict[Hashable, int] = {}
        self._last: dict[int, int] = {}
        self._counts: Counter[int] = Counter()
        self._reads: list[str] = []
        self._hidden: dict[int, dict[str, int]] = {}
        self._getattr: Any = None
        self._add(model, "")

    def of(self, module: nn.Module) -> int | None:
        """The signature; None where there is none, as for modules with hooks and those that share submodules."""
        return self._signatures.get(id(module))

    def count(self, signature: int) -> int:
        """How many modules of the model have it."""
        return self._counts[signature]

    def is_last(self, module: nn.Module, signature: int) -> bool:
        """Whether the module is the last one that has it."""
        return self._last[signature] == id(module)

    def is_unchanged(self, module: nn.Module) -> bool:
        """Whether a module and all in it are as they were."""
        return all(self._own.get(id(each)) == self._of_own(each) for each in modules_of(module))

    @contextmanager
    def watched(self, module: nn.Module) -> Iterator[list[str]]:
        """The names of those attributes that number blocks and are read meanwhile; filled as they are.

        The attributes are taken out of their modules, so that reading one ends in ``nn.Module.__getattr__``.
        """
        numbered = [each for each in modules_of(module) if id(each) in self._numbers and id(each) not in self._hidden]
        start = len(self._reads)
        reads: list[str] = []
        if numbered and self._getattr is None:
            self._getattr = nn.Module.__getattr__
            nn.Module.__getattr__ = self._watching(self._getattr)  # type: ignore[method-assign]
        before = [dict(vars(each)) for each in numbered]
        for each in numbered:
            self._hidden[id(each)] = {name: vars(each).pop(name) for name in self._numbers[id(each)]}
        try:
            yield reads
        finally:
            for each, attributes in zip(numbered, before, strict=True):
                self._put_back(vars(each), self._hidden.pop(id(each)), attributes)
            reads += self._reads[start:]

    def close(self) -> None:
        """No more is watched: ``nn.Module.__getattr__`` is again what it was; to set it takes a while."""
        if self._getattr is not None:
            nn.Module.__getattr__ = self._getattr  # type: ignore[method-assign]
            self._getattr = None

    def _put_back(self, now: dict[str, Any], hidden: dict[str, int], before: dict[str, Any]) -> None:
        """Attributes that were hidden, in the order that all had before; what was written meanwhile stays."""
        self._reads += [name for name in hidden if name in now]  # written is as good as read
        attributes = {name: now.get(name, value) for name, value in before.items() if name in now or name in hidden}
        attributes.update(now)
        now.clear()
        now.update(attributes)

    def _watching(self, original: Callable[[nn.Module, str], Any]) -> Callable[[nn.Module, str], Any]:
        def get(module: nn.Module, name: str) -> Any:
            hidden = self._hidden.get(id(module))
            if hidden is None or name not in hidden:
                return original(module, name)
            self._reads.append(name)
            return hidden[name]

        return get

    def _add(self, module: nn.Module, path: str) -> int | None:
        if id(module) in self._signatures:
            return None  # shared: what it does carries the path of another block
        self._signatures[id(module)] = None
        children: list[Hashable] = []
        is_known = True
        for name, child in module._modules.items():
            number = None if child is None else self._add(child, f"{path}.{name}" if path else name)
            is_known &= number is not None or child is None
            children += [name, number]
        if not self._is_leaf(module, path) and type(module).__getattr__ is nn.Module.__getattr__:
            numbers = tuple([name for name, value in vars(module).items() if type(value) is int and _is_number(name)])
            if numbers:
                self._numbers[id(module)] = numbers
        own = self._own[id(module)] = self._of_own(module)
        if own is None or not is_known:
            return None
        number = self._interned.setdefault((own, *children), len(self._interned))
        self._signatures[id(module)] = number
        self._counts[number] += 1
        self._last[number] = id(module)
        return number

    def _of_own(self, module: nn.Module) -> Hashable:
        """All of a module but its submodules; None if there is something that cannot be compared."""
        attributes = vars(module)
        if attributes.get("_forward_hooks") or attributes.get("_forward_pre_hooks"):
            return None
        numbers = self._numbers.get(id(module), ())
        kind: Any = type(module)
        parts: list[Hashable] = [kind]
        for name in _compared(tuple(attributes)):
            if name not in numbers:
                value = attributes[name]
                of: Any = type(value)
                if of in ATOMS:
                    parts += [name, of, value]
                else:
                    parts += [name, _key(value, module)]
        for tensors in (module._parameters, module._buffers):
            parts.append(len(tensors))
            for name, tensor in tensors.items():
                parts += [name, _key(tensor, module)]
        return tuple(parts)


@lru_cache(maxsize=1024)
def _compared(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a module's attributes that are compared."""
    return tuple(name for name in names if name not in memo.IRRELEVANT and name not in _APART)


_APART = frozenset({"_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks"})


@cache
def _is_number(name: str) -> bool:
    return _NUMBER.fullmatch(name) is not None


def _key(value: Any, module: nn.Module) -> Hashable:
    """What an attribute is compared by; the type with it, for ``True`` and ``1`` are equal in Python."""
    kind = type(value)
    if kind in ATOMS:
        return kind, value
    if isinstance(value, torch.Tensor):
        stride = value.stride() if value.layout is torch.strided else None
        return kind, value.shape, stride, value.dtype, value.device, value.requires_grad
    if kind in (tuple, list):
        return kind, tuple([_key(item, module) for item in value])
    if kind in (dict, OrderedDict):
        return kind, tuple([(_key(name, module), _key(item, module)) for name, item in value.items()])
    if kind is MethodType and value.__self__ is module:
        return kind, value.__func__
    return kind, id(value)
