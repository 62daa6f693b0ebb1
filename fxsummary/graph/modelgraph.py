"""`ModelGraph`: the operations of a model as a `networkx.DiGraph`, together with its module tree.

It contains plain frozen values only (no tensors, modules or weights), so it can be pickled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import networkx as nx

from fxsummary.graph.attributes import EDGE, NODE, EdgeData, NodeData
from fxsummary.graph.facts import Edges, Fact, Nodes
from fxsummary.graph.memory import Memory, Storage
from fxsummary.graph.records import ModuleCall, ModuleInfo, ParameterInfo, Returned, Totals, add_up
from fxsummary.graph.spec import TensorSpec
from fxsummary.support import files
from fxsummary.support.registry import EXPORTERS, call, exporter_for
from fxsummary.text import numbers as fmt
from fxsummary.text.html import scaled

if TYPE_CHECKING:
    import graphviz
    import pandas

    from fxsummary.graph.changes import Comparison
    from fxsummary.graph.device import Device
    from fxsummary.graph.findings import Findings
    from fxsummary.graph.frame import Frame
    from fxsummary.graph.receptive import ReceptiveFields
    from fxsummary.graph.roofline import Roofline
    from fxsummary.graph.training import Training

__all__ = ["ModelGraph", "ModuleCall", "ModuleInfo", "ParameterInfo", "Returned", "Totals"]


T = TypeVar("T")


class ModelGraph(nx.DiGraph):
    __doc__ = f"""The operations of a model and the values that flow between them.

    Nodes are the operations of the traced ``torch.fx`` graph, keyed by their FX name, in execution
    order. Everything of networkx works on it. `fxsummary.graph.attributes` has the attributes as a table.

    Node attributes:
        {NODE.described()}

    Node attributes that views and comparisons add where they say something:
        {NODE.described(always=False)}

    The costs and totals of a comparison (`fxsummary.diff`) are those of the model after.

    Edge attributes:
        {EDGE.described()}
        {EDGE.described(always=False)}
    """

    program: Any = None
    """What is needed to run the operations with gradients, see `training`; not in copies, views and saved graphs."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "program"}

    def fill(self, nodes: Iterable[tuple[str, NodeData]], edges: Iterable[tuple[str, str, EdgeData]]) -> None:
        """Add new nodes and edges; the graph takes ownership of the dicts.

        networkx looks up and copies each dict, which would dominate the time for a big graph.
        """
        for key, data in nodes:
            self._node[key] = data
            self._succ[key] = {}
            self._pred[key] = {}
        for source, target, edge in edges:
            self._succ[source][target] = self._pred[target][source] = edge

    def derived(
        self,
        nodes: Iterable[tuple[str, NodeData]],
        edges: Iterable[tuple[str, str, EdgeData]] = (),
        **facts: object,
    ) -> ModelGraph:
        """Return a graph with these nodes and edges and this graph's attributes, except for the given ``facts``."""
        graph = self.__class__()
        graph.graph.update(self.graph, **facts)
        graph.fill(nodes, edges)
        return graph

    def data(self, key: str) -> NodeData:
        """Return the attributes of a node, like ``nodes[key]`` but faster."""
        attributes: NodeData = self._node[key]
        return attributes

    def sources(self, key: str) -> Mapping[str, EdgeData]:
        """Return the attributes of a node's in-edges by source node, like ``pred[key]`` but faster."""
        sources: Mapping[str, EdgeData] = self._pred[key]
        return sources

    def readers(self, key: str) -> Mapping[str, EdgeData]:
        """Return the attributes of a node's out-edges by target node, like ``succ[key]`` but faster."""
        readers: Mapping[str, EdgeData] = self._succ[key]
        return readers

    def only_source(self, key: str) -> str | None:
        """Return the node that a node reads, if it reads exactly one."""
        sources = self._pred[key]
        return next(iter(sources)) if len(sources) == 1 else None

    def new_key(self, key: str) -> str:
        """Return an unused key: this one, with as many ``_`` appended as needed."""
        while key in self:
            key += "_"
        return key

    def links(self) -> Iterator[tuple[str, str, EdgeData]]:
        """Yield the edges with their attributes, like ``edges(data=True)`` but faster and without a cached view."""
        for source, readers in self._succ.items():
            for target, data in readers.items():
                yield source, target, data

    def link(self, source: str, target: str, data: EdgeData) -> None:
        """Add an edge between two existing nodes; the graph takes ownership of the dict."""
        self._succ[source][target] = self._pred[target][source] = data

    if TYPE_CHECKING:  # networkx has no type annotations
        nodes: Nodes
        edges: Edges

        def __iter__(self) -> Iterator[str]: ...
        def __getitem__(self, key: str) -> Mapping[str, EdgeData]: ...

    name = Fact("")
    """Class name of the model."""
    captured_by = Fact("symbolic")
    """How the graph was captured: "symbolic", "recorded", "exported" or "modules" (no dataflow)."""
    notes = Fact[tuple[str, ...]](())
    """Remarks that matter for reading the graph, one or two sentences each."""
    inputs_inferred = Fact(False)
    """Whether the inputs were guessed because none were given."""
    is_partial = Fact(False)
    """Whether the graph ends before forward does; a note says why."""
    output_spec = Fact[Any](None)
    """Forward's return value with `TensorSpec` for its tensors; dataclasses as dicts; None if unknown."""
    returned = Fact[Mapping[ModuleCall, Returned]](MappingProxyType({}))
    """Known results of module calls: not for leaf modules, nor in exported programs."""
    modules = Fact[Mapping[str, ModuleInfo]](MappingProxyType({}))
    """The module tree: every submodule by path, including those never called; "" is the model itself."""
    storages = Fact[tuple[Storage, ...]](())
    """The memory of the values, by the numbers in the attribute ``storages`` of the operations."""
    deaths_recorded = Fact(False)
    """Whether it is known when Python lets go of each value, as it is not for an exported program."""
    memory: Fact[Memory | None] = Fact(None)
    """The memory of the forward pass: peak, where, what is in use and why; None if shapes are unknown."""
    roofline_found: Fact[Roofline | None] = Fact(None)
    """In ``graph.roofline(...).graph``: the record. None in other graphs."""
    comparison: Fact[Comparison | None] = Fact(None)
    """In a graph from `fxsummary.diff`: totals before and after, modules, runs. None in other graphs."""

    @property
    def inputs(self) -> Mapping[str, TensorSpec | None]:
        """Spec of each input by its name in forward; None if unknown."""
        return {
            data["target"]: data["outputs"]
            for _, data in self.nodes(data=True)
            if data.get("op") == "placeholder" and data.get("change") != "removed"
        }

    @property
    def inputs_text(self) -> str:
        """The inputs with their shapes, such as ``x 1×3×28×28``."""
        return ", ".join(f"{name} {fmt.shape(spec.shape) if spec else '?'}" for name, spec in self.inputs.items())

    @property
    def totals(self) -> Totals:
        """Sums over all operations, times their multiplicity, plus the parameters that no operation reads."""
        return add_up(self)

    def to_text(self, **options: object) -> str:
        """Return the summary as text; see `fxsummary.exporters.text.to_text` for the options."""
        return self._as(str, "text", **options)

    def to_dot(self, **options: object) -> str:
        """Return the graph in the DOT language; see `fxsummary.exporters.dot.to_graphviz` for the options."""
        return self._as(str, "dot", **options)

    def to_graphviz(self, **options: object) -> graphviz.Digraph:
        """Return the graph as a `graphviz.Digraph` that you can edit and render."""
        return EXPORTERS["graphviz"](self, **options)

    def to_svg(self, **options: object) -> str:
        """Return the picture as SVG; see `fxsummary.exporters.svg.to_svg` for the options."""
        return self._as(str, "svg", **options)

    def to_png(self, **options: object) -> bytes:
        """Return the picture as PNG; see `fxsummary.exporters.png.to_png` for the options, such as ``scale=2``."""
        return self._as(bytes, "png", **options)

    def to_pdf(self, **options: object) -> bytes:
        """Return the picture as a one-page PDF; see `fxsummary.exporters.pdf.to_pdf` for the options."""
        return self._as(bytes, "pdf", **options)

    def to_html(self, **options: object) -> str:
        """Return an interactive HTML page; see `fxsummary.exporters.html.to_html` for the options."""
        return self._as(str, "html", **options)

    def to_markdown(self, **options: object) -> str:
        """Return the summary as Markdown; see `fxsummary.exporters.markdown.to_markdown` for the options."""
        return self._as(str, "markdown", **options)

    def to_mermaid(self, **options: object) -> str:
        """Return the graph as a Mermaid flowchart; see `fxsummary.exporters.mermaid.to_mermaid` for the options."""
        return self._as(str, "mermaid", **options)

    def to_json(self, **options: object) -> str:
        """Return the graph as JSON, which `fxsummary.load` reads back; see `fxsummary.exporters.saved.to_json`."""
        return self._as(str, "json", **options)

    def to_node_link(self) -> dict[str, Any]:
        """Return the graph as node-link data; see `fxsummary.exporters.graphml.to_node_link`."""
        return self._as(dict, "node_link")

    def to_graphml(self) -> str:
        """Return the graph as GraphML; see `fxsummary.exporters.graphml.to_graphml`."""
        return self._as(str, "graphml")

    def to_pandas(self) -> pandas.DataFrame:
        """Return a DataFrame with a row per operation; see `fxsummary.exporters.dataframe.to_pandas`."""
        return EXPORTERS["pandas"](self)

    def to_latex(self, **options: object) -> str:
        """Return the summary as a LaTeX table; see `fxsummary.exporters.latex.to_latex` for the options."""
        return self._as(str, "latex", **options)

    def _as(self, kind: type[T], form: str, **options: object) -> T:
        exported: T = EXPORTERS[form](self, **options)
        return exported

    def render(self, path: str | Path, **options: object) -> Path:
        """Write the graph to a file in the format that the suffix names, and return the path.

        Raises:
            UnknownNameError: unknown suffix; the message lists the known ones.
            MissingPackageError: the format needs packages that are not installed; the message shows the pip command.
            OutputError: the file cannot be written; an existing file stays unchanged.
        """
        target = Path(path)
        result = exporter_for(target)(self, **options)
        files.write(target, result if isinstance(result, bytes) else result.encode("utf-8"))
        return target

    def show(self, **options: object) -> Frame:
        """Return the interactive page for the output of a notebook's cell; see `fxsummary.exporters.notebook.show`.

        Nothing is opened or printed: outside of a notebook, use ``g.render("model.html")``.
        """
        frame: Frame = call("fxsummary.exporters.notebook:show", self, **options)
        return frame

    def check(self, **budgets: object) -> None:
        """Raise if a budget is exceeded: ``g.check(max_parameters=25_000_000, max_flops=4.2e9)``.

        See `fxsummary.review.budgets.check` for all budgets.

        Raises:
            BudgetError: budgets are exceeded; the message lists all of them.
        """
        call("fxsummary.review.budgets:check", self, **budgets)

    def lint(self, **options: object) -> Findings:
        """Return likely mistakes in the model; see `fxsummary.review.lint.lint` for the rules and options."""
        findings: Findings = call("fxsummary.review.lint:lint", self, **options)
        return findings

    def training(self, **options: Any) -> Training:
        """Return the memory and FLOPs of a training step, and what checkpointing would save.

        See `fxsummary.analysis.training.training` for the options: optimizer, device, precision.
        """
        found: Training = call("fxsummary.analysis.training:training", self, **options)
        return found

    def roofline(self, device: Device | str = "H100", **options: Any) -> Roofline:
        """Return the time of the forward pass at best on a device; see `fxsummary.passes.roofline.roofline`."""
        found: Roofline = call("fxsummary.passes.roofline:roofline", self, device, **options)
        return found

    def receptive_field(self) -> ReceptiveFields:
        """Return what part of each input every operation sees; see `fxsummary.analysis.receptive.receptive_field`."""
        found: ReceptiveFields = call("fxsummary.analysis.receptive:receptive_field", self)
        return found

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        """Return the picture for Jupyter, with the text summary for front ends that show no pictures."""
        forms: dict[str, Callable[[], str]] = {
            "image/svg+xml": lambda: scaled(self.to_svg()),
            "text/plain": self.to_text,
        }
        wanted = [form for form in forms if (not include or form in include) and form not in (exclude or ())]
        return {form: forms[form]() for form in wanted}

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"<ModelGraph {self.name}: {len(self)} operations, captured by {self.captured_by!r}>"
