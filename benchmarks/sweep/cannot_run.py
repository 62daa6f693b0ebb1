"""The model classes that no input runs in their default configuration, and why."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any


@cache
def reasons() -> dict[str, dict[str, str]]:
    """Why each class cannot run, by library and name."""
    tomllib: Any = importlib.import_module("tomllib")
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = tomllib.loads(text)
    return found
