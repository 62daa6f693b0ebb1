"""The search for inputs, and the tables that it reads."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn

import fxsummary
from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.inputs.guess import argument_rows, guesses
from fxsummary.capture.inputs.guess.error_context import ErrorContext
from fxsummary.capture.inputs.guess.guesses import ARGUMENTS, ENDINGS, SIZES
from fxsummary.capture.inputs.guess.inference import with_integers
from fxsummary.capture.inputs.guess.rows import Argument, Size, options
from fxsummary.capture.inputs.guess.search import Attempt, Search
from fxsummary.capture.inputs.guess.sizes import Settings, Sizes, found_sizes
from fxsummary.errors import ForwardError, UnknownNameError
from fxsummary.graph.spec import contiguous


def image(size: int) -> Inputs:
    return Inputs({"x": contiguous((1, 3, size, size), "float32")})


def size_of(inputs: Inputs) -> int:
    return int(inputs.arguments["x"].shape[-1])


@dataclass
class Images:
    """Images of some sizes; an error suggests what `repairs` says for its message."""

    sizes: list[list[int]]
    repairs: dict[str, list[int]] = field(default_factory=dict)
    max_same: int = 3
    tries_for_more: int = 2

    def stages(self) -> Iterator[Iterator[Inputs]]:
        return (map(image, sizes) for sizes in self.sizes)

    def repaired(self, inputs: Inputs, error: ErrorContext) -> Iterator[Inputs]:
        return map(image, self.repairs.get(error.message, []))

    def resized(self, inputs: Inputs, size: int) -> Inputs | None:
        return image(size)


def tried(source: Images, attempt: Callable[[int], Any]) -> tuple[int | None, list[int]]:
    """The size that is found, and all that were tried."""
    sizes: list[int] = []

    def on_inputs(inputs: Inputs) -> Any:
        sizes.append(size_of(inputs))
        return attempt(sizes[-1])

    search: Attempt[str] = on_inputs
    found = Search(source, search).run()
    return (size_of(found[0]) if found else None), sizes


def refused(message: str, operations: int = 0) -> tuple[None, ErrorContext]:
    return None, ErrorContext(message, operations=operations)


def test_the_first_candidate_that_is_accepted_is_taken() -> None:
    source = Images([[4, 8, 16]])
    assert tried(source, lambda size: ("yes", None) if size > 4 else refused("no")) == (8, [4, 8])


def test_what_an_error_suggests_comes_before_the_next_candidate() -> None:
    source = Images([[4, 8]], {"too small": [5, 6]})
    assert tried(source, lambda size: ("yes", None) if size == 6 else refused("too small")) == (6, [4, 5, 6])


def test_the_suggestions_of_the_attempt_that_got_furthest_come_first() -> None:
    source = Images([[1]], {"a": [2, 3], "b": [4], "c": [5]})
    messages = {1: ("a", 1), 2: ("b", 2), 3: ("c", 9)}

    def attempt(size: int) -> Any:
        return refused(*messages[size]) if size in messages else ("yes", None)

    assert tried(source, attempt) == (4, [1, 2, 4])
    messages[4] = ("d", 3)
    assert tried(source, attempt) == (5, [1, 2, 4, 3, 5])


def test_the_next_stage_is_for_what_the_first_does_not_find() -> None:
    source = Images([[1, 2], [3]])
    assert tried(source, lambda size: ("yes", None) if size == 3 else refused("no")) == (3, [1, 2, 3])
    assert tried(source, lambda size: ("yes", None) if size == 2 else refused("no")) == (2, [1, 2])


def features(size: int, wanted: int) -> Any:
    if size == wanted:
        return "yes", None
    return refused(f"mat1 and mat2 shapes cannot be multiplied (1x{size * size} and {wanted * wanted}x10)")


@pytest.mark.parametrize("wanted", [1, 7, 77, 1000])
def test_the_size_of_an_image_is_bisected_after_all_candidates(wanted: int) -> None:
    found, sizes = tried(Images([[224, 32]]), lambda size: features(size, wanted))
    assert found == wanted
    assert sizes[:2] == [224, 32]
    assert len(sizes) < 15


def test_an_image_that_is_accepted_in_part_is_large_enough() -> None:
    """A view of ``(-1, features)`` also takes images with a multiple of the features."""

    def attempt(size: int) -> Any:
        return ("part", ErrorContext(operations=1)) if size > 100 and size % 2 == 0 else features(size, 100)

    assert tried(Images([[32]]), lambda size: ("yes", None) if size == 100 else attempt(size))[0] == 100


def test_a_part_is_taken_where_nothing_better_comes() -> None:
    source = Images([[1, 2, 3, 4, 5]])

    def attempt(size: int) -> Any:
        return ("part", ErrorContext(operations=5)) if size == 2 else refused(f"no {size}")

    assert tried(source, attempt) == (2, [1, 2, 3, 4])
    assert tried(source, lambda size: ("yes", None) if size == 4 else attempt(size)) == (4, [1, 2, 3, 4])


# --- models that are traced --------------------------------------------------------------------------


def test_a_batch_of_two_is_tried_where_normalization_asks_for_it() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4))
    assert fxsummary.graph(model.train()).inputs["input"].shape == (2, 3, 224, 224)


def test_space_may_be_folded_into_channels_before_the_first_convolution() -> None:
    model = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(48, 4, 1))
    assert fxsummary.graph(model).inputs["input"].shape == (1, 3, 224, 224)


def test_the_length_of_a_sound_is_bisected_too() -> None:
    model = nn.Sequential(nn.Conv1d(2, 4, 3), nn.Flatten(), nn.Linear(4 * 75, 2))
    assert fxsummary.graph(model).inputs["input"].shape == (1, 2, 77)


def test_the_size_that_a_module_inside_names_is_tried_first() -> None:
    class Patches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.img_size = (48, 80)
            self.proj = nn.Conv2d(3, 4, 16, 16)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.proj(x)

    assert fxsummary.graph(nn.Sequential(Patches())).inputs["input"].shape == (1, 3, 48, 80)


# --- shapes and dtypes that are given ----------------------------------------------------------------


def test_only_a_float_that_is_not_fixed_becomes_integers() -> None:
    spec = contiguous((2, 3), "float32")
    inputs = Inputs({"a": spec, "b": spec, "c": contiguous((2, 3), "int64")})
    error = ForwardError("expected scalar type Long but found Float")
    better = [{name: each.dtype for name, each in other.arguments.items()} for other in with_integers(inputs, error)]
    assert better == [
        {"a": "int64", "b": "float32", "c": "int64"},
        {"a": "float32", "b": "int64", "c": "int64"},
    ]
    assert [other.arguments["b"].dtype for other in with_integers(inputs, error, {"a"})] == ["int64"]
    assert list(with_integers(inputs, ForwardError("something else"))) == []


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (2, 0, 4), (1, 1)])
def test_a_contiguous_spec_has_the_strides_of_torch(shape: tuple[int, ...]) -> None:
    assert contiguous(shape, "float32").stride == torch.empty(shape).stride()


# --- the tables --------------------------------------------------------------------------------------


def test_no_row_names_a_setting_or_a_shape_twice() -> None:
    texts = [row.names for row in SIZES.values() if isinstance(row, Size)]
    texts += [text for row in (*ARGUMENTS.values(), *ENDINGS.values()) for text in (row.when, *row.first.values())]
    assert all(len(options(text)) == len(set(options(text))) for text in texts)


def test_every_size_is_used() -> None:
    text = "".join([inspect.getsource(module) for module in (guesses, argument_rows)])
    assert [word for word in SIZES if len(re.findall(rf"\b{word}\b", text)) < 2] == []


def settings(**attributes: Any) -> Settings:
    model = nn.Module()
    for name, value in attributes.items():
        setattr(model, name, value)
    return Settings(model)


def test_a_size_is_read_from_a_number_a_pair_or_a_dict() -> None:
    row = Size("image_size", (8,), dims=2)
    assert found_sizes(row, settings(image_size=4)) == [(4, 4), (8, 8)]
    assert found_sizes(row, settings(image_size=(3, 4, 5))) == [(4, 5), (8, 8)]
    assert found_sizes(row, settings(image_size={"height": 4, "width": 5})) == [(4, 5), (8, 8)]
    assert found_sizes(row, settings(image_size="large")) == [(8, 8)]


def test_a_size_is_the_length_or_the_largest_of_a_list() -> None:
    assert found_sizes(Size("axes", take="length", default=3), settings(axes=[16, 16])) == [(2,)]
    assert found_sizes(Size("axes", take="length", default=3), settings()) == [(3,)]
    assert found_sizes(Size("lags", take="max", default=0), settings(lags=[1, 7, 2])) == [(7,)]


def test_limits_bound_the_usual_sizes() -> None:
    row = Size("", (128, 16), limits="positions | n_positions")
    assert found_sizes(row, settings(n_positions=64)) == [(64,), (16,)]
    assert found_sizes(row, settings(n_positions=64, positions=8)) == [(8,)]


def test_expressions_take_what_is_chosen() -> None:
    sizes = Sizes(settings(image_size=32, patch_size=8, in_channels=3), {"image": (16, 64)})
    assert sizes.value("[[1, rows, columns]]") == [[1, 2, 8]]
    assert sizes.shape("1 patches patch_features") == (1, 16, 192)
    with pytest.raises(KeyError):
        sizes.value("context + 1")


def test_a_misspelt_word_in_a_row_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Scanner(nn.Module):
        def forward(self, lidar_scan: torch.Tensor) -> torch.Tensor:
            return lidar_scan if bool(lidar_scan.any()) else -lidar_scan

    monkeypatch.setitem(ARGUMENTS, "lidar_scan", Argument("1 beems 3"))
    with pytest.raises(UnknownNameError, match=r"'beems', which is not in .*SIZES"):
        fxsummary.graph(Scanner())
