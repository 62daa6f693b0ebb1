"""Parses numbers as written on a command line: ``25M``, ``4.2G``, ``100MiB``."""

from __future__ import annotations

import math
import re

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_NUMBER = re.compile(r"\s*(\d[\d_,]*(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)\s*([kmgtp]?i?)b?\s*", re.IGNORECASE)


def quantity(text: str | int | float, *, of_bytes: bool = True) -> int | float:
    """Parse a number of 0 or more, with an optional unit.

    Args:
        of_bytes: whether a final ``B`` means bytes; if not, it means billions, as in "7B parameters".

    Raises:
        ValueError: the text is not a number of 0 or more.

    >>> quantity("7B", of_bytes=False), quantity("7 B")
    (7000000000, 7)
    >>> quantity("25M"), quantity("4.2G"), quantity("100MiB"), quantity("1_000"), quantity(7), quantity("2.5 kB")
    (25000000, 4200000000, 104857600, 1000, 7, 2500)
    >>> quantity("many")
    Traceback (most recent call last):
    ...
    ValueError: 'many' is not a number such as 25M, 4.2G or 100MiB
    """
    if not isinstance(text, str):
        if isinstance(text, bool) or not isinstance(text, (int, float)) or not math.isfinite(text) or text < 0:
            raise ValueError(f"{text!r} is not a number of 0 or more")
        return text
    found = _NUMBER.fullmatch(text)
    unit = found[2].lower() if found else "?"
    if not of_bytes and found and not unit and text.strip().lower().endswith("b"):
        unit = "g"
    factor = {**_UNITS, **_BINARY}.get(unit)
    if found is None or factor is None:
        raise ValueError(f"{text!r} is not a number such as 25M, 4.2G or 100MiB")
    number = float(found[1].replace("_", "").replace(",", "")) * factor
    return round(number) if number.is_integer() or factor > 1 else number


def fraction(text: str | int | float) -> float:
    """Parse a fraction: ``0.01`` or ``1%``.

    >>> fraction("1%"), fraction("0.05"), fraction(0)
    (0.01, 0.05, 0.0)
    """
    try:
        number = float(text.removesuffix("%")) / 100 if isinstance(text, str) and text.endswith("%") else float(text)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValueError(f"{text!r} is not a fraction such as 0.01 or 1%")
    return number
