"""Runs a function for each of many names, anywhere, and keeps what is done: the engine of `fxsummary.table`."""

from __future__ import annotations

import pickle
import queue
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from fxsummary.analysis.table.kept import Kept
from fxsummary.analysis.table.rows import reason_of
from fxsummary.errors import InputError, WorkerError
from fxsummary.support.processes import Processes


class Submits(Protocol):
    """What runs functions: any `concurrent.futures.Executor`, or whatever has its method ``submit``."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Any:
        """Return something with a method ``result``."""


@dataclass(frozen=True)
class Task:
    """One call.

    Attributes:
        name: a name that is unique.
        arguments: arguments of the function.
        key: what the result depends on, such as versions; None if it cannot be told, so that results are not kept.
        is_here: whether it must run in this process.
    """

    name: str
    arguments: tuple[Any, ...]
    key: Mapping[str, str] | None = None
    is_here: bool = False


class Progress(NamedTuple):
    """One more task is done.

    Attributes:
        done: number of tasks that are done.
        total: number of all tasks.
        name: the one that was done last.
        remark: why it failed, or "in this process" if it could not be sent to another one; "" for neither.
    """

    done: int
    total: int
    name: str
    remark: str = ""

    def __str__(self) -> str:
        return f"{self.done}/{self.total} {self.name}" + (f": {self.remark}" if self.remark else "")


class Result(NamedTuple):
    """What a call returned, or why it failed.

    Attributes:
        found: what it returned: plain values, as in JSON.
        failed: why it failed; "" if it did not.
        is_lasting: whether another try would fail again; not if a worker died or took too long.
    """

    found: dict[str, Any]
    failed: str = ""
    is_lasting: bool = True


def run(
    function: Callable[..., dict[str, Any]],
    tasks: Sequence[Task],
    executor: Submits | None = None,
    resume: str | None = None,
    progress: Callable[[Progress], None] = lambda each: None,
) -> list[Result]:
    """Call a function for each task, and return the results in the order of the tasks.

    Args:
        function: returns plain values, as in JSON; an exception is a result too.
        executor: runs the calls; `Processes` with one process per CPU if None.
        resume: a file of JSON lines with earlier results; what is missing in it is done and appended as it finishes.
        progress: called for each task that is done, in this thread.
    """
    kept = Kept(resume)
    results = {task.name: Result(*found) for task in tasks if (found := kept.get(task.name, task.key)) is not None}
    missing = [task for task in tasks if task.name not in results]
    places = {task.name: task for task in missing}
    with closing(_finished(function, missing, executor)) as finished:
        for name, result in finished:
            results[name] = result
            if result.is_lasting:
                kept.add(name, places[name].key, result.found, result.failed)
            remark = result.failed or ("in this process" if places[name].is_here else "")
            progress(Progress(len(results), len(tasks), name, remark))
    return [results[task.name] for task in tasks]


def attempt(function: Callable[..., dict[str, Any]], arguments: tuple[Any, ...]) -> Result:
    """Call a function, in whichever process; an exception becomes a result, because not all of them pickle."""
    try:
        return Result(function(*arguments))
    except MemoryError as error:
        return Result({}, reason_of(error), is_lasting=False)
    except Exception as error:
        return Result({}, reason_of(error))


def _finished(
    function: Callable[..., dict[str, Any]], tasks: Sequence[Task], executor: Submits | None
) -> Generator[tuple[str, Result], None, None]:
    """Yield names and results as they finish; what must run here does so while others work."""
    sent = [task for task in tasks if not task.is_here]
    own = Processes() if executor is None else None
    submits = own or executor
    assert submits is not None
    futures: dict[Any, Task] = {}
    try:
        futures.update({submits.submit(attempt, function, task.arguments): task for task in sent})
        ready = _in_order_of_end(futures)
        for task in tasks:
            if task.is_here:
                yield task.name, attempt(function, task.arguments)
        for future in ready:
            yield futures[future].name, _result(future)
    finally:  # when it was interrupted, nobody waits for the others
        for future in futures:
            if hasattr(future, "cancel"):
                future.cancel()
        if own is not None:
            own.shutdown(cancel_futures=True)


def _in_order_of_end(futures: Mapping[Any, Task]) -> Iterator[Any]:
    """Yield futures as they finish; in their order if they cannot call back."""
    if not all(hasattr(future, "add_done_callback") for future in futures):
        yield from futures
        return
    ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for future in futures:
        future.add_done_callback(ready.put)
    for _ in futures:
        yield ready.get()


def _result(future: Any) -> Result:
    try:
        return Result(*future.result())
    except (WorkerError, BrokenExecutor) as error:
        return Result({}, reason_of(error), is_lasting=False)
    except Exception as error:  # each executor has its own errors for a worker that was lost
        return Result({}, reason_of(error), is_lasting=False)


def can_be_sent(value: object, executor: Submits | None) -> bool:
    """Return whether a value can go to another process.

    fxsummary's own processes do not run the main script again, so that they do not know what it defines.
    """
    try:
        data = pickle.dumps(value)
    except Exception:  # whatever a value raises that cannot be pickled
        return False
    return b"__main__" not in data or not (executor is None or isinstance(executor, Processes))


def check_executor(executor: object) -> None:
    """Raise InputError if an object cannot run functions."""
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise InputError(
            f"executor={executor!r} has no method submit: pass a concurrent.futures.Executor, such as "
            "fxsummary.Processes(4), or Client.get_executor() of Dask."
        )
