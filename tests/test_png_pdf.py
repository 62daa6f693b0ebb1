"""PNG, PDF and what notebooks show: the right size and colours, text that is there, errors that say what to do."""

from __future__ import annotations

import io
import re
import sys
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from graphs import graph_of
from torch import nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.style import DARK, LIGHT
from fxsummary.errors import BudgetError, FxsummaryError, InputError, MissingPackageError, OutputError, TooLargeError
from fxsummary.exporters import fontfiles, pdf, png
from fxsummary.exporters.fontfiles import Fonts, choose, find_fonts
from fxsummary.exporters.png import size_of
from fxsummary.graph.findings import Finding, Findings
from fxsummary.graph.modeltable import UNKNOWN, Cell, Column, Row, Table
from zoo import HOSTILE

FONTS = find_fonts()
needs_fonts = pytest.mark.skipif(FONTS is None, reason="no fonts on this machine")


@pytest.fixture(scope="module")
def cnn() -> ModelGraph:
    return graph_of("CNN")


def image(data: bytes) -> Any:
    return pytest.importorskip("PIL.Image").open(io.BytesIO(data)).convert("RGB")


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def page_of(data: bytes) -> Any:
    reader = pytest.importorskip("pypdf").PdfReader(io.BytesIO(data))
    assert len(reader.pages) == 1
    return reader.pages[0]


# --- PNG -------------------------------------------------------------------------------------------


@needs_fonts
@pytest.mark.parametrize("scale", [1, 2, 0.5])
def test_png_has_the_size_of_the_picture(cnn: ModelGraph, scale: float) -> None:
    pytest.importorskip("resvg_py")
    width, height = size_of(cnn.to_svg())
    picture = image(cnn.to_png(scale=scale))
    assert picture.size == pytest.approx((width * scale, height * scale), abs=1)


@needs_fonts
@pytest.mark.parametrize(("theme", "palette"), [("auto", LIGHT), ("light", LIGHT), ("dark", DARK)])
def test_png_has_the_colours_of_its_theme(cnn: ModelGraph, theme: str, palette: Any) -> None:
    pytest.importorskip("resvg_py")
    picture = image(cnn.to_png(theme=theme))
    colours = {colour for _, colour in picture.getcolors(picture.width * picture.height)}
    assert picture.getpixel((1, 1)) == rgb(palette.page)
    assert {rgb(palette.kinds[kind][0]) for kind in ("convolution", "linear", "activation")} <= colours
    heated = image(cnn.to_png(theme=theme, color="flops"))
    colours = {colour for _, colour in heated.getcolors(heated.width * heated.height)}
    assert rgb(palette.heat[4]) in colours and rgb(palette.kinds["linear"][0]) not in colours


@needs_fonts
def test_png_draws_text_in_all_its_fonts(cnn: ModelGraph) -> None:
    pytest.importorskip("resvg_py")
    svg = cnn.to_svg(theme="light")
    for wanted in ("CNN", "Conv2d", "1×16×28×28", "448 params"):
        found = re.search(rf'<text x="([\d.]+)" y="([\d.]+)"[^>]*>{wanted}</text>', svg)
        assert found, wanted
        without = svg.replace(found[0], "")
        assert png.png_of(svg, 1) != png.png_of(without, 1), wanted


