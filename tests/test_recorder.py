"""The recorder against what forward does for real: one hazard for each model."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
import torch
import torch.utils.checkpoint
import untouched
from graphs import shapes_of
from torch import fx, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import fxsummary
from fxsummary.capture import capture
from fxsummary.capture.nodes import AUTOCAST
from fxsummary.capture.operations import autocast
from fxsummary.errors import ForwardError, InputError

X = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))


class TwoLinears(nn.Module):
    """The modules that the hazards use; forward is the hazard."""

    def __init__(self, forward: Callable[..., Any]) -> None:
        super().__init__()
        self.l = nn.Linear(8, 8)
        self.m = nn.Linear(8, 8)
        self.hazard = forward

    def forward(self, x: torch.Tensor) -> Any:
        return self.hazard(self, x)


HAZARDS: dict[str, Callable[[Any, torch.Tensor], Any]] = {}


def hazard(function: Callable[[Any, torch.Tensor], Any]) -> Callable[[Any, torch.Tensor], Any]:
    HAZARDS[function.__name__] = function
    return function


@hazard
def under_autocast(self: Any, x: torch.Tensor) -> Any:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = self.l(x)
        return y, F.softmax(y, -1), y @ y.t(), F.layer_norm(y, (8,)), torch.cat([y, self.m(x)])


@hazard
def under_nested_autocast(self: Any, x: torch.Tensor) -> Any:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = self.l(x)
        with torch.autocast("cpu", enabled=False):
            z = self.m(y.float())
    return y, z


@hazard
def grad_modes(self: Any, x: torch.Tensor) -> Any:
    with torch.no_grad():
        y = self.l(x)
    with torch.enable_grad():
        y = y + self.m(x)
    with torch.inference_mode():
        return self.l(y)


@hazard
def checkpointed(self: Any, x: torch.Tensor) -> Any:
    return torch.utils.checkpoint.checkpoint(lambda y: torch.relu(self.l(y)), x, use_reentrant=False)


@hazard
def checkpointed_reentrant(self: Any, x: torch.Tensor) -> Any:
    return torch.utils.checkpoint.checkpoint(lambda y: torch.relu(self.l(y)), x, use_reentrant=True)


class Exponential(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(a)
        return torch.mm(a, w.t()).exp()

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> Any:
        return g, g


@hazard
def autograd_function(self: Any, x: torch.Tensor) -> Any:
    return Exponential.apply(x, self.l.weight)


@hazard
def vmapped(self: Any, x: torch.Tensor) -> Any:
    y = self.m(x)
    return torch.vmap(lambda row: row * 2 + self.l.bias + y.sum())(x)


@hazard
def vmapped_mask(self: Any, x: torch.Tensor) -> Any:
    keep = x.sum(-1) > -1e9

    def rule(i: Any, j: Any) -> Any:
        return (i >= j) & keep.all()

    mask = torch.vmap(torch.vmap(rule, (None, 0)), (0, None))(torch.arange(2), torch.arange(2))
    return self.l(x) if mask.any() else x


@hazard
def gradient(self: Any, x: torch.Tensor) -> Any:
    return torch.func.grad(lambda w: (F.linear(x, w) ** 2).sum())(self.l.weight)


@hazard
def functional_call(self: Any, x: torch.Tensor) -> Any:
    return torch.func.functional_call(self.l, {"weight": self.m.weight * 2, "bias": self.m.bias}, (x,))


@torch.jit.script
def scripted_function(a, b):  # type: ignore[no-untyped-def]
    return torch.relu(a @ b)


@hazard
def script_function(self: Any, x: torch.Tensor) -> Any:
    return self.l(scripted_function(x, self.m.weight)) + 1


@hazard
def branch_on_value(self: Any, x: torch.Tensor) -> Any:
    return self.m(x) if self.l(x).sum() > 0 else x


@hazard
def loop_on_item(self: Any, x: torch.Tensor) -> Any:
    for _ in range(int(x.abs().max().clamp(1, 3).item())):
        x = self.l(x)
    return x


@hazard
def boolean_mask(self: Any, x: torch.Tensor) -> Any:
    return self.l(x[x[:, 0] > -100])


@hazard
def where_indices(self: Any, x: torch.Tensor) -> Any:
    i, j = torch.where(x > 0)
    return x[i, j].sum()


@hazard
def masked_assignment(self: Any, x: torch.Tensor) -> Any:
    y = self.l(x)
    y[y > 0] = 0
    return y, y.nonzero()


@hazard
def write_through_view(self: Any, x: torch.Tensor) -> Any:
    y = torch.zeros(2, 8)
    y[:, :4] = self.l(x)[:, :4]
    y[:, 4:].add_(1)
    return y + 1 if y.sum() > -1e9 and y[0, 5] == 1 else y


@hazard
def write_then_read_earlier_view(self: Any, x: torch.Tensor) -> Any:
    y = self.l(x).clone()
    first = y[0]
    y.mul_(0)
    return self.m(x) if first.abs().sum() == 0 else x


@hazard
def shape_in_place(self: Any, x: torch.Tensor) -> Any:
    y = self.l(x).unsqueeze_(0)
    y.squeeze_(0)
    y.t_()
    return y


@hazard
def out_argument(self: Any, x: torch.Tensor) -> Any:
    y = torch.empty(2, 8)
    torch.add(self.l(x), 1, out=y)
    return y


@hazard
def through_numpy(self: Any, x: torch.Tensor) -> Any:
    return self.l(torch.from_numpy(x.detach().numpy() * 2))


@hazard
def legacy_constructors(self: Any, x: torch.Tensor) -> Any:
    return self.l(torch.Tensor([1.0] * 8).expand(2, 8) + torch.FloatTensor(2, 8).zero_())


@hazard
def devices(self: Any, x: torch.Tensor) -> Any:
    device = next(self.parameters()).device
    assert x.device == device and not x.is_meta and x.device.type == "cpu" and x.is_cpu and x.get_device() == -1
    return self.l(x.to(device)) + torch.zeros(8, device=x.device) + torch.arange(8, device="cpu") + torch.ones(8)


@hazard
def sets_attributes(self: Any, x: torch.Tensor) -> Any:
    self.last = self.l(x)
    self.count = getattr(self, "count", 0) + 1
    self.history = [*getattr(self, "history", []), self.last]
    return self.last


@hazard
def random_numbers(self: Any, x: torch.Tensor) -> Any:
    noise = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    return self.l(x + torch.randn_like(x) + noise) + F.dropout(x, 0.5, True)


@hazard
def as_text(self: Any, x: torch.Tensor) -> Any:
    assert "nan" not in f"{x.sum()}"
    assert str(x) and repr(self.l(x)) and f"{x.shape}"
    return self.l(x)


@hazard
def iterated(self: Any, x: torch.Tensor) -> Any:
    a, b = x
    assert len(x) == 2
    return torch.stack([self.l(row) for row in x]) + self.l(a) + self.m(b)


@hazard
def data_attribute(self: Any, x: torch.Tensor) -> Any:
    y = self.l(x).data
    y.data = y.data * 2
    return y


@hazard
def einsum(self: Any, x: torch.Tensor) -> Any:
    return torch.einsum("bi,oi->bo", x, self.l.weight)


@hazard
def fourier(self: Any, x: torch.Tensor) -> Any:
    return torch.fft.ifft(torch.fft.fft(x)).real


@hazard
def complex_views(self: Any, x: torch.Tensor) -> Any:
    return torch.view_as_real(torch.view_as_complex(self.l(x).view(2, 4, 2)) * 1j)


@hazard
def nested_output(self: Any, x: torch.Tensor) -> Any:
    return {"a": self.l(x), "b": [self.m(x), None, 3], "c": (x, {"d": x.sum()})}


class Pair(NamedTuple):
    first: torch.Tensor
    second: torch.Tensor | None


@hazard
def named_tuple_output(self: Any, x: torch.Tensor) -> Any:
    return Pair(self.l(x), None)


@dataclasses.dataclass
class Result:
    value: torch.Tensor
    extra: Any = None


@hazard
def dataclass_output(self: Any, x: torch.Tensor) -> Any:
    return Result(self.l(x), extra=[x])


@hazard
def module_in_forward(self: Any, x: torch.Tensor) -> Any:
    return nn.Linear(8, 4)(self.l(x))


@hazard
def subclass_of_tensor(self: Any, x: torch.Tensor) -> Any:
    return self.l(x).as_subclass(torch.Tensor) + nn.Parameter(self.m(x), requires_grad=False)


@hazard
def deep_copy(self: Any, x: torch.Tensor) -> Any:
    return self.l(copy.deepcopy(x))


@hazard
def sorted_values(self: Any, x: torch.Tensor) -> Any:
    values, indices = self.l(x).cumsum(0).sort(-1)
    return values.gather(-1, indices), torch.topk(values, 3)


@hazard
def conditional(self: Any, x: torch.Tensor) -> Any:
    return torch.cond(x.sum() > 0, lambda y: self.l(y), lambda y: self.m(self.l(y)), (x,))


@hazard
def loop_operator(self: Any, x: torch.Tensor) -> Any:
    from torch._higher_order_ops.while_loop import while_loop

    return while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, self.l(y)), (torch.tensor(0), x))


@hazard
def state_dict_access(self: Any, x: torch.Tensor) -> Any:
    return F.linear(x, self.state_dict()["l.weight"])


@hazard
def all_parameters(self: Any, x: torch.Tensor) -> Any:
    return x @ torch.stack([p for p in self.parameters() if p.dim() == 2]).sum(0)


@hazard
def writes_parameter(self: Any, x: torch.Tensor) -> Any:
    with torch.no_grad():
        self.l.weight.mul_(1.0)
        self.l.weight.requires_grad_(False)
    return self.l(x)


@hazard
def unique_values(self: Any, x: torch.Tensor) -> Any:
    return torch.unique((x * 3).long())


@hazard
def sparse_product(self: Any, x: torch.Tensor) -> Any:
    return torch.sparse.mm(torch.eye(2).to_sparse(), self.l(x))


@hazard
def reflected_operators(self: Any, x: torch.Tensor) -> Any:
    y = self.l(x)
    return 1 - y, 2 / y, 2**y, -y, ~(y > 0), y // 2, 3 * y, y % 2, 1 + y, torch.float32


@hazard
def properties(self: Any, x: torch.Tensor) -> Any:
    y = self.l(x)
    return y.T, y.mT, y.real, y.shape[0] * y, y.new_zeros(3), y.type(torch.float64), y.type_as(x), y.numel()


@hazard
def raises_and_catches(self: Any, x: torch.Tensor) -> Any:
    try:
        return self.l(torch.cat([x, x], -1))
    except RuntimeError:
        return self.m(x)


@hazard
def two_masks(self: Any, x: torch.Tensor) -> Any:
    mask = torch.full((2, 2), -math.inf).triu(1)
    return F.scaled_dot_product_attention(self.l(x)[None], x[None], x[None], attn_mask=mask)


@hazard
def chained_hooks(self: Any, x: torch.Tensor) -> Any:
    seen = []
    handle = self.l.register_forward_hook(lambda module, args, out: seen.append(out) or out * 2)
    try:
        return self.l(x) + seen[0]
    finally:
        handle.remove()


@hazard
def lists_of_modules(self: Any, x: torch.Tensor) -> Any:
    for layer in [self.l, self.m, self.l]:
        x = layer(x)
    return x


@hazard
def returns_input(self: Any, x: torch.Tensor) -> Any:
    return x, nn.Identity()(x), x.contiguous(), F.dropout(x, training=False)


@hazard
def meshgrid(self: Any, x: torch.Tensor) -> Any:
    a, b = torch.meshgrid(torch.arange(3), torch.arange(2), indexing="ij")
    return torch.stack((a, b)), self.l(x).split([3, 5], -1), self.l(x).chunk(2)


def model_of(name: str, train: bool = False) -> TwoLinears:
    torch.manual_seed(0)
    return TwoLinears(HAZARDS[name]).train(train)


def real(model: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """Forward's result on a copy."""
    torch.manual_seed(0)
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        return copy.deepcopy(model)(*args, **kwargs)


