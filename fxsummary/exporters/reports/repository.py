"""Where a source file lies in its repository, which is how GitHub names it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path


def path_in_repository(file: str) -> str:
    """The path of a source file relative to ``$GITHUB_WORKSPACE``, or to the git repository that it lies in.

    Args:
        file: as graphs name it: relative to the entry of ``sys.path`` that it was imported from.

    Returns:
        The path with forward slashes; `file` itself where it is not found, or lies in no repository.
    """
    for path in filter(Path.is_file, _candidates(file)):
        path = path.resolve()
        for root in _roots(path):
            if path.is_relative_to(root):
                return path.relative_to(root).as_posix()
    return file


def _candidates(file: str) -> Iterator[Path]:
    """Where a file may be: where it was imported from, else below the working directory."""
    for root in (*sys.path, os.getcwd()):
        yield Path(root or os.getcwd(), file)
    yield from Path.cwd().glob(f"*/{file}") if not os.path.isabs(file) else ()


def _roots(path: Path) -> Iterator[Path]:
    workspace = os.environ.get("GITHUB_WORKSPACE")
    if workspace:
        yield Path(workspace).resolve()
    yield from (parent for parent in path.parents if (parent / ".git").exists())
