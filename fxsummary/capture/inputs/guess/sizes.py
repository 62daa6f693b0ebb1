"""Sizes that a model and its config name, by what the field calls them.

A shape is written in words, such as ``"1 channels image"``; each word stands for one size or several. Words
of `WORDS` are looked up among the attributes of the config, of the configs inside it and of the model; those of
`DERIVED` follow from other words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from fxsummary.capture.inputs.guess.requirements import LENGTHS, SIZES, VOLUMES, size_hints

Size = tuple[int, ...]


class Settings:
    """Attributes of a model, its config and the configs inside that, by name."""

    def __init__(self, model: nn.Module) -> None:
        self.image_hints = size_hints(model)
        self._holders = list(_holders(model))

    def all(self, names: tuple[str, ...], part: str = "") -> Iterator[Any]:
        """What is set under these names, in the configs of this part of the model first."""
        for _, holder in sorted(self._holders, key=lambda held: _rank(held[0], part)):
            for name in names:
                values = [_attribute(holder, each) for each in name.split()]
                if None not in values:
                    yield values[0] if len(values) == 1 else values

    def first(self, names: tuple[str, ...], part: str = "", default: Any = None) -> Any:
        """The first that is set."""
        return next(self.all(names, part), default)


_PARTS = {
    "image": ("vision", "visual", "image", "vit", "backbone"),
    "audio": ("audio", "speech", "sound", "encoder"),
    "text": ("text", "language", "llm", "decoder"),
}
"""Parts of a model by words in the names of their configs."""


def _rank(path: str, part: str) -> int:
    if any(word in path for word in _PARTS.get(part, ())):
        return 0
    if not path:
        return 1
    return 3 if any(word in path for words in _PARTS.values() for word in words) else 2


def _holders(model: nn.Module) -> Iterator[tuple[str, Any]]:
    config = getattr(model, "config", None)
    if config is not None and not isinstance(config, nn.Module):
        yield from _configs("", config)
    yield "", model
    for name in ("default_cfg", "pretrained_cfg"):
        if getattr(model, name, None) is not None:
            yield "", getattr(model, name)


def _configs(path: str, config: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    yield path, config
    items = config if isinstance(config, Mapping) else getattr(config, "__dict__", {})
    for name, value in list(items.items()) if depth < 3 else ():
        if isinstance(name, str) and name.endswith(("config", "cfg")) and _is_config(value):
            yield from _configs(f"{path}.{name}", value, depth + 1)


def _is_config(value: Any) -> bool:
    return isinstance(value, Mapping) or hasattr(value, "to_dict")


def _attribute(holder: Any, name: str) -> Any:
    if isinstance(holder, nn.Module) and name not in vars(holder) and not hasattr(type(holder), name):
        return None  # the class may answer with its config, which is asked itself, and warn
    try:
        return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
    except Exception:  # a property of the user's class
        return None


@dataclass(frozen=True)
class Word:
    """Where the size that a word stands for is found.

    Attributes:
        names: attributes that name it; two in one string for height and width.
        usual: sizes to try after those.
        part: the part of the model whose config is asked first.
        limits: attributes that bound the usual sizes.
        dims: dimensions that it stands for, all of the same size where one number is given.
    """

    names: tuple[str, ...] = ()
    usual: tuple[int | Size, ...] = ()
    part: str = ""
    limits: tuple[str, ...] = ()
    dims: int = 1

    def sizes(self, settings: Settings) -> list[Size]:
        """Sizes to try, the likeliest first."""
        limits = [settings.first((name,), self.part) for name in self.limits]
        limit = min((each for each in limits if type(each) is int and each > 0), default=None)
        found = [_size(value, self.dims) for value in settings.all(self.names, self.part)]
        hints = settings.image_hints if "image_size" in self.names else ()
        usual = [
            size if isinstance(size, tuple) else (min(size, limit or size),) * self.dims
            for size in (*hints, *self.usual)
        ]
        return list(dict.fromkeys([size for size in (*found, *usual) if size is not None]))


def _size(value: Any, dims: int) -> Size | None:
    """An attribute's value as sizes; None if it is not one."""
    if isinstance(value, Mapping):
        value = [value[key] for key in ("height", "width") if key in value] or list(value.values())[:1]
    if isinstance(value, (tuple, list)) and len(value) >= dims:
        value = tuple(value[-dims:])
    elif type(value) is int:
        value = (value,) * dims
    good = isinstance(value, tuple) and len(value) == dims and all(type(v) is int and 0 < v < 2**20 for v in value)
    return value if good else None


