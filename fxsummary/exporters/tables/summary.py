"""The summary as data for text, Markdown and LaTeX: a row for each block and operation, then the totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from fxsummary.exporters.tables import listings, memory
from fxsummary.exporters.tables.columns import Cells, column_names, columns_of, fields_of, shape_cell
from fxsummary.exporters.tables.opening import Opening, open_blocks
from fxsummary.exporters.tables.table import Column, Row, Table
from fxsummary.graph.attributes import own_path
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall, Totals
from fxsummary.graph.pictures import Fold
from fxsummary.graph.records import Repeat, differing, of_each_copy, over_copies
from fxsummary.passes.roofline import roofline
from fxsummary.support.registry import Registry
from fxsummary.text.numbers import (
    MARKS,
    MARKS_WITH_SHARES,
    about,
    count,
    listed,
    marks_in,
    parameters,
    relative_path,
    run_name,
    share,
    size,
)
from fxsummary.text.series import in_series
from fxsummary.views.blocks import UNREAD, Block, block_tree, operations
from fxsummary.views.depth import closed_block
from fxsummary.views.joined import name_of, number_of
from fxsummary.views.merger import uncounted
from fxsummary.views.modules import frozen_part
from fxsummary.views.scalars import take
from fxsummary.views.shown import shown
from fxsummary.views.unread import shared_with_others

LARGEST = 5
MOST_NAMES = 2
"""Number of parameters that name the row of a function that reads them."""


def summarise(
    graph: ModelGraph, depth: int | None = None, fold: Fold = "similar", columns: Iterable[str] | str | None = None
) -> Table:
    """Return the summary of a graph; the graph is not changed.

    Args:
        depth: levels of modules to open, 0 for the model as one row; None for as many as fit a page, at most
            `MOST_ROWS` rows, those with the fewest weights and FLOPs closed first.
        fold: what to fold; see `fxsummary.graph.pictures.Fold`.
        columns: names of the columns after the first; the defaults if None.
    """
    names = column_names(columns)
    view = shown(graph, fold=fold)
    totals = graph.totals
    root = block_tree(view)
    opening = open_blocks(view, root, depth, fold)
    fields = fields_of(graph, names)
    rows = _Rows(view, Cells(view, totals, names, fields), depth, shared_with_others(view), opening)
    rows.rows.append(Row("", rows.cells.of_model(root), type=graph.name))
    rows.add_items(root, "", (), 1)
    marks = marks_in(" ".join(cell for row in rows.rows for cell in row.cells), repeated=rows.has_repeats)
    titles = (Column("Module", shrinks=20), *columns_of(names))
    given = ", ".join(in_series(graph.inputs_text.split(", "))) or "none"
    inputs = f"input {'inferred: ' if graph.inputs_inferred else ''}{given}"
    inputs = "module tree, no dataflow" if graph.captured_by == "modules" else inputs
    facts = _facts(graph, view, totals, marks)
    facts += zip(["Sees", *[""] * LARGEST], fields.lines(), strict=False) if fields is not None else ()
    whole = f"depth={max(map(len, root.chains()))} shows all"
    if any(row.settings.startswith("carry ") for row in rows.rows):
        facts.append(("carry", "the shape of what each step reads of the step before"))
    if opening.shown_before.same:
        facts.append(("= NAME", "the same operations and shapes as in NAME"))
    if opening.shown_before.like:
        facts.append(("like NAME", f"the operations of NAME with other sizes, and what `but` says: {whole}"))
    less = (
        [f"{sum(opening.closed.values())} rows in {len(opening.closed)} block{'s' * (len(opening.closed) != 1)}"]
        if opening.closed
        else []
    )
    less += [f"{rows.joined} operations without weights or FLOPs share rows"] if rows.joined else []
    if less:
        facts.append(("Closed", f"{', '.join(less)}: {whole}"))
    return Table(titles, rows.rows, inputs, facts)


@dataclass(slots=True)
class _Rows:
    """The rows in progress."""

    graph: ModelGraph
    cells: Cells
    depth: int | None
    shared: Mapping[str, str]
    opening: Opening
    rows: list[Row] = field(default_factory=list)
    has_repeats: bool = False
    joined: int = 0

    @property
    def is_mixed(self) -> bool:
        """Whether some parameters are trainable and some are not."""
        return 0 < self.cells.totals.trainable_parameters < self.cells.totals.parameters

    def add_items(self, parent: Block, path: str, branches: tuple[bool, ...], level: int) -> None:
        """Add the rows of a block's contents; inner blocks are opened if ``level`` allows it."""
        if self.depth is not None and level > self.depth:
            return
        hidden = ("placeholder", "output", "get_attr" if self.graph.captured_by == "modules" else "")

        def is_shown(key: str) -> bool:
            data = self.graph.nodes[key]
            return data["op"] not in hidden or bool(data["parameter_names"])

        items = [item for item in parent.items if isinstance(item, Block) or is_shown(item)]
        entries = self.opening.rows(self.graph, items)
        tells_frozen = self.is_mixed and frozen_part(map(self.graph.data, parent.operations())) != "frozen"
        for index, item in enumerate(entries):
            branch = (*branches, index == len(entries) - 1)
            if isinstance(item, list):
                self._add_joined(item, branch, parent.copies)
                continue
            frozen = frozen_part(map(self.graph.data, operations([item]))) if tells_frozen else ""
            if isinstance(item, Block):
                self._add_block(item, path, branch, parent.copies, frozen)
                if self.opening.is_open(item):
                    inside = path if item.is_pattern else item.path
                    self.add_items(item, inside, branch, level + (not item.is_pattern))
            else:
                self._add_operation(item, path, branch, parent.copies, frozen)

    def _add_block(self, block: Block, path: str, branches: tuple[bool, ...], times: int, frozen: str) -> None:
        run = self._run(block.call)
        shares = "" if block.again else self.shared.get(block.path, "")
        remarks = _carry(self.graph, run), frozen, _each(self.graph, block, run), shares
        remark = ", ".join(filter(None, remarks))
        copies = f" {run.copied}" if run else ""
        type_ = f"{block.type}{block.again}{copies}"
        before = self.opening.shown_before
        if reference := before.same.get(id(block)) or before.like.get(id(block)):
            type_ = f"{block.again}{copies} {reference}".lstrip()
        elif (closed := self.opening.closed.get(id(block))) is not None:
            remark = ", ".join(filter(None, (f"({closed} row{'s' * (closed != 1)})", remark)))
        self.rows.append(Row(block.name_from(path), self.cells.of_block(block, times), branches, type_, remark))

    def _run(self, name: ModuleCall | str | None) -> Repeat | None:
        """Return the run under a name."""
        run: Repeat | None = self.graph.graph.get("repeats", {}).get(name)
        self.has_repeats |= run is not None
        return run

    def _add_joined(self, keys: list[str], branches: tuple[bool, ...], times: int) -> None:
        """Add one row for operations without weights or FLOPs, with the shape of the last one's result."""
        name, number = name_of(self.graph, keys), number_of(self.graph, keys)
        self.rows.append(Row("", self.cells.of_operation(keys[-1], times), branches, name, f"{number} operations"))
        self.joined += number

    def _add_operation(self, key: str, path: str, branches: tuple[bool, ...], times: int, frozen: str) -> None:
        data = self.graph.nodes[key]
        label, name = data["label"], ""
        if data["op"] == "call_module":
            name = relative_path(data["target"], path)
            call = data["module_stack"][-1].call if data["module_stack"] else 0
            label += f" (call {call + 1})" if call else ""
        elif data["op"] == "get_attr":
            name = relative_path(data["target"], path)
            label = "Parameter" if data["target"] in data["parameter_names"] or data["buffers"] == 0 else "buffer"
            label = label if data["reads"] else "constant"
        elif data["op"] != UNREAD:
            is_idiom = uncounted(data) != data["config"] and not data["flops"]
            names = data["parameter_names"] or (() if is_idiom else data["reads"])
            name = listed([relative_path(each, path) for each in names], MOST_NAMES)
        if (run := self._run(key)) is not None:
            name, label = run_name(name, relative_path(run.last, path)), f"{label} {run.copied}"
        settings = ", ".join(filter(None, (frozen, data["config"])))
        self.rows.append(Row(name, self.cells.of_operation(key, times), branches, label, settings))


