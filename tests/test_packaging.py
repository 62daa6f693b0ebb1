"""What a user's type checker and the wheel see."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = """\
import torch
import fxsummary

g = fxsummary.graph(torch.nn.Linear(2, 3), torch.ones(1, 2))
parameters: int = g.totals.parameters + sum(len(module.parameters) for module in g.modules.values())
text: str = g.to_text(depth=1) + g.to_svg() + fxsummary.diff(g, g).to_markdown() + "".join(g.notes)
rules = [finding.rule for finding in g.lint()]
picture = g.render("net.svg").name
keys = [key.upper() for key in g]
fxsummary.grph(1)  # type: ignore[attr-defined]
reveal_type(g)
reveal_type((parameters, text, rules, picture, keys))
"""


def test_the_wheel_is_typed_and_has_the_input_conventions(tmp_path: Path) -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed: pip install hatchling")
    (built,) = wheel.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = zipfile.ZipFile(built).namelist()
    assert {"fxsummary/py.typed", "fxsummary/capture/inputs/guess/guesses.py"} <= set(names)


def checked(program: str, folder: Path) -> str:
    pytest.importorskip("mypy", reason="mypy is not installed: pip install mypy")
    file = folder / "program.py"
    file.write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", "--disallow-any-expr", "--cache-dir", str(folder), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder).stdout


@pytest.mark.slow
def test_a_type_checker_sees_the_graph_and_no_any(tmp_path: Path) -> None:
    out = checked(PROGRAM, tmp_path)
    assert 'Revealed type is "fxsummary.graph.modelgraph.ModelGraph"' in out
    assert 'Revealed type is "tuple[int, str, list[str], str, list[str]]"' in out
    assert "error" not in out  # that a name is misspelt was one: else the comment that ignores it would be
