"""MkDocs plugin: a fenced block with the language ``fxsummary`` shows a model's picture or table.

Add ``fxsummary`` to ``plugins`` in mkdocs.yml. The first line of the block names the model, and each further line is
``option: value``, with the options of `fxsummary.documents.render.OPTIONS`. If a model fails, the page shows the
reason, and MkDocs prints a warning with file and line, which fails ``mkdocs build --strict``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.config import config_options
from mkdocs.config.base import Config
from mkdocs.plugins import BasePlugin, get_plugin_logger
from mkdocs.utils import get_relative_url

from fxsummary.documents.render import (
    CSS,
    FOLDER,
    Shown,
    described,
    embedding,
    inline,
    linked_files,
    links,
    page_css,
    show,
)
from fxsummary.errors import FxsummaryError, InputError
from fxsummary.support import files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.livereload import LiveReloadServer
    from mkdocs.structure.pages import Page

logger = get_plugin_logger("fxsummary")

_BLOCK = re.compile(
    r"^(?P<indent>[^\S\n]*)(?P<mark>(?P<char>[`~])(?P=char){2,})[^\S\n]*(?P<info>[^\n]*?)[^\S\n]*$"
    r"(?P<body>.*?)(?:^[^\S\n]*(?P=mark)(?P=char)*[^\S\n]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
"""A fenced block of any language."""


class Options(Config):
    """The plugin's settings in mkdocs.yml."""

    cache_dir = config_options.Type(str, default=".cache/fxsummary")
    """Folder of cached results, next to mkdocs.yml."""


class FxsummaryPlugin(BasePlugin[Options]):
    """Replaces fenced blocks by pictures and tables."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._linked: dict[str, str] = {}

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        """Add our style sheet to the pages."""
        config["extra_css"].append(f"assets/{CSS}")
        return config

    def on_page_markdown(self, markdown: str, *, page: Page, config: MkDocsConfig, **_: object) -> str:
        """Return the text of a page with HTML instead of our blocks."""
        source = page.file.content_string
        above = max(0, source.count("\n") - markdown.count("\n"))  # MkDocs reads these lines as the page's metadata
        kept = Path(config["config_file_path"] or ".").parent / self.config.cache_dir

        def replaced(block: re.Match[str]) -> str:
            if block["info"] != "fxsummary":
                return block[0]
            body = [line.strip() for line in block["body"].split("\n") if line.strip()]
            try:
                html = self._html(body, page, kept)
            except FxsummaryError as error:
                number = above + markdown.count("\n", 0, block.start()) + 1
                logger.warning("%s:%d: %s", page.file.src_uri, number, error)
                told = escape(f"{body[0] if body else 'model'} cannot be shown: {error}")
                html = f'<div class="admonition warning"><p class="admonition-title">Warning</p><p>{told}</p></div>'
            return f"{block['indent']}{html}\n"

        return _BLOCK.sub(replaced, markdown)

    def _html(self, body: list[str], page: Page, kept: Path) -> str:
        said: dict[str, str] = {}
        if not body:
            raise InputError("the block is empty: name the model in its first line, as package.module:factory.")
        for line in body[1:]:
            name, _, value = line.partition(":")
            if name.strip() in said:
                raise InputError(f"{name.strip()} is given twice: write several inputs or arguments in one line.")
            said[name.strip()] = value.strip()
        wanted = embedding(body[0], said, Path(page.file.abs_src_path).parent)
        shown = show(wanted, kept)
        self._used.update(shown.files)
        if wanted.kind == "picture":
            linked = linked_files(shown)
            self._linked |= {f"{FOLDER}/{name}": text for name, text in linked.items()}
            svg = inline(shown.svg, described(said, shown), wanted.width).replace("\n", "")
            below = links(linked, get_relative_url(f"assets/{FOLDER}/", page.url))
            return _figure(svg + below, said.get("caption", ""))
        return _table(shown, said.get("caption", ""))

    def on_serve(self, server: LiveReloadServer, **_: object) -> LiveReloadServer:
        """Rebuild pages when the files of their models change."""
        for name in sorted(self._used):
            server.watch(name)
        return server

    def on_post_build(self, *, config: MkDocsConfig) -> None:
        """Write the style sheet, and the files that pictures link to, to the site."""
        assets = Path(config["site_dir"]) / "assets"
        for name, text in {CSS: page_css(), **self._linked}.items():
            (assets / name).parent.mkdir(parents=True, exist_ok=True)
            files.write(assets / name, text.encode())


def _figure(content: str, text: str) -> str:
    caption = f"<figcaption>{escape(text)}</figcaption>" if text else ""
    return f'<figure class="fxsummary-picture">{content}{caption}</figure>'


def _table(shown: Shown, text: str) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        made = []
        for at, (text, is_number) in enumerate(zip(row, shown.numbers, strict=True)):
            content = escape(text)
            if at == 0 and tag == "td":
                content = f"<code>{content.replace(' ', '&nbsp;')}</code>"
            kind = ' class="fxsummary-number"' if is_number else ""
            made.append(f"<{tag}{kind}>{content}</{tag}>")
        return f"<tr>{''.join(made)}</tr>"

    caption = f"<caption>{escape(text)}</caption>" if text else ""
    rows = "".join([cells(row, "td") for row in shown.rows])
    head = f"<thead>{cells(shown.titles, 'th')}</thead>"
    return f'<table class="fxsummary-table">{caption}{head}<tbody>{rows}</tbody></table>'
