"""What a recording is written with: nodes, the tensors they come from, who writes which memory, real values."""

from __future__ import annotations

import operator

import pytest
import torch
from torch import fx, nn

from fxsummary.capture.nodes import new_name, new_node
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.recorded.graph_builder import Writer
from fxsummary.capture.recorded.memory import Writes
from fxsummary.capture.recorded.tensor_origins import AttributeName, Tensors, element
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
    assert new_name(graph, "layers.0.fc") == "layers_0_fc_2"
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
    entered = writer.enter("fc", nn.Linear)
    assert writer.stack == {"fc": ("fc", nn.Linear)}
    writer.leave(entered)
    again = writer.enter("fc", nn.Linear)
    assert writer.stack == {"fc@1": ("fc", nn.Linear)}
    writer.leave(again)
    assert writer.stack == {}


def test_what_a_module_returned_is_noted_by_its_call(writer: Writer) -> None:
    x = writer.placeholder("x", spec(2, 4))
    entered = writer.enter("fc", nn.Linear)
    assert writer.note_returned(entered, (x, None)) == (x, None)
    _, returned = writer.returned["fc"]
    assert returned.outputs == (spec(2, 4), None)


# --- where tensors come from -----------------------------------------------------------------------


def test_a_parameter_is_read_by_one_node_under_its_first_name() -> None:
    model = Two()
    tensors = Tensors(model, "cpu")
    graph = fx.Graph()
    tracked = tensors.of(model.tied.weight)
    assert tracked.attribute == "fc.weight" and not tracked.is_ours

    def make(op, target, args, kwargs):  # type: ignore[no-untyped-def]
        return new_node(graph, op, target, args, kwargs)

    node = tensors.node(tracked, make)
    assert tensors.node(tensors.of(model.fc.weight), make) is node
    assert [each.op for each in graph.nodes] == ["get_attr"]


def test_an_element_of_a_result_gets_its_node_when_it_is_read_and_only_once() -> None:
    graph = fx.Graph()
    pair = graph.placeholder("pair")
    tensors = Tensors(nn.Module(), "cpu")

    def make(op, target, args, kwargs):  # type: ignore[no-untyped-def]
        return new_node(graph, op, target, args, kwargs)

    first, same = (tensors.add(torch.empty(2, device="meta"), (pair, (1, "a"))) for _ in range(2))
    assert len(graph.nodes) == 1
    node = tensors.node(first, make)
    assert node.target is operator.getitem and node.args[1] == "a" and node.args[0].args == (pair, 1)
    assert tensors.node(same, make) is node and len(graph.nodes) == 3


def test_a_step_into_a_result_is_by_index_key_or_attribute() -> None:
    value = torch.ones(2).sort()
    assert element((1, 2), 1) == 2 and element({"a": 3}, "a") == 3
    assert element(value, AttributeName("values")) is value.values


def test_views_share_the_number_of_their_memory() -> None:
    tensors = Tensors(nn.Module(), "cpu")
    base = torch.empty(4, device="meta")
    one, other = tensors.add(base, None), tensors.add(base[1:], None)
    assert one.storage == other.storage != tensors.add(torch.empty(4, device="meta"), None).storage


# --- who writes which memory -----------------------------------------------------------------------


def nodes(count: int) -> list[fx.Node]:
    graph = fx.Graph()
    return [graph.placeholder(f"x{number}") for number in range(count)]


def test_nodes_have_a_place_in_the_order_in_which_they_were_written() -> None:
    writes, (a, b, c) = Writes(), nodes(3)
    writes.nodes += [a, b]
    assert writes.order[b] == 1
    writes.nodes.append(c)
    assert [writes.order[node] for node in (a, b, c)] == [0, 1, 2]


def test_memory_is_noted_one_by_one_or_for_several_at_once() -> None:
    writes, (a, b, c) = Writes(), nodes(3)
    writes.note(a, 7)
    writes.note_all([b, c], [(0,), (0, 1)], [7, 9])
    assert set(writes.storages_of(c)) == {7, 9} and set(writes.storages_of(a)) == {7}
    assert {node for node, storages in writes.storages.items() if 7 in storages} == {a, b, c}
    assert writes.storages_of(nodes(1)[0]) == ()
