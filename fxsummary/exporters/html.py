"""Export to HTML: one file to explore a model offline, with an SVG picture of each module."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from string import Template
from typing import Any

from fxsummary.drawing.compose import set_texts
from fxsummary.drawing.style import stylesheet, with_variables
from fxsummary.exporters.page.atlas import draw_atlas
from fxsummary.exporters.page.contents import contents
from fxsummary.exporters.page.outline import outline
from fxsummary.exporters.page.panels import panels
from fxsummary.exporters.page.sides import draw_pairs
from fxsummary.exporters.page.tree import tree_columns
from fxsummary.exporters.tables.columns import column_names
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.text.html import escape
from fxsummary.views.depth import check_depth

SCRIPTS = (
    "data.js", "picture.js", "heat.js", "spread.js", "inside.js", "sight.js", "panel.js", "tree.js", "search.js",
    "export.js", "docks.js", "sides.js", "main.js",
)  # fmt: skip
"""Script files, in the order of concatenation."""

_UNSAFE = re.compile("[<>&\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def to_html(
    graph: ModelGraph,
    *,
    title: str | None = None,
    depth: int | None = None,
    theme: str = "auto",
    columns: Iterable[str] | str | None = None,
) -> str:
    """Return the graph as an HTML page; see `ModelGraph.to_html`."""
    stylesheet(theme)  # raises if it is unknown
    names = None if columns is None else column_names(columns)
    modules = outline(graph)
    atlas = draw_atlas(modules, check_depth(depth))
    set_texts(graph, atlas.first, title)
    pairs = draw_pairs(modules, atlas)
    below = panels(modules)
    root, scene, pictures = atlas.views[""], atlas.first.scene, list(atlas.pictures)
    first = root.levels[root.start].picture
    style, script = _style(), "\n".join(map(_asset, SCRIPTS))
    policy = (  # the policy forbids all network requests
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    others = [f'<template id="picture-{at}">{svg}</template>' for at, svg in enumerate(pictures) if at != first]
    return Template(_asset("page.html")).substitute(
        policy=policy,
        title=escape(scene.title),
        facts=escape(scene.facts),
        description=escape(scene.description),
        theme=escape(theme),
        style=style,
        script=script,
        picture=pictures[first],
        first=first,
        switch=_asset("switch.html") if pairs else "",
        sides=Template(_asset("sides.html")).substitute(pairs.names) if pairs else "",
        panels="\n".join(panel.section for panel in below),
        panel_buttons="".join(panel.button for panel in below),
        pictures="\n".join(others),
        data=embedded(contents(modules, atlas, pairs) | (tree_columns(modules, names) if names else {})),
    )


def embedded(data: Mapping[str, Any]) -> str:
    """Return JSON that is safe in a script element: nothing in it ends the element or is read as markup.

    >>> embedded({"</script>": "a & b \\u2028"})
    '{"\\\\u003c/script\\\\u003e":"a \\\\u0026 b \\\\u2028"}'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


@cache
def _asset(name: str) -> str:
    return resources.files("fxsummary.exporters.page").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _style() -> str:
    """Return both schemes as CSS variables: light, dark if the reader's system is, and either if the page sets it."""
    rules, light, dark = with_variables()
    return (
        f":root{{color-scheme:light;{light}}}\n"
        f'@media screen{{:root[data-theme="dark"]{{color-scheme:dark;{dark}}}}}\n'
        f'@media screen and (prefers-color-scheme:dark){{:root[data-theme="auto"]{{color-scheme:dark;{dark}}}}}\n'
        f"{rules}\n{_asset('page.css')}"
    )
