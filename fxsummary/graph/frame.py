"""`Frame`: a page in the output of a notebook's cell."""

from __future__ import annotations

from dataclasses import dataclass

from fxsummary.text.html import escape

HEIGHT = 640
"""Height of a frame in px."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A page that notebooks show in the output of a cell.

    Attributes:
        html: the complete page.
        title: what screen readers call it.
        height: height of the frame in px.
    """

    html: str
    title: str
    height: int = HEIGHT

    def _repr_html_(self) -> str:
        """Return a frame with the page in it; its scripts cannot reach the notebook."""
        page = self.html.replace("&", "&amp;").replace('"', "&quot;")
        style = f"width:100%;height:{self.height}px;border:1px solid #8884;border-radius:6px"
        title = escape(self.title)
        return f'<iframe sandbox="allow-scripts" title="{title}" style="{style}" srcdoc="{page}"></iframe>'

    def __repr__(self) -> str:
        return f"<Frame: {self.title}, for a notebook>"
