"""Budgets, and the commands diff, check and lint: what they say in each format, and their exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from forked import run_module
from graphs import graph_of, unprintable
from torch import nn

import fxsummary
from fxsummary.cli import main
from fxsummary.errors import BudgetError, InputError, SettingsError
from fxsummary.exporters.reports.findings import FORMATS
from fxsummary.graph.findings import Finding
from fxsummary.review import pyproject
from fxsummary.review.lint import RULES
from fxsummary.text.parse import quantity

ROOT = Path(__file__).parents[1]
EXAMPLE = (ROOT / "docs" / "examples" / "cnn.py").read_text("utf-8")
WIDER = EXAMPLE.replace("nn.Conv2d(16, 32", "nn.Conv2d(16, 48").replace("32 * 7 * 7", "48 * 7 * 7")
INPUT = ("--input", "1x3x28x28", "--quiet")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, a wider one, and the first saved."""
    (tmp_path / "narrow.py").write_text(EXAMPLE, "utf-8")
    (tmp_path / "wide.py").write_text(WIDER, "utf-8")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    exec(compile(EXAMPLE.partition("if __name__")[0], "narrow.py", "exec"), namespace)
    fxsummary.graph(namespace["CNN"]().eval(), torch.empty(1, 3, 28, 28, device="meta")).render("narrow.json")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(arguments)
    except SystemExit as left:
        code = int(left.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# --- budgets -----------------------------------------------------------------------------------


def test_all_exceeded_budgets_are_in_one_error() -> None:
    with pytest.raises(BudgetError) as caught:
        graph_of("CNN").check(max_parameters="20k", max_flops=2e6, max_parameter_bytes="1 GiB", no_unknown=True)
    assert str(caught.value).splitlines() == [
        "2 budgets of CNN are exceeded.",
        "max_parameters: 20,778 parameters, 778 more than the 20,000 allowed",
        "  15,690 (75.5 %) fc Linear",
        "  4,640 (22.3 %) conv2 Conv2d",
        "  448 (2.2 %) conv1 Conv2d",
        "max_flops: 2,515,072 FLOPs, 515,072 more than the 2,000,000 allowed",
        "  1,806,336 (71.8 %) conv2 Conv2d",
        "  677,376 (26.9 %) conv1 Conv2d",
        "  31,360 (1.2 %) fc Linear",
    ]
    assert [finding.rule for finding in caught.value.findings] == ["max_parameters", "max_flops"]
    assert isinstance(caught.value, AssertionError)


def test_budgets_that_hold_say_nothing() -> None:
    graph = graph_of("CNN")
    graph.check()
    graph.check(max_parameters=20_778, max_trainable_parameters=20_778, max_flops=2_515_072, max_parameter_bytes=83_112)
    graph.check(no_unread_parameters=True, no_unknown=True, baseline=graph)


def test_unread_parameters_and_unknown_operations() -> None:
    with pytest.raises(BudgetError, match="parameters are never read"):
        graph_of("Unused").check(no_unread_parameters=True)
    name = "CustomOperatorWithoutFormula"
    with pytest.raises(BudgetError, match="no_unknown: unknown FLOPs of 1"):
        graph_of(name).check(no_unknown=True)
    with pytest.raises(BudgetError, match="unknown parts may exceed the limit"):
        graph_of(name).check(max_flops="1T")


def test_a_lower_bound_that_is_too_much_is_exceeded_by_at_least_that() -> None:
    graph = graph_of("CustomOperatorWithoutFormula")
    if graph.totals.flops:
        with pytest.raises(BudgetError, match="at least"):
            graph.check(max_flops=1)


def test_baseline_and_tolerance(folder: Path) -> None:
    x = torch.empty(1, 3, 28, 28)
    namespace: dict[str, type[nn.Module]] = {}
    exec(compile(WIDER.partition("if __name__")[0], "wide.py", "exec"), namespace)
    wide = fxsummary.graph(namespace["CNN"](), x)
    wide.check(baseline=graph_of("CNN"), tolerance=0.5)
    with pytest.raises(BudgetError, match=r"30,938 parameters, 10,160 more than the baseline \(\+48\.9 %\)") as caught:
        wide.check(baseline=str(folder / "narrow.json"), tolerance="40%")
    assert "FLOPs" not in caught.value.findings[0].details[0]
    assert any(line.startswith("conv2 Conv2d") for line in caught.value.findings[0].details)
    graph_of("CNN").check(baseline=wide)  # less is no break


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_parametres": 1}, "unknown budget 'max_parametres'. Did you mean 'max_parameters'"),
        ({"max_flops": "many"}, "max_flops: 'many' is not a number such as 25M"),
        ({"max_flops": -1}, "is not a number of 0 or more"),
        ({"max_flops": True}, "is not a number"),
        ({"tolerance": "much"}, "tolerance: 'much' is not a fraction"),
        ({"baseline": 3}, "neither a ModelGraph nor the path"),
    ],
)
def test_budgets_that_are_not_understood(given: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        graph_of("CNN").check(**given)


@pytest.mark.parametrize("text", ["", "M", "1x", "1.2.3", "-5", "5 MM", "nan", "inf", "1ee5"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        quantity(text)


# --- formats -----------------------------------------------------------------------------------

HOSTILE = "a|b\n::error file=x::y\x1b[2J <script>`x` ‮%0A @me #1 ]]>"


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_findings(form: str) -> None:
    finding = Finding(HOSTILE, HOSTILE, HOSTILE, f"{HOSTILE}:3", (HOSTILE,), HOSTILE, "error")
    text = FORMATS[form]([finding, finding], HOSTILE)
    assert list(unprintable(text)) == []
    lines = text.splitlines()
    if form == "github":
        assert [line[:8] for line in lines if line.startswith("::")] == ["::error "] * 2
        assert len(lines) == 3 and "::" not in lines[2]
        assert "%0A" in lines[0] and "%250A" in lines[0]
    if form == "json":
        assert len(json.loads(text)["findings"]) == 2
    if form == "sarif":
        assert len(json.loads(text)["runs"][0]["results"]) == 2
    if form == "junit":
        assert [case.find("failure").get("type") for case in ElementTree.fromstring(text).iter("testcase")] == [
            "error"
        ] * 2
    if form == "markdown":
        rows = [line for line in lines if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
        assert "<script>" not in re.sub("`+[^`]*`+|`` .*? ``", "", text)


FOUND = [
    Finding("float64", "the constant is float64", "block.scale", "nets/a net.py:12", remedy="Convert it."),
    Finding("max_flops", "too many", details=("64 a",), level="error"),
    Finding("my-rule", "an aside", "fc", "models.py", level="notice"),
]


def test_sarif() -> None:
    log = json.loads(FORMATS["sarif"](FOUND, "Net: 3 findings"))
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "fxsummary" and [rule["id"] for rule in driver["rules"]] == [each.rule for each in FOUND]
    assert driver["rules"][0]["shortDescription"]["text"] == RULES["float64"].reason
    one, two, three = run["results"]
    assert (one["ruleId"], one["ruleIndex"], one["level"]) == ("float64", 0, "warning")
    assert one["message"]["text"] == "the constant is float64\nConvert it."
    (place,) = one["locations"]
    artifact = {"uri": "nets/a%20net.py", "uriBaseId": "%SRCROOT%"}
    assert place["physicalLocation"] == {"artifactLocation": artifact, "region": {"startLine": 12}}
    assert place["logicalLocations"] == [{"fullyQualifiedName": "block.scale", "kind": "module"}]
    assert (two["level"], two["locations"], two["message"]["text"]) == ("error", [], "too many\n64 a")
    assert three["level"] == "note" and "region" not in three["locations"][0]["physicalLocation"]


def test_junit() -> None:
    suites = ElementTree.fromstring(FORMATS["junit"](FOUND, "Net: 3 findings").encode())
    (suite,) = suites
    assert dict(suite.attrib) == {"name": "Net: 3 findings", "tests": "3", "failures": "3", "errors": "0"}
    first, second, _ = suite
    assert (first.get("name"), first.get("file"), first.get("line")) == ("float64 block.scale", "nets/a net.py", "12")
    assert (second[0].get("type"), second[0].get("message"), second[0].text) == ("error", "too many", "too many\n64 a")
    (passed,) = ElementTree.fromstring(FORMATS["junit"]([], "Net: all budgets met").encode()).iter("testcase")
    assert passed.get("name") == "Net: all budgets met" and len(passed) == 0


def test_every_finding_in_sarif_has_a_file(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "named_once.py").write_text(WIDER, "utf-8")
    for model, file in (("named_once.py:CNN",) * 2, ("named_once:CNN", "named_once.py:CNN"), ("narrow.json",) * 2):
        options = ("--quiet",) if model.endswith(".json") else INPUT
        code, out, _ = run(capsys, "check", model, *options, "--max-parameters", "10", "--format", "sarif")
        (result,) = json.loads(out)["runs"][0]["results"]
        place = result["locations"][0]["physicalLocation"]
        assert code == 1 and place["artifactLocation"]["uri"].rpartition("/")[2] == file.removesuffix(":CNN")
        assert "region" not in place
    sys.modules.pop("named_once", None)


def test_names_of_a_comparison() -> None:
    sides = nn.Linear(3, 4), nn.Linear(3, 5)
    compared = fxsummary.diff(*sides, names=("main", "this | branch"), input_shape=(1, 3))
    assert str(compared).startswith("main → this | branch · input input 1×3\n")
    assert compared.to_markdown().startswith("### main → this \\| branch · input")
    assert "main → this | branch" in compared.to_svg() and "<title>main → this | branch" in compared.to_html()
    with pytest.raises(InputError, match="are not two texts"):
        fxsummary.diff(*sides, names=("main",))


# --- the commands ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "markdown", "json", "github"])
def test_diff(capsys: pytest.CaptureFixture[str], folder: Path, form: str) -> None:
    code, out, err = run(capsys, "diff", "narrow.json", "wide.py:CNN", *INPUT, "--format", form)
    assert (code, err.replace("fxsummary: reading narrow.json\n", "")) == (1, "")
    said = {
        "text": "~  conv2 Conv2d 16→32, 3×3, s1, p1 ⇒ 16→48, 3×3, s1, p1     +2.32 k   +903 k",
        "markdown": "- ~ `conv2` Conv2d 16→32, 3×3, s1, p1 ⇒ 16→48, 3×3, s1, p1, +2.32 k parameters, +903 kFLOPs",
        "json": '"changed": 5',
        "github": "::notice file=wide.py,line=",
    }
    assert said[form] in out
    code, out, _ = run(capsys, "diff", "narrow.json", "narrow.py:CNN", *INPUT, "--format", form)
    assert code == 0
    assert json.loads(out)["equal"] is True if form == "json" else "No differences" in out


@pytest.mark.parametrize(
    ("suffix", "begin"),
    [
        (".svg", "<svg"),
        (".md", "### narrow.py:CNN → wide.py:CNN · input x 1×3×28×28\n"),
        (".json", "{"),
        (".html", "<!"),
    ],
)
def test_diff_writes_a_file(capsys: pytest.CaptureFixture[str], folder: Path, suffix: str, begin: str) -> None:
    code, out, _ = run(capsys, "diff", "narrow.py:CNN", "wide.py:CNN", *INPUT, "-o", f"diff{suffix}")
    assert code == 1 and "conv2" in out
    assert (folder / f"diff{suffix}").read_text("utf-8").startswith(begin)


def test_diff_with_arguments_for_one_side(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "lines.py").write_text(
        "from torch import nn\ndef make(count=1, width=4):\n"
        "    return nn.Sequential(*[nn.Linear(width, width) for _ in range(count)])\n"
    )
    sides = ("--a-arg", "count=2", "--b-arg", "count=3", "--arg", "width=8", "--quiet", "--input", "1x8")
    code, out, _ = run(capsys, "diff", "lines.py:make", "lines.py:make", *sides)
    assert code == 1
    assert "+  2 Linear 8→8         +72   +128" in out
    code, _, err = run(capsys, "diff", "narrow.json", "lines.py:make", "--a-arg", "count=2")
    assert code == 2 and "--arg does not apply to 'narrow.json': a saved graph cannot be changed" in err


@pytest.mark.parametrize("form", ["text", "markdown", "json", "github", "sarif", "junit"])
def test_check(capsys: pytest.CaptureFixture[str], folder: Path, form: str) -> None:
    code, out, _ = run(capsys, "check", "wide.py:CNN", *INPUT, "--max-parameters", "30k", "--format", form)
    assert code == 1
    assert "30,938 parameters, 938 more than the 30,000 allowed" in out
    assert "CNN: budget exceeded" in out
    code, out, _ = run(capsys, "check", "wide.py:CNN", *INPUT, "--max-flops", "4.2G", "--no-unknown", "--format", form)
    assert code == 0 and "all budgets met" in out


def test_check_reads_budgets_from_pyproject(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    path = folder / "pyproject.toml"
    path.write_text('[tool.fxsummary.check]\nmax-parameters = "30k"\nno_unknown = true\nbaseline = "narrow.json"\n')
    inside = folder / "inside"
    inside.mkdir()
    assert pyproject.settings("check", inside)["baseline"] == str(folder / "narrow.json")
    code, out, _ = run(capsys, "check", "wide.py:CNN", *INPUT)
    assert code == 1 and "2 of 3 budgets exceeded" in out
    code, out, _ = run(capsys, "check", "wide.py:CNN", *INPUT, "--max-parameters", "31k", "--tolerance", "0.5")
    assert code == 0 and "all budgets met" in out
    path.write_text("[project]\nname = 'other'\n")
    code, _, err = run(capsys, "check", "wide.py:CNN", *INPUT)
    assert code == 2 and "no budget is given" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[tool.fxsummary.check]\nmax-parametres = 1",
            "[tool.fxsummary.check]: unknown key 'max-parametres'. Did you mean 'max-parameters'",
        ),
        ("[tool.fxsummary]\nchek = 1", "[tool.fxsummary]: unknown key 'chek'. Did you mean 'check'"),
        ("[tool.fxsummary.check]\nno_unknown = 1", "check.no_unknown = 1 is not true or false"),
        ("[tool.fxsummary.check]\nmax_flops = true", "is not a number or a text"),
        ("[tool.fxsummary.lint]\nignore = 'float64'", "lint.ignore = 'float64' is not a list of texts"),
        ("[tool]\nfxsummary = 1", "tool.fxsummary is not a table"),
        ("[tool.fxsummary", "cannot read"),
    ],
)
def test_settings_that_are_not_understood(
    folder: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "pyproject.toml").write_text(text, "utf-8")
    if sys.version_info < (3, 11):
        pytest.importorskip("tomli")
    with pytest.raises(SettingsError, match=re.escape(said)):
        pyproject.settings("check")
    code, out, err = run(capsys, "check", "no_such_package:CNN", "--max-flops", "1")
    assert (code, out) == (2, "") and said in err


@pytest.mark.parametrize("form", ["text", "markdown", "json", "github", "sarif", "junit"])
def test_lint(capsys: pytest.CaptureFixture[str], folder: Path, form: str) -> None:
    (folder / "bad.py").write_text(
        "from torch import nn\n\nclass Bad(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.ReLU())\n"
    )
    code, out, _ = run(capsys, "lint", "bad.py:Bad", "--quiet", "--format", form)
    assert code == 1
    assert "the 8 biases of 0 are redundant" in out and "2 findings" in out
    ignore = ("--ignore", "bias-before-norm", "--ignore", "double-activation:3")
    code, out, _ = run(capsys, "lint", "bad.py:Bad", "--quiet", "--format", form, *ignore)
    assert code == 0 and "no findings" in out
    (folder / "pyproject.toml").write_text('[tool.fxsummary.lint]\nignore = ["bias-before-norm:?"]\n')
    code, out, _ = run(capsys, "lint", "bad.py:Bad", "--quiet", "--format", form)
    assert code == 1 and "1 finding" in out and "biases" not in out


BAD = {
    "unknown rule": (["lint", "no:CNN", "--ignore", "bias"], "unknown lint rule 'bias'"),
    "unknown advice": (["lint", "no:CNN", "--select", "chanels"], "unknown lint rule 'chanels'"),
    "no such model": (["lint", "no_such_package:CNN"], "cannot import"),
    "no such file": (["diff", "nothing.json", "nothing.json"], "cannot read nothing.json"),
    "no saved graph": (["diff", "other.json", "other.json"], "this is not a saved graph"),
    "one model": (["diff", "narrow.json"], "required: B"),
    "unknown suffix": (["diff", "no:CNN", "no:CNN", "-o", "diff.jpeg"], "unknown suffix '.jpeg'"),
    "unknown format": (["diff", "a.json", "b.json", "--format", "xml"], "unknown value 'xml'"),
    "no number": (["check", "no:CNN", "--max-flops", "many"], "max_flops: 'many' is not a number such as 25M"),
    "no budget": (["check", "no:CNN"], "no budget is given"),
    "no part": (["check", "no:CNN", "--max-flops", "1", "--tolerance", "x"], "is not a fraction"),
    "no baseline": (["check", "narrow.json", "--baseline", "nothing.json"], "cannot read nothing.json"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_run(name: str, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "other.json").write_text("{}")
    arguments, said = BAD[name]
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err and "Traceback" not in err


def test_a_mistake_of_ours_is_no_finding(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr("fxsummary.cli.review.graph_of", lambda options: 1 / 0)
    assert main(["lint", "narrow.json"]) == 2


def test_help_of_reviews_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom fxsummary.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "sys.exit({'torch', 'networkx', 'numpy'} & set(sys.modules) or 0)"
    )
    for command in ("diff", "check", "lint"):
        result = subprocess.run(
            [sys.executable, "-c", code, command, "--help"], capture_output=True, text=True, check=False
        )
        assert result.stderr.strip() == "", result.stderr
        assert "exit codes: 0" in result.stdout


def test_files_are_compared_without_torch(folder: Path) -> None:
    code = (
        "import sys\nfrom fxsummary.cli import main\nassert main(sys.argv[1:]) == 0\n"
        "sys.exit({'torch'} & set(sys.modules) or 0)"
    )
    command = [sys.executable, "-c", code, "diff", "narrow.json", "narrow.json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.unused = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(4, 4)

    def forward(self, x):

        return self.norm(self.conv(x))
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with a src layout, in a folder with other files."""
    root = tmp_path / "checkout"
    for file in ("src/nets/net.py", "models/one.py", "top.py"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(NET)
    (root / "src/nets/__init__.py").touch()
    (root / ".git").mkdir()
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.chdir(root)
    return root


def annotated(model: str, folder: Path, **environment: str) -> str:
    """The file that the annotation of the convolution names."""
    command = ["fxsummary", "lint", model, "--input", "1x3x8x8", "--format", "github"]
    out = run_module(command, folder, **environment).stdout
    (line,) = [line for line in out.splitlines() if "bias-before-norm" in line]
    return line.partition("file=")[2].partition(",")[0]


@pytest.mark.parametrize("folder", [".", "models"])
@pytest.mark.slow
def test_annotations_name_files_as_the_repository_does(repository: Path, folder: str) -> None:
    for model, file in (
        ("nets.net:Net", "src/nets/net.py"),
        (f"{repository}/models/one.py:Net", "models/one.py"),
        (f"{os.path.relpath(repository, folder)}/top.py:Net", "top.py"),
    ):
        assert annotated(model, repository / folder, PYTHONPATH=str(repository / "src")) == file


@pytest.mark.slow
def test_annotations_are_relative_to_the_workspace_of_the_workflow(repository: Path) -> None:
    workspace = str(repository.parent)
    assert annotated("models/one.py:Net", repository, GITHUB_WORKSPACE=workspace) == "checkout/models/one.py"
    elsewhere = str(repository / "src")
    assert annotated("models/one.py:Net", repository, GITHUB_WORKSPACE=elsewhere) == "models/one.py"


def test_annotations_of_a_saved_graph_name_files_below_the_working_directory(repository: Path) -> None:
    from fxsummary.exporters.reports.places import path_in_repository

    assert path_in_repository("nets/net.py") == "src/nets/net.py"
    assert path_in_repository("nets/missing.py") == "nets/missing.py"
