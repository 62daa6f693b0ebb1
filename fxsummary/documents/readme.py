"""Fill blocks in Markdown files from models: a table, a Mermaid flowchart or a picture.

A block is the text between ``<!-- fxsummary: MODEL --view summary -->`` and ``<!-- /fxsummary -->``, each on a separate
line and outside of fenced code. The rest of the file stays unchanged, byte for byte.
"""

from __future__ import annotations

import argparse
import difflib
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote

from fxsummary.documents import picture_options
from fxsummary.errors import FxsummaryError, InputError, ReadmeError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.support import files
from fxsummary.text.numbers import clean

_OLD = {"table": ("summary", "markdown", ""), "mermaid": ("model", "mermaid", "")}
"""Former views that named a format: view, format and path; the third was ``svg=PATH``."""
_NOUNS = {"markdown": "table", "mermaid": "flowchart"}
"""What a block shows that is not a picture, by format."""
MOST_CHANGES = 20
"""Number of lines that a stale block shows of its changes."""

_TITLES = ("title", "no-title")
"""Options of the picture that the table and the flowchart have, too."""

_OPENING = re.compile(r"\ufeff? {0,3}<!--\s*fxsummary:(.*)$")
_CLOSING = re.compile(r" {0,3}<!--\s*/fxsummary\s*-->\s*$")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_MODEL_OPTIONS = ("model", "input", "arg", "config", "config_arg", "train")
_EXAMPLE = "<!-- fxsummary: models.py:CNN --input 1x3x28x28 --view summary -->"


class BlockParser(argparse.ArgumentParser):
    """Parses the arguments of a block; raises InputError instead of exiting the process."""

    def __init__(self) -> None:
        super().__init__(prog="fxsummary:", add_help=False, allow_abbrev=False)
        self.add_argument("--view", help="a table, as for show (default: summary); with -o a picture, as for render")
        self.add_argument("--format", choices=tuple(_NOUNS), default="markdown", help="of what is not a picture")
        self.add_argument("-o", "--output", default="", help="draw a picture to this .svg file, and show it")
        self.add_argument("--no-fold", action="store_true", help="show each of several identical blocks")
        self.add_argument("--no-notes", action="store_true", help="leave out the notes below the table")

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}. A block looks like {_EXAMPLE}")


class Block(NamedTuple):
    """A block of a file: the numbers of the lines that open and close it, and its arguments."""

    line: int
    end: int
    text: str


class Result(NamedTuple):
    """Result for one block: its line, and how its text or picture differs from the file; () if it is up to date."""

    line: int
    changes: tuple[str, ...]


def refresh(
    path: Path,
    parser: argparse.ArgumentParser,
    graph_of: Callable[[argparse.Namespace], ModelGraph],
    look_of: Callable[[argparse.Namespace], Mapping[str, Any]],
    check: bool,
) -> list[Result]:
    """Fill all blocks of a file, or only compare them (``check``), and return the result for each.

    ``parser`` is a `BlockParser` with the arguments that name a model and those of the picture; ``graph_of`` returns
    the graph for the former, and ``look_of`` the latter that are given.

    Raises:
        ReadmeError: the file cannot be read or a block is wrong; the message has file and line. Nothing is written.
        OutputError: a file cannot be written.
    """
    data, text = _read(path)
    lines = text.split("\n")
    results: list[Result] = []
    pictures: dict[Path, bytes] = {}
    graphs: dict[str, ModelGraph] = {}
    filled: list[str] = []
    start = 0
    for block in find_blocks(lines, path):
        try:
            options = parser.parse_args(shlex.split(block.text))
            asked = repr([getattr(options, name) for name in _MODEL_OPTIONS])
            graph = graphs[asked] = graphs.get(asked) or graph_of(options)
            content, drawn = fill(graph, options, look_of(options), path.parent)
        except (FxsummaryError, ValueError) as error:
            raise ReadmeError(f"{path}, line {block.line}: {error}") from error
        ending = "\r" if lines[block.line - 1].endswith("\r") else ""
        new = [f"{line}{ending}" for line in ("", *content.split("\n"), "")]
        changes = [*_changes(lines[block.line : block.end - 1], new), *_stale_pictures(drawn, path.parent)]
        results.append(Result(block.line, tuple(changes)))
        pictures |= drawn
        filled += [*lines[start : block.line], *new]
        start = block.end - 1
    if not check:
        _write(path, data, "\n".join([*filled, *lines[start:]]).encode("utf-8"), pictures)
    return results


