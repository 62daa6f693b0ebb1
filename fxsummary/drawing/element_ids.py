"""Number the rows, frames and wires of a picture, so that a page can find them."""

from __future__ import annotations

from dataclasses import dataclass, field

from fxsummary.drawing.markup import element, number
from fxsummary.drawing.scene import Group, Row
from fxsummary.layout import Rect, Wire

OPEN = ("open", "parameter")
"""The chip of a closed module that can be opened."""


@dataclass(slots=True)
class Marks:
    """The meaning of the numbers in a marked picture; equal pictures have equal numbers.

    Attributes:
        operations: keys by the number in ``data-n`` of rows and chips.
        frames: module paths by the number in ``data-m`` of frames and their headers.
        items: the number in ``data-i`` of each item; ``data-v`` of a wire is the item where it starts,
            ``data-t`` the items to which it leads.
    """

    operations: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    items: dict[str, int] = field(default_factory=dict)

    def frame(self, group: Group) -> dict[str, str]:
        """Return the attributes of a frame and of the header that follows it; none for a pattern of several modules."""
        if not group.path:
            return {}
        self.frames.append(group.path)
        return {"data_m": str(len(self.frames) - 1)}

    def box(self, box: Rect) -> dict[str, str]:
        """Return the attribute ``data-b`` of an item: x, y, width and height."""
        return {"data_b": " ".join(map(number, box))}

    def row(self, item: str, key: str) -> dict[str, str]:
        """Return the attributes of a row."""
        return {"data_n": self._number(key), "data_i": self._item(item)}

    def chip(self, row: Row, number: int) -> dict[str, str]:
        """Return the attributes of a chip: its operation, or that it opens a closed module; none for a plain text."""
        if number + 1 < len(row.keys):
            return {"data_n": self._number(row.keys[number + 1])}
        return {"class_": "open"} if row.chips[number] == OPEN else {}

    def wire(self, wire: Wire, path: str, head: str, style: str, tip: str) -> list[str]:
        """Mark a wire and its arrowhead, of these CSS classes, with the items at the ends of the edges through it."""
        ends = {"data_v": self._item(wire.value), "data_t": " ".join(map(self._item, wire.targets))}
        elements = [element("path", d=path, class_=style, **ends)]
        return [*elements, element("path", d=head, class_=tip, **ends)] if head else elements

    def _item(self, key: str) -> str:
        return str(self.items.setdefault(key, len(self.items)))

    def _number(self, key: str) -> str:
        self.operations.append(key)
        return str(len(self.operations) - 1)
