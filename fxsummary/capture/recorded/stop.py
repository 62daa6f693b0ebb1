"""The signal that ends a recording early."""

from __future__ import annotations


class StopRecording(BaseException):
    """The recording cannot continue; the graph so far is kept. It passes through the user's ``except Exception``."""

    def __init__(self, reason: str, source: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.source = source
