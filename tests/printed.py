"""What each form prints, as a tree of rows with their numbers: read from its text alone.

A printed number is an interval: ``1.84 M`` is any count that is printed so. Sums of intervals are intervals, and
two numbers agree if theirs meet.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from fxsummary.exporters.tables.table import display_width

SVG = "{http://www.w3.org/2000/svg}"
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12, "P": 10**15}


@dataclass(frozen=True)
class Interval:
    """Numbers that are printed alike: of one copy, and with Σ those of all copies."""

    low: float
    high: float
    low_of_all: float = 0
    high_of_all: float = 0

    def __add__(self, other: Interval) -> Interval:
        return Interval(
            self.low + other.low,
            self.high + other.high,
            self.low_of_all + other.low_of_all,
            self.high_of_all + other.high_of_all,
        )

    def times(self, copies: int) -> Interval:
        return Interval(self.low * copies, self.high * copies, self.low_of_all, self.high_of_all)

    def whole(self) -> tuple[float, float]:
        """The number of all copies, if one is already times their number."""
        return self.low + self.low_of_all, self.high + self.high_of_all

    def meets(self, other: Interval) -> bool:
        (low, high), (other_low, other_high) = self.whole(), other.whole()
        slack = 1e-9 * max(1.0, abs(low), abs(other_low))
        return low <= other_high + slack and other_low <= high + slack


NOTHING = Interval(0, 0)


def total(numbers: Iterator[Interval] | list[Interval]) -> Interval:
    """The sum of intervals."""
    result = NOTHING
    for number in numbers:
        result += number
    return result


def count(text: str) -> Interval:
    """A printed count: ``25,557,032``, ``1.84 M``, ``≥ 1.84 M``, ``≈1.84 M``, ``9.41 k + 128``, ``?`` or nothing."""
    text = text.strip()
    if " + " in text:
        return total([count(part) for part in text.split(" + ")])
    if text.startswith("Σ"):
        of_all = count(text[1:])
        return Interval(0, 0, of_all.low, of_all.high)
    if text.startswith("≥"):
        return Interval(count(text[1:]).low, math.inf)
    text = text.removeprefix("≈").strip()
    if text == "?":
        return Interval(0, math.inf)
    if not text:
        return NOTHING
    digits, _, unit = text.partition(" ")
    number = float(digits.replace(",", ""))
    half = 0.0 if not unit else 0.5 * 10 ** (math.floor(math.log10(number)) - 2)
    return Interval((number - half) * UNITS[unit], (number + half) * UNITS[unit])


def share(text: str, half: float = 0.05) -> Interval:
    """A printed share in percent."""
    text = text.strip().removeprefix("≈").strip()
    if text.startswith("≥"):
        return Interval(float(text[1:]) - half, 100)
    if text == "?":
        return Interval(0, 100)
    if text == "<0.1":
        return Interval(0, 0.05)
    return Interval(float(text) - half, float(text) + half) if text else NOTHING


@dataclass
class Row:
    """A printed row.

    Attributes:
        name: what it says first.
        parameters, flops, share: of one copy, of one copy, and of all of them; None where it has no such number.
        copies: how many copies the row represents, by its own ×N.
        inside: the rows in it; of one copy.
        whole: whether its numbers are already of all copies.
        known_flops: of all copies, where that is all that is known.
        numbers: of its operations on the page, where their facts are found.
    """

    name: str
    parameters: Interval | None = None
    flops: Interval | None = None
    share: Interval | None = None
    copies: int = 1
    inside: list[Row] = field(default_factory=list)
    whole: bool = False
    known_flops: Interval | None = None
    numbers: tuple[int, ...] = ()

    def walk(self) -> Iterator[Row]:
        yield self
        for row in self.inside:
            yield from row.walk()

    def value(self, number: str) -> Interval:
        """A number of the row as it counts in the row around it: all copies; what is inside if it has none."""
        own: Interval | None = getattr(self, number)
        if own is None:
            return total([row.value(number) for row in self.inside]).times(self.copies if number != "share" else 1)
        return own if self.whole or number == "share" else own.times(self.copies)


def check(root: Row) -> None:
    """The law: what is in a row, times its copies, is what the row shows."""
    for row, around in _with_copies_around(root):
        for number in ("parameters", "flops", "share"):
            own: Interval | None = getattr(row, number)
            if own is None or not row.inside:
                continue
            inside = total([inner.value(number) for inner in row.inside])
            if number != "share":
                own = own.times(around * (1 if row.whole else row.copies))
                inside = inside.times(around * row.copies)
            assert inside.meets(own), (row.name, number, own, inside, [(r.name, r.value(number)) for r in row.inside])


def _with_copies_around(root: Row, around: int = 1) -> Iterator[tuple[Row, int]]:
    """The rows, each with the number of copies of those around it."""
    yield root, around
    for row in root.inside:
        yield from _with_copies_around(row, around * root.copies)


# --- tables: text, Markdown ----------------------------------------------------------------------

_COPIES = re.compile(r" ×(\d+)(?: steps| calls)?(?= shares | carry | .* each$|$)")


def rows_of(lines: list[tuple[int, str, str, str, str]]) -> Row:
    """The tree of a table from its lines: level, head, parameters, FLOPs, share."""
    path: list[Row] = []
    for level, head, parameters, flops, portion in lines:
        row = Row(head, count(parameters), count(flops), share(portion), whole=True)
        del path[level:]
        if path:
            path[-1].inside.append(row)
        path.append(row)
        root = path[0]
    for row in root.walk():
        found = _COPIES.search(row.name)
        row.copies = int(found[1]) if found and row.inside else 1
    return root


def text_rows(text: str) -> Row:
    """The rows of a summary as text."""
    lines = [_spread(line) for line in text.split("\n")]
    heading = next(at for at, line in enumerate(lines) if line.startswith("Module "))
    titles = lines[heading]
    shapes = titles.index("Output shape")
    ends = [titles.index(title) + len(title) for title in ("Parameters", "FLOPs", "%")]
    rows = []
    for line in lines[heading + 2 :]:
        if not line or line.startswith("─"):
            break
        branch = len(line) - len(line.lstrip(" │├└"))
        parameters, flops, portion = (_cell(line, end) for end in ends)
        level, head = branch // 2, line[branch:shapes].strip()
        if rows and not line[:branch].rstrip().endswith(("├", "└")):  # the name is on the line before
            level, name, *_ = rows.pop()
            head = f"{name} {head}".rstrip()
        rows.append((level, head, parameters, flops, portion))
    return rows_of(rows)


def _spread(line: str) -> str:
    """A line with a character for each column of the terminal."""
    if line.isascii():
        return line
    columns: list[str] = []
    width = 0
    for char in line:
        width += display_width(char)
        columns += [char, *"." * (width - len(columns) - 1)] if width > len(columns) else []
        del columns[width:]
    return "".join(columns)


def _cell(line: str, end: int) -> str:
    """The cell that ends at this column."""
    text = line[:end]
    return re.split(r"\s{2,}", text)[-1] if len(text) == end and text[-1] != " " else ""


def markdown_rows(source: str) -> Row:
    """The rows of a summary as Markdown."""
    rows = []
    for line in source.splitlines():
        if line.startswith("| ") and not line.startswith("| Module |"):
            head, _, parameters, flops, portion = [html.unescape(cell.strip()) for cell in line[2:-2].split(" | ")]
            level = line.count("&emsp;") + (bool(rows))
            rows.append((level, head.replace("\u2003", ""), parameters, flops, portion))
    return rows_of(rows)


# --- pictures -------------------------------------------------------------------------------------


GROUPS = (f"{SVG}g", f"{SVG}a")  # the rows of a page are <a>


@dataclass
class _Box:
    x: float
    y: float
    width: float
    height: float
    row: Row

    def holds(self, x: float, y: float) -> bool:
        return self.x - 1 <= x <= self.x + self.width + 1 and self.y - 1 <= y <= self.y + self.height + 1


def picture_rows(svg: str, *, tips: bool = True) -> Row:
    """The rows of a picture; what is in what is read from where it is drawn."""
    root = ElementTree.fromstring(svg)
    page = _Box(-1e9, -1e9, 2e9, 2e9, Row("page"))
    elements = [element for element in root.iter() if element.tag in (*GROUPS, f"{SVG}text")]
    frames = [page, *(frame for element in elements if (frame := _frame(element)))]
    for frame in frames[1:]:
        around = [other for other in frames if other is not frame and other.width > frame.width]
        _innermost(around, frame.x + 1, frame.y + 1).row.inside.append(frame.row)
    last: Row | None = None  # headers come before all items, and the ×N of an item is in it or behind it
    for element in elements:
        if item := _item(element, tips):
            _innermost(frames, item.x + 1, item.y + item.height / 2).row.inside.append(last := item.row)
        elif element.get("class") == "bgt":
            (last or _innermost(frames, *_at(element)).row).copies = int("".join(element.itertext())[1:].split()[0])
    grouped = [text for group in root if group.get("data-m") for text in group if text.tag == f"{SVG}text"]
    for element in [*root, *grouped]:
        if element.tag == f"{SVG}text" and element.get("font-size") == "10.5" and element.get("text-anchor") == "end":
            _header(_innermost(frames, *_at(element)).row, "".join(element.itertext()))
        elif (
            element.tag == f"{SVG}text" and element.get("font-size") == "11" and "parameters ·" in (element.text or "")
        ):
            parameters, flops = (element.text or "").split(" · ")[:2]
            page.row.parameters = count(parameters.removesuffix(" parameters"))
            page.row.flops = count(re.sub(r" ?FLOPs", "", flops).replace("? ", "?"))
    return page.row


def _innermost(frames: list[_Box], x: float, y: float) -> _Box:
    return min((frame for frame in frames if frame.holds(x, y)), key=lambda frame: frame.width * frame.height)


def _at(element: ElementTree.Element) -> tuple[float, float]:
    return float(element.attrib["x"]), float(element.attrib["y"])


def _frame(element: ElementTree.Element) -> _Box | None:
    if element.tag != f"{SVG}g":
        return None
    rect = next(
        (each for each in element if each.tag == f"{SVG}rect" and re.match(r"g[01]\b", each.get("class", ""))), None
    )
    if rect is None:
        return None
    name = " ".join((element.findtext(f"{SVG}title") or "").split("\n"))
    return _Box(*(float(rect.attrib[side]) for side in ("x", "y", "width", "height")), Row(name))


def _item(element: ElementTree.Element, tips: bool) -> _Box | None:
    """A row, card or pill: a group with texts."""
    texts = [each for each in element if each.tag == f"{SVG}text"]
    is_row = element.find(f"{SVG}title") is not None if tips else element.get("data-i") is not None
    if element.tag not in GROUPS or not texts or not is_row:
        return None
    numbers = [each for each in texts if each.get("font-size") == "10.5" and each.get("text-anchor") == "end"]
    shown = "".join(numbers[0].itertext()).removesuffix(" params") if numbers else ""
    if shown.startswith(("+", "−")):
        shown = ""
    tip = element.findtext(f"{SVG}title") or ""
    x, y = min(_at(each)[0] for each in texts), min(_at(each)[1] for each in texts)
    row = Row("".join(texts[0].itertext()), count(shown), _flops(tip) if tips else None)
    row.numbers = tuple(int(each.attrib["data-n"]) for each in element.iter() if each.get("data-n"))
    return _Box(x - 14, y - 16, 60 if not numbers else _at(numbers[0])[0] - x + 60, 20, row)


def _flops(tip: str) -> Interval:
    """FLOPs of one copy of all operations of a row, by its tooltip."""
    found = re.findall(r"^FLOPs: ([Σ≥≈]? ?[\d,?]+)", tip, re.MULTILINE)
    return total([count(number) for number in found])


def _header(row: Row, facts: str) -> None:
    for fact in facts.split(" · "):
        if fact.endswith(" params"):
            one, _, whole = fact.removesuffix(" params").partition(" = ")
            row.parameters = count(re.sub(r" × \d+$", "", one))
            if whole:
                copies = int(one.rsplit(" × ", 1)[1])
                assert row.copies in (1, copies)
                row.copies = copies
                assert count(whole).meets(row.parameters.times(copies)), facts
        elif fact.endswith(" % FLOPs"):
            row.share = share(fact.removesuffix(" % FLOPs"), 0.5)
        elif fact.startswith("≥ ") and fact.endswith("FLOPs"):
            row.known_flops = count(re.sub("(?<=[kMGTP])FLOPs| FLOPs", "", fact.removeprefix("≥ ")))
    if row.parameters is None:
        row.parameters = NOTHING


# --- flowcharts ------------------------------------------------------------------------------------

_NODE = re.compile(r'\s+n\d+(?:\["|\(\["|\[/")(.*?)(?:"\]|"\]\)|"/\])')
_BLOCK = re.compile(r'\s+subgraph b\d+\["(.*)"\]')


def mermaid_rows(source: str) -> Row:
    """The boxes of a flowchart in their subgraphs."""
    path = [Row("model")]
    for line in source.splitlines():
        if found := _BLOCK.fullmatch(line):
            label = _seen(found[1])
            copies = _COPIES.search(label)
            path[-1].inside.append(Row(label, copies=int(copies[1]) if copies else 1))
            path.append(path[-1].inside[-1])
        elif line.strip() == "end":
            path.pop()
        elif found := _NODE.fullmatch(line):
            lines = _seen(found[1]).split("\n")
            numbers = [each.removesuffix(" parameters") for each in lines if each.endswith(" parameters")]
            copies = _COPIES.search(lines[0])
            row = Row(lines[0], total([count(number) for number in numbers]), copies=int(copies[1]) if copies else 1)
            path[-1].inside.append(row)
    return path[0]


def _seen(label: str) -> str:
    return html.unescape(re.sub(r"#(\d+);", r"&#\1;", label)).replace("<br>", "\n")


_LABEL = re.compile(r'label=("(?:[^"\\]|\\.)*"|\S+)')


def dot_rows(source: str) -> Row:
    """The nodes of a DOT graph in their clusters."""
    path = [Row("model")]
    for line in source.splitlines():
        text = line.strip()
        if text.startswith("subgraph "):
            path[-1].inside.append(Row("cluster"))
            path.append(path[-1].inside[-1])
        elif text == "}" and len(path) > 1:
            path.pop()
        elif not re.match(r"[nc]\d+ ", text) and len(path) > 1 and (found := _LABEL.search(text)):
            copies = re.search(r'  ×(\d+)(?: steps| calls)?"?$', found[1])
            path[-1].name, path[-1].copies = found[1], int(copies[1]) if copies else 1
        elif re.match(r"[nc]\d+ \[", text):
            numbers = re.findall(r"([Σ≥≈?] ?)?([\d,?]+) params", text)
            flops = re.findall(r"((?:[Σ≥≈] ?)?(?:[\d.]+(?: [kMGTP])?|\?)) FLOPs", text)
            path[-1].inside.append(
                Row(
                    text[:40],
                    total([count(f"{mark}{number}") for mark, number in numbers]),
                    total([count(n) for n in flops]),
                    copies=int(times[1]) if (times := re.search(r"  ×(\d+)", text)) else 1,
                )
            )
    return path[0]


def printed_total(text: str, pattern: str) -> Interval | None:
    """A number that a form prints of the whole model."""
    found: Any = re.search(pattern, text)
    return None if found is None else count(found[1])
