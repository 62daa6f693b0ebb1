"""Inputs that are found by the names of arguments, by settings, and by what errors say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fxsummary
from fxsummary.capture.inputs.example import Inputs, describe, forward_signature
from fxsummary.capture.inputs.guess import inference, search
from fxsummary.capture.inputs.guess.argument_rows import row_for
from fxsummary.capture.inputs.guess.candidates import Guesses
from fxsummary.capture.inputs.guess.error_context import ErrorContext, blamed, context_of
from fxsummary.capture.inputs.guess.guesses import ARGUMENTS, ENDINGS, NEEDS, REPAIRS, SIZES
from fxsummary.capture.inputs.guess.rows import Argument, options
from fxsummary.capture.inputs.guess.sizes import Settings, Sizes
from fxsummary.capture.results import Refusal, Trace
from fxsummary.capture.subject import Subject
from fxsummary.capture.symbolic.trace import trace
from fxsummary.graph.spec import TensorSpec, map_structure


class Config(SimpleNamespace):
    """A config, as libraries make them."""

    def to_dict(self) -> dict[str, Any]:
        return vars(self)


def really(model: nn.Module) -> Callable[[Inputs], Any]:
    """An attempt that runs forward on the CPU, on zeros, ones for masks, and given values."""

    def attempt(inputs: Inputs) -> Any:
        arguments = {}
        for name, value in inputs.arguments.items():
            make = torch.ones if "mask" in name else torch.zeros
            arguments[name] = inputs.values.get(name)
            if arguments[name] is None:
                arguments[name] = map_structure(
                    lambda v, make=make: (
                        make(v.shape, dtype=getattr(torch, v.dtype)) if isinstance(v, TensorSpec) else v
                    ),
                    value,
                )
        try:
            args, kwargs = inputs.split(forward_signature(model), arguments)
            return model(*args, **kwargs), None
        except Exception as error:
            return None, context_of(error)

    return attempt


def partial_of(model: nn.Module) -> Trace | None:
    traced = trace(Subject(model), None)
    return traced.partial if isinstance(traced, Refusal) else traced


def found(model: nn.Module) -> str:
    """What is inferred, in short."""
    result = inference.infer_by_trying(model, really(model), partial_of(model))
    return "nothing" if isinstance(result, str) else describe(result[0])


def first(model: nn.Module) -> str:
    return describe(next(Guesses(model, partial_of(model)).candidates()))


def offered(model: nn.Module) -> list[Inputs]:
    """All that may be tried."""
    return [inputs for stage in Guesses(model).stages() for inputs in stage]


def branch(x: Tensor) -> Tensor:
    """What symbolic tracing cannot follow."""
    return x if bool((x == x).all()) else -x


# --- models ------------------------------------------------------------------------------------------


class Text(nn.Module):
    def __init__(self, positions: int = 512) -> None:
        super().__init__()
        self.config = Config(max_position_embeddings=positions)
        self.embedding = nn.Embedding(10, 4)

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, labels: Any = None
    ) -> Tensor:
        assert input_ids is not None
        return branch(self.embedding(input_ids))


class EncoderDecoder(Text):
    def forward(self, input_ids: Any = None, decoder_input_ids: Any = None) -> Tensor:  # type: ignore[override]
        return branch(self.embedding(input_ids) + self.embedding(decoder_input_ids))


class Vision(nn.Module):
    def __init__(self, size: Any = 48, channels: int = 5) -> None:
        super().__init__()
        self.config = Config(vision_config=Config(image_size=size, num_channels=channels), image_size=7)
        self.conv = nn.Conv2d(channels, 4, 8, 8)

    def forward(self, pixel_values: Tensor | None = None) -> Tensor:
        assert pixel_values is not None
        return branch(self.conv(pixel_values))


class Video(Vision):
    def __init__(self) -> None:
        super().__init__(16, 3)
        self.config.num_frames = 6

    def forward(self, pixel_values: Tensor | None = None) -> Tensor:
        assert pixel_values is not None
        batch, frames, *_ = pixel_values.shape
        return branch(self.conv(pixel_values.flatten(0, 1)).unflatten(0, (batch, frames)))


class Speech(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.config = Config(num_mel_bins=20, max_source_positions=30)
        self.conv = nn.Conv1d(20, 8, 3, padding=1, stride=2)
        self.positions = nn.Parameter(torch.zeros(8, 30))

    def forward(self, input_features: Tensor | None = None) -> Tensor:
        assert input_features is not None
        return branch(self.conv(input_features) + self.positions)


class Multimodal(nn.Module):
    """An image stands where a certain token does; there must be as many of those as it has patches."""

    def __init__(self, counts_elements: bool = False) -> None:
        super().__init__()
        self.config = Config(
            image_token_id=9, text_config=Config(hidden_size=4), vision_config=Config(image_size=16, patch_size=4)
        )
        self.embedding = nn.Embedding(10, 4)
        self.conv = nn.Conv2d(3, 4, 4, 4)
        self.counts_elements = counts_elements

    def forward(self, input_ids: Any = None, pixel_values: Any = None, mm_token_type_ids: Any = None) -> Tensor:
        hidden = self.embedding(input_ids)
        if pixel_values is not None:
            image = self.conv(pixel_values).flatten(2).transpose(1, 2)
            tokens = input_ids == 9
            features = image.numel() if self.counts_elements else image.shape[1]
            if int(tokens.sum()) != image.shape[1]:
                raise ValueError(
                    f"Image features and image tokens do not match, tokens: {int(tokens.sum())}, features: {features}"
                )
            assert int(mm_token_type_ids.sum()) == image.shape[1]
            hidden = hidden.masked_scatter(tokens[..., None], image)
        return hidden


class Patches(nn.Module):
    """Patches in a row, with the grid that they come from."""

    def __init__(self) -> None:
        super().__init__()
        self.config = Config(image_size=32, patch_size=8, num_channels=3, temporal_patch_size=2, spatial_merge_size=2)
        self.fc = nn.Linear(3 * 2 * 8 * 8, 4)

    def forward(self, pixel_values: Tensor, image_grid_thw: Tensor) -> Tensor:
        assert image_grid_thw.prod(-1).sum() == pixel_values.shape[0]
        return self.fc(pixel_values)


class Denoiser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.config = {"in_channels": 4, "sample_size": 16, "cross_attention_dim": 6}
        self.conv = nn.Conv2d(4, 4, 1)
        self.time = nn.Linear(1, 4)
        self.context = nn.Linear(6, 4)

    def forward(self, sample: Tensor, timestep: Any, encoder_hidden_states: Tensor, class_labels: Any = None) -> Tensor:
        emb = self.time(timestep[:, None].float()) + self.context(encoder_hidden_states).mean(1)
        return branch(self.conv(sample) + emb[..., None, None])


class Fields(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Conv2d(3, 4, 3)
        self.words = nn.Embedding(10, 4)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        image, words = self.image(batch["image"]), self.words(batch["words"])
        return branch(image.mean((2, 3)) + words.mean(1))


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.rnn = nn.LSTM(4, 4, batch_first=True)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True)
        return self.rnn(packed)[0].data


class Detector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images: list[Tensor], targets: Any = None) -> list[Tensor]:
        assert isinstance(images, list)
        return [self.conv(image) for image in images]


@dataclass
class Case:
    """A model and the inputs that are to be found for it."""

    model: Callable[[], nn.Module]
    inputs: str
    first: str = field(default="")


CASES = {
    "text": Case(Text, "input_ids 1×128", "input_ids 1×128"),
    "short text": Case(lambda: Text(40), "input_ids 1×40", "input_ids 1×40"),
    "encoder and decoder": Case(EncoderDecoder, "input_ids 1×128, decoder_input_ids 1×128"),
    "vision": Case(Vision, "pixel_values 1×5×48×48", "pixel_values 1×5×48×48"),
    "oblong": Case(lambda: Vision((32, 64)), "pixel_values 1×5×32×64"),
    "size in a dict": Case(lambda: Vision({"height": 40, "width": 24}), "pixel_values 1×5×40×24"),
    "video": Case(Video, "pixel_values 1×6×3×16×16", "pixel_values 1×6×3×16×16"),
    "speech": Case(Speech, "input_features 1×20×60"),
    "image among text": Case(
        Multimodal, "input_ids 1×144, pixel_values 1×3×16×16, mm_token_type_ids 1×144", "input_ids 1×128, "
    ),
    "elements counted": Case(
        lambda: Multimodal(True), "input_ids 1×144, pixel_values 1×3×16×16, mm_token_type_ids 1×144"
    ),
    "patches": Case(Patches, "pixel_values 16×384, image_grid_thw 1×3", "pixel_values 16×384, image_grid_thw 1×3"),
    "denoiser": Case(Denoiser, "sample 1×4×16×16, timestep 1, encoder_hidden_states 1×128×6"),
    "fields of a dict": Case(Fields, "batch_image 1×3×224×224, batch_words 1×128"),
    "packed": Case(Packed, "tokens 1×128, lengths 1"),
    "list of images": Case(Detector, "images_0 3×224×224"),
}


@pytest.mark.parametrize("name", CASES)
def test_inputs_are_found(name: str) -> None:
    case = CASES[name]
    assert found(case.model()) == case.inputs
    assert first(case.model()).startswith(case.first)


# --- what errors tell --------------------------------------------------------------------------------


class FixedSize(nn.Module):
    """One size of image fits, and no setting names it."""

    def __init__(self, message: str = "") -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)
        self.fc = nn.Linear(2 * 75 * 75, 4)
        self.message = message

    def forward(self, x: Tensor) -> Tensor:
        if self.message and x.shape[-1] != 77:
            raise ValueError(self.message.format(x.shape[-2], x.shape[-1]))
        return self.fc(branch(self.conv(x)).flatten(1))


class Folded(nn.Module):
    """Space is folded into channels before the first convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(48, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(branch(nn.functional.pixel_unshuffle(x, 4)))


class Asks(nn.Module):
    """An argument with a default that is needed all the same."""

    def __init__(self, says_so: bool) -> None:
        super().__init__()
        self.config = Config(image_size=32, num_channels=3)
        self.says_so = says_so

    def forward(self, pixel_values: Tensor, image_sizes: Tensor | None = None) -> Any:
        if self.says_so and image_sizes is None:
            raise ValueError("You have to specify `image_sizes`")
        return [
            size + pixel_values.mean()
            for size in image_sizes  # type: ignore[union-attr]
        ]


class Excludes(nn.Module):
    main_input_name = "input_features"

    def __init__(self) -> None:
        super().__init__()
        self.config = Config(num_mel_bins=8)

    def forward(self, input_ids: Any = None, input_features: Any = None) -> Tensor:
        if input_ids is not None and input_features is not None:
            raise ValueError("You cannot specify both input_ids and input_features at the same time")
        return input_ids if input_features is None else input_features


class Layout(nn.Module):
    """Its code tells how many dimensions it wants."""

    def __init__(self) -> None:
        super().__init__()
        self.config = Config(in_channels=3)

    def forward(self, sample: Tensor) -> Tensor:
        batch, channels, frames, height, width = sample.shape
        return sample.view(batch, channels, frames * height * width)


class Wide(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.config = Config(hidden_size=4, joint_attention_dim=6)
        self.fc = nn.Linear(12, 4)

    def forward(self, encoder_hidden_states: Tensor) -> Tensor:
        return self.fc(branch(encoder_hidden_states))


class Ends(Text):
    def __init__(self) -> None:
        super().__init__()
        self.config.eos_token_id = 3

    def forward(self, input_ids: Any = None) -> Tensor:  # type: ignore[override]
        if not (input_ids == 3).any(1).all():
            raise ValueError("Each example must contain at least one <eos> token.")
        return self.embedding(input_ids)


class Rounded(nn.Module):
    def forward(self, input_values: Tensor) -> Tensor:
        if input_values.shape[-1] % 1920:
            raise ValueError("the length of input_values is not a multiple of 1920")
        return input_values


class Layers(nn.Module):
    """It reads several layers of a text encoder in one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.config = Config(joint_attention_dim=4)

    def forward(self, encoder_hidden_states: Tensor) -> Any:
        assert encoder_hidden_states.ndim == 4, "a 4-D tensor"
        return [branch(encoder_hidden_states)[:, index] for index in (2, 5)]


class Projections(nn.Module):
    """It reads as many tensors in a list as it has projections."""

    def __init__(self) -> None:
        super().__init__()
        self.config = Config(hidden_size=4)
        self.projections = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, hidden_layers: list[Tensor]) -> Any:
        return [projection(hidden_layers[i]) for i, projection in enumerate(self.projections)]


class Spelled(nn.Module):
    """It spells out the shape that it wants."""

    def forward(self, position_ids: Tensor, segment_ids: Tensor) -> Tensor:
        if position_ids.dim() != 3:
            raise ValueError(f"`position_ids` must have shape (B, L, 3), got {tuple(position_ids.shape)}.")
        return position_ids[..., 0] + segment_ids


class Listed(nn.Module):
    """It lists the numbers that it takes."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleDict({"2": nn.Conv2d(3, 3, 1), "4": nn.Conv2d(3, 3, 1)})

    def forward(self, image: Tensor, scale: int) -> Tensor:
        if str(scale) not in self.convs:
            raise ValueError(f"No layer for scale {scale}; available scales: [2, 4]")
        return self.convs[str(scale)](branch(image))


class Additional(nn.Module):
    """A module of it takes fewer of the conditions than there are by convention."""

    def forward(self, sample: Tensor, added_cond_kwargs: dict[str, Tensor]) -> Tensor:
        def embedded(resolution: Tensor, aspect_ratio: Tensor) -> Tensor:
            return resolution.sum() + aspect_ratio.sum()

        return branch(sample) + embedded(**added_cond_kwargs)


class Concatenated(nn.Module):
    """Features of several layers, one beside the other."""

    def __init__(self) -> None:
        super().__init__()
        self.config = Config(hidden_size=6, in_channels=6)

    def forward(self, hidden_states: Tensor) -> Tensor:
        batch, length, _ = hidden_states.shape
        return branch(hidden_states).reshape(batch, 4, 6, length)


class Separated(Text):
    def forward(self, input_ids: Any = None) -> Tensor:  # type: ignore[override]
        if not ((input_ids == 2).sum(1) == 3).all():
            raise ValueError("There should be exactly three separator tokens: 2 in every sample")
        return self.embedding(input_ids)


class Frames(nn.Module):
    """Its time step is one for each frame."""

    def forward(self, timestep: Tensor) -> Tensor:
        return branch(timestep) * timestep.shape[2]


class Turned(nn.Module):
    """A pair of tensors turns its features."""

    def __init__(self) -> None:
        super().__init__()
        self.config = Config(num_attention_heads=2, attention_head_dim=4)

    def forward(self, video_rotary_emb: tuple[Tensor, Tensor]) -> Tensor:
        cos, sin = video_rotary_emb
        return branch(cos) + sin


class Line(nn.Module):
    """It reads one line of text, whose height it pools."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 16, 16)
        self.encoder = nn.Conv1d(8, 8, 3)

    def forward(self, pixel_values: Tensor) -> Tensor:
        return self.encoder(nn.functional.avg_pool2d(self.conv(branch(pixel_values)), (3, 2)).squeeze(2))


REPAIRED = {
    "layers": (Layers, "encoder_hidden_states 1×6×128×4"),
    "list": (Projections, "hidden_layers_0 1×128×4, hidden_layers_1 1×128×4, hidden_layers_2 1×128×4"),
    "shape that is spelled out": (Spelled, "position_ids 1×128×3, segment_ids 1×128"),
    "number that is listed": (Listed, "image 1×3×224×224, scale=2"),
    "key that is not taken": (
        Additional,
        "sample 1×4×64×64, added_cond_kwargs_resolution 1×2, added_cond_kwargs_aspect_ratio 1×1",
    ),
    "features side by side": (Concatenated, "hidden_states 1×1024×24"),
    "tokens that separate": (Separated, "input_ids 1×128"),
    "steps of frames": (Frames, "timestep 1×1×1"),
    "pair": (Turned, "video_rotary_emb_0 1×1024×8, video_rotary_emb_1 1×1024×8"),
    "line of text": (Line, "pixel_values 1×3×48×320"),
    "features of one size of image": (FixedSize, "x 1×3×77×77"),
    "size that is named": (lambda: FixedSize("Input image size ({}*{}) doesn't match model (77*77)."), "x 1×3×77×77"),
    "folded space": (Folded, "x 1×3×224×224"),
    "argument that an error names": (lambda: Asks(True), "pixel_values 1×3×32×32, image_sizes 1×2"),
    "argument that is None": (lambda: Asks(False), "pixel_values 1×3×32×32, image_sizes 1×2"),
    "arguments that exclude each other": (Excludes, "input_features 1×8×1000"),
    "dimensions": (Layout, "sample 1×3×9×64×64"),
    "features": (Wide, "encoder_hidden_states 1×128×12"),
    "end of text": (Ends, "input_ids 1×128"),
    "multiple": (Rounded, "input_values 1×17280"),
}


@pytest.mark.parametrize("name", REPAIRED)
def test_errors_lead_to_inputs(name: str) -> None:
    factory, expected = REPAIRED[name]
    assert found(factory()) == expected


def test_errors_of_meta_kernels_lead_to_inputs_too() -> None:
    """They name no numbers; the convolution is found in the frames."""
    conv = nn.Conv2d(48, 4, 1, device="meta")
    with pytest.raises(RuntimeError) as raised:
        conv(torch.empty(1, 768, 56, 56, device="meta"))
    assert context_of(raised.value).channels == (768, 48)


def test_the_context_of_an_error_holds_text_and_no_tensors() -> None:
    def fails(pixel_values: Any, image_sizes: Any = None) -> None:
        for _ in image_sizes:
            pass

    with pytest.raises(TypeError) as raised:
        fails(torch.zeros(2))
    step = context_of(raised.value).steps[0]
    assert "for _ in image_sizes" in step.text
    assert step.absent == {"image_sizes"}


# --- the order of candidates -------------------------------------------------------------------------


class Hub(Text):
    """It offers inputs of its own, as models of Hugging Face do."""

    @property
    def dummy_inputs(self) -> dict[str, Tensor]:
        return {"input_ids": torch.ones(3, 5, dtype=torch.int64), "unknown": torch.ones(1)}


class OnlyDummies(nn.Module):
    @property
    def dummy_inputs(self) -> dict[str, Tensor]:
        return {"strange": torch.full((3, 5), 2)}

    def forward(self, strange: Tensor | None = None) -> Tensor:
        assert strange is not None and (strange == 2).all()
        return strange


class Example(nn.Module):
    """It says what it wants, as modules of Lightning do."""

    def __init__(self, example: Any) -> None:
        super().__init__()
        self.example_input_array = example
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(branch(x))


def test_conventions_come_before_dummies_which_are_made_only_to_run() -> None:
    tried = [describe(inputs) for inputs in offered(Hub())]
    assert tried[0] == "input_ids 1×128"
    assert "input_ids 3×5" in tried
    (dummy,) = [inputs for inputs in offered(Hub()) if inputs.arguments["input_ids"].shape == (3, 5)]
    assert (dummy.values["input_ids"] == 1).all()


def test_dummies_are_used_where_names_tell_nothing() -> None:
    assert found(OnlyDummies()) == "strange 3×5"


@pytest.mark.parametrize("example", [torch.zeros(2, 8), (torch.zeros(2, 8),), {"x": torch.zeros(2, 8)}])
def test_the_example_of_the_author_comes_first(example: Any) -> None:
    assert first(Example(example)) == "x 2×8"
    assert found(Example(example)) == "x 2×8"


def test_text_alone_and_an_image_alone_are_offered() -> None:
    tried = {frozenset(inputs.arguments) for inputs in offered(Multimodal())}
    assert {frozenset({"input_ids", "pixel_values"}), frozenset({"input_ids"}), frozenset({"pixel_values"})} <= tried


def test_no_candidate_comes_twice() -> None:
    tried = [repr(inputs) for inputs in offered(Multimodal())]
    assert len(tried) == len(set(tried)) > 10


def test_candidates_are_on_the_device_and_in_the_dtype_of_the_model() -> None:
    inputs = offered(Denoiser().to("meta", torch.bfloat16))[0]
    assert inputs.arguments["sample"].device == "meta"
    assert inputs.arguments["sample"].dtype == "bfloat16"
    assert all(type(spec) is TensorSpec for spec in inputs.arguments.values())


def test_nothing_is_made_up_for_forwards_without_arguments() -> None:
    class Constant(nn.Module):
        def forward(self, *args: Any, **kwargs: Any) -> int:
            return 1

    assert offered(Constant()) == []
    assert found(Constant()) == "nothing"


def test_a_property_that_raises_is_passed_over() -> None:
    class Broken(Text):
        @property
        def dummy_inputs(self) -> Any:
            raise KeyError("no")

    assert first(Broken()) == "input_ids 1×128"


# --- the driver --------------------------------------------------------------------------------------


def refuse(messages: Iterator[str], tried: list[Inputs]) -> Callable[[Inputs], Any]:
    def attempt(inputs: Inputs) -> Any:
        tried.append(inputs)
        return None, ErrorContext(next(messages))

    return attempt


def test_tries_are_limited() -> None:
    tried: list[Inputs] = []
    numbers = (f"reason {number}" for number in range(1000))
    assert isinstance(inference.infer_by_trying(Vision(), refuse(numbers, tried)), str)
    assert len(tried) == search.MAX_TRIES


def test_what_is_refused_for_the_same_reason_is_given_up() -> None:
    tried: list[Inputs] = []
    same = ("no" for _ in range(1000))
    assert isinstance(inference.infer_by_trying(Vision(), refuse(same, tried)), str)
    ranks = [len(inputs.arguments["pixel_values"].shape) for inputs in tried]
    assert max(map(ranks.count, ranks)) == inference.Source.max_same


def test_what_was_tried_is_told() -> None:
    def attempt(inputs: Inputs) -> Any:
        return None, ErrorContext("no such thing")

    said = inference.infer_by_trying(Text(), attempt)
    assert isinstance(said, str)
    assert "inputs were tried; the one that got furthest, input_ids 1×128, failed: no such thing" in said


def test_the_attempt_that_gets_furthest_is_followed() -> None:
    """Each refusal names one size; repairs of the first attempt are not mixed with those of later candidates."""

    class Joined(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(11, 4), nn.Linear(13, 4), nn.Linear(17, 4)

        def forward(self, x: Tensor, y_embeds: Tensor, z_embeds: Tensor) -> Tensor:
            return branch(self.a(x).sum() + self.b(y_embeds).sum() + self.c(z_embeds).sum())

    g = fxsummary.graph(Joined())
    assert g.captured_by == "recorded"
    assert [spec.shape[-1] for spec in g.inputs.values()] == [11, 13, 17]


def test_an_input_is_blamed_by_dataflow_and_not_by_name() -> None:
    class Renamed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(12, 4), nn.Linear(20, 4)

        def forward(self, left_embeds: Tensor, right_embeds: Tensor) -> Tensor:
            a, b = branch(right_embeds), left_embeds * 2
            return self.first(b) + self.second(a)

    g = fxsummary.graph(Renamed())
    assert {name: spec.shape[-1] for name, spec in g.inputs.items()} == {"left_embeds": 12, "right_embeds": 20}


def test_dimensions_are_read_from_the_line_that_unpacks_a_shape() -> None:
    class Video(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = Config(in_channels=5, sample_size=16)
            self.conv = nn.Conv3d(5, 4, 3, padding=1)

        def forward(self, sample: Tensor) -> Tensor:
            batch_size, num_frames, channels, height, width = branch(sample).shape  # noqa: RUF059
            return self.conv(sample.transpose(1, 2))

    assert found(Video()) == "sample 1×9×5×16×16"


def test_a_cache_that_forward_cannot_make_is_left_out_and_that_is_said() -> None:
    class Cached(Text):
        def forward(self, input_ids: Tensor, use_cache: bool = True) -> Tensor:
            if use_cache:
                raise ValueError("the cache has only linear layers")
            return super().forward(branch(input_ids))

    g = fxsummary.graph(Cached())
    assert "input inferred: input_ids 1×128, use_cache=False" in g.notes


class OwnCache:
    """What forward cannot make: the message does not say what it is."""

    def __init__(self, config: Any) -> None:
        self.layers = config.layers


def test_a_cache_is_left_out_where_a_line_makes_it() -> None:
    class Cached(Text):
        def forward(self, input_ids: Tensor, use_cache: bool = True) -> Tensor:
            kept = OwnCache(self.config) if use_cache else None
            return super().forward(branch(input_ids)) + (kept is not None)

    assert "input inferred: input_ids 1×128, use_cache=False" in fxsummary.graph(Cached()).notes


def test_a_stopped_recording_tells_what_to_pass_instead() -> None:
    """Where a mask of the wrong length meets values, meta tensors cannot tell; the operation itself can."""

    class Masked(Vision):
        def forward(self, pixel_values: Tensor, bool_masked_pos: Tensor) -> Tensor:  # type: ignore[override]
            patches = torch.cat([super().forward(pixel_values).flatten(2).transpose(1, 2)] * 2, 1)
            visible = patches[~bool_masked_pos]
            return visible.reshape(1, -1, 4)

    g = fxsummary.graph(Masked())
    assert not g.is_partial
    assert g.inputs["bool_masked_pos"].shape[-1] == 2 * 36
    assert g.output_spec.shape == (1, 36, 4)  # half of what there is is masked


def test_a_reason_to_stop_is_that_of_the_operation_on_values() -> None:
    class Masked(nn.Module):
        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            return x[mask] + 1

    g = fxsummary.graph(
        Masked(), torch.empty(1, 8, 4, device="meta"), torch.ones(1, 6, dtype=torch.bool, device="meta")
    )
    assert g.is_partial
    assert any("rejects assumed values: The shape of the mask [1, 6]" in note for note in g.notes)


def test_a_count_of_indices_takes_one_dimension() -> None:
    class Counts(nn.Module):
        def forward(self, order_mask: Tensor) -> Tensor:
            return torch.bincount(order_mask, minlength=int(order_mask.max()) + 1) * 2

    g = fxsummary.graph(Counts())
    assert (g.is_partial, g.output_spec.shape) == (False, (1,))


def test_other_inputs_are_tried_where_a_recording_stops_with_those_of_tracing() -> None:
    class Audio(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(16, 4, 3)
            self.register_buffer("window", torch.hann_window(16))

        def forward(self, sample: Tensor) -> Tensor:
            padded = nn.functional.pad(sample.unsqueeze(1), (8, 8), mode="reflect").squeeze(1)
            return self.conv(padded.unfold(-1, 16, 16).transpose(1, 2))

    g = fxsummary.graph(Audio())
    assert not g.is_partial
    assert g.inputs["sample"].shape == (1, 16000)


def test_a_part_is_not_taken_where_an_attempt_that_was_refused_got_further() -> None:
    class Reads(Text):
        def forward(self, input_ids: Tensor, image: Tensor) -> Tensor:  # type: ignore[override]
            if image.dim() == 4:
                return input_ids[image > 0]
            for _ in range(20):
                image = image + 1
            raise ValueError("whatever comes")

    assert fxsummary.graph(Reads()).captured_by == "modules"


def test_an_argument_is_not_blamed_for_one_whose_name_begins_the_same() -> None:
    spec = TensorSpec((1, 4), "float32", (4, 1), "cpu")
    inputs = Inputs({"states": spec, "states_2": spec, "pair": (spec, spec)})
    assert blamed(inputs, ErrorContext(inputs=("states_2",)))[0] == "states_2"
    assert blamed(inputs, ErrorContext(inputs=("pair_1",)))[0] == "pair"


def test_the_kind_of_a_token_is_that_of_the_line_that_counts_it() -> None:
    class Both(Text):
        def __init__(self) -> None:
            super().__init__()
            self.config = Config(image_token_id=7, audio_token_id=8)

        def counted(self, input_ids: Tensor, token_id: int, features: int) -> None:
            tokens = int((input_ids == token_id).sum())
            if tokens != features:
                raise ValueError(f"Multimodal features and tokens do not match, tokens: {tokens}, features: {features}")

        def forward(self, input_ids: Tensor) -> Tensor:
            self.counted(input_ids, self.config.image_token_id, 3)
            self.counted(input_ids, self.config.audio_token_id, 2)
            return super().forward(input_ids)

    assert found(Both()) == "input_ids 1×133"


def test_a_text_gets_the_token_that_forward_looks_for() -> None:
    class Asks(Text):
        def __init__(self) -> None:
            super().__init__()
            self.config = Config(question_token_id=7)

        def forward(self, input_ids: Tensor) -> Tensor:
            if not bool((input_ids == 7).any()):
                raise ValueError("All samples must have at least one question token.")
            return super().forward(input_ids)

    assert fxsummary.graph(Asks()).captured_by == "recorded"


def test_an_argument_that_a_condition_asks_for_is_passed() -> None:
    class Language(Text):
        def forward(self, input_ids: Tensor, lang_ids: Tensor | None = None) -> Tensor:
            if lang_ids is None:
                raise ValueError("unknown language")
            return super().forward(branch(input_ids)) + lang_ids

    assert found(Language()) == "input_ids 1×128, lang_ids 1"


def test_the_search_ends_with_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MAX_OPERATIONS", 3_000)

    class Endless(Text):
        def forward(self, input_ids: Tensor) -> Tensor:
            while True:
                input_ids = branch(input_ids) + 1

    g = fxsummary.graph(Endless())
    assert g.captured_by == "modules"
    assert any("the limit of 3,000 operations is reached" in note for note in g.notes)


def test_other_errors_are_not_hidden() -> None:
    def attempt(inputs: Inputs) -> Any:
        raise ZeroDivisionError("a defect of ours")

    with pytest.raises(ZeroDivisionError):
        inference.infer_by_trying(Vision(), attempt)


@pytest.mark.parametrize(
    ("wanted", "expected"), [((1, 16), ("input_ids 1×16", "whole")), ((0, 0), ("input_ids 1×128", "part"))]
)
def test_what_is_whole_is_preferred_and_a_part_is_better_than_nothing(wanted: Any, expected: Any) -> None:
    def attempt(inputs: Inputs) -> tuple[str, ErrorContext | None]:
        is_whole = inputs.arguments["input_ids"].shape == wanted
        return ("whole", None) if is_whole else ("part", ErrorContext())

    result = inference.infer_by_trying(Text(), attempt)
    assert not isinstance(result, str)
    assert (describe(result[0]), result[1]) == expected


def test_the_model_is_left_alone() -> None:
    model = Multimodal()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    attributes = dict(vars(model))
    offered(model)
    assert vars(model) == attributes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


# --- names and sizes ---------------------------------------------------------------------------------


def rows(found: Argument) -> Iterator[Argument]:
    """A row and those of its fields."""
    yield found
    for each in found.fields.values() if isinstance(found.fields, dict) else found.fields:
        yield from rows(each)


def test_every_word_of_the_tables_is_known() -> None:
    every = [row for found in (*ARGUMENTS.values(), *ENDINGS.values()) for row in rows(found)]
    shapes = [shape for row in every for text in (row.shapes, *row.first.values()) for shape in options(text)]
    shapes += [shape for text in NEEDS.values() for shape in options(text.replace("size", "8"))]
    expressions = [row.value for row in every if row.value] + [row for row in SIZES.values() if isinstance(row, str)]
    names = [name for text in expressions for name in compile(text, "", "eval").co_names]
    words = [word for shape in shapes for word in shape.strip("[]").split() if not word.isdigit()]
    assert len(words) > 200
    assert {*words, *names} <= {*SIZES, "max", "range"}


def test_every_repair_of_the_table_exists() -> None:
    assert all(callable(inference.REPAIR[name]) for _, name in REPAIRS)


def test_settings_are_looked_up_in_the_config_of_the_part_first() -> None:
    model = nn.Module()
    model.config = Config(  # type: ignore[assignment]
        hidden_size=1, text_config=Config(hidden_size=2), vision_config=Config(hidden_size=3), audio_config={"width": 9}
    )
    settings = Settings(model)
    assert [settings.first("hidden_size", part) for part in ("", "text", "image")] == [1, 2, 3]
    assert settings.first("nothing") is None


def test_sizes_that_follow_from_others() -> None:
    sizes = Sizes(Settings(Patches()))
    assert sizes.shape("patches patch_features") == (16, 384)
    assert sizes.shape("1 channels image") == (1, 3, 32, 32)
    assert sizes.is_known("1 patches") and not sizes.is_known("1 context")


def test_endings_tell_where_the_whole_name_does_not() -> None:
    assert row_for("entity_ids_of_mine") is None
    row = row_for("my_token_ids")
    assert row is not None and row.dtype == "int"
    assert row_for("x") is None


def test_a_dict_is_told_by_how_it_is_read() -> None:
    guesses = Guesses(Fields(), partial_of(Fields()))
    inputs = next(guesses.candidates())
    assert set(inputs.arguments["batch"]) == {"image", "words"}
    assert inputs.arguments["batch"]["words"].dtype == "int64"


def test_alternatives_replace_one_argument() -> None:
    guesses = Guesses(Multimodal())
    inputs = next(guesses.candidates())
    others = list(guesses.alternatives(inputs, "pixel_values"))
    assert len({other.arguments["pixel_values"].shape for other in others}) > 2
    assert all(replace(other, arguments=inputs.arguments) == inputs for other in others)
