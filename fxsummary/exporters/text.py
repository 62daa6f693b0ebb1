"""The summary as text: the module hierarchy with shapes, parameters and FLOPs, and totals below."""

from __future__ import annotations

from collections.abc import Callable

from fxsummary.collecting import paused
from fxsummary.exporters import changes, listings
from fxsummary.exporters.listings import COLUMNS, Costs, shape_cell
from fxsummary.exporters.table import display_width, fit, render_table, wrap
from fxsummary.format import clean, count, relative_path, run_name, shape, share, size
from fxsummary.modelgraph import ModelGraph, Totals
from fxsummary.registry import Registry
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.fold import fold_repeats
from fxsummary.views.scalars import hide_scalars

MIN_WIDTH = 60
LARGEST = 5

View = Callable[[ModelGraph, int, "int | None", bool], list[str]]
VIEWS: Registry[View] = Registry("view")


@paused()
def to_text(
    graph: ModelGraph, *, width: int = 80, depth: int | None = None, view: str | None = None, fold: bool = True
) -> str:
    """The graph as text.

    Args:
        width: columns that a line may take, at least 60.
        depth: levels of modules to show; None for all.
        view: "summary", the hierarchy as it runs; "modules", the module tree as ``print(model)`` shows it;
            "parameters", each named parameter; "operations", in execution order; "changes", of a comparison,
            what differs. None for "changes" of a comparison, and "summary" of any other graph.
        fold: show a run of identical blocks once, with ``×N``.

    Raises:
        UnknownNameError: no such view.
    """
    view = view or ("summary" if graph.comparison is None else "changes")
    lines = VIEWS.get_or_raise(view)(graph, max(width, MIN_WIDTH), depth, fold)
    return "\n".join(lines)


def _summary(graph: ModelGraph, width: int, depth: int | None, fold: bool) -> list[str]:
    shown = hide_scalars(graph)
    shown = fold_repeats(shown) if fold else shown
    totals = graph.totals
    rows = _Rows(shown, totals, depth)
    rows.add_model()
    table = render_table(COLUMNS, rows.fitted(width), width)
    folded = "inside ×N the counts are of one copy, % of all copies" if rows.has_repeats else ""
    return [
        *_heading(graph, width),
        "",
        *table,
        "─" * display_width(table[1]),
        *_totals(graph, shown, totals, width, folded),
    ]


class _Rows:
    """The rows of the summary: tree, name, type and settings in the first cell."""

    def __init__(self, graph: ModelGraph, totals: Totals, depth: int | None) -> None:
        self._graph = graph
        self._totals = totals
        self._depth = depth
        self.cells: list[tuple[str, ...]] = []
        self._settings: list[str] = []
        self.has_repeats = False

    def add_model(self) -> None:
        totals = self._totals
        whole = Costs(
            totals.parameters if totals.parameters or not totals.unknown_parameters else None,
            totals.flops,
            (bool(totals.unknown_parameters), bool(totals.unknown_flops)),
        )
        self._add(self._graph.name, "", shape_cell(self._graph.output_spec), whole.cells(totals.flops, 1))
        self._add_items(block_tree(self._graph), "", "", 0, 1)

    def _add_items(self, parent: Block, path: str, indent: str, level: int, times: int) -> None:
        if self._depth is not None and level >= self._depth:
            return
        items = [item for item in parent.items if isinstance(item, Block) or self._is_shown(item)]
        for index, item in enumerate(items):
            last = index == len(items) - 1
            lead = indent + ("└ " if last else "├ ")
            below = indent + ("  " if last else "│ ")
            if isinstance(item, Block):
                self._add_block(item, path, lead, times)
                self._add_items(item, item.path if item.call else path, below, level + 1, times * item.repeat)
            else:
                self._add_operation(item, path, lead, times)

    def _is_shown(self, key: str) -> bool:
        data = self._graph.nodes[key]
        in_tree = self._graph.captured_by == "modules" and data["op"] == "get_attr"
        return data["op"] not in ("placeholder", "output") and not (in_tree and not data["parameter_names"])

    def _add_block(self, block: Block, path: str, lead: str, times: int) -> None:
        keys = list(block.operations())
        name = relative_path(block.path, path)
        if block.repeat > 1:
            self.has_repeats = True
            name = run_name(name, relative_path(block.last, path))
        again = f" (call {block.call.call + 1})" if block.call is not None and block.call.call else ""
        folded = f" ×{block.repeat}" if block.repeat > 1 else ""
        outputs = self._graph.nodes[keys[-1]]["outputs"]
        costs = Costs.over(self._graph, keys, times).cells(self._totals.flops, times)
        self._add(f"{lead}{name} {block.type}{again}{folded}", "", shape_cell(outputs), costs)

    def _add_operation(self, key: str, path: str, lead: str, times: int) -> None:
        data = self._graph.nodes[key]
        label, name = data["label"], ""
        if data["op"] == "call_module":
            name = relative_path(data["target"], path)
            call = data["module_stack"][-1].call if data["module_stack"] else 0
            label += f" (call {call + 1})" if call else ""
        elif data["op"] == "get_attr":
            name = relative_path(data["target"], path)
            label = "Parameter" if data["target"] in data["parameter_names"] or not data["buffers"] else "buffer"
            label = label if data["reads"] else "constant"
        head = f"{name} {label}" if name else label
        costs = Costs.over(self._graph, [key], times).cells(self._totals.flops, times)
        self._add(f"{lead}{head}", data["config"], shape_cell(data["outputs"]), costs)

    def _add(self, head: str, settings: str, output: str, costs: tuple[str, str, str]) -> None:
        self.cells.append((clean(head), output, *costs))
        self._settings.append(clean(settings))

    def fitted(self, width: int) -> list[tuple[str, ...]]:
        """The rows with as many settings in the first cell as its width allows."""
        room = width - sum(
            2 + max([display_width(column.title), *(display_width(row[index]) for row in self.cells)])
            for index, column in enumerate(COLUMNS[1:], start=1)
        )
        room = max(room, COLUMNS[0].shrinks or 0)
        return [
            (_with_settings(head, settings, room), *rest)
            for (head, *rest), settings in zip(self.cells, self._settings, strict=True)
        ]


