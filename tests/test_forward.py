"""What a forward may do, in every way of capture: each model here runs in PyTorch, and its graph is whole."""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence

import fxsummary
from fxsummary import ModelGraph, TensorSpec
from fxsummary.errors import InputError

WAYS = ("auto", "record")
in_every_way = pytest.mark.parametrize("trace", WAYS)


def shapes(value: Any) -> Any:
    """The shapes of the tensors, or specs, in a result."""
    if isinstance(value, (Tensor, TensorSpec)):
        return tuple(value.shape)
    if isinstance(value, dict):
        return [shapes(item) for item in value.values()]
    return [shapes(item) for item in value] if isinstance(value, (tuple, list)) else value


def whole(model: nn.Module, *inputs: Any, trace: str = "auto", **options: Any) -> ModelGraph:
    """The graph, which returns what the model returns, and counts its parameters once."""
    graph = fxsummary.graph(model, *inputs, trace=trace, **options)
    assert not graph.is_partial
    assert shapes(graph.output_spec) == shapes(model(*inputs))
    assert graph.totals.parameters == sum(tensor.numel() for tensor in nn.Module.parameters(model))
    return graph


def of(forward: Callable[..., Any], **held: Any) -> nn.Module:
    """A model that does this."""
    model = type("Net", (nn.Module,), {"forward": forward})()
    for name, value in held.items():
        setattr(model, name, value)
    return model


# --- weights that are only asked ---------------------------------------------------------------

QUESTIONS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "dtype": lambda self, x: self.fc(x.to(self.fc.weight.dtype)),
    "device": lambda self, x: self.fc(x.to(self.fc.weight.device)),
    "shape": lambda self, x: self.fc(x.view(-1, self.fc.weight.shape[1])),
    "size": lambda self, x: self.fc(x.view(-1, self.fc.weight.size(1))),
    "length": lambda self, x: self.fc(x) * len(self.fc.weight),
    "numel": lambda self, x: self.fc(x) * torch.numel(self.fc.weight),
    "branch": lambda self, x: self.fc(x) if self.fc.weight.dtype.is_floating_point else x,
    "requires_grad": lambda self, x: self.fc(x) * (2 if self.fc.weight.requires_grad else 3),
    "new tensor": lambda self, x: self.fc(x) + self.fc.weight.new_zeros(3),
    "zeros_like": lambda self, x: self.fc(x) + torch.zeros_like(self.fc.bias),
    "type_as": lambda self, x: self.fc(x.type_as(self.fc.weight)),
    "data": lambda self, x: self.fc(x.to(self.fc.weight.data.dtype)),
    "never used": lambda self, x: (self.fc.weight, self.fc(x))[1],
}


@in_every_way
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_weight_that_is_only_asked_stays_with_its_layer(question: str, trace: str) -> None:
    graph = whole(of(QUESTIONS[question], fc=nn.Linear(4, 3)), torch.randn(2, 4), trace=trace)
    assert graph.nodes["fc"]["parameters"] == 15
    assert [data["target"] for _, data in graph.nodes(data=True) if data["op"] == "get_attr"] == []


# --- names of attributes -----------------------------------------------------------------------


@in_every_way
@pytest.mark.parametrize("is_inside", [False, True])
@pytest.mark.parametrize(
    "name", ["parameters", "buffers", "children", "modules", "named_parameters", "named_children", "named_modules"]
)
def test_attributes_may_hide_methods_of_modules(name: str, is_inside: bool, trace: str) -> None:
    model: nn.Module = of(lambda self, x: self.fc(x), fc=nn.Linear(4, 2))
    model.__dict__[name] = [torch.randn(3)]
    model = nn.Sequential(nn.Linear(4, 4), model) if is_inside else model
    graph = fxsummary.graph(model, torch.randn(1, 4), trace=trace)
    assert (graph.totals.parameters, graph.output_spec.shape) == (30 if is_inside else 10, (1, 2))
    assert fxsummary.graph(model, input_shape=(1, 4)).totals.parameters == graph.totals.parameters


