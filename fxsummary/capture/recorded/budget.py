"""How much work may be done to find inputs, counted in operations and not in time."""

from __future__ import annotations

from dataclasses import dataclass

BYTES_OF_AN_OPERATION = 30_000
"""To compute so many bytes of values costs about as much as to record an operation."""


class TooMuchWorkError(BaseException):
    """More operations than were allowed; it passes through the user's ``except Exception``."""


@dataclass
class Budget:
    """How many operations may still be run; those of copied modules cost nothing."""

    operations: int

    def spend(self, nbytes: int = 0) -> None:
        """One operation is run, or values of so many bytes are computed.

        Raises:
            TooMuchWorkError: it was too much.
        """
        self.operations -= 1 + nbytes // BYTES_OF_AN_OPERATION
        if self.operations < 0:
            raise TooMuchWorkError
