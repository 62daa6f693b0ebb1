"""Leave out texts of rows and headers, step by step, where a page is too narrow; tooltips keep them."""

from __future__ import annotations

import re

from fxsummary.drawing.scene import Item, Row, Scene

STEPS = 6
LONGEST_PATH = 12
_DEFAULTS = re.compile(r",? ?(?<![\w])(s1|dropout_p=0|scale=[\d.]+)(?![\w.])")
_COUNT = re.compile(r"\d+ ops(, )?")
_SHORT = {"scaled_dot_product_attention": "sdpa"}
_TEXTS = ("path", "label", "config", "shape", "same_shape", "share", "parameters")


class Texts:
    """The texts of all rows and headers of a scene, and its edges, to restore them."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.edges, self.named = scene.edges, scene.named
        self.rows = [(row, {name: getattr(row, name) for name in _TEXTS}, [*row.chips]) for row in scene.rows()]
        self.shapes = [(item, item.shape) for item in scene.items()]
        self.headers = [(group, group.facts, group.type) for group in scene.groups()]

    def restore(self) -> None:
        """Give the scene everything back."""
        self.scene.edges, self.scene.named = self.edges, self.named
        for row, values, chips in self.rows:
            row.chips = [*chips]
            for name, value in values.items():
                setattr(row, name, value)
        for item, shape in self.shapes:
            item.shape = shape
        for group, facts, type_name in self.headers:
            group.facts, group.type = facts, type_name


def narrow(scene: Scene, steps: int) -> None:
    """Take steps: leave out 1 defaults, 2 inner shapes, 3 long names, 4 all shapes and counts, 5 bars, 6 parameters
    and the beginnings of long paths.

    Headers lose their shares at 3, their classes at 6.
    """
    for step in range(1, steps + 1):
        for item in scene.items():
            for number, row in enumerate(item.rows):
                _narrow(item, row, step, number == len(item.rows) - 1)
    if steps >= 4:
        for item in scene.items():
            item.shape = item.shape.removeprefix("1×")
    if steps >= 3:
        for group in scene.groups():
            group.facts = group.facts.rpartition(" · ")[0] or group.facts
            group.type = group.type if steps < STEPS or not group.title else ""


def _narrow(item: Item, row: Row, step: int, last: bool) -> None:
    if step == 1:
        row.config = _DEFAULTS.sub("", row.config).lstrip(", ")
    elif step == 2 and not last:
        row.same_shape = True
    elif step == 3:
        row.label = _SHORT.get(row.label, row.label)
    elif step == 4 and item.form in ("stack", "card"):
        row.shape = ""
        row.config = _COUNT.sub("", row.config)
    elif step == 5:
        row.share = 0.0
    elif step == 6 and item.form == "stack":
        row.parameters = ""
        row.path = row.path if len(row.path) <= LONGEST_PATH else f"…{row.path[-LONGEST_PATH:]}"
