"""What the command line writes: results on stdout, progress and errors on stderr, in the words of the command line."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TextIO

_WORDS = (
    (r"\bfold=False", "--no-fold"),
    (r"\binput_shape=(?!\w)", "--input"),
    (
        r"\bpositional inputs after the model, and named ones in kwargs=",
        "inputs as --input SHAPE or --input NAME=SHAPE",
    ),
    (r"\b(depth|leaf|scale|columns|view|title|font|theme|page)=(?=['\"\d])", r"--\1 "),
    (r"\b(depth|leaf|scale|columns|view|title|font|theme|page)=(?!\w)", r"--\1"),
    (r"\bfont_size=", "--font-size "),
    (r"\bexample inputs or --input", "--input"),
)
"""Options of Python, and those of the command line."""

_PLAIN = str.maketrans(
    "─│├└×≈≥≤Σ→⇒±…·µ–—’“”∙²³", "-|+`x~><S>>+..u--'\"\"*23",
)  # fmt: skip
"""A character of ASCII, of the same width, for each one of summaries."""

_BOLD, _DIM, _RED, _GREEN, _YELLOW = "1", "2", "31", "32", "33"
_CHANGES = {"+": _GREEN, "-": _RED, "~": _YELLOW}
_HEADS = re.compile(r"(Parameters|Buffers|FLOPs|Memory|Largest|Unknown|Note|Closed|[≈≥?Σ+×][\w+]*)(?= )")


def in_words(text: str) -> str:
    """Return a text with the options of the command line in place of those of Python.

    >>> in_words("21 operations share rows: depth=5 shows all"), in_words("pass example inputs or input_shape=")
    ('21 operations share rows: --depth 5 shows all', 'pass --input')
    """
    for pattern, replacement in _WORDS:
        text = re.sub(pattern, replacement, text)
    return text


def say(text: str) -> None:
    """Write a progress or error message to stderr."""
    name = (
        _painted("fxsummary:", _RED if text.startswith("error") else _DIM) if has_colour(sys.stderr) else "fxsummary:"
    )
    _write(sys.stderr, f"{name} {in_words(text)}\n")


def write(text: str) -> None:
    """Write a result to stdout as it is; replace characters that it cannot encode."""
    _write(sys.stdout, text)


def write_text(text: str) -> None:
    """Write a summary or another text for people to stdout: with colours on a terminal, in ASCII if it needs that."""
    told = in_words(text)
    _write(sys.stdout, _coloured(told) if has_colour(sys.stdout) else told)


def width() -> int:
    """Return the width of the terminal in characters; 80 in a pipe."""
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80


def has_colour(stream: TextIO) -> bool:
    """Whether to write colours: on a terminal, unless NO_COLOR is set, or anywhere if FORCE_COLOR is set."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


def _write(stream: TextIO, text: str) -> None:
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        text = text.translate(_PLAIN)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    stream.write(text)
    stream.flush()


def _coloured(text: str) -> str:
    lines = text.split("\n")
    rules = [place for place, line in enumerate(lines) if line.startswith("──")]
    heads = {0, *(place - 1 for place in rules if place > 1 and not lines[place - 2])}
    facts = rules[-1] if len(rules) > 1 else len(lines)
    return "\n".join([_line(line, place in heads, place > facts) for place, line in enumerate(lines)])


def _line(line: str, is_head: bool, is_fact: bool) -> str:
    if is_head and line:
        return _painted(line, _BOLD)
    if is_fact and (head := _HEADS.match(line)):
        return _painted(head[0], _YELLOW if head[0] == "Note" else _BOLD) + line[head.end() :]
    if line[:1] in _CHANGES and line[1:2] == " ":
        return _painted(line, _CHANGES[line[0]])
    return re.sub(r"^[│├└ ]*[│├└]|^─+$", lambda drawn: _painted(drawn[0], _DIM), line)


def _painted(text: str, style: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m"
