"""Formulas in named sizes: equal to fresh captures at sizes that they were not made from, and to numbers by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from torch import Tensor, nn

import fxsummary
from fxsummary.analysis.formulas.fit import Solver, axis_exponents, newton, supports
from fxsummary.analysis.formulas.observe import Observer
from fxsummary.analysis.formulas.sizes import Named, inferred
from fxsummary.cli import main
from fxsummary.errors import InputError, UnknownNameError
from fxsummary.graph.formulas import Formulas
from fxsummary.graph.polynomial import Polynomial, crossing
from zoo.operators import define_torchvision_operators

define_torchvision_operators()


def on_meta(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return make().eval()


def transformer(name: str, config: str, **options: Any) -> nn.Module:
    import transformers

    small = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2}
    given = {**small, "vocab_size": 50, **options}
    return on_meta(lambda: getattr(transformers, name)(getattr(transformers, config)(**given)))


def bert() -> nn.Module:
    import transformers

    return on_meta(lambda: transformers.BertModel(transformers.BertConfig(num_hidden_layers=4)))


def torchvision_model(name: str) -> nn.Module:
    import torchvision

    return on_meta(getattr(torchvision.models, name))


def fresh(model: nn.Module, found: Formulas, **sizes: int) -> int:
    """Compare every formula with a capture at these sizes; return how many there are."""
    named = inferred(fxsummary.graph(model))
    roles = {name: named.roles.get(name, "sequence") for name in found.names}
    seen = Observer(model, Named(found.inputs, sizes, roles, named.dtypes), {}).at(sizes)
    assert seen is not None
    compared = 0
    for (quantity, path), number in seen.values.items():
        formula = found.table[quantity][path]
        if not all(piece.refusal(sizes) for piece in formula.pieces):
            assert formula(**sizes) == number, (quantity, path, sizes)
            compared += 1
    return compared


# --- by hand ---------------------------------------------------------------------------------------


def test_bert() -> None:
    found = fxsummary.formulas(bert())
    assert found.inputs == {"input_ids": ("B", "T")}
    assert str(found["flops"]) == "12288·B·T² + 56623104·B·T + 1179648·B"
    layer = found.module("encoder.layer.0")["flops"]
    width, wide = 768, 3072
    products, linear = 4 * width, 2 * width * (4 * width + 2 * wide)
    assert str(layer) == f"{products}·B·T² + {linear}·B·T"
    assert found["flops"](B=8, T=2048) == 12288 * 8 * 2048**2 + 56623104 * 8 * 2048 + 1179648 * 8
    assert [str(each) for each in found.crossovers] == [
        "the T² part overtakes all else from T = 4609",
        "encoder.layer.*.attention overtakes the rest of encoder.layer.* at T = 1536",
        "the T² part of encoder.layer.*.attention overtakes the rest of encoder.layer.* at T = 3072",
    ]
    assert found.captures <= 15


def test_resnet_50_holds_for_one_residue_class() -> None:
    model = torchvision_model("resnet50")
    found = fxsummary.formulas(model)
    assert str(found["flops"]) == "162912·B·H·W + 4096000·B"
    assert found["flops"](B=1, H=224, W=224) == 8_178_368_512
    assert found["flops"].pieces[0].domain.startswith("H, W ≡ 0 (mod 32)")
    with pytest.raises(InputError, match=r"H = 225 is not ≡ 0 \(mod 32\)"):
        found["flops"](B=1, H=225, W=224)
    assert fresh(model, found, B=2, H=2240, W=416) > 300
    assert found.captures <= 15


def test_a_linear_layer() -> None:
    found = fxsummary.formulas(nn.Linear(8, 4), input_shape=("B", "N", 8))
    assert {quantity: str(found[quantity]) for quantity in found.table} == {
        "flops": "64·B·N", "output_bytes": "48·B·N", "peak": "16·B·N"
    }  # fmt: skip


# --- against fresh captures ------------------------------------------------------------------------


class Valid(nn.Module):
    """Convolutions without padding, with strides of 3 and 2."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 5, stride=3), nn.Conv2d(4, 6, 4, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(x))).mean((2, 3))


class Attention(nn.Module):
    """Attention over all positions of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.qkv = nn.Conv2d(3, 8, 4, stride=4), nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(self.down(x).flatten(2).transpose(1, 2)).chunk(3, dim=-1)
        return (query @ key.transpose(1, 2)).softmax(-1) @ value


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 8)
        self.lstm = nn.LSTM(8, 6, batch_first=True)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.lstm(self.embedding(input_ids))[0]


class Unrolled(nn.Module):
    """A loop over the sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.step = nn.Embedding(10, 8), nn.Linear(8, 8)

    def forward(self, input_ids: Tensor) -> Tensor:
        x = self.embedding(input_ids)
        state = torch.zeros_like(x[:, 0])
        for place in range(x.shape[1]):
            state = torch.tanh(self.step(state) + x[:, place])
        return state


