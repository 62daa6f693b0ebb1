"""Models of a git revision: ``main:models.py:Net`` is captured from a temporary checkout, in a process of its own.

A process of its own, because Python imports a module only once, so two versions of one module would mix.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from fxsummary.errors import FxsummaryError, RevisionError
from fxsummary.loading.libraries import library_of
from fxsummary.support import git
from fxsummary.support.processes import Processes

T = TypeVar("T")
_MODEL = re.compile(r"(.+):([^:]+\.py|[^:]+:[^:]+)")
"""A revision, which may contain colons, then a file, or a factory in a file or module."""


def split(model: str) -> tuple[str, str] | None:
    r"""Return the revision and the rest of a model such as ``main:models.py:Net``; None if it names no revision.

    >>> split("HEAD~1:models.py:Net"), split("models.py:Net"), split(r"C:\models.py:Net")
    (('HEAD~1', 'models.py:Net'), None, None)
    """
    found = _MODEL.fullmatch(model)
    if found is None or library_of(model) is not None:
        return None
    revision, rest = found.groups()
    is_path = (len(revision) == 1 and rest[0] in "\\/") or Path(f"{revision}:{_place(rest)}").is_file()
    return None if is_path else (revision, rest)


def _place(model: str) -> str:
    """Return the file or the module of a model."""
    return model if model.endswith(".py") else model.rpartition(":")[0]


def call_at(
    revision: str,
    model: str,
    function: Callable[..., T],
    *arguments: Any,
    progress: Callable[[str], None],
    **options: Any,
) -> T:
    """Call a function that loads a model with the files of a revision; its arguments and its result are pickled.

    The function runs in the folder of the checkout that corresponds to the current folder. Entries of ``sys.path``
    inside the repository are replaced by those of the checkout.

    Args:
        revision: a branch, a tag, a hash, or anything else that git resolves to a commit.
        model: the model that the function loads, ``package.module:factory`` or ``path/file.py:factory``.

    Raises:
        RevisionError: git, the repository, the revision or the file is missing, the model was imported from the
            current files, or the function raised an FxsummaryError.
    """
    try:
        top, commit = git.top_folder(), git.commit_of(revision)
        folder = Path(git.git("rev-parse", "--show-prefix"))
        _check_file(_place(model), folder, top, commit)
        progress(f"checking out {revision} ({commit[:7]})")
        with git.checkout(commit) as place, Processes(1) as executor:
            result: T
            result, foreign = executor.submit(
                _call, partial(function, *arguments, **options), top, place, folder
            ).result()
        _check_imports(foreign, top)
    except FxsummaryError as error:
        raise RevisionError(f"revision {revision!r}: {error}") from error
    return result


def _check_file(place: str, folder: Path, top: Path, commit: str) -> None:
    """Check that a revision has the file of a model and the current folder."""
    known = git.files_of(commit)
    if not place.endswith(".py"):
        if not (folder == Path() or any(file.startswith(f"{folder.as_posix()}/") for file in known)):
            raise RevisionError(f"it has no folder {folder.as_posix()}: run this in a folder that it has.")
        return
    if os.path.isabs(place):
        raise RevisionError(f"{place} is an absolute path: pass it relative to the current folder.")
    file = Path(os.path.normpath(folder / place)).as_posix()
    if file.startswith(".."):
        raise RevisionError(f"{place} is outside of the repository {top}.")
    if file not in known:
        same = [each for each in known if Path(each).name == Path(file).name][:3]
        has = f"It has {', '.join(same)}. " if same else ""
        raise RevisionError(f"it has no file {file}. {has}Pass a path that it has, relative to the current folder.")


def _call(function: Callable[[], T], top: Path, place: Path, folder: Path) -> tuple[T, list[str]]:
    """Call the function in the checkout; also return the files of the repository itself that it imported."""
    sys.path[:] = [_placed(entry, top, place) for entry in sys.path]
    os.makedirs(place / folder, exist_ok=True)
    os.chdir(place / folder)
    before = set(sys.modules)
    result = function()
    files = [getattr(module, "__file__", None) for name, module in sys.modules.items() if name not in before]
    paths = [Path(file) for file in files if file]
    inside = [each for each in paths if each.is_relative_to(top) and not each.is_relative_to(place)]
    return result, list(map(str, inside))


def _placed(entry: str, top: Path, place: Path) -> str:
    """Return an entry of ``sys.path`` in the checkout, if the checkout has it; an environment in the folder stays."""
    path = Path(entry)
    if not path.is_absolute() or not path.is_relative_to(top):
        return entry
    other = place / path.relative_to(top)
    return str(other) if other.exists() else entry


def _check_imports(files: list[str], top: Path) -> None:
    """Raise if imports led to the user's own files instead of the checkout; files that git ignores are packages."""
    own = git.git("ls-files", "--cached", "--others", "--exclude-standard", "--", *files) if files else ""
    if own:
        first = own.split("\n")[0]
        raise RevisionError(
            f"Python imported {first} from {top}, not from this revision. Put its folder on PYTHONPATH "
            "(such as PYTHONPATH=src), or name the model by its file (src/models.py:Net)."
        )
