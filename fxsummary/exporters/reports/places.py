"""Places of findings in the user's repository."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path


def split_source(source: str) -> tuple[str, int]:
    """Return file and line of a place such as ``net.py:12``; the line is 0 if it is unknown.

    >>> split_source("net.py:12"), split_source("net.py"), split_source("")
    (('net.py', 12), ('net.py', 0), ('', 0))
    """
    file, _, line = source.rpartition(":")
    return (file, int(line)) if file and line.isdecimal() else (source, 0)


def path_in_repository(file: str) -> str:
    """Return the path of a source file relative to ``$GITHUB_WORKSPACE`` or to its git repository.

    Args:
        file: path as in graphs, relative to the ``sys.path`` entry from which it was imported.

    Returns:
        The path with forward slashes; `file` itself if it is not found or not in a repository.
    """
    for path in filter(Path.is_file, _candidates(file)):
        path = path.resolve()
        workspace = os.environ.get("GITHUB_WORKSPACE")
        roots = [Path(workspace).resolve()] if workspace else []
        for root in (*roots, *(parent for parent in path.parents if (parent / ".git").exists())):
            if path.is_relative_to(root):
                return path.relative_to(root).as_posix()
    return file


def _candidates(file: str) -> Iterator[Path]:
    """Yield possible locations of a file: where it was imported from, then below the working directory."""
    for root in (*sys.path, os.getcwd()):
        yield Path(root or os.getcwd(), file)
    yield from Path.cwd().glob(f"*/{file}") if not os.path.isabs(file) else ()