@pytest.mark.parametrize(
    ("make", "flops", "points"),
    [
        (Valid, "88·B·H·W", [(4, 302, 122), (1, 62, 1010)]),
        (Attention, "1/8·B·H²·W²", [(3, 80, 4004), (1, 320, 224)]),
        (Recurrent, "672·B·T", [(3, 50), (1, 1280)]),
        (Unrolled, "128·B·T", [(3, 30), (4, 80)]),
    ],
)
def test_own_models(make: Callable[[], nn.Module], flops: str, points: list[tuple[int, ...]]) -> None:
    model = on_meta(make)
    shape = ("B", "T") if make in (Recurrent, Unrolled) else ("B", 3, "H", "W")
    found = fxsummary.formulas(model, input_shape=shape, input_dtype="int64" if len(shape) == 2 else None)
    polynomial = found["flops"].polynomial
    assert flops in str(polynomial)
    for point in points:
        sizes = dict(zip(found.names, point, strict=True))
        moved = {each.name: sizes[each.name] + (each.residue - sizes[each.name]) % each.step
                 for each in found["flops"].pieces[0].ranges}  # fmt: skip
        assert fresh(model, found, **moved) >= 3


def test_an_encoder_and_a_decoder_have_sequences_of_their_own() -> None:
    import transformers

    config = transformers.T5Config(num_layers=1, d_model=32, d_kv=8, num_heads=4, d_ff=64, vocab_size=50)
    model = on_meta(lambda: transformers.T5ForConditionalGeneration(config))
    found = fxsummary.formulas(model)
    assert found.names == ("B", "S", "T")
    assert str(found["kv_cache"]) == "256·B·T + 256·B·S"
    assert "128·B·S·T" in str(found["flops"])
    assert found.captures <= 15
    assert fresh(model, found, B=6, S=1280, T=33) > 40


def test_a_sliding_window_has_two_pieces() -> None:
    model = transformer("MistralForCausalLM", "MistralConfig", sliding_window=300, num_key_value_heads=2)
    found = fxsummary.formulas(model)
    assert found.captures <= 14  # the threshold is guessed, and the captures beyond it are used again
    cache = found["kv_cache"]
    assert [piece.ranges[1].most for piece in cache.pieces] == [299, None]
    per_token = 2 * 2 * 2 * 8 * 4  # two layers, keys and values, two heads of 8, float32
    assert cache(B=3, T=200) == 3 * 200 * per_token + 16
    assert cache(B=3, T=10_000) == 3 * 299 * per_token + 16
    assert all(fresh(model, found, B=2, T=tokens) > 40 for tokens in (1, 298, 299, 300, 301, 2500))


@pytest.mark.parametrize("window", [160, 3000])
def test_windows_near_the_first_size_and_far_away(window: int) -> None:
    model = transformer("MistralForCausalLM", "MistralConfig", sliding_window=window, num_key_value_heads=2)
    found = fxsummary.formulas(model)
    for tokens in (1, window - 1, window, window + 1, 8000):
        assert fresh(model, found, B=1, T=tokens) > 40 and fresh(model, found, B=2, T=tokens) > 40


def test_two_windows_have_three_pieces() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.layer(x[:, -300:]).sum(), self.layer(x[:, -2000:]).sum()

    model = on_meta(Two)
    found = fxsummary.formulas(model, input_shape=("B", "T", 8))
    assert [piece.domain for piece in found["flops"].pieces] == ["T ≤ 300", "T ≥ 301, T ≤ 2000", "T ≥ 2001"]
    assert all(fresh(model, found, B=2, T=tokens) >= 4 for tokens in (1, 300, 301, 2000, 2001, 9000))


def test_a_window_below_the_first_size_leaves_a_least_size() -> None:
    model = transformer("MistralForCausalLM", "MistralConfig", sliding_window=32, num_key_value_heads=2)
    found = fxsummary.formulas(model)
    assert fresh(model, found, B=5, T=1500) > 40
    assert found["flops"](B=1, T=1) > 0
    with pytest.raises(InputError, match="below 128"):
        found["kv_cache"](B=1, T=20)


