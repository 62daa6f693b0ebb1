"""Sphinx extension: ``.. fxsummary:: package.module:factory`` shows a model's picture or table.

Add ``"fxsummary.sphinxext"`` to ``extensions`` in conf.py. If a model fails, the page shows the reason, and Sphinx
prints a warning with the place and continues. Results are cached by content in the doctree folder: a picture is
redrawn only when the files of its model or the directive change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri
from sphinx.util.typing import ExtensionMetadata

from fxsummary import __version__
from fxsummary.documents import autodoc, render
from fxsummary.documents.render import (
    FOLDER,
    OPTIONS,
    Embedding,
    Shown,
    described,
    embedding,
    inline,
    linked_files,
    links,
    show,
)
from fxsummary.errors import FxsummaryError
from fxsummary.support import files
from fxsummary.support.registry import EXPORTERS

logger = logging.getLogger(__name__)


class picture(nodes.General, nodes.Inline, nodes.Element):  # noqa: N801 (docutils names nodes so)
    """A placeholder for a picture until the output format is known; ``embedding`` has the request."""


class ModelDirective(SphinxDirective):
    """``.. fxsummary:: MODEL``; the options are those of `render.OPTIONS`, plus ``class`` and ``name``."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {
        **dict.fromkeys(OPTIONS, directives.unchanged),
        **dict.fromkeys(render.FLAGS, directives.flag),
        "depth": directives.nonnegative_int,
        "class": directives.class_option,
        "name": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """Return the figure or table, or a warning if the model fails."""
        said = {name: str(value or "") for name, value in self.options.items() if name in OPTIONS}
        folder = Path(self.env.doc2path(self.env.docname)).parent
        try:
            wanted = embedding(self.arguments[0], said, folder)
            shown = show(wanted, kept(self.env.app))
        except FxsummaryError as error:
            logger.warning("fxsummary: %s", error, location=self.get_location(), type="fxsummary")
            text = f"{self.arguments[0]} cannot be shown: {error}"
            return [nodes.warning("", nodes.paragraph(text, text))]
        for name in shown.files:
            self.env.note_dependency(name)
        alt, caption = described(said, shown), said.get("caption", "")
        made = self._table(shown, caption) if wanted.kind == "table" else self._figure(wanted, alt, caption)
        made["classes"] += [f"fxsummary-{wanted.kind}", *self.options.get("class", [])]
        self.set_source_info(made)
        self.add_name(made)
        return [made]

    def _figure(self, wanted: Embedding, alt: str, caption: str) -> nodes.Element:
        figure = nodes.figure("", picture("", embedding=wanted, alt=alt))
        figure["align"] = "default"
        if caption:
            figure += self._caption(nodes.caption, caption)
        return figure

    def _table(self, shown: Shown, caption: str) -> nodes.Element:
        widths = [max([len(title), *(len(row[at]) for row in shown.rows)]) for at, title in enumerate(shown.titles)]
        group = nodes.tgroup("", cols=len(widths))
        group += [nodes.colspec("", colwidth=width) for width in widths]
        group += nodes.thead("", _row([nodes.Text(title) for title in shown.titles], shown.numbers))
        rows = [[_cell(text, at) for at, text in enumerate(row)] for row in shown.rows]
        group += nodes.tbody("", *[_row(row, shown.numbers) for row in rows])
        table = nodes.table("", group)
        if caption:
            table.insert(0, self._caption(nodes.title, caption))
        return table

    def _caption(self, kind: type[nodes.Element], text: str) -> nodes.Element:
        inline, messages = self.parse_inline(text)
        caption: nodes.Element = kind(text, "", *inline, *messages)
        return caption


def _row(cells: Sequence[nodes.Node], numbers: Sequence[bool]) -> nodes.row:
    row = nodes.row()
    for cell, is_number in zip(cells, numbers, strict=True):
        entry = nodes.entry("", nodes.paragraph("", "", cell))
        entry["classes"] += ["fxsummary-number"] if is_number else []
        row += entry
    return row


def _cell(text: str, at: int) -> nodes.Node:
    """Return a cell; the first one keeps its leading spaces, which show the nesting."""
    return nodes.literal(text, text.replace(" ", "\N{NO-BREAK SPACE}")) if at == 0 else nodes.Text(text)


class PictureTransform(SphinxPostTransform):
    """Writes pictures in a format that fits the builder: SVG in HTML, PDF in LaTeX, text elsewhere."""

    default_priority = 7  # before images are collected and converted

    def run(self, **_: object) -> None:
        """Replace every `picture`."""
        for node in list(self.document.findall(picture)):
            wanted, alt = node["embedding"], node["alt"]
            if self.app.builder.format == "html":
                new: nodes.Node = nodes.raw("", self._html(wanted, alt), format="html")
            elif self.app.builder.format == "latex" and not EXPORTERS["pdf"].missing():
                new = self._image(wanted, alt)
            else:
                text = show(wanted, kept(self.app)).text
                new = nodes.literal_block(text, text)
            node.replace_self(new)

    def _html(self, wanted: Embedding, alt: str) -> str:
        """Return the picture with its links, and write the files that these name."""
        shown, folder = show(wanted, kept(self.app)), Path(self.app.outdir) / "_static" / FOLDER
        picture, builder = inline(shown.svg, alt, wanted.width), self.app.builder
        if builder.name == "epub":  # a book has no place for further files
            return picture
        for name, text in linked_files(shown).items():
            folder.mkdir(parents=True, exist_ok=True)
            files.write(folder / name, text.encode())
        page = builder.get_target_uri(self.env.docname)
        return picture + links(linked_files(shown), relative_uri(page, f"_static/{FOLDER}/"))

    def _image(self, wanted: Embedding, alt: str) -> nodes.Node:
        """Write the picture as a PDF, because it stays sharp and its text can be searched."""
        from fxsummary.exporters.pdf import pdf_of

        svg = show(wanted, kept(self.app)).svg
        place = kept(self.app) / f"{hashlib.sha256(svg.encode()).hexdigest()[:32]}.pdf"
        if not place.is_file():
            files.write(place, pdf_of(svg))
        name, size = str(place), {"width": wanted.width} if wanted.width else {}
        image = nodes.image("", uri=name, candidates={"application/pdf": name}, alt=alt, **size)
        self.env.images.add_file(self.env.docname, name)
        return image


def kept(app: Sphinx) -> Path:
    """Return the cache folder."""
    return Path(app.doctreedir) / "fxsummary"


def _write_css(app: Sphinx) -> None:
    """Write the style sheet before all pages, because pages name its checksum."""
    if app.builder.format == "html":
        static = Path(app.outdir) / "_static"
        static.mkdir(parents=True, exist_ok=True)
        files.write(static / render.CSS, render.page_css().encode())


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive, nodes and transform."""
    app.add_node(picture)
    app.add_directive("fxsummary", ModelDirective)
    app.add_post_transform(PictureTransform)
    app.add_css_file(render.CSS)
    app.connect("builder-inited", _write_css)
    autodoc.connect(app)
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}
