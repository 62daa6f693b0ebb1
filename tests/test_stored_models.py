"""Models where they lie: folders of model hubs, files of tensors, TorchScript, and what is none of these."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import fxsummary
from fxsummary.cli import main
from fxsummary.errors import InputError, ModelImportError
from zoo.operators import define_torchvision_operators

define_torchvision_operators()


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.first(x))  # type: ignore[no-any-return]


TENSORS = 8 * 3 * 9 + 8 + 4 * 8 + 1
"""The elements in the state of `Net`, with its buffers."""


def _safe(path: Path) -> Path:
    save_file = pytest.importorskip("safetensors.torch").save_file
    save_file(Net().state_dict(), path / "model.safetensors")
    return path / "model.safetensors"


def _index(path: Path) -> Path:
    save_file = pytest.importorskip("safetensors.torch").save_file
    state = Net().state_dict()
    files = {name: f"{name.partition('.')[0]}.safetensors" for name in state}
    for file in {*files.values()}:
        save_file({name: each for name, each in state.items() if files[name] == file}, path / file)
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    return path / "model.safetensors.index.json"


def _state(path: Path) -> Path:
    torch.save(Net().state_dict(), path / "net.pth")
    return path / "net.pth"


def _nested(path: Path) -> Path:
    torch.save({"epoch": 3, "model": Net().state_dict(), "loss": [0.1]}, path / "net.ckpt")
    return path / "net.ckpt"


@pytest.mark.parametrize("make", [_safe, _index, _state, _nested])
def test_a_file_of_tensors_is_the_tree_of_its_names(make: Any, tmp_path: Path) -> None:
    path = make(tmp_path)
    graph = fxsummary.graph(path)
    assert (graph.name, graph.totals.parameters, graph.totals.flops) == (path.name, TENSORS, None)
    assert graph.totals.parameter_bytes == 4 * (TENSORS - 1) + 8
    prefix = "model." if make is _nested else ""
    assert {f"{prefix}first", f"{prefix}norm"} <= graph.modules.keys()
    assert any("tells neither which of them are buffers" in note for note in graph.notes)


def test_torchscript_is_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.pt"
    torch.jit.trace(Net().eval(), torch.zeros(1, 3, 8, 8)).save(path)
    assert fxsummary.graph(path, torch.zeros(1, 3, 8, 8)).totals.flops == 2 * 8 * 27 * 36
    assert main(["show", str(path), "--input", "1x3x8x8"]) == 0
    assert "1×8×6×6" in capsys.readouterr().out


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    torch.save(Net(), tmp_path / "net.pt")
    with pytest.raises(ModelImportError, match="fxsummary does not run it"):
        fxsummary.graph(tmp_path / "net.pt")


BERT = {"architectures": ["BertForMaskedLM"], "model_type": "bert", "num_hidden_layers": 1, "dtype": "bfloat16"}


def test_a_folder_of_transformers_needs_only_its_config(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text(json.dumps({**BERT, "quantization_config": {"quant_method": "awq"}}))
    graph = fxsummary.graph(tmp_path, input_shape=(1, 16))
    assert graph.name == "BertForMaskedLM" and graph.totals.bytes_by_dtype.keys() == {"bfloat16"}
    assert any("quantized by awq" in note for note in graph.notes)
    assert fxsummary.graph(tmp_path / "config.json").totals.parameters == graph.totals.parameters


def test_a_folder_of_diffusers_needs_only_its_config(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    blocks = {"down_block_types": ["DownBlock2D"] * 2, "up_block_types": ["UpBlock2D"] * 2}
    config = {"block_out_channels": [32, 64], "layers_per_block": 1, "sample_size": 8, **blocks}
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text(json.dumps({**config, "_class_name": "UNet2DModel"}))
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "DDPMPipeline"}))
    assert fxsummary.graph(tmp_path / "unet").name == "UNet2DModel"
    for place in (tmp_path, tmp_path / "model_index.json"):
        with pytest.raises(ModelImportError, match=r"a pipeline of several models.*unet"):
            fxsummary.graph(place)


def test_code_that_comes_with_a_config_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**BERT, "auto_map": {"AutoModel": "own.py"}}))
    with pytest.raises(ModelImportError, match="trust_remote_code"):
        fxsummary.graph(tmp_path)


def test_what_cannot_be_read_is_named_for_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = {
        "two.py": "from torch import nn\nclass A(nn.Module): ...\nclass B(A): ...",
        "one.py": "from torch import nn\nfrom two import A\nnet = nn.Linear(2, 3)",
        "none.py": "x = 1",
        "hub/hubconf.py": "def small(pretrained=False): ...\ndef _inner(): ...",
        "empty/x.txt": "",
        "weights/model.safetensors": "",
        "broken.safetensors": "no header",
        "torn.pth": "no pickle",
        "config.json": '{"hidden_size": 8}',
    }
    for name, text in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    told = {
        "two.py": "has 2 models: two.py:A, two.py:B",
        "two.py:C": "It has A, B",
        "none.py": "has no torch.nn.Module",
        "hub": r"one of its entries: hub/hubconf.py:small\.",
        "empty": "neither a config.json nor a hubconf.py",
        "weights": "name a file: weights/model.safetensors",
        "broken.safetensors": "cannot read 'broken.safetensors'",
        "torn.pth": "cannot read 'torn.pth'|only code of its author",
        "absent.safetensors": "No such file",
        "config.json": "does not say which class it configures",
        "model.onnx": "an ONNX file",
        "owner/model": "fxsummary downloads nothing",
        "resnet50": "such as timm:resnet50",
    }
    for name, text in told.items():
        with pytest.raises(ModelImportError, match=text):
            fxsummary.graph(name)
    assert fxsummary.graph("one.py").totals.parameters == 9


def test_a_saved_graph_has_its_inputs(tmp_path: Path) -> None:
    path = fxsummary.graph(Net()).render(tmp_path / "net.json")
    assert fxsummary.graph(path).totals == fxsummary.graph(Net()).totals
    with pytest.raises(InputError, match="contains its inputs"):
        fxsummary.graph(path, input_shape=(1, 3, 8, 8))


def test_the_chain_of_causes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "try:\n  raise RuntimeError('operator torchvision::nms does not exist')\nexcept RuntimeError as e:\n  {}"
    monkeypatch.chdir(tmp_path)
    Path("broken.py").write_text(text.format("raise ImportError('no model') from e"))
    with pytest.raises(ModelImportError, match=r"ImportError: no model\n  caused by RuntimeError: operator") as raised:
        fxsummary.graph("broken.py:Net")
    assert "pip install --upgrade torch torchvision --index-url" in str(raised.value)


def test_names_of_a_library_have_hints() -> None:
    pytest.importorskip("torchvision")
    with pytest.raises(ModelImportError, match=r"has no 'vit_b16'\. Did you mean 'vit_b_16'"):
        fxsummary.graph("torchvision:vit_b16")


def test_dtype(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.py").write_text("from torch import nn\nnet = nn.Linear(2, 3)")
    assert main(["show", "small.py", "--dtype", "bfloat16"]) == 0
    assert "18 B bfloat16" in capsys.readouterr().out
    assert main(["show", "small.py", "--dtype", "int8"]) == 2
    assert "--dtype: unknown dtype 'int8'" in capsys.readouterr().err
