"""Two graphs compared: one `ModelGraph` with the attribute `change`, for every exporter to render."""

from fxsummary.comparison.lines import Line, changed_lines
from fxsummary.comparison.union import compare

__all__ = ["Line", "changed_lines", "compare"]