def test_a_batch_of_one_may_hold_less() -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x).transpose(0, 1).contiguous()  # copies nothing if one of the sizes is 1

    model = on_meta(Turned)
    found = fxsummary.formulas(model, input_shape=("B", "T", 8))
    assert str(found["peak"]) == "64·B·T"
    assert all(fresh(model, found, B=b, T=t) for b, t in ((1, 1), (1, 40), (2, 1), (2, 40), (9, 3000)))
    assert found["flops"](B=1, T=1) == 128


def test_windows_show_in_the_arguments_of_operations() -> None:
    found = fxsummary.formulas(torchvision_model("swin_t"))
    assert str(found["flops"]) == "178962·B·H·W + 1536000·B"
    assert [each.step for each in found["flops"].pieces[0].ranges] == [1, 224, 224]


def test_a_size_at_which_forward_takes_another_way_is_left_out() -> None:
    class Resampled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = type("Config", (), {"image_size": 32})()
            self.table = nn.Parameter(torch.zeros(1, 3, 32, 32))

        def forward(self, pixel_values: Tensor) -> Tensor:
            table = self.table
            if pixel_values.shape[2:] != (32, 32):
                table = nn.functional.interpolate(table, size=pixel_values.shape[2:])
            return pixel_values + table

    found = fxsummary.formulas(on_meta(Resampled))["output_bytes"]
    assert found(B=2, H=64, W=128) > 0
    with pytest.raises(InputError, match="takes another way at H = 32, W = 32"):
        found(B=2, H=32, W=32)


def test_saved_bytes_of_padded_kernels() -> None:
    model = transformer("BertModel", "BertConfig").train()
    found = fxsummary.formulas(model, training=True, device="cuda")
    assert found["saved_bytes"].pieces[0].ranges[1].step == 32
    inputs = {"input_shape": {"input_ids": (3, 320)}, "input_dtype": {"input_ids": "int64"}}
    step = fxsummary.graph(model, **inputs).training(device="cuda", optimizer=None)
    assert found["saved_bytes"](B=3, T=320) == step.saved
    layer = found.module("encoder.layer.1")["saved_bytes"]
    assert layer(B=3, T=320) == step.saved_by_module["encoder.layer.1"].inclusive


def test_what_is_no_polynomial_is_listed() -> None:
    class Stairs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x[:, : int(x.shape[1] ** 0.5)])

    found = fxsummary.formulas(on_meta(Stairs), input_shape=("B", "T", 4))["flops"]
    assert str(found).startswith("not a polynomial; at B×T = ")
    with pytest.raises(InputError, match="no formula for flops"):
        found(B=1, T=16)


def test_a_batch_that_is_compared_with_itself() -> None:
    class Contrast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 8)

        def forward(self, x: Tensor) -> Tensor:
            y = self.layer(x)
            return y @ y.T

    assert str(fxsummary.formulas(on_meta(Contrast), input_shape=("B", 4))["flops"]) == "16·B² + 64·B"


def test_sizes_that_forward_fixes() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 16 * 16, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.conv(x).flatten(1))

    found = fxsummary.formulas(on_meta(Fixed))
    assert found.names == ("B",)
    assert any("fixed at 16" in note for note in found.notes)
    with pytest.raises(InputError, match="no other value of H"):
        fxsummary.formulas(on_meta(Fixed), input_shape=("B", 3, "H", 16))


def test_example_inputs_name_their_sizes() -> None:
    found = fxsummary.formulas(nn.Conv2d(3, 4, 3), torch.empty(2, 3, 32, 40))
    assert str(found["flops"]) == "216·B·H·W − 432·B·W − 432·B·H + 864·B"

    class Flagged(nn.Module):
        def forward(self, x: Tensor, double: bool = False) -> Tensor:
            return torch.relu(x + x) if double else x

    assert fxsummary.formulas(Flagged(), torch.empty(2, 3)).names == ("B", "L")
    with pytest.raises(InputError, match="more than the shapes"):
        fxsummary.formulas(Flagged(), torch.empty(2, 3), kwargs={"double": True})


# --- errors ----------------------------------------------------------------------------------------


def test_sizes_are_checked() -> None:
    found = fxsummary.formulas(nn.Linear(8, 4), input_shape=("B", 8))
    with pytest.raises(InputError, match="value of B is missing"):
        found["flops"]()
    with pytest.raises(InputError, match="unknown size 'C'"):
        found["flops"](B=1, C=2)
    with pytest.raises(InputError, match="not an integer"):
        found["flops"](B=1.5)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="unknown quantity"):
        found["flop"]
    with pytest.raises(InputError, match="training=True"):
        found["saved_bytes"]
    with pytest.raises(UnknownNameError, match="unknown module"):
        found.module("nowhere")


