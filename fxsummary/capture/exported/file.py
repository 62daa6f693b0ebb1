"""Loads files of exported programs (``.pt2``) with `torch.export.load`.

`torch.export.load` unpickles parts of a file (some weights, constants and example inputs), so load only files that you
trust. Files without an exported program are rejected before anything is unpickled.
"""

from __future__ import annotations

import logging
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from fxsummary.errors import ModelFileError

SUFFIX = ".pt2"
_REMEDY = "Write it with torch.export.save(torch.export.export(model, inputs), path)"


def load(path: str | os.PathLike[str]) -> Any:
    """Return the `torch.export.ExportedProgram` in a file.

    Raises:
        ModelFileError: the file cannot be read, or contains something else.
    """
    _check(Path(path))
    with _warnings_of_torch() as warnings:
        try:
            return torch.export.load(os.fspath(path))
        except Exception as error:  # torch raises exceptions of many types
            cause: BaseException = warnings[-1] if warnings else error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            raise ModelFileError(
                f"torch.export.load (torch {torch.__version__}) cannot read {os.fspath(path)!r}: "
                f"{type(cause).__name__}: {[*str(cause).strip().splitlines(), ''][0][:300]}\n"
                f"  {_REMEDY}, with a version of torch no newer than this one; "
                "first import the package that defines its custom operators or classes."
            ) from cause


def _check(path: Path) -> None:
    if not path.is_file():
        raise ModelFileError(f"{os.fspath(path)!r} {'is a folder' if path.is_dir() else 'does not exist'}. {_REMEDY}.")
    if not zipfile.is_zipfile(path):
        raise ModelFileError(
            f"{os.fspath(path)!r} is not an exported program: it is not a zip archive, or an incomplete one. {_REMEDY}."
        )
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if not any(each.endswith("exported_program.json") or re.search(r"models/.*\.json$", each) for each in names):
        raise ModelFileError(f"{os.fspath(path)!r} is not an exported program: {_what_it_is(names)}. {_REMEDY}.")


def _what_it_is(names: Sequence[str]) -> str:
    if any("/code/" in name for name in names):
        return "it is a TorchScript file"
    if any("data/aotinductor/" in name for name in names):
        return "it is a package compiled by AOTInductor"
    if any(name.endswith("data.pkl") for name in names):
        return "it was written by torch.save"
    return "it is some other zip archive"


@contextmanager
def _warnings_of_torch() -> Iterator[list[BaseException]]:
    """Collect the exceptions that torch.export.load logs; the exception that it raises often hides the reason."""
    errors: list[BaseException] = []

    def catch(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        errors.extend([error] if error is not None else [])
        return False

    logger = logging.getLogger("torch.export")
    logger.addFilter(catch)
    try:
        yield errors
    finally:
        logger.removeFilter(catch)
