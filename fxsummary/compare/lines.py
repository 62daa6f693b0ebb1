"""Summarize a comparison for reviewers: the changed modules and operations, as a tree of lines.

A module that was added, removed or moved as a whole is one line, and so is a run of identical modules. An operation
that differs only as a result of another change (its output shape, its FLOPs) is counted, not listed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fxsummary.compare.union import costs, module_change
from fxsummary.graph.changes import BECAME, Comparison, describe, follows
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import summed
from fxsummary.text.numbers import relative_path
from fxsummary.views.blocks import Block, Item, block_tree, operations
from fxsummary.views.fold import fold_repeats
from fxsummary.views.scalars import hide_scalars

Costs = tuple["int | None", "int | None"]


@dataclass(slots=True)
class Line:
    """A module, a run of modules or an operation that changed.

    Attributes:
        change: added, removed, changed or moved; "" for a remark.
        name: path relative to the parent line; path: path from the model.
        text: description, or the differences.
        parameters, flops: totals inside, before and after; None if unknown.
        source: ``file:line``, "" if unknown.
        is_run: whether the number of siblings in it changed.
    """

    change: str
    name: str
    text: str
    path: str = ""
    parameters: Costs = (0, 0)
    flops: Costs = (0, 0)
    source: str = ""
    is_run: bool = False
    children: list[Line] = field(default_factory=list)


def changed_lines(graph: ModelGraph) -> list[Line]:
    """Return the lines of a compared graph; none if both models are equal."""
    comparison = graph.comparison
    assert comparison is not None, "the graph is not a comparison"
    shown = hide_scalars(graph)
    hidden = sum(change != "same" for key, change in graph.nodes(data="change") if key not in shown)
    folded = fold_repeats(shown)
    lines = _Lines(folded, comparison).inside(block_tree(folded), "")
    if hidden:
        lines.append(Line("", "", f"{_operations(hidden)} without tensor results, such as sizes, changed"))
    unread = comparison.before.unread_parameters, comparison.after.unread_parameters
    if unread[0] != unread[1]:
        lines.append(Line("changed", "", "parameters never read", parameters=unread))
    return lines


class _Lines:
    """Builds the lines of a compared graph with folded repeats."""

    def __init__(self, graph: ModelGraph, comparison: Comparison) -> None:
        self._graph = graph
        self._calls = comparison.calls
        self._runs = comparison.runs_by_path

    def inside(self, block: Block, base: str) -> list[Line]:
        """Return the lines of the changes directly in a block, with paths relative to ``base``."""
        lines: list[Line] = []
        groups: dict[str, Line] = {}
        following: list[str] = []
        found = [line for item in block.items if (line := self._line(item, base, following)) is not None]
        for line in _exchanged(found):
            holder = line.path.rpartition(".")[0]
            if holder not in self._runs or holder == block.path:
                lines.append(line)
                continue
            if holder not in groups:
                text = ", ".join(map(str, self._runs[holder]))
                groups[holder] = Line("changed", relative_path(holder, base), text, holder, is_run=True)
                lines.append(groups[holder])
            line.name = relative_path(line.name, groups[holder].name)
            groups[holder].children.append(line)
        for group in groups.values():
            group.parameters = _sum([line.parameters for line in group.children])
            group.flops = _sum([line.flops for line in group.children])
        if following:
            flops = costs(self._graph, following, "flops")
            lines.append(Line("", "", self._counted(following), block.path, (0, 0), flops))
        return lines

    def _line(self, item: Item, base: str, following: list[str]) -> Line | None:
        """Return the line of an operation or a block; None if it is the same, or only counted as a consequence."""
        changed = self._changed(item)
        flops = costs(self._graph, changed, "flops")
        if self._follow(changed) and (isinstance(item, str) or flops[0] == flops[1]):
            following += [key for key in changed if self._graph.nodes[key]["op"] != "output"]
            return None
        if not changed:
            return None
        return self._of_block(item, base) if isinstance(item, Block) else self._of_operation(item, base)

    def _of_block(self, block: Block, base: str) -> Line:
        found = module_change(self._graph, block, self._calls)
        was = f" (was {found.was})" if found.was else ""
        text = (found.type if block.call else block.type) + block.copied
        line = Line(found.change, block.name_from(base), text, block.path, found.parameters, found.flops)
        line.source = next(filter(None, [self._graph.nodes[key]["source"] for key in block.operations()]), "")
        if found.change == "moved":
            line.text += was
        elif found.change == "changed" and self._follow(changed := self._changed(block)):
            line.text += f": {self._counted(changed)}"
        elif found.change == "changed":
            runs = self._runs.get(block.path, ())
            line.text += "".join(f": {run}" for run in runs) + was
            line.is_run = bool(runs)
            line.children = self.inside(block, block.path if block.call else base)
        return line

    def _of_operation(self, key: str, base: str) -> Line:
        data = self._graph.nodes[key]
        own = data["target"] if data["op"] in ("call_module", "get_attr", "placeholder") else ""
        parameters, flops = costs(self._graph, [key], "parameters"), costs(self._graph, [key], "flops")
        name, text = relative_path(own, base), describe(data)
        return Line(data["change"], name, text, own or data["module"], parameters, flops, data["source"])

    def _changed(self, item: Item) -> list[str]:
        return [key for key in operations([item]) if self._graph.nodes[key]["change"] != "same"]

    def _follow(self, changed: list[str]) -> bool:
        """Return whether operations changed only as a result of other changes."""
        return bool(changed) and all(follows(self._graph.nodes[key]) for key in changed)

    def _counted(self, keys: list[str]) -> str:
        count = sum(self._graph.nodes[key]["multiplicity"] for key in keys)
        return f"{_operations(count)} changed only in shapes or FLOPs"


def _exchanged(lines: list[Line]) -> list[Line]:
    """Return the lines; a replacement under the same name is one line together with the item that it replaces."""
    joined: list[Line] = []
    for line in lines:
        before = joined[-1] if joined else line
        if (before.change, line.change) == ("removed", "added") and line.name and line.name == before.name:
            joined.pop()
            line.change, line.text = "changed", f"{before.text} {BECAME} {line.text}"
            line.parameters = before.parameters[0], line.parameters[1]
            line.flops = before.flops[0], line.flops[1]
        joined.append(line)
    return joined


def _sum(pairs: list[Costs]) -> Costs:
    before, after = zip(*pairs, strict=True)
    return summed(before), summed(after)


def _operations(count: int) -> str:
    return f"{count:,} operation{'s' * (count != 1)}"
