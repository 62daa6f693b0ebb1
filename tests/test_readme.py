"""Blocks of Markdown files: filled, checked, and nothing else of the file touched."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
from graphs import graph_of
from markdown_it import MarkdownIt

from fxsummary.cli import main
from fxsummary.exporters.svg import VIEWS as PICTURES
from fxsummary.exporters.tables.summary import VIEWS as TABLES
from fxsummary.support import files

ROOT = Path(__file__).parents[1]
CNN = f"{ROOT / 'docs' / 'examples' / 'cnn.py'}:CNN --input 1x3x28x28"
END = "<!-- /fxsummary -->"


def block(view: str = "summary", *, content: str = "", options: str = "") -> str:
    return f"<!-- fxsummary: {CNN} --view {view} {options} -->\n{content}{END}\n"


def run(capsys: pytest.CaptureFixture[str], path: Path, *options: str) -> tuple[int, str, str]:
    code = main(["readme", str(path), "--quiet", *options])
    output = capsys.readouterr()
    return code, output.out.replace(str(path), "README.md"), output.err.replace(str(path), "README.md")


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    return tmp_path / "README.md"


def test_the_three_views(capsys: pytest.CaptureFixture[str], readme: Path) -> None:
    readme.write_text(
        f"# CNN\n\n{block()}\ntext\n\n{block('model --format mermaid')}"
        f"{block('model -o my%20cnn.svg', options='--depth 1')}end"
    )
    assert run(capsys, readme) == (0, "README.md:3: updated\nREADME.md:8: updated\nREADME.md:10: updated\n", "")
    graph, text = graph_of("CNN"), readme.read_text("utf-8")
    assert f"--view summary  -->\n\n{graph.to_markdown()}\n{END}\n\ntext" in text
    assert f"-->\n\n```mermaid\n{graph.to_mermaid()}```\n\n{END}" in text
    assert f"-->\n\n![CNN](my%2520cnn.svg)\n\n{END}\nend" in text
    assert (readme.parent / "my%20cnn.svg").read_text("utf-8") == graph.to_svg(depth=1)
    assert text.startswith("# CNN\n\n<!-- fxsummary: ")
    readme.write_text(block("model -o cnn.svg", options="--no-title --font-size 22 --color flops"))
    assert run(capsys, readme)[0] == 0
    picture = graph.to_svg(title=False, font_size=22, color="flops")
    assert (readme.parent / "cnn.svg").read_text("utf-8") == picture
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    kinds = [token.type for token in tokens]
    assert kinds.count("table_open") == 1 and kinds.count("fence") == 1
    images = [child.attrs["src"] for token in tokens for child in token.children or () if child.type == "image"]
    assert images == ["my%2520cnn.svg"]


FORMER = {"table": "summary", "mermaid": "model --format mermaid", "svg=cnn.svg": "model -o cnn.svg"}


@pytest.mark.parametrize("former", FORMER)
def test_former_views(former: str, capsys: pytest.CaptureFixture[str], readme: Path) -> None:
    found = []
    for view in (former, FORMER[former]):
        readme.write_text(block(view))
        assert run(capsys, readme)[0] == 0
        found.append(readme.read_text("utf-8").partition("\n")[2])
    assert found[0] == found[1] != f"{END}\n"


def test_all_views(capsys: pytest.CaptureFixture[str], readme: Path) -> None:
    graph = graph_of("CNN")
    readme.write_text("".join(map(block, TABLES)))
    assert run(capsys, readme)[0] == 0
    for view in TABLES:
        assert f"--view {view}  -->\n\n{graph.to_markdown(view=view)}\n{END}" in readme.read_text("utf-8")
    readme.write_text("".join(block(f"{view} -o {view}.svg") for view in PICTURES))
    assert run(capsys, readme)[0] == 0
    for view in PICTURES:
        assert (readme.parent / f"{view}.svg").read_text("utf-8") == graph.to_svg(view=view)


def test_again_changes_nothing(capsys: pytest.CaptureFixture[str], readme: Path) -> None:
    readme.write_text(block() + block("model -o cnn.svg"))
    run(capsys, readme)
    before = readme.read_bytes(), readme.stat().st_mtime_ns, (readme.parent / "cnn.svg").stat().st_mtime_ns
    assert run(capsys, readme) == (0, "README.md:1: up to date\nREADME.md:24: up to date\n", "")
    assert (readme.read_bytes(), readme.stat().st_mtime_ns, (readme.parent / "cnn.svg").stat().st_mtime_ns) == before


def test_check_names_the_stale_blocks_and_writes_nothing(capsys: pytest.CaptureFixture[str], readme: Path) -> None:
    readme.write_text(block() + block("model -o cnn.svg"))
    code, out, err = run(capsys, readme, "--check")
    assert (code, err) == (1, "")
    assert out.startswith("README.md:1: stale\n  +**CNN** · input x 1×3×28×28\n  +| Module | Output shape |")
    assert out.endswith("README.md:3: stale\n  +![CNN](cnn.svg)\n  cnn.svg does not exist\n")
    assert readme.read_text() == block() + block("model -o cnn.svg")
    assert list(readme.parent.iterdir()) == [readme]
    run(capsys, readme)
    assert run(capsys, readme, "--check")[0] == 0
    text = readme.read_text("utf-8").replace("20,778", "20,779", 1)
    readme.write_text(text, "utf-8")
    changes = "\n  ".join(f"{sign}| CNN | 1×10 | 20,77{end} | 2.52 M | 100 |" for sign, end in ("-9", "+8"))
    told = f"README.md:1: stale\n  {changes}\nREADME.md:24: up to date\n"
    assert run(capsys, readme, "--check") == (1, told, "")
    assert readme.read_text("utf-8") == text
    run(capsys, readme)
    (readme.parent / "cnn.svg").write_text("<svg/>")
    told = "README.md:1: up to date\nREADME.md:24: stale\n  cnn.svg differs\n"
    assert run(capsys, readme, "--check") == (1, told, "")
    assert (readme.parent / "cnn.svg").read_text() == "<svg/>"


def test_check_shows_a_limited_number_of_changes(capsys: pytest.CaptureFixture[str], readme: Path) -> None:
    readme.write_text(block(content="".join(f"old {number}\n" for number in range(40))))
    out = run(capsys, readme, "--check")[1].splitlines()
    assert out[1:3] == ["  -old 0", "  -old 1"] and len(out) == 22
    assert re.fullmatch(r"  … and \d+ more lines", out[-1])
    readme.write_text(block())
    run(capsys, readme)
    readme.write_text(readme.read_text("utf-8").replace("\n\n**CNN", "\n**CNN"), "utf-8")
    assert run(capsys, readme, "--check")[1] == "README.md:1: stale\n  empty lines\n"


def test_titles_and_no_notes(capsys: pytest.CaptureFixture[str], readme: Path) -> None:
    title = "--title 'A *net*'"
    parts = block(options=title), block(options="--no-title"), block("mermaid", options=title)
    readme.write_text("".join((*parts, block("model -o cnn.svg", options=title))))
    assert run(capsys, readme)[0] == 0
    named, bare, flow, picture = readme.read_text("utf-8").split("<!-- fxsummary: ")[1:]
    assert "-->\n\n**A \\*net\\*** · input x 1×3×28×28\n" in named
    assert "-->\n\n| Module |" in bare
    assert "-->\n\n**A \\*net\\***\n\n```mermaid\n" in flow
    assert "![A \\*net\\*](cnn.svg)" in picture
    assert "A *net*" in (readme.parent / "cnn.svg").read_text("utf-8")
    saved = graph_of("CustomOperatorWithoutFormula").render(readme.parent / "net.json")
    for option, count in (("", 1), ("--no-notes", 0)):
        readme.write_text(f"<!-- fxsummary: {saved} {option} -->\n{END}\n")
        run(capsys, readme)
        text = readme.read_text("utf-8")
        assert text.count("- **Note:**") == count and "- **Parameters:**" in text


AROUND = [
    "\ufeff# Title\n\n{}tail without newline",
    "{}",
    "a\x0bb\u2028c\x85\n{}\x0c\n",
    "```md\n<!-- fxsummary: no:such -->\n<!-- /fxsummary -->\n```\n{}",
    "~~~~\n```\n<!-- fxsummary: no:such -->\n~~~\n~~~~\n{}",
    "```a`b\n{}",
    "  ````\n  ```\n<!-- fxsummary: x:y -->\n  ````\n\n{}\n```\n<!-- /fxsummary -->\n",
    "    <!-- fxsummary: indented:code -->\n\n{}",
    "Write `<!-- fxsummary: a:b -->` in a line.\n\n{}",
    "trailing spaces   \n\n{}\t\n\n\n",
]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_all_else_stays_byte_for_byte(
    around: str, newline: str, capsys: pytest.CaptureFixture[str], readme: Path
) -> None:
    before, _, after = around.partition("{}")
    before, after = (part.replace("\n", newline).encode() for part in (before, after))
    opening, closing = (f"{line}{newline}".encode() for line in (block().split("\n")[0], END))
    readme.write_bytes(before + opening + b"old\n```\n" + closing + after)
    assert run(capsys, readme)[0] == 0
    table = f"\n{graph_of('CNN').to_markdown()}\n".replace("\n", newline).encode()
    assert readme.read_bytes() == before + opening + table + closing + after


WRONG = {
    f"text\n<!-- fxsummary: {CNN} -->\n": r"line 2: this block is not closed: write <!-- /fxsummary --> after it",
    f"{block().splitlines()[0]}\n\n{block()}": r"line 1: this block is not closed before line 3",
    f"\n{END}\n": r"line 2: there is no open block to close",
    f"<!-- fxsummary: {CNN}\n  --view summary -->\n{END}": r"line 1: the comment must end with --> at the end",
    f"<!-- fxsummary: {CNN} --> text\n{END}": r"line 1: the comment must end",
    "nothing here\n": r"has no blocks\. Write <!-- fxsummary: models\.py:CNN",
    block("picture"): r"line 1: unknown view 'picture'\. Known: summary, modules, parameters",
    block("model"): r"line 1: --view model does not fit --format markdown: add -o PATH\.svg or --format mermaid",
    block(
        "memory --format mermaid"
    ): r"line 1: --view memory does not fit --format mermaid: the flowchart has the view model",
    block("summary -o a.svg"): r"line 1: unknown view 'summary'",
    block("model -o /tmp/a.svg"): r"line 1: '/tmp/a\.svg' is not the path of an \.svg file relative to this file",
    block("model -o a.png"): r"line 1: 'a\.png' is not the path of an \.svg file",
    block("summary", options="--no-legend"): r"line 1: --no-legend is an option of the picture, not of the table",
    block("svg="): r"line 1: unknown view 'svg='",
    block("mermaid", options="--no-notes"): r"line 1: --no-notes is an option of the table",
    block(options="--nonsense 3"): r"line 1: unrecognized arguments: --nonsense 3\. A block looks like <!-- fxsummary",
    block(options="'unclosed"): r"line 1: No closing quotation",
    f"<!-- fxsummary: -->\n{END}": r"line 1: the following arguments are required: MODEL",
    f"\n\n<!-- fxsummary: no_such_module:Model -->\n{END}": r"line 3: cannot import 'no_such_module'",
    f"<!-- fxsummary: {CNN}x5x5 -->\n{END}": r"line 1: .*1×3×28×28×5×5",
}


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
@pytest.mark.parametrize("options", [(), ("--check",)], ids=["write", "check"])
def test_what_is_wrong_is_told_with_file_and_line(
    text: str, options: tuple[str, ...], capsys: pytest.CaptureFixture[str], readme: Path
) -> None:
    readme.write_text(text, "utf-8")
    code, out, err = run(capsys, readme, *options)
    assert (code, out) == (2, "")
    assert re.search(rf"^fxsummary: error: README\.md,? ?{WRONG[text]}", err, re.DOTALL), err
    assert readme.read_text("utf-8") == text


def test_one_wrong_block_leaves_the_others_and_their_pictures(capsys: pytest.CaptureFixture[str], readme: Path) -> None:
    text = block("model -o cnn.svg") + block("nothing")
    readme.write_text(text)
    assert run(capsys, readme)[0] == 2
    assert readme.read_text() == text
    assert list(readme.parent.iterdir()) == [readme]


def test_files_that_cannot_be_read(capsys: pytest.CaptureFixture[str], readme: Path) -> None:
    assert run(capsys, readme)[0] == 2
    readme.write_bytes(b"a\n\xff\n" + block().encode())
    code, _, err = run(capsys, readme)
    assert code == 2 and "README.md, line 2: this is not UTF-8 text" in err


def test_permissions_and_links_stay(capsys: pytest.CaptureFixture[str], readme: Path) -> None:
    real = readme.parent / "docs.md"
    real.write_text(block())
    real.chmod(0o640)
    readme.symlink_to(real)
    assert run(capsys, readme)[0] == 0
    assert readme.is_symlink() and "20,778" in real.read_text("utf-8")
    assert stat.S_IMODE(os.stat(real).st_mode) == 0o640


def test_a_file_changed_meanwhile_is_left(
    capsys: pytest.CaptureFixture[str], readme: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme.write_text(block("model -o cnn.svg"))
    write = files.write

    def edit_then_write(target: Path, data: bytes) -> None:
        readme.write_text("edited")
        write(target, data)

    monkeypatch.setattr(files, "write", edit_then_write)
    code, _, err = run(capsys, readme)
    assert code == 2 and "changed while its blocks were computed" in err
    assert readme.read_text() == "edited"


def test_a_saved_graph_may_be_the_model(capsys: pytest.CaptureFixture[str], readme: Path) -> None:
    saved = graph_of("CNN").render(readme.parent / "cnn.json")
    readme.write_text(f"<!-- fxsummary: {saved} -->\n{END}\n")
    assert run(capsys, readme)[0] == 0
    assert graph_of("CNN").to_markdown() in readme.read_text("utf-8")


def test_the_blocks_of_the_documentation_are_up_to_date(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    code, out, err = run(capsys, Path("docs/exports.md"), "--check")
    assert (code, err) == (0, "")
    assert out.count("up to date") == 2
