"""`ModelGraph`: the operations of a model as a `networkx.DiGraph`, and its module tree beside it.

Everything in it is a plain frozen value: no tensor, no module, no weight. It pickles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx

from fxsummary.graph.records import ModuleCall, ModuleInfo, ParameterInfo, Returned, Totals, add_up
from fxsummary.graph.spec import TensorSpec
from fxsummary.support import files
from fxsummary.support.registry import EXPORTERS, call, exporter_for

if TYPE_CHECKING:
    import graphviz
    import pandas

    from fxsummary.graph.changes import Comparison
    from fxsummary.graph.findings import Finding

__all__ = ["ModelGraph", "ModuleCall", "ModuleInfo", "ParameterInfo", "Returned", "Totals"]


class ModelGraph(nx.DiGraph):
    """The operations of a model and the values that flow between them.

    Nodes are the operations of the traced ``torch.fx`` graph, keyed by their FX name, in execution
    order. Everything of networkx works on it.

    Node attributes:
        op: torch.fx opcode: placeholder, call_module, call_function, call_method, get_attr, output.
        target: what is called: a module path, a qualified function name or a method name.
        kind: convolution, linear, attention, norm, activation, pool, embedding, recurrent,
            arithmetic, reshape, input, output, parameter or other.
        module: path of the innermost module that was running ("" for the model itself; for a
            call_module node the module called); module_type: its class name.
        module_stack: tuple of `ModuleCall`, outermost first, the model itself left out.
        label: short name of the operation, such as ``Conv2d`` or ``flatten``.
        config: settings in short, such as ``3→16, 3×3, s1, p1``.
        arguments: the call's arguments as text, ``%`` where a value of another node goes in; the
            k-th ``%`` is slot k of the in-edges.
        outputs: `TensorSpec` in the nesting of the operation's result; None where not known, and for
            values that are not tensors their literal.
        shape, dtype: of the first tensor of `outputs`; None where there is none.
        parameters, trainable_parameters: elements of the parameters first read here; None if unknown.
        parameter_names: names of those parameters; parameter_bytes: their bytes.
        parameter_dtypes: their elements by dtype, as pairs of dtype name and number.
        buffers, buffer_bytes: number and bytes of the buffers first read here.
        reads: names of all parameters and buffers that the operation reads, first read here or not.
        flops: FLOPs of the matrix-product family (2 per multiply-accumulate); None if unknown.
        at_least: what is known of costs that are None, by name; missing where nothing is.
        unknown_operators: names of the operators called whose FLOPs are not known.
        assumed: whether its shapes rest on values that were assumed, such as a routing decision.
        trust: of the FLOPs: "exact", "assumed" (they rest on such values) or "unknown".
        packed: whether the module holds weights in a form whose size is not known.
        output_bytes: bytes of the tensors in `outputs`; None if unknown.
        source: ``file:line`` of the call in the user's code, "" where it is not known.
        multiplicity: how many identical operations this one stands for (1 unless repeats are folded).

    Node attributes of a comparison (`fxsummary.diff`), whose costs and totals are those of the model after:
        change: "added", "removed", "changed", "moved" (the same at another place) or "same".
        differences: tuple of `Difference`: attribute, what it was, what it is; of a removed operation its costs.
        was: path that it had before, where that is another; of a removed operation its path.

    Edge attributes:
        slots: argument positions that the value goes to (``x + x`` is one edge with two slots); () where
            the value is read because it was written in place, through another name.
        parts: for each slot the part of the value that goes there, as a path: ``(1,)`` for element 1 of a
            tuple, ``()`` for the whole value; () alone where every slot takes the whole value.
        shape, dtype, bytes: of the value; of its first tensor where there are several.
        change: in a comparison "added", "removed" or "same".
    """

    def fill(
        self, nodes: Iterable[tuple[str, dict[str, Any]]], edges: Iterable[tuple[str, str, dict[str, Any]]]
    ) -> None:
        """Add nodes and edges that are new; the dicts become the graph's own.

        The methods of networkx look up and copy each of them, which takes longer than all else in a big graph.
        """
        for key, data in nodes:
            self._node[key] = data
            self._succ[key] = {}
            self._pred[key] = {}
        for source, target, data in edges:
            self._succ[source][target] = self._pred[target][source] = data

    def sources(self, key: str) -> Mapping[str, dict[str, Any]]:
        """What a node reads: the attributes of its in-edges by the node they come from; ``pred[key]``, but quick."""
        sources: Mapping[str, dict[str, Any]] = self._pred[key]
        return sources

    def readers(self, key: str) -> Mapping[str, dict[str, Any]]:
        """What reads a node: the attributes of its out-edges by the node they go to; ``succ[key]``, but quick."""
        readers: Mapping[str, dict[str, Any]] = self._succ[key]
        return readers

    def link(self, source: str, target: str, data: dict[str, Any]) -> None:
        """Add an edge between two nodes of the graph; the dict becomes the graph's own."""
        self._succ[source][target] = self._pred[target][source] = data

    if TYPE_CHECKING:  # networkx has no types of its own

        def __iter__(self) -> Iterator[str]: ...

    @property
    def name(self) -> str:
        """Class name of the model."""
        name: str = self.graph.get("name", "")
        return name

    @name.setter
    def name(self, value: str) -> None:
        self.graph["name"] = value

    @property
    def captured_by(self) -> str:
        """How the graph was captured: "symbolic", "recorded", "exported" or "modules" (no dataflow)."""
        captured_by: str = self.graph.get("captured_by", "symbolic")
        return captured_by

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, one sentence or two each."""
        notes: tuple[str, ...] = self.graph.get("notes", ())
        return notes

    @property
    def inputs(self) -> Mapping[str, TensorSpec | None]:
        """Spec of each input by its name in forward; None where not known."""
        return {
            data["target"]: data["outputs"]
            for _, data in self.nodes(data=True)
            if data.get("op") == "placeholder" and data.get("change") != "removed"
        }

    @property
    def inputs_inferred(self) -> bool:
        """Whether the inputs were guessed because none were given."""
        return bool(self.graph.get("inputs_inferred", False))

    @property
    def is_partial(self) -> bool:
        """Whether the graph ends before forward does; a note says why."""
        return bool(self.graph.get("is_partial", False))

    @property
    def output_spec(self) -> Any:
        """Forward's return value with `TensorSpec` for its tensors; dataclasses as dicts; None if unknown."""
        return self.graph.get("output_spec")

    @property
    def returned(self) -> Mapping[ModuleCall, Returned]:
        """What each call of a module returned, where it is known: not of leaf modules, nor in exported programs."""
        returned: Mapping[ModuleCall, Returned] = self.graph.get("returned", {})
        return returned

    @property
    def modules(self) -> Mapping[str, ModuleInfo]:
        """The module tree: every submodule by path, also those never called; "" is the model itself."""
        modules: Mapping[str, ModuleInfo] = self.graph.get("modules", {})
        return modules

    @property
    def totals(self) -> Totals:
        """Sums over the operations present, times their multiplicity, and the parameters that none reads."""
        return add_up(self)

    @property
    def comparison(self) -> Comparison | None:
        """Of a graph that `fxsummary.diff` made: totals before and after, modules, runs; None of others."""
        comparison: Comparison | None = self.graph.get("comparison")
        return comparison

    def to_text(self, **options: Any) -> str:
        """The summary as text; see `fxsummary.exporters.text.to_text` for the options."""
        text: str = EXPORTERS["text"](self, **options)
        return text

    def to_dot(self, **options: Any) -> str:
        """The graph in the DOT language; see `fxsummary.exporters.dot.to_graphviz` for the options."""
        source: str = EXPORTERS["dot"](self, **options)
        return source

    def to_graphviz(self, **options: Any) -> graphviz.Digraph:
        """The graph as a `graphviz.Digraph`, to be changed or rendered further."""
        return EXPORTERS["graphviz"](self, **options)

    def to_svg(self, **options: Any) -> str:
        """The picture as SVG; see `fxsummary.exporters.svg.to_svg` for the options."""
        svg: str = EXPORTERS["svg"](self, **options)
        return svg

    def to_png(self, **options: Any) -> bytes:
        """The picture as PNG; see `fxsummary.exporters.png.to_png` for the options, such as ``scale=2``."""
        png: bytes = EXPORTERS["png"](self, **options)
        return png

    def to_pdf(self, **options: Any) -> bytes:
        """The picture as PDF of one page; see `fxsummary.exporters.pdf.to_pdf` for the options."""
        pdf: bytes = EXPORTERS["pdf"](self, **options)
        return pdf

    def to_html(self, **options: Any) -> str:
        """A page to explore the graph in; see `fxsummary.exporters.html.to_html` for the options."""
        page: str = EXPORTERS["html"](self, **options)
        return page

    def to_markdown(self, **options: Any) -> str:
        """The summary as Markdown; see `fxsummary.exporters.markdown.to_markdown` for the options."""
        text: str = EXPORTERS["markdown"](self, **options)
        return text

    def to_mermaid(self, **options: Any) -> str:
        """The graph as a Mermaid flowchart; see `fxsummary.exporters.mermaid.to_mermaid` for the options."""
        source: str = EXPORTERS["mermaid"](self, **options)
        return source

    def to_json(self) -> str:
        """Everything of the graph as JSON, which `fxsummary.load` reads back; see `fxsummary.graph.saved`."""
        text: str = EXPORTERS["json"](self)
        return text

    def to_node_link(self) -> dict[str, Any]:
        """The graph as node-link data; see `fxsummary.exporters.graphml.to_node_link`."""
        data: dict[str, Any] = EXPORTERS["node_link"](self)
        return data

    def to_graphml(self) -> str:
        """The graph as GraphML; see `fxsummary.exporters.graphml.to_graphml`."""
        text: str = EXPORTERS["graphml"](self)
        return text

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each operation; see `fxsummary.exporters.dataframe.to_pandas` for the columns."""
        return EXPORTERS["pandas"](self)

    def to_latex(self, **options: Any) -> str:
        """The summary as a LaTeX table; see `fxsummary.exporters.latex.to_latex` for the options."""
        table: str = EXPORTERS["latex"](self, **options)
        return table

    def render(self, path: str | Path, **options: Any) -> Path:
        """Write the graph to a file in the form that the suffix names; returns the path.

        Raises:
            UnknownNameError: the suffix is not known; the message lists those that are.
            MissingPackageError: the form needs packages that are not installed; the message has the line.
            OutputError: the file cannot be written; what was there before is left as it was.
        """
        target = Path(path)
        result = exporter_for(target.suffix.lower())(self, **options)
        files.write(target, result if isinstance(result, bytes) else result.encode("utf-8"))
        return target

    def check(self, **budgets: Any) -> None:
        """Raise if a budget is broken: ``g.check(max_parameters=25_000_000, max_flops=4.2e9)``.

        See `fxsummary.review.budgets.check` for all of them.

        Raises:
            BudgetError: budgets are broken; the message lists all of them.
        """
        call("fxsummary.review.budgets:check", self, **budgets)

    def lint(self, **options: Any) -> tuple[Finding, ...]:
        """What looks like a mistake in the model; see `fxsummary.review.lint.lint` for the rules and options."""
        findings: tuple[Finding, ...] = call("fxsummary.review.lint:lint", self, **options)
        return findings

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What Jupyter shows: the picture, and the summary as text where pictures are not shown."""
        forms: dict[str, Callable[[], str]] = {"image/svg+xml": self._picture_in_a_page, "text/plain": self.to_text}
        wanted = [form for form in forms if (not include or form in include) and form not in (exclude or ())]
        return {form: forms[form]() for form in wanted}

    def _picture_in_a_page(self) -> str:
        """The picture, no wider than the place that it is shown in."""
        return self.to_svg().replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"<ModelGraph {self.name}: {len(self)} operations, captured by {self.captured_by!r}>"