_IMAGE = ("image_size", "img_size", "input_size", "sample_size", "resolution", "crop_size")
_CHANNELS = (
    "num_channels",
    "in_channels",
    "in_chans",
    "image_channels",
    "num_input_channels",
    "n_channels",
    "channels",
)
_POSITIONS = (
    "max_position_embeddings",
    "n_positions",
    "max_sequence_length",
    "max_seq_len",
    "max_target_positions",
    "max_encoder_position_embeddings",
    "max_decoder_position_embeddings",
)
_HIDDEN = ("hidden_size", "d_model", "dim", "n_embd", "embed_dim", "width")

WORDS: dict[str, Word] = {
    "text": Word(("segment_means_seq_len",), (128, 16, 512), part="text", limits=_POSITIONS),
    "image": Word(_IMAGE, SIZES, part="image", dims=2),
    "latent": Word(("sample_size", "sample_height sample_width"), (64, 32, 128), dims=2),
    "latent_frames": Word((), (9, 8, 13, 1)),
    "channels": Word(_CHANNELS, (3, 1), part="image"),
    "frames": Word(("num_frames", "n_frames", "frames_per_clip", "sample_frames"), (8, 16), part="image"),
    "tiles": Word(("max_num_tiles",), (4,), part="image"),
    "latents": Word((*_CHANNELS, "in_dim", "latent_channels", "latent_channel"), (4, 16, 3)),
    "conditions": Word(("conditioning_channels",), (3,)),
    "hidden": Word(_HIDDEN, (), part="text"),
    "mels": Word(
        (
            "input_size",
            "num_mel_bins",
            "feature_size",
            "input_feat_per_channel",
            "n_mels",
            "mel_bins",
            "input_dim",
            "input_dims",
            "input_feat_size",
            "model_in_dim",
        ),
        (80, 128),
        part="audio",
    ),
    "audio_channels": Word(("audio_channels", "num_audio_channels", "in_channels"), (1, 2), part="audio"),
    "length": Word((), LENGTHS),
    "volume": Word((), VOLUMES, dims=3),
    "samples": Word((), (16000, 64000, 32000), part="audio"),
    "cross": Word(
        (
            "joint_attention_dim",
            "caption_channels",
            "cross_attention_dim",
            "cross_attention_input_dim",
            "text_dim",
            "text_embed_dim",
            "encoder_hid_dim",
            "in_text_dim",
            "context_in_dim",
            "cap_feat_dim",
        )
    ),
    "condition": Word(("cond_embed_dim",)),
    "clean": Word(("latent_channels",)),
    "face": Word(("motion_encoder_size",), dims=2),
    "targets": Word(("targets_length",)),
    "regions": Word(("visual_feat_dim", "visual_embedding_dim")),
    "region_places": Word(("visual_pos_dim",)),
    "codebooks": Word(("num_codebooks", "n_codes_total")),
    "mentions": Word(("max_mention_length",)),
    "prediction": Word(("prediction_length",)),
    "time_features": Word(("num_time_features",), (1,)),
    "tasks": Word(("task_seq_len",)),
    "context": Word(("context_length",)),
    "series": Word(("num_input_channels", "input_size"), (1,)),
    "states": Word(("state_dim",)),
    "actions": Word(("act_dim",)),
    "pooled": Word(("pooled_projection_dim", "projection_dim", "pooled_dim")),
}
"""Words for sizes that are looked up."""


class Sizes:
    """One choice of size for each word.

    Args:
        choices: the size chosen for words of `WORDS`; the first there is for the others.
    """

    def __init__(self, settings: Settings, choices: Mapping[str, Size] | None = None) -> None:
        self.settings = settings
        self._choices = choices or {}

    def __getitem__(self, word: str) -> Size:
        """The size that a word stands for.

        Raises:
            KeyError: nothing tells.
        """
        if word.isdigit():
            return (int(word),)
        if word in self._choices:
            return self._choices[word]
        if word in DERIVED:
            return DERIVED[word](self)
        sizes = WORDS[word].sizes(self.settings)
        if not sizes:
            raise KeyError(word)
        return sizes[0]

    def one(self, word: str) -> int:
        """The size of a word that stands for one dimension, or their product."""
        return math.prod(self[word])

    def shape(self, words: str) -> Size:
        """A shape in numbers.

        Raises:
            KeyError: nothing tells what a word stands for.
        """
        return tuple([size for word in words.split() for size in self[word]])

    def is_known(self, words: str) -> bool:
        """Whether something tells what each word stands for."""
        try:
            self.shape(words.strip("[]"))
        except KeyError:
            return False
        return True

    def setting(self, *names: str, part: str = "", default: int = 1) -> int:
        """A setting that is a number, or the last of several."""
        for value in self.settings.all(names, part):
            size = _size(value, 1)
            if size is not None:
                return size[0]
        return default


MERGE = ("spatial_merge_size", "merge_size", "merge_kernel_size")
"""Settings that tell how many patches are merged, in each direction."""


def _patch(sizes: Sizes) -> int:
    return sizes.setting("patch_size", "spatial_patch_size", part="image", default=14)


