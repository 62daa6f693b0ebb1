"""Models in documents: real builds by Sphinx and MkDocs, looked at page by page."""

from __future__ import annotations

import re
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace

import pytest
from forked import run_module
from torch import nn

from fxsummary.documents import autodoc, render
from fxsummary.drawing.style import DARK
from fxsummary.errors import InputError

HOSTILE = '<b>"x"</b> | `y` ]]> </figure><script>alert(1)</script> & \\{z}'

MODEL = f"""
import pathlib, torch
from torch import nn

with open(pathlib.Path(__file__).with_name("imports.log"), "a") as log:
    log.write("imported\\n")

class Net(nn.Module):
    def __init__(self, width=8, layers=3):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.Sequential(*[
            nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU()) for _ in range(layers)
        ])

    def forward(self, x):
        return self.blocks(torch.relu(self.stem(x))).mean((2, 3))

Hostile = type({HOSTILE!r}, (Net,), {{}})
"""

RST = """
Model
=====

.. fxsummary:: net.py:Net
   :input: 1x3x32x32
   :arg: width=16
   :caption: The *net*, ``16`` wide.
   :alt: a small "net"
   :name: the-net
   :class: wide

See :ref:`the-net`.

.. fxsummary:: net.py:Net
   :input: 1x3x32x32
   :view: summary
   :depth: 1
   :caption: Costs

.. fxsummary:: net.py:Net
   :view: modules

.. fxsummary:: net.py:Net
   :view: parameters

.. fxsummary:: net.py:Net
   :input: 1x3x32x32
   :view: memory
   :no-links:
"""


def run(*command: object, cwd: Path) -> CompletedProcess[str]:
    return run_module(list(map(str, command)), cwd)


def sphinx(project: Path, *options: object, builder: str = "html") -> CompletedProcess[str]:
    return run("sphinx", "-q", "-b", builder, *options, "source", f"out/{builder}", cwd=project)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    (source / "conf.py").write_text('extensions = ["fxsummary.sphinxext"]\nhtml_theme = "basic"\n')
    (source / "net.py").write_text(MODEL)
    (source / "index.rst").write_text(RST)
    return tmp_path


def imports(project: Path) -> int:
    log = project / "source" / "imports.log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_sphinx_html(project: Path) -> None:
    built = sphinx(project, "-W")
    assert (built.returncode, built.stderr) == (0, "")
    page = (project / "out" / "html" / "index.html").read_text()
    figure = page[page.index("<figure") : page.index("</figure>")]
    assert 'id="the-net"' in figure and "wide" in figure and "fxsummary-picture" in figure
    assert 'aria-label="a small &quot;net&quot;"' in figure and 'class="fx-light fx-page"' in figure
    assert 'style="max-width:100%;height:auto"' in figure and 'class="page"' not in figure
    assert page.count("<figure") == 2 and 'aria-label="memory of Net"' in page
    assert "3→16, 3×3" in figure and "×3" in figure
    assert "The <em>net</em>" in figure and '<a class="reference internal" href="#the-net">' in page
    tables = re.findall("<table.*?</table>", page, re.DOTALL)
    assert len(tables) == 3
    costs, tree, parameters = (re.sub("<[^>]*>", " ", table) for table in tables)
    assert "blocks\u00a0Sequential" in costs and "1×8×32×32" in costs and "584" not in costs
    assert "0\u00a0Conv2d\u00a08→8" in tree and "1,976" in tree
    assert "stem.weight" in parameters and "8×3×3×3" in parameters
    style = (project / "out" / "html" / "_static" / "fxsummary.css").read_text()
    assert '[data-theme="dark"] .fx-page' in style and "fxsummary.css" in page


def linked(html: str, page: Path) -> dict[str, str]:
    """The files that the links below the pictures of a page lead to, by suffix."""
    names = re.findall(r'<p class="fxsummary-links"><a href="([^"]*)">full picture</a> · <a href="([^"]*)">', html)
    return {Path(name).suffix: (page.parent / name).read_text() for pair in names for name in pair}


