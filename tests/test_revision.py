"""Models of a git revision: captured from a temporary checkout, and the user's repository stays as it is."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from fxsummary.cli import main
from fxsummary.errors import RevisionError
from fxsummary.loading import revision
from fxsummary.loading.load_model import Request, analyse
from fxsummary.support import git

NET = """
from torch import nn
from {package}width import WIDTH

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, WIDTH), nn.Linear(WIDTH, 4)

    def forward(self, x):
        return self.b(self.a(x).relu())
"""
INPUT = ("--input", "1x8", "--quiet")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits, a staged file, an edited one, and a hook that a checkout would run."""
    root = (tmp_path / "repository").resolve()
    for variable in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(variable, raising=False)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "name")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "name@host")
    for folder, package in ((root, ""), (root / "src" / "nets", "nets.")):
        folder.mkdir(parents=True)
        (folder / "net.py").write_text(NET.format(package=package))
    (root / "src/nets/__init__.py").touch()
    monkeypatch.chdir(root)
    git.git("init", "--quiet", "-b", "main")
    for width in (16, 32):
        set_width(root, width)
        git.git("add", "--all")
        git.git("commit", "--quiet", "-m", f"width {width}")
    set_width(root, 48)
    (root / "staged.txt").touch()
    git.git("add", "staged.txt")
    hook = root / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {root}/hooked\n")
    hook.chmod(0o755)
    return root


def set_width(root: Path, width: int) -> None:
    for folder in (root, root / "src" / "nets"):
        (folder / "width.py").write_text(f"WIDTH = {width}\n")


def state(root: Path) -> tuple[object, ...]:
    """All that must stay: status, branches, worktrees, index, files."""
    told = [git.git(*each.split()) for each in ("status --porcelain", "branch -a", "worktree list", "ls-files -s")]
    kept = {path: path.read_bytes() for path in root.rglob("*.py")}
    return (*told, kept, (root / "hooked").exists(), sorted((root / ".git").glob("worktrees/*")))


@pytest.mark.slow
def test_diff_with_a_revision(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, modules = state(repository), set(sys.modules)
    monkeypatch.setenv("GIT_INDEX_FILE", str(repository / ".git/index"))  # as in a hook of git
    assert main(["diff", "HEAD~1:net.py:Net", "net.py:Net", *INPUT, "-o", "diff.svg"]) == 1
    monkeypatch.delenv("GIT_INDEX_FILE")
    out = capsys.readouterr().out
    assert out.startswith("HEAD~1:net.py:Net → net.py:Net · input x 1×8\n")
    assert "~  a Linear 8→16 ⇒ 8→48" in out
    picture = repository / "diff.svg"
    assert "HEAD~1:net.py:Net → net.py:Net" in picture.read_text("utf-8")
    picture.unlink()
    assert state(repository) == before
    for name in {"net", "width"} - modules:
        sys.modules.pop(name, None)


@pytest.mark.slow
def test_a_package_on_the_path(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(repository / "src"))
    graph = analyse(Request("main:nets.net:Net", ("1x8",)))
    assert (graph.nodes["a"]["config"], graph.nodes["a"]["source"]) == ("8→32", "nets/net.py:11")


@pytest.mark.slow
def test_a_revision_as_the_baseline_of_budgets(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "wide.py").write_text(NET.format(package="").replace("from width import WIDTH", "WIDTH = 40"))
    code = main(["check", "wide.py:Net", *INPUT, "--baseline", "main:net.py:Net", "--tolerance", "10%"])
    assert code == 1
    assert "524 parameters, 104 more than the baseline (+24.8 %)" in capsys.readouterr().out


@pytest.mark.slow
def test_a_module_that_is_only_among_the_current_files(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "new").mkdir()
    (repository / "new/other.py").write_text(NET.format(package=""))
    monkeypatch.syspath_prepend(str(repository / "new"))
    before = state(repository)
    with pytest.raises(RevisionError, match=r"revision 'main': Python imported new/other\.py from .*PYTHONPATH"):
        analyse(Request("main:other:Net", ("1x8",)))
    assert state(repository) == before


WRONG = {
    "maim:net.py:Net": r"'maim': git knows no commit 'maim'\. Did you mean 'main'\? .*git fetch",
    "main:nut.py:Net": r"'main': it has no file nut\.py\. Pass a path that it has",
    "main:nets/net.py:Net": r"it has no file nets/net\.py\. It has net\.py, src/nets/net\.py\.",
    "main:../net.py:Net": r"\.\./net\.py is outside of the repository",
    "main:/net.py:Net": r"/net\.py is an absolute path",
    "--help:net.py:Net": "git knows no commit '--help'",
}


@pytest.mark.parametrize("model", WRONG)
def test_what_is_wrong_is_told_with_the_revision(repository: Path, model: str) -> None:
    with pytest.raises(RevisionError, match=f"(?s)revision .*{WRONG[model]}"):
        analyse(Request(model))


def test_the_current_folder_counts(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(revision, "Processes", lambda jobs: called.append(jobs) or 1 / 0)
    monkeypatch.chdir(repository / "src")
    with pytest.raises(ZeroDivisionError):  # the file was found
        analyse(Request("main:nets/net.py:Net"))
    (repository / "fresh").mkdir()
    monkeypatch.chdir(repository / "fresh")
    with pytest.raises(RevisionError, match="it has no folder fresh: run this in a folder that it has"):
        analyse(Request("main:nets.net:Net"))
    assert called == [1]


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RevisionError, match=r"is not in a git working tree .*Run this in a repository"):
        analyse(Request("main:net.py:Net"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RevisionError, match="git is not on PATH: install git, or pass a saved"):
        analyse(Request("main:net.py:Net"))


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_the_checkout_is_removed_after_an_error(repository: Path, error: type[BaseException]) -> None:
    before = state(repository)
    with pytest.raises(error), git.checkout("main") as place:
        assert (place / "net.py").exists()
        raise error
    assert not place.exists() and state(repository) == before


def test_the_checkout_is_removed_at_sigterm(repository: Path) -> None:
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        pytest.skip("someone else handles SIGTERM")
    with pytest.raises(SystemExit), git.checkout("main") as place:
        os.kill(os.getpid(), signal.SIGTERM)
    assert not place.exists() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ("origin/main:a/net.py:Net", ("origin/main", "a/net.py:Net")),
        ("HEAD@{2 days ago 10:00}:net:make.one", ("HEAD@{2 days ago 10:00}", "net:make.one")),
        ("main:a/net.py", ("main", "a/net.py")),
        ("net.py:Net", None),
        ("C:/net.py", None),
        (r"C:\nets\net.py:Net", None),
        ("C:/nets/net.py:Net", None),
        ("timm:hf:resnet18", None),
        ("main::Net", None),
        ("main:net.json", None),
    ],
)
def test_what_names_a_revision(model: str, parts: tuple[str, str] | None) -> None:
    assert revision.split(model) == parts


def test_a_file_with_a_colon_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.name == "nt":
        pytest.skip("Windows has no such files")
    monkeypatch.chdir(tmp_path)
    Path("my:net.py").touch()
    assert revision.split("my:net.py:Net") is None


def test_commands_that_need_the_model_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formulas", "main:net.py:Net"]) == 2
    assert "this needs the model itself, not its graph: check out main first" in capsys.readouterr().err
