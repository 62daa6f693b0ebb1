"""Compare two graphs. The result is one `ModelGraph` with the attribute `change`, which every exporter can render."""

from fxsummary.compare.line import Line
from fxsummary.compare.lines import changed_lines
from fxsummary.compare.union import compare

__all__ = ["Line", "changed_lines", "compare"]
