"""The laws: what must hold of every model of the zoo."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import re
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pygraphviz
import pytest
import torch
import untouched
from graphs import (
    AVAILABLE,
    MAGIC,
    contents,
    display_width,
    graph_of,
    graph_with,
    noted_calls,
    run_on_meta,
    shapes_of,
    unprintable,
)
from torch import nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.capture.operations import memo
from fxsummary.errors import TooLargeError
from fxsummary.graph.attributes import own_path
from fxsummary.graph.labels import KINDS, base, operator_of
from fxsummary.graph.spec import leaves
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.broadcast import cut_broadcasts
from fxsummary.views.depth import close_small, limit_depth
from fxsummary.views.dissolve import dissolve
from fxsummary.views.fold import fold_repeats
from fxsummary.views.idioms import merge_idioms
from fxsummary.views.scalars import hide_scalars
from fxsummary.views.shown import shown
from fxsummary.views.simplify import simplify
from zoo import OWN, REAL, ZOO

every_model = pytest.mark.parametrize("name", ZOO)
every_own_model = pytest.mark.parametrize("name", OWN)


def without_small_blocks(graph: ModelGraph) -> ModelGraph:
    """Blocks of up to two operations dissolved."""
    return dissolve(graph, lambda block: len(block.items) <= 2)


def folded(graph: ModelGraph) -> ModelGraph:
    return fold_repeats(simplify(graph))


VIEWS: dict[str, Callable[[ModelGraph], Any]] = {
    "block_tree": block_tree,
    "close_small": close_small,
    "cut_broadcasts": cut_broadcasts,
    "cut_broadcasts_folded": lambda graph: cut_broadcasts(folded(graph)),
    "dissolve": without_small_blocks,
    "dissolve_folded": lambda graph: without_small_blocks(folded(graph)),
    "drawn": lambda graph: cut_broadcasts(without_small_blocks(close_small(merge_idioms(folded(graph))))),
    "fold_repeats": fold_repeats,
    "hide_scalars": hide_scalars,
    "limit_depth_0": lambda graph: limit_depth(graph, 0),
    "limit_depth_1": lambda graph: limit_depth(graph, 1),
    "limit_depth_3": lambda graph: limit_depth(graph, 3),
    "merge_idioms": lambda graph: merge_idioms(simplify(graph)),
    "shown": lambda graph: close_small(merge_idioms(folded(graph))),
    "simplify": simplify,
    "all": lambda graph: limit_depth(folded(graph), 1),
}
TEXT_VIEWS = ("summary", "modules", "parameters", "operations")


# --- 1. parameters -----------------------------------------------------------------------------


@cache
def reference(name: str) -> nn.Module:
    """The model to count in, with its lazy modules materialized; do not change it."""
    entry = ZOO[name]
    model = entry.model()
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in model.parameters()):
        example = entry.inputs()
        model(*example.args, **example.kwargs)
    return model


@every_model
def test_parameters_are_those_of_distinct_tensors(name: str) -> None:
    graph, model, entry = graph_of(name), reference(name), ZOO[name]
    totals = graph.totals
    if entry.packed:
        assert totals.unknown_parameters or not list(model.parameters())
        return
    distinct = {id(p): p for p in model.parameters()}.values()
    assert totals.parameters == sum(p.numel() for p in distinct)
    assert totals.trainable_parameters == sum(p.numel() for p in distinct if p.requires_grad)
    assert totals.frozen_parameters == sum(p.numel() for p in distinct if not p.requires_grad)
    assert totals.parameter_bytes == sum(p.nbytes for p in distinct) == sum(totals.bytes_by_dtype.values())
    assert totals.unknown_parameters == ()


@every_model
def test_buffers_are_those_of_distinct_tensors(name: str) -> None:
    totals = graph_of(name).totals
    distinct = {id(b): b for b in reference(name).buffers()}.values()
    assert totals.buffers == len(distinct)
    assert totals.buffer_bytes == sum(b.nbytes for b in distinct)


@every_model
def test_nodes_and_unread_parameters_add_up_to_the_totals(name: str) -> None:
    graph = graph_of(name)
    data = [data for _, data in graph.nodes(data=True)]
    tensors = [p for module in graph.modules.values() for p in module.parameters if not p.read and p.tied_to is None]
    unread = [p for p in tensors if not p.buffer and p.spec is not None]
    assert sum(d["parameters"] or 0 for d in data) + sum(p.spec.numel for p in unread) == graph.totals.parameters
    assert (
        sum(d["parameter_bytes"] or 0 for d in data) + sum(p.spec.nbytes for p in unread)
        == graph.totals.parameter_bytes
    )
    unread_buffers = [p for p in tensors if p.buffer]
    assert sum(d["buffers"] for d in data) + len(unread_buffers) == graph.totals.buffers
    assert (
        sum(d["buffer_bytes"] for d in data) + sum(p.spec.nbytes for p in unread_buffers) == graph.totals.buffer_bytes
    )
    assert graph.totals.unread_parameters == sum(p.spec.numel for p in unread)


@every_own_model
def test_unread_parameters(name: str) -> None:
    assert graph_of(name).totals.unread_parameters == ZOO[name].unread


@every_model
def test_each_tensor_belongs_to_one_node(name: str) -> None:
    names = [each for _, data in graph_of(name).nodes(data=True) for each in data["parameter_names"]]
    assert len(names) == len(set(names))


@every_model
def test_module_tree_is_that_of_the_model(name: str) -> None:
    graph, model = graph_of(name), reference(name)
    assert list(graph.modules) == [path for path, _ in model.named_modules(remove_duplicate=False)]
    if not ZOO[name].packed:
        listed = [p.name for module in graph.modules.values() for p in module.parameters if not p.buffer]
        every = [
            f"{path}.{key}" if path else key
            for path, module in model.named_modules()
            for key, value in module._parameters.items()
            if value is not None
        ]
        assert sorted(listed) == sorted(every)


# --- 2. FLOPs ----------------------------------------------------------------------------------


@every_model
def test_flops_are_true(name: str) -> None:
    entry, totals = ZOO[name], graph_of(name).totals
    if entry.flops == "unknown":
        assert totals.flops is None
        assert totals.macs is None
        return
    truth = run_on_meta(name).flops if entry.flops == "counter" else entry.flops
    assert totals.flops == truth
    assert bool(totals.unknown_flops) == entry.lower_bound
    assert totals.macs == truth // 2


@every_model
def test_flops_of_nodes_add_up_to_the_total(name: str) -> None:
    graph = graph_of(name)
    flops = [data["flops"] for _, data in graph.nodes(data=True)]
    assert sum(number or 0 for number in flops) == (graph.totals.flops or 0)
    assert len(graph.totals.unknown_flops) == flops.count(None)


# --- 3. output specs ---------------------------------------------------------------------------


@every_model
def test_output_spec_is_what_forward_returns(name: str) -> None:
    entry, spec = ZOO[name], graph_of(name).output_spec
    if not entry.has_dataflow:
        assert spec is None
        return
    if entry.real:
        assert shapes_of(spec) == run_on_meta(name).result
        return
    example = entry.inputs()
    assert shapes_of(spec) == shapes_of(entry.model()(*example.args, **example.kwargs))


@every_model
def test_shapes_of_operations_are_their_outputs(name: str) -> None:
    """`shape`, `dtype` and `output_bytes` follow from `outputs`; an edge carries what its source yields."""
    graph = graph_of(name)
    for key, data in graph.nodes(data=True):
        specs = list(leaves(data["outputs"]))
        assert data["shape"] == (specs[0].shape if specs else None), key
        assert data["dtype"] == (specs[0].dtype if specs else None), key
    for source, target, data in graph.edges(data=True):
        writes = graph.nodes[source]["label"].endswith("_") or "inplace" in graph.nodes[source]["config"]
        assert data["slots"] or writes, (source, target)
        assert data["shape"] == graph.nodes[source]["shape"], (source, target)
        if graph.nodes[source]["op"] != "output":
            assert data["bytes"] == graph.nodes[source]["output_bytes"], (source, target)


# --- capture and its notes ---------------------------------------------------------------------


@every_model
def test_captured_by(name: str) -> None:
    assert graph_of(name).captured_by == ZOO[name].captured_by


@every_model
def test_notes_say_what_they_should(name: str) -> None:
    notes = graph_of(name).notes
    for pattern in ZOO[name].notes:
        assert any(re.search(pattern, note) for note in notes), notes
    if not ZOO[name].notes and not ZOO[name].real:
        assert notes == ()


@every_model
def test_every_slot_of_the_arguments_has_its_edge(name: str) -> None:
    graph = graph_of(name)
    for key, data in graph.nodes(data=True):
        slots = sorted(slot for _, _, slots in graph.in_edges(key, data="slots") for slot in slots)
        assert slots == list(range(len(slots))), key
        if ZOO[name].has_dataflow and "percent" not in name:
            assert data["arguments"].count("%") == len(slots), key


def calls_of(name: str) -> tuple[str, ...]:
    """The modules in the order in which a real forward calls them."""
    entry = ZOO[name]
    if entry.real or entry.captured_by != "recorded":
        return run_on_meta(name).calls
    model, example = entry.model(), entry.inputs()
    with noted_calls(model) as calls:
        model(*example.args, **example.kwargs)
    return tuple(calls)


@pytest.mark.parametrize(
    "name",
    # torch puts no hooks on a ScriptModule, so the real order of calls cannot be had
    [n for n, e in ZOO.items() if e.has_dataflow and not e.packed and n != "script_module_child"],
)
def test_nodes_are_in_execution_order(name: str) -> None:
    graph = graph_of(name)
    position = {key: index for index, key in enumerate(graph)}
    assert all(position[source] < position[target] for source, target in graph.edges)
    assert nx.is_directed_acyclic_graph(graph)
    called = [data["target"] for _, data in graph.nodes(data=True) if data["op"] == "call_module"]
    assert called == [path for path in calls_of(name) if path in set(called)]


# --- 4. both ways agree ------------------------------------------------------------------------


SPELLED_OTHERWISE = {
    "NamedTupleOutput", "DataclassOutput",  # tracing sees the class that is returned as an operation
    "DrawsRandomNumbers",  # and what forward draws as a constant
    "timm.levit_128s",  # and `/=` as `/`
}  # fmt: skip


def named_edges(graph: ModelGraph) -> set[tuple[Any, Any, Any]]:
    """The edges between operations, numbered by what they call: two captures may have them in another order."""
    counts: Counter[str] = Counter()
    names: dict[str, tuple[str, int]] = {}
    graph = hide_scalars(graph)
    for key, data in graph.nodes(data=True):
        called = own_path(data) or operator_of(data["label"]) or base(data["label"])
        names[key] = called, counts[called]
        counts[called] += 1
    inner = [edge for edge in graph.edges(data="slots") if graph.nodes[edge[1]]["op"] != "output"]
    return {(names[a], names[b], slots) for a, b, slots in inner}


@every_model
def test_recorded_agrees_with_symbolic(name: str) -> None:
    entry, graph = ZOO[name], graph_of(name)
    recorded = graph_with(entry.model(), entry.inputs(), trace="record")
    assert recorded.captured_by == "recorded"
    assert recorded.totals.parameters == graph.totals.parameters
    assert recorded.totals.unread_parameters == graph.totals.unread_parameters
    assert recorded.totals.flops == graph.totals.flops
    assert bool(recorded.totals.unknown_flops) == bool(graph.totals.unknown_flops)
    assert shapes_of(recorded.output_spec) == shapes_of(graph.output_spec)
    if name not in SPELLED_OTHERWISE:
        assert named_edges(recorded) == named_edges(graph)
    symbolic_calls = [data["target"] for _, data in graph.nodes(data=True) if data["op"] == "call_module"]
    assert symbolic_calls == [d["target"] for _, d in recorded.nodes(data=True) if d["op"] == "call_module"]


# --- 5. nothing is changed ---------------------------------------------------------------------


def assert_untouched(model: nn.Module, look: Callable[[], Any]) -> None:
    """Looking at a model changes neither it nor the process, and leaves no proxy and no meta tensor behind."""
    model_before, process_before = untouched.of_model(model), untouched.of_process()
    with untouched.left_behind() as left:
        look()
    assert left == []
    assert untouched.differences(model_before, untouched.of_model(model)) == []
    assert untouched.differences(process_before, untouched.of_process()) == []


def with_grads(model: nn.Module) -> nn.Module:
    for parameter in model.parameters():
        if parameter.requires_grad and not isinstance(parameter, nn.parameter.UninitializedParameter):
            parameter.grad = torch.ones_like(parameter)
    return model


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@every_own_model
def test_own_models_are_untouched(name: str, training: bool) -> None:
    model, example = with_grads(ZOO[name].model()).train(training), ZOO[name].inputs()

    def look() -> None:
        str(graph_with(model, example))
        str(graph_with(model, example, trace="record"))
        str(fxsummary.graph(model))

    assert_untouched(model, look)


@pytest.mark.parametrize("name", REAL)
def test_real_models_are_untouched(name: str) -> None:
    model, example = ZOO[name].model(), ZOO[name].inputs()

    def look() -> None:
        graph_with(model, example)
        graph_with(model, example, trace="record")

    assert_untouched(model, look)


@pytest.mark.parametrize("trace", ["auto", "record"])
@every_model
def test_a_model_whose_capture_is_interrupted_is_untouched(name: str, trace: str) -> None:
    model, example = ZOO[name].model(), ZOO[name].inputs()

    def look() -> None:
        calls = interrupt(lambda: graph_with(model, example, trace=trace), math.inf)
        interrupt(lambda: graph_with(model, example, trace=trace), 1 + zlib.crc32(name.encode()) % max(calls, 1))

    assert_untouched(model, look)


def interrupt(look: Callable[[], Any], at: float) -> int:
    """Interrupt at a call of a function of torch or of the model, and return how many there were."""
    calls = 0

    def count(frame: FrameType, event: str, _: Any) -> None:
        nonlocal calls
        if event == "call" and frame.f_code.co_filename.startswith(OTHERS) and is_in_forward(frame):
            calls += 1
            if calls == at:
                raise KeyboardInterrupt

    sys.setprofile(count)
    try:
        look()
    except (
        KeyboardInterrupt,
        fxsummary.errors.ForwardError,
    ):  # the interpreter of TorchScript turns one into the other
        assert calls == at
    finally:
        sys.setprofile(None)
    assert calls <= at
    return calls


OTHERS = (os.path.dirname(torch.__file__), os.path.dirname(nn.__file__), os.path.dirname(__file__))


def is_in_forward(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_name != "forward":
        frame = frame.f_back
    return frame is not None


@every_own_model
def test_inputs_are_untouched(name: str) -> None:
    model, example = ZOO[name].model(), ZOO[name].inputs()
    before = [untouched.of_value(value) for value in (example.args, example.kwargs)]
    graph_with(model, example)
    assert [untouched.of_value(value) for value in (example.args, example.kwargs)] == before


class RaisesInTheMiddle(nn.Module):
    """Does everything a forward should not do, then raises."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)
        self.norm = nn.BatchNorm1d(4)
        self.history: list[Any] = []
        self.register_buffer("steps", torch.tensor(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.history.append(self.norm(self.fc(x)))
        self.last = torch.randn(3)
        self.steps += 1
        self.eval()
        del self.fc
        raise RuntimeError("in the middle")


class RaisesAfterABranch(RaisesInTheMiddle):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.sum().isnan() or x.shape[0] > 1:
            return super().forward(x)
        return x


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("kind", [RaisesInTheMiddle, RaisesAfterABranch])
def test_a_model_that_raises_is_untouched(kind: type[nn.Module], training: bool) -> None:
    model, x = with_grads(kind()).train(training), torch.randn(2, 8)

    def look() -> None:
        try:
            fxsummary.graph(model, x)
        except fxsummary.errors.ForwardError as error:
            assert "in the middle" in str(error)

    assert_untouched(model, look)
    assert_untouched(model, lambda: fxsummary.graph(model))


@pytest.mark.parametrize(
    "name", ["CNN", "batch_norm_in_training", "transformer_encoder", "weight_norm_by_hook", "Lazy"]
)
def test_a_model_with_wrong_inputs_is_untouched(name: str) -> None:
    model, x = ZOO[name].model().train(), torch.randn(1, 7, 9, 5, 3, 2)

    def look() -> None:
        with pytest.raises((fxsummary.errors.InputError, fxsummary.errors.ForwardError)):
            fxsummary.graph(model, x)

    assert_untouched(model, look)


def test_the_model_still_works_afterwards() -> None:
    for entry in (OWN["RecurrentHead"], OWN["weight_norm_by_hook"], OWN["spectral_norm"], OWN["AssignsInForward"]):
        looked_at, alone = entry.model(), entry.model()
        fxsummary.graph(looked_at)
        graph_with(looked_at, entry.inputs())
        torch.manual_seed(1)
        example = entry.inputs()
        assert torch.equal(looked_at(*example.args), alone(*example.args))


# --- 6. the same bytes -------------------------------------------------------------------------

_DIGESTS = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from fxsummary.errors import TooLargeError
from graphs import graph_of
from zoo import ZOO

def digest(graph, form):
    try:
        text = getattr(graph, form)()
    except TooLargeError as error:
        text = str(error)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

names = [name for name, entry in ZOO.items() if not entry.real or name in sys.argv[2:]]
FORMS = ("to_text", "to_dot", "to_svg", "to_json", "to_markdown", "to_mermaid", "to_graphml")
forms = {name: [digest(graph_of(name), form) for form in FORMS] for name in names}
print(json.dumps(forms))
"""


def _digests(seed: str) -> dict[str, Any]:
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            _DIGESTS,
            str(Path(__file__).parent),
            "timm.swin_tiny_patch4_window7_224",
            "torchvision.vit_b_16",
        ],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.slow
def test_same_model_same_bytes_in_another_process() -> None:
    first, second = _digests("1"), _digests("2")
    assert len(first) > len(OWN)
    assert [name for name in first if first[name] != second[name]] == []


@every_own_model
def test_same_model_same_graph_again(name: str) -> None:
    """What was kept of an operation that was seen before tells the same as looking."""
    memo.clear()
    cold = graph_with(ZOO[name].model(), ZOO[name].inputs())
    warm = graph_with(ZOO[name].model(), ZOO[name].inputs())
    assert contents(warm) == contents(cold)


# --- 7. views and exporters change nothing -----------------------------------------------------


@lru_cache(maxsize=8)
def views_of(name: str) -> tuple[dict[str, Any], list[str]]:
    """What each view makes of a model, which is not to be changed; and the views that changed the graph itself."""
    graph = graph_of(name)
    before, results, wrong = contents(graph), {}, []
    for view, look in VIEWS.items():
        results[view] = look(graph)
        after = contents(graph)
        if after != before:
            wrong.append(view)
        before = after
    return results, wrong


@every_model
def test_views_change_nothing(name: str) -> None:
    assert views_of(name)[1] == []


@dataclass(frozen=True)
class Exported:
    """What became of a graph in one format.

    Attributes:
        data: the file, or "" for a format without one.
        refused: why there is none.
        changed: whether the graph is another one afterwards.
    """

    data: bytes
    refused: str
    changed: bool


DRAWN_LIKE_SVG = ("png", "pdf", "tikz")


@cache
def exports_of(name: str) -> dict[str, Exported]:
    """A model in every format, by the format's name; a published model not in those drawn like SVG."""
    graph = graph_of(name)
    before = contents(graph)
    found = {}
    with TemporaryDirectory() as folder:
        for form, exporter in AVAILABLE.items():
            if ZOO[name].real and form in DRAWN_LIKE_SVG:
                continue
            data, refused = b"", ""
            try:
                if exporter.suffix:
                    data = graph.render(Path(folder, f"model{exporter.suffix}")).read_bytes()
                else:
                    exporter(graph)
            except TooLargeError as error:
                refused = str(error)
            after = contents(graph)
            found[form] = Exported(data, refused, changed=after != before)
            before = after
    return found


@every_model
def test_exporters_change_nothing(name: str) -> None:
    assert [form for form, exported in exports_of(name).items() if exported.changed] == []
    graph = graph_of(name)
    before = contents(graph)
    for view in TEXT_VIEWS:
        graph.to_text(view=view, depth=2)
    assert repr(graph).startswith("<ModelGraph")
    assert contents(graph) == before


@pytest.mark.parametrize("view", [view for view in VIEWS if view != "block_tree"])
@every_model
def test_views_keep_the_totals(name: str, view: str) -> None:
    def numbers(graph: ModelGraph) -> tuple[Any, ...]:
        t = graph.totals
        return (
            t.parameters, t.trainable_parameters, t.unread_parameters, t.parameter_bytes, t.buffers, t.buffer_bytes,
            dict(t.bytes_by_dtype), t.flops, bool(t.unknown_flops), bool(t.unknown_parameters),
        )  # fmt: skip

    assert numbers(views_of(name)[0][view]) == numbers(graph_of(name))


@every_model
def test_views_keep_the_order(name: str) -> None:
    for view in VIEWS.keys() - {"block_tree"}:
        result = views_of(name)[0][view]
        position = {key: index for index, key in enumerate(result)}
        assert isinstance(result, ModelGraph)
        closed = [key for key, is_closed in result.nodes(data="closed") if is_closed]
        assert nx.is_directed_acyclic_graph(nx.restricted_view(result, closed, [])), view
        assert all(source in position and target in position for source, target in result.edges)


@every_model
def test_views_give_the_same_again(name: str) -> None:
    copy = pickle.loads(pickle.dumps(graph_of(name)))
    for view in VIEWS.keys() - {"block_tree"}:
        assert contents(views_of(name)[0][view]) == contents(VIEWS[view](copy)), view


def copies(graph: ModelGraph) -> dict[str, int]:
    """How many copies the blocks around each operation stand for together."""
    found: dict[str, int] = {}
    pending: list[tuple[Block, int]] = [(block_tree(graph), 1)]
    while pending:
        block, times = pending.pop()
        for item in block.items:
            if isinstance(item, Block):
                pending.append((item, times * item.repeat))
            else:
                found[item] = times
    return found


@every_model
def test_dissolve_takes_calls_out_of_stacks_and_changes_nothing_else(name: str) -> None:
    for graph in (graph_of(name), folded(graph_of(name))):
        result = without_small_blocks(graph)
        assert list(result) == list(graph)
        for key, data in graph.nodes(data=True):
            after, before = result.nodes[key]["module_stack"], data["module_stack"]
            assert {**result.nodes[key], "module_stack": before} == data
            made_up = [call for call in after if call not in before]
            assert [call for call in before if call in after] == [call for call in after if call not in made_up]
            assert all(result.graph["repeats"][call].joined for call in made_up)
        assert list(result.edges(data=True)) == list(graph.edges(data=True))
        assert copies(result) == copies(graph)
        assert contents(without_small_blocks(result)) == contents(result)


@every_model
def test_stand_ins_contracted_give_back_the_graph(name: str) -> None:
    for graph in (graph_of(name), folded(graph_of(name))):
        result = cut_broadcasts(graph)
        meant = {key: data.get("stands_for", key) for key, data in result.nodes(data=True)}
        own = {key: data for key, data in result.nodes(data=True) if meant[key] == key}
        assert list(own.items()) == list(graph.nodes(data=True))
        edges = [(meant[source], target, data) for source, target, data in result.edges(data=True)]
        assert len(edges) == graph.number_of_edges()
        assert all(graph.edges[source, target] == data for source, target, data in edges)
        assert result.graph == graph.graph
        for key in result.nodes - own.keys():
            inside = [data["module_stack"] for _, data in result.nodes(data=True)]
            stack = result.nodes[key]["module_stack"]
            assert result.succ[key] and not result.pred[key] and stack in [each[: len(stack)] for each in inside]


# --- 8. every exporter takes every model -------------------------------------------------------


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("view", TEXT_VIEWS)
@every_model
def test_text_keeps_its_width(name: str, view: str, width: int) -> None:
    text = graph_of(name).to_text(view=view, width=width)
    lines = text.split("\n")
    assert max(map(display_width, lines)) <= width, max(lines, key=display_width)
    assert list(unprintable(text)) == []


@every_model
def test_svg_is_well_formed(name: str) -> None:
    svg = graph_of(name).to_svg()
    root = ElementTree.fromstring(svg.encode("utf-8"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "foreignObject", "image", "iframe", "use"}
    attributes = {key for element in root.iter() for key in element.attrib}
    assert not [key for key in attributes if key.startswith("on")]
    assert list(unprintable("".join(root.itertext()).replace("\t", ""))) == []


def layout(source: str) -> pygraphviz.AGraph:
    drawing = pygraphviz.AGraph(string=source)
    drawing.layout("dot")
    return drawing


@every_model
def test_dot_can_be_laid_out(name: str) -> None:
    graph = graph_of(name)
    view = shown(graph)
    drawing = layout(graph.to_dot())
    own = [node for node in drawing.nodes() if node.startswith("n")]
    assert len(own) == len(view)
    assert all(node.attr["pos"] for node in drawing.nodes())
    assert len(drawing.edges()) == view.number_of_edges()


@every_model
def test_every_exporter_writes_a_file(name: str) -> None:
    for form, exported in exports_of(name).items():
        suffix = AVAILABLE[form].suffix
        if not suffix:
            continue
        if exported.refused:
            remedies = {".png": "pass a smaller depth= or scale=", ".mmd": "no depth fits: render to .svg"}
            assert remedies[suffix] in exported.refused
            continue
        assert exported.data, suffix
        if suffix in MAGIC:
            assert exported.data.startswith(MAGIC[suffix])
        else:
            exported.data.decode("utf-8")


# --- the graph as a value ----------------------------------------------------------------------


class _Recording(pickle.Unpickler):
    """Notes which modules' names a pickle refers to."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.modules: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.modules.add(module.partition(".")[0])
        return super().find_class(module, name)


@every_model
def test_pickle_holds_plain_values(name: str) -> None:
    graph = graph_of(name)
    reader = _Recording(pickle.dumps(graph))
    again = reader.load()
    assert reader.modules <= {"fxsummary", "networkx", "builtins", "collections"}
    assert contents(again) == contents(graph)
    assert again.to_text() == graph.to_text()
    assert again.totals == graph.totals


@every_model
def test_networkx_works_on_it(name: str) -> None:
    graph = graph_of(name)
    copy = graph.copy()
    assert type(copy) is ModelGraph
    assert contents(copy) == contents(graph)
    turned = graph.reverse()
    assert type(turned) is ModelGraph
    assert set(turned.edges) == {(target, source) for source, target in graph.edges}
    half = graph.subgraph(list(graph)[: len(graph) // 2 + 1])
    assert half.totals.parameters <= graph.totals.parameters
    assert half.to_text()
    if graph.totals.flops is not None and not graph.totals.unknown_flops:
        path = nx.dag_longest_path(graph, weight="bytes", default_weight=0)
        assert path and set(pairwise(path)) <= set(graph.edges)


@every_model
def test_kinds_are_known(name: str) -> None:
    assert {kind for _, kind in graph_of(name).nodes(data="kind")} <= {*KINDS}
