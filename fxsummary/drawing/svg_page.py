"""The whole SVG: title, facts, legend, and the picture below them."""

from __future__ import annotations

from math import ceil

from fxsummary.drawing.arrangement import arrange
from fxsummary.drawing.change_marks import change_mark
from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.heat import HEAT_STEPS, STEPS, UNKNOWN
from fxsummary.drawing.markup import element, escape, number, rect, text, tooltip
from fxsummary.drawing.measure import bar_shown
from fxsummary.drawing.painter import Painter
from fxsummary.drawing.scene import Group, HeatScale, Scene
from fxsummary.drawing.style import LEGEND, stylesheet
from fxsummary.graph.changes import SIGNS
from fxsummary.text.numbers import MARKS_WITH_SHARES, marks_in

MARGIN = 28.0
SHEET_ROOM = 12.0
LEAST_WIDTH, LEGEND_WIDTH = 300.0, 760.0
SWATCH = 14.0
"""Width of a colour of the heat scale in the legend."""


def draw(scene: Scene, theme: str = "auto") -> str:
    """The scene as a complete SVG document; equal scenes give equal bytes."""
    scope = f"fx-{theme}"
    style = stylesheet(theme, heat=scene.heat is not None, changes=bool(scene.changes), scope=f".{scope}")
    arranged = arrange(scene)
    measured, placed = arranged.measured, arranged.layout
    entries = _legend_entries(scene)
    facts = _wrapped(scene.facts, max(LEGEND_WIDTH, placed.width))
    legend_width = min(sum(width for _, width, _ in entries), LEGEND_WIDTH)
    texts = [text_width(scene.title, 20, bold=True), *(text_width(line, 11) for line in facts), legend_width]
    width = float(ceil(max(LEAST_WIDTH, placed.width + SHEET_ROOM, *texts) + 2 * MARGIN))
    head = [text(MARGIN, 36, scene.title, 20, bold=True)]
    head += [text(MARGIN, 56 + 16 * i, line, 11, "mu") for i, line in enumerate(facts)]
    legend, bottom = _legend(entries, 62 + 16 * len(facts), width, heated=scene.heat is not None)
    top = bottom + 26
    painter = Painter(scene, placed, measured, (width - placed.width) / 2, top)
    height = float(ceil(top + placed.height + MARGIN))
    body = [rect(0, 0, width, height, "page"), *head, *legend, *painter.paint()]
    return _document(scene, style, scope, width, height, body)


def _document(scene: Scene, style: str, scope: str, width: float, height: float, body: list[str]) -> str:
    w, h = number(width), number(height)
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}"'
        f' class="{scope}" role="img" aria-label="{escape(scene.title)} architecture">'
    )
    lines = [start, f"<title>{escape(scene.title)}</title>", f"<desc>{escape(scene.description)}</desc>"]
    lines += [f"<style>{style}</style>", *(part for part in body if part), "</svg>"]
    return "\n".join(lines) + "\n"


def _wrapped(facts: str, width: float) -> list[str]:
    """The muted line, broken at its separators where it is too long."""
    lines = [""]
    for part in facts.split(" · "):
        longer = f"{lines[-1]} · {part}" if lines[-1] else part
        if lines[-1] and text_width(longer, 11) > width:
            lines.append(part)
        else:
            lines[-1] = longer
    return lines


def _legend_entries(scene: Scene) -> list[tuple[str, float, str]]:
    """(kind, width, name) of what is in the picture."""
    kinds = {row.kind for item in scene.items() for row in item.rows}
    kinds |= {kind for item in scene.items() for row in item.rows for _, kind in row.chips}
    entries = [(kind, text_width(name, 10.5) + 27, name) for kind, name in LEGEND.items() if kind in kinds]
    rows = [row for item in scene.items() for row in item.rows]
    if any(row.share is not None and bar_shown(row) for row in rows):
        name = "FLOPs relative to the largest"
        entries.append(("bar", text_width(name, 10.5) + 37, name))
    if any(row.parameters and item.form == "stack" for item in scene.items() for row in item.rows):
        joined = any(" + " in row.parameters for row in rows)
        name = "parameters, + those of its norm" if joined else "parameters"
        name = "parameters; with a sign, their change" if scene.changes else name
        entries.append(("number", text_width("1.2 M", 10.5, bold=True) + text_width(name, 10.5) + 18, name))
    around = {each.change for each in scene.root.walk() if isinstance(each, Group)}
    for change, times in scene.changes.items():
        if (times or change in around) and SIGNS[change]:
            name = f"{change} ({times:,})" if times else change
            entries.append((change, text_width(name, 10.5) + 32, name))
    return entries + (_heat_entries(scene.heat) if scene.heat else []) + _mark_entries(scene)