def counted(model: nn.Module, *args: Any, **kwargs: Any) -> int:
    """The FLOPs that torch counts in a real forward."""
    with FlopCounterMode(display=False) as counter:
        real(model, *args, **kwargs)
    return int(counter.get_total_flops())


LINEAR = 2 * 2 * 8 * 8
"""FLOPs of one of the linear layers."""

BY_HAND = {
    "loop_operator": 3 * LINEAR,
    "conditional": LINEAR if X.sum() > 0 else 2 * LINEAR,
}
"""Where torch's counter does not follow the operator."""

NO_COUNTER = {
    "sparse_product": "torch has no formula for the sparse product",
    "two_masks": "torch counts no attention on the CPU: 2·2·8·2 for each of two products",
    "gradient": "torch counts the backward pass that grad runs inside, as a number of its own",
    "vmapped": "no matrix product",
}


@pytest.mark.parametrize("name", HAZARDS)
def test_recorded_is_what_forward_does(name: str) -> None:
    model = model_of(name)
    before = untouched.of_model(model), untouched.of_process(), untouched.of_value(X)
    graph = fxsummary.graph(model, X, trace="record")
    after = untouched.of_model(model), untouched.of_process(), untouched.of_value(X)
    assert [d for a, b in zip(before[:2], after[:2], strict=True) for d in untouched.differences(a, b)] == []
    assert before[2] == after[2]
    assert graph.captured_by == "recorded"
    result = real(model, X)
    assert shapes_of(graph.output_spec) == shapes_of_plain(result)
    assert not any("stopped" in note for note in graph.notes)
    if name not in NO_COUNTER:
        assert graph.totals.flops == (BY_HAND[name] if name in BY_HAND else counted(model, X))
        assert graph.totals.unknown_flops == ()


