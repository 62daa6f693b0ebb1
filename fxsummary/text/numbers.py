"""Formats numbers, shapes and sizes as text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence

UNKNOWN = "?"


def shape(dims: Iterable[int]) -> str:
    """Format a shape with multiplication signs.

    >>> shape((1, 3, 28, 28)), shape(())
    ('1×3×28×28', 'scalar')
    """
    return "×".join(map(str, dims)) or "scalar"


def count(number: int | None) -> str:
    """Format a count in full, ``?`` if unknown.

    >>> count(25557032), count(0), count(None)
    ('25,557,032', '0', '?')
    """
    return UNKNOWN if number is None else f"{number:,}"


_SUFFIXES = ((10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def plural(number: int, noun: str) -> str:
    """Format a number of things.

    >>> plural(1, "row"), plural(1_200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def short(number: int | None) -> str:
    """Format a count with three significant digits and an SI suffix.

    >>> [short(n) for n in (0, 448, 20778, 999_999, 2_515_072, 8_178_368_512, None)]
    ['0', '448', '20.8 k', '1 M', '2.52 M', '8.18 G', '?']
    """
    if number is None:
        return UNKNOWN
    if abs(number) < 1000:
        return str(number)
    digits = 10 ** (math.floor(math.log10(abs(number))) - 2)
    rounded = round(number / digits) * digits
    for unit, suffix in _SUFFIXES:
        if abs(rounded) >= unit:
            return f"{rounded / unit:.4g} {suffix}"
    return str(number)


def flops(number: int | None, *, lower_bound: bool = False, assumed: bool = False) -> str:
    """Format FLOPs with their unit, ``≥`` if some operations are unknown, ``≈`` if they depend on assumed values.

    >>> flops(8_178_368_512), flops(35_100_000_000, lower_bound=True), flops(12, assumed=True), flops(None)
    ('8.18 GFLOPs', '≥ 35.1 GFLOPs', '≈12 FLOPs', '? FLOPs')
    """
    text = short(number)
    space = " " if text[-1].isdigit() or text == UNKNOWN else ""
    return ("≥ " if lower_bound else "") + about(f"{text}{space}FLOPs", assumed)


def about(text: str, assumed: bool) -> str:
    """Mark a number or shape if it depends on assumed values.

    >>> about("7×128", True), about("7×128", False), about("", True), about("?", True)
    ('≈7×128', '7×128', '', '?')
    """
    return f"≈{text}" if assumed and text not in ("", UNKNOWN) else text


MARKS = {
    "×N": "N copies; counts inside are per copy",
    "≈": "depends on assumed values",
    "≥": "at least; part of it is unknown",
    "?": "unknown",
    "Σ": "the sum over all copies, which differ or share weights",
    "+N": "N more tensors",
}
"""Meanings of the marks on numbers and shapes."""

MARKS_WITH_SHARES = MARKS | {
    "×N": "inside ×N, counts are per copy and % is over all copies",
    "≥": "at least; part of it is unknown, and % is of the known part",
}
"""The same for tables with a percentage column."""


def marks_in(text: str, *, repeated: bool) -> list[str]:
    """Return the marks that occur in a text; ``×N`` if ``repeated``.

    >>> marks_in("≈7×128 +1", repeated=True), marks_in("5 + 3", repeated=False)
    (['×N', '≈', '+N'], [])
    """
    found = [mark for mark in ("≈", "≥", "?", "Σ") if mark in text]
    return ["×N"] * repeated + found + ["+N"] * bool(re.search(r"\d \+\d", text))


def delta(before: int | None, after: int | None, text: Callable[[int], str] = short) -> str:
    """Format a difference with its sign; empty if there is none, ``?`` if unknown.

    >>> delta(1000, 2500), delta(2500, 1000, count), delta(3, 3), delta(None, 3), delta(None, None)
    ('+1.5 k', '−1,500', '', '?', '')
    """
    if before == after:
        return ""
    if before is None or after is None:
        return UNKNOWN
    return f"{'+' if after > before else '−'}{text(abs(after - before))}"


def growth(before: int | None, after: int | None) -> str:
    """Format a difference as a percentage of ``before``; empty if there is none.

    >>> growth(1000, 1500), growth(1000, 999), growth(100_000, 99_999), growth(0, 5), growth(1, 1000)
    ('+50.0 %', '−0.1 %', '>−0.1 %', '', '+99,900 %')
    """
    if not before or after is None or before == after:
        return ""
    percent = 100 * abs(after - before) / before
    if percent < 0.05:
        return "<+0.1 %" if after > before else ">−0.1 %"
    text = f"{percent:,.1f}" if percent < 100 else f"{percent:,.0f}"
    return f"{'+' if after > before else '−'}{text} %"


_BINARY = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def size(nbytes: int | None) -> str:
    """Format bytes with binary units.

    >>> size(83112), size(512), size(102_228_128), size(None)
    ('81.2 KiB', '512 B', '97.5 MiB', '?')
    """
    if nbytes is None:
        return UNKNOWN
    for unit, suffix in _BINARY:
        if nbytes >= unit:
            return f"{nbytes / unit:.3g} {suffix}" if nbytes < 999.5 * unit else f"{nbytes / unit:.0f} {suffix}"
    return f"{nbytes} B"


def rate(number: float) -> str:
    """Format a rate with three significant digits and an SI prefix, for a unit to follow.

    >>> rate(989.4e12), rate(3.35e12), rate(300e9)
    ('989 T', '3.35 T', '300 G')
    """
    unit, prefix = next(((unit, each) for unit, each in _SUFFIXES if number >= unit), (1, ""))
    return f"{number / unit:.3g} {prefix}"


def ratio(number: float | None) -> str:
    """Format a ratio with three significant digits, and no exponent.

    >>> ratio(1060.3), ratio(0.4984), ratio(None)
    ('1,060', '0.498', '?')
    """
    if number is None:
        return UNKNOWN
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def duration(seconds: float | None) -> str:
    """Format a time with three significant digits.

    >>> duration(0.0431), duration(2.1e-7), duration(150.0), duration(0.0), duration(None)
    ('43.1 ms', '210 ns', '150 s', '0 s', '?')
    """
    if seconds is None:
        return UNKNOWN
    unit, name = next(((unit, each) for unit, each in _SECONDS if seconds >= 0.9995 * unit), _SECONDS[-1])
    return f"{seconds / unit:.3g} {name}" if seconds else "0 s"


def parameters(number: int | None) -> str:
    """Format a number of parameters as `short` does, but with B for billions.

    >>> parameters(6_738_415_616), parameters(25_557_032), parameters(None)
    ('6.74 B', '25.6 M', '?')
    """
    return short(number).replace(" G", " B")


def share(part: int | None, whole: int | None) -> str:
    """Format a share as a percentage; empty if it is 0.

    >>> share(1, 3), share(0, 3), share(3, 3), share(1, 10_000), share(None, 3), share(1, 0)
    ('33.3 %', '', '100 %', '<0.1 %', '?', '')
    """
    if part is None:
        return UNKNOWN
    if not whole or not part:
        return ""
    percent = 100 * part / whole
    if percent < 0.05:
        return "<0.1 %"
    return "100 %" if percent >= 99.95 else f"{percent:.1f} %"


_CONTROL = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)))
_BIDI = dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
_SURROGATES = dict.fromkeys((*range(0xD800, 0xE000), 0xFFFE, 0xFFFF), "\ufffd")
_CLEAN = {**_CONTROL, **_BIDI, **_SURROGATES, 0x0A: " ", 0x0D: " ", 0x09: " "}


