"""Finds objects outside the model that its code can reach: globals, closures, caches."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator

from fxsummary.capture.restore.containers import EXACT
from fxsummary.capture.restore.inside import Inside, is_users
from fxsummary.capture.restore.variables import Accessors, of_class


class Outside(Inside):
    """Everything that the functions and methods of an `Inside` can reach beyond it."""

    def __init__(self, inside: Inside) -> None:
        super().__init__(())
        self.seen = dict(inside.seen)
        self.classes = dict(inside.classes)
        self._most = len(self.seen) + MOST
        self.caches += inside.caches
        self._methods_of = list(map(vars, inside.classes))
        self._spaces: set[int] = set()
        self._resolved: set[str] = set()
        self.functions += inside.functions
        self._resolve(("forward", "__call__"))
        for _ in range(_DEPTH):
            functions, self.functions = self.functions, []
            for function in functions:
                self._follow(function)
        while self._kinds:
            self._add_class(self._kinds.popitem()[0])
            self._walk()

    def _seen_by(self, function: types.FunctionType) -> Iterable[object]:
        """Return nothing, because `_follow` adds these values."""
        return ()

    def _read_state(self, value: object, state: Accessors) -> Iterable[object]:
        """Return nothing, because a state cannot contain a proxy and may be a large array."""
        return ()

    def _add_class(self, kind: type) -> None:
        """Add the containers among a class's own attributes."""
        if kind not in self.classes and is_users(kind.__module__):
            self.classes[kind] = None
            self.variables.append(of_class(kind))
            self._add([value for value in vars(kind).values() if type(value) in EXACT])

    def _follow(self, function: types.FunctionType) -> None:
        """Add what a function can reach: its globals, its closure, and what its code names there."""
        space = function.__globals__
        if not is_users(space.get("__name__") or ""):
            return
        if id(space) not in self._spaces:
            self._spaces.add(id(space))
            self.containers.append(space)
        self._add(self._cells_of(function))
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


MOST = 5_000
"""Maximum number of objects to visit, nearest first, because a name may lead to a whole application."""

_DEPTH = 3
"""Depth of calls to follow from forward."""


def _names(code: types.CodeType) -> Iterator[str]:
    """Yield the names that a function's code uses, including its nested functions."""
    yield from code.co_names
    for constant in code.co_consts:
        if type(constant) is types.CodeType:
            yield from _names(constant)
