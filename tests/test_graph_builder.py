"""What a recording is written with: nodes, the tensors they come from, who writes which memory, real values."""

from __future__ import annotations

import operator

import pytest
import torch
from torch import fx, nn

from fxsummary.capture.nodes import new_node
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.recorded.graph_builder import Writer
from fxsummary.capture.recorded.tensor_origins import Tensors
from fxsummary.graph.spec import TensorSpec


def spec(*shape: int) -> TensorSpec:
    return TensorSpec(shape, "float32", tuple(torch.empty(shape, device="meta").stride()), "cpu")


# --- nodes -----------------------------------------------------------------------------------------


def test_nodes_are_named_after_what_they_call_and_numbered() -> None:
    graph = fx.Graph()
    x = new_node(graph, "placeholder", "x", (), {})
    first = new_node(graph, "call_module", "layers.0.fc", (x,), {})
    second = new_node(graph, "call_module", "layers.0.fc", (first,), {})
    assert [node.name for node in graph.nodes] == ["x", "layers_0_fc", "layers_0_fc_1"]
    assert second.all_input_nodes == [first] and list(first.users) == [second]
    assert new_node(graph, "call_module", "layers.0.fc", (x,), {}).name == "layers_0_fc_2"
    graph.lint()


# --- the writer ------------------------------------------------------------------------------------


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.tied = self.fc


@pytest.fixture
def writer() -> Writer:
    return Writer(Two().to("meta"), "cpu")


def test_an_input_is_a_placeholder_with_a_spec(writer: Writer) -> None:
    tensor = writer.placeholder("x", spec(2, 4))
    (node,) = writer.graph.nodes
    assert (node.op, node.target) == ("placeholder", "x") and tensor.is_meta
    assert writer.propagation.outcomes[node] == Outcome(spec(2, 4))
    assert writer.node_of(writer.tensors.of(tensor)) is node


def test_a_call_of_a_module_is_on_the_stack_until_it_ends(writer: Writer) -> None:
    with writer.inside("fc", nn.Linear) as key:
        assert key == "fc" and writer.stack == {"fc": ("fc", nn.Linear)}
    with writer.inside("fc", nn.Linear) as key:
        assert key == "fc@1" and writer.stack == {"fc@1": ("fc", nn.Linear)}
    assert writer.stack == {}


def test_what_a_module_returned_is_noted_by_its_call(writer: Writer) -> None:
    x = writer.placeholder("x", spec(2, 4))
    with writer.inside("fc", nn.Linear) as key:
        writer.note_returned(key, (x, None))
    _, returned = writer.returned["fc"]
    assert returned.outputs == (spec(2, 4), None)


# --- where tensors come from -----------------------------------------------------------------------


def test_a_parameter_is_read_by_one_node_under_its_first_name() -> None:
    model = Two()
    writer = Writer(model, "cpu")
    tracked = writer.tensors.of(model.tied.weight)
    assert tracked.attribute == "fc.weight" and not tracked.is_ours
    node = writer.node_of(tracked)
    assert writer.node_of(writer.tensors.of(model.fc.weight)) is node
    assert [each.op for each in writer.graph.nodes] == ["get_attr"]


def test_an_element_of_a_result_gets_its_node_when_it_is_read_and_only_once(writer: Writer) -> None:
    pair = writer.graph.placeholder("pair")
    writer.propagation.outcomes[pair] = Outcome((spec(2), {"a": spec(2)}))
    origin = pair, ((operator.getitem, 1), (operator.getitem, "a"))
    first, same = (writer.tensors.add(torch.empty(2, device="meta"), origin) for _ in range(2))
    assert len(writer.graph.nodes) == 1
    node = writer.node_of(first)
    assert node.target is operator.getitem and node.args[1] == "a" and node.args[0].args == (pair, 1)
    assert writer.node_of(same) is node and len(writer.graph.nodes) == 3


def test_views_share_the_number_of_their_memory() -> None:
    tensors = Tensors(nn.Module(), "cpu")
    base = torch.empty(4, device="meta")
    (node,) = nodes(1)
    one, other = tensors.add(base, (node, ())), tensors.add(base[1:], (node, ()))
    assert one.storage == other.storage != tensors.add(torch.empty(4, device="meta"), (node, ())).storage


# --- who writes which memory -----------------------------------------------------------------------


def nodes(count: int) -> list[fx.Node]:
    graph = fx.Graph()
    return [graph.placeholder(f"x{number}") for number in range(count)]


def test_nodes_have_a_place_in_the_order_in_which_they_were_written(writer: Writer) -> None:
    for name in ("x", "y"):
        writer.placeholder(name, spec(2))
    assert [(node.name, place) for node, place in writer.tensors.order.items()] == [("x", 0), ("y", 1)]


def test_a_node_may_yield_several_memories_and_a_memory_have_several_holders() -> None:
    memory, (a, b, c) = Tensors(nn.Module(), "cpu"), nodes(3)
    for node, storage in ((a, 7), (b, 7), (c, 7), (c, 9), (c, 7)):
        memory.note(node, storage)
    assert (memory.memory.held[a], memory.memory.held[c]) == ((7,), (7, 9))
    assert memory.holders() == {7: [a, b, c], 9: [c]}


def test_the_version_of_a_memory_is_how_often_it_was_written() -> None:
    memory, (a, b) = Tensors(nn.Module(), "cpu"), nodes(2)
    memory.write(a, 7)
    memory.write(b, 7)
    assert (memory.version(7), memory.version(9)) == (2, 0)


# --- when tensors are let go of --------------------------------------------------------------------


def test_a_storage_dies_after_the_last_node_and_a_tensor_of_it_is_made_again() -> None:
    tensors, (first, last) = Tensors(nn.Module(), "cpu"), nodes(2)
    tensors.order.update({first: 0, last: 1})
    tracked = tensors.add(torch.empty(2, device="meta"), (first, ()))
    assert tracked.reference() is None and tensors.memory.deaths == {tracked.storage: last}
    again = tensors.revived(tracked)
    assert tensors.of(again) is tracked and tensors.revived(tracked) is again and not tensors.memory.deaths


def test_a_storage_lives_as_long_as_a_tensor_that_shares_it() -> None:
    tensors, (node,) = Tensors(nn.Module(), "cpu"), nodes(1)
    tensors.order[node] = 0
    kept = torch.empty(2, 3, device="meta")
    tracked = tensors.add(kept, (node, ()))
    view = kept.detach().view(6)
    assert tensors.add(view, (node, ())).storage == tracked.storage
    del kept
    assert tracked.reference() is None and not tensors.memory.deaths
    del view
    assert tensors.memory.deaths == {tracked.storage: node} and tensors.memory.nbytes == {tracked.storage: 24}