def _carry(graph: ModelGraph, run: Repeat | None) -> str:
    """Return the shape of what each step reads of the step before, and the number of further values."""
    if run is None or run.unit != "steps":
        return ""
    values = dict.fromkeys(run.carried.values())
    if not all(key in graph for key, _ in values):  # an idiom hides one of them
        return ""
    shapes = [shape_cell(take(graph.nodes[key]["outputs"], part)) for key, part in values]
    return f"carry {shapes[0]}" + (f" +{len(shapes) - 1}" if len(shapes) > 1 else "")


def _each(graph: ModelGraph, block: Block, run: Repeat | None) -> str:
    """Return the range of the parameters of similar blocks; "" for other runs, whose copies differ in none."""
    if run is None or run.unit in ("steps", "calls"):
        return ""
    numbers = differing(closed_block(graph, block, block.copies), "parameters") or ()
    return f"{parameters(min(numbers))}…{parameters(max(numbers))} parameters each" if numbers else ""


def _facts(graph: ModelGraph, view: ModelGraph, totals: Totals, marks: list[str]) -> list[tuple[str, str]]:
    at_least = "≥ " if totals.unknown_parameters else ""
    trained = f"{count(totals.trainable_parameters)} trainable, {count(totals.frozen_parameters)} frozen"
    if totals.nonzero_parameters is not None:
        trained += f", {count(totals.nonzero_parameters)} nonzero"
    dtypes = ", ".join(f"{size(nbytes)} {dtype}" for dtype, nbytes in totals.bytes_by_dtype.items()) or "0 B"
    return [
        ("Parameters", f"{at_least}{count(totals.parameters)}: {trained}; {dtypes}"),
        ("Buffers", f"{totals.buffers}, {size(totals.buffer_bytes)}" if totals.buffers else "none"),
        ("FLOPs", _flops_line(graph, totals)),
        *([("Memory", memory.peak(graph, graph.memory))] if graph.memory is not None else []),
        *(zip(["Largest"] + [""] * LARGEST, _largest(view, totals), strict=False)),
        *([("Unknown", f"size of {', '.join(totals.unknown_parameters[:4])}")] if totals.unknown_parameters else []),
        *(("Note", note) for note in graph.notes if not note.startswith("input inferred")),
        *((mark, MARKS_WITH_SHARES[mark]) for mark in marks),
    ]


