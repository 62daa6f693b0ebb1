"""Forms for reviews and for other programs: Markdown, Mermaid, GraphML, node-link data, pandas, CSV, LaTeX."""

from __future__ import annotations

import csv
import html
import io
import itertools
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import networkx as nx
import pytest
import torch
from graphs import graph_of, unprintable
from markdown_it import MarkdownIt
from markdown_it.token import Token
from torch import Tensor, nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.errors import MissingPackageError, TooLargeError, UnknownNameError
from fxsummary.exporters import markdown, mermaid
from fxsummary.exporters.latex import escaped as latex_escaped
from fxsummary.exporters.tables.summary import summarise
from fxsummary.graph.attributes import NODE
from fxsummary.text.numbers import clean
from zoo import HOSTILE, OWN, REAL
from zoo.real import torchvision_model

needs_pandas = pytest.mark.skipif(
    fxsummary.support.registry.EXPORTERS["latex"].missing() != [], reason="pandas and jinja2 are not installed"
)
every_hostile = pytest.mark.parametrize("key", HOSTILE)
SOME = [*OWN, "torchvision.resnet50", "torchvision.vit_b_16", "timm.swin_tiny_patch4_window7_224"]
some_models = pytest.mark.parametrize("name", SOME)


@cache
def resnet18() -> ModelGraph:
    return fxsummary.graph(torchvision_model("resnet18").eval(), torch.empty(1, 3, 224, 224, device="meta"))


@cache
def bert() -> ModelGraph:
    transformers = pytest.importorskip("transformers")
    with torch.device("meta"):
        return fxsummary.graph(transformers.BertModel(transformers.BertConfig()).eval())


# --- Markdown ----------------------------------------------------------------------------------


