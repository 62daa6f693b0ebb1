"""What the row of a model depends on: versions, the contents of files, inputs and columns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

import fxsummary
from fxsummary.analysis.table.columns import Computed
from fxsummary.analysis.table.rows import Model
from fxsummary.loading.libraries import library_of


def key_of(model: Model, input_shape: Any, columns: Sequence[Computed]) -> dict[str, str] | None:
    """Return what a row depends on; None for a model that was passed as an object, whose contents have no name."""
    name = model if isinstance(model, str) else _name(model)
    if name is None:
        return None
    places = [name.rpartition(":")[0] or name]
    if isinstance(model, str) and (named := library_of(model)):
        places.append(named[1].build.__module__)
    return {
        "model": name,
        "fxsummary": fxsummary.__version__,
        "torch": str(torch.__version__),
        "library": " ".join(filter(None, map(_version, places))),
        "input_shape": "" if input_shape is None else repr(input_shape),
        "columns": ",".join(sorted(each.column.name for each in columns)),
    }


def _name(model: Any) -> str | None:
    """Return the name under which a function can be imported; None for other objects."""
    name, module = getattr(model, "__qualname__", ""), getattr(model, "__module__", "")
    return f"{module}:{name}" if name and module and module != "__main__" and "<" not in name else None


@cache
def _version(place: str) -> str:
    """Return the version of the package that a module belongs to, and the hash of its file."""
    found = [_hash(path) for path in _files(place) if path.is_file()][:1]
    package = place.partition(".")[0]
    for name in (package, *metadata.packages_distributions().get(package, ())):
        with suppress(metadata.PackageNotFoundError, ValueError):
            return " ".join([metadata.version(name), *found])
    return " ".join(found)


def _files(place: str) -> Iterator[Path]:
    """Yield where the file of a module may be: it may be a file itself, or lie in the current folder."""
    yield Path(place)
    yield Path(place.replace(".", "/") + ".py")
    with suppress(ImportError, ValueError):
        spec = find_spec(place)
        if spec is not None and spec.origin is not None:
            yield Path(spec.origin)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
