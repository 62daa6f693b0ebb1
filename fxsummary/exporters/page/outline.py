"""The modules of a folded graph: their blocks, and the modules that are copies of others."""

from __future__ import annotations

from dataclasses import dataclass, field

from fxsummary.graph.modelgraph import ModelGraph, Totals
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.fold import fold_repeats
from fxsummary.views.idioms import merge_idioms
from fxsummary.views.simplify import simplify
from fxsummary.views.unread import with_unread


@dataclass(slots=True)
class Outline:
    """The views of a graph for the page, and its modules.

    Attributes:
        graph: the captured graph; totals: its totals.
        folded: the graph simplified, with repeats folded and idioms merged.
        blocks: the first call of each module that contains operations, by path; "" is the model itself.
        copy_of: path of the module that is drawn for each folded copy, by the path of the copy.
        last: path of the last copy of each module that represents several.
        copies: number of modules that each module represents, including copies of its parents; 1 if missing.
        modules, operations: the numbers of the page's modules and operations, by path and by key.
    """

    graph: ModelGraph
    totals: Totals
    folded: ModelGraph
    blocks: dict[str, Block] = field(default_factory=dict)
    copy_of: dict[str, str] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    copies: dict[str, int] = field(default_factory=dict)
    modules: dict[str, int] = field(default_factory=dict)
    operations: dict[str, int] = field(default_factory=dict)

    def stands_for(self, path: str) -> int:
        """Return the number of modules of the model that a module represents."""
        while path and path not in self.copies:
            path = path.rpartition(".")[0]
        return self.copies.get(path, 1)

    def drawn(self, path: str) -> str:
        """Return the path of the module that is drawn for a module, which may be a folded copy or inside one."""
        inside = path
        while inside and inside not in self.copy_of:
            inside = inside.rpartition(".")[0]
        return self.drawn(self.copy_of[inside] + path[len(inside) :]) if inside else path

    def number(self, key: str) -> int | None:
        """Return the number of an operation of the captured graph on the page, or -1 minus that of its module.

        An operation in a folded copy has the number of the module that is drawn for its module.
        """
        if key in self.operations:
            return self.operations[key]
        path = self.drawn(self.graph.nodes[key]["module"]) if key in self.graph else ""
        while path and path not in self.modules:
            path = path.rpartition(".")[0]
        return -1 - self.modules[path] if path else None

    def is_copy(self, path: str) -> bool:
        """Return whether a module is one of the folded copies, or inside one."""
        parts = path.split(".")
        return any(".".join(parts[:length]) in self.copy_of for length in range(1, len(parts) + 1))


def outline(graph: ModelGraph) -> Outline:
    """Build the outline of a graph; the graph is not changed."""
    simple = simplify(with_unread(graph))
    found = Outline(graph, graph.totals, merge_idioms(fold_repeats(simple, similar=True)))
    root = block_tree(found.folded)
    for block in root.walk():
        if not block.is_pattern:
            found.blocks.setdefault(block.path, block)
    for path, copies in found.folded.graph.get("module_copies", {}).items():
        others = [copy for copy in copies[1:] if copy not in found.blocks]
        if others:
            found.copy_of.update(dict.fromkeys(others, path))
            found.copies[path] = 1 + len(others)
            found.last[path] = others[-1]
    paths = [path for path in dict.fromkeys([*graph.modules, *found.blocks]) if not found.is_copy(path)]
    found.modules = {path: number for number, path in enumerate(paths)}
    found.operations = {key: number for number, key in enumerate(found.folded)}
    return found
