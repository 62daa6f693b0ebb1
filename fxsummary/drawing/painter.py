"""Paints a laid-out scene: group frames, then wires, then headers, then items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from fxsummary.drawing import shapes
from fxsummary.drawing.cards import card_texts, chips_at, config_ends, muted_style, pill_texts, tile_texts
from fxsummary.drawing.change_marks import change_mark, changed_style
from fxsummary.drawing.element_ids import Marks
from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.markup import arrowhead, element, linked, rect, rounded, text, tooltip
from fxsummary.drawing.measure import (
    BAR,
    LEAST_SHARE,
    ROW_HEIGHT,
    SIGN,
    STRIPE,
    Columns,
    Measured,
    badge_width,
    bar_shown,
    chip_width,
    shape_shown,
)
from fxsummary.drawing.rows import sign_of
from fxsummary.drawing.scene import Group, Item, Row, Scene
from fxsummary.layout import Layout, Point, Rect, Wire


@dataclass(slots=True)
class Painter:
    """Paints one scene, moved by (dx, dy).

    Attributes:
        frames, wires, heads, headers, items: elements by layer, from back to front.
        marks: numbers the elements, for a page that finds them by these; they then have no tooltips.
    """

    scene: Scene
    layout: Layout
    measured: Measured
    dx: float
    dy: float
    frames: list[str] = field(default_factory=list)
    wires: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    marks: Marks | None = None

    def paint(self) -> list[str]:
        """All elements in drawing order."""
        for child in self.scene.root.walk():
            if isinstance(child, Group):
                self._group(child, self._rect(child.key))
            else:
                self._item(child, self._rect(child.key))
        if self.scene.dataflow:
            self._wires()
        return [*self.frames, *self.wires, *self.headers, *self.items]

    def _rect(self, key: str) -> Rect:
        box = self.layout.boxes[key]
        return box._replace(x=box.x + self.dx, y=box.y + self.dy)

    def _group(self, group: Group, box: Rect) -> None:
        style = f"g{(group.level + 1) % 2}"
        for shift in (8.0, 4.0) if group.repeat > 1 else ():
            self.frames.append(shapes.outline(box, style, 10, shift))
        mark = {} if self.marks is None else self.marks.frame(group)
        outline = shapes.outline(box, changed_style(style, group.change), 10)
        self.frames.append(element("g", self._tooltip(group.tips) + outline, **mark))
        right = box.right - 12
        parts: list[str] = []
        if group.repeat > 1:
            width = badge_width(group.repeat)
            parts.append(shapes.badge(right - width + 4, box.y + 4, group.repeat))
            right -= width + 6
        left = box.x + 12
        title = text_width(group.title, 11, bold=True)
        parts.append(text(left, box.y + 17, group.title, 11, bold=True))
        kind_at = left + title + (7 if group.title else 0)
        parts.append(text(kind_at, box.y + 17, group.type, 11, "mu"))
        parts.append(text(right, box.y + 17, group.facts, 10.5, "mu", anchor="end"))
        ground = f"h{(group.level + 1) % 2}"
        masks = [rect(left - 3, box.y + 6, kind_at + text_width(group.type, 11) - left + 6, 15, ground)]
        if group.facts:
            width = text_width(group.facts, 10.5)
            masks.append(rect(right - width - 3, box.y + 6, width + 6, 15, ground))
        header = [*masks, *parts] if self.marks is None else [element("g", "".join([*masks, *parts]), **mark)]
        self.headers += [linked(group.link, "".join(header))] if group.link else header
        self.headers += change_mark(group.change, box.x, box.y + 13)

    def _tooltip(self, lines: list[str]) -> str:
        return tooltip(lines) if self.marks is None else ""

    def _row(self, item: Item, row: Row, content: str) -> str:
        mark = {} if self.marks is None else self.marks.row(item.key, row.keys[0])
        return linked(row.link, element("g", self._tooltip(row.tips) + content, **mark))

    def _chips(self, row: Row, x: float, y: float, gap: float = 4.0) -> Iterator[str]:
        for number, (chip, kind) in enumerate(row.chips):
            drawn = shapes.chip(x, y, chip, kind)
            yield drawn if self.marks is None else element("g", drawn, **self.marks.chip(row, number))
            x += chip_width(chip) + gap

    def _wires(self) -> None:
        forms = {item.key: item.form for item in self.scene.items()}
        drawn: dict[str, str] = {}
        heads: dict[str, dict[str, None]] = {"ah": {}, "ahs": {}}
        skips = {id(wire): _is_skip(wire, forms) for wire in self.layout.wires}
        for wire in sorted(self.layout.wires, key=lambda wire: not skips[id(wire)]):
            points = [Point(p.x + self.dx, p.y + self.dy) for p in wire.points]
            if len(points) < 2:
                continue
            skip = skips[id(wire)]
            head = arrowhead(points[-2], points[-1]) if wire.head in forms else ""
            if self.marks is not None:
                self.wires += self.marks.wire(self.layout, wire, rounded(points), head, skip)
                continue
            drawn.setdefault(rounded(points), "sk" if skip else "e")
            if head:
                heads["ahs" if skip else "ah"][head] = None
        self.wires += [element("path", d=path, class_=style) for path, style in drawn.items()]
        self.wires += [element("path", d="".join(paths), class_=style) for style, paths in heads.items() if paths]
        if self.scene.direction == "TB":
            self._edge_shapes()

    def _edge_shapes(self) -> None:
        """Output shapes of cards, right of the wire that leaves them."""
        shapes = {item.key: item.rows[-1].shape for item in self.scene.items() if item.form == "card"}
        obstacles = [
            *self.layout.boxes.values(),
            *(_around(a, b) for w in self.layout.wires for a, b in pairwise(w.points)),
        ]
        for wire in sorted(self.layout.wires, key=lambda wire: len(wire.points)):
            shape = shapes.get(wire.tail, "")
            width = text_width(shape, 10, mono=True)
            for a, b in pairwise(wire.points):
                if not shape or a.x != b.x or b.y - a.y < 16:
                    continue
                place = Rect(a.x + 8, max(a.y + 3, (a.y + min(b.y, a.y + 32)) / 2 - 6), width, 11)
                if place.right < self.layout.width + self.dx and not any(_touches(place, o) for o in obstacles):
                    shapes.pop(wire.tail)
                    self.items.append(text(place.x + self.dx, place.y + 9.5 + self.dy, shape, 10, "mu m"))
                    obstacles.append(place)
                    break

    def _item(self, item: Item, box: Rect) -> None:
        if item.form == "stack":
            self._stack(item, box)
            return
        row = item.rows[0]
        paint = {
            "card": self._card, "sign": self._sign, "concat": self._concat,
            "terminal": self._terminal, "parameter": self._parameter,
        }[item.form]  # fmt: skip
        self.items.append(self._row(item, row, paint(row, box)))
        at = (box.x, box.y + box.height / 2) if item.form == "card" else (box.x - 3, box.y + 2)
        self.items += change_mark(row.change, *at)

    def _stack(self, item: Item, box: Rect) -> None:
        columns = self.measured.columns[item.key]
        repeat = item.rows[0].repeat
        for shift in (8.0, 4.0) if repeat > 1 else ():
            self.items.append(shapes.outline(box, f"f-{item.rows[0].ground} line", 6, shift))
        for number, row in enumerate(item.rows):
            y = box.y + ROW_HEIGHT * number
            first, last = number == 0, number == len(item.rows) - 1
            body = shapes.ground(row, box._replace(y=y, height=ROW_HEIGHT), 6, STRIPE, first, last)
            if not first:
                body += element("path", d=shapes.line(box.x + STRIPE, y, box.right), class_="cut", stroke_width=1)
            self.items.append(self._row(item, row, body + self._cells(row, columns, box.x, y)))
        self.items.append(shapes.outline(box, "line", 6))
        for number, row in enumerate(item.rows):
            self.items += change_mark(row.change, box.x, box.y + ROW_HEIGHT * (number + 0.5))
        if repeat > 1:
            self.items.append(shapes.badge(box.right - 6 - badge_width(repeat), box.y + 2, repeat))

    def _cells(self, row: Row, columns: Columns, left: float, top: float) -> str:
        base, muted = top + ROW_HEIGHT / 2 + 4.1, muted_style(row)
        parts = [text(left + columns.path, base - 0.3, row.path, 10, f"{muted} m")] if columns.path is not None else []
        x = left + columns.name
        parts.append(text(x, base, row.label, 12, bold=True))
        x += text_width(row.label, 12, bold=True) + 6
        if row.config:
            parts.append(text(x, base, row.config, 11, muted))
            x += text_width(row.config, 11) + 6
        parts += self._chips(row, x, top + ROW_HEIGHT / 2 - 7.5)
        if columns.shape is not None:
            parts.append(text(left + columns.shape, base - 0.3, shape_shown(row), 10, "t m"))
        if columns.parameters is not None:
            parts.append(text(left + columns.parameters, base, row.parameters, 10.5, muted, anchor="end"))
        if columns.bar is not None and bar_shown(row):
            parts.append(self._bar(row, left + columns.bar, top + ROW_HEIGHT / 2))
        return "".join(parts)

    def _bar(self, row: Row, x: float, middle: float) -> str:
        if row.share is None:
            return text(x, middle + 4.1, "?", 10.5, muted_style(row))
        length = max(2.5, BAR * row.share / self.scene.largest)
        track = rect(x, middle - 2.5, BAR, 5, "bt", radius=2.5)
        return track + rect(x, middle - 2.5, length, 5, "bar", radius=2.5)

    def _card(self, row: Row, box: Rect) -> str:
        sheets = [
            shapes.outline(box, f"f-{row.ground} line", 8, shift) for shift in ((8.0, 4.0) if row.repeat > 1 else ())
        ]
        parts = [*sheets, shapes.ground(row, box, 8, 5, True, True)]
        if row.share is not None and row.share >= LEAST_SHARE:
            length = (box.width - 16) * row.share / self.scene.largest
            parts.append(rect(box.x + 8, box.bottom - 3, length, 3, "bar", radius=1.5))
        if self.scene.direction == "LR":
            parts.append(self._tile(row, box))
        else:
            parts.append(card_texts(row, box.x, box.y, box.right))
            parts += self._chips(row, box.x + config_ends(row), box.y + 24.5)
            if row.repeat > 1:
                parts.append(shapes.badge(box.right + 4 - badge_width(row.repeat), box.y - 9, row.repeat))
        return "".join(parts) + shapes.outline(box, "line", 8)

    def _tile(self, row: Row, box: Rect) -> str:
        parts = [tile_texts(row, box.x, box.y, box.right)]
        parts += self._chips(row, box.x + chips_at(row), box.y + 7.5)
        if row.repeat > 1:
            parts.append(shapes.badge(box.right - 8 - badge_width(row.repeat), box.y + 6, row.repeat))
        return "".join(parts)

    def _sign(self, row: Row, box: Rect) -> str:
        parts: list[str] = []
        if row.chips:
            parts.append(shapes.pill(box, "f-parameter o-arithmetic", 12, 1.2))
        middle = box.x + SIGN / 2
        circle = element(
            "circle", cx=middle, cy=box.y + 12, r=11.2, class_=f"f-{row.ground} o-arithmetic", stroke_width=1.5
        )
        parts += [circle, text(middle, box.y + 17.6, sign_of(row.label), 17, bold=True, anchor="middle")]
        parts += self._chips(row, box.x + SIGN + 3, box.y + 4.5, gap=8)
        return "".join(parts)

    def _concat(self, row: Row, box: Rect) -> str:
        return (
            shapes.pill(box, f"f-{row.ground} o-arithmetic", 12, 1.5)
            + text(box.x + 11, box.y + 16.2, row.label, 11.5, bold=True)
            + pill_texts(row, box.right - 11, box.y + 16)
        )

    def _terminal(self, row: Row, box: Rect) -> str:
        return (
            rect(*box, "f-terminal", radius=13)
            + text(box.x + 12, box.y + 17.2, row.label, 12, "iot", bold=True)
            + text(box.right - 12, box.y + 17, row.shape, 10, "iot m", anchor="end")
        )

    def _parameter(self, row: Row, box: Rect) -> str:
        x, y, width, height = box.x + 0.5, box.y + 0.5, box.width - 1, box.height - 1
        frame = rect(x, y, width, height, f"f-{row.ground} o-parameter", radius=5, dashes="3 2.5")
        name = text(box.x + 9, box.y + 15, row.label, 11)
        return frame + name + pill_texts(row, box.right - 9, box.y + 15)


def _is_skip(wire: Wire, forms: Mapping[str, str]) -> bool:
    return wire.layers > 1 and forms.get(wire.head) in ("sign", "concat") and len(wire.points) > 2


def _around(a: Point, b: Point) -> Rect:
    """The box around a segment."""
    return Rect(min(a.x, b.x), min(a.y, b.y), abs(a.x - b.x), abs(a.y - b.y))


def _touches(a: Rect, b: Rect) -> bool:
    return a.x <= b.right and b.x <= a.right and a.y <= b.bottom and b.y <= a.bottom
