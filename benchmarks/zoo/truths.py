"""The truths found so far, in a file, so that they are found once."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.zoo import truth
from benchmarks.zoo.truth import Truth
from zoo.entry import Entry


class Truths:
    """Truths by entry; one found for another definition of the entry, another torch or library is not kept."""

    def __init__(self, path: Path, fresh: bool = False) -> None:
        self._path = path
        self._values: dict[str, dict[str, Any]] = {}
        if path.exists():
            self._values = json.loads(path.read_text())
        self._stale = set(self._values) if fresh else set()

    def __contains__(self, entry: Entry) -> bool:
        found = self._values.get(entry.name)
        return found is not None and found["key"] == key(entry) and entry.name not in self._stale

    def __getitem__(self, entry: Entry) -> Truth:
        return Truth.from_json(self._values[entry.name]["truth"])

    def add(self, entry: Entry, found: Truth) -> None:
        """Keep a truth, and write the file."""
        self._stale.discard(entry.name)
        self._values[entry.name] = {"key": key(entry), "truth": found.as_json()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._values, indent=1) + "\n")


def key(entry: Entry) -> str:
    """What a truth depends on: torch, the library, the entry, and how truths are found."""
    library = f"{entry.library} {version(entry.library)}" if entry.library else "own"
    text = f"{entry.definition()} {_method()}".encode()
    return f"torch {torch.__version__}, {library}, {hashlib.blake2b(text, digest_size=8).hexdigest()}"


@cache
def _method() -> str:
    return Path(truth.__file__).read_text(encoding="utf-8")
