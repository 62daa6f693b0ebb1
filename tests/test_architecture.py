"""docs/architecture.md names what is there: every folder, every file and every function on the path of one call."""

from __future__ import annotations

import importlib
import re
from functools import reduce
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PATH = PAGE.partition("## The path of one call")[2].partition("## ")[0]
STEPS = re.findall(r"`([\w/]+\.py)`, `([\w.]+)`", PATH)


def test_the_path_is_told_in_25_lines() -> None:
    lines = re.findall(r"^\d+\. .*$", PATH, re.MULTILINE)
    assert 10 <= len(lines) <= 25 and len(STEPS) >= len(lines) - 1


@pytest.mark.parametrize(("file", "name"), STEPS, ids=[f"{file}:{name}" for file, name in STEPS])
def test_a_step_names_what_is_there(file: str, name: str) -> None:
    module = importlib.import_module(
        "fxsummary." + file.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")
    )
    assert callable(reduce(getattr, name.split("."), module))


def test_the_map_lists_every_folder() -> None:
    package = ROOT / "fxsummary"
    for folder, start in ((package, ""), (package / "capture", "## Capture")):
        table = PAGE.partition(start)[2] if start else PAGE.partition("## Capture")[0]
        for each in folder.iterdir():
            if each.is_dir() and each.name != "__pycache__":
                assert f"`{each.name}/`" in table, each


def test_at_most_six_files_lie_at_the_top() -> None:
    assert len(list((ROOT / "fxsummary").glob("*.py"))) <= 6
