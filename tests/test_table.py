"""Many models in one table: its numbers, its formats, the executors that make it, what fails, what is kept on disk."""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from importlib import metadata
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from graphs import graph_of
from torch import nn

import fxsummary
import zoo.ready  # noqa: F401  # timm and torchvision can be imported, in workers too
from fxsummary import ModelGraph, Processes
from fxsummary.analysis.table.columns import COLUMNS
from fxsummary.analysis.table.rows import reason_of
from fxsummary.analysis.table.run import Progress
from fxsummary.cli import main
from fxsummary.drawing.fonts import text_width
from fxsummary.errors import InputError, OutputError, UnknownNameError, WorkerError
from fxsummary.graph.modeltable import UNKNOWN, Cell, Column, Row, Table
from fxsummary.loading import libraries
from fxsummary.loading.libraries import LIBRARIES, Library, expand
from fxsummary.loading.on_meta import on_meta
from zoo import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"
MODELS = """
import os, time, torch
from torch import nn

def wide(): return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8))
def narrow(): return nn.Linear(8, 4)
def broken(): raise ValueError("heads do not divide width. Pass another width.")
def killed(): os.kill(os.getpid(), 9)
def sleeps(): time.sleep(60)
def tells():
    print("this goes to nobody")
    return narrow()
"""


@pytest.fixture
def models(tmp_path: Path) -> str:
    """The path of a file with models."""
    path = tmp_path / "some_models.py"
    path.write_text(MODELS, encoding="utf-8")
    return str(path)


@pytest.fixture
def here() -> Iterator[Executor]:
    """An executor in this process."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


def of(path: str, *names: str) -> dict[str, Any]:
    return {name: f"{path}:{name}" for name in names}


def parts(graph: ModelGraph) -> int:
    """A column of one's own."""
    return len(graph.modules)


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["CNN", "transformer_encoder", "timm.vit_tiny_patch16_224"])
def test_the_cells_are_the_numbers_of_the_graph(name: str) -> None:
    graph = graph_of(name)
    found = fxsummary.table({name: graph}, columns=[each for each in COLUMNS if each != "notes"])[name]
    assert graph.memory is not None and graph.totals.flops is not None
    assert found["parameters"] == graph.totals.parameters and found["trainable"] == graph.totals.trainable_parameters
    assert found["flops"] == graph.totals.flops and found["macs"] == graph.totals.macs
    assert found["peak"] == graph.memory.peak and found["memory"] == graph.memory.total
    assert found["weights"] == graph.totals.parameter_bytes and found["buffers"] == graph.totals.buffer_bytes
    assert found["operations"] == len(graph) and found["captured_by"] == graph.captured_by
    assert isinstance(found["activations"], int) and found["activations"] >= graph.memory.peak
    assert isinstance(found["depth"], int) and 2 < found["depth"] <= len(graph)


def test_activations_are_all_that_forward_makes() -> None:
    chain = nn.Sequential(nn.Linear(8, 16), nn.Flatten(), nn.ReLU(inplace=True), nn.Linear(16, 4))
    found = fxsummary.table({"chain": chain}, columns=["activations"], input_shape=(2, 8))
    assert found["chain"]["activations"] == 4 * 2 * (16 + 4)  # a view and a write in place make nothing


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x) if x.sum() > 0 else self.fc(x)[x > 0]


