"""The worker of `fxsummary.support.processes`: reads calls from stdin, and writes what they return to stdout."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import warnings
from contextlib import suppress
from importlib import import_module

from fxsummary.support.processes import receive, send

_WARM = "fxsummary.analysis.table.rows"
"""What calls need: a worker is ready when it has imported it, so that time limits start after that."""


def main() -> None:
    """Do calls until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits; it ends this one
    warnings.filterwarnings("ignore")  # nobody reads them
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a model prints is no reply
    sys.stdin = open(os.devnull)  # noqa: SIM115
    sys.path[:] = pickle.loads(receive(requests))
    import_module(_WARM)
    send(replies, b"")
    with suppress(EOFError):
        while True:
            send(replies, _answer(receive(requests)))


def _answer(data: bytes) -> bytes:
    """Return a call's result, or the exception that it raised, as a pickled pair."""
    try:
        function, arguments, named = pickle.loads(data)
        return pickle.dumps((True, function(*arguments, **named)))
    except BaseException as error:
        try:
            answer = pickle.dumps((False, error))
            pickle.loads(answer)
            return answer
        except Exception:  # an exception of the user's may not be one that pickles
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


if __name__ == "__main__":
    main()
