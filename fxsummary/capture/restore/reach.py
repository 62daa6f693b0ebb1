"""Finds everything that forward can change: what the model contains, and what its code reaches beyond that.

No user code runs: attributes are read from ``vars``, never through properties.
"""

from __future__ import annotations

import argparse
import enum
import functools
import gc
import random
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from fxsummary.capture.restore.holders import (
    CELL,
    EXACT,
    Variables,
    base_of,
    dict_of,
    is_users,
    items,
    of_class,
    of_slots,
    of_state,
    slots_of,
    state_of,
)
from fxsummary.capture.structures import ATOMS

MOST = 5_000
"""Maximum number of objects to visit outside, nearest first, because a name may lead to a whole application."""

_DEPTH = 3
"""Depth of calls to follow from forward."""

Reader = Callable[["Reach", Any], Iterable[object]]
"""Registers a value, and returns the values that it contains."""


@dataclass
class Found:
    """Holders of values.

    Attributes:
        containers: non-empty dicts (including ``__dict__``), lists, sets and deques.
        empty: empty containers.
        variables: places that hold values without a dict: classes, slots, closure variables, states.
    """

    containers: list[object] = field(default_factory=list)
    empty: list[object] = field(default_factory=list)
    variables: list[Variables] = field(default_factory=list)


class Reach:
    """Everything that modules and further roots contain, to any depth, and what their functions can reach.

    Attributes:
        inside: what modules and roots contain, with its classes.
        outside: what code reaches beyond it: globals, closures, the objects that these hold.
        caches: ``lru_cache`` functions.
    """

    def __init__(self, modules: Iterable[nn.Module], roots: Iterable[object] = ()) -> None:
        self.inside, self.outside = Found(), Found()
        self.caches: list[Any] = []
        self._found = self.inside
        self._functions: list[types.FunctionType] = []
        self._classes: dict[type, None] = {}
        self._kinds: dict[type, None] = {}
        self._seen: dict[int, object] = {}
        self._most = sys.maxsize
        self._values: list[object] = []
        self._atoms = set(_ATOMS)
        self._readers = dict(_READERS)
        self._add_modules(modules)
        self._add(roots)
        self._walk()
        functions = list(self._functions)  # without those in class attributes, which are followed by name
        self._walk_classes()
        self._go_outside(functions)

    def _add_modules(self, modules: Iterable[nn.Module]) -> None:
        """Add modules; faster than `_add`, because most attributes of a module are empty containers."""
        self._seen.update((id(module), module) for module in modules)
        attributes = list(map(vars, modules))
        self._found.containers += attributes
        atoms = self._atoms
        held = [value for each in attributes for value in each.values() if type(value) not in atoms]
        own = [each["_parameters"] for each in attributes if type(each.get("_parameters")) is dict]
        held += [parameter.__dict__ for each in own for parameter in each.values() if parameter is not None]
        self._found.empty += [value for value in held if type(value) in EXACT and not value]
        self._values += [value for value in held if type(value) not in EXACT or value]
        self._kinds.update(dict.fromkeys(map(type, modules)))

    def _add(self, values: Iterable[object]) -> None:
        atoms = self._atoms
        self._values += [value for value in values if type(value) not in atoms]

    def _walk(self) -> None:
        values, seen = self._values, self._seen
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

    def _walk_classes(self) -> None:
        """Add the attributes of the user's classes; outside, only the containers among them."""
        is_inside = self._found is self.inside
        while self._kinds:
            kind, _ = self._kinds.popitem()
            for each in kind.__mro__ if is_inside else (kind,):
                if each in self._classes or not is_users(each.__module__):
                    continue
                self._classes[each] = None
                self._found.variables.append(of_class(each))
                for value in vars(each).values():
                    if is_inside and type(value) is types.FunctionType:
                        self._add(_defaults(value))
                    elif type(value) in EXACT or (is_inside and type(value) not in _METHODS):
                        self._add((value,))
            self._walk()

    # --- what code reaches ---------------------------------------------------------------------

    def _go_outside(self, functions: list[types.FunctionType]) -> None:
        self._found = self.outside
        self._most = len(self._seen) + MOST
        self._functions = functions
        self._methods_of = list(map(vars, self._classes))
        self._resolved: set[str] = set()
        self._resolve(("forward", "__call__"))
        for _ in range(_DEPTH):
            functions, self._functions = self._functions, []
            for function in functions:
                self._follow(function)
        self._walk_classes()

    def _follow(self, function: types.FunctionType) -> None:
        """Add what a function can reach: its globals, its closure, and what its code names there."""
        space = function.__globals__
        if not is_users(space.get("__name__") or ""):
            return
        if id(space) not in self._seen:
            self._seen[id(space)] = space
            self._found.containers.append(space)
        self._add(self._closure_of(function))
        names = set(_names(function.__code__))
        spaces = [space]
        for each in spaces:  # grows during the loop: `package.module.function` leads from one module to the next
            found = [each[name] for name in names if name in each]
            self._add(found)
            modules = [value for value in found if type(value) is types.ModuleType and is_users(value.__name__)]
            spaces += [vars(module) for module in modules if not any(vars(module) is known for known in spaces)]
        self._walk()
        self._resolve(names)

    def _resolve(self, names: Iterable[str]) -> None:
        """Add the methods with these names, for each class that the model contains instances of."""
        new = [name for name in names if name not in self._resolved]
        self._resolved.update(new)
        for methods in self._methods_of:
            self._add([methods[name] for name in new if name in methods])
        self._walk()

    # --- readers, by type; each returns the values that a value contains -----------------------

    def _read_container(self, value: Any) -> Iterable[object]:
        if not len(value):
            self._found.empty.append(value)
            return ()
        self._found.containers.append(value)
        return items(value)  # type: ignore[no-any-return]

    def _read_object(self, value: Any) -> Iterable[object]:
        kind = type(value)
        if base_of(value) is not None:
            yield from self._read_container(value)
        elif issubclass(kind, (tuple, frozenset)):
            yield from gc.get_referents(value)
        with suppress(AttributeError):
            yield from self._read_container(vars(value) if issubclass(kind, threading.local) else dict_of(value))
        slots = slots_of(kind)
        if slots:
            yield from self._read_variables(of_slots(value, slots))
        self._kinds[kind] = None

    def _read_state(self, value: object) -> Iterable[object]:
        state = state_of(type(value))
        if state is not None and self._found is self.inside:  # a state contains no proxy, and may be a large array
            self._found.variables.append(of_state(value, *state))
            if hasattr(value, "__dict__"):
                return (vars(value),)
        return ()

    def _read_variables(self, variables: Variables) -> Iterable[object]:
        self._found.variables.append(variables)
        return variables.read().values()

    def _read_function(self, value: types.FunctionType) -> Iterable[object]:
        self._functions.append(value)
        yield from _defaults(value)
        yield from self._read_container(value.__dict__)
        if self._found is self.inside:  # the model's hooks may fill closures and global containers
            space = value.__globals__
            named = [space[name] for name in value.__code__.co_names if name in space]
            yield from [*self._closure_of(value), *[each for each in named if type(each) in EXACT]]

    def _closure_of(self, function: types.FunctionType) -> list[object]:
        cells = [of_slots(cell, CELL) for cell in function.__closure__ or ()]
        return [value for cell in cells for value in self._read_variables(cell)]

    def _read_type(self, value: type) -> Iterable[object]:
        self._kinds[value] = None
        return ()

    def _read_cache(self, value: Any) -> Iterable[object]:
        self.caches.append(value)
        return (value.__wrapped__,)


