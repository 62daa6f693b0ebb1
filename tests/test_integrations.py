"""Callbacks and loggers, with the real packages where they are installed."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from graphs import graph_of
from torch import nn

import fxsummary
from fxsummary.errors import InputError, MissingPackageError
from fxsummary.integrations import loggers

DOCS = (Path(__file__).parents[1] / "docs" / "integrations.md").read_text("utf-8")
SCALARS = {"parameters": 20_778, "trainable_parameters": 20_778, "flops": 2_515_072, "peak_activation_bytes": 100_352}


def documented(heading: str, **names: Any) -> dict[str, Any]:
    """The names that the example below a heading of the documentation defines."""
    section = DOCS.partition(f"## {heading}\n")[2]
    exec(section.partition("```python\n")[2].partition("```")[0], names)
    return names


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def events(folder: Path) -> Any:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = reader.EventAccumulator(str(folder))
    found.Reload()
    return found


def lightning_module(package: str) -> Any:
    """A LightningModule whose examples fit, and data for it."""
    base = importlib.import_module(package).LightningModule

    class Net(base):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Sequential(nn.Linear(8, 5), nn.Dropout(0.5))
            self.example_input_array: Any = torch.zeros(3, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x)

        def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
            self.at_first_step = torch.get_rng_state()
            return self(batch).square().mean()

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.1)

    torch.manual_seed(0)
    return Net(), torch.utils.data.DataLoader(torch.ones(8, 8), batch_size=4)


def fit(package: str, module: Any, data: Any, callbacks: list[Any], **options: Any) -> Any:
    trainer = importlib.import_module(package).Trainer(
        max_steps=1, callbacks=callbacks, accelerator="cpu", enable_progress_bar=False, **options
    )
    trainer.fit(module, data)
    return trainer


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning(package: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("tensorboard")
    pytest.importorskip(package)
    from fxsummary.integrations.lightning import ModelSummary

    logging.getLogger(package).propagate = True
    home = importlib.import_module(f"{package}.loggers")
    written = [home.TensorBoardLogger(tmp_path), home.CSVLogger(tmp_path / "csv")]
    module, data = lightning_module(package)
    with caplog.at_level(logging.INFO, package):
        folder = Path(fit(package, module, data, [ModelSummary(depth=0)], logger=written).log_dir)
    text = (folder / "model_summary.txt").read_text("utf-8")
    assert text.startswith("Net · input x 3×8\n") and "fc" not in text.partition("Parameters 45")[0].partition("\n")[2]
    assert caplog.text.count(text.rstrip("\n")) == 1 and "Total params" not in caplog.text, (
        "Lightning's own is left out"
    )
    assert (folder / "model_summary.svg").read_text("utf-8").startswith("<svg")
    assert events(folder).Scalars("model/flops")[0].value == 3 * 2 * 8 * 5
    state = module.at_first_step
    module, data = lightning_module(package)
    fit(package, module, data, [], logger=False, enable_checkpointing=False, enable_model_summary=False)
    assert torch.equal(state, module.at_first_step)


@pytest.mark.parametrize("example", [(torch.zeros(3, 8),), {"x": torch.zeros(3, 8)}, None])
def test_examples_of_lightning(example: Any) -> None:
    pytest.importorskip("lightning")
    from fxsummary.integrations.lightning import _inputs

    args, kwargs = _inputs(example)
    graph = fxsummary.graph(lightning_module("lightning.pytorch")[0], *args, kwargs=dict(kwargs))
    assert graph.nodes["x"]["shape"] == ((1, 8) if example is None else (3, 8))


def test_training_goes_on_without_a_summary(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("lightning")
    logging.getLogger("lightning.pytorch").propagate = True
    trainer = documented("Lightning")["trainer"]
    module, data = lightning_module("lightning.pytorch")
    module.example_input_array = torch.zeros(3, 9)
    trainer.fit(module, data)
    assert trainer.global_step == 1
    assert "fxsummary cannot summarise Net, training continues: " in caplog.text and "3×9" in caplog.text
    assert not list(Path().rglob("model_summary.*"))


class Samples(torch.utils.data.IterableDataset):
    """Samples without an index."""

    def __iter__(self) -> Any:
        return iter(SAMPLES)


SAMPLES = [{"input_ids": [1 + number] * 9, "labels": number % 2} for number in range(8)]


def test_transformers() -> None:
    pytest.importorskip("accelerate")
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(config)
    trainer = documented("transformers", model=model, samples=SAMPLES)["trainer"]
    trainer.train()
    text = Path("out/model_summary.txt").read_text("utf-8")
    assert text.startswith("BertForSequenceClassification · input input_ids 8×9") and "cross_entropy" in text
    assert "layer.0…1 BertLayer ×2" in text and Path("out/model_summary.svg").read_text("utf-8").startswith("<svg")
    trainer.train_dataset = Samples()
    trainer.train()
    assert "input inferred: input_ids 1×" in Path("out/model_summary.txt").read_text("utf-8")


def test_transformers_trains_the_same() -> None:
    """Samples that draw random numbers do not change what the training draws."""
    pytest.importorskip("transformers")
    from fxsummary.integrations.transformers import _inputs

    class Noise(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            if index >= len(self):
                raise IndexError
            return {"x": torch.rand(2)}

    before = torch.get_rng_state()
    loader = torch.utils.data.DataLoader(Noise(), batch_size=8, shuffle=True)
    found = [{name: tuple(each.shape) for name, each in kwargs.items()} for _, kwargs in _inputs(loader, 8)]
    assert found == [{"x": (3, 2)}, {}] and torch.equal(before, torch.get_rng_state())
    assert list(_inputs(torch.utils.data.DataLoader(Samples()), 8)) == [((), {})]


def test_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    documented("TensorBoard", model=nn.Linear(3, 4))
    assert events(tmp_path / "runs").Scalars("model/parameters")[0].value == 16
    from torch.utils.tensorboard import SummaryWriter

    graph = graph_of("CNN")
    with SummaryWriter(str(tmp_path / "cnn")) as writer:
        loggers.log(writer, graph, name="net", depth=0)
    found = events(tmp_path / "cnn")
    assert {name: found.Scalars(f"net/{name}")[0].value for name in SCALARS} == SCALARS
    (text,) = found.Tensors("net/summary/text_summary")
    assert text.tensor_proto.string_val[0].decode() == graph.to_markdown(depth=0)
    (picture,) = found.Images("net/picture")
    assert (picture.width, picture.height) == _size(graph.to_png(depth=0))


def _size(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def test_weights_and_biases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_CONSOLE", "off")
    for name in ("", "CACHE_", "CONFIG_", "DATA_"):
        monkeypatch.setenv(f"WANDB_{name}DIR", str(tmp_path))
    model = nn.Linear(3, 4)
    run = documented("Weights & Biases", model=model)["run"]
    assert (run.step, run.summary["model/parameters"]) == (0, 16)
    run.finish()
    (page,) = tmp_path.rglob("model/page*.html")
    assert page.read_text("utf-8") == fxsummary.graph(model).to_html()


def test_scalars_are_exact() -> None:
    assert loggers.scalars(graph_of("CNN")) == SCALARS
    unknown = fxsummary.graph(nn.ModuleList([nn.Linear(3, 4)]))
    assert loggers.scalars(unknown) == {"parameters": 16, "trainable_parameters": 16}


def test_other_loggers_are_refused() -> None:
    assert not loggers.is_supported(logging.getLogger())
    with pytest.raises(InputError, match="a RootLogger is no logger that fxsummary can write to"):
        loggers.log(logging.getLogger(), graph_of("CNN"))


@pytest.mark.parametrize("name", ["lightning", "transformers"])
def test_missing_packages(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    source = importlib.util.spec_from_file_location("fresh", Path(loggers.__file__).with_name(f"{name}.py"))
    assert source is not None and source.loader is not None
    with pytest.raises(MissingPackageError, match=re.escape(f"install with pip install {name}.")):
        source.loader.exec_module(importlib.util.module_from_spec(source))