def test_png_in_whatever_font_there_is(cnn: ModelGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    resvg_py = pytest.importorskip("resvg_py")
    if FONTS is None:
        pytest.skip("no fonts on this machine")
    drawn = resvg_py.svg_to_bytes

    def without_system_fonts(**options: Any) -> Any:
        return drawn(skip_system_fonts=True, **options)

    monkeypatch.setattr(resvg_py, "svg_to_bytes", without_system_fonts)
    svg = cnn.to_svg(theme="light")
    odd = choose({"odd-name.ttf": FONTS.monospaced})
    assert odd is not None and odd.sans == fontfiles.family_name(FONTS.monospaced) != ""
    for fonts in (FONTS, odd):
        monkeypatch.setattr(png, "find_fonts", lambda family, fonts=fonts: fonts)
        assert png.png_of(svg, 1) != png.png_of(re.sub("<text.*?</text>", "", svg), 1)


def test_png_without_any_font(cnn: ModelGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("resvg_py")
    monkeypatch.setattr(png, "find_fonts", lambda family: None)
    with pytest.raises(OutputError, match=r"no font on this machine.*install one.*or render to \.svg"):
        cnn.to_png()


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf"), "2", True, None])
def test_scales_that_are_none(cnn: ModelGraph, scale: Any) -> None:
    with pytest.raises(InputError, match="is not a positive number"):
        cnn.to_png(scale=scale)


def test_png_too_large_for_viewers(cnn: ModelGraph, tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    with pytest.raises(TooLargeError, match=r"32,767 px a side: pass a smaller depth= or scale="):
        cnn.render(tmp_path / "cnn.png", scale=400)
    with pytest.raises(TooLargeError, match=r"400,000,000 pixels: pass a smaller depth= or scale="):
        cnn.to_png(scale=45)
    assert not list(tmp_path.iterdir())


# --- PDF -------------------------------------------------------------------------------------------


def test_pdf_is_one_page_of_the_size_with_text(cnn: ModelGraph, tmp_path: Path) -> None:
    pytest.importorskip("svglib")
    data = cnn.render(tmp_path / "cnn.pdf").read_bytes()
    page = page_of(data)
    width, height = size_of(cnn.to_svg())
    assert (float(page.mediabox.width), float(page.mediabox.height)) == pytest.approx((0.75 * width, 0.75 * height))
    text = page.extract_text()
    for wanted in ("CNN", "Conv2d", "1×16×28×28", "448 params", "output"):
        assert wanted in text, wanted
    assert data == cnn.to_pdf()


def test_pdf_has_regular_bold_and_monospaced_fonts(cnn: ModelGraph) -> None:
    pytest.importorskip("svglib")
    fonts = page_of(cnn.to_pdf())["/Resources"]["/Font"]
    names = {str(font.get_object()["/BaseFont"]) for font in fonts.values()}
    assert len(names) >= 3 and any("Bold" in name for name in names), names


@needs_fonts
@pytest.mark.parametrize("options", [{}, {"view": "memory"}, {"background": "none", "title": False}], ids=str)
def test_pdf_embeds_every_font(cnn: ModelGraph, options: dict[str, Any]) -> None:
    pytest.importorskip("svglib")
    fonts = page_of(cnn.to_pdf(**options))["/Resources"]["/Font"]
    for font in fonts.values():
        assert "/FontFile2" in font.get_object()["/FontDescriptor"], font.get_object()["/BaseFont"]


def test_pdf_embeds_the_only_font_that_there_is(cnn: ModelGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("svglib")
    folder = Path(pytest.importorskip("reportlab").__file__).parent / "fonts"
    vera = choose(fontfiles.font_files([folder]))
    assert vera is not None and vera.monospaced == vera.regular
    monkeypatch.setattr(pdf, "find_fonts", lambda family: vera)
    fonts = page_of(cnn.to_pdf())["/Resources"]["/Font"]
    assert all("/FontFile2" in font.get_object()["/FontDescriptor"] for font in fonts.values())


@needs_fonts
@pytest.mark.parametrize("form", ["png", "pdf"])
def test_a_chosen_font_is_that_of_the_picture(cnn: ModelGraph, form: str, tmp_path: Path) -> None:
    pytest.importorskip("svglib" if form == "pdf" else "resvg_py")
    assert FONTS is not None
    family = fontfiles.names_of(FONTS.monospaced)[0]
    chosen = cnn.render(tmp_path / f"a.{form}", font=family).read_bytes()
    assert chosen != cnn.render(tmp_path / f"b.{form}").read_bytes()
    if form == "pdf":
        names = {str(font.get_object()["/BaseFont"]) for font in page_of(chosen)["/Resources"]["/Font"].values()}
        assert all(name.partition("+")[2].startswith(family.replace(" ", "")) for name in names), names
    with pytest.raises(InputError, match=r"no \.ttf or \.otf file of this machine has this family"):
        cnn.render(tmp_path / f"c.{form}", font="No Such Family")


def test_font_size_is_that_of_png_and_pdf(cnn: ModelGraph) -> None:
    pytest.importorskip("svglib")
    plain, small = (page_of(cnn.to_pdf(font_size=size)).mediabox for size in (11, 5.5))
    assert float(small.width) == pytest.approx(float(plain.width) / 2, abs=0.1)
    assert size_of(cnn.to_svg(font_size=5.5))[0] == size_of(cnn.to_svg())[0] / 2


def test_pdf_in_standard_fonts(cnn: ModelGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("svglib")
    monkeypatch.setattr(pdf, "find_fonts", lambda family: None)
    page = page_of(cnn.to_pdf())
    names = {str(font.get_object()["/BaseFont"]) for font in page["/Resources"]["/Font"].values()}
    assert {"/Helvetica", "/Helvetica-Bold", "/Courier"} <= names
    assert "3->16" in page.extract_text() and "1×16×28×28" in page.extract_text()


def test_pdf_of_a_theme_and_a_direction(cnn: ModelGraph) -> None:
    pytest.importorskip("svglib")
    light, dark, wide = cnn.to_pdf(), cnn.to_pdf(theme="dark"), cnn.to_pdf(direction="LR")
    assert light == cnn.to_pdf(theme="auto") != dark
    box = page_of(wide).mediabox
    assert box.width > box.height


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(name: str) -> None:
    pytest.importorskip("svglib")
    graph = fxsummary.graph(nn.Sequential(nn.Linear(2, 2)), torch.empty(1, 2))
    for _, data in graph.nodes(data=True):
        data.update(label=HOSTILE[name], config=HOSTILE[name])
    page_of(graph.to_pdf(title=HOSTILE[name]))
    if FONTS is not None:
        pytest.importorskip("resvg_py")
        assert image(graph.to_png()).width >= 300


# --- what is missing -------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "package"), [("png", "resvg_py"), ("pdf", "svglib"), ("pdf", "reportlab")])
def test_a_missing_package_is_told_with_the_line_that_installs_it(
    cnn: ModelGraph, suffix: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [package, *(name for name in sys.modules if name.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError, match=rf"pip install 'fxsummary\[{suffix}\]'") as caught:
        cnn.render(tmp_path / f"cnn.{suffix}")
    assert isinstance(caught.value, ImportError) and isinstance(caught.value, FxsummaryError)
    assert not list(tmp_path.iterdir())


# --- fonts -----------------------------------------------------------------------------------------


def test_fonts_are_chosen_in_order() -> None:
    files = {name: Path(name) for name in ("dejavusans.ttf", "dejavusans-bold.ttf", "arial.ttf", "notes.txt")}
    dejavu = choose(files)
    assert dejavu is not None and (dejavu.sans, dejavu.mono) == ("DejaVu Sans", "DejaVu Sans")
    assert dejavu.bold == Path("dejavusans-bold.ttf")
    arial = choose(files | {"arialbd.ttf": Path("b"), "consola.ttf": Path("c")})
    assert arial is not None and (arial.sans, arial.mono, arial.size) == ("Arial", "Consolas", 1.0)
    assert choose({}) is None


def test_wide_fonts_are_set_smaller_but_for_columns() -> None:
    fonts = Fonts("DejaVu Sans", "DejaVu Sans Mono", Path("a"), Path("b"), Path("c"), 0.5)
    svg = '<text x="1" class="t" font-size="12">a</text><text x="1" class="mu m" font-size="10">b</text>'
    assert fonts.fitted(svg) == svg.replace('"12"', '"6"')
    alone = Fonts("DejaVu Sans", "DejaVu Sans", Path("a"), Path("b"), Path("a"), 0.5)
    assert alone.fitted(svg) == svg.replace('"12"', '"6"').replace('"10"', '"5"')


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01\x00\x00\xff\xff" + bytes(20), b"not a font at all, but long enough"]
)
def test_what_is_no_font_has_no_family(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.ttf"
    path.write_bytes(content)
    assert fontfiles.family_name(path) == ""
    assert choose(fontfiles.font_files([tmp_path])) is None
    assert fontfiles.family_name(tmp_path / "missing.ttf") == ""


@needs_fonts
def test_texts_are_no_wider_than_thought(cnn: ModelGraph) -> None:
    fonts, faces = find_fonts(), pytest.importorskip("PIL.ImageFont")
    assert fonts is not None
    for style, weight, text in re.findall(
        r'class="([^"]*)" font-size="[^"]*"( font-weight)?[^>]*>(.*?)</text>', cnn.to_svg()
    ):
        mono, bold = "m" in style.split(), bool(weight)
        path = fonts.monospaced if mono else fonts.bold if bold else fonts.regular
        size = 1.0 if mono else fonts.size
        drawn = faces.truetype(str(path), 1000).getlength(text) / 1000 * size
        thought = text_width(text, 1, bold=bold, mono=mono)
        assert drawn <= thought * (1.001 if size == 1 else 1.1), text


# --- notebooks -------------------------------------------------------------------------------------


def test_notebooks_show_the_picture_and_have_the_text(cnn: ModelGraph) -> None:
    shown = cnn._repr_mimebundle_()
    assert set(shown) == {"image/svg+xml", "text/plain"}
    assert shown["text/plain"] == str(cnn)
    root = ElementTree.fromstring(shown["image/svg+xml"])
    assert root.attrib["style"] == "max-width:100%;height:auto"
    assert shown["image/svg+xml"].replace(' style="max-width:100%;height:auto"', "") == cnn.to_svg()


def test_notebooks_get_only_what_they_ask_for(cnn: ModelGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(cnn._repr_mimebundle_(include={"text/plain"})) == {"text/plain"}
    assert set(cnn._repr_mimebundle_(exclude={"text/plain"})) == {"image/svg+xml"}
    monkeypatch.setattr(ModelGraph, "to_svg", lambda self: pytest.fail("drawn, though not asked for"))
    assert set(cnn._repr_mimebundle_(None, ["image/svg+xml"])) == {"text/plain"}
    with pytest.raises(AttributeError):
        _ = cnn._ipython_canary_method_should_not_exist_


def test_the_display_formatter_of_ipython(cnn: ModelGraph) -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    shown, _ = formatters.DisplayFormatter().format(cnn)
    assert shown["image/svg+xml"].startswith("<svg ") and shown["text/plain"] == str(cnn)


def tables_of(html: str) -> list[list[str]]:
    """The texts of a table in HTML, by row; the HTML is well formed and has no scripts."""
    root = ElementTree.fromstring(html.replace("<br>", "<br/>"))
    assert {each.tag for each in root.iter()} <= {"div", "table", "thead", "tbody", "tr", "th", "td", "br"}
    names = {name for each in root.iter() for name in each.attrib}
    assert names <= {"style", "class"}
    return [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]


HOSTILE_NAME = '<img src=x onerror=alert(1)> & "$x$"'


def test_notebooks_show_findings_as_a_table(cnn: ModelGraph) -> None:
    block = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    found = fxsummary.graph(block).lint()
    head, row = tables_of(found._repr_html_())
    assert head == ["Rule", "What", "Where", "Remedy"] and row[0] == "warning: bias-before-norm"
    assert row[1].startswith(found[0].message) and row[3] == found[0].remedy
    with pytest.raises(BudgetError) as caught:
        cnn.check(max_parameters=1, max_flops=1)
    assert len(tables_of(caught.value.findings._repr_html_())) == 3
    assert cnn.lint() == () and "no findings" in cnn.lint()._repr_html_() and not tables_of(cnn.lint()._repr_html_())
    hostile = Findings([Finding("rule", HOSTILE_NAME, details=(HOSTILE_NAME,))])
    assert tables_of(hostile._repr_html_())[1][1] == HOSTILE_NAME * 2


def test_notebooks_show_tables(cnn: ModelGraph) -> None:
    roofline = tables_of(cnn.roofline("H100")._repr_html_())
    assert roofline[0][0] == "Module" and any("conv1" in row[0] for row in roofline)
    sizes = dict(tables_of(cnn.training(optimizer="sgd", device="cpu")._repr_html_()))
    assert sizes["Parameters"] == "81.2 KiB" and "FLOPs" in sizes
    rows = Row("net", (Cell(1_234_567), Cell(HOSTILE_NAME))), Row(HOSTILE_NAME, (UNKNOWN, UNKNOWN), "no inputs")
    models = Table((Column("parameters", "Parameters", "parameters"), Column("text", "Text", "text")), rows)
    assert tables_of(models._repr_html_()) == [
        ["Model", "Parameters", "Text", "Failed"],
        ["net", "1.23 M", HOSTILE_NAME, ""],
        [HOSTILE_NAME, "", "", "no inputs"],
    ]


def test_notebooks_scale_every_picture(cnn: ModelGraph) -> None:
    assert cnn.memory is not None
    assert cnn.memory._repr_svg_().startswith('<svg style="max-width:100%;height:auto" ')


def test_the_interactive_page_in_a_frame(cnn: ModelGraph, capsys: pytest.CaptureFixture[str]) -> None:
    frame = cnn.show(height=300, depth=1, theme="dark")
    shown = frame._repr_html_()
    root = ElementTree.fromstring(re.sub(' srcdoc=".*?"', "", shown, flags=re.DOTALL))
    assert root.tag == "iframe" and root.attrib["sandbox"] == "allow-scripts" and "height:300px" in root.attrib["style"]
    assert root.attrib["title"] == "CNN architecture"
    page = re.search('srcdoc="([^"]*)"', shown)
    assert page and unescape(page[1]) == cnn.to_html(depth=1, theme="dark") == frame.html
    assert capsys.readouterr() == ("", "") and len(repr(frame)) < 80
    for height in (0, -1, True, "300px", 2.5):
        with pytest.raises(InputError, match="is not a positive number of pixels"):
            cnn.show(height=height)


def test_styles_of_a_picture_hold_only_inside_of_it(cnn: ModelGraph) -> None:
    for theme in ("auto", "light", "dark"):
        svg = cnn.to_svg(theme=theme, color="flops")
        css = re.search("<style>(.*)</style>", svg)
        assert css and f'class="fx-{theme}"' in svg
        selectors = re.findall(r"(?:^|[{}])([^{}]+)\{", css[1])
        assert len(selectors) > 60
        assert all(s.startswith((f".fx-{theme} ", "@media")) for s in selectors), selectors
