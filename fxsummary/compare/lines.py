"""Summarize a comparison for reviewers: the changed modules and operations, as a tree of lines.

A module that was added, removed or moved as a whole is one line, and items that changed in the same way are one line.
An operation that differs only as a result of another change (its output shape, its FLOPs) is counted, not listed.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from fxsummary.compare.line import Line, add_up, joined, name_between, name_of
from fxsummary.compare.union import costs, module_change
from fxsummary.graph.attributes import own_path
from fxsummary.graph.changes import BECAME, Comparison, describe, follows
from fxsummary.graph.labels import is_drop
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import Repeat
from fxsummary.text.numbers import relative_path
from fxsummary.views.blocks import Block, Item, block_tree
from fxsummary.views.blocks import operations as keys_in
from fxsummary.views.fold import fold_repeats
from fxsummary.views.scalars import hide_scalars

_FOLLOWING = "{} changed only in shapes or FLOPs"


def changed_lines(graph: ModelGraph) -> list[Line]:
    """Return the lines of a compared graph; none if both models are equal."""
    comparison = graph.comparison
    assert comparison is not None, "the graph is not a comparison"
    shown = hide_scalars(graph)
    hidden = sum(change != "same" for key, change in graph.nodes(data="change") if key not in shown)
    folded, rates = fold_repeats(shown), _rates(shown)
    lines = [*_Lines(folded, comparison, rates).inside(block_tree(folded), ""), *joined([*rates.values()])]
    if hidden:
        lines.append(Line("", "", "", count=hidden, counts="{} without tensor results, such as sizes, changed"))
    unread = comparison.before.unread_parameters, comparison.after.unread_parameters
    if unread[0] != unread[1]:
        lines.append(Line("changed", "", "parameters never read", parameters=unread))
    return lines


class _Lines:
    """Builds the lines of a compared graph with folded repeats, ``without`` some operations."""

    def __init__(self, graph: ModelGraph, comparison: Comparison, without: Container[str]) -> None:
        self._graph = graph
        self._without = without
        self._calls = comparison.calls
        self._former = {new.path: old.path for new, old in comparison.calls.items()}
        self._runs = comparison.runs_by_path
        self._repeats: dict[object, Repeat] = graph.graph.get("repeats", {})

    def inside(self, block: Block, base: str) -> list[Line]:
        """Return the lines of the changes directly in a block, with paths relative to ``base``."""
        lines: list[Line] = []
        groups: dict[str, Line] = {}
        following: list[str] = []
        for line in _exchanged(list(self._found(block.items, block, base, following))):
            holder = line.path.rpartition(".")[0]
            if holder not in self._runs or holder == block.path:
                lines.append(line)
                continue
            if holder not in groups:
                text = ", ".join(map(str, self._runs[holder]))
                groups[holder] = Line("changed", relative_path(holder, base), text, holder, is_run=True)
                lines.append(groups[holder])
            line.names = tuple([relative_path(name, groups[holder].name) for name in line.names])
            line.name = relative_path(line.name, groups[holder].name)
            groups[holder].children.append(line)
        for group in groups.values():
            group.children = joined(group.children)
            group.parameters = add_up([line.parameters for line in group.children])
            group.flops = add_up([line.flops for line in group.children])
        lines = joined(lines)
        if following:
            flops = costs(self._graph, following, "flops")
            count = self._count(following)
            lines.append(Line("", "", "", block.path, (0, 0), flops, count=count, counts=_FOLLOWING))
        return lines

    def _found(
        self, items: Sequence[Item], parent: Block, base: str, following: list[str], copies: int = 1
    ) -> Iterator[Line]:
        """Yield the lines of items that differ; operations that only follow are added to ``following``."""
        for item in items:
            changed = self._changed(item)
            flops = costs(self._graph, changed, "flops")
            if self._follow(changed) and (isinstance(item, str) or flops[0] == flops[1]):
                following += [key for key in changed if self._graph.nodes[key]["op"] != "output"]
            elif changed and isinstance(item, Block) and self._is_taken_apart(item):
                yield from self._found(item.items, parent, base, following, copies * item.repeat)
            elif changed:
                line = self._of_block(item, parent, base) if isinstance(item, Block) else self._of_operation(item, base)
                line.copies *= copies
                yield line

    def _is_taken_apart(self, pattern: Block) -> bool:
        """Return whether each item of a pattern gets a line: not for loops that were added or removed as a whole.

        The names of modules that are single operations are known only for the first copy, so these stay together.
        """
        if not pattern.is_pattern:
            return False
        named = [own_path(self._graph.nodes[item]) for item in pattern.items if isinstance(item, str)]
        if any(named) and pattern.last != pattern.path:
            return False
        found = module_change(self._graph, pattern, self._calls)
        return found.change not in ("added", "removed") or any(pattern.blocks())

    def _of_block(self, block: Block, parent: Block, base: str) -> Line:
        found = module_change(self._graph, block, self._calls)
        paths = self._copies(block, parent)
        names = tuple([relative_path(path, base) for path in paths])
        ends = relative_path(block.path, base), relative_path(block.last or block.path, base)
        name = name_between(*ends) if block.is_pattern else name_of(names)
        type_ = found.type if block.call else block.type
        line = Line(found.change, name, type_, block.path, found.parameters, found.flops, copies=block.repeat)
        line.names = () if block.is_pattern else names
        line.unit = _steps(self._repeats.get(block.call))
        line.source = next(filter(None, [self._graph.nodes[key]["source"] for key in block.operations()]), "")
        was = f" (was {name_of([self._former.get(path, path) for path in paths])})" if found.was else ""
        if found.change == "moved":
            line.tail = was
        elif found.change == "changed" and self._follow(changed := self._changed(block)):
            line.count, line.counts = self._count(changed), f": {_FOLLOWING}"
        elif found.change == "changed":
            runs = self._runs.get(block.path, ())
            line.tail = "".join(f": {run}" for run in runs) + was
            line.is_run = bool(runs)
            line.children = self.inside(block, base if block.is_pattern else block.path)
        return line

    def _copies(self, block: Block, parent: Block) -> list[str]:
        """Return the paths of a block and its copies in one copy of the block around it."""
        paths: Sequence[str] = self._graph.graph.get("module_copies", {}).get(block.path, ())
        return [path for path in paths if path.startswith(f"{parent.path}." * bool(parent.path))] or [block.path]

    def _of_operation(self, key: str, base: str) -> Line:
        data = self._graph.nodes[key]
        own = data["target"] if data["op"] in ("call_module", "get_attr", "placeholder") else ""
        parameters, flops = costs(self._graph, [key], "parameters"), costs(self._graph, [key], "flops")
        line = Line(data["change"], relative_path(own, base), describe(data), own or data["module"], parameters, flops)
        line.source, line.count = data["source"], data["multiplicity"]
        if repeat := self._repeats.get(key):
            line.name = name_between(line.name, relative_path(repeat.last, base)) if own else ""
            line.copies, line.unit = repeat.count, _steps(repeat)
        return line

    def _changed(self, item: Item) -> list[str]:
        keys = (key for key in keys_in([item]) if key not in self._without)
        return [key for key in keys if self._graph.nodes[key]["change"] != "same"]

    def _follow(self, changed: list[str]) -> bool:
        """Return whether operations changed only as a result of other changes."""
        return bool(changed) and all(follows(self._graph.nodes[key]) for key in changed)

    def _count(self, keys: list[str]) -> int:
        return sum(self._graph.nodes[key]["multiplicity"] for key in keys)


def _rates(graph: ModelGraph) -> dict[str, Line]:
    """Return a line for each changed drop rate if they differ, such as those that depend on the number of layers."""
    found = {
        key: Line("changed", "", describe(data))
        for key, data in graph.nodes(data=True)
        if data["change"] == "changed"
        and is_drop(data["label"])
        and all(each.attribute in ("config", "arguments") for each in data["differences"])
    }
    return found if len({line.text for line in found.values()}) > 1 else {}


def _steps(repeat: Repeat | None) -> str:
    return "steps" if repeat is not None and repeat.unit == "steps" else ""


def _exchanged(lines: list[Line]) -> list[Line]:
    """Return the lines; a replacement under the same name is one line together with the item that it replaces."""
    joint: list[Line] = []
    for line in lines:
        before = joint[-1] if joint else line
        if (before.change, line.change) == ("removed", "added") and line.name and line.name == before.name:
            joint.pop()
            line.change, line.head = "changed", f"{before.head} {BECAME} {line.head}"
            line.parameters = before.parameters[0], line.parameters[1]
            line.flops = before.flops[0], line.flops[1]
        joint.append(line)
    return joint
