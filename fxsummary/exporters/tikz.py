"""Export to TikZ: the SVG picture as commands for LaTeX, whose texts are in the fonts of the document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

from fxsummary.errors import InputError
from fxsummary.exporters.latex import escaped
from fxsummary.exporters.svg import to_svg
from fxsummary.graph.modelgraph import ModelGraph

Style = Mapping[str, str]
Point = tuple[float, float]

_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_STEP = re.compile(r"([A-Za-z])([^A-Za-z]*)")
_NUMBER = re.compile(r"-?[\d.]+")
_COLOUR = re.compile("fx([0-9A-F]{6})")
_ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}
_TEXT_SYMBOLS = {r"$\times$": r"\texttimes{}", r"$\cdot$": r"\textperiodcentered{}", r"\ldots{}": r"\fxdots{}"}
"""Symbols in the font of the text, in place of those of mathematics."""
_HEAD = r"""% {title}
% Preamble: \usepackage{{tikz}} and, for the font that the texts were measured in, \usepackage[scaled]{{helvet}}.
% Text: \resizebox{{\linewidth}}{{!}}{{\input{{...}}}} with the name of this file.
\begin{{tikzpicture}}[x={scale:g}pt, y=-{scale:g}pt, line cap=round, line join=round, inner sep=0pt]
\def\fxdots{{\makebox[.6em]{{\scalebox{{.5}}[1]{{...}}}}}}"""


def to_tikz(graph: ModelGraph, *, theme: str = "light", **options: Any) -> str:
    """Return the picture as TikZ; see `ModelGraph.to_tikz`."""
    if options.get("font") is not None:
        raise InputError("font= has no meaning in TikZ: the texts have the sans-serif font of the document.")
    return tikz_of(to_svg(graph, theme="light" if theme == "auto" else theme, **options))


def tikz_of(svg: str) -> str:
    """Convert one of our SVGs to TikZ."""
    root = ElementTree.fromstring(svg)
    scale = float(root.get("width", "1")) / float(root.get("viewBox", "0 0 1 1").split()[2])
    rules = _rules(root.findtext("{*}style", ""))
    drawn = [command for element in root.iter() for command in _commands(element, rules, scale)]
    colours = sorted({colour for command in drawn for colour in _COLOUR.findall(command)})
    head = _HEAD.format(title=escaped(root.findtext("{*}title", "")), scale=scale)
    defined = [rf"\definecolor{{fx{colour}}}{{HTML}}{{{colour}}}" for colour in colours]
    return "\n".join([head, *defined, *drawn, r"\end{tikzpicture}", ""])


def _rules(css: str) -> dict[str, dict[str, str]]:
    """Return the properties of each class of a style sheet."""
    rules: dict[str, dict[str, str]] = {}
    for selector, body in _RULE.findall(css):
        properties = (each.partition(":") for each in body.split(";"))
        rules.setdefault(selector.rpartition(".")[2], {}).update({name: value for name, _, value in properties})
    return rules


def _commands(element: ElementTree.Element, rules: Mapping[str, Style], scale: float) -> Iterator[str]:
    """Yield the command that draws an element, if it has one."""
    classes = element.get("class", "").split()
    style = {name: value for each in classes for name, value in rules.get(each, {}).items()} | element.attrib
    x, y, width, height = (float(style.get(name, 0)) for name in ("x", "y", "width", "height"))
    match element.tag.rpartition("}")[2]:
        case "text":
            text = escaped("".join(element.itertext()), limit=1000)
            for symbol, other in _TEXT_SYMBOLS.items():
                text = text.replace(symbol, other)
            yield rf"\node[{_font(style, classes, scale)}] at {_at(x, y)} {{{text}}};"
        case "rect":
            yield rf"\path[{_options(style, scale)}] {_at(x, y)} rectangle {_at(x + width, y + height)};"
        case "circle":
            centre = _at(float(style["cx"]), float(style["cy"]))
            yield rf"\path[{_options(style, scale)}] {centre} circle[radius={float(style['r']):g}];"
        case "path":
            yield rf"\path[{_options(style, scale)}] {' '.join(_steps(style['d']))};"


def _options(style: Style, scale: float) -> str:
    """Return the options of a path: colours, line and corners."""
    stroke, fill = style.get("stroke", "none"), style.get("fill", "#000000")
    found = [f"{use}={_colour(value)}" for use, value in (("draw", stroke), ("fill", fill)) if value != "none"]
    if stroke != "none":
        found.append(f"line width={float(style.get('stroke-width', 1)) * scale:g}pt")
    if dashes := style.get("stroke-dasharray"):
        on, off = (float(each) * scale for each in dashes.split())
        found.append(f"dash pattern=on {on:g}pt off {off:g}pt")
    if "rx" in style:
        found.append(f"rounded corners={float(style['rx']) * scale:g}pt")
    return ", ".join(found)


def _font(style: Style, classes: list[str], scale: float) -> str:
    """Return the options of a text."""
    size = float(style["font-size"]) * scale
    family = r"\ttfamily" if "m" in classes else r"\sffamily"
    weight = r"\bfseries" if style.get("font-weight") == "bold" else ""
    font = rf"\fontsize{{{size:g}}}{{{size:g}}}{family}{weight}\selectfont"
    return f"anchor={_ANCHORS[style.get('text-anchor', 'start')]}, text={_colour(style['fill'])}, font={font}"


def _colour(colour: str) -> str:
    return f"fx{colour.removeprefix('#').upper()}"


def _at(x: float, y: float) -> str:
    return f"({x:g}, {y:g})"


def _steps(d: str) -> Iterator[str]:
    """Yield the steps of a path of SVG; a quadratic curve becomes the cubic one of the same shape.

    >>> " ".join(_steps("M1 2h3v4q0 3 3 3L0 0z"))
    '(1, 2) -- (4, 2) -- (4, 6) .. controls (4, 8) and (5, 9) .. (7, 9) -- (0, 0) -- cycle'
    """
    x = y = 0.0
    for letter, rest in _STEP.findall(d):
        numbers, kind = list(map(float, _NUMBER.findall(rest))), letter.upper()
        if kind == "Z":
            yield "-- cycle"
            continue
        left, top = (x, y) if letter.islower() else (0.0, 0.0)
        end = (
            (left + numbers[0], y) if kind == "H"
            else (x, top + numbers[0]) if kind == "V"
            else (left + numbers[-2], top + numbers[-1])
        )  # fmt: skip
        if kind == "Q":
            middle = left + numbers[0], top + numbers[1]
            first, second = (_towards(middle, each) for each in ((x, y), end))
            yield f".. controls {_at(*first)} and {_at(*second)} .. {_at(*end)}"
        else:
            yield _at(*end) if kind == "M" else f"-- {_at(*end)}"
        x, y = end


def _towards(middle: Point, end: Point) -> Point:
    """Return the control point of a cubic curve from that of a quadratic one and an end."""
    return end[0] + (middle[0] - end[0]) * 2 / 3, end[1] + (middle[1] - end[1]) * 2 / 3