def _flops_line(graph: ModelGraph, totals: Totals) -> str:
    if totals.flops is None:
        named = any(operators for _, operators in graph.nodes(data="unknown_operators"))
        return "? (see the note)" if named else "? (unknown shapes)"
    at_least = "≥ " if totals.unknown_flops else ""
    marks = [
        f"{len(names)} operation{'s' * (len(names) > 1)} {mark}"
        for mark, names in (("unknown", totals.unknown_flops), ("assumed", totals.assumed_flops))
        if names
    ]
    told = f": {', '.join(marks)}" if marks else ""
    number, macs = (about(count(each), bool(totals.assumed_flops)) for each in (totals.flops, totals.macs))
    return f"{at_least}{number} = 2 × {macs} MACs (matrix products){told}"


def _largest(graph: ModelGraph, totals: Totals) -> list[str]:
    """List the operations with the most parameters, which are candidates for pruning."""
    nodes = [data for _, data in graph.nodes(data=True) if data["op"] != UNREAD]
    held = [(number, data) for data in nodes if (number := over_copies(data, "parameters"))]
    lines = []
    for number, data in sorted(held, key=lambda item: -item[0])[:LARGEST]:
        copies = sum(each != 0 for each in of_each_copy(data, "parameters"))  # those that share a weight are one
        times = f" ×{copies}" if copies > 1 else ""
        name = own_path(data) or next(iter(data["parameter_names"]), data["label"])
        lines.append(f"{count(number)} ({share(number, totals.parameters)}) {name}{times}")
    return lines


def at_best(
    graph: ModelGraph, depth: int | None = None, fold: Fold = "similar", columns: Iterable[str] | str | None = None
) -> Table:
    """Return what modules and operations move and the time that they take at best, on the device of a `Roofline`."""
    found = graph.roofline_found or roofline(graph)
    table = summarise(found.graph, depth, fold, AT_BEST if columns is None else columns)
    kept = [each for each in table.facts if each[0] in (*MARKS, "×N", "Closed", "= NAME", "like NAME", "carry", "Note")]
    return replace(table, facts=[*found.facts(), *kept])


AT_BEST = ("flops", "moved", "intensity", "seconds", "time_share", "bound")
"""The default columns of the view "roofline"."""

VIEWS: Registry[Callable[[ModelGraph, int | None, Fold, listings.Names], Table]] = Registry("view")
"""The table views by name: functions of a graph, the depth, whether runs are folded, and the columns."""

VIEWS.register("summary", summarise)
VIEWS.register("modules", listings.modules)
VIEWS.register("parameters", listings.parameters)
VIEWS.register("operations", listings.operations)
VIEWS.register("memory", memory.at_peak)
VIEWS.register("roofline", at_best)
