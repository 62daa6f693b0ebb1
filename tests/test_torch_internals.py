"""What fxsummary uses of torch's and CPython's insides is there, and does what it is used for."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from torch import fx, nn

from fxsummary.capture import autograd_internals
from fxsummary.capture import torch_internals as internals


def test_operators_are_told_from_operators_that_take_functions() -> None:
    from torch._higher_order_ops.cond import cond_op

    assert isinstance(torch.ops.aten.add.Tensor, internals.OpOverload)
    assert isinstance(torch.ops.aten.add, internals.OpOverloadPacket)
    assert isinstance(cond_op, internals.HigherOrderOperator)
    assert not isinstance(torch.ops.aten.add.Tensor, internals.HigherOrderOperator)


def test_script_modules_and_their_methods_are_known() -> None:
    scripted = torch.jit.script(nn.Linear(2, 2))
    assert isinstance(scripted._c, internals.ScriptModule)
    assert isinstance(scripted.forward, internals.ScriptMethod)


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (nn.Conv2d(1, 1, 1), internals.AnyConv), (nn.ConvTranspose1d(1, 1, 1), internals.AnyConv),
        (nn.Dropout2d(), internals.AnyDropout), (nn.BatchNorm1d(2), internals.AnyBatchNorm),
        (nn.InstanceNorm3d(2), internals.AnyBatchNorm),
    ],
)  # fmt: skip
def test_families_of_modules_have_a_base_class(module: nn.Module, kind: type) -> None:
    assert isinstance(module, kind)


class _Seen(internals.DispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


def test_a_dispatch_mode_sees_aten_calls_but_not_those_that_are_hidden_from_it() -> None:
    with _Seen() as mode:
        torch.ones(2) + 1
        with internals.without_dispatch_modes():
            torch.ones(2) * 2
    assert "aten::add.Tensor" in mode.names and "aten::mul.Tensor" not in mode.names


def test_operators_with_a_kernel_in_python_are_known() -> None:
    assert internals.has_python_kernel(torch.ops.aten.gelu.default)
    assert not internals.has_python_kernel(torch.ops.aten.view.default)


def test_below_autograd_a_mode_sees_a_recurrent_layer_as_one_call() -> None:
    with torch.no_grad(), _Seen() as mode, internals.below_autograd():
        nn.LSTM(2, 3)(torch.ones(4, 1, 2))
    assert "aten::lstm.input" in mode.names


def test_within_fake_tensors_claim_to_be_on_a_device_and_have_no_data() -> None:
    with internals.fake_tensors():
        assert type(torch.ones(2)) is not torch.Tensor and torch.ones(2).device.type == "cpu"


def test_no_mode_is_active_where_there_are_to_be_none() -> None:
    with _Seen() as mode, internals.without_modes():
        torch.ones(2)
    assert mode.names == []


def test_what_an_operator_that_takes_functions_does_is_known_in_python() -> None:
    from torch._higher_order_ops.cond import cond_op

    assert callable(internals.in_python(cond_op))


def test_flex_attention_has_an_implementation_without_data() -> None:
    from torch.nn.attention.flex_attention import flex_attention_hop

    assert internals.fake_implementation(flex_attention_hop) is not None


class _Functions(torch.overrides.TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[object] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.seen.append(func)
        return func(*args, **(kwargs or {}))


def test_calls_are_hidden_from_function_modes() -> None:
    with _Functions() as mode:
        torch.relu(torch.ones(1))
        with internals.without_torch_function():
            torch.sigmoid(torch.ones(1))
    assert torch.relu in mode.seen and torch.sigmoid not in mode.seen


def test_a_transform_knows_that_it_is_running() -> None:
    found = []
    torch.vmap(lambda x: found.append(internals.is_in_transform()) or x)(torch.ones(2))
    assert found == [True] and not internals.is_in_transform()


@pytest.mark.parametrize(("kind", "count"), [("vmap", 1), ("grad", 2), ("vjp", 1), ("jvp", 1)])
def test_the_transforms_are_where_they_are_replaced(kind: str, count: int) -> None:
    found = list(internals.transforms(kind))
    assert len(found) == count and all(callable(getattr(owner, name)) for owner, name in found)


def test_cond_compiles_what_it_is_given_in_one_place() -> None:
    assert callable(internals.compiled_call()._hop_compile_and_call)


def test_no_grad_calls_one_function() -> None:
    with _Functions() as mode, torch.no_grad():
        pass
    assert internals.set_grad_enabled in mode.seen


def test_a_function_can_be_copied_with_another_closure() -> None:
    def outer(held: int):  # type: ignore[no-untyped-def]
        def inner(x: int, more: int = 1) -> int:
            return held + later + x + more

        assert internals.cell_contents(inner.__closure__[1]) is internals.EMPTY  # type: ignore[index]
        later = 100
        return inner

    inner = outer(10)
    copy = internals.with_closure(inner, [20, 200, 2])
    assert (inner(1000), copy(1000)) == (1111, 1222)


def test_operators_that_decompose_by_themselves_are_known() -> None:
    assert internals.is_composite(torch.ops.aten.linear.default)
    assert not internals.is_composite(torch.ops.aten.addmm.default)


def test_hooks_for_all_modules_are_seen() -> None:
    assert not internals.has_global_hooks()
    handle = nn.modules.module.register_module_forward_hook(lambda module, args, output: None)
    assert internals.has_global_hooks()
    handle.remove()
    assert not internals.has_global_hooks()


def test_a_function_has_the_name_that_torch_fx_writes() -> None:
    assert internals.fx_name(torch.relu) == "torch.relu"


def test_tensors_on_meta_that_share_memory_have_one_number() -> None:
    base = torch.empty(4, device="meta")
    assert internals.storage_of(base) == internals.storage_of(base[1:])
    assert internals.storage_of(base) != internals.storage_of(torch.empty(4, device="meta"))


class _Unpacked:
    counts: list[int | None]

    def __init__(self) -> None:
        self.counts = []

    def __iter__(self):  # type: ignore[no-untyped-def]
        frame = sys._getframe(1)
        self.counts.append(internals.unpackings(frame.f_code).get(frame.f_lasti))
        return iter(range(self.counts[-1] or 0))


def test_an_unpacked_value_knows_into_how_many_names() -> None:
    value = _Unpacked()
    _a, _b, _c = value
    (_d,) = value
    list(value)
    assert value.counts == [3, 1, None]


def test_a_trace_is_announced_and_its_replacements_are_taken_back() -> None:
    before = nn.Module.__call__
    with internals.fx_tracing() as patcher:
        assert torch.fx._symbolic_trace.is_fx_tracing()
        patcher.patch_method(nn.Module, "__call__", lambda module: None)
    assert nn.Module.__call__ is before and not torch.fx._symbolic_trace.is_fx_tracing()
    assert internals.MODULE_CALL is before and internals.MODULE_GETATTR is nn.Module.__getattr__


def test_functions_of_math_can_be_one_operation() -> None:
    assert {id(math.sqrt), id(math.floor)} <= internals.autowrapped(fx.Tracer())
    graph = fx.Graph()
    proxy = fx.Proxy(graph.placeholder("x"), fx.proxy.GraphAppendingTracer(graph))
    internals.wrapped_function(math.sqrt)(proxy)
    assert [node.target for node in graph.nodes][-1] is math.sqrt


def test_wrapped_functions_and_types_of_constants_are_listed() -> None:
    assert isinstance(internals.WRAPPED_FUNCTIONS, dict)
    assert torch.Tensor in internals.CONSTANT_TYPES


def test_a_node_is_inserted_as_create_node_does() -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")
    made = fx.Node(graph, internals.unused_name(graph, "relu"), "call_function", torch.relu, (x,), {}, None)
    internals.insert_node(graph, made)
    graph.output(made)
    graph.lint()
    assert internals.name_of_target(graph, "relu") == "relu"
    assert len(graph.nodes) == 3 and graph.find_nodes(op="call_function", target=torch.relu) == [made]


def test_names_are_those_that_torch_fx_gives() -> None:
    ours, theirs, names = fx.Graph(), fx.Graph(), internals.Names()
    again = ("x", "x_1", "x_1", "conv_1", "conv_9", "conv_9", "x_1_2", "x_1_2", "if_1", "if_1", "x_²")
    for candidate in ("conv", "conv", "x_1", "x_1", "1a", "if", "größe", "conv", *again, *again):
        expected = theirs._graph_namespace.create_name(candidate, None)
        assert internals.unused_name(ours, candidate) == expected
        assert names.new(candidate) == expected


def test_graphs_of_nested_inputs_are_known() -> None:
    assert fx.graph.CodeGen in internals.PyTreeCodeGen.__mro__


def test_calls_are_intercepted_above_autograd() -> None:
    def doubled(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        with autograd_internals.uninterrupted():
            return torch.ops.aten.linear(x, weight, bias) * 2

    layer, x = nn.Linear(2, 2), torch.ones(1, 2)
    plain = layer(x)
    with autograd_internals.intercepted({"linear": doubled}):
        found = layer(x)
    assert torch.equal(found, 2 * plain) and found.grad_fn.name() == "MulBackward0"
    assert torch.equal(layer(x), plain)


def test_nodes_of_autograd_are_numbered_and_known_while_they_run() -> None:
    running = []

    class Mode(internals.DispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            running.append(autograd_internals.running_backward())
            return func(*args, **(kwargs or {}))

    x = torch.ones(2, requires_grad=True)
    first = autograd_internals.sequence_number()
    y = x.exp().sum()
    with Mode():
        y.backward()
    numbers = [
        autograd_internals.sequence_number(node) - first for node in running if node is not None and node.name() != ""
    ]
    assert {0, 1} <= set(numbers)