def _mark_entries(scene: Scene) -> list[tuple[str, float, str]]:
    """What the marks on numbers and shapes mean, of those that are in the picture."""
    groups = [child for child in scene.root.walk() if isinstance(child, Group)]
    rows = [row for item in scene.items() for row in item.rows]
    shown = [scene.facts, *(group.facts for group in groups), *(f"{row.shape}\n{row.parameters}" for row in rows)]
    texts = "\n".join(shown) + ("?" if any(row.share is None for row in rows) else "")
    repeated = any(group.repeat > 1 for group in groups) or any(row.repeat > 1 for row in rows)
    names = {"×N": "N copies; numbers are per copy, % over all"}
    entries = [(mark, names.get(mark, MARKS_WITH_SHARES[mark])) for mark in marks_in(texts, repeated=repeated)]
    return [(mark, text_width(mark, 10.5, bold=True) + text_width(name, 10.5) + 18, name) for mark, name in entries]


def _heat_entries(scale: HeatScale) -> list[tuple[str, float, str]]:
    """The scale of colours with the value of its end, and what is not known."""
    name = f"{scale.name} of a row, up to {scale.largest} of {scale.whole}"
    entries = [("heat", text_width(name, 10.5) + 16 + SWATCH * HEAT_STEPS + 6, name)]
    if scale.unknown:
        name = f"{scale.name} not known"
        entries.append((UNKNOWN, text_width(name, 10.5) + 27, name))
    return entries


def _legend(
    entries: list[tuple[str, float, str]], top: float, width: float, *, heated: bool
) -> tuple[list[str], float]:
    """Elements of the legend and its lower end."""
    x, y = MARGIN, top
    parts: list[str] = []
    for kind, length, name in entries:
        if x > MARGIN and x + length > width - MARGIN + 12:
            x, y = MARGIN, y + 18
        parts.append(_entry(kind, name, x, y, heated=heated))
        x += length
    return parts, y + 6 if entries else top - 18


def _entry(kind: str, name: str, x: float, y: float, *, heated: bool) -> str:
    if kind in SIGNS:
        return "".join(change_mark(kind, x + 7, y - 3)) + text(x + 19, y + 1, name, 10.5, "mu")
    if kind == "heat":
        return _heat_entry(name, x, y)
    if kind in MARKS_WITH_SHARES:
        mark_width = text_width(kind, 10.5, bold=True)
        return text(x, y + 1, kind, 10.5, "mu", bold=True) + text(x + mark_width + 5, y + 1, name, 10.5, "mu")
    if kind == "number":
        number_width = text_width("1.2 M", 10.5, bold=True)
        return text(x, y + 1, "1.2 M", 10.5, "mu", bold=True) + text(x + number_width + 5, y + 1, name, 10.5, "mu")
    if kind == "bar":
        bar = rect(x, y - 5.5, 20, 5, "bt", radius=2.5) + rect(x, y - 5.5, 12, 5, "bar", radius=2.5)
        return bar + text(x + 26, y + 1, name, 10.5, "mu")
    dashes = "3 2" if kind == "parameter" else None
    fill = "heat0" if heated and kind not in ("terminal", UNKNOWN) else kind
    stroke = "other" if kind == UNKNOWN else kind
    swatch = rect(x + 0.5, y - 8.5, 11, 11, f"f-{fill} o-{stroke}", radius=3, dashes=dashes)
    if kind not in ("terminal", "parameter", UNKNOWN):
        swatch += element("path", d=f"M{x + 3.5:.1f} {y - 8:.1f}h-1q-2 0 -2 2v7q0 2 2 2h1z", class_=f"s-{kind}")
    return swatch + text(x + 17, y + 1, name, 10.5, "mu")


def _heat_entry(name: str, x: float, y: float) -> str:
    """The colours beside each other, from the least to the most."""
    ends = [0.0, *STEPS, 1.0]
    parts = []
    for step in range(HEAT_STEPS):
        tip = f"{100 * ends[step]:.0f} to {100 * ends[step + 1]:.0f} % of the largest row"
        swatch = rect(x + 0.5 + SWATCH * step, y - 8.5, SWATCH, 11, f"f-heat{step} line", stroke_width=1)
        parts.append(element("g", tooltip([tip]) + swatch))
    return "".join(parts) + text(x + SWATCH * HEAT_STEPS + 7, y + 1, name, 10.5, "mu")
