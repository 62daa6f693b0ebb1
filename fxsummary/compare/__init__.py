"""Two graphs compared: one `ModelGraph` with the attribute `change`, for every exporter to render."""

from fxsummary.compare.lines import Line, changed_lines
from fxsummary.compare.union import compare

__all__ = ["Line", "changed_lines", "compare"]
