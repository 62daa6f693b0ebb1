"""Bytes moved and times at best: by hand, and as sums of what is printed."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from training_models import ViT, cnn

import fxsummary
from fxsummary import Device
from fxsummary.analysis.measure import measure
from fxsummary.cli import main
from fxsummary.errors import InputError, UnknownNameError
from fxsummary.graph.device import devices
from fxsummary.graph.records import over_copies
from fxsummary.passes.traffic import Traffic, traffic
from fxsummary.views.shown import shown

SLOW = Device("slow", {"float32": 100.0, "bfloat16": 200.0, "tf32": 400.0}, bandwidth=10.0, memory=1000)
"""A device whose times are easy to compute."""


class Lambda(nn.Module):
    """Calls a function."""

    def __init__(self, function: Callable[..., object], *sizes: int) -> None:
        super().__init__()
        self.function = function
        self.table = nn.Parameter(torch.zeros(sizes or 1))

    def forward(self, *args: Tensor) -> object:
        return self.function(self, *args)


def moved(function: Callable[..., object], *args: Tensor, sizes: tuple[int, ...] = ()) -> Traffic:
    """Return what the last operation of a function moves."""
    g = fxsummary.graph(Lambda(function, *sizes), *args)
    return [each for key, each in traffic(g).items() if g.nodes[key]["op"].startswith("call_")][-1]


X = torch.zeros(8, 4)


@pytest.mark.parametrize(
    ("function", "read", "written"),
    [
        (lambda _, x: x + x, 128, 128),  # one tensor, read once
        (lambda _, x: x.transpose(0, 1), 0, 0),  # a view
        (lambda _, x: x[:2], 0, 0),
        (lambda _, x: x[:1].expand(8, 4) * 2, 16, 128),  # a broadcast is read once
        (lambda _, x: x.add_(1), 128, 128),  # in place
        (lambda _, x: x.copy_(x[0]), 16, 128),  # does not read what it overwrites
        (lambda _, x: torch.cat([x, x.clone()]), 256, 256),  # equal specs, but two tensors
        (lambda _, x: x[torch.tensor([0, 1])], 32 + 16, 32),  # rows, and the indices
        (lambda _, x: torch.zeros_like(x), 0, 128),
        (lambda _, x: torch.empty_like(x), 0, 0),
        (lambda _, x: x.sum(), 128, 4),
    ],
)
def test_bytes_moved(function: Callable[..., object], read: int, written: int) -> None:
    found = moved(function, X.clone())
    assert (found.read, found.written, found.is_known) == (read, written, True)


def test_an_embedding_reads_the_rows_that_it_returns() -> None:
    ids = torch.zeros(2, 3, dtype=torch.int64)
    g = fxsummary.graph(nn.Sequential(nn.Embedding(1000, 16)), ids)
    as_module = traffic(g)["_0"]
    assert (as_module.read, as_module.written, as_module.weights) == (48, 384, {"0.weight": 384})
    as_function = moved(lambda m, i: nn.functional.embedding(i, m.table), ids, sizes=(1000, 16))
    assert (as_function.read, as_function.weights) == (48, {"table": 384})


def test_a_view_of_a_parameter_is_the_parameter() -> None:
    found = moved(lambda m, x: x @ m.table.t(), X, sizes=(16, 4))
    assert found.weights == {"table": 256}


def test_the_time_of_an_operation_is_the_longer_of_computing_and_moving() -> None:
    g = fxsummary.graph(nn.Linear(4, 4, bias=False), torch.empty(2, 4))
    found = g.roofline(SLOW)
    (cost,) = [each for each in found.operations.values() if each.flops]
    assert (cost.flops, cost.nbytes) == (64, 32 + 64 + 32)
    assert (cost.compute, cost.transfer) == (0.64, 12.8)
    assert (found.seconds, found.ideal_seconds, found.compulsory, found.is_memory_bound) == (12.8, 12.8, 128, True)
    half = g.roofline(SLOW, efficiency=(1.0, 0.5))
    assert half.seconds == 25.6


def test_tensor_cores_serve_float32_convolutions_by_default() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten(), nn.Linear(36, 36))
    g = fxsummary.graph(model, torch.empty(1, 1, 8, 8))
    assert g.roofline(SLOW).peaks == {"tf32": 400.0, "float32": 100.0}
    assert g.roofline(SLOW, tf32=False).peaks == {"float32": 100.0}
    assert g.roofline(SLOW, tf32=True).peaks == {"tf32": 400.0}


@pytest.mark.parametrize("fold", ["similar", "exact", False])
@pytest.mark.parametrize(("make", "size"), [(cnn, 8), (ViT, 16)])
def test_what_is_shown_adds_up(make: Callable[[], nn.Module], size: int, fold: str | bool) -> None:
    """Law: the bytes and times of the operations shown are those of the model."""
    g = fxsummary.graph(make().eval(), torch.empty(2, 3, size, size))
    found = g.roofline("A100")
    view = shown(found.graph, fold=fold)  # type: ignore[arg-type]
    nodes = [data for _, data in view.nodes(data=True)]
    assert sum(over_copies(data, "moved") for data in nodes) == found.nbytes
    assert math.isclose(sum(over_copies(data, "seconds") for data in nodes), found.seconds)
    assert found.to_text().splitlines()[4].split()[3:5] == found.to_text(depth=0).splitlines()[4].split()[3:5]
    assert "roofline_found" not in g.graph and all("moved" not in data for _, data in g.nodes(data=True))


def test_errors_name_the_remedy() -> None:
    g = fxsummary.graph(nn.Linear(4, 4), torch.empty(2, 4))
    with pytest.raises(UnknownNameError, match="Did you mean 'H100'"):
        g.roofline("H10")
    with pytest.raises(InputError, match="efficiency=2"):
        g.roofline("H100", efficiency=2.0)
    with pytest.raises(InputError, match=r"call roofline\(\) on the graph"):
        fxsummary.diff(g, g).roofline("H100")
    with pytest.raises(InputError, match="above 0"):
        Device("none", {}, bandwidth=1.0)


def test_devices_have_dense_rates_and_sources() -> None:
    for device in devices().values():
        assert device.source and device.title
        rates = device.flops
        assert rates.get("float16", math.inf) >= rates.get("float32", 0)
        if "int8" in rates and device.name not in SPECIAL:
            assert math.isclose(rates["int8"], 2 * rates["bfloat16"], rel_tol=1e-3)
    assert devices()["H100"].peak("float8_e4m3fn") == devices()["H100"].flops["float8"]


SPECIAL = ("RTX 4090", "L4", "T4", "MI300X")
"""Devices whose rate for int8 is not twice that for bfloat16."""


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_the_plot_is_a_document(theme: str) -> None:
    found = fxsummary.graph(ViT().eval(), torch.empty(2, 3, 16, 16)).roofline("H100")
    svg = found.to_svg(theme=theme)
    assert svg == found.to_svg(theme=theme)
    root = ET.fromstring(svg)
    texts = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("TB/s" in each for each in texts) and any("FLOP/s float32" in each for each in texts)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) >= 3


def test_a_model_without_products_has_a_plot() -> None:
    found = fxsummary.graph(nn.ReLU(), torch.empty(2, 4)).roofline("H100")
    ET.fromstring(found.to_svg())
    assert found.seconds > 0 and found.flops == 0


def test_the_time_is_a_colour(tmp_path: Path) -> None:
    g = fxsummary.graph(cnn(), torch.empty(2, 3, 8, 8))
    assert "time at best" in g.to_svg(color="time")
    assert g.roofline("A100").render(tmp_path / "cost.svg").read_text().startswith("<svg")
    assert "A100" in g.roofline("A100").render(tmp_path / "cost.md").read_text()


# --- training --------------------------------------------------------------------------------------


def test_the_time_of_a_step() -> None:
    g = fxsummary.graph(nn.Linear(4, 4, bias=False).train(), torch.empty(2, 4))
    step = g.training(optimizer="sgd")
    found = step.time(SLOW)
    assert found.forward >= 12.8 and found.backward >= 9.6  # a product each; backward has none for the input
    assert found.optimizer == (2 * 64 + 64) / 10
    assert found.seconds == found.forward + found.backward + found.optimizer
    assert found.tokens_per_second is None and step.rule_of_thumb is None
    assert "Time at best" in str(found)


def test_flops_of_a_step_are_those_of_the_counter() -> None:
    model, images = ViT().train(), torch.randn(2, 3, 16, 16)
    step = fxsummary.graph(model, images).training(device="cpu")
    with FlopCounterMode(display=False) as counter:
        model(images).square().mean().backward()
    assert step.flops == counter.get_total_flops()
    assert sum(work.flops * number for work, number in step.work.items()) == step.flops


def test_the_rule_of_thumb_counts_tokens() -> None:
    class Tiny(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.head = nn.Embedding(10, 4), nn.Linear(4, 10)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.embedding(ids))

    step = fxsummary.graph(Tiny().train(), torch.zeros(2, 3, dtype=torch.int64)).training()
    assert (step.tokens, step.rule_of_thumb) == (6, 6 * 90 * 6)
    assert step.flops == 3 * 2 * 6 * 40  # the embedding has no FLOPs, and here it is half of the parameters
    assert step.time(SLOW).tokens_per_second == 6 / step.time(SLOW).seconds
    assert "6·N·D" in str(step)


# --- command line and measurement ------------------------------------------------------------------


def test_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = ["docs/examples/cnn.py:CNN", "--input", "1x3x28x28", "--quiet"]
    assert main(["roofline", *model, "--device", "a100"]) == 0
    assert "NVIDIA A100" in capsys.readouterr().out
    assert main(["roofline", *model, "-o", str(tmp_path / "r.svg")]) == 0
    assert (tmp_path / "r.svg").exists()
    assert main(["show", *model, "--view", "roofline"]) == 0
    assert main(["training", *model, "--time", "H100"]) == 0
    assert "Time at best" in capsys.readouterr().out
    assert main(["devices"]) == 0
    assert "Jetson" in capsys.readouterr().out
    assert main(["roofline", *model, "--device", "abacus"]) == 2


@pytest.mark.slow
def test_measurement_gives_rates() -> None:
    found = measure()
    assert found.flops["float32"] > 1e8 and found.bandwidth > 1e8 and found.source == "measured"
