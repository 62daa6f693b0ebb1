"""Finds everything that a model holds: attributes of modules, containers and objects to any depth, and their classes.

None of the user's code runs: attributes are read from ``vars``, never through properties.
"""

from __future__ import annotations

import argparse
import enum
import functools
import sys
import threading
import types
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import torch
from torch import nn

from fxsummary.capture.restore.variables import Cell, ClassAttributes, Slots, Variables

CONTAINERS: Any = (dict, list, set, deque)


class Inside:
    """What the roots hold, to any depth.

    Attributes:
        containers: dicts (those of attributes included), lists, sets and deques that hold something.
        empty: those that hold nothing.
        variables: what holds values without a dict: classes, slots, cells.
        functions: functions that modules and objects hold; those in attributes of classes are left out.
        caches: ``lru_cache`` functions met on the way.
    """

    def __init__(self, modules: Iterable[nn.Module], roots: Iterable[Any] = ()) -> None:
        self.containers: list[Any] = []
        self.empty: list[Any] = []
        self.variables: list[Variables] = []
        self.functions: list[types.FunctionType] = []
        self.caches: list[Any] = []
        self.classes: dict[type, None] = {}
        self._kinds: dict[type, None] = {}
        self.seen: dict[int, Any] = {}
        self._most = sys.maxsize
        self._values: list[Any] = []
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
        """As `_add` for each, but fast: most of their attributes are empty containers."""
        self.seen.update((id(module), module) for module in modules)
        attributes = list(map(vars, modules))
        self.containers += attributes
        atoms = self._atoms
        held = [value for each in attributes for value in each.values() if type(value) not in atoms]
        self.empty += [value for value in held if type(value) in EXACT and not value]
        self._values += [value for value in held if type(value) not in EXACT or value]
        for name in ("_modules", "_parameters", "_buffers"):
            own = [each[name] for each in attributes if type(each.get(name)) is dict and each[name]]
            self.containers += own
            self.seen.update((id(each), each) for each in own)
            if name != "_modules":
                self._add_attributes_of([tensor for each in own for tensor in each.values()])
        self._kinds.update(dict.fromkeys(map(type, modules)))

    def _add_attributes_of(self, tensors: Iterable[torch.Tensor | None]) -> None:
        attributes = [tensor.__dict__ for tensor in tensors if tensor is not None]
        self.empty += [each for each in attributes if not each]
        self.containers += [each for each in attributes if each]
        for each in attributes:
            if each:
                self._add(each.values())

    def _add(self, values: Iterable[Any]) -> None:
        atoms = self._atoms
        self._values += [value for value in values if type(value) not in atoms]

    def _walk(self) -> None:
        values, seen = self._values, self.seen
        for value in values:  # grows, the nearest first
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
            read(self, value)
        self._values = []

    def _add_class(self, kind: type) -> None:
        for each in kind.__mro__:
            if each not in self.classes and is_users(each.__module__):
                self.classes[each] = None
                self.variables.append(ClassAttributes(each))
                for value in vars(each).values():
                    if type(value) is types.FunctionType:
                        self._add_defaults(value)
                    elif type(value) not in _METHODS:
                        self._add((value,))

    # --- readers, by type --------------------------------------------------------------------------

    def _read_container(self, value: Any) -> None:
        if not len(value):
            self.empty.append(value)
            return
        self.containers.append(value)
        kind = next(each for each in CONTAINERS if isinstance(value, each))
        self._add(dict.values(value) if kind is dict else kind.__iter__(value))

    def _read_object(self, value: Any) -> None:
        kind = type(value)
        if issubclass(kind, CONTAINERS):
            self._read_container(value)
        elif issubclass(kind, (tuple, frozenset)):
            self._add(tuple.__iter__(value) if issubclass(kind, tuple) else frozenset.__iter__(value))
        with suppress(AttributeError):
            attributes = (
                vars(value) if issubclass(kind, threading.local) else object.__getattribute__(value, "__dict__")
            )
            self._read_container(attributes)
        slots = _slots(kind)
        if slots:
            variables = Slots(value, slots)
            self.variables.append(variables)
            self._add(variables.read().values())
        self._kinds[kind] = None

    def _read_items(self, value: Any) -> None:
        self._add(value)

    def _add_defaults(self, function: types.FunctionType) -> None:
        if function.__defaults__:
            self._add(function.__defaults__)
        if function.__kwdefaults__:
            self._add(function.__kwdefaults__.values())

    def _read_function(self, value: types.FunctionType) -> None:
        self.functions.append(value)
        self._add_defaults(value)
        self._read_container(value.__dict__)
        self._add_seen_by(value)

    def _add_seen_by(self, function: types.FunctionType) -> None:
        """Variables of enclosing functions and global containers: the model's hooks may fill them."""
        self._add_cells(function)
        space = function.__globals__
        named = [space[name] for name in function.__code__.co_names if name in space]
        self._add([value for value in named if type(value) in EXACT])

    def _add_cells(self, function: types.FunctionType) -> None:
        for cell in function.__closure__ or ():
            variable = Cell(cell)
            self.variables.append(variable)
            self._add(variable.read().values())

    def _read_tensor(self, value: torch.Tensor) -> None:
        self._read_container(_dict_of(value))

    def _read_method(self, value: types.MethodType) -> None:
        self._add((value.__self__, value.__func__))

    def _read_builtin(self, value: types.BuiltinMethodType) -> None:
        self._add((value.__self__,))

    def _read_partial(self, value: functools.partial[Any]) -> None:
        self._add((value.func, *value.args, *value.keywords.values()))

    def _read_descriptor(self, value: Any) -> None:
        names = ("__func__", "fget", "fset", "func")
        self._add([getattr(value, name) for name in names if hasattr(value, name)])

    def _read_type(self, value: type) -> None:
        self._kinds[value] = None

    def _read_cache(self, value: Any) -> None:
        self.caches.append(value)
        self._add((value.__wrapped__,))