# --- wrappers and layers made of others --------------------------------------------------------


@in_every_way
def test_data_parallel_is_looked_through(trace: str) -> None:
    inner = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    graph = fxsummary.graph(nn.DataParallel(inner), torch.randn(2, 4), trace=trace)
    assert list(graph.nodes(data="label")) == list(fxsummary.graph(inner, torch.randn(2, 4)).nodes(data="label"))
    nested = fxsummary.graph(nn.Sequential(nn.DataParallel(inner), nn.Linear(3, 2)), torch.randn(2, 4), trace=trace)
    assert [data["target"] for _, data in nested.nodes(data=True)][1:-1] == ["0.module.0", "0.module.1", "1"]


TRANSFORMERS: dict[str, Callable[[], tuple[nn.Module, int]]] = {
    "encoder layer": lambda: (nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 1),
    "decoder layer": lambda: (nn.TransformerDecoderLayer(16, 2, 32), 2),
    "encoder": lambda: (nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32), 2), 1),
    "whole": lambda: (nn.Transformer(16, 2, 1, 1, 32), 2),
}


@in_every_way
@pytest.mark.parametrize("name", TRANSFORMERS)
@pytest.mark.parametrize("training", [True, False])
def test_attention_and_feed_forward_of_transformer_layers_are_apart(name: str, training: bool, trace: str) -> None:
    model, inputs = TRANSFORMERS[name]()
    graph = whole(model.train(training), *[torch.randn(2, 7, 16)] * inputs, trace=trace)
    labels = {data["label"] for _, data in graph.nodes(data=True)}
    assert {"MultiheadAttention", "Linear", "LayerNorm"} <= labels
    assert graph.totals.unread_parameters == 0
    closed = fxsummary.graph(model, *[torch.randn(2, 7, 16)] * inputs, leaf=type(model).__name__, trace=trace)
    assert closed.totals.flops == graph.totals.flops


# --- hooks -------------------------------------------------------------------------------------


@in_every_way
def test_hooks_of_a_leaf_run_around_its_one_row(trace: str) -> None:
    model = of(lambda self, x: self.fc(x).relu(), fc=nn.Linear(4, 4))
    model.fc.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    model.fc.register_forward_hook(lambda module, args, output: output * 2)
    graph = whole(model, torch.randn(1, 4), trace=trace)
    rows = [(data["label"], data["module"]) for _, data in graph.nodes(data=True)][1:-1]
    assert rows == [("add", ""), ("Linear", "fc"), ("mul", ""), ("relu", "")]


def test_what_a_leaf_takes_lies_outside_of_it() -> None:
    model = of(lambda self, words: self.table(torch.tensor([len(word) for word in words])), table=nn.Embedding(9, 2))
    rows = [line.strip(" ├└") for line in fxsummary.graph(model, ["a", "be"]).to_text().splitlines() if "table" in line]
    assert len(rows) == 1 + 2  # its row, that of the peak of memory, and that of the largest


# --- inputs that hold tensors ------------------------------------------------------------------


class Batch(NamedTuple):
    image: Tensor
    offset: Tensor
    scale: float = 2.0


def batch() -> Batch:
    return Batch(torch.randn(2, 4), torch.randn(2, 4))


@in_every_way
@pytest.mark.parametrize(
    ("forward", "given", "names"),
    [
        (lambda self, b: self.fc(b.image) + b.offset * b.scale, batch(), ["b_image", "b_offset"]),
        (
            lambda self, b: self.fc(b["a"][0].image) + b["a"][0].offset,
            {"a": [batch()]},
            ["b_a_0_image", "b_a_0_offset"],
        ),
        (lambda self, b: self.fc(b._replace(image=b.image + 1).image) + b[1], batch(), ["b_image", "b_offset"]),
    ],
)
def test_fields_of_named_tuples_are_inputs(forward: Any, given: Any, names: list[str], trace: str) -> None:
    graph = whole(of(forward, fc=nn.Linear(4, 4)), given, trace=trace)
    assert list(graph.inputs) == names
    assert all(any(graph.successors(name)) for name in names)
    assert graph.totals.flops == 64


