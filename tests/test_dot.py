"""DOT: clusters, folded repeats, clones of what many read, literal labels."""

from __future__ import annotations

import graphviz
import pygraphviz
import pytest
import torch
from graphs import graph_of
from torch import Tensor, nn

import fxsummary
from fxsummary.text.numbers import clean
from fxsummary.views.scalars import hide_scalars
from zoo import HOSTILE


def drawing_of(source: str) -> pygraphviz.AGraph:
    return pygraphviz.AGraph(string=source)


def test_it_is_a_digraph_of_the_graphviz_package() -> None:
    drawing = graph_of("CNN").to_graphviz()
    assert isinstance(drawing, graphviz.Digraph)
    assert drawing.source == graph_of("CNN").to_dot()


def test_one_node_per_operation_and_one_edge_per_value() -> None:
    graph = hide_scalars(graph_of("CNN"))
    drawing = drawing_of(graph_of("CNN").to_dot())
    labels = [node.attr["label"] for node in drawing.nodes()]
    assert len(labels) == len(graph)
    assert labels[1] == r"Conv2d  conv1\n3→16, 3×3, s1, p1\n1×16×28×28\n448 params · 677 k FLOPs"
    assert len(drawing.edges()) == graph.number_of_edges()


def test_one_cluster_per_module_nested_as_they_are() -> None:
    drawing = drawing_of(graph_of("twelve_blocks").to_dot())
    (block,) = drawing.subgraphs()
    assert block.name.startswith("cluster")
    assert block.graph_attr["label"] == "1…12  _Block  ×12"
    (mlp,) = block.subgraphs()
    assert mlp.graph_attr["label"] == "mlp  _Pair"
    assert len(mlp.nodes()) == 3


def test_unfolded_shows_every_copy() -> None:
    graph = graph_of("twelve_blocks")
    assert len(drawing_of(graph.to_dot(fold=False)).nodes()) == len(graph)
    assert len(drawing_of(graph.to_dot(fold=False)).subgraphs()) == 12
    assert len(drawing_of(graph.to_dot()).nodes()) == 9


@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_direction(direction: str) -> None:
    assert f"rankdir={direction}" in graph_of("CNN").to_dot(direction=direction)


class _Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.fc(x) * mask


class _ManyReaders(nn.Module):
    """Six blocks of different width-keeping structure read one mask."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([_Masked() for _ in range(6)])

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        mask = mask.sigmoid()
        for layer in self.layers:
            x = layer(x, mask)
        return x


def test_a_value_that_many_blocks_read_is_drawn_beside_each() -> None:
    graph = fxsummary.graph(_ManyReaders(), torch.empty(1, 4), torch.empty(1, 4))
    drawing = drawing_of(graph.to_dot(fold=False))
    clones = [node for node in drawing.nodes() if node.attr["label"] == "sigmoid" and "dashed" in node.attr["style"]]
    assert len(clones) == 6
    assert len(drawing.nodes()) == len(graph) + 6


def text_of(label: str) -> str:
    """What Graphviz draws for a label: backslash sequences undone."""
    return label.replace("\\\\", "\0").replace("\\n", "\n").replace("\0", "\\")


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_names_are_drawn_literally(key: str) -> None:
    name = clean(HOSTILE[key])
    graph = graph_of(f"hostile_{key}")
    drawing = drawing_of(graph.to_dot())
    labels = [text_of(node.attr["label"] or "") for node in drawing.nodes()]
    linear = next(label for label in labels if label.startswith("Linear"))
    shown = linear.split("\n")[0].removeprefix("Linear  ")
    if len(name) > 50:
        assert "…" in shown and len(shown) < 70
        return
    assert shown.rpartition(".")[2].strip() == name.rpartition(".")[2].strip()
    assert len(drawing.nodes()) == len(graph)


def test_labels_are_never_taken_for_html() -> None:
    for key in HOSTILE:
        assert "label=<" not in graph_of(f"hostile_{key}").to_dot()
