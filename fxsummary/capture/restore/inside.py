"""Finds everything that a model contains: module attributes, containers and objects to any depth, and their classes.

No user code runs: attributes are read from ``vars``, never through properties.
"""

from __future__ import annotations

import argparse
import enum
import functools
import sys
import threading
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import torch
from torch import nn

from fxsummary.capture.restore.containers import EXACT, base_of
from fxsummary.capture.restore.variables import Accessors, Variables, accessors, of_cell, of_class, of_slots, of_state
from fxsummary.capture.structures import ATOMS

Reader = Callable[["Inside", Any], Iterable[object]]
"""Registers a value, and returns the values that it contains."""


class Inside:
    """Everything that modules and further roots contain, to any depth.

    Attributes:
        containers: non-empty dicts (including ``__dict__``), lists, sets and deques.
        empty: empty containers.
        variables: places that hold values without a dict: classes, slots, cells.
        functions: functions that modules and objects hold, without those in class attributes.
        caches: ``lru_cache`` functions.
    """

    def __init__(self, modules: Iterable[nn.Module], roots: Iterable[object] = ()) -> None:
        self.containers: list[object] = []
        self.empty: list[object] = []
        self.variables: list[Variables] = []
        self.functions: list[types.FunctionType] = []
        self.caches: list[Any] = []
        self.classes: dict[type, None] = {}
        self._kinds: dict[type, None] = {}
        self.seen: dict[int, object] = {}
        self._most = sys.maxsize
        self._values: list[object] = []
        self._atoms = set(_ATOMS)
        self._readers = dict(_READERS)
        self._add_modules(modules)
        self._add(roots)
        self._walk()
        functions = self.functions
        while self._kinds:
            self._add_class(self._kinds.popitem()[0])
            self.functions = []
            self._walk()
        self.functions = functions

    def _add_modules(self, modules: Iterable[nn.Module]) -> None:
        """Add modules; faster than `_add`, because most attributes of a module are empty containers."""
        self.seen.update((id(module), module) for module in modules)
        attributes = list(map(vars, modules))
        self.containers += attributes
        atoms = self._atoms
        held = [value for each in attributes for value in each.values() if type(value) not in atoms]
        own = [each["_parameters"] for each in attributes if type(each.get("_parameters")) is dict]
        held += [parameter.__dict__ for each in own for parameter in each.values() if parameter is not None]
        self.empty += [value for value in held if type(value) in EXACT and not value]
        self._values += [value for value in held if type(value) not in EXACT or value]
        self._kinds.update(dict.fromkeys(map(type, modules)))

    def _add(self, values: Iterable[object]) -> None:
        atoms = self._atoms
        self._values += [value for value in values if type(value) not in atoms]

    def _walk(self) -> None:
        values, seen = self._values, self.seen
        for value in values:  # grows during the loop; breadth first
            if id(value) in seen:
                continue
            if len(seen) >= self._most:
                break
            kind = type(value)
            read = self._readers.get(kind)
            if read is None:
                read = self._readers[kind] = _reader(kind)
                if read is _nothing:
                    self._atoms.add(kind)
            seen[id(value)] = value
            self._add(read(self, value))
        self._values = []

    def _add_class(self, kind: type) -> None:
        for each in kind.__mro__:
            if each not in self.classes and is_users(each.__module__):
                self.classes[each] = None
                self.variables.append(of_class(each))
                for value in vars(each).values():
                    if type(value) is types.FunctionType:
                        self._add(_defaults(value))
                    elif type(value) not in _METHODS:
                        self._add((value,))

    # --- readers, by type; each returns the values that a value contains -----------------------------

    def _read_container(self, value: Any) -> Iterable[object]:
        if not len(value):
            self.empty.append(value)
            return ()
        self.containers.append(value)
        base = base_of(value)
        held: Iterable[object] = base.values(value) if issubclass(base, dict) else base.__iter__(value)
        return held

    def _read_object(self, value: Any) -> Iterable[object]:
        kind = type(value)
        if base_of(value) is not None:
            yield from self._read_container(value)
        elif issubclass(kind, (tuple, frozenset)):
            yield from tuple.__iter__(value) if issubclass(kind, tuple) else frozenset.__iter__(value)
        with suppress(AttributeError):
            yield from self._read_container(vars(value) if issubclass(kind, threading.local) else _dict_of(value))
        slots = _slots(kind)
        if slots:
            self.variables.append(of_slots(value, slots))
            yield from self.variables[-1].read().values()
        self._kinds[kind] = None

    def _read_state(self, value: object, state: Accessors) -> Iterable[object]:
        self.variables.append(of_state(value, *state))
        return [vars(value)] if hasattr(value, "__dict__") else ()

    def _read_function(self, value: types.FunctionType) -> Iterable[object]:
        self.functions.append(value)
        return [*_defaults(value), *self._read_container(value.__dict__), *self._seen_by(value)]

    def _seen_by(self, function: types.FunctionType) -> Iterable[object]:
        """Return closure variables and global containers, because the model's hooks may fill them."""
        space = function.__globals__
        named = [space[name] for name in function.__code__.co_names if name in space]
        return [*self._cells_of(function), *[value for value in named if type(value) in EXACT]]

    def _cells_of(self, function: types.FunctionType) -> Iterable[object]:
        cells = list(map(of_cell, function.__closure__ or ()))
        self.variables += cells
        return [value for cell in cells for value in cell.read().values()]

    def _read_tensor(self, value: torch.Tensor) -> Iterable[object]:
        return self._read_container(_dict_of(value))

    def _read_type(self, value: type) -> Iterable[object]:
        self._kinds[value] = None
        return ()

    def _read_cache(self, value: Any) -> Iterable[object]:
        self.caches.append(value)
        return (value.__wrapped__,)


