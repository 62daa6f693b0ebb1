"""The last step of composing a scene: what the reader chose not to see goes, heat and links come."""

from __future__ import annotations

from fxsummary.drawing.heat import heat
from fxsummary.drawing.labels import Subject, tips_of
from fxsummary.drawing.links import address
from fxsummary.drawing.options import FACTS, Look
from fxsummary.drawing.scene import Group, Item, Row, Scene


def finish(scene: Scene, subject: Subject, look: Look) -> None:
    """Make a composed scene look as wished."""
    scene.direction = look.direction
    if look.color != "kind":
        heat(scene, subject, look.color)
    rows = [row for item in scene.items() for row in item.rows]
    if hidden := set(FACTS) - look.show:
        for row in rows:
            _hide(row, hidden)
    if look.source_url:
        for row in rows:
            if not row.is_tag:
                row.link = address(look.source_url, subject.node(row.keys[0])["source"])
        _link_groups(scene)


def add_tips(scene: Scene, subject: Subject) -> None:
    """Give each row the lines of its tooltip."""
    for row in (row for item in scene.items() for row in item.rows if not row.is_tag):
        for key in row.keys:
            row.tips += [*([""] if row.tips else []), *tips_of(subject, key)]


def _hide(row: Row, hidden: set[str]) -> None:
    for fact in hidden - {"flops"}:
        setattr(row, fact, "")
    if "flops" in hidden:
        row.share = 0.0


def _link_groups(scene: Scene) -> None:
    """A group leads to the line of its first operation."""
    for group in scene.root.walk():
        if isinstance(group, Group):
            rows = (row for inner in group.walk() if isinstance(inner, Item) for row in inner.rows)
            group.link = next((row.link for row in rows if row.link), "")
