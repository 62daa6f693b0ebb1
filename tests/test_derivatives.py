"""Derivatives, function transforms and operators that take functions, inside of forward: counted as torch does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_forward import in_every_way, of, shapes
from torch import Tensor, nn
from torch.func import functional_call, grad, grad_and_value, hessian, jacfwd, jacrev, jvp, vjp, vmap
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

import fxsummary
from fxsummary.capture.operations.flop_count import FlopCount

on_every_device = pytest.mark.parametrize("device", ["cpu", "meta"])
Forward = Callable[[Any, Tensor], Any]


def model_of(forward: Any) -> nn.Module:
    model = of(forward, net=nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Linear(16, 2)))
    model.w, model.unused = nn.Parameter(torch.randn(3, 3)), nn.Linear(2, 2)
    model.register_buffer("shift", torch.ones(2))
    return model


def check(forward: Any, trace: str, device: str) -> None:
    """The graph is whole, has the FLOPs of a real run, and reads what the real run gives gradients."""
    model, x = model_of(forward), torch.randn(5, 3)
    count = FlopCount()
    with count:
        result = model(x.clone())
    graph = fxsummary.graph(model.to(device), x.to(device), trace=trace)
    assert not graph.is_partial
    assert shapes(graph.output_spec) == shapes(result)
    assert graph.totals.flops == count.flops > 0
    assert graph.totals.unread_parameters == 6  # unused
    assert graph.totals.assumed_flops == graph.totals.unknown_flops == ()
    assert all(parameter.grad is None for parameter in model.parameters())


# --- transforms of torch.func ------------------------------------------------------------------


def energy(self: Any, x: Tensor) -> Tensor:
    return self.net(torch.tanh(x @ self.w)).sum()  # type: ignore[no-any-return]


def row(self: Any, x: Tensor) -> Tensor:
    return self.net(torch.tanh(x @ self.w)) + self.shift  # type: ignore[no-any-return]


def stacked(self: Any, x: Tensor) -> Tensor:
    weights = [self.w]
    return vmap(lambda each: self.net(each @ weights[0]))(x)


TRANSFORMS: dict[str, Forward] = {
    "vmap": lambda self, x: vmap(lambda each: row(self, each))(x),
    "vmap of a module": lambda self, x: vmap(self.net)(x @ self.w),
    "vmap of a list": stacked,
    "grad": lambda self, x: grad(lambda each: energy(self, each))(x),
    "grad_and_value": lambda self, x: grad_and_value(lambda each: energy(self, each))(x),
    "vmap of grad": lambda self, x: vmap(grad(lambda each: energy(self, each)))(x),
    "jacrev": lambda self, x: jacrev(lambda each: row(self, each))(x[0]),
    "jacrev in chunks": lambda self, x: jacrev(lambda each: row(self, each), chunk_size=1)(x[0]),
    "vmap of jacrev": lambda self, x: vmap(jacrev(lambda each: row(self, each)))(x),
    "jacfwd": lambda self, x: jacfwd(lambda each: row(self, each))(x[0]),
    "hessian": lambda self, x: hessian(lambda each: energy(self, each))(x[0]),
    "vjp": lambda self, x: vjp(lambda each: row(self, each), x)[1](torch.ones(5, 2, device=x.device)),
    "jvp": lambda self, x: jvp(lambda each: row(self, each), (x,), (torch.ones_like(x),)),
}


@in_every_way
@on_every_device
@pytest.mark.parametrize("name", TRANSFORMS)
def test_what_a_transform_reads_of_modules_is_read(name: str, trace: str, device: str) -> None:
    check(TRANSFORMS[name], trace, device)


def test_no_parameter_is_unread() -> None:
    model = of(lambda self, x: vmap(lambda each: self.fc(each) @ self.w)(x), fc=nn.Linear(4, 3))
    model.w = nn.Parameter(torch.randn(3, 2))
    graph = fxsummary.graph(model, torch.randn(5, 4))
    graph.check(no_unread_parameters=True)
    assert (graph.totals.flops, graph.lint()) == (180, ())


# --- torch.autograd ----------------------------------------------------------------------------


def forces(self: Any, x: Tensor) -> Any:
    x.requires_grad_(True)
    total = energy(self, x)
    (slope,) = torch.autograd.grad([total], [x], grad_outputs=[torch.ones_like(total)], create_graph=True)
    return total, -slope


def backward_to_input(self: Any, x: Tensor) -> Any:
    x = x.detach().clone().requires_grad_()
    energy(self, x).backward(inputs=[x])
    return x.grad


def backward_to_parameters(self: Any, x: Tensor) -> Any:
    energy(self, x).backward()
    found = self.w.grad * 2, self.net[0].weight.grad
    self.zero_grad()
    return found


def inner_loop(self: Any, x: Tensor) -> Any:
    weights = dict(self.net.named_parameters())
    for _ in range(2):
        loss = functional_call(self.net, weights, (x @ self.w,)).pow(2).mean()
        slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        weights = {name: each - 0.1 * slope for (name, each), slope in zip(weights.items(), slopes, strict=True)}
    return functional_call(self.net, weights, (x @ self.w,))


def second_derivative(self: Any, x: Tensor) -> Any:
    x = x[0].detach().requires_grad_()
    (slope,) = torch.autograd.grad(energy(self, x), x, create_graph=True)
    return torch.stack([torch.autograd.grad(slope[index], x, retain_graph=True)[0] for index in range(3)])


def unused_input(self: Any, x: Tensor) -> Any:
    other = torch.ones(2, requires_grad=True)
    slope, none = torch.autograd.grad(energy(self, x.requires_grad_()), [x, other], allow_unused=True)
    return slope if none is None else slope + 1


def without_gradients(self: Any, x: Tensor) -> Any:
    x.requires_grad_()
    with torch.no_grad():
        scale = energy(self, x)
    return torch.autograd.grad(energy(self, x) * scale, x)[0]


def steps(self: Any, x: Tensor) -> Any:
    for _ in range(3):
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            slope = torch.autograd.grad(energy(self, x), x)[0]
        x = x - 0.1 * slope
    return x


def asked(self: Any, x: Tensor) -> Any:
    x.requires_grad_()
    total = energy(self, x)
    return torch.autograd.grad(total, x)[0] if total.requires_grad else x


def written(self: Any, x: Tensor) -> Any:
    x.requires_grad_()
    y = x * 2
    y[0] = 0
    return torch.autograd.grad(energy(self, y.mul_(3).view(5, 3).clone()), x)[0]


class Twice(torch.autograd.Function):
    """Two results, and a backward pass of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        ctx.save_for_backward(weight)
        return x @ weight, x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (weight,) = ctx.saved_tensors
        return slopes[0] @ weight.t() + slopes[1], None


