"""Formulas as text, as Markdown and as LaTeX, and the difference of two models' formulas as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from textwrap import wrap

from fxsummary.exporters.latex import escaped as in_latex
from fxsummary.exporters.markdown import escaped as in_markdown
from fxsummary.exporters.markdown import name as as_code
from fxsummary.graph.formula import QUANTITIES, Formula, Part, Piece
from fxsummary.graph.formulas import Formulas
from fxsummary.graph.groups import TOP, Group, groups_of
from fxsummary.graph.polynomial import crossing
from fxsummary.text.numbers import relative_path

WIDTH, NAMES = 100, 34
MOST_CROSSOVERS, MOST_TAKEOVERS = 6, 3


@dataclass(frozen=True)
class Line:
    """A line of the report: how deep it is, a name, and a formula in text and in LaTeX with a remark."""

    depth: int
    name: str
    text: str
    latex: str
    remark: str = ""


def lines_of(formulas: Formulas, depth: int) -> Iterator[Line]:
    """Yield the lines: the total of each quantity, and below the FLOPs those of the modules."""
    for quantity, table in formulas.table.items():
        yield from _of_formula(0, QUANTITIES[quantity], table[""], formulas)
        if quantity == "flops":
            yield from _of_modules(table, depth, formulas)


def _of_modules(table: Mapping[str, Formula], depth: int, formulas: Formulas) -> Iterator[Line]:
    inside: dict[Group, list[Group]] = {}
    for parent, group in groups_of(table):
        inside.setdefault(parent, []).append(group)
    waiting = [(1, each, "") for each in inside.get(TOP, ())][::-1]
    while waiting:
        level, group, around = waiting.pop()
        below = inside.get(group, [])
        if len(below) == 1 and group.times == 1:  # a module around one other adds nothing
            waiting.append((level, below[0], around))
            continue
        copies = f" ×{group.times}" if group.times > 1 else ""
        yield from _of_formula(level, f"{relative_path(group.shown, around)}{copies}", table[group.path], formulas)
        if level < depth:
            waiting += [(level + 1, each, group.shown) for each in below][::-1]


def _of_formula(level: int, name: str, formula: Formula, formulas: Formulas) -> Iterator[Line]:
    if not formula.pieces:
        yield Line(level, name, str(formula), rf"\text{{{in_latex(str(formula))}}}")
    for number, piece in enumerate(formula.pieces):
        part = piece.parts[0]
        domain = piece.domain if piece.domain != _usual(formulas) and level == 0 else ""
        remarks = [f"for {domain}"] * bool(domain) + [f"at {part.at}"] * bool(part.at)
        shown = part.polynomial
        mark = {"≥": r"\geq ", "≈": r"\approx "}.get(formula.mark, "")
        yield Line(
            level, name if number == 0 else "", f"{formula.mark}{shown}", mark + shown.to_latex(), ", ".join(remarks)
        )
        for where, other in takeovers(piece, formulas.base):
            remark = f"{where}, at {other.at}"
            yield Line(level, "", f"{formula.mark}{other.polynomial}", mark + other.polynomial.to_latex(), remark)


def takeovers(piece: Piece, base: Mapping[str, int]) -> list[tuple[str, Part]]:
    """Return which part becomes the largest as one size grows while the others stay, and where."""
    found: list[tuple[str, Part]] = []
    for name in base:
        others = {each: size for each, size in base.items() if each != name}
        current, at = piece.parts[0], 0
        while len(found) < MOST_TAKEOVERS:
            places = []
            for part in piece.parts:
                pair = part.polynomial.fixed(others), current.polynomial.fixed(others)
                place = crossing(*pair) if part != current else None
                if place is not None and place.at >= max(at, base[name]):
                    places.append((place.at, -pair[0](**base), part, place))
            if not places:
                break
            _, _, part, place = min(places, key=lambda each: each[:2])
            only = (part.polynomial - current.polynomial).in_one_size()
            rest = "" if only and only[0] == name else f" (with {', '.join(f'{k} = {n}' for k, n in others.items())})"
            found.append((f"{place}{rest}", part))
            current, at = part, place.at
    return found


def _usual(formulas: Formulas) -> str:
    """Return the range of sizes on which the FLOPs have their formula, if they have one."""
    pieces = formulas["flops"].pieces
    return pieces[0].domain if len(pieces) == 1 else ""


def text(formulas: Formulas, depth: int) -> str:
    """Return the formulas as text."""
    found = [f"{formulas.model} · {formulas.inputs_text}", ""]
    lines = list(lines_of(formulas, depth))
    names = [f"{'  ' * line.depth}{line.name}" for line in lines]
    width = min(max(map(len, names)), NAMES)
    for line, name in zip(lines, names, strict=True):
        shown = f"{line.text}   {line.remark}".rstrip()
        first, *rest = wrap(shown, WIDTH - width - 2, break_on_hyphens=False) or [""]
        if len(name) > width:
            found.append(name)
            name = ""
        found.append(f"{name:{width}}  {first}".rstrip())
        found += [f"{'':{width}}    {each}" for each in rest]
    return "\n".join([*found, "", *_facts(formulas)])


def _facts(formulas: Formulas) -> Iterator[str]:
    """Yield where parts overtake others, what was checked, and the remarks."""
    for each in formulas.crossovers[:MOST_CROSSOVERS]:
        yield from wrap(f"{each}", WIDTH, subsequent_indent="  ")
    if usual := _usual(formulas):
        yield from wrap(f"Holds for {usual}.", WIDTH, subsequent_indent="  ")
    names = "×".join(formulas.names)
    checked = ", ".join("×".join(map(str, sizes.values())) for sizes in formulas.checked)
    at = f" and checked at {names} = {checked}" if formulas.checked else ""
    yield from wrap(f"Made from {formulas.captures} captures{at}.", WIDTH, subsequent_indent="  ")
    for note in formulas.notes:
        yield from wrap(f"{note}.", WIDTH, subsequent_indent="  ")


def markdown(formulas: Formulas, depth: int) -> str:
    """Return the formulas as Markdown."""
    found = [
        f"**{in_markdown(formulas.model)}** · {in_markdown(formulas.inputs_text)}",
        "",
        "| | formula | |",
        "|:--|:--|:--|",
    ]
    for line in lines_of(formulas, depth):
        name = as_code(line.name) if line.depth else in_markdown(line.name)
        found.append(
            f"| {'&emsp;' * line.depth}{name} | {in_markdown(line.text, 600)} | {in_markdown(line.remark, 600)} |"
        )
    return "\n".join([*found, "", *(f"- {in_markdown(each.strip(), 600)}" for each in _sentences(formulas)), ""])


def _sentences(formulas: Formulas) -> list[str]:
    joined: list[str] = []
    for line in _facts(formulas):
        if line.startswith("  "):
            joined[-1] += f" {line.strip()}"
        else:
            joined.append(line)
    return joined


def latex(formulas: Formulas, depth: int) -> str:
    """Return the formulas as a LaTeX table."""
    found = [
        r"\begin{tabular}{lll}",
        r"\toprule",
        rf"{in_latex(formulas.model)} & {in_latex(formulas.inputs_text)} & \\",
        r"\midrule",
    ]
    for line in lines_of(formulas, depth):
        name = rf"\texttt{{{in_latex(line.name)}}}" if line.depth and line.name else in_latex(line.name)
        indent = r"\quad " * line.depth
        found.append(rf"{indent}{name} & ${line.latex}$ & {in_latex(line.remark, 600)} \\")
    return "\n".join([*found, r"\bottomrule", r"\end{tabular}", ""])


def difference(before: Formulas, after: Formulas) -> str:
    """Return the formulas that differ, of the totals and of groups of modules with the same path, as text."""
    found = [f"{before.model} ⇒ {after.model} · {after.inputs_text}", ""]
    for quantity, title in QUANTITIES.items():
        tables = before.table.get(quantity, {}), after.table.get(quantity, {})
        found += _change(title, *(table.get("") for table in tables))
        if quantity == "flops":
            groups = [{group.copied: table[group.path] for _, group in groups_of(table)} for table in tables]
            for name in dict.fromkeys([*groups[0], *groups[1]]):
                found += _change(f"  {name}", *(group.get(name) for group in groups))
    return "\n".join(found if len(found) > 2 else [*found, "All formulas are equal."])


def _change(name: str, before: Formula | None, after: Formula | None) -> Iterable[str]:
    """Yield lines for what a formula was, what it is, and the difference; none if it is the same."""
    if before == after or (before and after and before.key == after.key):
        return
    yield name
    indent = name[: len(name) - len(name.lstrip())]
    yield f"{indent}  −  {before or 'none'}"
    yield f"{indent}  +  {after or 'none'}"
    if before and after and before.names == after.names and len(before.pieces) == len(after.pieces) == 1:
        yield f"{indent}  Δ  {after.polynomial - before.polynomial}"
