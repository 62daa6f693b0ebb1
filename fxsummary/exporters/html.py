"""HTML: one file to explore a model in, without network; the pictures are those of SVG, one for each module."""

from __future__ import annotations

from fxsummary.drawing.compose import set_texts
from fxsummary.drawing.style import stylesheet
from fxsummary.exporters.page.assemble import assemble
from fxsummary.exporters.page.atlas import draw_atlas
from fxsummary.exporters.page.contents import contents
from fxsummary.exporters.page.outline import outline
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.depth import check_depth


def to_html(graph: ModelGraph, *, title: str | None = None, depth: int | None = None, theme: str = "auto") -> str:
    """The graph as a page: its picture, the picture of each module, the module tree, search, all attributes.

    Args:
        graph: what to show; it is not changed.
        title: heading; the model's class name if None.
        depth: levels of modules that are open at first, 0 for the model as one row; None for the most that give at
            most 150 rows.
        theme: "auto" follows the reader's colour scheme; "light" and "dark" are what the page begins with.
    """
    stylesheet(theme)  # raises if it is unknown
    modules = outline(graph)
    atlas = draw_atlas(modules, check_depth(depth))
    root = atlas.views[""]
    set_texts(graph, atlas.first, title)
    scene = atlas.first.scene
    return assemble(
        title=scene.title,
        facts=scene.facts,
        description=scene.description,
        theme=theme,
        pictures=list(atlas.pictures),
        first=root.levels[root.start].picture,
        data=contents(modules, atlas),
    )