def own_backward(self: Any, x: Tensor) -> Any:
    product, same = Twice.apply(x.requires_grad_(), self.w)  # type: ignore[no-untyped-call]
    return torch.autograd.grad(self.net(product + same).sum(), x)[0]


DERIVATIVES: list[Forward] = [
    forces, backward_to_input, backward_to_parameters, inner_loop, second_derivative, unused_input, without_gradients,
    steps, asked, written, own_backward,
    lambda self, x: torch.autograd.functional.jacobian(lambda each: row(self, each), x[0]),
    lambda self, x: torch.autograd.functional.hessian(lambda each: energy(self, each), x[0]),
]  # fmt: skip


@in_every_way
@on_every_device
@pytest.mark.parametrize("forward", DERIVATIVES, ids=lambda forward: forward.__name__)
def test_derivatives_count_their_backward_pass(forward: Forward, trace: str, device: str) -> None:
    check(forward, trace, device)


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.value, self.gate = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            gate = self.gate(x)
        return x + self.value(x) * gate  # type: ignore[no-any-return]


@pytest.mark.parametrize("replay", [True, False])
def test_copied_blocks_know_where_gradients_are_off(replay: bool) -> None:
    def forward(self: Any, x: Tensor) -> Any:
        return torch.autograd.grad(self.blocks(x.requires_grad_()).sum(), x)[0]

    model = of(forward, blocks=nn.Sequential(*[Gated() for _ in range(6)]))
    graph = fxsummary.graph(model, torch.randn(2, 8), replay=replay)
    assert graph.totals.flops == 6 * 3 * (2 * 2 * 8 * 8)


@in_every_way
def test_a_branch_may_depend_on_a_derivative(trace: str) -> None:
    def forward(self: Any, x: Tensor) -> Any:
        slope = torch.autograd.grad(energy(self, x.requires_grad_()), x)[0]
        return slope * 2 if slope.abs().max().item() > 1e9 else slope

    check(forward, trace, "cpu")