@pytest.mark.parametrize("builder", ["html", "dirhtml"])
def test_sphinx_places_and_links_a_picture(project: Path, builder: str) -> None:
    (project / "source" / "more").mkdir()
    source = project / "source" / "more" / "page.rst"
    directive = ".. fxsummary:: ../net.py:Net\n   :input: 1x3x32x32\n   :width: 80%\n   :no-legend:\n   :font-size: 22"
    source.write_text(f":orphan:\n\nTitle\n=====\n\n{directive}\n\n{directive}\n   :no-links:\n")
    built = sphinx(project, "-W", builder=builder)
    assert (built.returncode, built.stderr) == (0, "")
    page = project / "out" / builder / "more" / ("page.html" if builder == "html" else "page/index.html")
    html = page.read_text()
    found = linked(html, page)
    assert html.count("fxsummary-links") == 1 and set(found) == {".svg", ".html"}
    assert html.count('style="width:80%;max-width:100%;height:auto"') == 2 and ">convolution<" not in html
    assert found[".svg"].startswith("<svg") and 'class="page"' not in found[".svg"]
    assert found[".html"].startswith("<!doctype html>") and "Net" in found[".html"]


def test_a_picture_is_dark_only_where_the_page_is() -> None:
    css = render.page_css()
    outside = re.sub(r"@media screen and \(prefers-color-scheme:dark\)\{.*\}\}", "", css)
    assert outside != css and ".fx-page{background:#fff}" in css
    marks = ('[data-theme="dark"]', '[data-md-color-scheme="slate"]', '[data-bs-theme="dark"]')
    assert [line.startswith(marks) for line in outside.splitlines() if DARK.text in line] == [True] * len(marks)
    for rule in re.findall(r"@media[^\n]*", css):
        assert '="auto"] .fx-page' in rule and '="light"]' not in rule


def test_views_have_one_set_of_names(tmp_path: Path) -> None:
    page = Path(__file__).parents[1] / "docs" / "documents.md"
    table = page.read_text("utf-8").partition("\n## Views\n")[2].partition("\n## ")[0]
    told = {row[0]: row[1:] for row in re.findall(r"^\| `(\w+)` \| (.*?) ?\| (.*?) ?\|$", table, re.MULTILINE)}
    assert {view for view, (picture, _) in told.items() if picture} == set(render.PICTURES)
    assert {view for view, (_, table) in told.items() if table} == set(render.TABLES)
    for view in told:
        kind = render.embedding("net.py:Net", {"view": view}, tmp_path).kind
        assert kind == ("picture" if view in render.PICTURES else "table")
    for former, view in (("picture", "model"), ("table", "summary"), ("tree", "modules")):
        assert render.embedding("net.py:Net", {"view": former}, tmp_path).view == view
    with pytest.raises(InputError, match=r"unknown view 'modles'\. Did you mean 'modules'\? Known: model, memory"):
        render.embedding("net.py:Net", {"view": "modles"}, tmp_path)