class _Wrapped(nn.Module):
    """Wraps a function that reads a tensor many times, as the masks of transformers are."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total, rule = self.linear(x).sum(), None
        for _ in range(20):
            rule = _wrapped(rule) if rule else lambda row: row * total
        return torch.vmap(rule)(x)


def _wrapped(function: Any) -> Any:
    return lambda row: function(row) + 1


def test_tensors_deep_in_closures_are_inputs_of_a_transform() -> None:
    graph = fxsummary.graph(_Wrapped(), torch.ones(3, 4), trace="record")
    (transform,) = (name for name, data in graph.nodes(data=True) if "vmap" in data["label"])
    assert "sum_1" in graph.sources(transform)


def shapes_of_plain(result: Any) -> Any:
    """`shapes_of` with other literals as the graph gives them."""
    if isinstance(result, torch.dtype):
        return str(result)
    if isinstance(result, (tuple, list)) and not isinstance(result, torch.Size):
        return [shapes_of_plain(item) for item in result]
    return shapes_of(result)


@pytest.mark.parametrize("name", HAZARDS)
def test_recorded_graph_runs(name: str) -> None:
    """The FX graph, run by torch's interpreter with the model's weights, returns what forward returns."""
    if name == "module_in_forward":
        pytest.skip("its weights are random in each run")
    model = model_of(name)
    trace = capture(model, (X,), trace="record").trace
    assert trace is not None

    class Interpreter(fx.Interpreter):
        def fetch_attr(self, target: str) -> Any:
            return trace.constants[target] if target in trace.constants else super().fetch_attr(target)

        def run_node(self, node: fx.Node) -> Any:
            with autocast.enter(node.meta.get(AUTOCAST)):
                return super().run_node(node)

    inputs = [trace.given[node].clone() for node in trace.graph.nodes if node.op == "placeholder"]
    torch.manual_seed(0)
    with torch.no_grad():
        found = Interpreter(copy.deepcopy(model), graph=trace.graph).run(*inputs)
    expected = real(model, X)
    for a, b in zip(tensors(found), tensors(expected), strict=True):
        assert torch.allclose(a, b, equal_nan=True, rtol=1e-2 if a.dtype is torch.bfloat16 else 1e-5, atol=1e-5)


def tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if dataclasses.is_dataclass(value):
        return tensors(list(vars(value).values()))
    if isinstance(value, dict):
        return tensors(list(value.values()))
    if isinstance(value, (tuple, list)):
        return [tensor for item in value for tensor in tensors(item)]
    return []


# --- what else a recording must leave alone ----------------------------------------------------


class Listener:
    """A user's hooks, in every form, that fill what is theirs."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.count = 0

    def method(self, module: nn.Module, args: Any, result: torch.Tensor) -> torch.Tensor:
        self.seen.append(result)
        self.count += 1
        return result * 2

    def before(self, module: nn.Module, args: Any, kwargs: Any) -> Any:
        self.seen.append(args)
        return (args[0] + 1, *args[1:]), kwargs