def _names(code: types.CodeType) -> Iterator[str]:
    """Yield the names that a function's code uses, including its nested functions."""
    yield from code.co_names
    for constant in code.co_consts:
        if type(constant) is types.CodeType:
            yield from _names(constant)


def _defaults(function: types.FunctionType) -> Iterable[object]:
    return [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _nothing(_: Reach, value: object) -> Iterable[object]:
    """Read a type whose instances contain nothing that forward could fill."""
    return ()


def _reader(kind: type) -> Reader:
    """Return the reader for instances of a type."""
    for kinds, read in _KINDS:
        if issubclass(kind, kinds):
            return read
    if state_of(kind) is not None:
        return Reach._read_state
    return Reach._read_object if issubclass(kind, _OBJECTS) or is_users(kind.__module__) else _nothing


_METHODS = frozenset({staticmethod, classmethod, property, functools.cached_property})
_OBJECTS = (nn.Module, *EXACT, tuple, frozenset, types.SimpleNamespace, argparse.Namespace, threading.local)
_HOLD_NOTHING: tuple[type, ...] = (
    torch.Size, torch.jit.ScriptModule, types.ModuleType, types.CodeType, weakref.ref, enum.Enum, BaseException,
    random.SystemRandom,
)  # fmt: skip
_REFER: tuple[type, ...] = (types.MethodType, types.BuiltinMethodType, functools.partial, *_METHODS)
_KINDS: tuple[tuple[type | tuple[type, ...], Reader], ...] = (
    (_HOLD_NOTHING, _nothing),
    (torch.Tensor, lambda reach, value: reach._read_container(dict_of(value))),
    (type, Reach._read_type),
    (types.FunctionType, Reach._read_function),
    (functools._lru_cache_wrapper, Reach._read_cache),
    (_REFER, lambda _, value: gc.get_referents(value)),
)
_READERS: dict[type, Reader] = {
    **dict.fromkeys(EXACT, Reach._read_container),
    **dict.fromkeys((tuple, frozenset), lambda _, value: value),
}
_ATOMS = ATOMS | {bytes, nn.Parameter, types.ModuleType, types.CodeType}
