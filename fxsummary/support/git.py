"""Reads a repository, and checks a commit out to a temporary folder; the user's files and branches stay as they are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fxsummary.errors import RevisionError
from fxsummary.support.registry import hint

_PRIVATE = ("GIT_INDEX_FILE", "GIT_PREFIX")
"""Variables that git sets for its hooks: a checkout with them would write to the user's index."""


def git(*arguments: str) -> str:
    """Return what git prints; raises RevisionError with git's message, or if git is not installed."""
    # a checkout must not run the repository's hooks
    command = ["git", "-c", f"core.hooksPath={os.devnull}", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in _PRIVATE}
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment, check=False)
    except FileNotFoundError:
        raise RevisionError("git is not on PATH: install git, or pass a saved graph.json instead.") from None
    if done.returncode:
        raise RevisionError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.rstrip("\n")


def top_folder() -> Path:
    """Return the top folder of the repository that contains the current folder."""
    try:
        return Path(git("rev-parse", "--show-toplevel"))
    except RevisionError as error:
        raise RevisionError(f"{Path.cwd()} is not in a git working tree ({error}). Run this in a repository.") from None


def commit_of(revision: str) -> str:
    """Return the full hash of the commit that a revision names."""
    with suppress(RevisionError):
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    names = git("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes", "refs/tags").split("\n")
    remote = next((name for name in names if name.endswith(f"/{revision}")), "")
    close = f"Did you mean {remote!r}? " if remote else hint(revision, names)
    raise RevisionError(
        f"git knows no commit {revision!r}. {close}"
        "Pass a branch, a tag, a hash or HEAD~1; in a shallow clone, fetch it first (git fetch origin REVISION)."
    )


def files_of(commit: str) -> list[str]:
    """Return the paths of all files in a commit, relative to the top folder."""
    return git("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit).split("\0")


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Check a commit out to a temporary worktree, which is removed at the end, also after an error or an interrupt."""
    with _sigterm_raises(), tempfile.TemporaryDirectory(prefix="fxsummary-", ignore_cleanup_errors=True) as folder:
        place = Path(folder).resolve() / "worktree"
        try:
            git("worktree", "add", "--detach", "--quiet", str(place), commit)
            yield place
        finally:
            with suppress(RevisionError):  # git removed it itself
                git("worktree", "remove", "--force", "--force", str(place))


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Let SIGTERM raise SystemExit, so that what is temporary is removed; Python allows it in the main thread only."""
    is_default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not is_default or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
