"""The methods of `ModelGraph` that export it as text or data, and `render`, with the options of each format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fxsummary.graph.pictures import Fold, Pictures, exported
from fxsummary.support import files
from fxsummary.support.registry import exporter_for

if TYPE_CHECKING:
    import graphviz
    import pandas

Columns = Iterable[str] | str | None


class Exports(Pictures):
    """The formats that a graph can be exported to; none of them changes it."""

    def to_text(
        self,
        *,
        width: int = 80,
        depth: int | None = None,
        view: str | None = None,
        fold: Fold = "similar",
        columns: Columns = None,
    ) -> str:
        """Return the graph as text.

        Args:
            width: maximum line width in columns, at least 60.
            depth: levels of modules to open, 0 for the model as one row; None for as many as fit a page.
            view: "summary", the hierarchy in execution order; "modules", the module tree with shapes and costs;
                "parameters", each named parameter; "operations", in execution order. None for "summary", or for the
                differences if `fxsummary.diff` made the graph.
            fold: "similar" shows runs of equal and of similar copies once, with ``×N``, and blocks that were shown
                before as ``= NAME`` or ``like NAME``; "exact" only equal ones; False every copy.
            columns: names of the columns after the first, such as ``("shape", "kind", "output_bytes")`` or
                ``"shape,flops"``: attributes of operations that have a title in `fxsummary.graph.attributes`, "share"
                and "parameter_share", the percentages of FLOPs and parameters, "macs", "input_shape", "kernel", and
                "receptive_field". None for shape, parameters, FLOPs and share.

        Raises:
            UnknownNameError: unknown view or column.
            InputError: ``depth`` is not a number of levels, or the view has fixed columns.
        """
        return str(exported("text", locals()))

    def to_markdown(
        self,
        *,
        depth: int | None = None,
        view: str | None = None,
        fold: Fold = "similar",
        columns: Columns = None,
        title: str | Literal[False] | None = None,
        notes: bool = True,
    ) -> str:
        """Return the graph as Markdown.

        Args:
            depth, view, fold, columns: as in `to_text`.
            title: heading of a summary, before the inputs; the model's class name if None, no heading if False.
            notes: whether a summary lists ``graph.notes``.

        Raises:
            UnknownNameError: unknown view or column.
            InputError: ``depth`` is not a number of levels, or the view has fixed columns.
        """
        return str(exported("markdown", locals()))

    def to_latex(
        self,
        *,
        depth: int | None = None,
        fold: Fold = "similar",
        columns: Columns = None,
        caption: str | None = None,
        label: str | None = None,
        longtable: bool = False,
    ) -> str:
        """Return the rows of the summary as a LaTeX table, with a note below that explains the marks in it.

        Args:
            depth, fold, columns: as in `to_text`.
            caption, label: caption and label of the table, as LaTeX; without both the result is a bare ``tabular`` and
                the note.
            longtable: whether the table may span several pages, which needs the package longtable.
        """
        return str(exported("latex", locals()))

    def to_mermaid(self, *, depth: int | None = None, fold: Fold = "similar", direction: str = "TB") -> str:
        """Return the graph as the source of a Mermaid flowchart.

        Args:
            depth: levels of modules to open, 0 for the model as one box; None for as many as GitHub renders.
            fold: "similar" draws runs of equal and of similar copies once, "exact" only equal ones, False every copy.
            direction: "TB", from top to bottom, or "LR", from left to right.

        Raises:
            UnknownNameError: unknown direction.
            InputError: ``depth`` is not a number of levels.
            TooLargeError: the flowchart is too large for GitHub; the message names a depth that fits.
        """
        return str(exported("mermaid", locals()))

    def to_graphviz(self, *, fold: Fold = "similar", direction: str = "TB") -> graphviz.Digraph:
        """Return the graph as a `graphviz.Digraph`.

        Args:
            fold: "similar" draws runs of equal and of similar copies once, "exact" only equal ones; both draw the
                operations of the picture. False draws every copy, and every operation that returns a tensor.
            direction: Graphviz's ``rankdir``: TB, LR, BT or RL.
        """
        return exported("graphviz", locals())

    def to_dot(self, *, fold: Fold = "similar", direction: str = "TB") -> str:
        """Return the DOT source of `to_graphviz`, with the same options."""
        return str(exported("dot", locals()))

    def to_json(self, *, fold: Fold = False) -> str:
        """Return the graph as JSON for `fxsummary.load`; equal graphs give equal bytes.

        Args:
            fold: save only the first copy of each run of copies, with the number of copies and what each copy reads:
                "similar" (or True) for runs of equal and of similar copies, "exact" only for equal ones.
        """
        return str(exported("json", locals()))

    def to_node_link(self) -> dict[str, Any]:
        """Return the graph as plain data for ``networkx.node_link_graph(data, edges="edges")`` and D3.

        Attributes are numbers, booleans, strings, or None if unknown: shapes as ``1×3×28×28``, tuples as
        comma-separated items, everything else as JSON.
        """
        found: dict[str, Any] = exported("node_link", locals())
        return found

    def to_graphml(self) -> str:
        """Return the graph as GraphML for yEd, Gephi, Cytoscape and ``networkx.read_graphml``.

        The attributes are those of `to_node_link`; unknown values are left out.
        """
        return str(exported("graphml", locals()))

    def to_pandas(self) -> pandas.DataFrame:
        """Return a DataFrame with a row per operation, in execution order, indexed by torch.fx name.

        The columns are the attributes with a title in `fxsummary.graph.attributes`: ``op``, ``target``, ``kind``,
        ``module``, ``module_type``, ``label``, ``config``, ``shape`` (as ``1×3×28×28``), ``dtype``, ``trust`` and
        ``source`` as texts (dtype "string"); ``parameters``, ``trainable_parameters``, ``parameter_bytes``,
        ``buffers``, ``buffer_bytes``, ``flops``, ``output_bytes`` and ``multiplicity`` as integers (dtype "Int64"); for
        a comparison ``change`` and ``was``; and attributes that you registered. Unknown values are ``<NA>``.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        return exported("pandas", locals())

    def render(
        self,
        path: str | Path,
        *,
        view: str | None = None,
        depth: int | None = None,
        page: str | None = None,
        fold: Fold | None = None,
        ghosts: bool | None = None,
        color: str | None = None,
        theme: str | None = None,
        title: str | Literal[False] | None = None,
        subtitle: bool | None = None,
        legend: bool | None = None,
        background: str | None = None,
        show: Iterable[str] | None = None,
        direction: str | None = None,
        source_url: str | None = None,
        font: str | None = None,
        font_size: float | None = None,
        scale: float | None = None,
        width: int | None = None,
        columns: Columns = None,
        **others: object,
    ) -> Path:
        """Write the graph to a file in the format that the suffix names, and return the path.

        Args:
            path: its suffix names the format: .svg, .png, .pdf, .tikz, .html, .txt, .md, .tex, .mmd, .dot, .json,
                .graphml, .csv, and those that you registered.
            view, depth, ...: the options of the format, see `to_svg` for pictures, `to_text` for tables; None for
                what the format takes if the option is not given.
            others: options of few formats, such as the caption of `to_latex`.

        Raises:
            UnknownNameError: unknown suffix; the message lists the known ones.
            InputError: the format does not have an option.
            MissingPackageError: the format needs packages that are not installed; the message shows the pip command.
            OutputError: the file cannot be written; an existing file stays unchanged.
        """
        given = {name: each for name, each in locals().items() if each is not None and name not in _NO_OPTIONS}
        target = Path(path)
        exporter = exporter_for(target)
        exporter.check_options(given | others)
        result = exporter(self, **given, **others)
        files.write(target, result if isinstance(result, bytes) else result.encode("utf-8"))
        return target


_NO_OPTIONS = ("self", "path", "others")
