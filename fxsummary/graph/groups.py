"""Groups of modules with equal formulas, so that repeated blocks are shown once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fxsummary.graph.formula import Formula
from fxsummary.text.numbers import relative_path

_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")


class Group(NamedTuple):
    """Sibling modules with paths that differ only in numbers, and with equal formulas.

    Attributes:
        path: the path of the first.
        shown: the path with ``*`` for numbers, of this group and of those around it.
        times: how many they are.
    """

    path: str
    shown: str
    times: int

    @property
    def copied(self) -> str:
        """The path with the number of modules, such as "layer.* ×12"."""
        return f"{self.shown} ×{self.times}" if self.times > 1 else self.shown


TOP = Group("", "", 1)
"""The model itself."""


def groups_of(formulas: Mapping[str, Formula]) -> Iterator[tuple[Group, Group]]:
    """Yield each group of modules with the group around it, from the top; those that cost nothing are left out."""
    children = _children(formulas)
    waiting = [TOP]
    while waiting:
        parent = waiting.pop(0)
        for group in inside(formulas, children, parent):
            yield parent, group
            waiting.append(group)


def _children(formulas: Mapping[str, Formula]) -> dict[str, list[str]]:
    """Return the modules directly inside each module, of those that have formulas."""
    children: dict[str, list[str]] = {path: [] for path in formulas}
    for path in formulas:
        parent = path
        while parent:
            parent = parent.rpartition(".")[0]
            if parent in children:
                children[parent].append(path)
                break
    return children


def inside(formulas: Mapping[str, Formula], children: Mapping[str, list[str]], parent: Group) -> list[Group]:
    """Return the groups of modules directly inside a module."""
    members: dict[tuple[str, object], list[str]] = {}
    for path in children[parent.path]:
        formula = formulas[path]
        if not formula.is_zero:
            pattern = _NUMBER.sub("*", relative_path(path, parent.path))
            members.setdefault((pattern, formula.key), []).append(path)
    found = []
    for (pattern, _), paths in members.items():
        own = pattern if len(paths) > 1 else relative_path(paths[0], parent.path)
        found.append(Group(paths[0], f"{parent.shown}.{own}".lstrip("."), len(paths)))
    return found


class Leaf(NamedTuple):
    """A group of modules that is not opened further.

    Attributes:
        path: the path of its first module.
        copied: the path with ``*`` for numbers, with the number of all copies.
        all_times: that number.
    """

    path: str
    copied: str
    all_times: int


def leaves_of(formulas: Mapping[str, Formula], depth: int) -> Iterator[Leaf]:
    """Yield the groups of modules at a number of levels, counted without modules that contain only one other group."""
    below: dict[Group, list[Group]] = {}
    for parent, group in groups_of(formulas):
        below.setdefault(parent, []).append(group)
    waiting = [(each, 1, 1) for each in below.get(TOP, ())]
    while waiting:
        group, level, around = waiting.pop()
        inner = below.get(group, [])
        if inner and (level < depth or len(inner) == 1):
            deeper = level + (len(inner) > 1 or group.times > 1)
            waiting += [(each, deeper, around * group.times) for each in inner]
        else:
            times = around * group.times
            yield Leaf(group.path, f"{group.shown} ×{times}" if times > 1 else group.shown, times)