def grid(sizes: Sizes) -> Size:
    """Patches of an image: time, height, width; whole groups of those that are merged."""
    merge = sizes.setting(*MERGE, part="image")
    height, width = (max(size // _patch(sizes) // merge, 1) * merge for size in sizes["image"])
    return 1, height, width


def _patch_features(sizes: Sizes) -> Size:
    temporal = sizes.setting("temporal_patch_size", part="image")
    return (sizes.one("channels") * temporal * _patch(sizes) ** 2,)


LATENT_GRID = (1, 32, 32)
"""Patches of a latent image: time, height, width."""


def _pixels(sizes: Sizes) -> Size:
    """An image that conditions a latent one: each block but the last halves it."""
    blocks = sizes.settings.first(("conditioning_embedding_out_channels",), default=(1, 2, 3, 4))
    return tuple([2 ** (len(blocks) - 1) * size for size in sizes["latent"]])


def _history(sizes: Sizes) -> Size:
    lags = sizes.settings.first(("lags_sequence",), default=(0,))
    return (sizes.one("context") + max(lags),)


def _pictured(sizes: Sizes) -> Size:
    """Channels, height and width in one setting."""
    for value in sizes.settings.all(("input_size", "input_shape")):
        if isinstance(value, (tuple, list)) and len(value) == 3:
            size = _size(value, 3)
            if size is not None:
                return size
    raise KeyError("pictured")


def _axes(sizes: Sizes) -> Size:
    axes = sizes.settings.first(("axes_dims_rope", "axes_dim", "axes_dims"))
    return (len(axes) if isinstance(axes, (tuple, list)) else 3,)


def _audio_frames(sizes: Sizes) -> Size:
    positions = sizes.setting("max_source_positions", part="audio", default=0)
    return (2 * positions or sizes.setting("max_length", "spec_size", part="audio", default=1000),)


DERIVED: dict[str, Callable[[Sizes], Size]] = {
    "pictured": _pictured,
    "pixels": _pixels,
    "history": _history,
    "latent_patches": lambda sizes: (math.prod(LATENT_GRID),),
    "packed": lambda sizes: (sizes.one("latent_patches") + 2 * sizes.one("text"),),
    "text_and_latent": lambda sizes: (sizes.one("text") + sizes.one("latent_patches"),),
    "axes": _axes,
    "inner": lambda sizes: (sizes.setting("num_attention_heads") * sizes.setting("attention_head_dim"),),
    "later_frames": lambda sizes: (sizes.one("latent_frames") - 1,),
    "face_frames": lambda sizes: (4 * (sizes.one("latent_frames") - 1),),
    "patches": lambda sizes: (math.prod(grid(sizes)),),
    "patch": lambda sizes: (_patch(sizes),),
    "patch_features": _patch_features,
    "flat_patch": lambda sizes: (2 + sizes.one("patch_features"),),
    "audio_frames": _audio_frames,
}
"""Words for sizes that follow from others."""


DIMENSIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"batch|^bs?z?$|^1$", ("1",)),
    (r"channel|^c$", ("latents", "channels", "audio_channels", "conditions")),
    (r"frame|time|^t$", ("latent_frames", "frames", "audio_frames")),
    (r"height|^h$", ("latent 0", "image 0")),
    (r"width|^w$", ("latent 1", "image 1")),
    (r"sample", ("samples",)),
    (r"patches", ("latent_patches", "patches")),
    (r"len|seq|token|^[lns]$", ("latent_patches", "patches", "samples", "audio_frames", "text")),
    (r"dim|hidden|feature|^d$", ("hidden",)),
)
"""Meanings of the variables that code unpacks a shape into; the first word that fits is taken."""


def dimension(name: str, likely: Collection[str], sizes: Sizes) -> int:
    """The size of a dimension by the name of a variable; 1 if nothing tells.

    Args:
        likely: words of the shapes that the tensor may have.
    """
    if name.isdigit():
        return int(name)
    words = next((words for pattern, words in DIMENSIONS if re.search(pattern, name.lower())), ())
    for word in sorted(words, key=lambda word: word.split()[0] not in likely):
        word, _, place = word.partition(" ")
        if sizes.is_known(word):
            return sizes[word][int(place or 0)]
    return 1


def words_of(shapes: str) -> Iterator[str]:
    """The words of `WORDS` that a shape depends on, also by way of others."""
    for word in shapes.strip("[]").split():
        if word in DERIVED:
            yield from _BEHIND.get(word, ())
        elif not word.isdigit():
            yield word


_BEHIND = {
    "patches": ("image",),
    "patch_features": ("channels",),
    "pixels": ("latent",),
    "history": ("context",),
    "packed": ("text",),
    "text_and_latent": ("text",),
    "later_frames": ("latent_frames",),
    "face_frames": ("latent_frames",),
}
