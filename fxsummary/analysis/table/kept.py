"""Results on disk: a file of JSON lines, one for each result, so that a run goes on where it was ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fxsummary.errors import InputError, OutputError

Found = tuple[dict[str, Any], str]
"""What a call returned, and why it failed."""


class Kept:
    """The results in a file; without a path, nothing is kept.

    Each line is an object with ``name``, ``key`` (what the result depends on), ``found`` and ``failed``. A later line
    replaces an earlier one with the same name and key. A line that was cut off, because the process was ended while
    it wrote, is ignored.
    """

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)
        self._found = dict(self._read())

    def get(self, name: str, key: Mapping[str, str] | None) -> Found | None:
        """Return an earlier result with the same key."""
        return None if key is None else self._found.get(_key(name, key))

    def add(self, name: str, key: Mapping[str, str] | None, found: dict[str, Any], failed: str) -> None:
        """Append a result to the file; one without a key is not kept."""
        if self._path is None or key is None:
            return
        line = json.dumps({"name": name, "key": dict(key), "found": found, "failed": failed}, ensure_ascii=False)
        try:
            with self._path.open("a+b") as file:
                if file.tell():
                    file.seek(-1, 2)
                    line = line if file.read() == b"\n" else f"\n{line}"  # the last line was cut off
                file.write(f"{line}\n".encode())
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}.") from error

    def _read(self) -> Iterator[tuple[str, Found]]:
        if self._path is None or not self._path.exists():
            return
        lines = self._path.read_bytes().splitlines()
        for number, line in enumerate(lines):
            try:
                each = json.loads(line)
                yield _key(each["name"], each["key"]), (each["found"], each["failed"])
            except (ValueError, KeyError, TypeError):
                if number == 0 and len(lines) > 1:
                    raise InputError(
                        f"{self._path}, line 1: this is not a file of results: pass another path, or remove the file."
                    ) from None


def _key(name: str, key: Mapping[str, str]) -> str:
    return json.dumps([name, dict(key)], sort_keys=True)