def packed(enforce_sorted: bool = True) -> PackedSequence:
    rows = [torch.randn(4, 8), torch.randn(2, 8)]
    return pack_sequence(rows if enforce_sorted else rows[::-1], enforce_sorted=enforce_sorted)


def tag(self: Any, given: Any) -> Tensor:
    given = given["p"] if isinstance(given, dict) else given
    return self.fc(pad_packed_sequence(self.rnn(given)[0])[0])  # type: ignore[no-any-return]


@in_every_way
@pytest.mark.parametrize("given", [packed(), packed(enforce_sorted=False), {"p": packed()}])
def test_packed_sequences_are_inputs(given: Any, trace: str) -> None:
    graph = whole(of(tag, rnn=nn.LSTM(8, 16), fc=nn.Linear(16, 2)), given, trace=trace)
    assert graph.totals.flops == 2 * 6 * 4 * 16 * (8 + 16) + 2 * 4 * 2 * 16 * 2
    assert all(any(graph.successors(name)) for name in graph.inputs)


@in_every_way
@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("has_state", [False, True])
def test_lengths_tell_the_size_of_packed_data(device: str, has_state: bool, trace: str) -> None:
    def forward(self: Any, x: Tensor, lengths: Tensor) -> Tensor:
        state = (x.new_zeros(1, 3, 16), x.new_zeros(1, 3, 16)) if has_state else None
        out, _ = self.rnn(pack_padded_sequence(x, lengths, batch_first=True), state)
        return self.fc(pad_packed_sequence(out, batch_first=True)[0])  # type: ignore[no-any-return]

    model = of(forward, rnn=nn.LSTM(8, 16, batch_first=True), fc=nn.Linear(16, 2)).to(device)
    graph = fxsummary.graph(model, torch.randn(3, 5, 8, device=device), torch.tensor([5, 3, 2]), trace=trace)
    assert (graph.output_spec.shape, graph.totals.flops, graph.totals.assumed_flops) == ((3, 5, 2), 31680, ())


# --- TorchScript -------------------------------------------------------------------------------


def reloaded(model: Any) -> Any:
    file = io.BytesIO()
    torch.jit.save(model, file)
    file.seek(0)
    return torch.jit.load(file)