@pytest.mark.parametrize("width", ["80", "1px;color:red", "auto", '"'])
def test_widths_that_are_none(width: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a width with a unit"):
        render.embedding("net.py:Net", {"width": width}, tmp_path)


def test_options_of_the_picture_are_passed_on(tmp_path: Path) -> None:
    given = {"page": "column", "no-title": "", "font-size": "9", "source-url": "{file}"}
    found = render.embedding("net.py:Net", given, tmp_path)
    expected = {"page": "column", "title": False, "font_size": 9.0, "source_url": "{file}", "background": "none"}
    assert found.options == expected
    with pytest.raises(InputError, match="no-title is an option of the picture, not of the table"):
        render.embedding("net.py:Net", {"no-title": "", "view": "summary"}, tmp_path)


def test_sphinx_again_does_nothing(project: Path) -> None:
    assert sphinx(project, "-W").returncode == 0
    page = project / "out" / "html" / "index.html"
    first, before = page.read_text(), imports(project)
    assert before == 5
    written = page.stat().st_mtime_ns
    assert sphinx(project, "-W").returncode == 0
    assert (page.stat().st_mtime_ns, imports(project)) == (written, before)
    assert sphinx(project, "-W", "-E", "-a").returncode == 0, "all pages anew, from what was kept"
    assert (page.read_text(), imports(project)) == (first, before)
    model = project / "source" / "net.py"
    model.write_text(model.read_text().replace("layers=3", "layers=5"))
    assert sphinx(project, "-W").returncode == 0, "the page is as it was, its model is not"
    assert page.read_text() != first and imports(project) > before


def test_sphinx_latex_and_text(project: Path) -> None:
    built = sphinx(project, "-W", builder="latex")
    assert (built.returncode, built.stderr) == (0, "")
    folder = project / "out" / "latex"
    (tex,) = folder.glob("*.tex")
    name = re.search(r"\\sphinxincludegraphics.*?\{\{(\w+)\}\.pdf\}", tex.read_text())
    assert name and (folder / f"{name[1]}.pdf").read_bytes().startswith(b"%PDF")
    assert "stem.weight" in tex.read_text()
    assert sphinx(project, "-W", builder="text").returncode == 0
    assert "stem Conv2d 3→16" in (project / "out" / "text" / "index.txt").read_text()


def test_sphinx_says_where_a_model_fails(project: Path) -> None:
    page = project / "source" / "index.rst"
    page.write_text(
        "Title\n=====\n\nWords.\n\n.. fxsummary:: net.py:Nothing\n\n.. fxsummary:: net.py:Net\n   :input: 3y3\n"
    )
    built = sphinx(project)
    assert built.returncode == 0
    assert "index.rst:6: WARNING: fxsummary: " in built.stderr and "has no 'Nothing'. " in built.stderr
    assert "index.rst:8: WARNING: fxsummary: --input '3y3'" in built.stderr
    assert "Nothing cannot be shown" in (project / "out" / "html" / "index.html").read_text()
    assert sphinx(project, "-W", "-E").returncode == 1


@pytest.mark.parametrize("builder", ["html", "latex"])
def test_sphinx_hostile_names(project: Path, builder: str) -> None:
    page = project / "source" / "index.rst"
    caption = HOSTILE.replace("\\", "\\\\").replace("`", "\\`")
    views = "".join(
        f".. fxsummary:: net.py:Hostile\n   :view: {view}\n   :caption: {caption}\n   :alt: {HOSTILE}\n\n"
        for view in ("model", "summary", "modules")
    )
    page.write_text(f"Title\n=====\n\n{views}")
    built = sphinx(project, "-W", builder=builder)
    assert (built.returncode, built.stderr) == (0, "")
    if builder == "html":
        html = (project / "out" / "html" / "index.html").read_text()
        assert "<script>alert" not in html and html.count("&lt;script&gt;alert(1)") >= 6
        assert html.count("</figure>") == 1


CLASSES = '''
import torch
from torch import nn

class Base(nn.Module):
    """Has no forward."""

class Small(Base):
    """A small one.

    Args:
        width: of the layer.
    """

    def __init__(self, width=8):
        """Make it."""
        super().__init__()
        self.layer = nn.Linear(4, width)

    def forward(self, x):
        return self.layer(x)

class Undocumented(Small):
    pass

class Sized(Small):
    """One whose docstring says how to build it.

    .. fxsummary::
       :arg: width=13
       :input: 7x4
       :view: summary
    """

    def __init__(self, width):
        super().__init__(width)

class Needy(Sized):
    """Needs an argument."""

class Broken(Small):
    """Fails."""

    def __init__(self):
        raise RuntimeError("no such luck")

class Outer:
    """Not a module."""

    class Inner(Small):
        """Within a class."""
'''


def test_docstrings_without_the_setting() -> None:
    app = SimpleNamespace(env=SimpleNamespace(temp_data={}), config={autodoc.SETTING: ""})
    lines = ["A layer.", "", "  .. fxsummary::  ", "     :view: summary"]
    autodoc._add_model(app, "class", "nn.Linear", nn.Linear, None, lines)
    assert lines[1:] == ["", "  .. fxsummary:: torch.nn.modules.linear:Linear", "     :view: summary"]
    for what, value in (("class", nn.ReLU), ("class", int), ("function", nn.ReLU)):
        text = ["Words."]
        autodoc._add_model(app, what, "name", value, None, text)
        assert text == ["Words."]


def test_classes_that_autodoc_shows(project: Path) -> None:
    source = project / "source"
    (source / "classes.py").write_text(CLASSES)
    (source / "index.rst").write_text(
        "Title\n=====\n\n.. automodule:: classes\n   :members:\n   :undoc-members:\n   :member-order: bysource\n"
    )
    (source / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(source)!r})\n"
        "extensions = ['sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'fxsummary.sphinxext']\n"
        f"autoclass_content = 'both'\nfxsummary_autodoc = 'model'\n"
    )
    built = sphinx(project)
    assert built.returncode == 0
    page = (project / "out" / "html" / "index.html").read_text()
    parts = dict(re.findall(r'id="classes\.([\w.]+)">(.*?)(?=id="classes\.|\Z)', page, re.DOTALL))
    pictures = {name for name, text in parts.items() if "<figure" in text}
    assert "7×13" in parts["Sized"] and 'class="fxsummary-table' in parts["Sized"]
    assert pictures == {"Small", "Undocumented", "Outer.Inner"} and page.count("<figure") == 3
    assert "docstring of classes.Broken:" in built.stderr and "no such luck" in built.stderr
    assert built.stderr.count("WARNING") == 1 and "cannot be shown" in parts["Broken"]