class Stops(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError("not yet")


def test_what_is_not_certain_is_marked_in_every_format() -> None:
    column = Column("flops", "FLOPs", "short")
    cells = {"exact": Cell(12), "bound": Cell(1_234_567, "≥"), "assumed": Cell(7_000, "≈"), "unknown": UNKNOWN}
    found = Table((column, Column("in", "In", "text")), tuple(Row(n, (c, Cell("1×4"))) for n, c in cells.items()))
    assert re.findall(r"^\w+ +(\S.*?)  1×4$", found.to_text(), re.M) == ["12", "≥ 1.23 M", "≈7 k", "?"]
    assert re.findall(r"^\| `\w+` \| (.*?) \|", found.to_markdown(), re.M) == ["12", "≥ 1.23 M", "≈7 k", "?"]
    assert "≥ 1.23 M" in found.to_html() and ">?<" in found.to_html() and "≈7 k" in found.to_html()
    assert r"$\geq$ 1.23 M" in found.to_latex() and r"$\approx$7 k" in found.to_latex()
    rows = list(csv.reader(io.StringIO(found.to_csv())))
    assert rows[0] == ["model", "flops", "flops_trust", "in", "failed"]
    assert [row[1:3] for row in rows[1:]] == [
        ["12", "exact"], ["1234567", "at least"], ["7000", "assumed"], ["", "unknown"]
    ]  # fmt: skip
    assert list(found.to_pandas()["flops"].isna()) == [False, False, False, True]
    assert all(f"\n{mark}   " in found.to_text() for mark in "≥≈?")


def test_a_module_tree_has_parameters_and_no_costs() -> None:
    found = fxsummary.table({"stops": Stops()}, columns=["parameters", "flops", "peak", "operations", "captured_by"])
    assert [*found["stops"].values()] == [20, None, None, None, "modules"]
    assert [cell.mark for cell in found.rows[0].cells] == ["", "?", "?", "?", ""]
    assert not found.rows[0].has_failed


class Half(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.fc(self.fc(x))
        return torch.nested.nested_tensor([y, y], layout=torch.jagged)  # fxsummary does not follow these


def test_a_graph_that_ends_early_gives_lower_bounds() -> None:
    graph = fxsummary.graph(Half(), torch.empty(2, 4))
    columns = ["parameters", "flops", "macs", "activations", "peak", "memory", "operations", "depth", "captured_by"]
    found = fxsummary.table({"half": graph}, columns=columns)
    assert graph.is_partial and [cell.mark or "_" for cell in found.rows[0].cells] == [*"_≥≥???≥≥_"]
    assert found["half"]["flops"] == 128 and str(found["half"]["captured_by"]).endswith(" in part")


def test_a_value_that_was_assumed_stays_assumed() -> None:
    graph = fxsummary.graph(Branches(), torch.empty(2, 4, device="meta"))
    marks = [cell.mark for cell in fxsummary.table({"b": graph}, columns="parameters,flops,peak").rows[0].cells]
    assert graph.totals.assumed_flops and marks[:2] == ["", "≈"]


# --- columns -------------------------------------------------------------------------------------


def test_own_columns() -> None:
    columns = [
        "parameters",
        parts,
        ("density", lambda g: 0.123456),
        ("is_small", lambda g: True),
        ("none", lambda g: None),
    ]
    found = fxsummary.table({"cnn": graph_of("CNN")}, columns=columns)
    assert found["cnn"] == {
        "parameters": 20778, "parts": len(graph_of("CNN").modules), "density": 0.123456, "is_small": "yes", "none": None
    }  # fmt: skip
    assert " 0.1235 " in found.to_text() and " is small" in found.to_text()


def test_a_column_that_fails_costs_no_other() -> None:
    columns = ["parameters", ("ratio", lambda g: 1 / 0), ("tensor", lambda g: torch.ones(2))]
    row = fxsummary.table({"cnn": graph_of("CNN")}, columns=columns).rows[0]
    assert row.cells == (Cell(20778), UNKNOWN, UNKNOWN) and not row.has_failed
    assert row.reason == (
        "column 'ratio': ZeroDivisionError: division by zero; column 'tensor': it returned a Tensor: return a number, "
        "a text, or None for unknown."
    )


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        ("flop", UnknownNameError, "unknown column 'flop'. Did you mean 'flops'?"),
        (["flops", "flops"], InputError, "two columns have the name 'flops'"),
        ([3], InputError, "column 3 is not a name, a function"),
    ],
)
def test_wrong_columns(columns: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=re.escape(words)):
        fxsummary.table({}, columns=columns)


def test_names_are_never_cut() -> None:
    columns = (Column("n", "Number"), Column("t", "Text", "text"))
    rows = [Row(f"lib:a_rather_long_name_{at}", (Cell(at), Cell("some text that is long"))) for at in range(3)]
    text = Table(columns, (*rows, Row("lib:short", (Cell(3), Cell("x"))))).to_text(width=40)
    assert [line for line in text.splitlines() if "name" in line] == [f"a_rather_long_name_{at}" for at in range(3)]
    assert text.startswith("lib:") and "\nshort " in text and "lib:short" not in text
    assert max(map(len, text.splitlines())) <= 40
    assert Table(columns, tuple(rows[:1])).to_text().splitlines()[2].startswith("lib:a_rather_long_name_0 ")


