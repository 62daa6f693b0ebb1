"""The methods of `ModelGraph` that draw it, with the options of each format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from fxsummary.support.registry import EXPORTERS, call

if TYPE_CHECKING:
    from fxsummary.graph.frame import Frame

Fold = Literal["similar", "exact"] | bool
"""What to fold, see `ModelGraph.to_text`; True is "similar"."""


class Pictures:
    """The pictures and the page of a graph; none of them changes it."""

    def to_svg(
        self,
        *,
        view: str = "model",
        title: str | Literal[False] | None = None,
        page: str = "screen",
        depth: int | None = None,
        fold: Fold = "similar",
        ghosts: bool = False,
        theme: str = "auto",
        color: str = "kind",
        show: Iterable[str] | None = None,
        direction: str = "TB",
        source_url: str | None = None,
        subtitle: bool = True,
        legend: bool = True,
        background: str = "page",
        font: str | None = None,
        font_size: float = 11.0,
    ) -> str:
        """Return the graph as an SVG picture.

        Runs of identical blocks are drawn once with ×N. ``<desc>`` lists the hidden and folded operations, and tooltips
        show everything known about an operation.

        Args:
            view: "model", or "memory" for the memory of the forward pass: bytes over operations by what holds them, and
                the peak, or "roofline" for the time at best: FLOP/s over FLOP/B, on the device of
                ``g.roofline(device).graph`` or else on an H100. The latter two have the options ``title`` and
                ``theme``, and those from ``subtitle`` on.
            title: heading; the model's class name if None, no heading if False.
            page: the page for which the picture is laid out: "screen" (1,400 px wide), "column" (760 px, for a paper or
                a documentation page), "a4" (860 px) or "slide" (16:9). Type is 11 px in each; what a narrow page has no
                room for is left out of the rows and stays in the tooltips.
            depth: levels of modules to open, 0 for the model as one row; None for as many as fit a page.
            fold: "similar" draws runs of equal and of similar copies once, "exact" only equal ones, False every copy.
            ghosts: whether to draw what forward does not need, dashed and pale: modules that it never calls, and
                operations whose results nothing reads.
            theme: "auto" follows the reader's colour scheme; "light" and "dark" are fixed.
            color: background colour of a row: by "kind", or by "flops", "parameters", "memory" (bytes in use while it
                runs) or "time" (at best, as above) relative to the largest row; all but memory are over all copies.
            show: facts next to the name of an operation, from "path", "config", "shape", "parameters" and "flops"; all
                if None.
            direction: "TB", from top to bottom, or "LR", from left to right.
            source_url: URL template for source lines, such as ``https://github.com/me/repo/blob/main/{file}#L{line}``;
                rows and groups become links. File paths are relative to the folder from which the code was imported.
            subtitle: whether to draw the muted line below the heading; it stays in ``<desc>``.
            legend: whether to draw the legend.
            background: "page", the ground of the colour scheme, or "none", so that the ground of your page shows. With
                "none", fix the ``theme``: "auto" follows the reader's system, and your page may not.
            font: font family of the texts, except for paths and shapes, which are monospaced; the families of
                ``font=None`` follow it. Texts are measured for Helvetica, Arial and Liberation Sans: no text leaves its
                place in a family that is no wider, such as Times New Roman. The picture contains no font; PNG and PDF
                take it from the fonts of this machine.
            font_size: size of most texts in px: the picture is scaled by ``font_size / 11``, and its layout stays.

        Raises:
            UnknownNameError: unknown name; the message lists the known ones.
            InputError: ``depth`` is not a number of levels, the graph is a comparison, which has no ``ghosts``,
                ``source_url`` is not an http, https or relative URL with ``{file}``, ``title``, ``font`` or
                ``font_size`` is not what it must be, or the view is not "model" and shapes are unknown or another
                option is given.
        """
        return str(exported("svg", locals()))

    def to_png(
        self,
        *,
        scale: float = 1.0,
        view: str = "model",
        title: str | Literal[False] | None = None,
        page: str = "screen",
        depth: int | None = None,
        fold: Fold = "similar",
        ghosts: bool = False,
        theme: str = "light",
        color: str = "kind",
        show: Iterable[str] | None = None,
        direction: str = "TB",
        source_url: str | None = None,
        subtitle: bool = True,
        legend: bool = True,
        background: str = "page",
        font: str | None = None,
        font_size: float = 11.0,
    ) -> bytes:
        """Return the picture as PNG, which needs ``fxsummary[png]``.

        Args:
            scale: PNG pixels per SVG pixel; 2 for high-density screens and print.
            theme: "light" or "dark"; "auto" is light, because a PNG has one scheme.
            font: as in `to_svg`; it must be installed.

        All other options are those of `to_svg`.

        Raises:
            MissingPackageError: ``resvg_py`` is not installed.
            InputError: the scale is not a positive number, or the font is not installed.
            TooLargeError: the picture would be too large for viewers.
            OutputError: this machine has no fonts.
        """
        return bytes(exported("png", locals()))

    def to_pdf(
        self,
        *,
        view: str = "model",
        title: str | Literal[False] | None = None,
        page: str = "screen",
        depth: int | None = None,
        fold: Fold = "similar",
        ghosts: bool = False,
        theme: str = "light",
        color: str = "kind",
        show: Iterable[str] | None = None,
        direction: str = "TB",
        source_url: str | None = None,
        subtitle: bool = True,
        legend: bool = True,
        background: str = "page",
        font: str | None = None,
        font_size: float = 11.0,
    ) -> bytes:
        """Return the picture as PDF, which needs ``fxsummary[pdf]``.

        The PDF has one page of the picture's size, 0.75 pt per px; text can be selected and searched. It embeds the
        fonts that it uses: fonts of this machine, or those that come with reportlab. It uses PDF's standard fonts only
        if reportlab can embed none of these.

        Args:
            theme: "light" or "dark"; "auto" is light, because a PDF has one scheme.
            font: as in `to_svg`; it must be installed.

        All other options are those of `to_svg`.

        Raises:
            MissingPackageError: ``svglib`` or ``reportlab`` is not installed.
            InputError: the font is not installed.
            OutputError: the font cannot be embedded.
        """
        return bytes(exported("pdf", locals()))

    def to_tikz(
        self,
        *,
        view: str = "model",
        title: str | Literal[False] | None = None,
        page: str = "screen",
        depth: int | None = None,
        fold: Fold = "similar",
        ghosts: bool = False,
        theme: str = "light",
        color: str = "kind",
        show: Iterable[str] | None = None,
        direction: str = "TB",
        source_url: str | None = None,
        subtitle: bool = True,
        legend: bool = True,
        background: str = "page",
        font: str | None = None,
        font_size: float = 11.0,
    ) -> str:
        r"""Return the picture as TikZ, for LaTeX: ``\resizebox{\linewidth}{!}{\input{model.tikz}}``.

        The document needs the packages ``tikz`` and, for the font that the texts were measured in, ``helvet`` with the
        option ``scaled``. Its texts are those of the document: they have its fonts and can be edited.

        Args:
            theme: "light" or "dark"; "auto" is light.
            font: no other value than None, since the document has the fonts.

        All other options are those of `to_svg`.

        Raises:
            InputError: a font was given.
        """
        return str(exported("tikz", locals()))

    def to_html(
        self,
        *,
        title: str | None = None,
        depth: int | None = None,
        theme: str = "auto",
        columns: Iterable[str] | str | None = None,
    ) -> str:
        """Return the graph as an HTML page: its picture, a picture of each module, the module tree, memory, search.

        Args:
            title: heading; the model's class name if None.
            depth: levels of modules that are initially open, 0 for the model as one row; None for as many as give at
                most 150 rows.
            theme: initial colour scheme: "light", "dark", or "auto" for the one of the reader's system.
            columns: names of the columns of the module tree, as in `to_text`. A run of copies has the sums over all of
                them. None for parameters and the share of the FLOPs.

        Raises:
            UnknownNameError: unknown theme or column.
            InputError: ``depth`` is not a number of levels.
        """
        return str(exported("html", locals()))

    def show(
        self, *, height: int = 640, title: str | None = None, depth: int | None = None, theme: str = "auto"
    ) -> Frame:
        """Return the interactive page in a frame, which a notebook shows if it is the result of a cell.

        Nothing is opened, printed or written. Outside of a notebook, use ``g.render("model.html")``.

        Args:
            height: height of the frame in px.
            title, depth, theme: as in `to_html`.

        Raises:
            InputError: the height is not a positive whole number.
        """
        options: dict[str, Any] = {"height": height, "title": title, "depth": depth, "theme": theme}
        frame: Frame = call("fxsummary.exporters.notebook:show", self, **options)
        return frame


def exported(form: str, given: Mapping[str, Any]) -> Any:
    """Return a graph in a format.

    Args:
        given: the graph as "self", and the options.
    """
    options = {name: value for name, value in given.items() if name != "self"}
    return EXPORTERS[form](given["self"], **options)
