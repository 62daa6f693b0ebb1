"""Where in the user's code a call was made: ``file:line`` at the price of a few frame steps."""

from __future__ import annotations

import os
import sys
from types import FrameType, TracebackType

import torch

_SKIPPED = (os.path.dirname(torch.__file__) + os.sep, os.path.dirname(os.path.dirname(__file__)) + os.sep)
_is_user_file: dict[str, bool] = {}


def is_user_file(filename: str) -> bool:
    """Whether a file is neither torch's nor ours."""
    known = _is_user_file.get(filename)
    if known is None:
        known = _is_user_file[filename] = not filename.startswith(_SKIPPED) and not filename.startswith("<")
    return known


def caller() -> str:
    """``file:line`` of the nearest frame in the user's code, "" if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        if is_user_file(filename):
            return f"{filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def of_traceback(traceback: TracebackType | None) -> tuple[str, str]:
    """``file:line`` and function name of the innermost frame of the user's code in a traceback."""
    found = ("", "")
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if is_user_file(code.co_filename):
            found = (f"{code.co_filename}:{traceback.tb_lineno}", code.co_name)
        traceback = traceback.tb_next
    return found
