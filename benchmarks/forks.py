"""One forked process for each model, from a parent that has imported everything and computed nothing."""

from __future__ import annotations

import importlib
import os
import resource
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

import torch

Function = Callable[[str, Callable[[dict[str, Any]], None]], None]


def prepare() -> None:
    """Import what every model needs, once, before processes are forked."""
    torch.set_num_threads(1)
    for module in (
        "torch._dynamo",
        "sympy",
        "fxsummary.capture.inputs.guess.inference",
        "fxsummary.capture.recorded.recorder",
    ):
        importlib.import_module(module)
    for module in ("text", "svg"):
        importlib.import_module(f"fxsummary.exporters.{module}")


def run(function: Function, names: Sequence[str], jobs: int, seconds: float, gib: float) -> Iterator[dict[str, Any]]:
    """Call ``function(name, send)`` in a process for each name; yields what each sent, as one dict, when it ends.

    Args:
        seconds: CPU time after which a process is killed; ten times that of real time.
        gib: memory that it may map.
    """
    waiting = list(reversed(names))
    running: dict[Connection, tuple[int, dict[str, Any]]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            name = waiting.pop()
            pipe, process = _start(function, name, seconds, gib)
            running[pipe] = process, {"name": name}
        for pipe in wait(list(running)):
            assert isinstance(pipe, Connection)
            process, found = running[pipe]
            try:
                found.update(pipe.recv())
            except EOFError:
                del running[pipe]
                _, status = os.waitpid(process, 0)
                yield found | _end(status)


def _end(status: int) -> dict[str, Any]:
    if os.WIFSIGNALED(status):
        return {"died": signal.Signals(os.WTERMSIG(status)).name}
    code = os.waitstatus_to_exitcode(status)
    return {"died": f"exit code {code}"} if code else {}


def _start(function: Function, name: str, seconds: float, gib: float) -> tuple[Connection, int]:
    here, there = Pipe(duplex=False)
    process = os.fork()
    if process:
        there.close()
        return here, process
    code = 1
    try:
        here.close()
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 5))
        resource.setrlimit(resource.RLIMIT_AS, (int(gib * 2**30),) * 2)
        signal.alarm(int(10 * seconds))
        warnings.filterwarnings("ignore")
        function(name, there.send)
        code = 0
    finally:
        os._exit(code)
