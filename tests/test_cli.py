"""The command line: results on stdout, everything else on stderr, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from graphs import graph_of

import fxsummary
from fxsummary.cli import main
from zoo.operators import define_torchvision_operators

ROOT = Path(__file__).parents[1]
CNN = f"{ROOT / 'docs' / 'examples' / 'cnn.py'}:CNN"

MODELS = """
import torch
from torch import nn

class Bert(nn.Module):
    def __init__(self, layers=1, *, width: int = 8, activation="relu"):
        super().__init__()
        self.embedding = nn.Embedding(10, width)
        self.layers = nn.Sequential(*[nn.Linear(width, width) for _ in range(layers)])
        assert activation in ("relu", "gelu"), activation

    def forward(self, input_ids, attention_mask=None):
        x = self.embedding(input_ids)
        if attention_mask is not None:
            x = x * attention_mask.unsqueeze(-1)
        return self.layers(x)

class NeedsWeights(nn.Module):
    def __init__(self):
        super().__init__()
        self.size = int(torch.tensor([4.0]).sum().item())
        self.fc = nn.Linear(self.size, 2)

    def forward(self, x):
        return self.fc(x)

class Branches(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x

class Space:
    Inner = NeedsWeights

ready = nn.Linear(4, 2)
number = 3
def makes_a_string():
    return "model"
def raises():
    raise ValueError("no weights here")
"""


@pytest.fixture
def models(tmp_path: Path) -> str:
    path = tmp_path / "zoo_models.py"
    path.write_text(MODELS)
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    path = list(sys.path)
    try:
        code = main(arguments)
    except SystemExit as left:
        code = int(left.code or 0)
    finally:
        sys.path[:] = path
        for name in [name for name in sys.modules if name.startswith("zoo_models")]:
            del sys.modules[name]
    output = capsys.readouterr()
    return code, output.out, output.err


def test_show_prints_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "show", CNN, "--input", "1x3x28x28")
    assert code == 0
    assert out == str(graph_of("CNN")) + "\n"
    assert err.splitlines() == [f"fxsummary: building {CNN}", "fxsummary: analysing"]


def test_show_infers_the_input(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "show", CNN, "--quiet")
    assert (code, err) == (0, "")
    assert "input inferred: x 1×3×28×28" in out


def test_show_from_a_module(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["show", "torch.nn:Linear", "--arg", "in_features=4", "--arg", "out_features=3", "--input", "2x4"]
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert "Parameters 15:" in out


def test_input_by_name_with_dtype(capsys: pytest.CaptureFixture[str], models: str) -> None:
    inputs = ["--input", "input_ids=1x5:int64", "--input", "attention_mask=1x5"]
    code, out, _ = run(capsys, "show", f"{models}:Bert", *inputs)
    assert code == 0
    assert "input_ids 1×5, attention_mask 1×5" in out


def test_arguments_of_the_factory(capsys: pytest.CaptureFixture[str], models: str) -> None:
    arguments = ["--arg", "layers=3", "--arg", "width=4", "--arg", "activation=gelu"]
    code, out, _ = run(capsys, "show", f"{models}:Bert", *arguments)
    assert code == 0
    assert f"Parameters {10 * 4 + 3 * 20}:" in out


def test_depth(capsys: pytest.CaptureFixture[str], models: str) -> None:
    deep, shallow = (run(capsys, "show", f"{models}:Bert", *depth)[1] for depth in ([], ["--depth", "1"]))
    assert "0 Linear" in deep
    assert "0 Linear" not in shallow
    assert "layers Sequential" in shallow


@pytest.mark.parametrize("view", ["modules", "parameters", "operations"])
def test_view(capsys: pytest.CaptureFixture[str], view: str) -> None:
    code, out, _ = run(capsys, "show", CNN, "--view", view, "--input", "1x3x28x28")
    assert (code, out) == (0, graph_of("CNN").to_text(view=view) + "\n")


def test_columns(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "show", CNN, "--columns", "kind,flops", "--input", "1x3x28x28")
    assert (code, out) == (0, graph_of("CNN").to_text(columns=["kind", "flops"]) + "\n")
    code, _, err = run(capsys, "show", CNN, "--columns", "colour", "--input", "1x3x28x28")
    assert code == 2 and "unknown column 'colour'" in err


def test_width(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "show", CNN, "--width", "60", "--input", "1x3x28x28")
    assert (code, out) == (0, graph_of("CNN").to_text(width=60) + "\n")


def test_no_fold(capsys: pytest.CaptureFixture[str]) -> None:
    define_torchvision_operators()
    code, out, _ = run(capsys, "show", "torchvision.models:vit_b_16", "--no-fold")
    assert code == 0
    assert out.count("EncoderBlock") == 12


def test_show_into_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "cnn.txt"
    code, out, _ = run(capsys, "show", CNN, "--input", "1x3x28x28", "-o", str(path))
    assert (code, out) == (0, "")
    assert path.read_text("utf-8") == str(graph_of("CNN")) + "\n"


def test_models_that_need_real_tensors(capsys: pytest.CaptureFixture[str], models: str) -> None:
    code, out, err = run(capsys, "show", f"{models}:NeedsWeights")
    assert code == 0
    assert "not on the meta device" in err
    assert "Parameters 10:" in out


def test_an_instance_and_a_nested_name(capsys: pytest.CaptureFixture[str], models: str) -> None:
    assert run(capsys, "show", f"{models}:ready")[0] == 0
    assert run(capsys, "show", f"{models}:Space.Inner")[0] == 0


def test_a_partial_answer_is_an_answer(capsys: pytest.CaptureFixture[str], models: str) -> None:
    code, out, _ = run(capsys, "show", f"{models}:Branches")
    assert code == 0
    assert "symbolic tracing stopped" in " ".join(out.split())


@pytest.mark.parametrize(
    ("suffix", "depth"), [(".dot", []), *((s, d) for s in (".svg", ".html", ".txt") for d in ([], ["--depth", "1"]))]
)
def test_render(capsys: pytest.CaptureFixture[str], tmp_path: Path, suffix: str, depth: list[str]) -> None:
    path = tmp_path / f"cnn{suffix}"
    code, out, err = run(capsys, "render", CNN, "-o", str(path), *depth)
    assert code == 0
    assert out == f"{path}\n"
    assert "analysing" in err
    text = path.read_text("utf-8")
    if suffix == ".svg":
        ElementTree.fromstring(text)
    else:
        assert text.startswith({".html": "<!doctype html>", ".dot": "digraph", ".txt": "CNN"}[suffix])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--color", "flops"], "FLOPs of a row, up to 1.81 M of 2.52 M"),
        (["--theme", "dark"], 'class="fx-dark"'),
        (["--title", "Small <net>"], "Small &lt;net&gt;"),
        (["--font", "Times New Roman", "--no-title"], 'font-family:"Times New Roman",'),
        (["--font-size", "22", "--no-legend", "--no-subtitle", "--background", "none"], 'width="1056" height='),
        (["--source-url", "https://host/{file}#L{line}"], 'href="https://host/'),
        (
            ["--direction", "LR", "--show", "path,shape", "--depth", "2", "--no-fold"],
            'class="t m" font-size="10">1×16×28×28<',
        ),
    ],
)
def test_options_of_the_picture(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: list[str], said: str
) -> None:
    path = tmp_path / "cnn.svg"
    code, _, err = run(capsys, "render", CNN, "--input", "1x3x28x28", "-o", str(path), *options)
    assert code == 0, err
    text = path.read_text("utf-8")
    ElementTree.fromstring(text)
    assert said in text and said not in graph_of("CNN").to_svg()


def test_no_fold_in_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    define_torchvision_operators()
    path = tmp_path / "vit.txt"
    code, _, err = run(capsys, "render", "torchvision.models:vit_b_16", "-o", str(path), "--no-fold")
    assert code == 0, err
    assert path.read_text("utf-8").count("EncoderBlock") == 12


BAD: dict[str, tuple[list[str], str]] = {
    "no separator": (["show", "models"], "is not package.module:factory or path/file.py:factory"),
    "no factory": (["show", "models.py:"], "is not package.module:factory"),
    "no such module": (["show", "no_such_package.models:CNN"], "cannot import 'no_such_package.models'"),
    "no such file": (["show", "no_such_file.py:CNN"], "no such file"),
    "no such name": (["show", f"{CNN}N"], "has no 'CNNN'. Did you mean 'CNN'? It has"),
    "not a model": (["show", "{models}:number"], "is a int; it must be or return a torch.nn.Module"),
    "makes no model": (["show", "{models}:makes_a_string"], "returned a str, not a torch.nn.Module"),
    "factory raises": (["show", "{models}:raises"], "raised ValueError: no weights here"),
    "factory needs arguments": (["show", "torch.nn:Linear"], "Pass its arguments with --arg name=value"),
    "argument without a value": (["show", CNN, "--arg", "classes"], "is not of the form name=value"),
    "not an input": (["show", CNN, "--input", "1x3xbig"], "is not [NAME=]SHAPE[:DTYPE]"),
    "not a dtype": (["show", CNN, "--input", "1x3x28x28:int65"], "is not [NAME=]SHAPE[:DTYPE]"),
    "empty name": (["show", CNN, "--input", "=1x3"], "is not [NAME=]SHAPE[:DTYPE]"),
    "wrong input": (["show", CNN, "--input", "1x1x28x28"], "'conv1'"),
    "too many inputs": (["show", CNN, "--input", "1x3x28x28", "--input", "1"], "2 positional"),
    "unknown input": (["show", CNN, "--input", "image=1x3x28x28"], "image="),
    "unknown view": (["show", CNN, "--view", "tree"], "unknown view 'tree'"),
    "unknown suffix": (["render", CNN, "-o", "cnn.jpeg"], "unknown suffix '.jpeg'"),
    "unwritable": (["render", CNN, "-o", "no_such_folder/cnn.txt"], "Nothing was written"),
    "show unwritable": (["show", CNN, "-o", "no_such_folder/cnn.txt"], "Nothing was written"),
    "unknown color": (["render", "no:CNN", "-o", "a.svg", "--color", "heat"], "Known: kind, flops, parameters, memory"),
    "unknown direction": (["render", "no:CNN", "-o", "a.svg", "--direction", "up"], "Known: TB, LR"),
    "unknown fact": (["render", "no:CNN", "-o", "a.svg", "--show", "name"], "Known: path, config, shape"),
    "unknown theme": (["render", CNN, "-o", "a.svg", "--theme", "sepia"], "Known: auto, light, dark"),
    "no web address": (["render", "no:CNN", "-o", "a.svg", "--source-url", "file:{file}"], "http, https or relative"),
    "colour of text": (["render", "no:CNN", "-o", "a.txt", "--color", "flops"], "--color does not apply to .txt files"),
    "links in DOT": (["render", "no:CNN", "-o", "a.dot", "--source-url", "a"], "--source-url does not apply to .dot"),
    "scale of SVG": (["render", "no:CNN", "-o", "a.svg", "--scale", "2"], "--scale does not apply to .svg files"),
    "legend of text": (["render", "no:CNN", "-o", "a.txt", "--no-legend"], "--no-legend does not apply to .txt files"),
    "heading of HTML": (["render", "no:CNN", "-o", "a.html", "--no-title"], "--no-title does not apply to .html files"),
    "size of a font": (["render", "no:CNN", "-o", "a.svg", "--font-size", "big"], "font-size 'big' is not a number"),
    "no size of a font": (["render", "no:CNN", "-o", "a.svg", "--font-size", "0"], "--font-size 0.0 is not a positive"),
    "colour of a page": (["render", "no:CNN", "-o", "a.svg", "--background", "red"], "Known: page, none"),
    "scale of 0": (["render", CNN, "-o", "a.png", "--scale", "0"], "is not a positive number"),
    "no command": ([], "required: COMMAND"),
    "no model": (["show"], "required: MODEL"),
    "no output": (["render", CNN], "-o/--output"),
    "depth below 0": (["show", CNN, "--depth=-1"], "'-1' is not a number of levels"),
    "depth of a half": (["show", CNN, "--depth", "0.5"], "'0.5' is not a number of levels"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_done(
    name: str, capsys: pytest.CaptureFixture[str], models: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, said = BAD[name]
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    code, out, err = run(capsys, *[argument.replace("{models}", models) for argument in arguments])
    assert code == 2
    assert out == ""
    assert said in err
    assert "Traceback" not in err
    assert list(folder.iterdir()) == []


def test_unknown_suffix_is_told_before_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "render", "no_such_package:CNN", "-o", "cnn.jpeg")
    assert code == 2
    assert "suffix" in err and "no_such_package" not in err


def test_the_factory_that_raises_is_the_cause() -> None:
    from fxsummary.errors import ModelImportError
    from fxsummary.loading.load_model import build

    with pytest.raises(ModelImportError) as caught:
        build("torch.nn:Linear", {})
    assert isinstance(caught.value.__cause__, TypeError)
    with pytest.raises(ModelImportError) as caught:
        build("no_such_package:CNN", {})
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_built_on_meta_and_in_eval_mode() -> None:
    from fxsummary.loading.load_model import build

    model = build(CNN, {})
    assert {p.device.type for p in model.parameters()} == {"meta"}
    assert torch.get_default_device().type == "cpu"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"fxsummary {fxsummary.__version__}\n", "")


@pytest.mark.parametrize("arguments", [["--help"], ["show", "--help"], ["render", "--help"]])
def test_help_says_what_model_is_and_the_exit_codes(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    assert "MODEL is one of:" in out and "package.module:factory" in out
    is_whole = arguments == ["--help"]
    assert ("exit codes: 0 success, 2 failure (stderr says why); 1 if models differ" in out) == is_whole


# --- in a process of its own -------------------------------------------------------------------

_HELP = """
import sys
from fxsummary.cli import main
try:
    main(["--help"])
except SystemExit as left:
    heavy = {"torch", "networkx", "graphviz", "numpy", "pandas"} & set(sys.modules)
    sys.exit(f"imported {heavy}" if heavy or left.code else 0)
"""

_IMPORT = """
import sys, fxsummary
sys.exit(f"imported {heavy}" if (heavy := {"torch", "networkx", "graphviz", "numpy"} & set(sys.modules)) else 0)
"""


@pytest.mark.parametrize("code", [_HELP, _IMPORT], ids=["help", "import"])
def test_nothing_heavy_is_imported(code: str) -> None:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_python_m_fxsummary(tmp_path: Path) -> None:
    path = tmp_path / "cnn.dot"
    command = [sys.executable, "-m", "fxsummary", "render", CNN, "-o", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, f"{path}\n")
    assert path.read_text().startswith("digraph")
    result = subprocess.run([*command[:3], "show", "nothing"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith("fxsummary: error: ")


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(models: str) -> None:
    command = f"{sys.executable} -m fxsummary show {CNN} --quiet | true; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


@pytest.mark.slow
def test_ascii_terminals_get_what_they_can_show() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "fxsummary", "show", CNN, "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    assert "20,778" in result.stdout


CONFIGURED = """
from torch import nn

class Settings:
    def __init__(self, width=4, *, layers=1, kind="plain"):
        if width < 1:
            raise ValueError("no width")
        self.width, self.layers, self.kind = width, layers, kind

class Configured(nn.Module):
    config_class = Settings

    def __init__(self, config, bias=True):
        super().__init__()
        assert config.kind != "other", config.kind
        width = config.width
        self.layers = nn.Sequential(*[nn.Linear(width, width, bias=bias) for _ in range(config.layers)])

    def forward(self, x):
        return self.layers(x)

def make(config):
    return Configured(config)

ready = Settings(2, layers=2)
"""


@pytest.fixture
def configured(tmp_path: Path) -> str:
    path = tmp_path / "zoo_models_of_configs.py"
    path.write_text(CONFIGURED)
    return str(path)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        (["--config", "Settings"], 20),
        (["--config", "Settings", "--config-arg", "width=3", "--config-arg", "layers=2"], 24),
        (["--config", "Settings", "--config-arg", "kind=plain", "--arg", "bias=False"], 16),
        (["--config", "ready"], 12),
    ],
)
def test_config(capsys: pytest.CaptureFixture[str], configured: str, options: list[str], parameters: int) -> None:
    options[1] = f"{configured}:{options[1]}"
    code, out, _ = run(capsys, "show", f"{configured}:Configured", *options)
    assert code == 0
    assert f"Parameters {parameters}:" in out


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("Configured", [], "Configured needs a config: pass --config {path}:Settings"),
        ("make", [], "make needs a config: pass --config package:ConfigClass"),
        ("Configured", ["--config-arg", "width=3"], "--config-arg needs --config"),
        (
            "Configured",
            ["--config", "{path}:Settings", "--config-arg", "width"],
            "--config-arg 'width' is not of the form name=",
        ),
        ("Configured", ["--config", "{path}:Settings", "--config-arg", "width=0"], "no width. Pass its arguments with"),
        ("Configured", ["--config", "{path}:ready", "--config-arg", "width=3"], "which takes no --config-arg"),
        ("Configured", ["--config", "Settings"], "CONFIG 'Settings' is not package.module:factory"),
        ("Configured", ["--config", "{path}:Setting"], "has no 'Setting'"),
        ("Configured", ["--config", "{path}:Settings", "--config-arg", "kind=other"], "raised AssertionError"),
    ],
)
def test_config_that_is_missing_or_wrong(
    capsys: pytest.CaptureFixture[str], configured: str, model: str, options: list[str], said: str
) -> None:
    code, out, err = run(
        capsys, "show", f"{configured}:{model}", *[option.format(path=configured) for option in options]
    )
    assert (code, out) == (2, "")
    assert said.format(path=configured) in err


def test_part_of_a_module_that_fails_to_import(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "zoo_models_lazy.py"
    path.write_text("def __getattr__(name):\n    raise ModuleNotFoundError(f'{name} wants more')\n")
    code, _, err = run(capsys, "show", f"{path}:Model")
    assert code == 2
    assert "cannot import" in err and "Model wants more" in err


# --- saved graphs, and forms by suffix ---------------------------------------------------------


def test_a_saved_graph_stands_where_the_model_stands(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(tmp_path / "cnn.json")
    assert run(capsys, "render", CNN, "--input", "1x3x28x28", "--quiet", "-o", path) == (0, f"{path}\n", "")
    code, out, err = run(capsys, "show", path)
    assert (code, out, err) == (0, f"{graph_of('CNN')}\n", f"fxsummary: reading {path}\n")
    assert run(capsys, "render", path, "--quiet", "-o", str(tmp_path / "cnn.svg"))[0] == 0
    assert (tmp_path / "cnn.svg").read_text("utf-8") == graph_of("CNN").to_svg()


def test_a_saved_graph_is_as_it_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "cnn.json"
    graph_of("CNN").render(path)
    code, _, err = run(capsys, "show", str(path), "--input", "1x3x28x28")
    assert code == 2 and "--input does not apply to" in err
    path.write_text("{}")
    code, _, err = run(capsys, "show", str(path), "--quiet")
    assert code == 2 and f"error: {path}: this is not a saved graph" in err


@pytest.mark.parametrize("suffix", [".md", ".mmd", ".tex", ".txt"])
def test_depth_and_fold_of_tables_and_flowcharts(
    suffix: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if suffix == ".tex":
        pytest.importorskip("pandas")
    saved = str(graph_of("twelve_blocks").render(tmp_path / "blocks.json"))
    sizes = []
    for options in (["--depth", "1"], [], ["--no-fold"]):
        path = tmp_path / f"blocks{suffix}"
        assert run(capsys, "render", saved, "--quiet", *options, "-o", str(path))[0] == 0
        sizes.append(len(path.read_text("utf-8")))
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize(
    ("suffix", "option"),
    [(".dot", "--depth=1"), (".txt", "--scale=2"), (".md", "--font=x")]
    + [(s, o) for s in (".json", ".graphml", ".csv") for o in ("--depth=1", "--direction=LR")]
    + [(".graphml", "--no-fold"), (".csv", "--no-fold")],
)
def test_data_has_no_options(suffix: str, option: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "render", CNN, option, "-o", str(tmp_path / f"cnn{suffix}"))
    assert code == 2 and f"{option.partition('=')[0]} does not apply to {suffix} files" in err


def test_a_flowchart_has_a_direction(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "cnn.mmd"
    assert run(capsys, "render", CNN, "--direction", "LR", "--quiet", "-o", str(path))[0] == 0
    assert path.read_text("utf-8").startswith("flowchart LR\n")


@pytest.mark.parametrize("name", ["", "x="])
def test_a_shape_alone_is_of_integers_where_an_embedding_reads_it(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tokens.py"
    file.write_text(
        "from torch import nn\n"
        "class Tokens(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.table, self.fc = nn.Embedding(10, 4), nn.Linear(4, 2)\n"
        "    def forward(self, x):\n"
        "        return self.fc(self.table(x)) if x.shape[1] > 3 else self.table(x)\n"
    )
    assert main(["show", f"{file}:Tokens", "--input", f"{name}2x12"]) == 0
    assert "2×12×2" in capsys.readouterr().out
    assert main(["show", f"{file}:Tokens", "--input", f"{name}2x12:float32"]) == 2
    assert "2x12:int64" in capsys.readouterr().err
