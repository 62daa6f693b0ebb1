"""Write docs/gallery/beside.md from what ``benchmarks.beside`` drew: ``python -m benchmarks.beside_page``."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.beside import MODELS, PAGE, SCREEN, TOOLS
from benchmarks.gallery_entries import GALLERY

NAMES = {"fxsummary": "fxsummary", "torchview": "torchview", "netron": "Netron", "model_explorer": "Model Explorer"}
FOLDER = PAGE.with_suffix("")


def main() -> None:
    """Write the page."""
    figures = json.loads((FOLDER / "figures.json").read_text())
    lines = [HEAD, "| model | " + " | ".join(NAMES.values()) + " |", "| --- |" + " --- |" * len(NAMES)]
    for name in MODELS:
        cells = [picture(name, tool) for tool in TOOLS]
        lines.append(f"| {GALLERY[name].title} | {' | '.join(cells)} |")
    lines += [FIGURES, "| model | tool | width | height | pages | boxes | seconds | note |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |")
    lines += [row(name, tool, figures.get(f"{name}_{tool}", {})) for name in MODELS for tool in TOOLS]
    PAGE.write_text("\n".join([*lines, TOLD]), encoding="utf-8")


def picture(name: str, tool: str) -> str:
    """Return a thumbnail."""
    file = f"{name}_{tool}.png"
    return f"![{GALLERY[name].title}, {NAMES[tool]}]({FOLDER.name}/{file})" if (FOLDER / file).exists() else "none"


def row(name: str, tool: str, found: dict[str, Any]) -> str:
    """Return the figures of a picture; a picture made earlier has only a size."""
    title = f"| {GALLERY[name].title} | {NAMES[tool]} |"
    if "width" not in found:
        return f"{title} | | | | | {found.get('failed', 'not drawn')} |"
    width, height = found["width"], found["height"]
    pages = width * height / (SCREEN["width"] * SCREEN["height"])
    boxes = f"{found['boxes']:,}" if "boxes" in found else ""
    seconds = f"{found['seconds']:.1f}" if "seconds" in found else ""
    return f"{title} {width:,.0f} | {height:,.0f} | {pages:,.1f} | {boxes} | {seconds} | {found['note']} |"


HEAD = """# Beside other tools

Ten models of the [gallery](README.md), drawn by fxsummary, torchview 0.2.7 (Graphviz 2.43), Netron 9.3.3 and Model
Explorer 0.1.34, with PyTorch 2.13. All models are on the meta device. `python -m benchmarks.beside` draws them again,
`python -m benchmarks.beside_page` writes this page.

- fxsummary: `fxsummary.graph(model, *args).to_svg()`.
- torchview: `draw_graph(model, args, device="meta")`, with its default settings (`depth=3`), as SVG.
- Netron: the exported program (`torch.export.export(..., strict=False)`, `.pt2`), opened in Chromium with default
  settings.
- Model Explorer: the same exported program, with all layers expanded. It opens with all layers closed, and is made to
  be explored from there; the note gives that size, too.

Each picture is scaled to fit 280 × 280 px. “none”: not drawn; the note under Figures says why.
"""
FIGURES = """
## Figures

Width and height in px. Pages: area relative to a window of 1,400 × 900 px. Boxes: rows and frames of fxsummary, nodes
of torchview and Netron, nodes and groups of Model Explorer. Seconds: from the model to the SVG for fxsummary and
torchview, from the open page to the picture for Netron, from the click on “expand all” to the layout for Model
Explorer; on a machine with two cores that other programs used too, so they compare only roughly. Whisper and Mixtral
are exported with `use_cache=False`.
"""
TOLD = """
## What the pictures show

| | fxsummary | torchview | Netron | Model Explorer |
| --- | --- | --- | --- | --- |
| output shapes | on rows and wires | in nodes, with input shapes | on edges | side panel; on edges if turned on |
| parameters | number per row and in total | no | shapes of weights | as inputs of the graph, with shapes |
| FLOPs | bars, and in total | no | no | no |
| repeated blocks | one, with ×N | each | each | each |
"""


if __name__ == "__main__":
    main()