def _changes(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Return the lines that differ as in a unified diff, up to a limit."""
    lines = [clean(line) for line in difflib.unified_diff(before, after, n=0, lineterm="")][2:]
    found = [line for line in lines if not line.startswith("@@") and line.strip() not in ("+", "-")]
    more = [f"… and {len(found) - MOST_CHANGES} more lines"] if len(found) > MOST_CHANGES else []
    same = ["empty lines"] if lines and not found else []
    return [*found[:MOST_CHANGES], *more, *same]


def _stale_pictures(pictures: Mapping[Path, bytes], folder: Path) -> Iterator[str]:
    for path, data in pictures.items():
        if _differs(path, data):
            yield f"{path.relative_to(folder)} {'differs' if path.exists() else 'does not exist'}"


def find_blocks(lines: Sequence[str], path: Path) -> list[Block]:
    """Return the blocks in the lines of a file; raises ReadmeError if one is not closed, or if there are none."""
    blocks: list[Block] = []
    opened: tuple[int, str] | None = None
    fence = ""  # of the code around; fences inside a block belong to its contents
    for number, line in enumerate(lines, start=1):
        opening, mark = _OPENING.match(line), _FENCE.match(line)
        if fence:
            closes = mark and mark[1].startswith(fence) and not line[mark.end() :].strip()
            fence = "" if closes else fence
        elif opening and opened:
            raise ReadmeError(f"{path}, line {opened[0]}: this block is not closed before line {number}.")
        elif opening:
            text, end, rest = opening[1].partition("-->")
            if not end or rest.strip():
                raise ReadmeError(f"{path}, line {number}: the comment must end with --> at the end of this line.")
            opened = number, text
        elif _CLOSING.match(line):
            if opened is None:
                raise ReadmeError(f"{path}, line {number}: there is no open block to close.")
            blocks.append(Block(opened[0], number, opened[1]))
            opened = None
        elif mark and not opened:
            fence = mark[1]
    if opened:
        raise ReadmeError(f"{path}, line {opened[0]}: this block is not closed: write <!-- /fxsummary --> after it.")
    if not blocks:
        raise ReadmeError(f"{path} has no blocks. Write {_EXAMPLE} and <!-- /fxsummary --> on separate lines.")
    return blocks


def fill(
    graph: ModelGraph, options: argparse.Namespace, look: Mapping[str, Any], folder: Path
) -> tuple[str, dict[Path, bytes]]:
    """Return the contents of a block, and the pictures that it shows, by path; ``look`` has the picture's options."""
    from fxsummary.exporters.markdown import escaped

    chosen: dict[str, Any] = {"depth": options.depth, "fold": False if options.no_fold else "similar"}
    view, form, place = _asked(options)
    if form != "svg" and (other := next((name for name in look if name not in _TITLES), "")):
        raise InputError(f"--{other} is an option of the picture, not of the {_NOUNS[form]}.")
    if options.no_notes and form != "markdown":
        raise InputError("--no-notes is an option of the table.")
    title = picture_options.chosen(look).get("title")
    if form == "markdown":
        return graph.to_markdown(**chosen, view=view, title=title, notes=not options.no_notes).rstrip("\n"), {}
    if form == "mermaid":
        heading = f"**{escaped(title)}**\n\n" if title else ""
        return f"{heading}```mermaid\n{graph.to_mermaid(**chosen)}```", {}
    if PurePosixPath(place).is_absolute() or ":" in place or "\\" in place or not place.endswith(".svg"):
        raise InputError(f"{place!r} is not the path of an .svg file relative to this file, such as cnn.svg.")
    svg = graph.to_svg(**chosen, view=view, **picture_options.chosen(look))
    return f"![{escaped(title or graph.name)}]({quote(place)})", {folder / place: svg.encode("utf-8")}


def _asked(options: argparse.Namespace) -> tuple[str, str, str]:
    """Return the view, the format and, for a picture, its path."""
    start, _, place = (options.view or "").partition("=")
    if start == "svg" and place:
        return "model", "svg", place
    if start in _OLD and not place:
        return _OLD[start]
    if options.output:
        return options.view or "model", "svg", options.output
    view = options.view or ("model" if options.format == "mermaid" else "summary")
    if (view == "model") != (options.format == "mermaid"):
        way = "add -o PATH.svg or --format mermaid" if view == "model" else "the flowchart has the view model"
        raise InputError(f"--view {view} does not fit --format {options.format}: {way}.")
    return view, options.format, ""


def _read(path: Path) -> tuple[bytes, str]:
    try:
        data = path.read_bytes()
        return data, data.decode("utf-8")
    except OSError as error:
        raise ReadmeError(f"cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ReadmeError(f"{path}, line {line}: this is not UTF-8 text. Nothing was written.") from error


def _differs(path: Path, data: bytes) -> bool:
    with suppress(OSError):
        return path.read_bytes() != data
    return True


def _write(path: Path, before: bytes, after: bytes, pictures: dict[Path, bytes]) -> None:
    for picture, data in pictures.items():
        if _differs(picture, data):
            files.write(picture, data)
    if before != after:
        if path.read_bytes() != before:
            raise ReadmeError(f"{path} changed while its blocks were computed, so it was not written: run this again.")
        files.write(path.resolve(), after)
