"""Several texts as one: numbers that differ become spans or ranges."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBERED = re.compile(r"(\w*?)(\d{1,18}) (.+)")


def in_series(texts: Sequence[str]) -> list[str]:
    """Return texts with those as one that are the same but for a number in the name, which rises by one.

    >>> in_series(["x 1×3", "layer_0 1×8", "layer_1 1×8", "layer_2 1×8", "y 1×8"])
    ['x 1×3', 'layer_0…2 1×8', 'y 1×8']
    """
    runs: list[tuple[re.Match[str] | None, list[str]]] = []
    for text in texts:
        found, (last, run) = _NUMBERED.fullmatch(text), runs[-1] if runs else (None, [])
        if found and last and (found[1], found[3], int(found[2])) == (last[1], last[3], int(last[2]) + len(run)):
            run.append(text)
        else:
            runs.append((found, [text]))
    return [
        f"{first[1]}{first[2]}…{int(first[2]) + len(run) - 1} {first[3]}" if first and len(run) > 1 else run[0]
        for first, run in runs
    ]


_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d+)?(?:e[-+]\d+)?")


def in_one(texts: Sequence[str], *, as_ranges: bool = False) -> str:
    """Return several texts that differ only in numbers as one; ``as_ranges`` if the integers are sizes.

    >>> in_one(["[:, 0]", "[:, 1]", "[:, 2]"]), in_one(["+ 1", "+ 1"]), in_one(["4", "6", "0", "2"])
    ('[:, 0…2]', '+ 1', '4, 6, 0, 2')
    >>> in_one(["64→32", "96→32", "128→32"], as_ranges=True), in_one(["1×9", "1×4", "1×7"], as_ranges=True)
    ('64…128→32', '1×4…9')
    >>> in_one(["+ 1e-05", "+ 0.1", "+ 0.25"]), in_one(["× 0.9", "× 0.5"])
    ('+ 1e-05…0.25', '× 0.9…0.5')
    """
    if len(set(texts)) == 1:
        return texts[0]
    between = _NUMBER.split(texts[0])
    columns = zip(*[_NUMBER.findall(text) for text in texts], strict=True)
    numbers = [_numbers(column, as_ranges) for column in columns]
    return "".join(part for pair in zip(between, [*numbers, ""], strict=True) for part in pair)


def _numbers(column: Sequence[str], as_ranges: bool) -> str:
    if any({*text} & {*".e"} for text in column):
        return _range(list(map(float, column)))
    integers = list(map(int, column))
    return _range(integers) if as_ranges else _spans(integers)


def _range(numbers: Sequence[float]) -> str:
    """Return the smallest and the largest number; the largest first if the numbers only fall.

    >>> _range([8, 8]), _range([56, 28, 28, 14]), _range([5, 9, 3])
    ('8', '56…14', '3…9')
    """
    if len(set(numbers)) == 1:
        return str(numbers[0])
    ends = min(numbers), max(numbers)
    first, last = reversed(ends) if list(numbers) == sorted(numbers, reverse=True) else ends
    return f"{first}…{last}"


def _spans(numbers: Sequence[int]) -> str:
    """Return numbers as spans: each run of neighbours that rises by one as its ends, at most four spans.

    Two neighbours are a span only if there are no other numbers.

    >>> _spans([0, 1, 2, 3, 5, 6, 7, 8]), _spans([1, 1]), _spans([0, 2, 4, 6, 8, 10])
    ('0…3, 5…8', '1', '0, 2, …, 10')
    >>> _spans([0, 1]), _spans([1, 2, 4, 8])
    ('0…1', '1, 2, 4, 8')
    """
    spans: list[list[int]] = []
    for number in dict.fromkeys(numbers):
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    least = 2 if len(spans) == 1 else 3
    texts = [text for span in spans for text in ([f"{span[0]}…{span[-1]}"] if len(span) >= least else map(str, span))]
    return ", ".join(texts if len(texts) <= 4 else [*texts[:2], "…", texts[-1]])
