"""The types behind `ModelGraph`: its nodes and edges for type checkers, and the properties of the whole model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, overload

from fxsummary.graph.attributes import EdgeData, NodeData

if TYPE_CHECKING:
    from fxsummary.graph.modelgraph import ModelGraph

T = TypeVar("T")


class Nodes(Protocol):
    """The nodes of a graph, for type checkers."""

    def __getitem__(self, key: str) -> NodeData: ...
    @overload
    def __call__(self, data: Literal[True]) -> Iterable[tuple[str, NodeData]]: ...
    @overload
    def __call__(self, data: str, default: Any = None) -> Iterable[tuple[str, Any]]: ...


class Edges(Protocol):
    """The edges of a graph, for type checkers."""

    def __getitem__(self, edge: tuple[str, str]) -> EdgeData: ...
    def __iter__(self) -> Iterator[tuple[str, str]]: ...
    def __call__(self, data: Literal[True]) -> Iterable[tuple[str, str, EdgeData]]: ...


class Fact(Generic[T]):
    """A property of the whole model, stored as a networkx graph attribute, with a default."""

    def __init__(self, default: T) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, graph: ModelGraph | None, owner: type) -> T:
        value: T = self._default if graph is None else graph.graph.get(self._name, self._default)
        return value

    def __set__(self, graph: ModelGraph, value: T) -> None:
        graph.graph[self._name] = value
