"""The tracer: node for node the graph of torch.fx, without its walks; nothing stays replaced after it."""

from __future__ import annotations

import dis
import math
from collections import namedtuple
from math import sqrt
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

import fxsummary
from fxsummary.capture.module_index import first_paths, modules_by_path, modules_of, tensor_names
from fxsummary.capture.nodes import STACK, new_node
from fxsummary.capture.operations import memo
from fxsummary.capture.results import Refusal, Trace
from fxsummary.capture.subject import Subject
from fxsummary.capture.symbolic.proxies import Attribute, Proxy
from fxsummary.capture.symbolic.trace import trace
from fxsummary.capture.symbolic.tracer import SymbolicTracer
from zoo import OWN, ZOO

Pair = namedtuple("Pair", "first second")


def whole(x: Tensor, factor: int = 1) -> Tensor:
    """One operation for who traces."""
    return x.sum() * factor


fx.wrap("whole")


class Layer(nn.Module):
    """Reads a constant that is neither parameter nor buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.scale = nn.Parameter(torch.ones(4))
        self.mask = torch.ones(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x * self.scale) + self.mask


class Everything(nn.Module):
    """What a forward does with proxies: operators, methods, functions in each way, nested arguments, attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.Upper = nn.Linear(4, 4)
        self.layers = nn.Sequential(Layer(), nn.Sequential(nn.ReLU(), nn.Identity()))
        self.shared = self.layers[0]
        self.add_module("0", nn.GELU())
        self.weight = nn.Parameter(torch.ones(4, 4))

    def forward(self, x: Tensor) -> dict[str, Any]:
        batch, width = x.shape
        first, second = x.split([1, 3], dim=-1)
        y = torch.cat([first, second], dim=1) @ self.weight + torch.ones(4)
        y = self.layers(self.Upper(y)) - self.shared(y)
        y = getattr(self, "0")(y)
        root = math.sqrt(batch) + sqrt(width) + math.floor(width / 2)
        z = -(2 * F.linear(y, self.weight, bias=None)) / root
        z = torch.where(z > 0, input=z, other=whole(z, factor=2)).reshape((batch, -1)).relu()
        z = F.pad(z, (0, 1)).mT[..., 1:, None].flatten(1)
        return {"z": z, "pair": Pair(y, [x.dtype, z]), "size": x.size(0), "device": torch.zeros(1, device=x.device)}


def described(graph: fx.Graph) -> list[tuple[Any, ...]]:
    """All of a graph that must be the same."""
    return [
        (
            node.name, node.op, node.target, str(node.args), str(node.kwargs), list(map(str, node.users)),
            list(map(str, node.all_input_nodes)), node.meta.get("is_wrapped"), dict(node.meta.get(STACK, {})),
        )
        for node in graph.nodes
    ]  # fmt: skip


def traced(model: nn.Module) -> fx.Graph:
    found = trace(Subject(model), None)
    assert isinstance(found, Trace)
    return found.graph


def refused(model: nn.Module) -> str:
    found = trace(Subject(model), None)
    assert isinstance(found, Refusal)
    return found.reason


def expected(model: nn.Module) -> list[tuple[Any, ...]]:
    before = dict(vars(model))
    found = described(fx.Tracer().trace(model))
    vars(model).clear()
    vars(model).update(before)
    return found


def test_graph_is_that_of_torch_fx() -> None:
    model = Everything()
    assert described(traced(model)) == expected(model)


@pytest.mark.parametrize("name", ["torchvision.swin_t", "torchvision.vit_b_16", "timm.mixer_s32_224", "CNN"])
def test_arguments_users_and_stacks_are_those_of_torch_fx(name: str) -> None:
    model = ZOO[name].model()
    assert described(traced(model)) == expected(model)


def test_nodes_are_made_as_a_graph_makes_them() -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")
    for op, target, args, kwargs in (
        ("call_function", torch.add, ([x, {"key": (x,)}], slice(x, None)), {"alpha": x}),
        ("call_method", "relu", (x,), {}),
        ("call_module", "a.B.0", (x,), {}),
        ("call_module", "0", (), {}),
        ("call_module", "a_1", (x,), {}),
        ("call_method", "__add__", (x, x), {}),
        ("get_attr", "layers.0._weight", (), {}),
        ("call_function", max, (x,), {}),
    ):
        ours, theirs = fx.Graph(), fx.Graph()
        made = []
        for each in (ours, theirs):
            start = each.placeholder("x")
            mapped = fx.map_arg((args, kwargs), lambda node, start=start: start)
            create = new_node if each is ours else fx.Graph.create_node
            made.append([create(each, op, target, *mapped) for _ in range(3)])
        for one, other in zip(*made, strict=True):
            assert (one.name, str(one.args), str(one.kwargs)) == (other.name, str(other.args), str(other.kwargs))
            assert type(one.args) is type(other.args) and type(one.kwargs) is type(other.kwargs)
            assert len(one.all_input_nodes) == len(other.all_input_nodes)
        ours.lint()
        assert len(ours.nodes) == len(theirs.nodes) == 4
        assert len(ours.find_nodes(op="placeholder")) == 1


# --- unpacking ---------------------------------------------------------------------------------


