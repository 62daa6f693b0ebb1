"""Results on disk: a file of JSON lines, one for each result, so that a run goes on where it was ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fxsummary.errors import InputError, OutputError

Found = tuple[dict[str, Any], str]
"""What a call returned, and why it failed."""

_START = b'{"name": '
"""How every line starts, also one that was cut off."""


class Kept:
    """The results in a file; without a path, nothing is kept.

    Each line is an object with ``name``, ``key`` (what the result depends on), ``found`` and ``failed``. A later line
    replaces an earlier one with the same name and key. A line that was cut off, because the process was ended while
    it wrote, is ignored.
    """

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)
        if self._path is not None and not self._path.parent.is_dir():  # before the work, not after
            raise OutputError(f"cannot write {self._path}: its folder does not exist. Create it, or pass another path.")
        lines = [] if self._path is None else read(self._path)
        self._found = {_key(line.name, line.key): (line.found, line.failed) for line in lines}

    def get(self, name: str, key: Mapping[str, str] | None) -> Found | None:
        """Return an earlier result with the same key."""
        return None if key is None else self._found.get(_key(name, key))

    def add(self, name: str, key: Mapping[str, str] | None, found: dict[str, Any], failed: str) -> None:
        """Append a result to the file; one without a key is not kept."""
        if self._path is None or key is None:
            return
        line = json.dumps(Line(name, dict(key), found, failed)._asdict(), ensure_ascii=False)
        try:
            with self._path.open("a+b") as file:
                if file.tell():
                    file.seek(-1, 2)
                    line = line if file.read() == b"\n" else f"\n{line}"  # the last line was cut off
                file.write(f"{line}\n".encode())
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}.") from error


class Line(NamedTuple):
    """A line of the file: the name of a result, what it depends on, what it is, and why it failed."""

    name: str
    key: dict[str, str]
    found: dict[str, Any]
    failed: str


def read(path: Path) -> Iterator[Line]:
    """Yield the lines of a file; none if there is no file.

    Raises:
        InputError: it is not a file of results.
    """
    lines = path.read_bytes().splitlines() if path.exists() else []
    for number, text in enumerate(lines, 1):
        try:
            yield Line(**json.loads(text))
        except (ValueError, TypeError) as error:
            if isinstance(error, TypeError) or not (text.startswith(_START) or _START.startswith(text)):
                raise InputError(
                    f"{path}, line {number}: this is not a file of results: pass another path, or remove the file."
                ) from None


def _key(name: str, key: Mapping[str, str]) -> str:
    return json.dumps([name, dict(key)], sort_keys=True)
