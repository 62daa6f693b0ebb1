"""Bad input: each kind has its error, which names the thing, the place and the remedy, and keeps its cause."""

from __future__ import annotations

import os
import re
import traceback
from pathlib import Path
from typing import Any

import pytest
import torch
from graphs import graph_of
from torch import Tensor, nn

import fxsummary
from fxsummary.errors import (
    ForwardError,
    FxsummaryError,
    InputError,
    ModelError,
    OutputError,
    UnknownNameError,
)
from zoo import OWN
from zoo.own import CNN


def test_errors_are_what_a_reader_would_have_expected() -> None:
    assert issubclass(ModelError, TypeError)
    assert issubclass(InputError, ValueError)
    assert issubclass(ForwardError, RuntimeError)
    assert issubclass(UnknownNameError, (LookupError, ValueError))
    assert issubclass(OutputError, OSError)
    for kind in (ModelError, InputError, ForwardError, UnknownNameError, OutputError):
        assert issubclass(kind, FxsummaryError)


# --- not a model -------------------------------------------------------------------------------


@pytest.mark.parametrize("thing", [None, 3, torch.empty(2), {"a": nn.Linear(2, 2)}, lambda x: x, [nn.ReLU()]])
def test_not_a_module(thing: Any) -> None:
    with pytest.raises(ModelError, match=f"expected a torch.nn.Module.*{type(thing).__name__}"):
        fxsummary.graph(thing)


def test_a_class_instead_of_an_instance() -> None:
    with pytest.raises(ModelError, match=r"CNN is a class: pass an instance, such as graph\(CNN\("):
        fxsummary.graph(CNN)


# --- inputs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((torch.empty(1, 3, 28, 28),) * 2, None, "2 positional"),
        ((), {"image": torch.empty(1, 3, 28, 28)}, "image="),
        ((torch.empty(1, 3, 28, 28),), {"x": torch.empty(1)}, "1 positional, x="),
    ],
)
def test_wrong_number_or_names_of_inputs(args: tuple[Any, ...], kwargs: dict[str, Any] | None, said: str) -> None:
    with pytest.raises(InputError, match=r"forward of CNN takes \(x: torch.Tensor\)") as caught:
        fxsummary.graph(CNN(), *args, kwargs=kwargs)
    assert said in str(caught.value)
    assert "kwargs=" in str(caught.value)
    assert isinstance(caught.value.__cause__, TypeError)


def test_wrong_shape() -> None:
    with pytest.raises(InputError) as caught:
        fxsummary.graph(CNN(), torch.empty(1, 1, 28, 28))
    text = str(caught.value)
    assert "'conv1' (Conv2d(3, 16" in text
    assert "1×1×28×28 float32" in text
    assert re.search(r"at \S*cnn\.py:\d+, with inputs x 1×1×28×28", text)
    assert "Pass inputs" in text
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert caught.value.module == "conv1"
    assert re.fullmatch(r".*cnn\.py:\d+", caught.value.source)


def test_wrong_size_is_named_where_it_does_not_fit() -> None:
    with pytest.raises(InputError, match=r"'fc' .*rejects 1×2048 float32") as caught:
        fxsummary.graph(CNN(), torch.empty(1, 3, 32, 32))
    assert caught.value.module == "fc"


def test_wrong_number_of_dimensions() -> None:
    with pytest.raises(InputError, match="'conv1'"):
        fxsummary.graph(CNN(), torch.empty(5))


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("CNN", torch.empty(1, 3, 28, 28, dtype=torch.int64), "conv1"),
        ("CNN", torch.empty(1, 3, 28, 28, dtype=torch.float64), "conv1"),
        ("TiedWeights", torch.empty(1, 5), "embedding"),
        ("frozen_part", torch.empty(2, 8, dtype=torch.int64), "0"),
    ],
)
def test_wrong_dtype(name: str, value: Tensor, place: str) -> None:
    model = OWN[name].model()
    with pytest.raises((RuntimeError, ValueError)):
        model(value)  # torch refuses it too
    with pytest.raises(InputError, match=f"'{place}'") as caught:
        fxsummary.graph(model, value)
    assert str(value.dtype).removeprefix("torch.") in str(caught.value)
    assert caught.value.__cause__ is not None


def test_inputs_that_are_no_tensors() -> None:
    with pytest.raises(FxsummaryError):
        fxsummary.graph(CNN(), "an image")


@pytest.mark.parametrize("shape", ["abc", (1, 3, -28, 28), (1.0, 3), [(1, 3), "x"], 5, {"x": 5}, {}])
def test_not_a_shape(shape: Any) -> None:
    with pytest.raises(InputError, match="input_shape="):
        fxsummary.graph(CNN(), input_shape=shape)


