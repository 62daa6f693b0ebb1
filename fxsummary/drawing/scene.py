"""The contents of a picture before layout: groups of items, items of rows, with all texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from fxsummary.layout import Edge

Form = Literal["stack", "card", "sign", "concat", "terminal", "parameter"]


@dataclass(slots=True)
class Row:
    """An operation, with the operations that share its row.

    Attributes:
        keys: its operations; the first names the row, the others are chips.
        label, config, path, shape, parameters: texts, "" for none.
        share: share of the whole model's FLOPs, over all copies; None if unknown.
        chips: text and kind of each chip.
        repeat, unit: copies of the row itself, and whether they are "steps" or "calls".
        same_shape: whether the output has the shape of the input.
        heat: step of the heat scale, "" if the colour shows the kind.
        link: URL of its source line, "" for none.
        change: in a comparison one of `fxsummary.graph.changes.SIGNS`; "" in other pictures.
        ghost: whether forward does not need it.
    """

    keys: list[str]
    kind: str = "other"
    label: str = ""
    config: str = ""
    path: str = ""
    shape: str = ""
    parameters: str = ""
    share: float | None = 0.0
    chips: list[tuple[str, str]] = field(default_factory=list)
    repeat: int = 1
    unit: str = ""
    same_shape: bool = False
    tips: list[str] = field(default_factory=list)
    heat: str = ""
    link: str = ""
    change: str = ""
    ghost: bool = False

    @property
    def copied(self) -> str:
        """The number of copies, such as "×12" or "×128 steps"; "" for one."""
        return f"×{self.repeat} {self.unit}".rstrip() if self.repeat > 1 else ""

    @property
    def ground(self) -> str:
        """The background colour: by heat, change or kind; that of the page for a ghost."""
        return self.heat or self.change or ("parameter" if self.ghost else self.kind)


@dataclass(slots=True)
class Item:
    """An object at the end of wires: a table of rows, a card, a sign, a pill.

    Attributes:
        shape: shape of its value; joins: whether the first row of the table is a concatenation.
    """

    key: str
    form: Form
    rows: list[Row]
    shape: str = ""
    joins: bool = False

    @property
    def keys(self) -> list[str]:
        """All its operations, in order."""
        return [key for row in self.rows for key in row.keys]


@dataclass(slots=True)
class Group:
    """A frame around items and groups.

    Attributes:
        title, type, facts: bold name, class, and the text on the right of the header.
        repeat, unit: copies of the blocks in the frame, and whether they are "steps" or "calls".
        level: nesting depth, 0 for the page.
        link: URL of its first source line, "" for none.
        path: module path; "" for the page and for a pattern of several modules.
        change, ghost: the same as for a row.
    """

    key: str
    title: str = ""
    type: str = ""
    facts: str = ""
    repeat: int = 1
    level: int = 0
    tips: list[str] = field(default_factory=list)
    path: str = ""
    children: list[Group | Item] = field(default_factory=list)
    link: str = ""
    change: str = ""
    unit: str = ""
    ghost: bool = False

    @property
    def copied(self) -> str:
        """The number of copies, such as "×12" or "×128 steps"; "" for one."""
        return f"×{self.repeat} {self.unit}".rstrip() if self.repeat > 1 else ""

    def walk(self) -> Iterator[Group | Item]:
        """Yield everything inside, parents first, in reading order."""
        pending: list[Group | Item] = list(reversed(self.children))
        while pending:
            child = pending.pop()
            yield child
            if isinstance(child, Group):
                pending.extend(reversed(child.children))


class HeatScale(NamedTuple):
    """A heat scale: name of the cost, largest value, sum ("" if it has none), and whether some values are unknown."""

    name: str
    largest: str
    whole: str
    unknown: bool


@dataclass(slots=True)
class Scene:
    """The contents of a picture.

    Attributes:
        dataflow: False if the edges only keep the order and are invisible.
        largest: largest share of FLOPs of a row.
        title, facts, description: the texts of the page.
        heat: the heat scale, if colours show a cost.
        arranged: its layout, once computed; see `fxsummary.drawing.arrangement`.
        changes: number of operations by change, in a comparison.
        page: format of the page; see `fxsummary.drawing.pages.FORMATS`.
        named: number of edges that are drawn as names.
        encoded: key of the item whose value one side of the model gives to the other; "" if there are no two sides.
        loops: values that a step reads from the step before it, from item to item, with their shapes.
    """

    root: Group
    edges: list[Edge]
    dataflow: bool = True
    largest: float = 0.0
    title: str = ""
    facts: str = ""
    description: str = ""
    direction: str = "TB"
    heat: HeatScale | None = None
    arranged: object = None
    changes: Mapping[str, int] = field(default_factory=dict)
    page: str = "screen"
    named: int = 0
    encoded: str = ""
    loops: dict[Edge, str] = field(default_factory=dict)

    def items(self) -> Iterator[Item]:
        """Yield all items in reading order."""
        return (child for child in self.root.walk() if isinstance(child, Item))

    def rows(self) -> Iterator[Row]:
        """Yield the rows of all items."""
        return (row for item in self.items() for row in item.rows)

    def groups(self) -> Iterator[Group]:
        """Yield the groups inside the page, outer ones first."""
        return (child for child in self.root.walk() if isinstance(child, Group))
