"""Write the SVG: title, facts, legend and picture; or only the picture, to embed it in a page."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from fxsummary.drawing.arrangement import arrange
from fxsummary.drawing.element_ids import Marks
from fxsummary.drawing.finishing import HEAT_STEPS, STEPS, UNKNOWN
from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.markup import BOLD, element, number, rect, text, tooltip
from fxsummary.drawing.measure import bar_shown, chip_width
from fxsummary.drawing.names import LIKE, NAME
from fxsummary.drawing.painter import Painter
from fxsummary.drawing.scene import Scene
from fxsummary.drawing.shapes import GHOST, PEAK, change_mark, chip
from fxsummary.drawing.sheet import PLAIN, Sheet
from fxsummary.drawing.style import LEGEND, stylesheet
from fxsummary.graph.changes import SIGNS
from fxsummary.text.html import escape
from fxsummary.text.numbers import MARKS_WITH_SHARES, marks_in

MARGIN, FRAGMENT_MARGIN = 28.0, 16.0
LEAST_WIDTH, LEGEND_WIDTH = 300.0, 320.0
LOOP = "loop"
"""Kind of the legend entry of a value that goes round."""
SWATCH = 14.0
"""Width of each colour of the heat scale in the legend."""
_XMLNS = 'xmlns="http://www.w3.org/2000/svg"'


class Entry(NamedTuple):
    """A legend entry: the element that it explains, and its name, which starts ``at`` px after the mark."""

    kind: str
    name: str
    at: float = 17
    end: float = 10

    @property
    def width(self) -> float:
        return self.at + text_width(self.name, 10.5) + self.end


class Heading(NamedTuple):
    """Title, facts and legend of a page: their elements, the width of the page, and the y of their lower end."""

    elements: list[str]
    width: float
    bottom: float


def draw(scene: Scene, theme: str = "auto", sheet: Sheet = PLAIN) -> str:
    """Return the scene as a complete SVG document; equal scenes give equal bytes."""
    heated, ghosts = scene.heat is not None, any(row.ghost for row in scene.rows())
    style = stylesheet(theme, heat=heated, changes=bool(scene.changes), ghosts=ghosts, scope=f".fx-{theme}")
    arranged = arrange(scene)
    placed, facts = arranged.layout, wrapped(scene.facts, max(LEGEND_WIDTH, arranged.layout.width))
    entries = _legend_entries(scene, loops=any(label.target for label in placed.labels))
    head = heading(scene.title, facts, entries, placed.width, sheet, heated=heated)
    painter = Painter(scene, placed, arranged.measured, (head.width - placed.width) / 2, head.bottom + 26)
    height = float(ceil(head.bottom + 26 + placed.height + MARGIN))
    names = f"{scene.title} architecture", scene.title, scene.description
    body = [*head.elements, *painter.paint()]
    body = ['<g class="heat">', *body, "</g>"] if heated else body  # bars have a colour that differs from all grounds
    return document(theme, names, style, (head.width, height), body, sheet)


def heading(
    title: str, facts: list[str], entries: list[Entry], least: float, sheet: Sheet = PLAIN, *, heated: bool = False
) -> Heading:
    """Return the top of a page whose contents are at least ``least`` px wide."""
    titles, facts = [title] * sheet.title, facts * sheet.subtitle
    entries = entries * sheet.legend
    legend_width = min(sum(entry.width for entry in entries), max(LEGEND_WIDTH, least))
    texts = [text_width(line, 20, bold=True) for line in titles] + [text_width(line, 11) for line in facts]
    least = max(least, LEAST_WIDTH) if titles or facts or entries else least
    width = float(ceil(max([least, legend_width, *texts]) + 2 * MARGIN))
    head = [text(MARGIN, 36, line, 20, **BOLD) for line in titles]
    bottom = 40.0 if titles else 22.0 if facts or entries else 2.0
    head += [text(MARGIN, bottom + 16 + 16 * i, line, 11, "mu") for i, line in enumerate(facts)]
    bottom += 4.0 * bool(facts) + 16 * len(facts)
    legend, bottom = draw_legend(entries, MARGIN, bottom + 18, width, heated=heated)
    return Heading([*filter(None, head), *legend], width, bottom)


def document(
    theme: str,
    names: tuple[str, str, str],
    style: str,
    size: tuple[float, float],
    body: list[str],
    sheet: Sheet = PLAIN,
) -> str:
    """Return a complete SVG document.

    Args:
        names: label for screen readers, title, description.
        size: width and height, before ``sheet`` scales them.
    """
    (w, h), (label, title, description) = map(number, size), map(escape, names)
    width, height = (number(side * sheet.scale) for side in size)
    lines = [
        f'<svg {_XMLNS} width="{width}" height="{height}" viewBox="0 0 {w} {h}"'
        f' class="fx-{theme}" role="img" aria-label="{label}">',
        f"<title>{title}</title>", f"<desc>{description}</desc>", f"<style>{sheet.styled(style)}</style>",
        *([] if sheet.transparent else [rect(0, 0, *size, "page")]), *body, "</svg>",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def fragment(width: float, height: float, body: list[str]) -> str:
    """Return an SVG element for a page that has the style sheet."""
    w, h = number(width), number(height)
    return "\n".join([f'<svg {_XMLNS} width="{w}" height="{h}" viewBox="0 0 {w} {h}">', *body, "</svg>"])


def draw_fragment(scene: Scene) -> tuple[str, Marks]:
    """Return the scene as an SVG element for a page that has the style sheet, and the meaning of its numbers.

    Equal scenes give equal bytes.
    """
    scene.page = "window"
    arranged = arrange(scene)
    placed, marks = arranged.layout, Marks()
    body = Painter(scene, placed, arranged.measured, FRAGMENT_MARGIN, FRAGMENT_MARGIN, marks).paint()
    width, height = placed.width + 2 * FRAGMENT_MARGIN, placed.height + 2 * FRAGMENT_MARGIN
    return fragment(width, height, body), marks


def wrapped(facts: str, width: float) -> list[str]:
    """Break the muted line if it is too long: between facts, and inside one that is too long for a line."""
    lines = [""]
    for fact in facts.split(" · "):
        words, between = [fact], " · "
        if text_width(fact, 11) > width:
            words = fact.split(" ")
        for word in words:
            longer = f"{lines[-1]}{between}{word}" if lines[-1] else word
            if lines[-1] and text_width(longer, 11) > width:
                lines.append(word)
            else:
                lines[-1] = longer
            between = " "
    return lines


def _legend_entries(scene: Scene, *, loops: bool) -> list[Entry]:
    rows, groups = list(scene.rows()), list(scene.groups())
    kinds = {row.kind for row in rows if not (row.ghost and row.kind == "parameter")} | {
        kind for row in rows for _, kind in row.chips
    }
    entries = [Entry(kind, name) for kind, name in LEGEND.items() if kind in kinds]
    if NAME in kinds:
        entries.append(Entry(NAME, "value from elsewhere, or that goes there, by name"))
    if any(content.startswith(f"{LIKE} ") for row in rows for content, _ in row.chips):
        entries.append(_explained(LIKE, "with the same operations; sizes may differ"))
    if loops:
        entries.append(Entry(LOOP, "value for the next step", 26, 11))
    if any(row.ghost for row in rows):
        entries.append(Entry(GHOST, "not needed: never called, or nothing reads it"))
    if any(row.share is not None and bar_shown(row) for row in rows):
        cost = scene.heat.name if scene.heat else "FLOPs"
        entries.append(Entry("bar", f"{cost} relative to the largest", 26, 11))
    if any(row.parameters and item.form == "stack" for item in scene.items() for row in item.rows):
        name = "parameters, + those of its norm" if any(" + " in row.parameters for row in rows) else "parameters"
        name = "parameters; with a sign, their change" if scene.changes else name
        entries.append(_explained(_NUMBER, name))
    for change, times in scene.changes.items():
        if SIGNS[change] and (times or any(group.change == change for group in groups)):
            entries.append(Entry(change, f"{change} ({times:,})" if times else change, 19, 13))
    if heat := scene.heat:
        name = f"{heat.name} of a row, up to {heat.largest}" + (f" of {heat.whole}" if heat.whole else "")
        entries.append(Entry("heat", name, SWATCH * HEAT_STEPS + 7, 15))
        peak = Entry(PEAK, "the most of the forward pass", chip_width(PEAK) + 6, 15)
        entries += [peak] if any((PEAK, PEAK) in row.chips for row in rows) else []
        entries += [Entry(UNKNOWN, f"unknown {heat.name}")] if heat.unknown else []
    shown = [scene.facts, *(group.facts for group in groups), *(f"{row.shape}\n{row.parameters}" for row in rows)]
    texts = "\n".join(shown) + ("?" if any(row.share is None for row in rows) else "")
    names = MARKS_WITH_SHARES | {"×N": "N copies; numbers are per copy, % over all"}
    repeated = any(group.repeat > 1 for group in groups) or any(row.repeat > 1 for row in rows)
    marks = marks_in(texts, repeated=repeated)
    return entries + [_explained(mark, names[mark]) for mark in marks]


def _explained(mark: str, name: str) -> Entry:
    """Return the entry of a mark in texts."""
    return Entry(mark, name, text_width(mark, 10.5, bold=True) + 5, 13)


_NUMBER = "n"
"""Represents the parameters of a row in the legend, where a number would read as one of the model."""


def draw_legend(
    entries: list[Entry], left: float, top: float, width: float, *, heated: bool = False
) -> tuple[list[str], float]:
    """Return the elements of a legend in a page of this width, and the y of its lower end."""
    x, y = left, top
    parts: list[str] = []
    for entry in entries:
        if x > left and x + entry.width > width - left + 12:
            x, y = left, y + 18
        parts.append(_mark(entry.kind, x, y, heated) + text(x + entry.at, y + 1, entry.name, 10.5, "mu"))
        x += entry.width
    return parts, y + 6 if entries else top - 18


def _mark(kind: str, x: float, y: float, heated: bool) -> str:
    if kind in SIGNS:
        return "".join(change_mark(kind, x + 7, y - 3))
    if kind == LOOP:
        return element("path", d=f"M{number(x)} {number(y - 3)}H{number(x + 20)}", class_="sk")
    if kind == "heat":
        return "".join(_heat_swatch(step, x, y) for step in range(HEAT_STEPS))
    if kind in MARKS_WITH_SHARES or kind in (_NUMBER, LIKE):
        return text(x, y + 1, kind, 10.5, "mu", **BOLD)
    if kind == PEAK:
        return chip(x, y - 10.5, PEAK, PEAK)
    if kind.startswith("use-"):
        return rect(x + 0.5, y - 8.5, 11, 11, kind, 2)
    if kind == "bar":
        return rect(x, y - 5.5, 20, 5, "bt", 2.5) + rect(x, y - 5.5, 12, 5, "bar", 2.5)
    if kind == GHOST:
        return rect(x + 0.5, y - 8.5, 11, 11, "f-ghost o-ghost", 3)
    kind = "parameter" if kind == NAME else kind
    fill = "heat0" if heated and kind not in ("terminal", UNKNOWN) else kind
    style = f"f-{fill} o-{'other' if kind == UNKNOWN else kind}"
    swatch = rect(x + 0.5, y - 8.5, 11, 11, style, 3, stroke_dasharray="3 2" if kind == "parameter" else None)
    if kind in ("terminal", "parameter", UNKNOWN):
        return swatch
    return swatch + element("path", d=f"M{x + 3.5:.1f} {y - 8:.1f}h-1q-2 0 -2 2v7q0 2 2 2h1z", class_=f"s-{kind}")


def _heat_swatch(step: int, x: float, y: float) -> str:
    ends = [0.0, *STEPS, 1.0]
    tip = f"{100 * ends[step]:.0f} to {100 * ends[step + 1]:.0f} % of the largest row"
    swatch = rect(x + 0.5 + SWATCH * step, y - 8.5, SWATCH, 11, f"f-heat{step} line", stroke_width=1)
    return element("g", tooltip([tip]) + swatch)