def table_of(source: str) -> list[list[str]]:
    """The cells of the only table, as a reader sees them."""
    tokens = MarkdownIt("commonmark").enable("table").parse(source)
    assert sum(token.type == "table_open" for token in tokens) == 1
    rows: list[list[str]] = []
    for token, cell in itertools.pairwise(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open"):
            rows[-1].append(seen(cell))
    return rows


def seen(token: Token) -> str:
    children = token.children or []
    assert {child.type for child in children} <= {"text", "code_inline", "text_special"}, children
    return "".join(child.content for child in children)


def text_seen(source: str) -> str:
    """All text that a reader sees; fails if there are links, HTML, emphasis or the like."""
    kinds = {"text", "code_inline", "text_special", "strong_open", "strong_close"}
    inline = [token for token in MarkdownIt("commonmark").enable("table").parse(source) if token.type == "inline"]
    assert {child.type for token in inline for child in token.children or []} <= kinds
    return "\n".join("".join(child.content for child in token.children or []) for token in inline)


@some_models
@pytest.mark.parametrize("view", ["summary", "modules", "parameters", "operations"])
def test_markdown_is_a_table_of_the_same_rows_as_text(name: str, view: str) -> None:
    graph = graph_of(name)
    source = graph.to_markdown(view=view)
    rows = table_of(source)
    assert {len(row) for row in rows} == {len(rows[0])}
    lines = graph.to_text(view=view, width=100_000).split("\n")
    first = 2 if view == "summary" else 0
    last = next((index for index, line in enumerate(lines[first + 2 :]) if line.startswith("─")), len(lines))
    assert len(rows) - 1 == len(lines[first + 2 :][:last])
    assert list(unprintable(source)) == []
    assert source.endswith("\n") and not source.endswith("\n\n")


def test_markdown_of_resnet18() -> None:
    lines = resnet18().to_markdown(depth=2).split("\n")
    assert lines[:8] == [
        "**ResNet** · input x 1×3×224×224",
        "",
        "| Module | Output shape | Parameters | FLOPs | % |",
        "|:--|:--|--:|--:|--:|",
        "| ResNet | 1×1000 | 11,689,512 | 3.63 G | 100 |",
        "| `conv1` Conv2d 3→64, 7×7, s2, p3, bias=False | 1×64×112×112 | 9,408 | 236 M | 6.5 |",
        "| `bn1` BatchNorm2d 64 | 1×64×112×112 | 128 |  |  |",
        "| `relu` ReLU | 1×64×112×112 |  |  |  |",
    ]
    assert "| &emsp;`0…1` BasicBlock ×2 | 1×64×56×56 | 147,968 | 925 M | 25.5 |" in lines
    assert "- **Parameters:** 11,689,512: 11,689,512 trainable, 0 frozen; 44.6 MiB float32" in lines
    assert "- **FLOPs:** 3,628,146,688 = 2 × 1,814,073,344 MACs (matrix products)" in lines


@pytest.mark.slow
def test_markdown_of_bert() -> None:
    source = bert().to_markdown(depth=3)
    rows = {row[0].strip(): row[1:] for row in table_of(source)}
    assert rows["BertModel"] == ["1×128×768 +1", "109,482,240", "22.3 G", "100"]
    assert rows["layer.0…11 BertLayer ×12"] == ["1×128×768", "85,054,464", "22.3 G", "100"]
    assert "- **Note:** recorded, because symbolic tracing stopped at transformers/models/bert/" in source
    assert "input inferred: input_ids 1×128" in source


def test_markdown_folds_as_text_does() -> None:
    graph = graph_of("twelve_blocks")
    assert len(table_of(graph.to_markdown(fold=False))) > len(table_of(graph.to_markdown()))
    assert "×12" not in graph.to_markdown(fold=False)
    with pytest.raises(UnknownNameError, match=r"unknown view 'nothing'.*summary, modules, parameters, operations"):
        graph.to_markdown(view="nothing")


@every_hostile
@pytest.mark.parametrize("view", ["summary", "modules", "parameters", "operations"])
def test_hostile_names_in_markdown(key: str, view: str) -> None:
    graph = graph_of(f"hostile_{key}")
    source = graph.to_markdown(view=view)
    width = {"summary": 5, "modules": 5, "parameters": 6, "operations": 6}[view]
    rows = table_of(source)
    assert {len(row) for row in rows} == {width}
    shown, name = text_seen(source), clean(HOSTILE[key])
    if view != "operations" and len(name) < 20:
        assert " ".join(name.split()) in " ".join(shown.split())


LITERAL = [
    "a|b", r"a\|b", r"a\\|b", "`", "``a`b", "<img src=x>", "[a](b)", "![a](b)", "&lt;", "*a*", "_a_", "__init__",
    "~~a~~", "a_b_c", "# a", "\\", "$x$", "-->", "<!-- a", "&#124;",
]  # fmt: skip


@pytest.mark.parametrize("text", LITERAL)
def test_escaped_is_seen_literally(text: str) -> None:
    for made in (markdown.escaped(text), markdown.name(text)):
        assert table_of(f"| a | b |\n|--|--|\n| {made} | x |\n")[1] == [text, "x"]


# --- Mermaid -----------------------------------------------------------------------------------

_NODE = re.compile(r'\s+(n\d+)(?:\["|\(\["|\[/")(.*?)(?:"\]|"\]\)|"/\])')
_BLOCK = re.compile(r'\s+subgraph (b\d+)\["(.*)"\]')


def check_mermaid(source: str) -> tuple[dict[str, str], list[str], list[tuple[str, str]]]:
    """Nodes with labels, labels of subgraphs and edges; every line must be one of those that are known."""
    nodes: dict[str, str] = {}
    blocks: dict[str, str] = {}
    edges = []
    depth = 0
    lines = source.splitlines()
    assert lines[0] in ("flowchart TB", "flowchart LR")
    for line in lines[1:]:
        if found := _NODE.fullmatch(line):
            assert found[1] not in nodes
            nodes[found[1]] = found[2]
        elif found := _BLOCK.fullmatch(line):
            assert found[1] not in blocks
            blocks[found[1]] = found[2]
            depth += 1
        elif line.strip() == "end":
            depth -= 1
        elif found := re.fullmatch(r"  (n\d+) --> (n\d+)", line):
            edges.append((found[1], found[2]))
        else:
            marks = '  marks\\["[^"]*"\\]|  style marks fill:none,stroke:none'
            marks += "|  class b[\\db,]+ frame"
            assert re.fullmatch(rf"  class n[\dn,]+ [a-z]+|  classDef [a-z]+ [a-z:#0-9,]+|{marks}", line), line
    assert depth == 0
    assert all(source in nodes and target in nodes for source, target in edges)
    assert len(edges) == len(set(edges))
    for label in [*nodes.values(), *blocks.values()]:
        bare = re.sub(r"#\d+;", "", label.replace("<br>", ""))
        assert not set(bare) & set("\"'`<>{}|#;&\\%$:@[]*"), label
    return nodes, list(blocks.values()), edges


def label_seen(label: str) -> str:
    return html.unescape(re.sub(r"#(\d+);", r"&#\1;", label)).replace("<br>", "\n")


def test_every_subgraph_of_mermaid_has_the_colour_of_frames() -> None:
    source = graph_of("torchvision.vit_b_16").to_mermaid()
    (frames,) = re.findall(r"^  class (b[^ ]*) frame$", source, re.MULTILINE)
    assert frames.split(",") == re.findall(r"subgraph (b\d+)", source) and len(frames.split(",")) == 3
    assert "classDef frame fill:#5a6b800f,stroke:#5a6b8080\n" in source
    assert "frame" not in graph_of("CNN").to_mermaid()


@some_models
def test_mermaid_is_a_flowchart(name: str) -> None:
    try:
        source = graph_of(name).to_mermaid()
    except TooLargeError as error:
        assert "no depth fits" in str(error) and len(graph_of(name)) > 400
        return
    nodes, _, edges = check_mermaid(source)
    assert nodes or not len(graph_of(name))
    assert len(source) <= mermaid.MOST_CHARACTERS and len(edges) <= mermaid.MOST_EDGES
    assert list(unprintable(source)) == []


@pytest.mark.parametrize("name", REAL)
def test_mermaid_of_real_models_fits(name: str) -> None:
    source = graph_of(name).to_mermaid()
    assert len(source) <= 45_000 and source.count(" --> ") <= 400


def test_mermaid_of_resnet18() -> None:
    nodes, blocks, edges = check_mermaid(resnet18().to_mermaid())
    assert (len(nodes), len(blocks), len(edges)) == (17, 5, 19)
    labels = list(nodes.values())
    assert labels[:3] == [
        "x<br>1×3×224×224",
        "conv1 Conv2d<br>3→64, 7×7, s2, p3, bias=False<br>bn1 BatchNorm2d<br>relu ReLU<br>1×64×112×112"
        "<br>9.54 k parameters",
        "maxpool MaxPool2d<br>3×3, s2, p1<br>1×64×56×56",
    ]
    assert blocks[:2] == ["layer1.0…1 BasicBlock ×2", "layer2…4 Sequential ×3"]


@pytest.mark.parametrize("name, nodes, edges", [("torchvision.vit_b_16", 18, 19), ("torchvision.resnet50", 43, 50)])
def test_mermaid_is_small_enough_to_read(name: str, nodes: int, edges: int) -> None:
    drawn, _, drawn_edges = check_mermaid(graph_of(name).to_mermaid())
    assert (len(drawn), len(drawn_edges)) == (nodes, edges)


def test_mermaid_options() -> None:
    graph = graph_of("twelve_blocks")
    folded, unfolded = check_mermaid(graph.to_mermaid()), check_mermaid(graph.to_mermaid(fold=False))
    assert len(unfolded[0]) > len(folded[0])
    closed, blocks, _ = check_mermaid(graph.to_mermaid(depth=1))
    assert blocks == [] and len(closed) < len(folded[0])
    assert graph.to_mermaid(direction="LR").startswith("flowchart LR\n")
    with pytest.raises(UnknownNameError, match=r"unknown direction 'UP'\. Known: TB, LR"):
        graph.to_mermaid(direction="UP")


class _Uneven(nn.Module):
    """Blocks that differ, so that nothing folds: each has 12 or 13 layers, the last with a factor."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            [nn.Sequential(*[nn.Linear(4, 4) for _ in range(12 + i % 2)]) for i in range(count)]
        )

    def forward(self, x: Tensor) -> Tensor:
        for index, block in enumerate(self.blocks):
            x = block(x) * (index + 2)
        return x


def test_mermaid_picks_a_depth_that_fits_and_refuses_one_that_does_not() -> None:
    graph = fxsummary.graph(_Uneven(40), torch.empty(1, 4))
    nodes, blocks, edges = check_mermaid(graph.to_mermaid(fold=False))
    assert (len(nodes), blocks, len(edges)) == (42, [], 41)
    message = (
        r"would have 501 edges and [\d,]+ characters, and GitHub draws up to 400 and 45,000: pass depth=1, which fits"
    )
    with pytest.raises(TooLargeError, match=message):
        graph.to_mermaid(fold=False, depth=3)
    assert graph.to_mermaid(fold=False, depth=1) == graph.to_mermaid(fold=False)


@every_hostile
def test_hostile_names_in_mermaid(key: str) -> None:
    graph = graph_of(f"hostile_{key}")
    nodes, _, edges = check_mermaid(graph.to_mermaid())
    assert (len(nodes), len(edges)) == (7, 6)
    name = clean(HOSTILE[key]).replace("\\", "∖")
    if len(name) < 20:
        assert f"p{name}\n4\n4 parameters" in [label_seen(label) for label in nodes.values()]


# --- GraphML and node-link data ----------------------------------------------------------------


def flat_equal(read: nx.DiGraph, graph: ModelGraph) -> None:
    assert type(read) is nx.DiGraph
    assert list(read) == list(graph)
    assert list(read.edges) == list(graph.edges)
    for key, data in graph.nodes(data=True):
        for name in ("flops", "parameters", "output_bytes", "multiplicity", "assumed", "trust", "kind"):
            assert read.nodes[key].get(name) == data[name], (key, name)
    values = [value for _, data in read.nodes(data=True) for value in data.values()]
    values += [value for *_, data in read.edges(data=True) for value in data.values()]
    assert {type(value) for value in values} <= {str, int, bool, float, type(None)}


@some_models
def test_networkx_reads_graphml(name: str) -> None:
    source = graph_of(name).to_graphml()
    flat_equal(nx.read_graphml(io.BytesIO(source.encode("utf-8"))), graph_of(name))


@some_models
def test_networkx_reads_node_link_data(name: str) -> None:
    data = json.loads(json.dumps(graph_of(name).to_node_link()))
    flat_equal(nx.node_link_graph(data, edges="edges"), graph_of(name))
    assert data["graph"]["name"] == clean(graph_of(name).name)


def test_attributes_of_graphml_are_texts_and_numbers() -> None:
    read = nx.parse_graphml(resnet18().to_graphml())
    assert read.nodes["conv1"]["shape"] == "1×64×112×112"
    assert read.nodes["conv1"]["outputs"] == "1×64×112×112 float32"
    assert read.nodes["conv1"]["reads"] == "conv1.weight"
    assert read.edges["conv1", "bn1"]["bytes"] == 4 * 64 * 112 * 112
    assert read.graph["output_spec"] == "1×1000 float32"


def test_keys_and_values_of_the_user_are_made_flat() -> None:
    graph = graph_of("CNN").copy()
    graph = nx.relabel_nodes(graph, {"conv1": "a\x00b", "relu1": "ab"})
    graph.nodes["fc"]["more"] = {("x", 1): [float("inf"), None], "y": object}
    read = nx.parse_graphml(graph.to_graphml())
    assert ("ab_", "ab") in read.edges and len(read) == len(graph)
    assert read.nodes["fc"]["more"].startswith('{"(\'x\', 1)": [Infinity, null], "y": "<class')


@every_hostile
def test_hostile_names_in_graphml(key: str) -> None:
    graph = graph_of(f"hostile_{key}")
    read = nx.parse_graphml(graph.to_graphml())
    targets = [data["target"] for _, data in graph.nodes(data=True)]
    assert [data["target"] for _, data in read.nodes(data=True)] == [clean(target) for target in targets]


# --- pandas, CSV, LaTeX ------------------------------------------------------------------------


@needs_pandas
@some_models
def test_frame_has_the_documented_columns_and_adds_up(name: str) -> None:
    graph = graph_of(name)
    frame = graph.to_pandas()
    assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == {
        name: NODE[name].type.column for name in NODE.columns if NODE[name].always
    }
    assert frame.index.name == "operation" and list(frame.index) == [clean(key) for key in graph]
    assert frame.flops.sum() == (graph.totals.flops or 0)
    assert frame.parameters.sum() == graph.totals.parameters - graph.totals.unread_parameters
    unknown = [data["flops"] is None for _, data in graph.nodes(data=True)]
    assert list(frame.flops.isna()) == unknown
    assert list(frame["shape"].isna()) == [data["shape"] is None for _, data in graph.nodes(data=True)]


@needs_pandas
def test_frame_of_resnet18() -> None:
    frame = resnet18().to_pandas()
    assert frame.loc["conv1"][["label", "config", "shape", "parameters", "flops"]].tolist() == [
        "Conv2d", "3→64, 7×7, s2, p3, bias=False", "1×64×112×112", 9408, 236027904,
    ]  # fmt: skip
    assert frame.groupby("kind").flops.sum()["convolution"] == 3_627_122_688
    assert "``" + "``, ``".join(["op", "target", "kind"]) in (fxsummary.ModelGraph.to_pandas.__doc__ or "")


@needs_pandas
@pytest.mark.parametrize("name", ["CNN", "quantized", "opaque_weights", *(f"hostile_{key}" for key in HOSTILE)])
def test_csv_is_read_back(name: str, tmp_path: Path) -> None:
    graph = graph_of(name)
    with graph.render(tmp_path / "model.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["operation"] for row in rows] == list(graph)
    assert [row["target"] for row in rows] == [clean(data["target"]) for _, data in graph.nodes(data=True)]
    flops = [data["flops"] for _, data in graph.nodes(data=True)]
    assert [row["flops"] for row in rows] == ["" if number is None else str(number) for number in flops]


def latex_rows(source: str) -> Iterator[list[str]]:
    """The cells of the rows; fails if anything but known commands and escaped characters is in them."""
    body = source.partition(r"\toprule")[2].partition(r"\bottomrule")[0].replace("\\midrule\n", "")
    commands = r"\\(?:texttt|quad|times|to|geq|Sigma|ldots|cdot|text[a-z]+)(?![a-z])|\\[&%$#_{}]"
    for line in body.strip().split("\n"):
        assert line.endswith(r" \\"), line
        plain = re.sub(commands, lambda found: "·" if found[0][1] in "&%$#_{}" else "", line[:-3])
        assert "\\" not in plain and not set(plain) & set('%#_^~<>|"'), line
        assert plain.count("$") % 2 == 0 and plain.count("{") == plain.count("}")
        yield plain.split(" & ")


@needs_pandas
@some_models
def test_latex_is_a_table_of_the_rows_of_the_summary(name: str) -> None:
    graph = graph_of(name)
    rows = list(latex_rows(graph.to_latex()))
    assert len(rows) == 1 + len(summarise(graph).rows)
    assert {len(row) for row in rows} == {5}


@needs_pandas
def test_latex_of_resnet18() -> None:
    source = resnet18().to_latex(depth=2, caption="ResNet-18", label="tab:resnet")
    assert source.startswith(
        "\\begin{table}\n\\caption{ResNet-18}\n\\label{tab:resnet}\n\\begin{tabular}{llrrr}\n\\toprule"
    )
    line = (
        r"\quad \texttt{0\ldots{}1} BasicBlock $\times$2 & 1$\times$64$\times$56$\times$56 & 147,968 & 925 M & 25.5 \\"
    )
    assert line in source.split("\n")
    assert r"\begin{longtable}" in resnet18().to_latex(longtable=True)


def test_latex_is_escaped() -> None:
    assert latex_escaped("50% of a_b & {c} #1 $x^2 ~ \\d") == (
        r"50\% of a\_b \& \{c\} \#1 \$x\textasciicircum{}2 \textasciitilde{} \textbackslash{}d"
    )
    assert latex_escaped("a--b ?` <x>") == r"a{-}{-}b ?\textasciigrave{} \textless{}x\textgreater{}"


# --- what is missing ---------------------------------------------------------------------------


@pytest.mark.parametrize("suffix, package", [("csv", "pandas"), ("tex", "pandas"), ("tex", "jinja2")])
def test_a_missing_package_is_told(suffix: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [package, *(name for name in sys.modules if name.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError, match=r"pip install 'fxsummary\[pandas\]'"):
        graph_of("CNN").render(tmp_path / f"cnn.{suffix}")
    assert not list(tmp_path.iterdir())
    if package == "pandas":
        with pytest.raises(MissingPackageError, match=r"PANDAS needs pandas"):
            graph_of("CNN").to_pandas()


def test_forms_of_an_empty_graph() -> None:
    graph = ModelGraph()
    assert graph.to_mermaid() == "flowchart TB\n"
    assert [row[0] for row in table_of(graph.to_markdown())] == ["Module", ""]
    assert graph.to_node_link()["nodes"] == []
    assert len(nx.parse_graphml(graph.to_graphml())) == 0
    if not fxsummary.support.registry.EXPORTERS["latex"].missing():
        assert graph.to_pandas().shape == (0, len([name for name in NODE.columns if NODE[name].always]))
        assert [len(row) for row in latex_rows(graph.to_latex())] == [5, 5]


def test_mermaid_of_bert() -> None:
    nodes, blocks, edges = check_mermaid(bert().to_mermaid())
    assert (len(nodes), len(blocks), len(edges)) == (24, 8, 29)
    assert "encoder.layer.0…11 BertLayer ×12" in blocks
    assert "scaled_dot_product_attention<br>dropout_p=0, scale=0.125<br>1×12×128×64" in nodes.values()
