"""Run Python modules as `python -m` does, in processes that need not import torch again."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["torch", "fxsummary", "fxsummary.documents.render"])


def run_module(words: list[str], folder: Path, **environment: str) -> CompletedProcess[str]:
    """Run ``python -m`` with these words in a folder, and return its exit status and what it wrote."""
    with TemporaryDirectory() as written:
        paths = [Path(written, name) for name in ("stdout", "stderr")]
        process: BaseProcess = CONTEXT.Process(
            target=_run, args=(words, folder, {"NO_COLOR": "1", **environment}, paths)
        )
        process.start()
        process.join()
        assert process.exitcode is not None
        return CompletedProcess(words, process.exitcode, *(path.read_text("utf-8") for path in paths))


def _run(words: list[str], folder: Path, environment: dict[str, str], paths: list[Path]) -> None:
    for path, number in zip(paths, (1, 2), strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    os.environ.update(environment)
    sys.argv = list(words)
    sys.path[:1] = ["", *environment.get("PYTHONPATH", "").split(os.pathsep)]
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
