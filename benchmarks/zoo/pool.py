"""Worker processes that may crash or hang without taking anything else down."""

from __future__ import annotations

import faulthandler
import multiprocessing
import queue
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

SECONDS = 120.0
"""How long one task may take."""

Task = tuple[str, tuple[Any, ...]]
"""A name to report under, and the arguments of the function."""


def run(
    function: Callable[..., Any], tasks: Sequence[Task], jobs: int, seconds: float = SECONDS
) -> Iterator[tuple[str, Any, str]]:
    """Call a module-level function in worker processes; yields name, result and error ("" if none) as they come."""
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, Any, str]] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    for _ in range(min(jobs, len(tasks))):
        threading.Thread(target=_feed, args=(function, waiting, done, seconds), daemon=True).start()
    for _ in tasks:
        yield done.get()


def _feed(function: Callable[..., Any], waiting: Any, done: Any, seconds: float) -> None:
    worker = _Worker(function)
    while True:
        try:
            name, arguments = waiting.get_nowait()
        except queue.Empty:
            break
        result, error, alive = worker.call(arguments, seconds)
        done.put((name, result, error))
        if not alive:
            worker = _Worker(function)
    worker.stop()


class _Worker:
    def __init__(self, function: Callable[..., Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._stack = Path(tempfile.mkstemp(prefix="zoo_worker_")[1])
        self._process = context.Process(target=_work, args=(function, there, self._stack), daemon=True)
        self._process.start()
        there.close()

    def call(self, arguments: tuple[Any, ...], seconds: float) -> tuple[Any, str, bool]:
        """Result, error, and whether the process can go on."""
        try:
            self._pipe.send((arguments, seconds))
            if not self._pipe.poll(seconds):
                where = self._where()
                self.stop(0)
                return None, f"no answer within {seconds:.0f} s{where}", False
            return *self._pipe.recv(), True
        except (EOFError, OSError):
            self._process.join(10)
            return None, f"the process died, exit code {self._process.exitcode}", False

    def _where(self) -> str:
        """The innermost frames of a process that hangs; its main thread is the last in the dump."""
        main = self._stack.read_text().rpartition("hread 0x")[2]
        frames = [line.strip() for line in main.splitlines() if line.startswith("  File")]
        return f"; it was in {', '.join(frames[:4])}" if frames else ""

    def stop(self, patience: float = 5) -> None:
        """End the process."""
        with suppress(OSError):
            self._pipe.send(None)
        self._process.join(patience)
        self._process.kill()
        self._process.join()
        self._stack.unlink(missing_ok=True)


def _work(function: Callable[..., Any], pipe: Connection, stack: Path) -> None:
    with stack.open("w") as file:
        while (task := pipe.recv()) is not None:
            arguments, seconds = task
            faulthandler.dump_traceback_later(seconds * 0.9, file=file)
            try:
                answer = function(*arguments), ""
            except Exception as error:
                answer = None, summary(error)
            faulthandler.cancel_dump_traceback_later()
            pipe.send(answer)


def summary(error: BaseException) -> str:
    """An exception in one line, with the place that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {'/'.join(frames[-1].filename.split('/')[-3:])}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}{where}"