def test_sorted() -> None:
    column, text = Column("n", "N"), Column("t", "T", "text")
    cells = {
        "a": (Cell(2), Cell("y")),
        "b": (UNKNOWN, Cell("x")),
        "c": (Cell(10), Cell("z")),
        "d": (Cell(1.5), Cell("w")),
    }
    found = Table((column, text), tuple(Row(name, each) for name, each in cells.items()))

    def names(*by: Any, **order: Any) -> str:
        return "".join(row.name for row in found.sorted(*by, **order))

    assert names("n") == "cadb" and names("n", ascending=True) == "dacb"
    assert names("t") == "dbac" and names("t", ascending=False) == "cabd" and names("name", ascending=False) == "dcba"
    with pytest.raises(UnknownNameError, match="unknown column of this table 'm'"):
        found.sorted("m")
    with pytest.raises(UnknownNameError, match="unknown model 'e'"):
        found["e"]


# --- executors and processes ---------------------------------------------------------------------


def made_by(executor: Executor, path: str) -> tuple[str, ...]:
    names = of(path, "wide", "broken", "narrow", "tells") | {"torch": nn.Linear, "module": nn.Linear(3, 3)}
    found = fxsummary.table(names, executor=executor)
    return found.to_csv(), found.to_markdown(), found.to_html(), found.to_svg()


def test_the_same_bytes_whatever_the_executor(models: str, here: Executor) -> None:
    expected = made_by(here, models)
    assert expected[0].count("\n") == 7 and ",8448," not in expected[0]
    with Processes(2) as executor:
        assert made_by(executor, models) == expected
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert made_by(pool, models) == expected