def test_shapes_and_inputs_at_once() -> None:
    with pytest.raises(InputError, match="pass one of them"):
        fxsummary.graph(CNN(), torch.empty(1, 3, 28, 28), input_shape=(1, 3, 28, 28))


def test_too_many_shapes() -> None:
    with pytest.raises(InputError, match="2 positional"):
        fxsummary.graph(CNN(), input_shape=[(1, 3, 28, 28), (1, 3)])


@pytest.mark.parametrize("dtype", ["float33", "nn", 5, object()])
def test_not_a_dtype(dtype: Any) -> None:
    with pytest.raises(InputError, match=r"is not a dtype; pass one such as torch\.int64"):
        fxsummary.graph(CNN(), input_shape=(1, 3, 28, 28), input_dtype=dtype)


def test_as_many_dtypes_as_shapes() -> None:
    with pytest.raises(InputError, match="2 dtypes for 1 shapes"):
        fxsummary.graph(CNN(), input_shape=(1, 3, 28, 28), input_dtype=["int64", "int64"])


def test_dtypes_of_inputs_that_have_no_shape() -> None:
    with pytest.raises(InputError, match="input_dtype names y, but input_shape has no such shape"):
        fxsummary.graph(CNN(), input_shape={"x": (1, 3, 28, 28)}, input_dtype={"y": "int64"})


def test_unknown_way_to_capture() -> None:
    with pytest.raises((InputError, UnknownNameError), match=r"trace='magic'.*auto, symbolic"):
        fxsummary.graph(CNN(), trace="magic")


def test_leaf_that_is_neither_type_nor_name() -> None:
    with pytest.raises(InputError, match="leaf="):
        fxsummary.graph(CNN(), leaf=[3])


def test_leaf_that_names_no_module() -> None:
    with pytest.raises(InputError, match=r"leaf='Conv2': no module of CNN has .*Did you mean 'Conv2d'\?"):
        fxsummary.graph(CNN(), leaf=["conv1", "Conv2"])


# --- forward raises ----------------------------------------------------------------------------


