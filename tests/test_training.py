"""Training: what it says of a step is what a real step on the CPU does, to the byte."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode
from training_models import MODELS, Recurrent, ViT, cnn, model_and_inputs

import fxsummary
from fxsummary.analysis.devices import DIFFERENCES
from fxsummary.errors import InputError, UnknownNameError
from zoo.storages import checkpoint_blocks, loss_of, real_step, tensors_in


@pytest.mark.parametrize("trace", ["auto", "record"])
@pytest.mark.parametrize("name", MODELS)
def test_a_step_is_the_real_one(name: str, trace: str) -> None:
    """Law: bytes at the end of forward, and at the peak of a step, equal a real run's."""
    model, args, kwargs = model_and_inputs(name)
    graph = fxsummary.graph(model, *args, kwargs=kwargs or None, trace=trace)
    found = graph.training(device="cpu")
    real_step(model, args, kwargs)  # a first call may fill caches
    real = real_step(model, args, kwargs)
    assert not found.unknown
    assert (found.forward_end, found.activation_peak) == (real.at_end, real.peak)
    assert found.saved == sum(found.saved_by_operation.values()) <= found.forward_end


@pytest.mark.parametrize("name", ["gpt2", "llama", "mixtral"])
def test_the_numbers_are_the_same_without_replay(name: str) -> None:
    model, args, kwargs = model_and_inputs(name)
    with_replay, without = (
        fxsummary.graph(model, *args, kwargs=kwargs, trace="record", replay=replay).training()
        for replay in (True, False)
    )
    assert with_replay == without


@pytest.mark.parametrize("name", ["vit", "resnet18", "bert", "gpt2", "mixtral", "frozen", "lora", "tied"])
def test_checkpointing_saves_what_it_says(name: str) -> None:
    """Law: the difference between two real runs, with and without ``torch.utils.checkpoint``."""
    model, args, kwargs = model_and_inputs(name)
    found = fxsummary.graph(model, *args, kwargs=kwargs or None).training(device="cpu")
    real_step(model, args, kwargs)
    before = real_step(model, args, kwargs).at_end
    for each in found.checkpoints:
        model, args, kwargs = model_and_inputs(name)
        checkpoint_blocks(model, each.pattern, each.type)
        assert before - real_step(model, args, kwargs).at_end == each.saves, each


_COUNTED = ["cnn", "resnet18", "vit", "vit in eval mode", "bert", "gpt2", "llama", "t5", "frozen", "lora"]


@pytest.mark.parametrize("name", _COUNTED)
def test_backward_flops_are_those_of_torch(name: str) -> None:
    model, args, kwargs = model_and_inputs(name)
    found = fxsummary.graph(model, *args, kwargs=kwargs or None).training(device="cpu")
    with FlopCounterMode(display=False) as counter:
        output = next(each for each in tensors_in(model(*args, **kwargs)) if each.requires_grad)
        forward = counter.get_total_flops()
        loss_of(output).backward()
    if name not in ("llama", "vit in eval mode"):  # torch has no formula for the fused attention of the CPU
        assert (found.forward_flops, found.backward_flops) == (forward, counter.get_total_flops() - forward)
    assert not found.unknown_flops


def test_grouped_convolutions_cost_in_backward_twice_the_forward() -> None:
    """torch's formula ignores the groups."""
    conv = nn.Conv2d(8, 8, 3, groups=8)
    found = fxsummary.graph(conv, torch.zeros(1, 8, 8, 8, requires_grad=True)).training()
    assert found.backward_flops == 2 * (found.forward_flops or 0) > 0