collected: list[Any] = []


def test_hooks_run_and_keep_nothing() -> None:
    model, listener, activations = model_of("lists_of_modules"), Listener(), {}
    model.l.register_forward_hook(listener.method)
    model.l.register_forward_pre_hook(listener.before, with_kwargs=True)
    model.m.register_forward_hook(lambda module, args, result: activations.update(m=result))
    model.m.register_forward_hook(functools.partial(lambda kept, *rest: kept.append(rest), collected))
    model.register_forward_hook(lambda module, args, result: collected.append(result))
    before = untouched.of_model(model)
    graph = fxsummary.graph(model, X, trace="record")
    assert untouched.differences(before, untouched.of_model(model)) == []
    assert (listener.seen, listener.count, activations, collected) == ([], 0, {}, [])
    labels = [data["label"] for _, data in graph.nodes(data=True)]
    assert labels == ["x", "add", "Linear", "mul", "Linear", "add", "Linear", "mul", "output"]


TABLE: dict[str, torch.Tensor] = {}


@functools.lru_cache
def positions(length: int) -> torch.Tensor:
    return torch.arange(length).float().cos()


class Caching(nn.Module):
    """Keeps tensors outside of itself: in a global, an lru_cache, and an object."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.store = Listener()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if "table" not in TABLE:
            TABLE["table"] = torch.arange(8.0) * 2
        self.store.seen.append(torch.ones(8).chunk(2)[0])
        return self.fc(x) + TABLE["table"] + positions(8)


def test_tensors_kept_elsewhere_are_taken_out_or_get_their_values() -> None:
    TABLE.clear()
    positions.cache_clear()
    model = Caching()
    graph = fxsummary.graph(model, X, trace="record")
    assert (TABLE, model.store.seen) == ({}, [])
    assert positions.cache_info().currsize == 1
    assert torch.equal(positions(8), torch.arange(8).float().cos())
    assert graph.notes == ()
    assert model(X).isfinite().all()


def test_tensors_kept_elsewhere_by_a_forward_that_raises() -> None:
    positions.cache_clear()
    with pytest.raises(ForwardError):
        fxsummary.graph(TwoLinears(lambda self, x: self.l(x) + positions(8) + {}["missing"]), X, trace="record")
    assert torch.equal(positions(8), torch.arange(8).float().cos())


def test_an_operation_that_refuses_its_inputs() -> None:
    with pytest.raises(ForwardError, match=r"reduction dim|cannot be multiplied"):
        fxsummary.graph(model_of("lists_of_modules"), torch.ones(2, 9), trace="record")


class Cache:
    """A container as generation uses it: forward grows it."""

    def __init__(self) -> None:
        self.keys = [torch.zeros(2, 3, 8)]
        self.length = 3

    def update(self, new: torch.Tensor) -> torch.Tensor:
        self.keys[0] = torch.cat([self.keys[0], new], 1)
        self.length += new.shape[1]
        return self.keys[0]


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor, cache: Cache, extra: dict[str, Any] | None = None) -> Any:
        if extra is not None:
            extra["used"] = True
            extra["items"].append(x)
        return self.fc(cache.update(x[:, None])), cache


def test_containers_of_the_user_are_not_changed() -> None:
    cache, extra = Cache(), {"items": [], "used": False}
    graph = fxsummary.graph(Decoder(), X, cache, extra)
    assert (cache.length, tuple(cache.keys[0].shape), extra) == (3, (2, 3, 8), {"items": [], "used": False})
    assert graph.captured_by == "recorded"
    assert graph.inputs["cache_0"].shape == (2, 3, 8)
    assert graph.output_spec[0].shape == (2, 4, 8)
    assert graph.output_spec[1]["keys"][0].shape == (2, 4, 8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_train_mode_with_frozen_parts(dtype: torch.dtype, device: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.ReLU(inplace=True))
    model = model.to(dtype).to(device).train()
    model[0].requires_grad_(False)
    before = untouched.of_model(model), untouched.of_process()
    graph = fxsummary.graph(model, torch.ones(2, 3, 8, 8, dtype=dtype, device=device), trace="record")
    after = untouched.of_model(model), untouched.of_process()
    assert [d for a, b in zip(before, after, strict=True) for d in untouched.differences(a, b)] == []
    assert graph.output_spec.shape == (2, 4, 6, 6)
    assert graph.output_spec.dtype == str(dtype).removeprefix("torch.")
    assert graph.totals.trainable_parameters == 8
    assert any(note.startswith("dropout is active") for note in graph.notes)


def test_a_forward_that_raises_leaves_everything_as_it_was() -> None:
    @functools.wraps(raising)
    def forward(self: Any, x: torch.Tensor) -> Any:
        return raising(self, x)

    model = TwoLinears(forward).train()
    before = untouched.of_model(model), untouched.of_process()
    with pytest.raises(ForwardError, match="KeyError"):
        fxsummary.graph(model, X, trace="record")
    after = untouched.of_model(model), untouched.of_process()
    assert [d for a, b in zip(before, after, strict=True) for d in untouched.differences(a, b)] == []


def raising(self: Any, x: torch.Tensor) -> Any:
    self.last = self.l(x)
    self.register_buffer("made", torch.zeros(3))
    self.l.register_forward_hook(lambda *args: None)
    self.l.eval()
    torch.manual_seed(7)
    torch.rand(3)
    return {}["missing"]


def test_threads_do_not_mix() -> None:
    """Captures wait for each other, and a real forward in another thread is not recorded."""
    models = [model_of(name) for name in ("iterated", "nested_output", "through_numpy", "loop_on_item")]
    expected = [repr(list(fxsummary.graph(model, X, trace="record").nodes(data=True))) for model in models]
    running = model_of("checkpointed")
    reference = running(X)
    results: dict[int, list[str]] = {index: [] for index in range(len(models))}
    wrong: list[str] = []

    def capture_one(index: int) -> None:
        for _ in range(5):
            results[index].append(repr(list(fxsummary.graph(models[index], X, trace="record").nodes(data=True))))

    def run_for_real() -> None:
        for _ in range(50):
            result = running(X)
            if result.is_meta or not torch.equal(result, reference):
                wrong.append("a real forward was disturbed")

    threads = [threading.Thread(target=capture_one, args=(index,)) for index in results]
    threads.append(threading.Thread(target=run_for_real))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert results == {index: [text] * 5 for index, text in enumerate(expected)}


# --- how far it goes, and what it says ---------------------------------------------------------


def wrapped(x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x) * 2


fx.wrap("wrapped")


def test_wrapped_functions_stay_whole() -> None:
    model = TwoLinears(lambda self, x: wrapped(self.l(x)))
    graph = fxsummary.graph(model, X, trace="record")
    assert [data["label"] for _, data in graph.nodes(data=True)] == ["x", "Linear", "wrapped", "output"]


class Stops(nn.Module):
    """Asks a foreign library for the value of something far too large to compute."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.after = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc(x)
        if x.expand(2**20, 2**10, 8).sum(-1).contiguous()[0, 0].item() > 0:
            return x
        return self.after(x)


