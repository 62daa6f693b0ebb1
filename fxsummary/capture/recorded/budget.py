"""The amount of work that a search for inputs may do, in operations rather than seconds."""

from __future__ import annotations

from dataclasses import dataclass

BYTES_OF_AN_OPERATION = 30_000
"""Computing this many bytes of values takes about as long as recording one operation."""


class TooMuchWorkError(BaseException):
    """The budget is spent. It passes through the user's ``except Exception``."""


@dataclass
class Budget:
    """The number of operations that may still run; those of copied modules are free."""

    operations: int

    def spend(self, nbytes: int = 0) -> None:
        """Count one operation, or the computation of ``nbytes`` of values; raises TooMuchWorkError at the end."""
        self.operations -= 1 + nbytes // BYTES_OF_AN_OPERATION
        if self.operations < 0:
            raise TooMuchWorkError
