"""Draw published models into docs/gallery, one SVG each, and write its index.

Run it with ``python -m benchmarks.gallery [NAME ...] [--out FOLDER] [--page PAGE ...]``. The models are made on the
meta device from their default configurations; nothing is downloaded. It prints the figures of each picture.
"""

from __future__ import annotations

import argparse
import inspect
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

import fxsummary
from benchmarks import figures
from benchmarks.gallery_entries import GALLERY
from fxsummary.exporters.svg import to_svg

FOLDER = Path(__file__).parent.parent / "docs" / "gallery"
Row = tuple[str, str, figures.Figures, float]
"""Name, page, figures, and the seconds of `to_svg`."""
PAGES = ("screen", "column")
RUNS = 3
"""How often a picture is drawn; the time is that of the fastest."""


def main() -> None:
    """Draw the models named, or all of them and the page that shows them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(GALLERY)}")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the pictures")
    parser.add_argument("--page", nargs="+", default=PAGES, help="page formats")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    given.out.mkdir(parents=True, exist_ok=True)
    print(f"{'model':16} {'operations':>10} {'page':6} {figures.HEADER} {'s':>6}")
    rows = [row for name in given.names or GALLERY for row in draw(name, given.page, given.out)]
    if not given.names and given.out == FOLDER:
        (FOLDER / "README.md").write_text(index(rows), encoding="utf-8")


def draw(name: str, pages: Sequence[str], folder: Path) -> Iterator[Row]:
    """Draw a model on each page; print and yield the figures, and the seconds of `to_svg`."""
    with torch.device("meta"):
        case = GALLERY[name].make()
    graph = fxsummary.graph(case.model.eval(), *case.args, kwargs=case.kwargs)
    takes_pages = "page" in inspect.signature(to_svg).parameters
    for page in pages if takes_pages else ["screen"]:
        seconds = float("inf")
        for _ in range(RUNS):
            start = time.process_time()
            svg = graph.to_svg(page=page) if takes_pages else graph.to_svg()
            seconds = min(seconds, time.process_time() - start)
        (folder / file_of(name, page)).write_text(svg, encoding="utf-8")
        found = figures.figures(svg)
        print(f"{name:16} {len(graph):10,} {page:6} {figures.row(found)} {seconds:6.2f}", flush=True)
        yield name, page, found, seconds


def file_of(name: str, page: str) -> str:
    """Return the name of the file of a picture."""
    return f"{name}.svg" if page == PAGES[0] else f"{name}_{page}.svg"


def index(rows: Sequence[Row]) -> str:
    """Return the page that shows all pictures and their figures."""
    lines = [HEAD.format(models=len(GALLERY))]
    for name, entry in GALLERY.items():
        links = {page: file_of(name, page) for each, page, *_ in rows if each == name}
        *others, shown = links.items()  # the narrowest page is the one that fits here
        more = "".join(f" [On the page “{page}”]({file})." for page, file in others)
        lines += [f"## {entry.title}", f"{entry.text[0].upper()}{entry.text[1:]}{more}"]
        lines.append(f"[![{entry.title}]({shown[1]})]({shown[1]})")
    return "\n\n".join([*lines, FIGURES, "\n".join(table(rows))]) + "\n"


HEAD = """# Gallery

{models} models, drawn by `g.render("model.svg")`; `make gallery` draws them again. Ten of them
[beside other tools](beside.md)."""
FIGURES = """## Figures

Computed from the SVG files: size in px; the share of 24 px cells without anything in them; crossings of wires with
different values; texts that a wire touches; boxes that a wire runs through; the smallest type in pt if the picture is
printed 170 mm wide; the CPU time of `g.to_svg()` in seconds, the
shortest of three."""


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the figures as a Markdown table."""
    yield "| model | page | width | height | empty | crossings | texts | boxes | type | time |"
    yield "| --- | --- |" + " ---: |" * 8
    for name, page, found, seconds in rows:
        counts = " | ".join(str(len(each)) for each in found.faults)
        size = f"{found.width:,.0f} | {found.height:,.0f} | {100 * found.empty:.0f} %"
        yield f"| {GALLERY[name].title} | {page} | {size} | {counts} | {found.points:.1f} | {seconds:.2f} |"


if __name__ == "__main__":
    main()
