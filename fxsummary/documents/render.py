"""Render a model for documents as a picture or a table, cached by content, so that a second build is free."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fxsummary import __version__
from fxsummary.documents import picture_options
from fxsummary.drawing.style import dark_rules
from fxsummary.errors import InputError
from fxsummary.exporters.svg import VIEWS as PICTURES
from fxsummary.exporters.tables.summary import VIEWS as TABLES
from fxsummary.loading.load_model import Request, analyse
from fxsummary.loading.places import file_of
from fxsummary.support import files
from fxsummary.support.registry import unknown
from fxsummary.text.html import escape

if TYPE_CHECKING:
    from torch import nn

    from fxsummary.graph.modelgraph import ModelGraph

_OLD = {"picture": "model", "table": "summary", "tree": "modules"}
"""Former names of views in documents."""

PICTURE_OPTIONS = tuple(name for name in picture_options.OPTIONS if name != "theme")
"""Options of the picture; its colour scheme is that of the page."""
PLACING = ("width", "no-links")
FLAGS = ("train", "no-links", *picture_options.FLAGS)
OPTIONS = (
    *("input", "arg", "config", "config-arg", "train", "view", "depth"), *PICTURE_OPTIONS, *PLACING, "alt", "caption"
)  # fmt: skip
"""All options of a model in a document, as text; several inputs or arguments are written in one line.

Those in `FLAGS` have no value.
"""
_WIDTH = re.compile(r"\d+(\.\d+)?(px|%|em|rem|ch|vw|pt|cm|mm|in)")


@dataclass(frozen=True)
class Embedding:
    """A picture or table that a document requests.

    Attributes:
        request: the model and its inputs.
        view: a picture (`PICTURES`), or else a table (`TABLES`).
        depth: levels of modules to open, 0 for the model as one row; None for as many as fit.
        options: further options of the picture, by name.
        width: its width in the page, such as "80%"; "" for its own.
        links: whether there are links to the picture alone and to the interactive page.
    """

    request: Request
    view: str = "model"
    depth: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    width: str = ""
    links: bool = True

    @property
    def kind(self) -> str:
        """What it is: "picture" or "table"."""
        return "picture" if self.view in PICTURES else "table"


def embedding(model: str, options: Mapping[str, str], folder: Path) -> Embedding:
    """Parse the options that a document gives for a model; raises InputError for wrong ones.

    The options in `FLAGS` have no value. Paths of models are relative to ``folder``.
    """
    for name in options:
        if name not in OPTIONS:
            raise InputError(f"unknown option {name!r}. Known: {', '.join(OPTIONS)}.")
    view = _OLD.get(said := options.get("view", "model"), said)
    if view not in PICTURES and view not in TABLES:
        raise InputError(unknown("view", view, list(dict.fromkeys((*PICTURES, *TABLES)))))
    depth = options.get("depth", "")
    if depth and not depth.isdecimal():
        raise InputError(f"depth {depth!r} is not a number of module levels: pass 0 (the model as one row) or more.")
    given = {name: options[name] for name in (*PICTURE_OPTIONS, *PLACING) if name in options}
    if given and view not in PICTURES:
        raise InputError(f"{next(iter(given))} is an option of the picture, not of the table.")
    width, has_links = given.pop("width", ""), given.pop("no-links", None) is None
    if width and not _WIDTH.fullmatch(width):
        raise InputError(f"width {width!r} is not a width with a unit, such as 80% or 600px.")
    inputs, arguments, config_arguments = (_words(options, name) for name in ("input", "arg", "config-arg"))
    place = _placed(model.strip(), folder)
    request = Request(place, inputs, arguments, options.get("config"), config_arguments, "train" in options)
    look = {"background": "none", **picture_options.chosen(given)}
    return Embedding(request, view, int(depth) if depth else None, look, width, has_links)


def _words(options: Mapping[str, str], name: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(options.get(name, "")))
    except ValueError as error:
        raise InputError(f"{name} {options[name]!r} cannot be read: {error}.") from error


def _placed(model: str, folder: Path) -> str:
    """Return the model with an absolute path, if it is named by a file."""
    place, separator, factory = model.rpartition(":")
    if place.endswith(".py"):
        return f"{(folder / place).resolve()}{separator}{factory}"
    here = str((folder / model).resolve())
    return here if model.endswith(".py") or file_of(here) is not None else model


@dataclass(frozen=True)
class Shown:
    """A rendered model, in the formats that documents need.

    Attributes:
        svg: the picture in the light scheme, "" for a table.
        page: the interactive page, "" if it is not wanted.
        titles, rows: headings and rows of the table; `numbers` says which columns contain numbers.
        text: the same as plain text.
        files: the files that it was made from, with their contents.
    """

    svg: str
    page: str
    titles: Sequence[str]
    numbers: Sequence[bool]
    rows: Sequence[Sequence[str]]
    text: str
    files: Mapping[str, str]


def show(wanted: Embedding, kept: Path) -> Shown:
    """Render a model for a document, or read it from the folder ``kept`` if nothing has changed."""
    asked = [asdict(wanted), __version__, version("torch"), sys.version]
    place = kept / f"{_digest(json.dumps(asked, sort_keys=True).encode())}.json"
    with suppress(OSError, ValueError):
        known = Shown(**json.loads(place.read_bytes()))
        if all(_digest_of(name) == digest for name, digest in known.files.items()):
            return known
    sources: set[str] = set()
    graph = analyse(wanted.request, made=lambda model: sources.update(_sources(model)))
    if (file := file_of(wanted.request.model)) is not None:
        sources.add(file)
    made = _shown(graph, wanted, {name: _digest_of(name) for name in sorted(sources)})
    kept.mkdir(parents=True, exist_ok=True)
    files.write(place, json.dumps(asdict(made), ensure_ascii=False).encode())
    return made


def _shown(graph: ModelGraph, wanted: Embedding, sources: Mapping[str, str]) -> Shown:
    text = graph.to_text(view=None if wanted.view == "model" else wanted.view, depth=wanted.depth)
    if wanted.kind == "picture":
        svg = graph.to_svg(view=wanted.view, depth=wanted.depth, theme="light", **wanted.options)
        title = wanted.options.get("title") or None
        page = graph.to_html(depth=wanted.depth, title=title) if wanted.links else ""
        return Shown(svg, page, (), (), (), text, sources)
    table = TABLES[wanted.view](graph, wanted.depth, True, None)
    titles, numbers = [column.title for column in table.columns], [column.right for column in table.columns]
    rows = [(f"{row.head} {row.settings}".rstrip(), *row.cells) for row in table.rows]
    return Shown("", "", titles, numbers, rows, text, sources)


def _sources(model: nn.Module) -> set[str]:
    """Return the files of the model's classes, and all imported files that are not installed packages (user code)."""
    from fxsummary.capture.module_index import modules_of

    names = {type(module).__module__ for module in modules_of(model)}
    found = {_file(sys.modules.get(name)) for name in names if not name.startswith("torch.")}
    installed = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    own = {_file(module) for module in list(sys.modules.values())}
    return {name for name in found | {name for name in own if not name.startswith(installed)} if name}


