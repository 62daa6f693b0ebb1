"""Where in the user's code a call was made: ``file:line`` at the price of a few frame steps.

Files are named relative to the place on ``sys.path`` that they were imported from, so that the same
model gives the same graph on another machine.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from traceback import walk_tb
from types import FrameType, TracebackType

import torch

_SKIPPED = (os.path.dirname(torch.__file__) + os.sep, os.path.dirname(os.path.dirname(__file__)) + os.sep)


@cache
def is_user_file(filename: str) -> bool:
    """Whether a file is neither torch's nor ours."""
    return not filename.startswith(_SKIPPED) and not filename.startswith("<")


@cache
def relative(filename: str) -> str:
    """A file's name relative to the entry of ``sys.path`` that holds it; as it is if none does."""
    roots = [root for root in sys.path if root and filename.startswith(root.rstrip(os.sep) + os.sep)]
    return os.path.relpath(filename, max(roots, key=len)).replace(os.sep, "/") if roots else filename


def caller(outermost: FrameType | None) -> str:
    """``file:line`` of the nearest frame in the user's code, "" if there is none inside ``outermost``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame is not outermost:
        filename = frame.f_code.co_filename
        if is_user_file(filename):
            return f"{relative(filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def at(source: str) -> str:
    """Return " at file:line", or "" where the line is not known."""
    return f" at {source}" if source else ""


def of_traceback(traceback: TracebackType | None) -> tuple[str, str]:
    """``file:line`` and function name of the innermost frame of the user's code in a traceback."""
    places = [(frame.f_code, line) for frame, line in walk_tb(traceback)]
    own = [(code, line) for code, line in places if is_user_file(code.co_filename)]
    return (f"{relative(own[-1][0].co_filename)}:{own[-1][1]}", own[-1][0].co_name) if own else ("", "")


def raised_by_user(error: BaseException) -> bool:
    """Whether the innermost frame of an exception's traceback is in the user's code."""
    files = [frame.f_code.co_filename for frame, _ in walk_tb(error.__traceback__)]
    return bool(files) and is_user_file(files[-1])
