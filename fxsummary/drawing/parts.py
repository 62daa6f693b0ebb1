"""Which modules get a frame: single children, wrappers and one-row modules lose theirs; broadcasts are cut."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

WRAPPERS = frozenset({"Sequential", "ModuleList", "ModuleDict", "Encoder"})
WRAPPER_SHARE = 0.6
BROADCAST = 4
"""A value that this many sibling groups read is shown in each of them by name."""

DEEP = 4
"""Modules around a value, the page included, from which on its way to the output is not drawn."""


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


def dissolve(root: Part, rows: Callable[[Part], int], *, tight: bool = False) -> None:
    """Take away frames that say nothing: around one child, or around what fits in one row.

    Args:
        rows: number of rows of a part that is one table, 0 for others.
        tight: take away those of containers around one table too.
    """
    for part in reversed(list(root.walk())):
        items: list[str | Part] = []
        for item in part.items:
            small = (
                isinstance(item, Part) and item.repeat == 1 and (len(item.items) == 1 or _is_small(item, rows, tight))
            )
            items.extend(item.items if isinstance(item, Part) and small else [item])
        part.items = items
    _open_wrappers(root)


def _is_small(part: Part, rows: Callable[[Part], int], tight: bool) -> bool:
    number = rows(part)
    return number == 1 or (number > 1 and tight and part.type in WRAPPERS)


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


def cut_outputs(
    root: Part, edges: Iterable[tuple[str, str]], outputs: Collection[str], *, can_tell: Callable[[str], bool]
) -> tuple[list[tuple[str, str]], frozenset[str]]:
    """Take away edges to the outputs that come from deep inside or do not else leave a repeated module, as of caches.

    Returns the edges that stay and the sources of the others, whose rows are to say it; only of those
    for which ``can_tell`` holds. At least one edge to an output stays.
    """
    edges = list(edges)
    chains = _chains(root)
    ends = [edge for edge in edges if edge[1] in outputs]

    readers: dict[str, list[str]] = {}
    for source, target in edges:
        readers.setdefault(source, []).append(target)

    def is_deep(key: str) -> bool:
        chain = chains[key]
        repeated = next((part for part in chain if part.repeat > 1), None)
        kept = all(reader in outputs or repeated in chains[reader] for reader in readers[key])
        return can_tell(key) and (kept if repeated is not None else len(chain) >= DEEP)

    cut = {edge for edge in ends if is_deep(edge[0])}
    if len(cut) == len(ends) and ends:
        cut.discard(max(ends, key=edges.index))
    return [edge for edge in edges if edge not in cut], frozenset(source for source, _ in cut)


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
