"""Paint a laid-out scene: group frames, then wires, then headers, then items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from operator import itemgetter

from fxsummary.drawing import measure, shapes
from fxsummary.drawing.element_ids import Marks
from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.markup import BOLD, END, MIDDLE, arrowhead, element, linked, rect, rounded, text, tooltip
from fxsummary.drawing.measure import ROW_HEIGHT, Measured, badge_width
from fxsummary.drawing.rows import sign_of
from fxsummary.drawing.scene import Group, Item, Row, Scene
from fxsummary.drawing.shapes import GHOST, bordered, dashes, muted_style, name_style, struck
from fxsummary.drawing.trunks import Trunks, length_of
from fxsummary.graph.changes import REMOVED, SIGNS
from fxsummary.layout import Edge, Layout, Point, Rect, Wire

_LINES = (*(f"{line} o-{each}" for each in (REMOVED, GHOST) for line in ("sk", "e")), "sk", "e")
_HEADS = (*(f"{tip} s-{each}" for each in (REMOVED, GHOST) for tip in ("ah", "ahs")), "ah", "ahs")
"""CSS classes of wires and arrowheads, from back to front."""


@dataclass(slots=True)
class Painter:
    """Paints one scene, moved by (dx, dy).

    Attributes:
        frames, wires, headers, items: elements by layer, from back to front.
        marks: numbers the elements so that a page can find them; marked elements have no tooltips.
    """

    scene: Scene
    layout: Layout
    measured: Measured
    dx: float
    dy: float
    marks: Marks | None = None
    frames: list[str] = field(default_factory=list)
    wires: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    _joins: set[str] = field(default_factory=set)
    _dashes: dict[str, tuple[str, str]] = field(default_factory=dict)

    def paint(self) -> list[str]:
        """Return all elements in drawing order."""
        self._joins = {item.key for item in self.scene.items() if item.joins or item.form in ("sign", "concat")}
        rows = {item.key: (item.rows[0], item.rows[-1]) for item in self.scene.items()}
        self._dashes = {key: (dashes(first), dashes(last)) for key, (first, last) in rows.items()}
        for child in self.scene.root.walk():
            box = self.layout.boxes[child.key]
            box = box._replace(x=box.x + self.dx, y=box.y + self.dy)
            if isinstance(child, Group):
                self._group(child, box)
            else:
                self._item(child, box)
        if self.scene.dataflow:
            self._wires()
        return [part for part in (*self.frames, *self.wires, *self.headers, *self.items) if part]

    def _group(self, group: Group, box: Rect) -> None:
        level = (group.level + 1) % 2
        mark = self.marks.frame(group) if self.marks else {}
        self.frames += shapes.sheets(box, f"g{level}", 10, group.repeat)
        style = f"g{level} o-{group.change}" if SIGNS.get(group.change) else bordered(group, f"g{level}")
        outline = shapes.outline(box, style, 10)
        self.frames.append(element("g", self._tooltip(group.tips) + outline, **mark))
        left, right, base = box.x + 12, box.right - 12, box.y + 17
        type_at = left + text_width(group.title, 11, bold=True) + (7 if group.title else 0)
        parts = [text(left, base, group.title, 11, **BOLD), struck(group.change, left, base, group.title, 11)]
        parts.append(text(type_at, base, group.type, 11, "mu"))
        if group.repeat > 1:
            width = badge_width(group.copied)
            parts.insert(0, shapes.badge(right - width + 4, box.y + 4, group.copied))
            right -= width + 6
        parts.append(text(right, base, group.facts, 10.5, "mu", **END))
        header = "".join(parts) if self.marks is None else element("g", "".join(parts), **mark)
        self.headers.append(linked(group.link, header))
        self.headers += shapes.change_mark(group.change, box.x, box.y + 13)

    def _tooltip(self, lines: list[str]) -> str:
        return tooltip(lines) if self.marks is None else ""

    def _row(self, item: Item, row: Row, content: str) -> str:
        mark = self.marks.row(item.key, row.keys[0]) if self.marks else {}
        name = "a" if mark else "g"  # a page hides the row: browsers lay out a <g> that is hidden, but not an <a>
        return linked(row.link, element(name, self._tooltip(row.tips) + content, **mark))

    def _chips(self, row: Row, x: float, y: float, gap: float = 4.0) -> Iterator[str]:
        for number, (chip, kind) in enumerate(row.chips):
            drawn = shapes.chip(x, y, chip, kind)
            yield drawn if self.marks is None else element("g", drawn, **self.marks.chip(row, number))
            x += measure.chip_width(chip) + gap

    def _wires(self) -> None:
        drawn: dict[str, dict[str, None]] = {style: {} for style in _LINES}
        heads: dict[str, dict[str, None]] = {tip: {} for tip in _HEADS}
        trunks = Trunks()
        for dashed, _, _, wire in sorted(map(self._ranked, self.layout.wires), key=itemgetter(0, 1, 2)):
            points = [Point(p.x + self.dx, p.y + self.dy) for p in wire.points]
            skip, head = self._is_skip(wire), arrowhead(points[-2], points[-1]) if wire.arrow else ""
            style, tip = ("sk", "ahs") if skip else ("e", "ah")
            if dashed:
                style, tip = f"{style} o-{dashed}", f"{tip} s-{dashed}"
            if self.marks is not None:
                marked = self.marks.wire(wire, rounded(points), head, style, tip)
                at = 0 if dashed else len(self.wires)
                self.wires[at:at] = marked
                continue
            if own := trunks.own_part(points):
                drawn[style][rounded(own)] = None
            if head:
                heads[tip][head] = None
        self.wires += [element("path", d=path, class_=style) for style, paths in drawn.items() for path in paths]
        self.wires += [element("path", d="".join(paths), class_=style) for style, paths in heads.items() if paths]
        shapes_of = {item.key: item.shape for item in self.scene.items()}
        for label in self.layout.labels:
            x, y = label.x + self.dx, label.y + self.dy
            shape = self.scene.loops[Edge(label.value, label.target)] if label.target else shapes_of[label.value]
            self.wires.append(text(x, y, shape, 10, "mu m", **MIDDLE))
        if self.scene.direction == "TB":
            self._edge_shapes()

    def _ranked(self, wire: Wire) -> tuple[str, bool, float, Wire]:
        """Return what the order of wires depends on: dashed ones last, skips and long ones first."""
        into = {self._dashes[target][0] for target in wire.targets}
        dashed = self._dashes[wire.value][1] or (into.pop() if len(into) == 1 else "")
        return dashed, not self._is_skip(wire), -length_of(wire.points), wire

    def _is_skip(self, wire: Wire) -> bool:
        """Return whether a wire skips boxes on its way to a sum or a concatenation, or goes back to the next step."""
        ends = [(target in self._joins, Edge(wire.value, target) in self.scene.loops) for target in wire.targets]
        return wire.skips and all(joins or loops for joins, loops in ends)

    def _edge_shapes(self) -> None:
        """Paint the output shapes of cards, to the right of the outgoing wire."""
        shapes = {item.key: item.rows[-1].shape for item in self.scene.items() if item.form == "card"}
        segments = [pair for wire in self.layout.wires for pair in pairwise(wire.points)] if shapes else []
        around = [Rect(min(a.x, b.x), min(a.y, b.y), abs(a.x - b.x), abs(a.y - b.y)) for a, b in segments]
        obstacles = [*self.layout.boxes.values(), *around]
        for wire in sorted(self.layout.wires, key=lambda wire: len(wire.points)):
            shape = shapes.get(wire.value, "")
            for a, b in pairwise(wire.points) if shape else ():
                if a.x != b.x or b.y - a.y < 16:
                    continue
                y = max(a.y + 3, (a.y + min(b.y, a.y + 32)) / 2 - 6)
                place = Rect(a.x + 8, y, text_width(shape, 10, mono=True), 11)
                beside = [each for each in obstacles if place.x <= each.right and each.x <= place.right]
                free = not any(place.y <= each.bottom and each.y <= place.bottom for each in beside)
                if free and place.right < self.layout.width + self.dx:
                    shapes.pop(wire.value)
                    self.items.append(text(place.x + self.dx, place.y + 9.5 + self.dy, shape, 10, "mu m"))
                    obstacles.append(place)
                    break

    def _item(self, item: Item, box: Rect) -> None:
        first = len(self.items)
        self._item_elements(item, box)
        if self.marks is not None:  # a page can move the item and split its table
            self.items[first:] = [element("g", "".join(self.items[first:]), **self.marks.box(box))]

    def _item_elements(self, item: Item, box: Rect) -> None:
        if item.form == "stack":
            self._stack(item, box)
            return
        row = item.rows[0]
        content = self._card(row, box) if item.form == "card" else self._pill(item, row, box)
        self.items.append(self._row(item, row, content))
        at = (box.x, box.y + box.height / 2) if item.form == "card" else (box.x - 3, box.y + 2)
        self.items += shapes.change_mark(row.change, *at)

    def _stack(self, item: Item, box: Rect) -> None:
        columns, copied = self.measured.columns[item.key], item.rows[0].copied
        self.items += shapes.sheets(box, f"f-{item.rows[0].ground} line", 6, item.rows[0].repeat)
        rows = item.rows[::-1] if item.key in self.layout.upwards else item.rows
        for number, row in enumerate(rows):
            y, last = box.y + ROW_HEIGHT * number, number == len(item.rows) - 1
            body = shapes.ground(row, box._replace(y=y, height=ROW_HEIGHT), 6, measure.STRIPE, number == 0, last)
            if number > 0:
                line = f"M{box.x + measure.STRIPE:.1f} {y:.1f}H{box.right:.1f}"
                body += element("path", d=line, class_="cut", stroke_width=1)
            self.items.append(self._row(item, row, body + "".join(self._cells(row, columns, box.x, y))))
        if not all(map(dashes, rows)):
            self.items.append(shapes.outline(box, "line", 6))
        for number, row in enumerate(rows):
            if dashes(row):
                row_box = box._replace(y=box.y + ROW_HEIGHT * number, height=ROW_HEIGHT)
                self.items.append(shapes.outline(row_box, bordered(row, "line"), 6))
            self.items += shapes.change_mark(row.change, box.x, box.y + ROW_HEIGHT * (number + 0.5))
        if copied:
            self.items.append(shapes.badge(box.right - 6 - badge_width(copied), box.y + 2, copied))

    def _cells(self, row: Row, columns: dict[str, float], left: float, top: float) -> Iterator[str]:
        middle, muted = top + ROW_HEIGHT / 2, muted_style(row)
        base, x = middle + 4.1, left + columns["name"]
        if "path" in columns:
            yield text(left + columns["path"], base - 0.3, row.path, 10, f"{muted} m")
        yield text(x, base, row.label, 12, name_style(row), **BOLD) + struck(row.change, x, base, row.label, 12)
        x += text_width(row.label, 12, bold=True) + 6
        if row.config:
            yield text(x, base, row.config, 11, muted)
            x += text_width(row.config, 11) + 6
        yield from self._chips(row, x, middle - 7.5)
        yield text(left + columns.get("shape", 0.0), base - 0.3, measure.shape_shown(row), 10, "t m")
        yield text(left + columns.get("parameters", 0.0), base, row.parameters, 10.5, muted, **END)
        if "bar" in columns and measure.bar_shown(row):
            x = left + columns["bar"]
            if row.share is None:
                yield text(x, base, "?", 10.5, muted)
            else:
                length = max(2.5, measure.BAR * row.share / self.scene.largest)
                yield rect(x, middle - 2.5, measure.BAR, 5, "bt", 2.5) + rect(x, middle - 2.5, length, 5, "bar", 2.5)

    def _card(self, row: Row, box: Rect) -> str:
        repeated, width = row.repeat > 1, badge_width(row.copied)
        parts = [*shapes.sheets(box, f"f-{row.ground} line", 8, row.repeat), shapes.ground(row, box, 8, 5, True, True)]
        if row.share is not None and row.share >= measure.LEAST_SHARE:
            length = (box.width - 16) * row.share / self.scene.largest
            parts.append(rect(box.x + 8, box.bottom - 3, length, 3, "bar", 1.5))
        if self.scene.direction == "LR":
            right = box.right - measure.RIGHT - (8 + width if repeated else 0.0)
            parts.append(shapes.card_texts(row, box, right, tile=True))
            parts += self._chips(row, box.x + measure.LEFT + text_width(row.label, 13, bold=True) + 7, box.y + 7.5)
            badge = box.right - 8 - width, box.y + 6
        else:
            parts.append(shapes.card_texts(row, box, box.right - measure.RIGHT, tile=False))
            config = text_width(row.config, 11) + 6 if row.config else 0.0
            parts += self._chips(row, box.x + measure.LEFT + config, box.y + 24.5)
            badge = box.right + 4 - width, box.y - 9
        return "".join(
            [
                *parts,
                shapes.outline(box, bordered(row, "line"), 8),
                shapes.badge(*badge, row.copied) if repeated else "",
            ]
        )

    def _pill(self, item: Item, row: Row, box: Rect) -> str:
        if item.form == "sign":
            middle = box.x + measure.SIGN / 2
            style = bordered(row, f"f-{row.ground} o-arithmetic")
            circle = element("circle", cx=middle, cy=box.y + 12, r=11.2, class_=style, stroke_width=1.5)
            sign = text(middle, box.y + 17.6, sign_of(row.label), 17, **BOLD, **MIDDLE)
            frame = bordered(row, "f-parameter o-arithmetic")
            around = shapes.pill(box, frame, 12, 1.2) if row.chips else ""
            return "".join([around, circle, sign, *self._chips(row, box.x + measure.SIGN + 3, box.y + 4.5, gap=8)])
        if item.form == "terminal":
            label = text(box.x + 12, box.y + 17.2, row.label, 12, "iot", **BOLD)
            shape = text(box.right - 12, box.y + 17, row.shape, 10, "iot m", **END)
            line = struck(row.change, box.x + 12, box.y + 17.2, row.label, 12, "iot")
            return rect(*box, bordered(row, "f-terminal"), 13) + label + line + shape
        if item.form == "concat":
            frame = shapes.pill(box, bordered(row, f"f-{row.ground} o-arithmetic"), 12, 1.5)
            label, right, base = text(box.x + 11, box.y + 16.2, row.label, 11.5, **BOLD), box.right - 11, box.y + 16
        else:
            x, y, style = box.x + 0.5, box.y + 0.5, bordered(row, f"f-{row.ground} o-parameter")
            frame = rect(x, y, box.width - 1, box.height - 1, style, 5, stroke_dasharray="3 2.5")
            label, right, base = text(box.x + 9, box.y + 15, row.label, 11, name_style(row)), box.right - 9, box.y + 15
        muted, width = muted_style(row), text_width(row.parameters, 10.5) + 8 if row.parameters else 0.0
        shape = text(right - width, base, row.shape, 10, f"{muted} m", **END)
        return frame + label + shape + text(right, base, row.parameters, 10.5, muted, **END)
