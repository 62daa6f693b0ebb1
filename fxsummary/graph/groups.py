"""Groups of modules with equal formulas, so that repeated blocks are shown once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fxsummary.graph.formulas import Formula
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


def groups_of(formulas: Mapping[str, Formula]) -> Iterator[tuple[Group, Group]]:
    """Yield each group of modules with the group around it, from the top; those that cost nothing are left out."""
    children = _children(formulas)
    waiting = [Group("", "", 1)]
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
