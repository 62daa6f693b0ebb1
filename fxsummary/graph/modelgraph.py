"""`ModelGraph`: the operations of a model as a `networkx.DiGraph`, together with its module tree.

It contains plain frozen values only (no tensors, modules or weights), so it can be pickled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import networkx as nx

from fxsummary.graph.analyses import Analyses
from fxsummary.graph.attributes import EDGE, NODE, EdgeData, NodeData
from fxsummary.graph.exports import Exports
from fxsummary.graph.facts import Edges, Fact, Nodes
from fxsummary.graph.memory import Memory, Storage
from fxsummary.graph.records import ModuleCall, ModuleInfo, ParameterInfo, Returned, Totals, add_up
from fxsummary.graph.spec import TensorSpec
from fxsummary.text import numbers as fmt
from fxsummary.text.html import scaled

if TYPE_CHECKING:
    from fxsummary.graph.changes import Comparison
    from fxsummary.graph.roofline import Roofline

__all__ = ["ModelGraph", "ModuleCall", "ModuleInfo", "ParameterInfo", "Returned", "Totals"]


class ModelGraph(Analyses, Exports, nx.DiGraph):
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