@pytest.mark.parametrize(
    ("shape", "said"),
    [((2, 8), "no name of a size"), (("B", -1), "neither a shape"), (("B", "2x"), "neither a shape")],
)
def test_shapes_are_checked(shape: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        fxsummary.formulas(nn.Linear(8, 4), input_shape=shape)


# --- what is shown ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encoder() -> Formulas:
    return fxsummary.formulas(transformer("BertModel", "BertConfig"))


def test_repeated_blocks_are_one_row(encoder: Formulas) -> None:
    text = str(encoder)
    assert "encoder.layer.* ×2" in text and "encoder.layer.0" not in text
    assert max(map(len, text.splitlines())) <= 110
    assert "\\begin{tabular}" in encoder.to_latex() and "128\\,B\\,T^{2}" in encoder.to_latex()
    assert "| FLOPs | " in encoder.to_markdown()


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
@pytest.mark.parametrize("quantity", ["flops", "output_bytes", "peak"])
def test_the_plot_is_xml(encoder: Formulas, quantity: str, theme: str) -> None:
    svg = encoder.to_svg(quantity, theme=theme)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert svg == encoder.to_svg(quantity, theme=theme)
    with pytest.raises(InputError, match="not the name of a size"):
        encoder.to_svg(quantity, along="X")


def test_equal_models_have_equal_formulas(encoder: Formulas) -> None:
    again = fxsummary.formulas(transformer("BertModel", "BertConfig"))
    assert again == encoder
    assert "All formulas are equal" in encoder.diff(again)
    wider = fxsummary.formulas(transformer("BertModel", "BertConfig", intermediate_size=128))
    said = encoder.diff(wider)
    assert "Δ  16384·B·T" in said and "encoder.layer.* ×2" in said


def test_files_by_suffix(encoder: Formulas, tmp_path: Path) -> None:
    for name in ("a.txt", "a.md", "a.tex", "a.svg"):
        assert encoder.render(tmp_path / name).read_text(encoding="utf-8")
    with pytest.raises(UnknownNameError, match="unknown suffix"):
        encoder.render(tmp_path / "a.png")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.py"
    path.write_text("import torch\nNet = lambda: torch.nn.Conv2d(3, 4, 3, padding=1)\n")
    assert main(["formulas", f"{path}:Net", "--input", "BxCxHxW".replace("C", "3"), "--quiet"]) == 0
    assert "216·B·H·W" in capsys.readouterr().out
    assert main(["formulas", f"{path}:Net", "--input", "Bx3xHxW", "-o", str(tmp_path / "f.tex"), "--quiet"]) == 0
    assert "216\\,B\\,H\\,W" in (tmp_path / "f.tex").read_text()
    assert main(["formulas", f"{path}:Net", "--input", "B-x3", "--quiet"]) == 2


# --- the algebra -----------------------------------------------------------------------------------


def test_newton_and_the_solver_agree() -> None:
    from fractions import Fraction

    wanted = {(1, 2): Fraction(3, 4), (0, 1): Fraction(-5), (0, 0): Fraction(7)}
    polynomial = Polynomial.of(("B", "T"), wanted)
    points = [(1, 4), (2, 8), (3, 4), (2, 12), (5, 40), (7, 400)]
    values = [int(polynomial(B=b, T=t)) for b, t in points]
    assert Solver(tuple(wanted), points, 2).terms(values) == wanted
    assert Solver(tuple(wanted), points, 2).terms([*values[:-1], values[-1] + 1]) is None
    assert newton([2, 3, 5], [4, 9, 25]) == [0, 0, 1]


def test_what_is_not_whole_at_further_sizes_is_no_polynomial() -> None:
    assert axis_exponents(((10, 5), (12, 6), (30, 15)), 2) == {1}
    assert axis_exponents(((10, 5), (11, 6), (31, 16)), 1) is None  # half of it, rounded up


def test_terms_that_cancel_at_the_base_are_found() -> None:
    axes = (frozenset[int](), frozenset[int]())
    assert any((1, 1) in each and (0, 1) in each for each in supports(axes, 0))


@pytest.mark.parametrize(
    ("more", "less", "said"),
    [
        ({(1, 2): 2}, {(1, 1): 7}, "from T = 4"),
        ({(1, 2): 2}, {(1, 1): 8}, "at T = 4"),
        ({(1, 1): 2}, {(1, 1): 1}, "None"),
        ({(0, 2): 1}, {(1, 1): 1}, "None"),
    ],
)
def test_crossings(more: dict[Any, int], less: dict[Any, int], said: str) -> None:
    assert str(crossing(Polynomial.of(("B", "T"), more), Polynomial.of(("B", "T"), less))) == said