# --- operators that take functions -------------------------------------------------------------


def heads(self: Any, x: Tensor) -> tuple[Tensor, ...]:
    return self.qkv(x).view(2, 32, 3, 4, 16).permute(2, 0, 3, 1, 4).unbind(0)  # type: ignore[no-any-return]


def causal(batch: Any, head: Any, query: Any, key: Any) -> Any:
    return query >= key


MASK = create_block_mask(causal, None, None, 32, 32, device="cpu")
ATTENTIONS: dict[str, Forward] = {
    "plain": lambda self, x: flex_attention(*heads(self, x)),
    "mask": lambda self, x: flex_attention(*heads(self, x), block_mask=MASK),
    "mask in forward": lambda self, x: flex_attention(
        *heads(self, x), block_mask=create_block_mask(causal, None, None, 32, 32, device=x.device)
    ),
    "score": lambda self, x: flex_attention(
        *heads(self, x), score_mod=lambda score, batch, head, query, key: score + self.bias[head]
    ),
}


@in_every_way
@on_every_device
@pytest.mark.parametrize("name", ATTENTIONS)
def test_flex_attention_is_one_operation(name: str, trace: str, device: str) -> None:
    model = of(ATTENTIONS[name], qkv=nn.Linear(64, 192))
    model.bias = nn.Parameter(torch.zeros(4))
    graph = fxsummary.graph(model.to(device), torch.randn(2, 32, 64, device=device), trace=trace)
    assert graph.totals.flops == 2 * 64 * 64 * 192 + 4 * 2 * 4 * 32 * 32 * 16
    assert graph.output_spec.shape == (2, 4, 32, 16)
    assert graph.totals.unread_parameters == (0 if name == "score" else 4)
    assert [data["kind"] for _, data in graph.nodes(data=True) if data["flops"]] == ["linear", "attention"]


def mapped(self: Any, x: Tensor) -> Any:
    from torch._higher_order_ops.map import map as torch_map

    return torch_map(lambda each: self.fc(each) @ self.w, x)


def scanned(self: Any, x: Tensor) -> Any:
    from torch._higher_order_ops.scan import scan

    return scan(lambda state, each: (torch.tanh(self.fc(state) + each), each @ self.w), torch.zeros(4), x)


def branched(self: Any, x: Tensor) -> Any:
    return torch.cond(x.sum() > -1e9, lambda each: self.fc(each) @ self.w, lambda each: each, (x,))


@in_every_way
@pytest.mark.parametrize("forward", [mapped, scanned, branched])
def test_operators_that_take_functions_are_what_these_do(forward: Forward, trace: str) -> None:
    model = of(forward, fc=nn.Linear(4, 4))
    model.w = nn.Parameter(torch.randn(4, 4))
    graph = fxsummary.graph(model, torch.randn(5, 4), trace=trace)
    assert (graph.totals.flops, graph.totals.unread_parameters, graph.is_partial) == (2 * 2 * 5 * 16, 0, False)


def test_exported_maps_count_each_slice() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        return vmap(lambda row: vmap(lambda each: self.fc(each))(row) @ self.fc.weight)(x)

    program = torch.export.export(of(forward, fc=nn.Linear(4, 4)), (torch.randn(5, 3, 4),))
    assert fxsummary.graph(program).totals.flops == 2 * 2 * 5 * 3 * 16


@pytest.mark.parametrize("forward", [mapped, scanned])
def test_exported_loops_count_each_step(forward: Forward) -> None:
    model = of(forward, fc=nn.Linear(4, 4))
    model.w = nn.Parameter(torch.randn(4, 4))
    program = torch.export.export(model, (torch.randn(5, 4),))
    assert fxsummary.graph(program).totals.flops == 2 * 2 * 5 * 16


def test_exported_flex_attention_is_counted() -> None:
    model = of(ATTENTIONS["plain"], qkv=nn.Linear(64, 192))
    with torch.no_grad():  # on the CPU it has no backward
        program = torch.export.export(model, (torch.randn(2, 32, 64),))
    assert fxsummary.graph(program).totals.flops == 2 * 64 * 64 * 192 + 4 * 2 * 4 * 32 * 32 * 16