def test_what_cannot_go_on_stops_softly() -> None:
    graph = fxsummary.graph(Stops(), torch.ones(1, 8), trace="record")
    assert graph.is_partial
    assert graph.output_spec is None
    assert graph.nodes["fc"]["flops"] == 128
    assert graph.totals.flops == 128
    assert graph.totals.unknown_flops
    assert graph.totals.parameters == 144
    (note,) = [note for note in graph.notes if "stopped" in note]
    assert "test_recorder.py:" in note and "GiB" in note and "leaf=" in note
    assert not any("never" in note for note in graph.notes)
    assert "≥ 128" in str(graph)


def in_a_thread(self: Any, x: torch.Tensor) -> torch.Tensor:
    with ThreadPoolExecutor(1) as pool:
        return self.l(next(pool.map(torch.neg, [x])))


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (in_a_thread, "made outside the recording"),
        (lambda self, x: self.l(pickle.loads(pickle.dumps(x))), "made outside the recording"),
        (lambda self, x: self.l(copy.copy(x)), "set_ gets a storage"),
        (lambda self, x: self.l(torch.empty(0).set_(x.untyped_storage(), 0, x.shape)), "set_ gets a storage"),
    ],
    ids=["thread", "pickle", "copy", "storage"],
)
def test_a_value_whose_origin_is_not_seen_ends_the_graph(forward: Any, reason: str) -> None:
    graph = fxsummary.graph(TwoLinears(forward), X, trace="record")
    assert graph.is_partial and any(reason in note for note in graph.notes)


