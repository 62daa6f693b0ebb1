"""Export to PDF: the SVG picture on one page, with the packages ``svglib`` and ``reportlab``; text stays text."""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from io import BytesIO
from typing import Any

from fxsummary.drawing.markup import escape
from fxsummary.drawing.style import MONO, SANS
from fxsummary.exporters.fontfiles import Fonts, find_fonts
from fxsummary.exporters.svg import to_svg
from fxsummary.graph.modelgraph import ModelGraph

_TITLE = re.compile("<title>(.*?)</title>")
STANDARD = "Helvetica"
_PLAIN = {"→": "->", "≥": ">=", "≤": "<=", "−": "-"}
"""Replacements for characters that the standard PDF fonts lack."""


def to_pdf(graph: ModelGraph, *, theme: str = "light", **options: Any) -> bytes:
    """Return the picture as PDF; the options are those of `fxsummary.exporters.svg.to_svg`.

    The PDF has one page of the picture's size; text can be selected and searched. It embeds suitable fonts of this
    machine, which have all characters; without them, it uses PDF's standard fonts.

    Args:
        graph: graph to draw; it is not changed.
        theme: "light" or "dark"; "auto" is light, because a PDF has one scheme.
        options: view, title, depth, fold, color, show, direction, source_url, as for `to_svg`.
    """
    return pdf_of(to_svg(graph, theme="light" if theme == "auto" else theme, **options))


def pdf_of(svg: str) -> bytes:
    """Convert one of our SVGs to PDF; the same SVG gives the same bytes on the same machine."""
    from reportlab.graphics import renderPDF
    from reportlab.pdfgen.canvas import Canvas
    from svglib.svglib import svg2rlg

    title = _TITLE.search(svg)
    fonts = find_fonts()
    sans, mono, missing = _families(fonts)
    svg = svg.replace(SANS, sans, 1).replace(MONO, mono, 1)
    if fonts is not None and sans != STANDARD:
        svg = fonts.fitted(svg)
    for character in missing:
        svg = svg.replace(character, escape(_PLAIN[character]))
    drawing: Any = svg2rlg(BytesIO(svg.encode("utf-8")))
    file = BytesIO()
    canvas = Canvas(file, pagesize=(drawing.width, drawing.height), invariant=1)
    canvas.setTitle(unescape(title[1]) if title else "")
    canvas.setCreator("fxsummary")
    renderPDF.draw(drawing, canvas, 0, 0)
    canvas.save()
    return file.getvalue()


@cache
def _families(fonts: Fonts | None) -> tuple[str, str, str]:
    """Return the names of the families in svglib, and the characters of `_PLAIN` that they lack."""
    from reportlab.pdfbase.pdfmetrics import getFont
    from svglib.fonts import register_font

    if fonts is None or fonts.monospaced == fonts.regular:
        return STANDARD, "Courier", "".join(_PLAIN)
    sans, mono = f"fxsummary {fonts.sans}", f"fxsummary {fonts.mono} monospaced"
    faces = ((sans, "normal", fonts.regular), (sans, "bold", fonts.bold), (mono, "normal", fonts.monospaced))
    for family, weight, path in faces:
        if register_font(family, str(path), weight)[0] is None:  # reportlab cannot embed this format
            return STANDARD, "Courier", "".join(_PLAIN)
    known = getFont(sans).face.charToGlyph
    return f'"{sans}"', f'"{mono}"', "".join(character for character in _PLAIN if ord(character) not in known)
