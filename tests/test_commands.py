"""What README.md says to type, on the command line and in place of other tools, runs as it stands there."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import fxsummary
from fxsummary.cli import main
from fxsummary.loading.libraries import LIBRARIES, Library
from zoo.operators import define_torchvision_operators

define_torchvision_operators()

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    command
    for block in CONSOLE
    for command in re.split(r"^\$ ", block, flags=re.MULTILINE)
    if command.startswith("fxs")
]


TIMM = LIBRARIES["timm"]
SOME_RESNETS = ("resnet18", "resnet50", "resnet50d", "resnetv2_50", "vit_tiny_patch16_224")
"""The models that timm lists in these tests: it has a hundred that ``timm:resnet*`` names."""


def test_the_readme_has_commands() -> None:
    assert len(COMMANDS) >= 9 and len({command.split()[1] for command in COMMANDS}) >= 6


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.splitlines()[0])
def test_the_commands_of_the_readme_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("docs", "README.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(LIBRARIES._filled(), "timm", replace(TIMM, names=lambda: SOME_RESNETS))
    line, _, expected = command.partition("\n")
    arguments = shlex.split(line, comments=True)[1:]
    assert main(arguments) == (1 if arguments[0] == "diff" else 0)  # the models differ
    out = capsys.readouterr().out
    if expected.strip():
        assert expected.strip() in out
    if "-o" in arguments:
        assert (tmp_path / arguments[arguments.index("-o") + 1]).stat().st_size > 1000


def _help_of(*arguments: str) -> str:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        main([*arguments, "--help"])
    return shown.getvalue().replace("\n    --", " --")


EXAMPLES = re.findall(r"^  (fxsummary .*)$", _help_of() + _help_of("diff") + _help_of("table"), re.MULTILINE)
MODELS = """
import torch
from torch import nn

class CNN(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))

class Bert(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Embedding(10, 4), nn.Linear(4, 2))

    def forward(self, input_ids):
        return super().forward(input_ids)

Small = Large = CNN
"""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write what the examples name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "README.md").write_text("<!-- fxsummary: models.py:CNN --view summary -->\n<!-- /fxsummary -->\n")
    (tmp_path / "folder/of/a/model").mkdir(parents=True)
    config = {"architectures": ["BertModel"], "model_type": "bert", "num_hidden_layers": 1}
    (tmp_path / "folder/of/a/model/config.json").write_text(json.dumps(config))
    fxsummary.graph(Image()).render(tmp_path / "before.json")
    torch.export.save(torch.export.export(Image(), (torch.empty(1, 3, 8, 8),)), tmp_path / "model.pt2")
    for command in ("init -q -b main", "add models.py", "-c user.name=A -c user.email=a@b commit -q -m first"):
        subprocess.run(["git", *command.split()], check=True)
    few = Library(lambda: ("resnet_a", "resnet_b"), lambda name: Image())
    for library in ("timm", "torchvision"):
        monkeypatch.setitem(LIBRARIES._filled(), library, few)


@pytest.mark.parametrize("line", EXAMPLES)
@pytest.mark.usefixtures("places")
def test_the_examples_of_the_help_run(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = line.replace("timm:resnet50", "timm:resnet_a")
    arguments = shlex.split(line)[1:]
    code = main(arguments)
    assert code == 0 or (code == 1 and arguments[0] in ("diff", "lint", "readme")), capsys.readouterr().err


def test_the_help_has_examples() -> None:
    assert len(EXAMPLES) >= 20


class Image(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.embedding(input_ids)


INSTEAD = re.findall(r"^\| [^|]+ \| `[^|]+` \| `([^|]+)` \|$", README, re.MULTILINE)


def test_the_table_of_other_tools_is_read() -> None:
    assert len(INSTEAD) == 7


@pytest.mark.parametrize("code", [code for code in INSTEAD if "fxsummary." in code])
def test_what_to_type_instead_of_other_tools_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = Tokens() if "ids" in code else Image()
    x, ids = torch.empty(1, 3, 16, 16), torch.zeros(1, 5, dtype=torch.int64)
    exec(code, {"fxsummary": fxsummary, "model": model, "x": x, "ids": ids})


def test_the_command_instead_of_another_tool_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = [code for code in INSTEAD if "fxsummary." not in code]
    monkeypatch.chdir(tmp_path)
    torch.export.save(torch.export.export(Image(), (torch.empty(1, 3, 16, 16),)), tmp_path / "model.pt2")
    assert main(shlex.split(command)[1:]) == 0
    assert (tmp_path / "model.html").stat().st_size > 1000