@pytest.mark.parametrize("fill", [lambda y, x: y.set_(x), lambda y, x: torch.cat([x], out=y)], ids=["set_", "out="])
def test_a_tensor_takes_the_shape_of_what_is_written(fill: Any) -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = torch.empty(0)
        fill(y, x)
        return self.l(y) + y.shape[0]

    graph = fxsummary.graph(TwoLinears(forward), X, trace="record")
    assert graph.output_spec.shape == TwoLinears(forward)(X).shape


def test_values_that_are_assumed_are_marked() -> None:
    model = model_of("boolean_mask").to("meta")
    graph = fxsummary.graph(model, torch.empty(2, 8, device="meta"), trace="record")
    (linear,) = [data for _, data in graph.nodes(data=True) if data["label"] == "Linear"]
    assert linear["trust"] == "assumed"
    assert graph.totals.assumed_flops
    assert "1 operation assumed" in str(graph)
    assert any("assumed" in note and "test_recorder.py:" in note for note in graph.notes)
    known = fxsummary.graph(model_of("boolean_mask"), X, trace="record")
    assert known.totals.assumed_flops == ()


def test_the_same_bytes_twice() -> None:
    model = model_of("write_through_view")
    first, second = (fxsummary.graph(model, X, trace="record") for _ in range(2))
    assert repr(list(first.nodes(data=True))) == repr(list(second.nodes(data=True)))
    assert list(first.edges(data=True)) == list(second.edges(data=True))


