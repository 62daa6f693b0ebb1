"""Panels below the picture: the memory of the forward pass and its time at best, with links to the operations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from fxsummary.drawing import roofline as roofline_plot
from fxsummary.drawing import timeline
from fxsummary.drawing.markup import element
from fxsummary.drawing.peak_bar import AXIS, PLOT
from fxsummary.drawing.svg_page import FRAGMENT_MARGIN
from fxsummary.errors import InputError
from fxsummary.exporters.page.outline import Outline
from fxsummary.exporters.tables.memory import at_peak
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.roofline import Roofline
from fxsummary.passes.roofline import roofline
from fxsummary.text.html import escape
from fxsummary.text.numbers import share, size

MOST_OPERATIONS = 12
"""Number of operations listed in the roofline panel, those that take longest."""
_MEMORY, _ROOFLINE = "Memory of a forward pass", "Time at best (roofline)"


class Panel(NamedTuple):
    """A panel below the picture: its id, heading, the shape on its button, and its contents."""

    name: str
    title: str
    glyph: str
    body: str

    @property
    def button(self) -> str:
        """The button that shows and hides it."""
        return (
            f'<button class="icon needs-script" id="show-{self.name}" aria-label="{self.title}" title="{self.title}" '
            f'aria-pressed="false"><svg class="glyph" viewBox="0 0 16 16"><path d="{self.glyph}"/></svg></button>\n  '
        )

    @property
    def section(self) -> str:
        """The panel itself, which is hidden at first."""
        return (
            f'<section class="dock needs-script" id="{self.name}" aria-label="{self.title}" hidden>\n'
            f"<h2>{self.title}</h2>\n{self.body}\n</section>"
        )


def panels(outline: Outline) -> list[Panel]:
    """Return the panels of a page; those whose numbers are unknown are left out."""
    found = []
    if outline.graph.memory is not None:
        found.append(Panel("memory", _MEMORY, "M2 13.5V9h3V5h3v5h3V7h3v6.5z", _memory(outline)))
    if times := _times(outline.graph):
        found.append(
            Panel("roofline", _ROOFLINE, "M2 13.5L8 5h6M5.5 12h.1M9 9.5h.1M12 8h.1", _roofline(outline, times))
        )
    return found


def _times(graph: ModelGraph) -> Roofline | None:
    try:
        found = graph.roofline_found or roofline(graph)
    except InputError:  # shapes are unknown, or the graph is a comparison
        return None
    return found if found.seconds and any(cost.flops for cost in found.operations.values()) else None


def _memory(outline: Outline) -> str:
    memory = outline.graph.memory
    assert memory is not None
    table = at_peak(outline.graph, None, False, None)
    keys = [*(each.operation for each in memory.alive[: len(table.rows)]), *([memory.at] if memory.inside else [])]
    names = [row.name for row in table.rows]
    links = [_link(outline, key, name) for key, name in zip(keys, names, strict=False)]
    links += map(_text, names[len(links) :])
    rows = [[first, *map(_text, row.cells)] for first, row in zip(links, table.rows, strict=True)]
    facts = [(name, text) for name, text in table.facts if name != "Timeline"]
    chart = timeline.draw_fragment(memory)
    return f"{chart}\n{_table([column.title for column in table.columns], rows)}\n{_sizes(facts)}"


def timeline_of(outline: Outline) -> dict[str, object]:
    """Return where the plot of the memory is in its picture, and what runs at each of its steps."""
    memory = outline.graph.memory
    if memory is None:
        return {}
    steps = timeline.steps(memory.timeline)
    found = [[step.end, outline.number(memory.operations[step.at])] for step in steps]
    return {"left": FRAGMENT_MARGIN + AXIS, "width": PLOT, "steps": found}


def _roofline(outline: Outline, found: Roofline) -> str:
    longest = sorted(found.operations.items(), key=lambda item: -item[1].seconds)[:MOST_OPERATIONS]
    whole, nodes = round(found.seconds * 1e12), outline.graph.nodes
    rows = [
        [
            _link(outline, key, nodes[key]["module"] or key),
            *map(_text, (
                nodes[key]["label"], found.text(cost.seconds), share(round(cost.seconds * 1e12), whole),
                "computing" if cost.is_compute_bound else "memory", size(cost.nbytes),
            )),
        ]
        for key, cost in longest
        if cost.seconds
    ]  # fmt: skip
    table = _table(["Longest operations", "Operation", "At best", "Share", "Bound by", "Moves"], rows)
    return f"{roofline_plot.draw_fragment(found)}\n{table}\n{_sizes(found.facts())}"


def _link(outline: Outline, key: str, name: str) -> str:
    number = outline.number(key)
    text = _text(name)
    return text if number is None else f'<button type="button" class="link" data-go="{number}">{text}</button>'


def _table(titles: Iterable[str], rows: Sequence[Sequence[str]]) -> str:
    return f"<table>{_cells('th', map(_text, titles))}{''.join(_cells('td', row) for row in rows)}</table>"


def _cells(kind: str, cells: Iterable[str]) -> str:
    return element("tr", "".join(f"<{kind}>{cell}</{kind}>" for cell in cells))


def _sizes(facts: Iterable[tuple[str, str]]) -> str:
    return f"<dl>{''.join(_fact(facts))}</dl>"


def _fact(facts: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in facts:
        yield f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"


def _text(text: str) -> str:
    return _breakable(escape(text))


def _breakable(text: str) -> str:
    """Let a line end behind the dots of a path."""
    return re.sub(r"(?<=\w\.)(?=[^\W\d])", "<wbr>", text)
