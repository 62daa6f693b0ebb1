"""The memory of the forward pass on the page: its picture, what is in use at the peak and why, and the sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fxsummary.drawing.markup import element
from fxsummary.drawing.timeline import draw_fragment
from fxsummary.exporters.tables.memory import at_peak
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.text.html import escape

MEMORY_BUTTON = (
    '<button class="icon needs-script" id="show-memory" aria-label="Memory of a forward pass" '
    'title="Memory of a forward pass"><svg class="glyph" viewBox="0 0 16 16">'
    '<path d="M2 13.5V9h3V5h3v5h3V7h3v6.5z"/></svg></button>\n  '
)


def memory_dialog(graph: ModelGraph) -> str:
    """Return the dialog that the button opens; "" if the memory is unknown."""
    if graph.memory is None:
        return ""
    table = at_peak(graph, None, False, None)
    rows = [_cells("th", [column.title for column in table.columns])]
    rows += [_cells("td", [row.name, *row.cells]) for row in table.rows]
    facts = [(name, text) for name, text in table.facts if name != "Timeline"]
    sizes = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts)
    return (
        '<dialog id="memory" aria-label="Memory of a forward pass">\n<h2>Memory of a forward pass</h2>\n'
        f"{draw_fragment(graph.memory)}\n<table>{''.join(rows)}</table>\n<dl>{sizes}</dl>\n"
        '<form method="dialog"><button>Close</button></form>\n</dialog>'
    )


def _cells(kind: str, texts: Iterable[str]) -> str:
    return element("tr", "".join(f"<{kind}>{_breakable(escape(text))}</{kind}>" for text in texts))


def _breakable(text: str) -> str:
    """Let a line end behind the dots of a path."""
    return re.sub(r"(?<=\w\.)(?=[^\W\d])", "<wbr>", text)