def _file(module: object) -> str:
    name = getattr(module, "__file__", None)
    return name if isinstance(name, str) and name.endswith(".py") and os.path.isabs(name) else ""


def _digest_of(name: str) -> str:
    with suppress(OSError):
        return _digest(Path(name).read_bytes())
    return ""


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def described(options: Mapping[str, str], shown: Shown) -> str:
    """Return the alternative text of the picture."""
    noun = options.get("view") if options.get("view") in PICTURES[1:] else "architecture"
    return options.get("alt") or f"{noun} of {shown.text.partition(' · ')[0]}"


def inline(svg: str, alt: str, width: str = "") -> str:
    """Return the picture as part of a page, no wider than its place, with its alternative text."""
    start, _, rest = svg.partition(' aria-label="')
    size = f"width:{width};" if width else ""
    start = start.replace('class="fx-light"', 'class="fx-light fx-page"', 1)
    return f'{start} style="{size}max-width:100%;height:auto" aria-label="{escape(alt)}"{rest.partition(chr(34))[2]}'


CSS, FOLDER = "fxsummary.css", "fxsummary"
"""Names of the style sheet for pages with pictures and tables, and of the folder for what these link to."""


def linked_files(shown: Shown) -> dict[str, str]:
    """Return the files that a picture links to, by name: the picture alone, and the interactive page."""
    found = {"svg": shown.svg, "html": shown.page} if shown.page else {}
    return {f"{_digest(text.encode())[:24]}.{suffix}": text for suffix, text in found.items()}


def links(names: Iterable[str], folder: str) -> str:
    """Return a paragraph with links to `linked_files` in a folder; "" if there are none."""
    texts = {".svg": "full picture", ".html": "interactive page"}
    parts = [f'<a href="{escape(folder)}{name}">{texts[Path(name).suffix]}</a>' for name in names]
    return f'<p class="fxsummary-links">{" · ".join(parts)}</p>' if parts else ""


SCHEMES = (
    ("light", "data-theme", "light"), ("dark", "data-theme", "dark"), ("auto", "data-theme", "auto"),
    ("light", "data-md-color-scheme", "default"), ("dark", "data-md-color-scheme", "slate"),
    ("light", "data-bs-theme", "light"), ("dark", "data-bs-theme", "dark"), ("auto", "data-bs-theme", "auto"),
)  # fmt: skip
"""Marks of pages with a chosen colour scheme: scheme, attribute and value."""


def page_css() -> str:
    """Return the style sheet of such pages.

    A picture has the scheme of the page's mark, and the page's ground. On a page without a mark, it is light on white.
    """
    rules = [
        ".fxsummary-table :is(th,td){text-align:left}",
        ".fxsummary-table .fxsummary-number{text-align:right;font-variant-numeric:tabular-nums}",
        ".fxsummary-links{font-size:.85em;margin:.3em 0}",
        ".fxsummary-table :is(th,td){padding:.15em .6em;vertical-align:top}",
        ".fxsummary-table code{background:none;border:0;padding:0;white-space:nowrap}",
        ".fx-page{background:#fff}",
    ]
    for scheme, name, value in SCHEMES:
        scope = f'[{name}="{value}"] .fx-page'
        dark = "" if scheme == "light" else dark_rules(scope)
        rules.append(f"{scope}{{background:none}}")
        rules.append(f"@media screen and (prefers-color-scheme:dark){{{dark}}}" if scheme == "auto" else dark)
    return "\n".join(filter(None, rules)) + "\n"