class _Inner(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != 3:
            raise KeyError("only three will do")
        return x


class _Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleDict({"inner": _Inner()})

    def forward(self, x: Tensor) -> Tensor:
        return self.body["inner"](x)


def test_forward_that_raises() -> None:
    with pytest.raises(ForwardError) as caught:
        fxsummary.graph(_Outer(), torch.empty(2, 4))
    text = str(caught.value)
    assert "forward of _Outer raised KeyError: 'only three will do'" in text
    assert "in 'body.inner' (_Inner)" in text
    assert re.search(r"at \S*test_errors\.py:\d+", text)
    assert "with inputs x 2×4" in text
    assert "pass inputs" in text.lower()
    assert caught.value.module == "body.inner"
    cause = caught.value.__cause__
    assert isinstance(cause, KeyError) and cause.args == ("only three will do",)
    assert re.search(r"test_errors\.py\", line \d+, in forward", "".join(traceback.format_exception(caught.value)))


class _Always(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class _Missing(_Always):
    def forward(self, x: Tensor) -> Tensor:
        return self.nothing(x)


@pytest.mark.parametrize(("kind", "cause"), [(_Missing, AttributeError), (_Always, NotImplementedError)])
def test_forward_that_never_works(kind: type[nn.Module], cause: type[Exception]) -> None:
    with pytest.raises(ForwardError, match=f"forward of {kind.__name__} raised {cause.__name__}") as caught:
        fxsummary.graph(kind(), torch.empty(1, 2))
    assert isinstance(caught.value.__cause__, cause)


def test_without_inputs_there_is_the_module_tree_instead() -> None:
    graph = fxsummary.graph(_Missing())
    assert graph.captured_by == "modules"
    assert graph.totals.parameters == 6
    assert any("symbolic tracing stopped" in note and "nothing" in note for note in graph.notes)


def test_a_module_without_forward() -> None:
    graph = fxsummary.graph(nn.ModuleList([nn.Linear(2, 2)]))
    assert graph.captured_by == "modules"
    assert graph.totals.parameters == 6


# --- lazy modules ------------------------------------------------------------------------------


def test_lazy_modules_without_input() -> None:
    graph = fxsummary.graph(OWN["Lazy"].model())
    assert graph.captured_by == "modules"
    assert any("lazy" in note and "input_shape=" in note for note in graph.notes)
    assert graph.totals.unknown_parameters
    assert "≥" in str(graph)


def test_lazy_modules_with_an_input_of_the_wrong_kind() -> None:
    with pytest.raises((ForwardError, InputError)) as caught:
        fxsummary.graph(OWN["Lazy"].model(), torch.empty(3))
    assert caught.value.__cause__ is not None


def test_lazy_modules_stay_uninitialized() -> None:
    model = OWN["Lazy"].model()
    assert fxsummary.graph(model, torch.empty(1, 3, 8, 8)).totals.parameters == 845
    assert isinstance(model.fc.weight, nn.UninitializedParameter)
    assert type(model.fc) is nn.LazyLinear


# --- output ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cnn.sgv", "cnn.jpeg", "cnn", "cnn.", ".svg/cnn.xyz"])
def test_unknown_suffix(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        graph_of("CNN").render(tmp_path / name)
    for suffix in (".svg", ".dot", ".txt"):
        assert suffix in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_suffix_in_capitals(tmp_path: Path) -> None:
    assert graph_of("CNN").render(tmp_path / "CNN.TXT").read_text("utf-8").startswith("CNN")


def _in_no_folder(tmp_path: Path) -> Path:
    return tmp_path / "missing" / "cnn.txt"


def _in_a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("kept")
    return tmp_path / "file" / "cnn.txt"


def _a_folder(tmp_path: Path) -> Path:
    (tmp_path / "cnn.txt").mkdir()
    return tmp_path / "cnn.txt"


def _too_long(tmp_path: Path) -> Path:
    return tmp_path / ("x" * 300 + ".txt")


@pytest.mark.parametrize("place", [_in_no_folder, _in_a_file, _a_folder, _too_long])
def test_unwritable_path(place: Any, tmp_path: Path) -> None:
    path = place(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError) as caught:
        graph_of("CNN").render(path)
    assert str(path) in str(caught.value)
    assert "Nothing was written" in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_half_written_remains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cnn.txt"
    path.write_text("what was there")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left on device"):
        graph_of("CNN").render(path)
    assert [each.name for each in tmp_path.iterdir()] == ["cnn.txt"]
    assert path.read_text() == "what was there"


def test_render_replaces_and_returns_the_path(tmp_path: Path) -> None:
    path = tmp_path / "cnn.dot"
    path.write_text("old")
    assert graph_of("CNN").render(str(path)) == path
    assert path.read_text("utf-8").startswith("digraph")
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert [each.name for each in tmp_path.iterdir()] == ["cnn.dot"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_unknown_view() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'modules'.*summary, modules, parameters, operations"):
        graph_of("CNN").to_text(view="module")


def test_exported_programs_need_a_torch_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.8.0+cpu")
    with pytest.raises(ModelError, match=r"needs torch 2\.13 or later, but this is 2\.8\.0"):
        fxsummary.graph("model.pt2")


class Words(nn.Module):
    """An embedding that symbolic tracing does not reach."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.embedding(x if bool((x == x).all()) else -x)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (((1, 3, 28, 28),), r"Did you mean input_shape=\(1, 3, 28, 28\)\?"),
        (([torch.empty(1, 3, 28, 28)],), r"a list of tensors.*write \*inputs"),
    ],
)
def test_shapes_and_lists_where_tensors_are_wanted(args: tuple[Any, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        fxsummary.graph(CNN(), *args)


def test_shapes_and_lists_that_forward_takes_are_no_mistake() -> None:
    class Takes(nn.Module):
        def forward(self, shape: tuple[int, ...], tensors: list[torch.Tensor]) -> torch.Tensor:
            return torch.zeros(shape) + tensors[0]

    assert fxsummary.graph(Takes(), (2, 3), [torch.empty(3)]).output_spec.shape == (2, 3)


@pytest.mark.parametrize("model", [nn.Sequential(nn.Embedding(10, 4)), Words()])
def test_input_shape_is_of_integers_where_an_embedding_reads_it(model: nn.Module) -> None:
    g = fxsummary.graph(model, input_shape=(2, 12))
    assert [spec.dtype for spec in g.inputs.values()] == ["int64"]
    with pytest.raises((InputError, ForwardError), match=r"2x12:int64"):
        fxsummary.graph(model, torch.zeros(2, 12))


def test_no_keyword_inputs_are_no_inputs() -> None:
    assert "input inferred: x" in fxsummary.graph(CNN(), kwargs={}).notes[0]


@pytest.mark.parametrize("convolves", [False, True])
def test_batch_normalization_in_train_mode_gets_a_batch(convolves: bool) -> None:
    layers = (
        [nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(8)]
        if convolves
        else [nn.Linear(4, 8), nn.BatchNorm1d(8)]
    )
    g = fxsummary.graph(nn.Sequential(*layers))
    assert [spec.shape[0] for spec in g.inputs.values()] == [2]
