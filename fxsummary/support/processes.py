"""An executor whose worker processes may die: the call that was running fails, and all others go on.

The workers are fresh interpreters, not copies of this one and not imports of its main script. So it works alike on
Linux, macOS and Windows, in notebooks, and in scripts without ``if __name__ == "__main__"``.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import IO, Any, TypeVar

from fxsummary.errors import InputError, WorkerError

T = TypeVar("T")
_Task = tuple["Future[Any]", bytes]
_LENGTH = struct.Struct("<Q")
_SETTINGS = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
"""Settings of a worker: one thread, as there are many workers, and sets of names in the same order in each."""


class Processes(Executor):
    """Worker processes that call functions, as in `concurrent.futures.ProcessPoolExecutor`.

    A worker that dies, or that is ended because a call takes too long, fails this call with a `WorkerError`; a new
    worker takes its place. Each worker starts when it is first needed.

    Args:
        jobs: number of processes; the number of CPUs if None.
        timeout: seconds that one call may take; None for no limit.

    >>> with Processes(1) as executor:
    ...     executor.submit(divmod, 17, 5).result()
    (3, 2)
    """

    def __init__(self, jobs: int | None = None, *, timeout: float | None = None) -> None:
        if jobs is not None and jobs < 1:
            raise InputError(f"jobs={jobs}: pass a number of processes, 1 or more.")
        if timeout is not None and timeout <= 0:
            raise InputError(f"timeout={timeout}: pass seconds, more than 0.")
        self.timeout = timeout
        self._jobs = jobs or os.cpu_count() or 1
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._workers: list[_Worker] = []
        self._is_shut = self._is_cancelled = False

    def submit(self, function: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """Call a function in a worker; function, arguments and result are pickled."""
        if self._is_shut:
            raise RuntimeError("this executor has been shut down: make another one.")
        future: Future[T] = Future()
        self._tasks.put((future, pickle.dumps((function, arguments, named))))
        if len(self._threads) < self._jobs:
            self._threads.append(threading.Thread(target=self._serve, daemon=True))
            self._threads[-1].start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish what was submitted and end the workers; ``cancel_futures`` ends them at once."""
        self._is_shut = True
        if cancel_futures:
            self._is_cancelled = True
            with suppress(queue.Empty):
                while task := self._tasks.get_nowait():
                    task[0].cancel()
            for worker in self._workers:
                worker.kill()
        for _ in self._threads:
            self._tasks.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """End the workers; after an error, such as Ctrl-C, at once."""
        self.shutdown(cancel_futures=kind is not None)

    def _serve(self) -> None:
        """Take tasks and have a worker do them, until there are no more."""
        worker = None
        while task := self._tasks.get():
            future, data = task
            if not future.set_running_or_notify_cancel():
                continue
            if worker is None:
                worker = _Worker()
                self._workers.append(worker)
                if self._is_cancelled:  # it started while others were ended
                    worker.kill()
            try:
                future.set_result(worker.call(data, self.timeout))
            except WorkerError as error:
                self._workers.remove(worker)
                worker.close()
                worker = None
                future.set_exception(error)
            except BaseException as error:
                future.set_exception(error)
        if worker is not None:
            worker.close()


class _Worker:
    """One process, with pipes to it and from it."""

    def __init__(self) -> None:
        self._is_ready = False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the worker
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fxsummary.support.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**_SETTINGS, **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout
        with suppress(OSError):
            send(self._requests, pickle.dumps(list(sys.path)))

    def call(self, data: bytes, timeout: float | None) -> Any:
        """Return the result of a pickled call, or raise what it raised, or a `WorkerError`."""
        if not self._is_ready:
            self._wait()
        is_late = threading.Event()

        def stop() -> None:
            is_late.set()
            self.kill()

        timer = threading.Timer(timeout or 0, stop)
        if timeout is not None:
            timer.start()
        try:
            send(self._requests, data)
            is_done, value = pickle.loads(receive(self._replies))
        except (EOFError, OSError):
            raise WorkerError(f"it took more than {timeout:g} s" if is_late.is_set() else self._why()) from None
        finally:
            timer.cancel()
        if is_done:
            return value
        raise value

    def _wait(self) -> None:
        """Wait until the process has imported what it needs, which is not part of the time of a call."""
        try:
            receive(self._replies)
        except (EOFError, OSError):
            raise WorkerError(self._why()) from None
        self._is_ready = True

    def _why(self) -> str:
        """Return how the process ended, with the last line that it wrote."""
        code = self._process.wait()
        how = f"ended with exit code {code}"
        if code < 0:
            with suppress(ValueError):  # a signal without a name
                how = f"was killed by {signal.Signals(-code).name}"
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        memory = " (too little memory?)" if how.endswith("SIGKILL") else ""
        return f"the worker process {how}{memory}" + (f": {last}" if last and not memory else "")

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """End the process: at the end of its input it stops."""
        with suppress(OSError):
            self._requests.close()
        self._process.wait()
        self._replies.close()
        self._log.close()


def send(stream: IO[bytes], data: bytes) -> None:
    """Write a message with its length."""
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes:
    """Read a message, or raise EOFError."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data
