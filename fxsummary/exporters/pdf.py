"""Export to PDF: the SVG picture on one page, with the packages ``svglib`` and ``reportlab``; text stays text."""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from io import BytesIO
from typing import Any

from fxsummary.drawing.style import MONO, SANS
from fxsummary.errors import OutputError
from fxsummary.exporters.fontfiles import Fonts, family_in, find_fonts
from fxsummary.exporters.svg import to_svg
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.text.html import escape

_TITLE = re.compile("<title>(.*?)</title>")
STANDARD = "Helvetica"
_PLAIN = {"→": "->", "≥": ">=", "≤": "<=", "−": "-"}
"""Replacements for characters that the standard PDF fonts lack."""


def to_pdf(graph: ModelGraph, *, theme: str = "light", **options: Any) -> bytes:
    """Return the picture as PDF; see `ModelGraph.to_pdf`."""
    return pdf_of(to_svg(graph, theme="light" if theme == "auto" else theme, **options))


def pdf_of(svg: str) -> bytes:
    """Convert one of our SVGs to PDF; the same SVG gives the same bytes on the same machine."""
    from reportlab.graphics import renderPDF
    from reportlab.pdfgen.canvas import Canvas
    from svglib.svglib import svg2rlg

    title = _TITLE.search(svg)
    chosen = family_in(svg)
    fonts = find_fonts(chosen)
    sans, mono, missing = _families(fonts)
    if chosen and sans == STANDARD:
        raise OutputError(f"reportlab cannot embed the font {chosen!r}: choose a TrueType font, or render to .svg.")
    svg = svg.replace(f'"{chosen}",{SANS}', SANS, 1).replace(SANS, f'"{sans}"', 1).replace(MONO, f'"{mono}"', 1)
    if fonts is not None and sans != STANDARD:
        svg = fonts.fitted(svg)
    for character in missing:
        svg = svg.replace(character, escape(_PLAIN[character]))
    drawing: Any = svg2rlg(BytesIO(svg.encode("utf-8")))
    drawing.initialFontName = sans  # else the page starts with Helvetica, which no PDF embeds
    file = BytesIO()
    size = drawing.width, drawing.height
    canvas = Canvas(file, pagesize=size, invariant=1, initialFontName=sans)
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

    if fonts is None:
        return STANDARD, "Courier", "".join(_PLAIN)
    sans, mono = f"fxsummary {fonts.sans}", f"fxsummary {fonts.mono} monospaced"
    faces = ((sans, "normal", fonts.regular), (sans, "bold", fonts.bold), (mono, "normal", fonts.monospaced))
    for family, weight, path in faces:
        if register_font(family, str(path), weight)[0] is None:  # reportlab cannot embed this format
            return STANDARD, "Courier", "".join(_PLAIN)
    known = getFont(sans).face.charToGlyph
    return sans, mono, "".join(character for character in _PLAIN if ord(character) not in known)
