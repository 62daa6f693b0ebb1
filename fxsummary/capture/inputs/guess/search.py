"""Searches for inputs that a model accepts: tries candidates, then what their errors suggest."""

from __future__ import annotations

import heapq
import itertools
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
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
"""How many operations may run to find inputs."""

MAX_REPAIRS = 8
"""How many changes one error may suggest."""

MAX_USELESS = 8
"""How many changes in a row may fail to get forward any further."""

MAX_IMAGE = 1024
"""The largest image to try."""


Attempt = Callable[[Inputs], "tuple[T | None, ErrorContext | None]"]
"""Runs forward and returns what came of it, and why that is nothing or not all."""


class Search(Generic[T]):
    """Tries candidates and what errors suggest instead, those first whose forward got furthest.

    If an attempt returns only a part, it is the result unless a better one comes soon or got further when refused.
    """

    def __init__(self, source: Source, attempt: Attempt[T]) -> None:
        self._source = source
        self._attempt = attempt
        self._tried: set[str] = set()
        self._tries = MAX_TRIES
        self._wrong_size: Inputs | None = None
        self._reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._fallback: tuple[Inputs, T] | None = None
        self._best: tuple[Inputs, ErrorContext] | None = None
        self._is_spent = False

    def run(self) -> tuple[Inputs, T] | None:
        """Return the first inputs that are accepted, and what the attempt returned."""
        for candidates in self._source.stages():
            self._tries = 0 if self._is_spent else MAX_TRIES
            found = self._first(candidates) or self._bisected() or self._fallback
            if found is not None:
                return found
        return None

    def report(self) -> str:
        """Say what was tried, and what came of it."""
        limit = f"; the limit of {MAX_OPERATIONS:,} operations is reached" if self._is_spent else ""
        if self._best is None:
            return limit.lstrip("; ")
        inputs, error = self._best
        many = len(self._tried) > 1
        count = f"{len(self._tried)} inputs were tried; the one that got furthest" if many else "the one tried"
        where = f" at {error.source}" if error.source else ""
        message = error.message.strip().partition("\n")[0][:200]
        return f"{count}, {describe(inputs)}, failed{where}: {message}{limit}"

    def _first(self, candidates: Iterator[Inputs]) -> tuple[Inputs, T] | None:
        for candidate in candidates:
            found = None if self._is_stuck(candidate) else self._with_repairs(candidate)
            if found is not None or self._tries <= 0:
                return found
        return None

    def _is_stuck(self, candidate: Inputs) -> bool:
        """Whether other shapes of the same arguments were refused for the same reason again and again."""
        reasons = self._reasons[_kind(candidate)]
        return sum(reasons.values()) - len(reasons) >= self._source.max_same

    def _with_repairs(self, candidate: Inputs) -> tuple[Inputs, T] | None:
        """Try a candidate, then what its errors suggest, while that helps."""
        count = itertools.count()
        waiting: list[tuple[int, int, Inputs, str]] = [(0, 0, candidate, "")]
        furthest, useless = -1, 0
        while waiting and self._tries > 0 and useless < MAX_USELESS:
            _, _, inputs, before = heapq.heappop(waiting)
            if repr(inputs) in self._tried:
                continue
            found, error = self._try(inputs)
            if error is None:
                return found
            useless = useless + 1 if error.operations <= furthest else 0
            furthest = max(furthest, error.operations)
            suggested: list[Inputs] = []
            if error.key != before or not error.message:
                suggested = [*itertools.islice(self._source.repaired(inputs, error), MAX_REPAIRS)]
            for better in suggested:
                heapq.heappush(waiting, (-error.operations, next(count), better, error.key))
            reasons = self._reasons[_kind(inputs)]
            if not suggested and not before and reasons[error.key] > 1:  # the inputs are not what is wrong
                reasons[error.key] += 1
            if not waiting and compare_features(error) is not None:
                self._wrong_size = self._wrong_size or inputs
        return None

    def _try(self, inputs: Inputs) -> tuple[tuple[Inputs, T] | None, ErrorContext | None]:
        """Return what was found, and why that is nothing or not all."""
        self._tried.add(repr(inputs))
        self._tries -= 1
        try:
            result, error = self._attempt(inputs)
        except TooMuchWorkError:
            self._tries, self._is_spent = 0, True
            return None, ErrorContext()
        found = None if result is None else (inputs, result)
        if error is None:
            return found, None
        if self._best is None or error.operations > self._best[1].operations:
            self._fallback, self._best = found, (inputs, error)
            if found is not None:
                self._tries = min(self._tries, self._source.tries_for_more)
        if error.message:
            self._reasons[_kind(inputs)][error.key] += 1
        return found, error

    def _bisected(self) -> tuple[Inputs, T] | None:
        """Find the smallest image whose features fit the first linear layer: they grow with its size."""
        inputs, self._wrong_size = self._wrong_size, None
        if inputs is None or self._is_spent or self._source.resized(inputs, 1) is None:
            return None

        def try_size(size: int) -> tuple[tuple[Inputs, T] | None, ErrorContext | None]:
            return self._try(self._source.resized(inputs, size) or inputs)

        def is_large(size: int) -> bool:
            found, error = try_size(size)
            return found is not None or (error is not None and compare_features(error) == 1)

        found, error = try_size(1 + bisect_left(range(1, MAX_IMAGE), True, key=is_large))
        return found if error is None else None


def _kind(inputs: Inputs) -> str:
    """Equal for inputs that differ in their sizes only."""
    return ", ".join([f"{name} {len(spec.shape)}" for name, spec in placeholder_names(inputs)])


def compare_features(error: ErrorContext) -> int | None:
    """Return 1 if a linear layer or a view got too many features, -1 if too few, None if something else is wrong."""
    for pattern in (*FEATURES, VIEWS):
        found = re.search(pattern, error.message)
        if found is not None:
            got, wanted = int(found["got"]), int(found["wanted"])
            return (got > wanted) - (got < wanted)
    return None
