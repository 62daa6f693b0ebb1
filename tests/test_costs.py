"""Costs by module and by kind add up to the totals; tables and the page show the columns that are chosen."""

from __future__ import annotations

import json
import re
from dataclasses import FrozenInstanceError

import pytest
import torch
from graphs import graph_of
from torch import nn
from torch.nn.utils import prune

import fxsummary
from fxsummary import ModelGraph
from fxsummary.errors import InputError, UnknownNameError
from fxsummary.graph.costs import Costs

SUMS = ("operations", "parameters", "trainable_parameters", "unread_parameters", "parameter_bytes", "buffer_bytes",
    "flops", "activation_bytes")  # fmt: skip
SOME = [
    "CNN", "SharedBlock", "TiedWeights", "twelve_blocks", "opaque_weights", "CustomOperatorWithoutFormula",
    "frozen_part", "RecurrentHead", "VariadicInput",
]  # fmt: skip


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.norm(self.conv(x)).relu()


class Net(nn.Module):
    """Partly frozen, with copies, and with a layer that forward does not call."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.pool = nn.Conv2d(3, 16, 7, 2, 3), nn.MaxPool2d(3, 2, 1)
        self.body = nn.Sequential(*[Block() for _ in range(3)])
        self.aux, self.head = nn.Linear(16, 4), nn.Linear(16, 10)
        self.stem.requires_grad_(False)
        self.body[0].requires_grad_(False)
        self.head.bias.requires_grad = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.pool(self.stem(x))).mean((2, 3)))


@pytest.fixture(scope="module")
def net() -> ModelGraph:
    return fxsummary.graph(Net(), torch.empty(2, 3, 32, 32))


# --- values ----------------------------------------------------------------------------------------


def expected(graph: ModelGraph) -> dict[str, int | None]:
    totals = graph.totals
    made = sum(each.nbytes for each in graph.storages if each.kind == "activation")
    others = {"operations": len(graph), "activation_bytes": made if graph.memory is not None else None}
    return {name: others[name] if name in others else getattr(totals, name) for name in SUMS}


@pytest.mark.parametrize("name", SOME)
def test_modules_and_kinds_add_up_to_the_totals(name: str) -> None:
    graph = graph_of(name)
    modules, kinds = graph.by_module(), graph.by_kind()
    assert {each: getattr(modules[""], each) for each in SUMS} == expected(graph)
    for each, total in expected(graph).items():
        assert total in (sum(getattr(costs, each) or 0 for costs in kinds.values()), None), each
    assert ("flops" in modules[""].unknown) == bool(graph.totals.unknown_flops)
    assert modules.keys() == graph.modules.keys()


@pytest.mark.parametrize("name", ["twelve_blocks", "SharedBlock", "CNN"])
def test_a_module_is_its_children_and_its_own_operations(name: str) -> None:
    graph = graph_of(name)
    costs = graph.by_module()
    for path, module in graph.modules.items():
        own = [data for _, data in graph.nodes(data=True) if data["module"] == path]
        inside = sum(costs[child].flops or 0 for child in module.children)
        assert costs[path].flops == inside + sum(data["flops"] or 0 for data in own), path


def test_a_shared_module_counts_once_and_an_unread_one_in_its_place(net: ModelGraph) -> None:
    shared = graph_of("SharedBlock").by_module()
    assert (shared["first"].parameters, shared["again"].parameters, shared["again"].flops) == (280, 0, 0)
    aux = net.by_module()["aux"]
    assert (aux.parameters, aux.unread_parameters, aux.operations, aux.activation_bytes) == (68, 68, 0, 0)
    assert net.by_kind()["parameter"].unread_parameters == 68


def test_costs_are_frozen_records_with_marks_for_what_is_unknown() -> None:
    costs = graph_of("CNN").by_module()["conv1"]
    assert (costs.type, costs.macs, costs.frozen_parameters) == ("Conv2d", 338688, 0)
    with pytest.raises(FrozenInstanceError):
        costs.flops = 0  # type: ignore[misc]
    custom = graph_of("CustomOperatorWithoutFormula").by_module()[""]
    assert "flops" in custom.unknown and custom.parameters == graph_of("CustomOperatorWithoutFormula").totals.parameters
    tree = fxsummary.graph(nn.ModuleList([nn.Linear(2, 2)])).by_module()
    assert (tree[""].flops, tree[""].activation_bytes, tree["0"].parameters) == (None, None, 6)


def test_costs_of_a_comparison_are_those_after(net: ModelGraph) -> None:
    compared = fxsummary.diff(graph_of("CNN"), net)
    assert compared.by_module()[""].flops == net.totals.flops
    assert sum(costs.parameters for costs in compared.by_kind().values()) == net.totals.parameters


def test_costs_are_rows_of_a_data_frame(net: ModelGraph) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(net.by_module().values(), index=net.by_module())
    assert list(frame.columns) == list(Costs.__dataclass_fields__) and frame.loc["stem", "flops"] == 2408448


# --- columns ---------------------------------------------------------------------------------------


def cells(text: str, name: str) -> list[str]:
    """Return the cells after the first, except empty ones, in the first row with this name."""
    row = next(line for line in text.splitlines() if re.search(rf"[├└] {name} ", line))
    return re.split(r" {2,}", row.strip())[1:]


def test_input_shapes_kernels_macs_and_shares_are_columns(net: ModelGraph) -> None:
    chosen = "input_shape,kernel,parameters,parameter_share,macs"
    for view in ("summary", "modules", "operations"):
        text = net.to_text(view=view, columns=chosen, width=120)
        assert all(title in text for title in ("Input shape", "Kernel", "Parameters %", "MACs"))
    assert cells(net.to_text(columns=chosen, width=120), "stem") == ["2×3×32×32", "7×7", "2,368", "24.5", "1.2 M"]
    assert cells(net.to_text(columns="input_shape,kernel", width=120), "pool") == ["2×16×16×16", "3×3"]
    assert cells(net.to_text(columns="input_shape", width=120), "add") == ["2×16×8×8 +1"]
    assert "| 2×16×16×16 | 3×3 |" in net.to_markdown(columns="input_shape,kernel")
    assert r"2$\times$16$\times$16$\times$16 & 3$\times$3" in net.to_latex(columns="input_shape,kernel")


def test_macs_keep_their_marks() -> None:
    text = graph_of("CustomOperatorWithoutFormula").to_text(columns="flops,macs")
    assert re.split(r" {2,}", text.splitlines()[4]) == ["CustomOperatorWithoutFormula", "≥ 64", "≥ 32"]
    assert cells(text, "weight") == ["?", "?"] and cells(text, "fc") == ["64", "32"]


def test_the_table_of_modules_has_shapes_and_costs(net: ModelGraph) -> None:
    text = net.to_text(view="modules", width=100)
    assert cells(text, "stem") == ["2×16×16×16", "2,368", "2.41 M", "57.6"]
    assert cells(text, "aux") == ["68"] and "aux Linear never called, 16→4" in text
    assert "mean" not in text and len(text.splitlines()) == 2 + len(net.modules)
    assert "Trainable" in net.to_text(view="modules", columns="trainable_parameters")
    assert "?" not in net.to_text(view="modules")


def test_rows_show_what_is_frozen_once(net: ModelGraph) -> None:
    for view in ("summary", "modules"):
        text = net.to_text(view=view, width=120)
        assert "stem Conv2d frozen, 3→16" in text and "0 Block frozen" in text and "head Linear partly frozen" in text
        assert "body Sequential partly frozen" in text
        assert text.count("frozen") == 4 + (view == "summary")  # not again inside of block 0; and the totals
    assert "partly frozen" in net.to_markdown() and "partly frozen" in net.to_latex()
    for every in (False, True):
        model = Net().requires_grad_(every)
        text = fxsummary.graph(model, torch.empty(2, 3, 32, 32)).to_text(view="modules")
        assert "frozen" not in text


def page_of(html: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found
    data: dict[str, object] = json.loads(found[1])
    return data


def test_the_tree_of_the_page_has_the_columns_that_are_chosen(net: ModelGraph) -> None:
    data = page_of(net.to_html(columns="shape,parameters,share"))
    assert data["columns"] == [["Output shape", False], ["Parameters", True], ["%", True]]
    rows = dict(zip([module["path"] for module in data["modules"]], data["cells"], strict=True))  # type: ignore
    assert rows["stem"] == ["2×16×16×16", "2,368", "57.6"] and rows["aux"] == ["", "68", ""]
    assert rows["body.1"] == ["2×16×8×8", "4,704", "28.2"]  # both copies
    assert "body.2" not in rows and "columns" not in page_of(net.to_html())
    with pytest.raises(UnknownNameError, match="unknown column 'colour'"):
        net.to_html(columns="colour")


# --- nonzero parameters ----------------------------------------------------------------------------


def test_pruned_parameters_are_counted_on_request() -> None:
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2, bias=False))
    with torch.no_grad():
        model[2].weight[0] = 0
    prune.random_unstructured(model[0], "weight", 0.25)
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    graph = fxsummary.graph(model, torch.empty(1, 8), nonzero=True)
    used = (model[0].weight, model[0].bias, model[2].weight)
    assert graph.totals.nonzero_parameters == sum(int(torch.count_nonzero(each)) for each in used) == 24 + 4 + 4
    assert graph.totals.parameters == 44 and "32 nonzero" in str(graph)
    assert cells(graph.to_text(columns="parameters,nonzero_parameters"), "0") == ["36", "28"]
    assert cells(graph.to_text(view="modules", columns="parameters,nonzero_parameters"), "2") == ["8", "4"]
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())


def test_a_parameter_that_is_only_named_like_a_pruned_one_is_none() -> None:
    model = nn.Linear(2, 2, bias=False)
    model.weight_orig = nn.Parameter(torch.ones(2, 2))
    model.register_buffer("weight_mask", torch.zeros(2, 2))
    assert fxsummary.graph(model, torch.empty(1, 2), nonzero=True).totals.nonzero_parameters == 8


def test_what_was_not_counted_is_refused() -> None:
    with pytest.raises(InputError, match=r"pass nonzero=True to fxsummary\.graph"):
        graph_of("CNN").to_text(columns="nonzero_parameters")
    with torch.device("meta"), pytest.raises(InputError, match=r"weight has none that can be read"):
        fxsummary.graph(nn.Linear(2, 2), torch.empty(1, 2), nonzero=True)
    assert graph_of("CNN").totals.nonzero_parameters is None