def unpacking(count: int) -> type[nn.Module]:
    """A module that unpacks its input into so many names."""
    targets = ", ".join(f"a{number}" for number in range(count)) + ","
    namespace: dict[str, Any] = {}
    exec(f"def forward(self, x):\n    {targets} = x\n    return a0 + a{count - 1}", namespace)
    return type("Unpacking", (nn.Module,), {"forward": namespace["forward"]})


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 300])
def test_a_tensor_is_unpacked_into_as_many_names_as_stand_there(count: int) -> None:
    graph = traced(unpacking(count)())
    assert sum(1 for node in graph.nodes if node.name.startswith("getitem")) == count


class Starred(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        first, *_ = x
        return first


class Looped(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([row * 2 for row in x.shape])


@pytest.mark.parametrize("model", [Starred(), Looped()])
def test_what_is_iterated_otherwise_stops(model: nn.Module) -> None:
    assert "a tensor is iterated or unpacked" in refused(model)


class Nested(nn.Module):
    """Traces another module, with what is traced in it."""

    def forward(self, x: Tensor) -> Any:
        class Inner(nn.Module):
            def forward(self, y: Tensor) -> Tensor:
                return torch.add(x, y)

        return fx.symbolic_trace(Inner())(x)


def test_proxies_of_two_tracers_do_not_meet() -> None:
    assert "multiple different tracers" in refused(Nested())


def test_proxies_are_those_of_torch_fx_for_who_asks() -> None:
    class Asking(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen = [x, x.shape, x + 1]
            assert [type(each) for each in seen] == [Proxy, Attribute, Proxy]
            assert all(isinstance(each, fx.Proxy) and isinstance(each.tracer, fx.Tracer) for each in seen)
            assert isinstance(seen[1], fx.proxy.Attribute)
            return x

    traced(Asking())


# --- cost --------------------------------------------------------------------------------------


def test_no_function_is_disassembled_and_no_tree_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a walk")

    model = ZOO["torchvision.swin_t"].model()
    for place, name in (
        (dis, "get_instructions"),
        (nn.Module, "named_modules"),
        (nn.Module, "named_buffers"),
        (torch.utils._pytree, "tree_iter"),
        (fx.Graph, "create_node"),
    ):
        monkeypatch.setattr(place, name, refuse)
    with torch.no_grad():
        assert len(SymbolicTracer(Subject(model), None).run().nodes) > 200


@pytest.mark.parametrize("name", OWN)
def test_names_are_those_of_torch(name: str) -> None:
    model = ZOO[name].model()
    modules = modules_by_path(model)
    if isinstance(model, torch.jit.ScriptModule):  # which makes objects for its children anew
        return
    assert list(modules.items()) == list(model.named_modules(remove_duplicate=False))
    assert first_paths(modules) == {id(module): path for path, module in model.named_modules()}
    assert modules_of(model) == list(model.modules())
    parameters = {id(tensor): path for path, tensor in model.named_parameters()}
    assert tensor_names(modules) == {**{id(tensor): path for path, tensor in model.named_buffers()}, **parameters}


def test_names_of_deep_modules() -> None:
    model: nn.Module = nn.Linear(1, 1)
    for _ in range(5000):
        model = nn.Sequential(model)
    assert len(modules_by_path(model)) == 5001


# --- keys --------------------------------------------------------------------------------------


def test_keys_tell_types_of_numbers_apart_however_they_are_nested() -> None:
    values: list[Any] = [1, True, 1.0, (1,), (True,), (1.0,), [1], [True], ((1,),), ([1],), ((True,),), (1, (1,))]
    assert len({memo.key_of(value) for value in values}) == len(values)
    assert memo.key_of((1, [2, 3])) == memo.key_of((1, [2, 3]))


def test_signatures_have_numbers_of_their_own() -> None:
    one, same, other = (memo.module_signature(module) for module in (nn.ReLU(), nn.ReLU(), nn.ReLU(inplace=True)))
    number = memo.number_of(one)
    assert memo.number_of(same) == number != memo.number_of(other)
    memo.clear()
    assert memo.number_of(one) != number


class _AsksForClasses(nn.Module):
    """Branches on the class of an input and of a result, as code does that takes tensors or lists of them."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.asks_later = False

    def forward(self, x: Tensor) -> Any:
        y = self.fc(x) if isinstance(x, Tensor) else x
        y = y if isinstance(y + 1, Tensor) else y.relu()
        if self.asks_later:
            parts = y.chunk(2, dim=1)
            y = torch.cat(parts[::-1], dim=1) if isinstance(parts, tuple) else y
        return y


@pytest.mark.parametrize(("asks_later", "way"), [(False, "symbolic"), (True, "recorded")])
def test_a_question_for_a_class_is_answered_as_for_a_tensor(asks_later: bool, way: str) -> None:
    model = _AsksForClasses()
    model.asks_later = asks_later
    graph = fxsummary.graph(model, torch.empty(5, 4))
    assert (graph.captured_by, graph.totals.flops, graph.totals.unread_parameters) == (way, 2 * 5 * 16, 0)
    assert any(data["target"] == "chunk" for _, data in graph.nodes(data=True)) == asks_later