def clean(text: str) -> str:
    """Put text on one line and remove control characters and direction marks; does not quote.

    >>> clean("a\\nb\\x00c\\u202ed")
    'a bcd'
    """
    return text if text.isprintable() else text.translate(_CLEAN)


def shorten(text: str, width: int) -> str:
    """Shorten text in the middle, so that both ends of a path stay readable.

    >>> shorten("encoder.layers.encoder_layer_0", 16), shorten("fc", 16), shorten("abc", 1)
    ('encoder…_layer_0', 'fc', '…')
    """
    if len(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    tail = width // 2
    return text[: width - 1 - tail] + "…" + text[len(text) - tail :]


def listed(names: Sequence[str], limit: int = 4) -> str:
    """List the first names, and the number of further ones.

    >>> listed(["a", "b"]), listed(["a", "b", "c"], limit=2)
    ('a, b', 'a, b and 1 more')
    """
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def relative_path(path: str, parent: str) -> str:
    """Return a module path relative to that of a parent module.

    >>> relative_path("layer1.0.conv1", "layer1.0"), relative_path("fc", ""), relative_path("ab", "a")
    ('conv1', 'fc', 'ab')
    """
    return path[len(parent) + 1 :] if parent and path.startswith(f"{parent}.") else path


def seen_from(path: str, other: str) -> str:
    """Return a module path from where it differs from another one, so that it is the same in each of several layers.

    >>> seen_from("layers.1.mlp", "layers.1.mlp.router"), seen_from("layers.1.norm", "layers.1.mlp")
    ('mlp', 'norm')
    """
    parts = path.split(".")
    return ".".join(parts[min(common(parts, other.split(".")), len(parts) - 1) :])


def run_name(first: str, last: str) -> str:
    """Return the name of a run of blocks: the first name, and the part of the last that differs.

    >>> run_name("encoder_layer_0", "encoder_layer_11"), run_name("1", "5"), run_name("a", "a")
    ('encoder_layer_0…11', '1…5', 'a')
    """
    return first if first == last else f"{first}…{last[common(first, last) :]}"


def common(one: Sequence[object], other: Sequence[object]) -> int:
    """Return the length of the common prefix of two sequences; for text, without digits at its end.

    >>> common("layer_10", "layer_12"), common("ab", "abc"), common([1, 2], [1, 3])
    (6, 2, 1)
    """
    length = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    while isinstance(one, str) and length and one[length - 1].isdigit():
        length -= 1
    return length
