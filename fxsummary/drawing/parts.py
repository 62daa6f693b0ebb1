"""Which modules get a frame: single children, wrappers and one-row modules lose theirs; broadcasts are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

WRAPPERS = frozenset({"Sequential", "ModuleList", "ModuleDict", "Encoder"})
WRAPPER_SHARE = 0.6
BROADCAST = 4
"""A value that this many sibling groups read is shown in each of them by name."""


@dataclass(slots=True)
class Part:
    """A module call with its operations and inner parts.

    Attributes:
        path, type: of the module; base: the path that the names inside are relative to.
        items: operations by key, and parts, in execution order.
        repeat: how many copies it stands for; last: path of the last copy.
    """

    path: str
    type: str = ""
    base: str = ""
    items: list[str | Part] = field(default_factory=list)
    repeat: int = 1
    last: str = ""

    def parts(self) -> list[Part]:
        """The direct inner parts."""
        return [item for item in self.items if isinstance(item, Part)]

    def walk(self) -> Iterator[Part]:
        """This part and all inside, parents first."""
        pending = [self]
        while pending:
            part = pending.pop()
            yield part
            pending.extend(reversed(part.parts()))

    def operations(self) -> Iterator[str]:
        """Keys of all operations inside."""
        return (item for part in self.walk() for item in part.items if isinstance(item, str))


@dataclass(frozen=True, slots=True)
class Tag:
    """A stand-in for a value that many groups read."""

    key: str
    source: str


def dissolve(root: Part, is_one_row: Callable[[Part], bool]) -> None:
    """Take away frames that say nothing: around one child, or around what fits in one row."""
    for part in reversed(list(root.walk())):
        items: list[str | Part] = []
        for item in part.items:
            small = isinstance(item, Part) and item.repeat == 1 and (len(item.items) == 1 or is_one_row(item))
            items.extend(item.items if isinstance(item, Part) and small else [item])
        part.items = items
    _open_wrappers(root)


def _open_wrappers(root: Part) -> None:
    """A container that holds most of the model is transparent."""
    total = sum(1 for _ in root.operations())
    opened = True
    while opened:
        opened = False
        items: list[str | Part] = []
        for item in root.items:
            wraps = isinstance(item, Part) and _wraps(item, total)
            items.extend(item.items if isinstance(item, Part) and wraps else [item])
            opened = opened or wraps
        root.items = items


def _wraps(part: Part, total: int) -> bool:
    if part.repeat > 1 or part.type not in WRAPPERS or len(part.items) <= 2:
        return False
    return sum(1 for _ in part.operations()) >= WRAPPER_SHARE * total


def cut_broadcasts(root: Part, edges: Iterable[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[Tag]]:
    """Replace values that many sibling groups read by a tag in each; returns the new edges and the tags."""
    edges = list(edges)
    chains = _chains(root)
    readers: dict[str, list[tuple[str, Part | None, int]]] = {}
    for source, target in edges:
        readers.setdefault(source, []).append((target, *_entered(chains[source], chains[target])))
    tags: dict[tuple[str, int], Tag] = {}
    for source, entries in readers.items():
        siblings: dict[int, dict[int, Part]] = {}
        for _, part, parent in entries:
            if part is not None:
                siblings.setdefault(parent, {})[id(part)] = part
        for parts in siblings.values():
            if len(parts) >= BROADCAST:
                for identity, part in parts.items():
                    tag = tags[source, identity] = Tag(f"tag {len(tags)}: {source}", source)
                    part.items.insert(0, tag.key)
    cut: dict[tuple[str, str], None] = {}
    for source, target in edges:
        part, _ = _entered(chains[source], chains[target])
        found = tags.get((source, id(part)))
        cut[(found.key if found else source), target] = None
    return list(cut), list(tags.values())


def _chains(root: Part) -> dict[str, tuple[Part, ...]]:
    """For each operation the parts around it, outermost first."""
    chains: dict[str, tuple[Part, ...]] = {}
    pending: list[tuple[Part, tuple[Part, ...]]] = [(root, (root,))]
    while pending:
        part, chain = pending.pop()
        for item in part.items:
            if isinstance(item, Part):
                pending.append((item, (*chain, item)))
            else:
                chains[item] = chain
    return chains


def _entered(source: tuple[Part, ...], target: tuple[Part, ...]) -> tuple[Part | None, int]:
    """The outermost part around the target that is not around the source, and the identity of its parent."""
    for depth, part in enumerate(target):
        if depth >= len(source) or source[depth] is not part:
            return part, id(target[depth - 1])
    return None, 0
