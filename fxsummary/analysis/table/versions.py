"""What the row of a model depends on: versions, the contents of files, inputs and columns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import fxsummary
from fxsummary.analysis.table.columns import Computed
from fxsummary.analysis.table.rows import Model


def key_of(model: Model, input_shape: Any, columns: Sequence[Computed]) -> dict[str, str] | None:
    """Return what a row depends on; None for a model that was passed as an object, whose contents have no name."""
    where = _place(model)
    if where is None:
        return None
    place, what = where
    return {
        "model": what,
        "fxsummary": fxsummary.__version__,
        "torch": str(torch.__version__),
        "library": _version(place),
        "input_shape": "" if input_shape is None else repr(input_shape),
        "columns": ",".join(sorted(each.column.name for each in columns)),
    }


def _place(model: Model) -> tuple[str, str] | None:
    """Return the file or package where a model is defined, and its whole name."""
    if isinstance(model, str):
        return model.rpartition(":")[0] or model, model
    name, module = getattr(model, "__qualname__", ""), getattr(model, "__module__", "")
    if not name or not module or module == "__main__" or "<" in name:
        return None
    return module, f"{module}:{name}"


@cache
def _version(place: str) -> str:
    """Return the version of a package, or the hash of a file."""
    path = Path(place)
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    package = place.partition(".")[0]
    names = (package, *metadata.packages_distributions().get(package, ()))
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return ""
