"""Finds the line of user code, as ``file:line``, that made a call.

File names are relative to the ``sys.path`` entry that they were imported from, so that a model gives the same graph
on every machine.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from traceback import walk_tb
from types import FrameType, TracebackType

import torch

_SKIPPED = (os.path.dirname(torch.__file__) + os.sep, os.path.dirname(os.path.dirname(__file__)) + os.sep)


_STANDARD = os.path.dirname(os.__file__) + os.sep
_PACKAGES = ("site-packages", "dist-packages")


@cache
def is_user_file(filename: str) -> bool:
    """Whether a file belongs neither to torch nor to fxsummary."""
    return not filename.startswith(_SKIPPED) and not filename.startswith("<")


@cache
def is_standard(filename: str) -> bool:
    """Whether a file belongs to the standard library."""
    return filename.startswith((_STANDARD, "<frozen")) and not any(each in filename for each in _PACKAGES)


@cache
def relative(filename: str) -> str:
    """Return a file name relative to the ``sys.path`` entry that contains it; unchanged if there is none."""
    roots = [root for root in sys.path if root and filename.startswith(root.rstrip(os.sep) + os.sep)]
    return os.path.relpath(filename, max(roots, key=len)).replace(os.sep, "/") if roots else filename


def caller(outermost: FrameType | None) -> str:
    """Return ``file:line`` of the nearest frame of user code, "" if there is none inside ``outermost``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame is not outermost:
        filename = frame.f_code.co_filename
        if is_user_file(filename):
            return f"{relative(filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def at(source: str) -> str:
    """Return " at file:line", or "" if the line is unknown."""
    return f" at {source}" if source else ""


def of_traceback(traceback: TracebackType | None) -> tuple[str, str]:
    """Return ``file:line`` and the function name of the innermost frame of user code in a traceback."""
    places = [(frame.f_code, line) for frame, line in walk_tb(traceback)]
    own = [(code, line) for code, line in places if is_user_file(code.co_filename)]
    return (f"{relative(own[-1][0].co_filename)}:{own[-1][1]}", own[-1][0].co_name) if own else ("", "")


def raised_by_user(error: BaseException) -> bool:
    """Whether the innermost frame of an exception's traceback is user code."""
    files = [frame.f_code.co_filename for frame, _ in walk_tb(error.__traceback__)]
    return bool(files) and is_user_file(files[-1])


def let_go(error: BaseException) -> None:
    """Drop the tracebacks of an exception and of its causes, because their frames hold tensors of the recording."""
    errors = [error]
    for each in errors:  # grows
        each.__traceback__ = None
        causes = [other for other in (each.__cause__, each.__context__) if other is not None]
        errors += [other for other in causes if not any(other is known for known in errors)]