class _Megatron(nn.Module):
    """The layer of "Reducing Activation Recomputation in Large Transformer Models", after another one."""

    def __init__(self, width: int = 1024, heads: int = 16) -> None:
        super().__init__()
        self.before = nn.Linear(width, width)
        self.layer = _Layer(width, heads)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(self.before(x))


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down, self.dropout = nn.Linear(width, 4 * width), nn.Linear(4 * width, width), nn.Dropout(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scores = self.dropout(torch.softmax(q @ k.transpose(-1, -2) * 0.125, -1))
        x = x + self.dropout(self.out((scores @ v).transpose(1, 2).reshape(x.shape)))
        return x + self.dropout(self.down(nn.functional.gelu(self.up(self.norm2(x)))))


def test_the_layer_of_the_megatron_paper() -> None:
    """sbh(34 + 5as/h), and the float32 mean and deviation of both norms, which the paper leaves out."""
    s, b, h, a = 512, 4, 1024, 16
    with torch.device("meta"):
        model = _Megatron().bfloat16()
    found = fxsummary.graph(model, torch.empty(b, s, h, dtype=torch.bfloat16, device="meta")).training()
    formula = s * b * h * 34 + 5 * a * s * s * b
    assert found.saved_by_module["layer"].inclusive == formula + 2 * 2 * s * b * 4 == 155_222_016


def test_devices_keep_different_things() -> None:
    """The CPU keeps masks of dropout as numbers, and with dropout all scores of attention."""
    model = nn.Sequential(nn.Linear(16, 16), nn.Dropout(0.5))
    graph = fxsummary.graph(model, torch.zeros(4, 16))
    on_cpu, on_cuda = (graph.training(device=device).saved_by_operation["_1"] for device in ("cpu", "cuda"))
    assert (on_cpu, on_cuda) == (4 * 16 * 4, 4 * 16)
    vit = fxsummary.graph(ViT(), torch.zeros(2, 3, 16, 16))
    assert vit.training(device="cpu").saved > 1.5 * vit.training(device="cuda").saved


def test_what_is_not_known_makes_a_bound() -> None:
    model, x = Recurrent(), torch.randn(2, 5, 16)
    found = fxsummary.graph(model, x).training(device="cpu")
    assert found.unknown == ("lstm",) and "≥" in str(found)
    assert 0 < found.forward_end < real_step(model, (x,)).at_end


@pytest.mark.parametrize(
    ("optimizer", "state"), [(None, 0), ("sgd", 0), ("momentum", 144), ("adam", 288), ("adamw", 288), ("adafactor", 64)]
)
def test_optimizers_keep_their_state(optimizer: str | None, state: int) -> None:
    """A linear layer of 4×8 weights and 4 biases; Adafactor keeps rows and columns."""
    found = fxsummary.graph(nn.Linear(8, 4), torch.zeros(2, 8)).training(optimizer=optimizer)
    assert (found.gradients, found.optimizer_state) == (144, state)
    assert found.peak == found.parameters + found.inputs + state + found.activation_peak


@pytest.mark.parametrize("name", ["adam", "adafactor"])
def test_state_is_that_of_torch(name: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 36, 4))
    x = torch.randn(2, 3, 8, 8)
    optimizer = {"adam": torch.optim.Adam, "adafactor": torch.optim.Adafactor}[name](model.parameters())
    model(x).sum().backward()
    optimizer.step()
    state = [value for each in optimizer.state.values() for key, value in each.items() if key != "step"]
    assert fxsummary.graph(model, x).training(optimizer=name).optimizer_state == sum(each.nbytes for each in state)


def test_master_copies_are_float32() -> None:
    graph = fxsummary.graph(nn.Linear(8, 4).bfloat16(), torch.zeros(2, 8, dtype=torch.bfloat16))
    found = graph.training(optimizer="adam", master_copies=True)
    assert (found.parameters, found.gradients, found.master_copies, found.optimizer_state) == (72, 72, 144, 288)


@pytest.mark.parametrize("name", ["cnn", "cnn in eval mode", "vit", "lora", "gpt2"])
def test_mixed_precision_is_that_of_autocast(name: str) -> None:
    """Captured under autocast; and captured without, if forward reads no dtype from a tensor."""
    model, args, kwargs = model_and_inputs(name)
    with torch.autocast("cpu", torch.bfloat16):
        captured = fxsummary.graph(model, *args, kwargs=kwargs or None)
    found = captured.training(device="cpu")
    later = fxsummary.graph(model, *args, kwargs=kwargs or None).training(device="cpu", precision="bf16")

    def forward(*inputs: torch.Tensor, **named: torch.Tensor) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return model(*inputs, **named)

    real_step(model, args, kwargs, forward)
    real = real_step(model, args, kwargs, forward)
    assert (found.forward_end, found.activation_peak) == (real.at_end, real.peak)
    assert later.is_assumed == (name == "gpt2")
    assert later.is_assumed or (later.forward_end, later.activation_peak) == (real.at_end, real.peak)


def test_nothing_of_the_model_is_kept_or_changed() -> None:
    model, x = cnn(), torch.randn(2, 3, 8, 8)
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    graph = fxsummary.graph(model, x)
    found = graph.training()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(random, torch.get_rng_state()) and all(each.grad is None for each in model.parameters())
    weight = weakref.ref(model[0].weight)
    del model
    gc.collect()
    assert weight() is None
    assert graph.training() == found


