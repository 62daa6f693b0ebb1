"""Leave out texts of rows, step by step, where a page is too narrow; tooltips keep them."""

from __future__ import annotations

import re

from fxsummary.drawing.scene import Item, Row, Scene

STEPS = 6
_DEFAULTS = re.compile(r",? ?(?<![\w])(s1|dropout_p=0|scale=[\d.]+)(?![\w.])")
_SHORT = {"scaled_dot_product_attention": "sdpa"}


def narrow(scene: Scene, step: int) -> None:
    """Take one step: 1 defaults, 2 inner shapes, 3 long names, 4 all shapes, 5 bars, 6 parameters of rows."""
    for item in scene.items():
        for number, row in enumerate(item.rows):
            _narrow(item, row, step, number == len(item.rows) - 1)
    if step == STEPS:
        for group in scene.groups():
            group.facts = group.facts.split(" · ")[0]


def _narrow(item: Item, row: Row, step: int, last: bool) -> None:
    if step == 1:
        row.config = _DEFAULTS.sub("", row.config).lstrip(", ")
    elif step == 2 and not last:
        row.same_shape = True
    elif step == 3:
        row.label = _SHORT.get(row.label, row.label)
    elif step == 4 and item.form in ("stack", "card"):
        row.shape = ""
    elif step == 5:
        row.share = 0.0
    elif step == 6:
        row.parameters = ""
