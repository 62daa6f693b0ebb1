"""Draw ten models with fxsummary, torchview, Netron and Model Explorer, and write docs/gallery/beside.md.

Run it with ``python -m benchmarks.beside [NAME ...] [--tool TOOL ...] [--out FOLDER]``. It needs torchview,
ai-edge-model-explorer and netron from PyPI, ``dot`` of Graphviz, and Chromium with playwright. Models are on the meta
device. Each picture is made in its own process, which is ended after LIMIT seconds. Figures are kept in a JSON file,
so that single pictures can be made again.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import torch
from PIL import Image, ImageChops

import fxsummary
from benchmarks.gallery_entries import GALLERY, Case

PAGE = Path(__file__).parent.parent / "docs" / "gallery" / "beside.md"
MODELS = ("resnet50", "googlenet", "unet4", "yolo", "bert", "gru", "whisper", "clip", "unet_sd", "mixtral")
LIMIT = 240
"""Seconds that a picture may take."""
SIDE = 280
"""Width and height in px of the square that a thumbnail fits into."""
SCREEN = {"width": 1400, "height": 900}
ALL = 100
"""More levels of modules than any model has."""


class Drawn(NamedTuple):
    """A picture: a PNG of any size, its true size in px, its boxes, and the seconds it took."""

    png: bytes
    width: float
    height: float
    boxes: int
    seconds: float
    note: str = ""


def case_of(name: str) -> Case:
    """Return a model of the gallery on the meta device."""
    with torch.device("meta"):
        case = GALLERY[name].make()
    case.model.eval()
    return case


def by_fxsummary(name: str) -> Drawn:
    """Call ``fxsummary.graph(model, *args).to_svg()``; rows and frames have a tooltip each."""
    case = case_of(name)
    start = time.perf_counter()
    svg = fxsummary.graph(case.model, *case.args, kwargs=case.kwargs).to_svg()
    seconds = time.perf_counter() - start
    return of_svg(svg, svg.count("<title>") - 1, seconds)


def by_torchview(name: str) -> Drawn:
    """Call ``draw_graph(model, args, device="meta")`` and dot; if that fails, with all levels open."""
    import torchview

    def draw(depth: int) -> Drawn:
        case = case_of(name)
        start = time.perf_counter()
        drawing = torchview.draw_graph(case.model, case.args, device="meta", depth=depth, **case.kwargs)
        svg = drawing.visual_graph.pipe(format="svg").decode()
        return of_svg(svg, svg.count('class="node"'), time.perf_counter() - start, f"depth={depth}")

    try:
        return draw(3)  # the default
    except KeyError:
        return draw(ALL)._replace(note="depth=3 fails with KeyError; depth=100")


def by_netron(name: str) -> Drawn:
    """Open the exported program in Netron with its default settings; take the SVG that it draws."""
    import netron

    with tempfile.TemporaryDirectory() as folder, browser() as page:
        file = Path(folder) / f"{name}.pt2"
        torch.export.save(exported(name), file)
        host, port = netron.start(str(file), browse=False)
        keep_eval = "const own = eval; Object.defineProperty(window, 'eval', {get: () => own, set: () => {}});"
        page.add_init_script(keep_eval)  # which Netron removes and playwright needs
        page.goto(f"http://{host}:{port}/")
        start = time.perf_counter()
        page.click(".message-button")
        page.wait_for_function("document.querySelector('.node') && document.body.className === 'default'")
        seconds = time.perf_counter() - start
        width, height, boxes, svg, style = page.evaluate(NETRON)
        page.goto("about:blank")
        picture = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"><style>{style}</style>{svg}</svg>'
        )
        return Drawn(shot(page, picture, width, height), width, height, boxes, seconds)


NETRON = """() => {
    const canvas = document.querySelector("#canvas"), {x, y, width, height} = canvas.getBBox();
    const styles = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules].map((rule) => rule.cssText));
    const ground = 100; // on each side
    return [width - 2 * ground, height - 2 * ground, canvas.querySelectorAll(".node").length,
            `<g transform="translate(${-x - ground} ${-y - ground})">${canvas.innerHTML}</g>`, styles.join("\\n")];
}"""


def by_model_explorer(name: str) -> Drawn:
    """Open the exported program in Model Explorer, expand all layers, fit; its worker reports where the nodes are."""
    with browser() as page:
        server = subprocess.Popen([sys.executable, "-c", SERVER, name])
        try:
            page.add_init_script(LISTEN)
            address = "http://localhost:8091/?data=" + quote(json.dumps({"models": [{"url": "graphs://model/0"}]}))
            when_served(page, address)
            page.wait_for_function("said.length")
            start = time.perf_counter()
            page.click("div.expand-all")
            page.wait_for_function("said.length > 1")
            seconds = time.perf_counter() - start
            closed, (width, height, boxes) = page.evaluate(MODEL_EXPLORER)
            page.click("div.zoom-fit")
            time.sleep(3)  # its animation
            page.evaluate(CANVAS_ONLY)
            png = page.locator("canvas").first.screenshot()
            note = f"all layers expanded; before: {closed[0]:,.0f} × {closed[1]:,.0f} px, {closed[2]} boxes"
            return Drawn(png, width, height, boxes, seconds, note)
        finally:
            server.terminate()


SERVER = """import sys, model_explorer
from benchmarks.beside import exported
from model_explorer.pytorch_exported_program_adapter_impl import PytorchExportedProgramAdapterImpl as Adapter
Adapter.print_tensor = lambda *_: "[]"  # weights on meta have no values to show
model_explorer.visualize_pytorch("model", exported(sys.argv[1]), port=8091)
"""
LISTEN = """window.said = []; const Own = Worker;
window.Worker = class extends Own {
    constructor(...given) {
        super(...given);
        this.addEventListener("message", ({data}) => data.modelGraph && said.push(data.modelGraph));
    }
};"""
MODEL_EXPLORER = """() => [said[0], said.at(-1)].map(({nodes, rootNodes}) => {
    const size = (at, side) =>
        Math.max(...rootNodes.map((node) => node[at] + node[side])) - Math.min(...rootNodes.map((node) => node[at]));
    return [size("x", "width"), size("y", "height"), nodes.filter(({x}) => x !== undefined).length];
})"""
CANVAS_ONLY = """() => {
    const canvas = document.querySelector("canvas");
    for (const each of document.querySelectorAll("body *"))
        if (!each.contains(canvas)) each.style.visibility = "hidden";
}"""


def when_served(page: Any, address: str) -> None:
    """Go to an address, which a server that was just started may not serve yet."""
    for _ in range(LIMIT):
        try:
            page.goto(address)
            return
        except Exception:
            time.sleep(1)
    raise TimeoutError(address)


def exported(name: str) -> torch.export.ExportedProgram:
    """Return the exported program of a model; without caches, which torch.export does not know as outputs."""
    case = case_of(name)
    caches = {"use_cache": False} if getattr(getattr(case.model, "config", None), "use_cache", False) else {}
    with torch.device("meta"):
        return torch.export.export(case.model, case.args, {**case.kwargs, **caches}, strict=False)


@contextmanager
def browser() -> Iterator[Any]:
    """Yield a page of headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        options = ["--no-sandbox", "--enable-unsafe-swiftshader", "--use-angle=swiftshader"]
        chromium = driver.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        page = chromium.new_page(viewport=SCREEN, bypass_csp=True)
        page.set_default_timeout(1000 * LIMIT)
        yield page
        chromium.close()