def _with_settings(head: str, settings: str, room: int) -> str:
    """``head`` and as many of the comma-separated settings as fit."""
    parts = settings.split(", ") if settings else []
    for end in range(len(parts), 0, -1):
        text = f"{head} {', '.join(parts[:end])}" + ("…" if end < len(parts) else "")
        if display_width(text) <= room:
            return text
    return fit(head, room)


def _heading(graph: ModelGraph, width: int) -> list[str]:
    inputs = ", ".join(f"{name} {shape(spec.shape) if spec else '?'}" for name, spec in graph.inputs.items())
    said = "input inferred: " if graph.inputs_inferred else "input "
    if graph.captured_by == "modules":
        return wrap(f"{graph.name} · module tree, no dataflow", width, "  ")
    return wrap(f"{graph.name} · {said}{inputs or 'none'}", width, "  ")


def _totals(graph: ModelGraph, shown: ModelGraph, totals: Totals, width: int, folded: str) -> list[str]:
    at_least = "≥ " if totals.unknown_parameters else ""
    dtypes = ", ".join(f"{size(nbytes)} {dtype}" for dtype, nbytes in totals.bytes_by_dtype.items())
    entries = [
        (
            "Parameters",
            f"{at_least}{count(totals.parameters)}: {count(totals.trainable_parameters)} trainable, "
            f"{count(totals.frozen_parameters)} frozen; {dtypes or '0 B'}",
        ),
        ("Buffers", f"{totals.buffers}, {size(totals.buffer_bytes)}" if totals.buffers else "none"),
        ("FLOPs", _flops_line(totals)),
        *(zip(["Largest"] + [""] * LARGEST, _largest(shown, totals), strict=False)),
        *([("Unknown", f"size of {', '.join(totals.unknown_parameters[:4])}")] if totals.unknown_parameters else []),
        *(("Note", note) for note in graph.notes if not note.startswith("input inferred")),
        *([("×N", folded)] if folded else []),
    ]
    return [
        f"{name if number == 0 else '':<11}{line}"
        for name, text in entries
        for number, line in enumerate(wrap(text, width - 11, ""))
    ]


def _flops_line(totals: Totals) -> str:
    if totals.flops is None:
        return "? (shapes are not known)"
    at_least = "≥ " if totals.unknown_flops else ""
    marks = [
        f"{len(names)} operation{'s' * (len(names) > 1)} {mark}"
        for mark, names in (("unknown", totals.unknown_flops), ("assumed", totals.assumed_flops))
        if names
    ]
    told = f": {', '.join(marks)}" if marks else ""
    return f"{at_least}{count(totals.flops)} = 2 × {count(totals.macs)} MACs (matrix products){told}"


def _largest(graph: ModelGraph, totals: Totals) -> list[str]:
    """The operations that hold most parameters: where pruning would pay."""
    held = [((data["parameters"] or 0) * data["multiplicity"], key) for key, data in graph.nodes(data=True)]
    top = sorted(held, key=lambda item: -item[0])[:LARGEST]
    lines = []
    for number, key in top:
        data = graph.nodes[key]
        times = f" ×{data['multiplicity']}" if data["multiplicity"] > 1 else ""
        if number:
            lines.append(
                f"{count(number)} ({share(number, totals.parameters)}) {data['target'] or data['label']}{times}"
            )
    return lines


VIEWS.register("summary", _summary)
VIEWS.register("modules", listings.modules)
VIEWS.register("parameters", listings.parameters)
VIEWS.register("operations", listings.operations)
VIEWS.register("changes", changes.changes)