_LIBRARIES = sys.stdlib_module_names | {"torch", "fxsummary", "builtins", "torchgen", "functorch"}


@functools.lru_cache(maxsize=4096)
def is_users(module: str) -> bool:
    """Whether a Python module is user code: neither torch nor the standard library; ``__main__`` is user code."""
    return module.partition(".")[0] not in _LIBRARIES or module == "__main__"


def _dict_of(value: object) -> dict[str, object]:
    """Return ``vars(value)`` without calling a method of the object."""
    return object.__getattribute__(value, "__dict__")  # type: ignore[no-any-return]


def _slots(kind: type) -> dict[str, types.MemberDescriptorType]:
    return {
        name: member
        for each in reversed(kind.__mro__)
        for name, member in vars(each).items()
        if type(member) is types.MemberDescriptorType and is_users(each.__module__)
    }


def _defaults(function: types.FunctionType) -> Iterable[object]:
    return [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _nothing(_: Inside, value: object) -> Iterable[object]:
    """Read a type whose instances contain nothing that forward could fill."""
    return ()


def _attributes(*names: str) -> Reader:
    """Return a reader for a type whose instances hold values in these attributes."""
    return lambda _, value: [getattr(value, name) for name in names if hasattr(value, name)]


def _reader(kind: type) -> Reader:
    """Return the reader for instances of a type."""
    state = accessors(kind)
    if state is not None:
        return lambda inside, value: inside._read_state(value, state)
    for kinds, read in _KINDS:
        if issubclass(kind, kinds):
            return read
    is_object = issubclass(kind, _OBJECTS) or kind in _PLAIN_OBJECTS or is_users(kind.__module__)
    return Inside._read_object if is_object else _nothing


_OBJECTS = (nn.Module, dict, list, set, deque, tuple, frozenset)
_PLAIN_OBJECTS = (types.SimpleNamespace, argparse.Namespace, threading.local)
_HOLDS_NOTHING: tuple[type, ...] = (
    torch.Size,
    torch.jit.ScriptModule,
    types.ModuleType,
    types.CodeType,
    weakref.ref,
    enum.Enum,
    BaseException,
)
_METHODS = frozenset({staticmethod, classmethod, property, functools.cached_property})
_KINDS: tuple[tuple[type | tuple[type, ...], Reader], ...] = (
    (_HOLDS_NOTHING, _nothing),
    (torch.Tensor, Inside._read_tensor),
    (type, Inside._read_type),
    (types.FunctionType, Inside._read_function),
    (types.MethodType, _attributes("__self__", "__func__")),
    (types.BuiltinMethodType, _attributes("__self__")),
    (functools.partial, lambda _, value: (value.func, *value.args, *value.keywords.values())),
    (tuple(_METHODS), _attributes("__func__", "fget", "fset", "func")),
    (functools._lru_cache_wrapper, Inside._read_cache),
)
_READERS: dict[type, Reader] = {
    **dict.fromkeys(EXACT, Inside._read_container),
    torch.Tensor: Inside._read_tensor,
    tuple: lambda _, value: value,
    frozenset: lambda _, value: value,
}
_ATOMS = ATOMS | {bytes, nn.Parameter, types.ModuleType, types.CodeType}