def test_what_fails_is_a_row_and_the_others_go_on(models: str) -> None:
    names = of(models, "narrow", "killed", "broken", "sleeps", "wide", "tells")
    with Processes(1, timeout=2) as executor:
        found = fxsummary.table(names, columns="parameters", executor=executor)
    assert [row.name for row in found] == [*names]
    reasons = {row.name: row.reason for row in found if row.has_failed}
    assert reasons.keys() == {"killed", "broken", "sleeps"}
    assert reasons["broken"].endswith("broken raised ValueError: heads do not divide width.")
    assert "SIGKILL" in reasons["killed"] and "more than 2 s" in reasons["sleeps"]
    assert [found[name]["parameters"] for name in ("narrow", "wide", "tells")] == [36, 552, 36]
    text = found.to_text()
    assert "killed: the worker process was killed by SIGKILL" in text and "Models     6, 3 failed" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_an_executor_that_breaks_gives_reasons_and_keeps_nothing(models: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = fxsummary.table(of(models, "killed", "narrow"), executor=pool, resume=kept)
    assert all(row.has_failed and "BrokenProcessPool" in row.reason for row in found)
    assert not kept.exists()


class Simple:
    """Anything with ``submit``, whose result cannot call back."""

    class Later:
        def __init__(self, function: Any, arguments: Any) -> None:
            self._call = function, arguments

        def result(self) -> Any:
            function, arguments = self._call
            return function(*arguments)

    def submit(self, function: Any, /, *arguments: Any) -> Simple.Later:
        return self.Later(function, arguments)


def test_whatever_submits_is_an_executor(models: str) -> None:
    assert fxsummary.table(of(models, "narrow"), executor=Simple())["narrow"]["parameters"] == 36
    with pytest.raises(InputError, match=r"executor=3 has no method submit"):
        fxsummary.table(of(models, "narrow"), executor=3)  # type: ignore[arg-type]


def test_progress_says_what_stays_here(models: str, here: Executor) -> None:
    told: list[Progress] = []
    names = {"module": nn.Linear(2, 2), "made": lambda: nn.Linear(2, 2), **of(models, "broken")}
    found = fxsummary.table(names, executor=here, progress=told.append)
    assert {(each.name, each.remark[:15]) for each in told} == {
        ("module", "in this process"), ("made", "in this process"), ("broken", f"{models}:broken"[:15])
    }  # fmt: skip
    assert [each.done for each in told] == [1, 2, 3] and str(told[0]) == "1/3 module: in this process"
    assert found["made"]["parameters"] == 6


def test_a_script_without_a_guard(tmp_path: Path, models: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import fxsummary\nfrom torch import nn\ndef mine(): return nn.Linear(2, 2)\n"
        f"told = []\nt = fxsummary.table({{'mine': mine, 'theirs': {models + ':narrow'!r}}}, "
        "progress=told.append, executor=fxsummary.Processes(1))\n"
        "names = sorted(each.name + each.remark for each in told)\n"
        "print(t['mine']['parameters'], t['theirs']['parameters'], *names)\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.stderr) == ("6 36 minein this process theirs\n", "")


@pytest.mark.parametrize("arguments", [{"jobs": 0}, {"timeout": 0}])
def test_wrong_numbers_of_processes(arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="pass"):
        Processes(**arguments)


def test_processes_raise_what_the_call_raised_and_end() -> None:
    executor = Processes(1)
    with executor:
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result()
        assert executor.submit(os.getenv, "PYTHONHASHSEED").result() == os.getenv("PYTHONHASHSEED", "0")
        with pytest.raises(WorkerError, match="exit code 5"):
            executor.submit(os._exit, 5).result()
        waiting = [executor.submit(time.sleep, 60), executor.submit(divmod, 3, 2)]
        executor.shutdown(cancel_futures=True)
        assert waiting[1].cancelled() and (waiting[0].cancelled() or isinstance(waiting[0].exception(), WorkerError))
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(divmod, 3, 2)


# --- what is kept --------------------------------------------------------------------------------


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_second_call_does_only_what_is_missing(models: str, tmp_path: Path, here: Executor) -> None:
    kept, told = tmp_path / "kept.jsonl", list[Progress]()
    options: dict[str, Any] = {"executor": here, "resume": kept, "progress": told.append}
    first = fxsummary.table(of(models, "wide", "broken"), **options)
    assert [each["name"] for each in lines_of(kept)] == ["wide", "broken"] == [each.name for each in told]
    told.clear()
    again = fxsummary.table(of(models, "narrow", "wide", "broken"), **options)
    assert [str(each) for each in told] == ["3/3 narrow"]
    assert again.rows[1:] == first.rows
    told.clear()
    fxsummary.table(of(models, "narrow"), columns="flops", **options)
    fxsummary.table(of(models, "narrow"), input_shape=(5, 8), **options)
    assert len(told) == 2
    told.clear()
    with Path(models).open("a", encoding="utf-8") as file:
        file.write("# another version\n")
    from fxsummary.analysis.table import versions

    versions._version.cache_clear()
    fxsummary.table(of(models, "wide"), **options)
    assert len(told) == 1


def test_a_row_depends_on_the_file_of_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fxsummary.analysis.table.versions import _version, key_of

    monkeypatch.chdir(tmp_path)
    keys = set()
    for version in range(2):
        (tmp_path / "local_models.py").write_text(f"# {version}\n", encoding="utf-8")
        _version.cache_clear()
        keys.add(str(key_of("local_models:build", None, ())))
    assert len(keys) == 2
    timm = key_of("timm:resnet18", None, ())
    assert timm is not None and timm["library"].startswith(metadata.version("timm"))
    assert key_of(lambda: None, None, ()) is None


def test_an_interrupt_ends_the_workers_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), Processes(1) as executor:
        future = executor.submit(time.sleep, 600)
        while not future.running():
            time.sleep(0.01)
        raise KeyboardInterrupt
    assert isinstance(future.exception(), WorkerError)


def test_a_line_that_was_cut_off_is_done_again(models: str, tmp_path: Path, here: Executor) -> None:
    kept = tmp_path / "kept.jsonl"
    whole = fxsummary.table(of(models, "wide", "narrow"), executor=here, resume=kept)
    data = kept.read_bytes()
    for end in (len(data) - 1, len(data) - 40, data.index(b"\n") + 4):
        kept.write_bytes(data[:end])
        assert fxsummary.table(of(models, "wide", "narrow"), executor=here, resume=kept) == whole
        assert fxsummary.table(of(models, "wide", "narrow"), executor=None, resume=kept) == whole  # nothing to do


def test_models_that_are_objects_are_not_kept(tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    fxsummary.table({"module": nn.Linear(2, 2), "made": lambda: nn.Linear(2, 2)}, resume=kept)
    assert not kept.exists()


def test_a_folder_that_is_missing_is_told_before_the_work(models: str, tmp_path: Path, here: Executor) -> None:
    told: list[Progress] = []
    with pytest.raises(OutputError, match="its folder does not exist"):
        fxsummary.table(of(models, "wide"), executor=here, resume=tmp_path / "no" / "a.jsonl", progress=told.append)
    assert not told


@pytest.mark.parametrize("text", ["a,b\n1,2\n", '{"name": "a", "values": 3}\n'])
def test_a_file_of_something_else_is_left_alone(models: str, tmp_path: Path, text: str, here: Executor) -> None:
    path = tmp_path / "notes.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"notes\.csv, line 1: this is not a file of results"):
        fxsummary.table(of(models, "wide"), executor=here, resume=path)
    assert path.read_text("utf-8") == text


# --- libraries -----------------------------------------------------------------------------------


@pytest.fixture
def own_library() -> Iterator[None]:
    shapes = {"tiny_a": (3, 2), "tiny_b": (5, 4), "other": None}
    library = Library(
        lambda: ["tiny_b", "tiny_a", "other"],
        lambda name, width=2: nn.Linear(width, 7),
        lambda model: (9, model.in_features),
    )
    LIBRARIES.register("own", library)
    assert len(shapes) == len(libraries.names_of(library))
    yield
    LIBRARIES.unregister("own")


def test_wildcards_are_expanded_in_the_order_of_the_library(own_library: None, here: Executor) -> None:
    assert expand("own:tiny_*") == ["own:tiny_b", "own:tiny_a"] and expand("own:[op]*") == ["own:other"]
    found = fxsummary.table(["own:tiny_?", "own:other"], executor=here, columns=["parameters", "input"])
    assert [row.name for row in found] == ["own:tiny_b", "own:tiny_a", "own:other"]
    assert found["own:tiny_a"] == {"parameters": 21, "input": "9×2"}  # the library says which input it expects
    assert fxsummary.table("own:tiny_a", executor=here, input_shape=(1, 2))["own:tiny_a"]["input"] == "1×2"


def test_a_library_names_models_everywhere(own_library: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "own:tiny_a", "--arg", "width=4", "--quiet"]) == 0
    assert "input 9×4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("own:giant_*", "'own:giant_*': no model of own fits this pattern."),
        (
            "tim:resnet*",
            "'tim:resnet*': 'tim' does not list its models. Did you mean 'timm'? Known: timm, torchvision",
        ),
    ],
)
def test_wrong_wildcards(own_library: None, name: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        expand(name)
    assert words in str(caught.value)


def test_libraries_of_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "from_elsewhere"

        def load(self) -> Library:
            return Library(lambda: ["one"], lambda name: nn.Linear(1, 1))

    monkeypatch.setattr(libraries.metadata, "entry_points", lambda group: [Point()] if group == libraries.GROUP else [])
    libraries._load_entry_points.cache_clear()
    assert expand("from_elsewhere:*") == ["from_elsewhere:one"]
    LIBRARIES.unregister("from_elsewhere")


class Stride(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("stride", torch.tensor(4))
        self.fc = nn.Linear(int(self.stride), 2)  # type: ignore[arg-type]


def test_numbers_in_the_code_keep_their_values_on_the_meta_device() -> None:
    model = on_meta(Stride)
    assert model.fc.weight.is_meta and model.fc.weight.shape == (2, 4)
    assert fxsummary.table({"a": Stride}, columns="parameters")["a"]["parameters"] == 10


@pytest.mark.slow
def test_published_libraries(tmp_path: Path) -> None:
    names = ["timm:resnet1[08]?", "timm:resnet18", "torchvision:resnet18", "timm:no_such_model"]
    with Processes(1) as executor:
        found = fxsummary.table(names, executor=executor)
    assert [row.name for row in found if not row.has_failed] == [
        "timm:resnet10t", "timm:resnet18d", "timm:resnet101", "timm:resnet18", "torchvision:resnet18"
    ]  # fmt: skip
    assert found["timm:resnet10t"]["input"] == "1×3×176×176"
    assert found["timm:resnet18"]["parameters"] == found["torchvision:resnet18"]["parameters"] == 11_689_512
    assert found.rows[-1].has_failed and "'timm' has no 'no_such_model'" in found.rows[-1].reason


# --- formats -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile() -> Table:
    columns = (
        Column("parameters", "Parameters", "parameters"),
        Column("flops", "FLOPs", "short"),
        Column("<i>", "<b>&", "text"),
    )
    names = [str(name) for name in HOSTILE.values()] + ["a|b", "</script>", "x\ny"]
    rows = [Row(name, (Cell(10 + at), Cell(at * 7, "≈"), Cell(name))) for at, name in enumerate(names)]
    return Table(columns, (*rows, Row("=cmd()|'<x>'", (UNKNOWN,) * 3, "ValueError: <b>no</b> | `x`")))


def test_every_format_takes_every_name(hostile: Table) -> None:
    assert len({line.count("|") for line in hostile.to_markdown().splitlines() if line.startswith("|")}) == 1
    assert len(list(csv.reader(io.StringIO(hostile.to_csv())))) == len(hostile) + 1
    page = hostile.to_html()
    assert page.count("<script") == page.count("</script>") == 1 and "<b>no" not in page and "<i>" not in page
    ElementTree.fromstring(hostile.to_svg())
    ElementTree.fromstring(
        re.sub(r"<!DOCTYPE.*?>|<meta [^>]*>|<style>.*?</style>|<script>.*</script>|<input[^>]*>", "", page, flags=re.S)
    )
    assert hostile.to_latex().count(r"\\" + "\n") == len(hostile) + 1
    assert hostile.to_latex(longtable=True).startswith(r"\begin{longtable}{lrrl}")
    assert str(hostile) and hostile.to_pandas().shape == (len(hostile), 6)


def test_formats_by_suffix(tmp_path: Path, hostile: Table) -> None:
    for suffix in ("txt", "md", "csv", "tex", "html", "svg"):
        assert hostile.render(tmp_path / f"table.{suffix}").stat().st_size > 100
    with pytest.raises(UnknownNameError, match=r"unknown suffix '\.xls'"):
        hostile.render(tmp_path / "table.xls")


def points(count: int) -> Table:
    """A crowd of models, some of them at one place."""
    columns = fxsummary.table({}, columns=["parameters", "flops", "peak"]).columns
    cells = [(10**6 * (1 + at * at % 997), 10**8 * (1 + at * 37 % 811), 2**20 + at) for at in range(count)]
    rows = [Row(f"{'abcde'[at % 5]}:model_{at}", tuple(map(Cell, each))) for at, each in enumerate(cells)]
    return Table(columns, (*rows, rows[0], Row("f:unknown", (Cell(3), UNKNOWN, UNKNOWN))))


def rectangles(svg: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    """The places of the names in the plot."""
    found = []
    for each in svg.iter(f"{SVG}text"):
        if (each.text or "").startswith("model_"):
            width, x, y = text_width(each.text or "", 9.5), float(each.attrib["x"]), float(each.attrib["y"])
            left = x - {"start": 0, "middle": width / 2, "end": width}[each.attrib.get("text-anchor", "start")]
            found.append((left, y - 8, left + width, y + 1))
    return found


def test_names_in_the_picture_lie_on_nothing() -> None:
    found = points(300)
    svg = ElementTree.fromstring(found.to_svg(theme="light"))
    dots = [(float(each.attrib["cx"]), float(each.attrib["cy"])) for each in svg.iter(f"{SVG}circle")]
    names = rectangles(svg)
    assert len(dots) == 301 and 20 < len(names) < 200
    for a, b in combinations(names, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    for left, top, right, bottom in names:
        assert not any(left < x < right and top < y < bottom for x, y in dots)
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    assert all(min(a) >= 0 and a[2] <= width and a[3] <= height for a in names)


def test_marked_numbers_are_rings_in_the_picture() -> None:
    columns = fxsummary.table({}, columns=["parameters", "flops"]).columns
    rows = tuple(Row(f"m{at}", (Cell(10**at), Cell(10**at, mark))) for at, mark in enumerate(("", "≥", "≈"), 3))
    svg = Table(columns, rows).to_svg()
    assert svg.count("<circle") == 3 + 2 and "a ring: at least" in svg and "a ring: depends on" in svg
    assert "FLOPs: ≥ 10 k" in svg and "a ring" not in Table(columns, rows[:1]).to_svg()


def test_the_picture_places_points_by_logarithms_and_says_what_is_missing() -> None:
    column = fxsummary.table({}, columns=["parameters", "flops"]).columns
    found = Table(column, tuple(Row(str(n), (Cell(10**n), Cell(10 ** (9 - n)))) for n in (3, 5, 6)))
    dots = list(ElementTree.fromstring(found.to_svg()).iter(f"{SVG}circle"))
    (a, b, c), (p, q, r) = ([float(each.attrib[name]) for each in dots] for name in ("cx", "cy"))
    assert (b - a) / (c - b) == pytest.approx(2, abs=0.01) and (q - p) / (r - q) == pytest.approx(2, abs=0.01)
    svg = points(20).to_svg(x="flops", y="peak", title="Mine")
    assert "Peak and FLOPs" in points(20).to_svg(x="flops", y="peak") and ">1 MiB<" in svg
    assert "1 more without a number in both columns" in svg and ">Mine<" in svg and ">other<" in svg
    assert svg == points(20).to_svg(x="flops", y="peak", title="Mine")
    assert points(5).to_svg(theme="dark") != points(5).to_svg(theme="light")
    with pytest.raises(InputError, match="no model has a number of more than 0 in both"):
        replace(points(1), rows=()).to_svg()
    with pytest.raises(UnknownNameError, match="unknown column of this table 'macs'"):
        points(3).to_svg(y="macs")


@pytest.mark.slow
def test_the_page_sorts_and_finds(tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    browser = next((path for name in ("chromium", "google-chrome") for path in [_which(name)] if path), None)
    if browser is None:
        pytest.skip("chromium was not found on PATH: install it, e.g. apt-get install chromium")
    path = points(12).render(tmp_path / "table.html")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page, wrong = started.new_page(), []
        page.on("console", lambda message: wrong.append(message.text))
        page.goto(path.as_uri())

        def names() -> Sequence[str]:
            found: list[str] = page.eval_on_selector_all(
                "tbody tr:not([hidden]) th", "all => all.map(e => e.textContent)"
            )
            return found

        page.click("text=FLOPs")
        expected = [row.name for row in points(12).sorted("flops")]
        assert names() == expected and page.get_attribute("thead th:nth-child(3)", "aria-sort") == "descending"
        page.click("text=FLOPs")
        assert names() == [row.name for row in points(12).sorted("flops", ascending=True)]
        page.click("thead >> text=Model")
        assert names()[0] == "a:model_0" and names()[-1] == "f:unknown"
        page.fill("#find", "model_1 b:")
        assert names() == ["b:model_1", "b:model_11"][: len(names())] and names()
        started.close()
    assert not wrong


def _which(name: str) -> str | None:
    import shutil

    return shutil.which(name)


# --- the command line ----------------------------------------------------------------------------


def test_the_command(models: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, out = str(tmp_path / "kept.jsonl"), tmp_path / "table.md"
    names = [f"{models}:{name}" for name in ("narrow", "wide", "broken")]
    assert (
        main(["table", *names, "--jobs", "1", "--resume", kept, "--columns", "parameters", "--sort", "parameters"]) == 0
    )
    printed = capsys.readouterr()
    assert re.search(r"^wide +552$.*^narrow +36$.*^broken:", printed.out, re.DOTALL | re.MULTILINE)
    assert printed.err.count("fxsummary: ") == 3
    assert main(["table", *names, "--jobs", "1", "--resume", kept, "--columns", "parameters", "-o", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed == (f"{out}\n", "") and "| 552 |" in out.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.py:b", "-o", "table.xls"], "unknown suffix '.xls'"),
        (["a.py:b", "--columns", "flop"], "unknown column 'flop'"),
        (["nothing:*"], "'nothing' does not list its models"),
        (["a.py:b", "--jobs", "0"], "jobs=0"),
        (["a.py:b", "--input", "3y"], "--input '3y' is not"),
        (["a.py:b", "--import", "no_such_module"], "no_such_module"),
    ],
)
def test_what_the_command_cannot_do(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", *arguments]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("one. two."), "ValueError: one."),
        (InputError("x 1×3 does not fit, e.g. 1×4. Pass another."), "x 1×3 does not fit, e.g. 1×4."),
        (KeyError(), "KeyError"),
        (RuntimeError("first line\nsecond"), "RuntimeError: first line"),
    ],
)
def test_reasons_are_one_sentence(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


# --- clusters ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_dask_and_ray_give_the_same_bytes(models: str, here: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed, ray = pytest.importorskip("distributed"), pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    expected = made_by(here, models)
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert made_by(client.get_executor(), models) == expected

    class OnRay:
        def submit(self, function: Any, /, *arguments: Any) -> Any:
            return ray.remote(function).remote(*arguments).future()

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        assert made_by(OnRay(), models) == expected  # type: ignore[arg-type]
    finally:
        ray.shutdown()
