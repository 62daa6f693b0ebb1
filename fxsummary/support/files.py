"""Writes files atomically."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from fxsummary.errors import OutputError


def write(target: Path, data: bytes) -> None:
    """Write a temporary file in the same folder, then rename it; an existing file's permissions are kept.

    If that fails, it raises OutputError, and an existing file is unchanged.
    """
    neighbour: str | None = None
    try:
        handle, neighbour = tempfile.mkstemp(dir=target.parent, prefix=".fxsummary-", suffix=".part")
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(neighbour, target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        os.replace(neighbour, target)
    except OSError as error:
        if neighbour is not None and os.path.exists(neighbour):
            os.unlink(neighbour)
        raise OutputError(
            f"cannot write {target}: {error.strerror or error}. Nothing was written; "
            "pass a path in an existing, writable folder."
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
