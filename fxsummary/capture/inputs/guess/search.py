"""Searches for inputs that a model accepts: tries candidates, then the changes that their errors suggest."""

from __future__ import annotations

import heapq
import itertools
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from fxsummary.capture.inputs.example import Inputs, describe, placeholder_names
from fxsummary.capture.inputs.guess.error_context import ErrorContext
from fxsummary.capture.inputs.guess.guesses import FEATURES, VIEWS
from fxsummary.capture.recorded.budget import TooMuchWorkError

if TYPE_CHECKING:
    from fxsummary.capture.inputs.guess.inference import Source

T = TypeVar("T")

MAX_TRIES = 40

MAX_OPERATIONS = 300_000
"""Maximum number of operations to run in a search."""

MAX_REPAIRS = 8
"""Maximum number of changes to try for one error."""

MAX_USELESS = 8
"""Maximum number of consecutive changes that do not get forward any further."""

MAX_IMAGE = 1024
"""Size of the largest image to try."""


Attempt = Callable[[Inputs], "tuple[T | None, ErrorContext | None]"]
"""Runs forward; returns the result (None if it failed) and the error (None if it is complete)."""


class Search(Generic[T]):
    """Tries candidates and the changes that errors suggest; continues with the inputs that got forward furthest.

    A partial result is kept as a fallback unless a better one is found soon.
    """

    def __init__(self, source: Source, attempt: Attempt[T]) -> None:
        self._source = source
        self._attempt = attempt
        self._tried: set[str] = set()
        self._tries = MAX_TRIES
        self._wrong_size: Inputs | None = None
        self._reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._accepted: tuple[Inputs, T] | None = None
        self._fallback: tuple[Inputs, T] | None = None
        self._best: tuple[Inputs, ErrorContext] | None = None
        self._is_spent = False

    def run(self) -> tuple[Inputs, T] | None:
        """Return the first accepted inputs, and the attempt's result."""
        for candidates in self._source.stages():
            self._tries = 0 if self._is_spent else MAX_TRIES
            for candidate in itertools.takewhile(lambda _: self._tries > 0, candidates):
                if not self._is_stuck(candidate):
                    self._try_with_repairs(candidate)
            self._bisect()
            found = self._accepted or self._fallback
            if found is not None:
                return found
        return None

    def report(self) -> str:
        """Return a sentence that says how many inputs were tried, which got furthest, and why they failed."""
        limit = f"; the limit of {MAX_OPERATIONS:,} operations is reached" if self._is_spent else ""
        if self._best is None:
            return limit.lstrip("; ")
        inputs, error = self._best
        many = len(self._tried) > 1
        count = f"{len(self._tried)} inputs were tried; the one that got furthest" if many else "the one tried"
        where = f" at {error.source}" if error.source else ""
        message = error.message.strip().partition("\n")[0][:200]
        return f"{count}, {describe(inputs)}, failed{where}: {message}{limit}"

    def _is_stuck(self, candidate: Inputs) -> bool:
        """Whether other shapes of the same arguments failed repeatedly for the same reason."""
        reasons = self._reasons[_kind(candidate)]
        return sum(reasons.values()) - len(reasons) >= self._source.max_same

    def _try_with_repairs(self, candidate: Inputs) -> None:
        """Try a candidate, then the changes that its errors suggest, as long as they help."""
        count = itertools.count()
        waiting: list[tuple[int, int, Inputs, str]] = [(0, 0, candidate, "")]
        furthest, useless = -1, 0
        while waiting and self._tries > 0 and useless < MAX_USELESS:
            _, _, inputs, before = heapq.heappop(waiting)
            if repr(inputs) in self._tried:
                continue
            _, error = self._try(inputs)
            if error is None:
                return
            useless = useless + 1 if error.operations <= furthest else 0
            furthest = max(furthest, error.operations)
            suggested: list[Inputs] = []
            if error.key != before or not error.message:
                suggested = [*itertools.islice(self._source.repaired(inputs, error), MAX_REPAIRS)]
            for better in suggested:
                heapq.heappush(waiting, (-error.operations, next(count), better, error.key))
            reasons = self._reasons[_kind(inputs)]
            if not suggested and not before and reasons[error.key] > 1:  # the inputs are probably not the reason
                reasons[error.key] += 1
            if not waiting and compare_features(error) is not None:
                self._wrong_size = self._wrong_size or inputs

    def _try(self, inputs: Inputs) -> tuple[T | None, ErrorContext | None]:
        """Run forward; remember the inputs if it accepts them, at least in part."""
        self._tried.add(repr(inputs))
        self._tries -= 1
        try:
            result, error = self._attempt(inputs)
        except TooMuchWorkError:
            self._tries, self._is_spent = 0, True
            return None, ErrorContext()
        found = None if result is None else (inputs, result)
        if error is None:
            self._accepted, self._tries = found, 0
        elif self._best is None or error.operations > self._best[1].operations:
            self._fallback, self._best = found, (inputs, error)
            if found is not None:
                self._tries = min(self._tries, self._source.tries_for_more)
        if error is not None and error.message:
            self._reasons[_kind(inputs)][error.key] += 1
        return result, error

    def _bisect(self) -> None:
        """Find the smallest image that fits the first linear layer, by bisection: features grow with image size."""
        inputs, self._wrong_size = self._wrong_size, None
        if inputs is None or self._accepted or self._is_spent or self._source.resized(inputs, 1) is None:
            return

        def is_large(size: int) -> bool:
            result, error = self._try(self._source.resized(inputs, size) or inputs)
            return result is not None or (error is not None and compare_features(error) == 1)

        is_large(1 + bisect_left(range(1, MAX_IMAGE), True, key=is_large))


def _kind(inputs: Inputs) -> str:
    """Return a key that is equal for inputs that differ only in their sizes."""
    return ", ".join([f"{name} {len(spec.shape)}" for name, spec in placeholder_names(inputs)])


def compare_features(error: ErrorContext) -> int | None:
    """Return 1 if a linear layer or a view got too many features, -1 if too few, None for other errors."""
    for pattern in (*FEATURES, VIEWS):
        found = re.search(pattern, error.message)
        if found is not None:
            got, wanted = int(found["got"]), int(found["wanted"])
            return (got > wanted) - (got < wanted)
    return None
