"""The command line in a terminal: hints, stdout in any format, colours, ASCII, completion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fxsummary.cli import main
from tests.graphs import display_width

SMALL = """\
from torch import nn
class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(2, 3))
"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "small.py").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return "small.py:Net"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shwo", "x.py:Net"], "unknown command 'shwo'. Did you mean 'show'?"),
        (["show", "x.py:Net", "--deph", "3"], "unknown argument '--deph'. Did you mean '--depth'? See fxsummary show"),
        (["show", "x.py:Net", "--format", "jsn"], "--format: unknown format 'jsn'. Did you mean 'json'?"),
        (["show", "x.py:Net", "--columns", "flop"], "unknown column 'flop'. Did you mean 'flops'?"),
        (["show", "x.py:Net", "--view", "summry"], "unknown view 'summry'. Did you mean 'summary'?"),
        (["show", "x.py:Net", "--format", "svg", "--width", "90"], "--width does not apply to svg"),
        (["render", "x.py:Net", "-o", "-"], "name the format, such as --format svg"),
        (["lint", "x.py:Net", "--format", "jsn"], "unknown value 'jsn'. Did you mean 'json'?"),
    ],
)
def test_errors_name_what_was_meant_before_the_work(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = int(str(ended.code))
    out, err = capsys.readouterr()
    assert (code, out) == (2, "") and said in err and "usage:" not in err


@pytest.mark.parametrize("command", [["show"], ["render", "-o", "-"]])
@pytest.mark.parametrize(
    ("form", "start"), [("json", "{"), ("svg", "<svg"), ("html", "<!doctype html>"), ("text", "Net")]
)
def test_any_format_on_stdout(
    command: list[str], form: str, start: str, net: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, net, "--quiet", "--format", form]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(start) and not err
    assert form != "json" or json.loads(out)


def test_errors_and_notes_are_in_the_words_of_the_command_line(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", net, "--quiet", "--leaf", "Lin"]) == 2
    assert "--leaf 'Lin': no module of Net has this class name or path" in capsys.readouterr().err
    Path("opaque.py").write_text(f"{SMALL}    def forward(self, a, b):\n        return self[0](a) if b['x'] else a.y")
    assert main(["show", "opaque.py:Net", "--quiet", "--width", "400"]) == 0
    out = capsys.readouterr().out
    assert "pass --input" in out and "input_shape=" not in out


def test_colours_on_request_only(net: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def shown() -> str:
        assert main(["show", net, "--quiet"]) == 0
        return capsys.readouterr().out

    plain = shown()
    assert "\x1b" not in plain
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = shown()
    assert "\x1b[1mNet · input inferred: input 1×2\x1b[0m" in coloured and "\x1b[1mParameters\x1b[0m 9" in coloured
    assert _without_colours(coloured) == plain
    monkeypatch.setenv("NO_COLOR", "1")
    assert shown() == plain


def _without_colours(text: str) -> str:
    return "".join(part.partition("m")[2] if number else part for number, part in enumerate(text.split("\x1b[")))


@pytest.mark.slow
def test_ascii_where_the_encoding_needs_it(net: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "fxsummary", "show", net, "--quiet"]
    plain = subprocess.run(command, capture_output=True, env=environment, check=True).stdout.decode("ascii")
    full = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "utf-8"}, check=True)
    lines = full.stdout.decode().splitlines()
    assert [len(line) for line in plain.splitlines()] == [display_width(line) for line in lines]
    assert "?" not in plain


def test_shells_complete_commands_and_options(net: str, tmp_path: Path) -> None:
    pytest.importorskip("argcomplete")
    line = f"fxsummary show {net} --de"
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    asked["_ARGCOMPLETE_STDOUT_FILENAME"] = str(tmp_path / "completions")
    subprocess.run([sys.executable, "-m", "fxsummary"], env={**os.environ, **asked}, check=True)
    assert (tmp_path / "completions").read_text().split() == ["--depth"]


def test_an_interrupt_is_no_traceback(
    net: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fxsummary.cli.show.graph_of", interrupted)
    assert main(["show", net]) == 130
    assert capsys.readouterr().err == "fxsummary: interrupted\n"
