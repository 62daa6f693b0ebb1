"""TikZ: the picture as commands for LaTeX."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from graphs import graph_of
from torch import nn

import fxsummary
from fxsummary.errors import InputError

OPTIONS: list[dict[str, Any]] = [
    {},
    {"page": "column", "title": False, "theme": "dark"},
    {"color": "flops", "font_size": 8},
    {"direction": "LR", "background": "none"},
    {"view": "memory"},
    {"view": "roofline"},
]
DRAWN = {"text", "rect", "circle", "path"}
DOCUMENT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{tikz}
\usepackage[scaled]{helvet}
\begin{document}
\resizebox{\linewidth}{!}{\input{model.tikz}}
\end{document}"""


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", ["CNN", "transformer", "LSTM"])
def test_every_element_of_the_picture_is_drawn(name: str, options: dict[str, Any]) -> None:
    graph = graph_of(name)
    root = ElementTree.fromstring(graph.to_svg(**{"theme": "light"} | options))
    kinds = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert {*kinds} <= DRAWN | {"svg", "g", "a", "title", "desc", "style"}
    tikz = graph.to_tikz(**options)
    assert tikz.count("\n\\node[") + tikz.count("\n\\path[") == sum(kind in DRAWN for kind in kinds)
    assert {*re.findall(r"=(fx\w+)", tikz)} == {*re.findall(r"\\definecolor\{(fx\w+)\}", tikz)}
    texts = {"".join(text.itertext()) for text in root.findall(".//{*}text")}
    shown = {text for text in re.findall(r" at \([^)]*\) \{(.*)\};", tikz) if text.isalnum()}
    assert shown == {text for text in texts if text.isalnum()}


def test_render_writes_the_picture(tmp_path: Path) -> None:
    graph = graph_of("CNN")
    assert graph.render(tmp_path / "cnn.tikz").read_text() == graph.to_tikz() == graph.to_tikz(theme="auto")


def test_a_font_is_that_of_the_document() -> None:
    with pytest.raises(InputError, match="texts have the sans-serif font of the document"):
        graph_of("CNN").to_tikz(font="Arial")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_latex_accepts_it(options: dict[str, Any], tmp_path: Path) -> None:
    latex(graph_of("CNN"), tmp_path, **options)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_accepts_any_name(tmp_path: Path) -> None:
    latex(fxsummary.graph(nn.Linear(2, 2)), tmp_path, title=r"\x{y}[z] $a$ 50 % & _b^2~ #1 <c> \"d\" 'e' | `f`")


def latex(graph: fxsummary.ModelGraph, folder: Path, **options: Any) -> None:
    graph.render(folder / "model.tikz", **options)
    (folder / "model.tex").write_text(DOCUMENT)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "model.tex"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert run.returncode == 0, run.stdout[-2000:]