def test_a_write_through_a_view_is_an_edge() -> None:
    graph = fxsummary.graph(model_of("write_then_read_earlier_view"), X, trace="record")
    (reader,) = [key for key, data in graph.nodes(data=True) if data["label"] == "abs"]
    (writer,) = [key for key, data in graph.nodes(data=True) if data["label"] == "mul_"]
    assert graph.edges[writer, reader]["slots"] == ()


def test_source_lines_and_stacks() -> None:
    graph = fxsummary.graph(model_of("lists_of_modules"), X, trace="record")
    calls = [data for _, data in graph.nodes(data=True) if data["op"] == "call_module"]
    assert [data["target"] for data in calls] == ["l", "m", "l"]
    assert [data["module_stack"][-1].call for data in calls] == [0, 0, 1]
    assert all(data["source"].startswith("test_recorder.py:") for data in calls)


def test_way_must_be_known() -> None:
    with pytest.raises(InputError, match="known: auto, symbolic, record"):
        fxsummary.graph(nn.Linear(2, 2), torch.ones(1, 2), trace="scripted")


class Renaming(nn.Module):
    """Its forward is wrapped by what looks at the names of the arguments, as deprecations do."""

    def __init__(self) -> None:
        super().__init__()
        self.l = nn.Linear(8, 8)

    def _forward(self, x: torch.Tensor, old: Any = None, new: Any = None) -> torch.Tensor:
        return x if new is None else self.l(x + new)

    @functools.wraps(_forward)
    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        if "old" in kwargs:
            kwargs["new"] = kwargs.pop("old")
        return self._forward(*args, **kwargs)


@pytest.mark.parametrize("way", ["symbolic", "record"])
def test_what_is_passed_by_name_arrives_by_name(way: str) -> None:
    graph = fxsummary.graph(Renaming(), X, kwargs={"old": X}, trace=way)
    assert graph.totals.flops == 2 * 2 * 8 * 8


def test_a_default_device_around_all() -> None:
    with torch.device("meta"):
        model = TwoLinears(lambda self, x: self.l(x)[torch.arange(2).nonzero()] if torch.ones(1).item() else x)
        graph = fxsummary.graph(model, torch.empty(2, 8), trace="record")
    assert graph.output_spec.shape == (1, 1, 8)
    assert graph.totals.assumed_flops == ()


class Optional(nn.Module):
    """Every tensor has a default, and forward does not run on it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, pixel_values: Any = None) -> torch.Tensor:
        return self.conv(pixel_values)


@pytest.mark.parametrize("way", ["auto", "symbolic"])
def test_defaults_that_do_not_run_are_no_error(way: str) -> None:
    graph = fxsummary.graph(Optional(), trace=way)
    assert graph.totals.parameters == 112
    assert graph.captured_by == ("modules" if way == "symbolic" else "recorded")
    assert any("infer" in note for note in graph.notes)
