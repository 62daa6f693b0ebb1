"""What the field calls the arguments of forward, and what it passes for them.

A table of names; never of models or of the libraries they come from. Shapes are in the words of
`fxsummary.capture.inputs.guess.sizes`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from fxsummary.capture.inputs.guess.sizes import LATENT_GRID, MERGE, WORDS, Size, Sizes, grid

ALWAYS = ("",)
"""Pass an argument whenever the part of the input that it belongs to is passed."""


@dataclass(frozen=True)
class Convention:
    """What the name of an argument stands for.

    Attributes:
        shapes: in words, the likeliest first; in brackets for a list of one tensor.
        kind: "float" (the dtype of the model), "int" or "bool".
        part: part of the input that it belongs to; one that has several can do without some of them.
        when: settings of which one must be set, or arguments of which forward must take one, else the argument
            keeps its default; () for never. An argument without a default is always passed.
        values: the values, where those matter: a tensor, or what is not a tensor.
        fields: the convention for each key of a dict of tensors, or for each place in a tuple.
        beside: shapes that come first where a setting is set or forward takes an argument of that name.
    """

    shapes: tuple[str, ...] = ()
    kind: str = "float"
    part: str = ""
    when: tuple[str, ...] = ()
    values: Callable[[Sizes], Any] | None = None
    fields: tuple[tuple[str | int, Convention], ...] = ()
    beside: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def given(self, is_there: Callable[[str], bool]) -> Convention:
        """The convention for a model of which is known what settings it has and what arguments it takes."""
        first = [shape for name, shapes in self.beside if is_there(name) for shape in shapes]
        return replace(self, shapes=tuple(dict.fromkeys([*first, *self.shapes])))


def _main(part: str, *shapes: str, kind: str = "float", beside: Any = ()) -> Convention:
    return Convention(shapes, kind, part, ALWAYS, beside=beside)


def _ids(*shapes: str, part: str = "", when: tuple[str, ...] = (), beside: Any = ()) -> Convention:
    return Convention(shapes or ("1 text",), "int", part, when, beside=beside)


def _floats(*shapes: str, part: str = "", when: tuple[str, ...] = (), beside: Any = ()) -> Convention:
    return Convention(shapes, "float", part, when, beside=beside)


def _values(values: Callable[[Sizes], Any], part: str = "", when: tuple[str, ...] = ALWAYS) -> Convention:
    return Convention(part=part, when=when, values=values)


def _fields(**shapes: str) -> Convention:
    return Convention(fields=tuple([(key, _floats(words)) for key, words in shapes.items()]))


def _items(*items: Convention) -> Convention:
    return Convention(fields=tuple(enumerate(items)), when=ALWAYS)


def _grid(sizes: Sizes) -> torch.Tensor:
    return torch.tensor([grid(sizes)])


def _image_sizes(sizes: Sizes) -> torch.Tensor:
    return torch.tensor([sizes["image"]])


def _image_places(sizes: Sizes) -> torch.Tensor:
    """True where an image stands in a text: after the first token."""
    places = torch.zeros(1, sizes.one("text"), dtype=torch.bool)
    places[:, 1 : 1 + sizes.setting("latent_query_num", "num_image_tokens", default=1)] = True
    return places


def _latent_places(sizes: Sizes) -> torch.Tensor:
    """True where a latent image stands in a text: at its end, each place for 2x2 patches."""
    return torch.arange(sizes.one("text") + math.prod(LATENT_GRID) // 4)[None] >= sizes.one("text")


def _merge_sizes(sizes: Sizes) -> torch.Tensor:
    return torch.tensor([sizes.setting(*MERGE, part="image")])


_IMAGES = (
    "1 channels image",
    "1 1 channels image",
    "1 frames channels image",
    "1 channels frames image",
    "1 2 channels image",
    "1 patches patch_features",
)
_FLAT, _FLAT_BATCH = ("patches patch_features", "patches channels patch patch"), ("1 patches patch_features",)
_IMAGES_BESIDE = (
    ("num_frames", ("1 frames channels image",)),
    ("image_grid_thw", _FLAT),
    ("image_grid_hw", _FLAT),
    ("grid_thw", _FLAT),
    ("spatial_shapes", _FLAT_BATCH),
    ("pixel_position_ids", _FLAT_BATCH),
    ("image_position_ids", _FLAT_BATCH),
    ("aspect_ratio_ids", ("1 1 tiles channels image",)),
    ("image_sizes", ("1 channels image", "1 5 channels image")),
)
_LATENTS = (
    "1 latents latent",
    "1 latent_patches latents",
    "1 latents latent_frames latent",
    "1 latent_frames latents latent",
    "1 latents length",
)
_CONDITIONS = (
    "1 conditions pixels",
    *_LATENTS,
    "1 conditions latent_frames latent",
    "1 conditions latent_frames pixels",
)

_PAST_BESIDE = (("freq", ("1 context",)), ("past_time_features", ("1 history", "1 history series")))


def _latent_grids(sizes: Sizes) -> list[list[Size]]:
    return [[LATENT_GRID]]


def _latent_tokens(sizes: Sizes) -> torch.Tensor:
    """Where the patches of a latent image stand, if a text comes first."""
    return torch.arange(sizes.one("text"), sizes.one("text_and_latent"))


CONVENTIONS: dict[str, Convention] = {
    # text
    "input_ids": _main(
        "text",
        "1 text",
        "1 2 text",
        "1 text codebooks",
        kind="int",
        beside=(("micro_conds", ("1 latent",)), ("text_indexes", ("text",))),
    ),
    "decoder_input_ids": _main("decoder", "1 text", "codebooks text", kind="int"),
    "bbox": _ids("1 text 4", part="text", when=ALWAYS),
    "attention_mask": _ids(),
    "encoder_attention_mask": _ids(),
    "token_type_ids": _ids(),
    "position_ids": _ids("1 text", beside=(("token_tags", ("packed 3",)), ("text_indexes", ("3 text_and_latent",)))),
    "indicator": _ids(),
    "lang_ids": _ids("1"),
    "entity_ids": _ids("1 2"),
    "entity_attention_mask": _ids("1 2"),
    "entity_token_type_ids": _ids("1 2"),
    "entity_position_ids": _ids("1 2 mentions"),
    "qformer_input_ids": _ids(part="text", when=ALWAYS),
    # images and video
    "pixel_values": _main("image", *_IMAGES, beside=_IMAGES_BESIDE),
    "image": _main("image", *_IMAGES, beside=_IMAGES_BESIDE),
    "images": _main("image", "1 channels image", "[channels image]", *_IMAGES),
    "img": _main("image", *_IMAGES, beside=_IMAGES_BESIDE),
    "pixel_values_videos": _main(
        "video", "1 frames channels image", "1 channels frames image", beside=(("video_grid_thw", _FLAT),)
    ),
    "pixel_mask": _ids("1 image"),
    "pixel_attention_mask": _ids(
        "1 patches",
        part="image",
        when=("spatial_shapes",),
        beside=(("max_action_dim", ("1 1",)), ("action_embeds", ("1 1",))),
    ),
    "spatial_shapes": _values(lambda sizes: torch.tensor([grid(sizes)[1:]]), part="image"),
    "target_sizes": _values(lambda sizes: torch.tensor([grid(sizes)[1:]]), part="image"),
    "pixel_position_ids": _ids("1 patches 2", part="image", when=ALWAYS),
    "image_position_ids": _ids("1 patches 2", part="image", when=ALWAYS),
    "flattened_patches": _main("image", "1 patches flat_patch"),
    "visual_embeds": _floats("1 36 regions", part="image", when=ALWAYS),
    "visual_feats": _floats("1 36 regions", part="image", when=ALWAYS),
    "visual_pos": _floats("1 36 region_places", part="image", when=ALWAYS),
    "image_attention_mask": _ids("1 text 1"),
    "image_embeds_position_mask": _values(_image_places, part="image"),
    "classes_structure": _values(lambda sizes: torch.tensor([1]), when=()),
    "task_inputs": _floats("1 tasks"),
    "image_sizes": _values(_image_sizes, part="image", when=()),
    "aspect_ratio_ids": _ids("1 1", part="image", when=ALWAYS),
    "aspect_ratio_mask": _ids("1 1 tiles", part="image", when=ALWAYS),
    "cross_attention_mask": _ids("1 text 1 tiles", part="image", when=("max_num_tiles",)),
    "merge_sizes": _values(_merge_sizes, part="image"),
    "prompt_pixel_values": _main("image", "1 channels image"),
    "prompt_masks": _main("image", "1 channels image"),
    "bool_masked_pos": Convention(("1 patches",), "bool"),
    "image_grid_hw": _values(lambda sizes: torch.tensor([grid(sizes)[1:]]), part="image"),
    "image_grid_thw": _values(_grid, part="image"),
    "video_grid_thw": _values(_grid, part="video"),
    "grid_thw": _values(_grid, part="image"),
    # sound
    "input_features": _main(
        "audio", "1 mels audio_frames", "1 audio_frames mels", "1 1 audio_frames mels", "1 audio_frames hidden"
    ),
    "input_values": _main("audio", "1 samples", "1 audio_channels samples", "1 audio_frames mels"),
    "spectrogram": _main("audio", "1 audio_frames mels"),
    "decoder_input_values": _main("decoder", "1 text mels"),
    "audio_mel": _main("audio", "1 audio_frames mels"),
    "audio_mel_mask": Convention(("1 audio_frames",), "bool", "audio"),
    "input_features_mask": _ids("1 audio_frames", part="audio", when=ALWAYS),
    "feature_attention_mask": _ids("1 audio_frames", part="audio", when=ALWAYS),
    # diffusion
    "sample": _main("latent", *_LATENTS, "1 latents samples", "1 samples"),
    "z": _main("latent", *_LATENTS),
    "hidden_states": _main("latent", *_LATENTS, "1 text hidden", beside=(("grid_thw", _FLAT),)),
    "timestep_indices": _ids("packed"),
    "token_tags": _ids("packed"),
    "latents": _main("latent", *_LATENTS, beside=(("controls_latents", ("1 16 latent_frames latent",)),)),
    "timestep": _floats("1", when=ALWAYS),
    "t": _floats("1"),
    "fps": _ids("1"),
    "encoder_hidden_states": _floats(
        "1 text cross",
        "1 text hidden",
        when=WORDS["cross"].names,
        beside=(("motion_max_seq_length", ("latent_frames text cross",)),),
    ),
    "encodings_and_masks": _items(_items(_floats("1 text hidden"), _floats("1 text"))),
    "decoder_input_tokens": _floats("1 targets mels"),
    "pooled_text_emb": _floats("1 condition"),
    "micro_conds": _floats("1 5"),
    "pooled_projections": _floats("1 pooled", when=ALWAYS),
    "class_labels": _ids("1", when=("num_embeds_ada_norm", "num_class_embeds")),
    "guidance": _floats("1", when=("guidance_embeds",)),
    "img_ids": _floats("latent_patches axes", when=ALWAYS),
    "txt_ids": _floats("text axes", when=ALWAYS),
    "img_shapes": _values(_latent_grids),
    "shape_list": _values(_latent_grids),
    "video_indices": _ids("latent_patches"),
    "audio_indices": _ids("text"),
    "text_indices": _ids("text"),
    "text_indexes": _values(lambda sizes: torch.arange(sizes.one("text"))),
    "und_len": _values(lambda sizes: sizes.one("text")),
    "sequence_length": _values(lambda sizes: sizes.one("text_and_latent")),
    "vision_tokens": _floats("[1 latents 1 latent]"),
    "vision_token_shapes": _values(lambda sizes: [LATENT_GRID]),
    "vision_sequence_indexes": _values(_latent_tokens),
    "vision_mse_loss_indexes": _values(_latent_tokens),
    "vision_timesteps": _floats("latent_patches"),
    "vision_noisy_frame_indexes": _items(_ids("1")),
    "img_mask": _values(_latent_places),
    "text_rope_pos": _ids("text"),
    "visual_rope_pos": _values(lambda sizes: tuple(map(torch.arange, LATENT_GRID))),
    "video_rotary_emb": _items(_floats("1 latent_patches inner"), _floats("1 latent_patches inner")),
    "num_frames": _values(lambda sizes: LATENT_GRID[0], when=()),
    "height": _values(lambda sizes: LATENT_GRID[1], when=()),
    "width": _values(lambda sizes: LATENT_GRID[2], when=()),
    "controlnet_cond": _floats(*_CONDITIONS, when=ALWAYS, beside=(("conditioning_mask", _CONDITIONS[-2:]),)),
    "conditioning_mask": _floats("1 1 latent_frames latent", when=("concat_conditioning_mask",)),
    "condition_mask": _floats("1 1 latent_frames latent"),
    "padding_mask": _ids("1 text", beside=(("condition_mask", ("1 1 latent",)),)),
    "controls_latents": _floats("1 16 latent_frames latent"),
    "pose_hidden_states": _floats("1 clean later_frames latent", when=ALWAYS),
    "face_pixel_values": _floats("1 3 face_frames face", when=ALWAYS),
    "image_latents": _floats(*_LATENTS),
    "original_size": _floats("1 2"),
    "target_size": _floats("1 2"),
    "crop_coords": _floats("1 2"),
    "added_time_ids": _floats("1 3"),
    "added_cond_kwargs": _fields(text_embeds="1 1280", time_ids="1 6", resolution="1 2", aspect_ratio="1 1"),
    # time series and decisions
    "past_values": _main("series", "1 context series", "1 context", beside=_PAST_BESIDE),
    "past_time_features": _floats("1 history time_features"),
    "past_observed_mask": _floats("1 history", "1 history series"),
    "future_values": _floats("1 prediction", "1 prediction series"),
    "future_time_features": _floats("1 prediction time_features"),
    "past_values_padding": _ids("1 context"),
    "freq": _ids("1 1"),
    "states": _main("series", "1 text states"),
    "actions": _main("series", "1 text actions"),
    "rewards": _floats("1 text 1", part="series", when=("act_dim",)),
    "returns_to_go": _floats("1 text 1", part="series", when=("act_dim",)),
    "timesteps": _ids("1 text", part="series", when=("act_dim",)),
    # graphs
    "edge_index": _ids("2 64"),
}
"""What the name of an argument stands for."""


def convention_for(name: str) -> Convention | None:
    """What a name stands for, by its ending where the whole is not known; None if nothing tells."""
    if name in CONVENTIONS:
        return CONVENTIONS[name]
    return next((convention for ending, convention in _ENDINGS.items() if name.endswith(ending)), None)


def by_annotation(annotation: Any) -> Convention:
    """Meaning of an argument that no table names."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    is_list = "list" in text.lower()
    if "int" in text and "Tensor" not in text:
        return _values(lambda sizes: [1] if is_list else 1)
    kind = "int" if "LongTensor" in text or "IntTensor" in text else "bool" if "BoolTensor" in text else "float"
    shapes = ("1 text hidden", "1 text", "1", "1 channels image")
    return Convention(tuple([f"[{shape}]" for shape in shapes]) if is_list else shapes, kind)


_ENDINGS = {
    "mask": _ids("1 text"),
    "ids": _ids("1 text"),
    "indices": _ids("1 text"),
    "indexes": _ids("text"),
    "embeds": _floats("1 text hidden"),
    "latents": _floats(*_LATENTS),
    "tokens": _ids("1 text"),
    "labels": _ids("1"),
    "timesteps": _floats("1"),
    "timestep": _floats("1"),
    "timestep_r": _floats("1"),
    "timestep_ratio": _floats("1"),
    "sigma": _floats("1"),
    "time": _floats("1"),
    "hidden_states": _floats("1 text hidden"),
    "idx": _values(lambda sizes: 1),
    "lengths": _values(lambda sizes: torch.tensor(sizes["text"])),
    "lens": _values(lambda sizes: torch.tensor(sizes["text"])),
}