class Pooled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.rnn = nn.Conv2d(3, 4, 3), nn.GRU(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(self.conv(x).mean(3).permute(2, 0, 1))[0].relu()  # type: ignore[no-any-return]


@in_every_way
@pytest.mark.parametrize("form", ["scripted", "traced", "loaded", "loaded trace", "frozen"])
def test_torchscript_models(form: str, trace: str) -> None:
    model, x = Pooled().eval(), torch.randn(2, 3, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted, traced = torch.jit.script(model), torch.jit.trace(model, x)
        made = {
            "scripted": scripted, "traced": traced, "loaded": reloaded(scripted), "loaded trace": reloaded(traced),
            "frozen": torch.jit.freeze(scripted),
        }[form]  # fmt: skip
        graph = whole(made, x, trace=trace)
    assert (graph.totals.flops, graph.name) == (fxsummary.graph(model, x).totals.flops, "Pooled")
    with pytest.raises(InputError, match="takes"):
        fxsummary.graph(made, x, x, x)


# --- the rest ----------------------------------------------------------------------------------


@in_every_way
def test_what_a_generator_yields_is_returned(trace: str) -> None:
    def forward(self: Any, x: Tensor) -> Iterator[Tensor]:
        for _ in range(3):
            x = self.fc(x)
            yield x

    graph = fxsummary.graph(of(forward, fc=nn.Linear(4, 4)), torch.randn(1, 4), trace=trace)
    assert (graph.totals.flops, shapes(graph.output_spec)) == (96, [(1, 4)] * 3)


@pytest.mark.parametrize("inputs", [(), (torch.zeros(1, 2),)])
@pytest.mark.parametrize("kind", [nn.Module, nn.ModuleList, nn.ModuleDict, nn.ParameterList])
def test_modules_without_forward_are_trees(kind: type[nn.Module], inputs: tuple[Tensor, ...]) -> None:
    model = kind()
    model.weight = nn.Parameter(torch.zeros(3))
    graph = fxsummary.graph(model, *inputs)
    assert (graph.captured_by, graph.totals.parameters, graph.is_partial) == ("modules", 3, False)
    assert "has no forward" in graph.notes[0]
    for name in ("text", "svg", "html", "dot", "json"):
        assert getattr(graph, f"to_{name}")()


@pytest.mark.parametrize(
    "given", [{"a": torch.randn(2, 3), "b": torch.randn(2, 4)}, [torch.randn(2, 3), torch.randn(2, 4)]]
)
def test_graph_modules_take_nested_inputs(given: Any) -> None:
    first, second = given if isinstance(given, dict) else (0, 1)
    model = of(lambda self, d: self.fc(d[first]) + d[second], fc=nn.Linear(3, 4))
    graph = whole(torch.fx.symbolic_trace(model), given)
    assert (graph.totals.flops, len(graph.inputs)) == (48, 2)


def test_a_nested_tensor_ends_a_recording_and_is_no_input() -> None:
    def forward(self: Any, a: Tensor, b: Tensor) -> Tensor:
        return self.fc(torch.nested.nested_tensor([a, b], layout=torch.jagged)).to_padded_tensor(0.0)  # type: ignore[no-any-return]

    a, b = torch.randn(3, 8), torch.randn(5, 8)
    graph = fxsummary.graph(of(forward, fc=nn.Linear(8, 4)), a, b)
    assert graph.is_partial and any("nested tensors are not supported" in note for note in graph.notes)
    with pytest.raises(InputError, match="nested tensors are not supported"):
        fxsummary.graph(nn.Linear(8, 4), torch.nested.nested_tensor([a, b], layout=torch.jagged))


@functools.cache
def _scale() -> Any:
    @torch.library.custom_op("tests::scale_without_fake", mutates_args=())
    def scale(x: Tensor, y: Tensor) -> Tensor:
        return x * y

    return scale


@in_every_way
def test_an_operator_without_a_fake_kernel_runs_on_values(trace: str) -> None:
    model = of(lambda self, x, y: self.fc(_scale()(x, y)), fc=nn.Linear(3, 3))
    graph = whole(model, torch.randn(2, 3), torch.randn(2, 1), trace=trace)
    assert (graph.totals.flops, len(graph.totals.unknown_flops)) == (36, 1)
    assert any("register_fake" in note for note in graph.notes)


SPARSE = torch.sparse_coo_tensor(
    torch.tensor([[0, 1, 2, 2], [1, 0, 3, 4]]), torch.ones(4), (10, 10), check_invariants=True
).coalesce()


@in_every_way
@pytest.mark.parametrize("product", [torch.matmul, torch.sparse.mm, torch.mm, Tensor.matmul, Tensor.__matmul__])
@pytest.mark.parametrize(("matrix", "nbytes"), [(SPARSE, 80), (SPARSE.to_sparse_csr(), 136)])
def test_sparse_products_are_unknown_in_every_spelling(product: Any, matrix: Tensor, nbytes: int, trace: str) -> None:
    held = of(lambda self, x: product(self.a, x))
    held.register_buffer("a", matrix)
    given = of(lambda self, a, x: product(a, x))
    x = torch.randn(10, 16)
    for graph in (whole(held, x, trace=trace), whole(given, matrix, x, trace=trace)):
        assert graph.totals.flops is None
        assert len(graph.totals.unknown_flops) == 1
    assert fxsummary.graph(held, x, trace=trace).totals.buffer_bytes == nbytes