MARKDOWN = """---
title: Net
---
# Net

```fxsummary
net.py:Net
input: 1x3x32x32
caption: A net.
```

````md
```fxsummary
nothing:here
```
````

- in a list

    ~~~fxsummary
    net.py:Net
    view: modules
    ~~~
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    docs.mkdir()
    (tmp_path / "mkdocs.yml").write_text("site_name: models\nplugins: [fxsummary]\n")
    (docs / "net.py").write_text(MODEL)
    (docs / "index.md").write_text(MARKDOWN)
    return tmp_path


def mkdocs(site: Path) -> CompletedProcess[str]:
    return run("mkdocs", "build", "--strict", cwd=site)


def test_mkdocs(site: Path) -> None:
    built = mkdocs(site)
    assert built.returncode == 0, built.stderr
    page = (site / "site" / "index.html").read_text()
    assert page.count("<svg") == 1 and "<figcaption>A net.</figcaption>" in page and "3→8, 3×3" in page
    assert "nothing:here" in page, "an example of a block is left as it is"
    table = page[page.index("<table") : page.index("</table>")]
    assert page.index("<li>") < page.index("<table") and "0&nbsp;Conv2d&nbsp;8→8" in table
    assert "slate" in (site / "site" / "assets" / "fxsummary.css").read_text() and "assets/fxsummary.css" in page
    found = linked(page, site / "site" / "index.html")
    assert set(found) == {".svg", ".html"} and "3→8, 3×3" in found[".svg"] and "<!doctype html>" in found[".html"]
    log = site / "docs" / "imports.log"
    before = log.read_text()
    assert mkdocs(site).returncode == 0
    assert log.read_text() == before and "<svg" in (site / "site" / "index.html").read_text()


def test_mkdocs_says_where_a_model_fails(site: Path) -> None:
    page = site / "docs" / "index.md"
    page.write_text(
        "---\ntitle: x\n---\nText\n\n```fxsummary\nnet.py:Net\ncolour: flops\n```\n\n```fxsummary\nno.py:Net\n```\n"
    )
    built = mkdocs(site)
    assert built.returncode == 1
    assert "index.md:6: unknown option 'colour'. Known: input" in built.stderr
    assert "index.md:11: cannot import" in built.stderr


def test_mkdocs_hostile_names(site: Path) -> None:
    views = "".join(
        f"```fxsummary\nnet.py:Hostile\nview: {view}\ncaption: {HOSTILE}\n```\n\n" for view in ("model", "summary")
    )
    (site / "docs" / "index.md").write_text(views + "After *it*.\n")
    assert mkdocs(site).returncode == 0
    page = (site / "site" / "index.html").read_text()
    assert "<script>alert" not in page and page.count("</figure>") == 1 and "<p>After <em>it</em>.</p>" in page
