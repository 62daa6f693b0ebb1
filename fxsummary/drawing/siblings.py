"""Siblings of one kind: modules of one class with the same number of operations, which are opened or closed alike."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from itertools import accumulate

from fxsummary.drawing.compose import Picture
from fxsummary.drawing.labels import LONGEST_PATH, short
from fxsummary.drawing.names import LIKE
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.text.numbers import relative_path
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.fold.symbols import NUMBER


class Siblings:
    """The modules of a graph, each with its siblings."""

    def __init__(self, graph: ModelGraph) -> None:
        self._graph = graph
        self._root = block_tree(graph)
        chains = [chain for chain in self._root.chains() if not chain[-1].is_pattern]
        self._known: dict[int, Hashable] = {}
        self._counts = counts = dict[int, int]()
        for block in reversed([*self._root.walk()]):
            counts[id(block)] = sum(1 if isinstance(each, str) else counts[id(each)] for each in block.items)
        self._chains = {chain[-1].path: chain for chain in reversed(chains)}

    def alike(self, path: str, depth: int) -> frozenset[str]:
        """Return the paths of a module and its siblings of one kind, also in siblings of the modules around it.

        Modules around it that ``depth`` opens count alone, since it opens their siblings too.
        """
        found, *_ = self._inside(path, depth)
        return frozenset(block.path for block in found)

    def distinct(self, path: str, depth: int) -> frozenset[str]:
        """Return those of `alike` without those that have the same operations as another one, apart from sizes."""
        _, found = self._inside(path, depth)
        return frozenset(block.path for block in found)

    def name_open_ones(self, picture: Picture) -> None:
        """Add a chip with the path of an open sibling with the same operations to the rows of closed modules."""
        opened = {block.path for block in block_tree(picture.graph).walk() if not block.is_pattern}
        for row in picture.scene.rows():
            data = picture.graph.nodes[row.keys[0]]
            if "closed" in data and (like := self._like(data["target"], opened)):
                row.chips.append((f"{LIKE} {short(like, LONGEST_PATH)}", "other"))

    def _like(self, path: str, opened: Collection[str]) -> str:
        """Return the path, in the module around both, of an open sibling with the same operations; "" for none."""
        if path not in self._chains or path in opened:
            return ""
        *_, around, block = self._chains[path]
        others = [each for each in around.blocks() if each.path in opened]
        found = (each.path for each in others if self._contents(each) == self._contents(block))
        return relative_path(next(found, ""), around.path)

    def _inside(self, path: str, depth: int) -> tuple[list[Block], list[Block]]:
        """Return the blocks of `alike` and those of `distinct`."""
        chain = self._chains[path]
        levels = accumulate(not block.is_pattern for block in chain[:-1])
        start = sum(level <= depth for level in levels)
        every = distinct = [chain[start - 1]]
        for block in chain[start:]:
            every = [each for around in every for each in self._of_kind(block, around)]
            distinct = [each for around in distinct for each in self._first(self._of_kind(block, around))]
        return every, distinct

    def _first(self, blocks: list[Block]) -> list[Block]:
        """Return the blocks without those that have the same operations as one before."""
        return list({self._contents(block): block for block in reversed(blocks)}.values())[::-1]

    def _contents(self, block: Block) -> Hashable:
        """Return the class of a block, and of each operation what it is, how often it runs and what it reads inside.

        Numbers in settings are left out.
        """
        if id(block) not in self._known:
            place = {key: number for number, key in enumerate(block.operations())}
            found: list[Hashable] = [block.type]
            for key in place:
                data = self._graph.nodes[key]
                settings = NUMBER.sub("#", f"{data['label']} {data['config']}")
                reads = {place.get(source, -1) for source in self._graph.sources(key)}
                found.append((settings, data["multiplicity"] // block.copies, tuple(sorted(reads))))
            self._known[id(block)] = tuple(found)
        return self._known[id(block)]

    def _of_kind(self, block: Block, around: Block) -> list[Block]:
        """Return the blocks directly in one that have the class and the number of operations of another."""
        kind, counts = (block.type, self._counts[id(block)]), self._counts
        return [each for each in around.blocks() if (each.type, counts[id(each)]) == kind]