def of_svg(svg: str, boxes: int, seconds: float, note: str = "") -> Drawn:
    """Return the picture of an SVG file, whose size is in px or pt."""
    svg = svg[svg.index("<svg") :]
    sizes = [re.search(rf'<svg[^>]* {side}="([\d.]+)(pt)?', svg) for side in ("width", "height")]
    width, height = (float(found[1]) * (4 / 3 if found[2] else 1) for found in sizes if found)
    with browser() as page:
        return Drawn(shot(page, svg, width, height), width, height, boxes, seconds, note)


def shot(page: Any, svg: str, width: float, height: float) -> bytes:
    """Return a PNG of an SVG picture, scaled to a thumbnail."""
    scale = SIDE / max(width, height)
    size = f"width:{max(1, width * scale)}px;height:{max(1, height * scale)}px"
    page.set_content(f"<style>body{{margin:0}}body>svg{{display:block;{size}}}</style>{svg}")
    found: bytes = page.locator("body > svg").screenshot()
    return found


def thumbnail(png: bytes) -> Image.Image:
    """Return a small picture with few colours, without the ground around it."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    ground = Image.new("RGB", image.size, image.getpixel((0, 0)))
    image = image.crop(ImageChops.difference(image, ground).getbbox())
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return image.quantize(48, dither=Image.Dither.NONE)


TOOLS: dict[str, Callable[[str], Drawn]] = {
    "fxsummary": by_fxsummary,
    "torchview": by_torchview,
    "netron": by_netron,
    "model_explorer": by_model_explorer,
}


def draw(name: str, tool: str, folder: Path) -> None:
    """Draw a model with a tool; keep its figures."""
    drawn = TOOLS[tool](name)
    thumbnail(drawn.png).save(folder / f"{name}_{tool}.png", optimize=True)
    keep(folder, name, tool, drawn._replace(png=b"")._asdict() | {"png": None})


def keep(folder: Path, name: str, tool: str, figures: dict[str, Any]) -> None:
    """Keep the figures of a picture."""
    place = folder / "figures.json"
    known = json.loads(place.read_text()) if place.exists() else {}
    place.write_text(json.dumps(known | {f"{name}_{tool}": figures}, indent=1, sort_keys=True))
    print(name, tool, figures, flush=True)


def main() -> None:
    """Draw the models named, or all of them; print what was drawn."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(MODELS)}")
    parser.add_argument("--tool", nargs="+", default=list(TOOLS), choices=TOOLS)
    parser.add_argument("--out", type=Path, default=PAGE.with_suffix(""), help="folder of the pictures")
    parser.add_argument("--alone", action="store_true", help="draw in this process")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or MODELS:
        for tool in given.tool:
            if given.alone:
                draw(name, tool, given.out)
                continue
            command = [
                sys.executable,
                "-m",
                "benchmarks.beside",
                name,
                "--tool",
                tool,
                "--out",
                str(given.out),
                "--alone",
            ]
            if failed := in_process(command):
                keep(given.out, name, tool, {"failed": failed})


def in_process(command: list[str]) -> str:
    """Run a command, and end it and what it started after LIMIT seconds; return why it failed, if it did."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as child:
        try:
            errors = child.communicate(timeout=LIMIT)[1]
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            return f"not finished after {LIMIT} s"
    return errors.strip().splitlines()[-1] if child.returncode else ""


if __name__ == "__main__":
    main()
