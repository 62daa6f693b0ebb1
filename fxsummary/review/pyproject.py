"""Read ``[tool.fxsummary]`` of pyproject.toml: budgets and rules to ignore.

.. code-block:: toml

    [tool.fxsummary.check]
    max_parameters = "25M"

    [tool.fxsummary.lint]
    ignore = ["bias-before-norm:features.*"]
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from fxsummary.errors import SettingsError
from fxsummary.support.registry import unknown

FILE = "pyproject.toml"
BUDGETS = {
    "max_parameters": "maximum number of parameters",
    "max_trainable_parameters": "maximum number of trainable parameters",
    "max_flops": "maximum FLOPs",
    "max_parameter_bytes": "maximum size of all parameters, in bytes",
    "max_peak_memory": "maximum bytes of activations in use at one time in a forward pass without gradients",
    "max_training_memory": "maximum bytes of tensors in use at one time in a training step",
    "no_unread_parameters": "fail if a parameter is never used",
    "no_unknown": "fail if parameters or FLOPs are not fully known",
    "baseline": "a graph that must not be exceeded",
    "tolerance": "allowed increase over the baseline, e.g. 0.01 or 1%%",
}
"""Every budget by name, with its description for ``--help``."""
KEYS = {"check": tuple(BUDGETS), "lint": ("ignore", "select")}
"""Known keys of each table."""


def settings(table: str, start: Path | None = None) -> dict[str, Any]:
    """Return the settings of a command, from the nearest pyproject.toml in a folder or its parents.

    Keys may contain hyphens. The path of a baseline is relative to the folder of the file. If the file cannot be read,
    or has an unknown key or an invalid value, it raises SettingsError.
    """
    folder = (start or Path()).resolve()
    for place in (folder, *folder.parents):
        if (place / FILE).is_file():
            return _checked(_read(place / FILE), table, place / FILE)
    return {}


def _read(path: Path) -> Any:
    reader: Any = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        return reader.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read {path}: {error}.") from error


def _checked(data: Mapping[str, Any], table: str, path: Path) -> dict[str, Any]:
    section = data.get("tool", {}).get("fxsummary", {})
    _check_table(section, "tool.fxsummary", KEYS, path)
    for name in section:
        _check_table(section[name], f"tool.fxsummary.{name}", KEYS[name], path)
    tables = {name: {key.replace("-", "_"): value for key, value in section[name].items()} for name in section}
    for name, values in tables.items():
        for key, value in values.items():
            wanted: Any = bool if key.startswith("no_") else list if name == "lint" else (str, int, float)
            if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
                what = {bool: "true or false", list: "a list of texts"}.get(wanted, "a number or a text")
                raise SettingsError(f"{path}: {name}.{key} = {value!r} is not {what}.")
    found = tables.get(table, {})
    if "baseline" in found:
        found["baseline"] = str(path.parent / str(found["baseline"]))
    return found


def _check_table(section: Any, name: str, known: Collection[str], path: Path) -> None:
    if not isinstance(section, Mapping):
        raise SettingsError(f"{path}: {name} is not a table.")
    for key in section:
        if key.replace("-", "_") not in known:
            raise SettingsError(f"{path}, [{name}]: {unknown('key', key, [each.replace('_', '-') for each in known])}")