_LIBRARIES = sys.stdlib_module_names | {"torch", "fxsummary", "builtins", "torchgen", "functorch"}


@functools.lru_cache(maxsize=4096)
def is_users(module: str) -> bool:
    """Whether a module of Python is neither torch nor of the standard library; ``__main__`` is the user's."""
    return module.partition(".")[0] not in _LIBRARIES or module == "__main__"


def _dict_of(value: Any) -> dict[str, Any]:
    """``vars`` without asking the object."""
    return object.__getattribute__(value, "__dict__")  # type: ignore[no-any-return]


def _slots(kind: type) -> dict[str, Any]:
    return {
        name: member
        for each in reversed(kind.__mro__)
        for name, member in vars(each).items()
        if type(member) is types.MemberDescriptorType and is_users(each.__module__)
    }


def _nothing(_: Inside, value: Any) -> None:
    """Instances of this type hold nothing that a forward could fill."""


def _reader(kind: type) -> Callable[[Inside, Any], None]:
    """How to read instances of a type."""
    for kinds, read in _KINDS:
        if issubclass(kind, kinds):
            return read
    if issubclass(kind, nn.Module) or kind in _PLAIN_OBJECTS or kind in EXACT:
        return Inside._read_object
    if issubclass(kind, (*CONTAINERS, tuple, frozenset)) or is_users(kind.__module__):
        return Inside._read_object
    return _nothing


_PLAIN_OBJECTS = (types.SimpleNamespace, argparse.Namespace, threading.local)
EXACT = frozenset({dict, OrderedDict, list, set, deque})
_HOLDS_NOTHING: Any = (
    torch.Size,
    torch.jit.ScriptModule,
    types.ModuleType,
    types.CodeType,
    weakref.ref,
    enum.Enum,
    BaseException,
)
_KINDS: tuple[tuple[Any, Callable[[Inside, Any], None]], ...] = (
    (_HOLDS_NOTHING, _nothing),
    (torch.Tensor, Inside._read_tensor),
    (type, Inside._read_type),
    (types.FunctionType, Inside._read_function),
    (types.MethodType, Inside._read_method),
    (types.BuiltinMethodType, Inside._read_builtin),
    (functools.partial, Inside._read_partial),
    ((staticmethod, classmethod, property, functools.cached_property), Inside._read_descriptor),
    (functools._lru_cache_wrapper, Inside._read_cache),
)
_METHODS = frozenset({staticmethod, classmethod, property, functools.cached_property})
_READERS: dict[type, Callable[[Inside, Any], None]] = {
    **dict.fromkeys(EXACT, Inside._read_container),
    tuple: Inside._read_items,
    frozenset: Inside._read_items,
}
_ATOMS: set[type] = {int, float, str, bool, bytes, complex, type(None), torch.dtype, torch.device, torch.Size}
_ATOMS |= {nn.Parameter, types.ModuleType, types.CodeType}
