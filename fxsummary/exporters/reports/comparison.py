"""Export a comparison as text, as Markdown for a pull request, and as plain values for JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from fxsummary.compare import Line, changed_lines
from fxsummary.compare.line import plain, shortened, size
from fxsummary.errors import InputError
from fxsummary.exporters.tables.table import Column, render_table, tree, wrap
from fxsummary.graph.changes import SIGNS, Comparison
from fxsummary.graph.findings import Finding
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import Totals
from fxsummary.text import numbers as fmt

MOST_LINES = 10
"""Maximum number of lines above the Markdown table."""
MOST_TOLD = 100
"""Number of lines up to which the text shows all of them."""
MOST_ROWS = 200
"""Maximum number of rows of the Markdown table, because hosts limit the length of comments."""


def changes(graph: ModelGraph, comparison: Comparison, width: int, depth: int | None) -> list[str]:
    """Return the differences as text: totals before and after, then the modules and operations that changed."""
    lines = wrap(heading(comparison), width, "  ")
    if comparison.equal:
        return [*lines, "", *wrap(no_differences(comparison), width, "")]
    columns = (Column(""), *(Column(title, right=True) for title in ("Before", "After", "Change", "%")))
    rows = [(*row[:4], row[4].removesuffix(" %")) for row in totals(comparison)]
    lines += ["", *render_table(columns, rows, width), ""]
    lines += [*wrap(moved_peak(comparison), width, "  "), ""] if moved_peak(comparison) else []
    changed = changed_lines(graph) if depth != 0 else []
    told = changed if depth is not None or size(changed) <= MOST_TOLD else shortened(changed, MOST_TOLD)
    found = [
        (SIGNS.get(line.change, ""), tree(branches) + " ".join(filter(None, (line.name, line.text))), *_costs(line))
        for _, branches, line in _walk(told, depth)
    ]
    columns = (Column(""), Column("Module", shrinks=20), Column("Parameters", right=True), Column("FLOPs", right=True))
    lines += render_table(columns, found, width) if found else []
    lines += ["", *wrap(counted(comparison), width, "")]
    if told is not changed:
        levels = max(len(branches) for _, branches, _ in _walk(changed)) + 1
        lines += wrap(f"{size(changed) - size(told)} lines are closed: depth={levels} shows all", width, "")
    if any(re.search(r" ×\d", row[1]) for row in found):
        lines += wrap("×N: numbers, including those of inner lines, are totals over all copies", width, "")
    return lines


def markdown(graph: ModelGraph) -> str:
    """Return the differences as Markdown: a line per module that changed most, totals, and a collapsed table."""
    comparison = _comparison(graph)
    if comparison.equal:
        return f"### {_escaped(heading(comparison))}\n\n{_escaped(no_differences(comparison))}\n"
    lines = changed_lines(graph)
    parts = [f"### {_escaped(heading(comparison))}", ""]
    parts += [f"- {sentence(*_told(line))}" for line in lines[:MOST_LINES] if line.change]
    parts += [f"- and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    parts += [f"- {_escaped(moved_peak(comparison))}"] if moved_peak(comparison) else []
    parts += ["", "| | Before | After | Change | |", "|:--|--:|--:|--:|--:|"]
    parts += ["| " + " | ".join(row) + " |" for row in totals(comparison)]
    rows = list(_walk(lines))
    parts += ["", f"<details><summary>{counted(comparison)}</summary>", ""]
    parts += ["| | Module | | Parameters | FLOPs |", "|:-:|:--|:--|--:|--:|"]
    for path, _, line in rows[:MOST_ROWS]:
        cells = SIGNS.get(line.change, ""), _code(path), _escaped(line.text)
        parts.append("| " + " | ".join((*cells, *_costs(line))) + " |")
    parts += ["", f"… and {len(rows) - MOST_ROWS} more rows."] if len(rows) > MOST_ROWS else []
    return "\n".join([*parts, "", "</details>"]) + "\n"


def data(graph: ModelGraph) -> dict[str, object]:
    """Return the differences as plain values for JSON."""
    comparison = _comparison(graph)
    return {
        "equal": comparison.equal,
        "before": _side(comparison, 0),
        "after": _side(comparison, 1),
        "operations": dict(comparison.counts),
        "changes": [_record(line) for line in (changed_lines(graph) if not comparison.equal else ())],
    }


def notices(graph: ModelGraph) -> list[Finding]:
    """Return the differences as findings, for annotations of source lines."""
    told = [_told(line) for line in changed_lines(graph)] if not _comparison(graph).equal else []
    return [
        Finding("diff", sentence(path, line, plain=True), line.path, line.source, level="notice")
        for path, line in told
        if line.change
    ]


def title(comparison: Comparison) -> str:
    """Return the result in one line."""
    return f"{heading(comparison)}: {no_differences(comparison) if comparison.equal else counted(comparison)}"


def heading(comparison: Comparison) -> str:
    """Return the heading: the compared models and their inputs.

    >>> heading(Comparison(Totals(), Totals(), ("Net", "Net2"), {}, (1, 1), inputs=("x 1×4", "x 1×4")))
    'Net → Net2 · input x 1×4'
    """
    names, inputs = dict.fromkeys(comparison.names), dict.fromkeys(comparison.inputs)
    shown = " → ".join(each or "none" for each in inputs)
    return f"{' → '.join(names)} · input {shown}"


def no_differences(comparison: Comparison) -> str:
    """Return the sentence for equal models."""
    totals, operations = comparison.after, comparison.operations[1]
    return (
        f"No differences: {operations:,} operations, {fmt.count(totals.parameters)} parameters, "
        f"{fmt.flops(totals.flops)} in both."
    )


def counted(comparison: Comparison) -> str:
    """Format the number of operations by change."""
    counts = comparison.counts
    shown = [f"{counts[change]:,} {change}" for change in SIGNS if change != "same"]
    return f"Operations: {', '.join(shown)}, {counts['same']:,} the same"


_TOTALS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("Parameters", "parameters", fmt.count),
    ("Trainable", "trainable_parameters", fmt.count),
    ("Parameter bytes", "parameter_bytes", fmt.size),
    ("Buffer bytes", "buffer_bytes", fmt.size),
    ("FLOPs", "flops", fmt.short),
)


def totals(comparison: Comparison) -> Iterator[tuple[str, str, str, str, str]]:
    """Return the relevant totals as rows: title, before, after, change, and change in percent."""
    a, b = comparison.before, comparison.after
    hidden = {"Trainable"} if a.frozen_parameters == b.frozen_parameters == 0 else set[str]()
    hidden |= {"Buffer bytes"} if a.buffer_bytes == b.buffer_bytes else set()
    rows = [(title, getattr(a, name), getattr(b, name), text) for title, name, text in _TOTALS if title not in hidden]
    if comparison.peaks != (None, None):
        old, new = (None if peak is None else peak[0] for peak in comparison.peaks)
        rows.append(("Peak memory", old, new, fmt.size))
    for title, old, new, text in [*rows, ("Operations", *comparison.operations, fmt.count)]:
        texts = []
        for side, number in ((a, old), (b, new)):
            unknown = {"FLOPs": side.unknown_flops, "Parameters": side.unknown_parameters}.get(title)
            texts.append(("≥ " if unknown and number is not None else "") + text(number))
        yield title, texts[0], texts[1], fmt.delta(old, new, text) or "=", fmt.growth(old, new)


def moved_peak(comparison: Comparison) -> str:
    """Say where the peak of memory is now, if it is elsewhere; "" if not.

    >>> moved_peak(Comparison(Totals(), Totals(), ("A", "A"), {}, (1, 1), peaks=((64, "fc1"), (96, "fc2"))))
    'peak memory 64 B → 96 B, now at fc2 (before at fc1)'
    """
    before, after = comparison.peaks
    if before is None or after is None or before[1] == after[1]:
        return ""
    return f"peak memory {fmt.size(before[0])} → {fmt.size(after[0])}, now at {after[1]} (before at {before[1]})"


def sentence(path: str, line: Line, plain: bool = False) -> str:
    """Format a line as a list entry, as plain text or Markdown.

    >>> sentence("layer1", Line("changed", "layer1", "Sequential: 2 → 3 BasicBlock", "layer1", (0, 74_000), (0, 0)))
    '~ `layer1` Sequential: 2 → 3 BasicBlock, +74 k parameters'
    """
    sign = SIGNS.get(line.change, "")
    name, text = (fmt.clean(path), fmt.clean(line.text)) if plain else (_code(path), _escaped(line.text))
    if not plain:
        sign = sign.replace("+", r"\+")  # a leading + would start a list
    parts = [" ".join(filter(None, (sign, name, text)))]
    if parameters := fmt.delta(*line.parameters, fmt.parameters):
        parts.append(f"{parameters} parameters")
    if cost := fmt.delta(*line.flops, fmt.flops):
        parts.append(cost if cost != fmt.UNKNOWN else "? FLOPs")
    return ", ".join(parts)


def _told(line: Line) -> tuple[str, Line]:
    """Return the most specific line that says all of a line, apart from operations without costs, and its path."""
    path = line.name
    while line.change == "changed" and not line.is_run:
        inner = [child for child in line.children if not plain(child)] or line.children
        if len(inner) != 1 or not inner[0].change or _costs(inner[0]) != _costs(line):
            break
        line = inner[0]
        path = ".".join(filter(None, (path, line.name)))
    return path, line


def _comparison(graph: ModelGraph) -> Comparison:
    if graph.comparison is None:
        raise InputError("the graph is not a comparison: create one with fxsummary.diff(before, after).")
    return graph.comparison


def _costs(line: Line) -> tuple[str, str]:
    return fmt.delta(*line.parameters, fmt.parameters), fmt.delta(*line.flops)


def _walk(
    lines: list[Line], depth: int | None = None, base: str = "", above: tuple[bool, ...] = (), level: int = 0
) -> Iterator[tuple[str, tuple[bool, ...], Line]]:
    """Yield the lines with their paths (a run as ``layer3.2…5``) and branches; top-level lines have no branches."""
    for number, line in enumerate(lines):
        path = ".".join(filter(None, (base, line.name)))
        branches = (*above, number == len(lines) - 1) if level else ()
        yield path, branches, line
        if depth is None or level + 1 < depth:
            yield from _walk(line.children, depth, path, branches, level + 1)


def _record(line: Line) -> dict[str, object]:
    return {
        "change": line.change or "remark",
        "name": fmt.clean(line.name),
        "path": fmt.clean(line.path),
        "text": fmt.clean(line.text),
        "parameters": list(line.parameters),
        "flops": list(line.flops),
        "source": line.source,
        "changes": [_record(child) for child in line.children],
    }


def _side(comparison: Comparison, side: int) -> dict[str, object]:
    totals: Totals = (comparison.before, comparison.after)[side]
    return {
        "name": fmt.clean(comparison.names[side]),
        "inputs": fmt.clean(comparison.inputs[side]),
        "operations": comparison.operations[side],
        "parameters": totals.parameters,
        "trainable_parameters": totals.trainable_parameters,
        "parameter_bytes": totals.parameter_bytes,
        "flops": totals.flops,
    }


_MARKDOWN = {ord(char): f"\\{char}" for char in "\\`*_[]<>|~$&"}


def _escaped(text: str) -> str:
    """Escape a text for Markdown.

    >>> print(_escaped("a|b <c> *d*"))
    a\\|b \\<c\\> \\*d\\*
    """
    if "@" in text or "#" in text:  # these mention people or issues even when escaped
        return _code(text)
    return fmt.clean(text).translate(_MARKDOWN)


def _code(text: str) -> str:
    """Format a text as code, for use in tables too, even if it contains backquotes.

    >>> _code("layer1.0"), _code("a|b"), _code("a`b"), _code("")
    ('`layer1.0`', '`a\\\\|b`', '`` a`b ``', '')
    """
    plain = fmt.clean(text).replace("|", "\\|")
    if not plain.strip():
        return ""
    if "`" not in plain:
        return f"`{plain}`"
    fence = "`" + max(re.findall("`+", plain))
    return f"{fence} {plain} {fence}"