def test_a_graph_without_its_program_says_so() -> None:
    graph = fxsummary.graph(nn.Linear(8, 4), torch.zeros(2, 8))
    copies = [pickle.loads(pickle.dumps(graph)), graph.copy(), copy.deepcopy(graph)]
    for each in copies:
        with pytest.raises(InputError, match="because it was loaded, copied, folded"):
            each.training()


class _Leaf(nn.Module):
    """Lets a new tensor require gradients, as models do whose kernels are not installed."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> Any:
        return self.down(torch.zeros_like(self.up(x)).requires_grad_() * 2)


class _Reversible(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: nn.Module) -> torch.Tensor:
        ctx.layer = layer
        result = x + layer(x)
        ctx.save_for_backward(result.detach())
        return result

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (result,) = ctx.saved_tensors
        with torch.enable_grad():
            ctx.layer(result).backward(gradient)
        return gradient, None


class _RunsInBackward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before, self.layer = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> Any:
        return _Reversible.apply(self.before(x), self.layer)


class _KeepsTable(nn.Module):
    """Keeps a table in an attribute at the first call."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not hasattr(self, "table"):
            self.table = torch.arange(8.0).expand(4, 8) + 1
        return torch.tanh(self.linear(x) * self.table)


class _KeepsNumbers(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.numbers = torch.tensor([1.0, 2.0], device=x.device)
        return super().forward(x)


@pytest.mark.parametrize("model", [_Leaf(), _KeepsNumbers(8, 8)])
def test_tensors_that_forward_makes(model: nn.Module) -> None:
    x = torch.zeros(2, 8)
    found, real = fxsummary.graph(model, x, trace="record").training(device="cpu"), real_step(model, (x,))
    assert (found.forward_end, found.activation_peak) == (real.at_end, real.peak) and not found.unknown


def test_a_function_that_runs_modules_in_backward_makes_a_bound() -> None:
    model, x = _RunsInBackward(), torch.zeros(2, 8)
    found = fxsummary.graph(model, x).training(device="cpu")
    assert found.unknown and found.forward_end <= real_step(model, (x,)).at_end


def test_checkpointing_does_not_free_what_modules_keep() -> None:
    x = torch.zeros(4, 8)
    models = [nn.Sequential(_KeepsTable(), _KeepsTable()) for _ in range(3)]
    (found,) = (
        each
        for each in fxsummary.graph(models[0], x, trace="record").training(device="cpu").checkpoints
        if each.pattern == "*"
    )
    checkpoint_blocks(models[1], "*", "_KeepsTable")
    assert real_step(models[2], (x,)).at_end - real_step(models[1], (x,)).at_end == found.saves


class _Checkpointing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(8, 8), nn.Tanh())

    def forward(self, x: torch.Tensor) -> Any:
        return checkpoint(self.block, x, use_reentrant=False)


@pytest.mark.parametrize("trace", ["symbolic", "record"])
def test_a_model_that_checkpoints_itself_is_refused(trace: str) -> None:
    graph = fxsummary.graph(_Checkpointing(), torch.zeros(2, 8), trace=trace)
    with pytest.raises(InputError, match="forward itself uses"):
        graph.training()


def test_errors_name_what_is_known() -> None:
    graph = fxsummary.graph(nn.Linear(8, 4), torch.zeros(2, 8))
    with pytest.raises(UnknownNameError, match="unknown optimizer 'adamax'"):
        graph.training(optimizer="adamax")
    with pytest.raises(UnknownNameError, match="Known: cuda, cpu"):
        graph.training(device="tpu")
    with pytest.raises(InputError, match="no output requires gradients"):
        fxsummary.graph(nn.ReLU(), torch.zeros(2, 8)).training()


def test_the_report_fits_a_terminal() -> None:
    model, _, kwargs = model_and_inputs("bert")
    found = fxsummary.graph(model, kwargs=kwargs).training()
    lines = str(found).splitlines()
    assert len(lines) <= 25 and max(map(len, lines)) <= 80 and "VRAM" not in str(found)
    assert lines[0] == "Training · adamw · cuda · the model's dtypes · train mode"
    assert "encoder.layer.* ×3" in str(found) and found.to_dict()["peak"] == found.peak


def test_the_documentation_lists_how_devices_differ() -> None:
    text = (Path(__file__).parents[1] / "docs" / "memory.md").read_text(encoding="utf-8")
    for each in DIFFERENCES:
        assert f"| {each.operator} | {each.cpu} | {each.cuda} |" in text
