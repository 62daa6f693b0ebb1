"""What the tables of transformers share: small configs, and inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from zoo.entry import Entry, Example, given

Options = Mapping[str, Any]
Inputs = Callable[[], Example]

SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
ENCODER = {
    "vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
    **SPECIAL,
}  # fmt: skip
DECODER = {**ENCODER, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 128}
SEQ2SEQ = {
    "vocab_size": 99, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 128,
    "decoder_start_token_id": 2, **SPECIAL,
}  # fmt: skip
T5 = {"vocab_size": 99, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, **SPECIAL}
VISION = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "image_size": 32,
    "patch_size": 8, "num_labels": 5,
}  # fmt: skip
AUDIO = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 32,
    "conv_dim": (16, 16, 16), "conv_stride": (5, 4, 4), "conv_kernel": (10, 4, 4), "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2, "num_feat_extract_layers": 3,
}  # fmt: skip
SWIN = {
    "embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 2, 4], "window_size": 4, "image_size": 64,
    "patch_size": 2,
}  # fmt: skip
RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "layer_type": "basic"}
TEXT_PART = {**ENCODER, "max_position_embeddings": 64, "projection_dim": 16}
VISION_PART = {**VISION, "projection_dim": 16}
EXPERTS = {"num_local_experts": 4, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}


def model(kind: str, **options: Any) -> nn.Module:
    """A model of a class of transformers from its config class."""
    import transformers

    cls = getattr(transformers, kind)
    return cls(cls.config_class(**options))


def tokens(length: int = 12, batch: int = 2, **more: Any) -> Example:
    """Token ids and a mask that leaves a few out."""
    ids = torch.randint(3, 95, (batch, length))
    mask = torch.ones(batch, length, dtype=torch.long)
    mask[-1, length - 3 :] = 0
    return given(input_ids=ids, attention_mask=mask, **more)


def ids(length: int = 12, batch: int = 1) -> Example:
    """Token ids alone."""
    return given(input_ids=torch.randint(3, 95, (batch, length)))


def with_boxes() -> Example:
    """Token ids with the boxes of their words."""
    corner = torch.randint(0, 400, (2, 12, 2))
    return tokens(bbox=torch.cat([corner, corner + 100], -1))


def choices() -> Example:
    """Three choices for each of two questions."""
    return given(input_ids=torch.randint(3, 95, (2, 3, 8)))


def pairs(source: int = 12, target: int = 7) -> Example:
    """Token ids of a source and a target."""
    return given(
        input_ids=torch.randint(3, 95, (2, source)),
        attention_mask=torch.ones(2, source, dtype=torch.long),
        decoder_input_ids=torch.randint(3, 95, (2, target)),
    )


def image(size: int = 32, channels: int = 3, batch: int = 1, **more: Any) -> Example:
    return given(pixel_values=torch.rand(batch, channels, size, size), **more)


def video(frames: int = 4, size: int = 32) -> Example:
    return given(pixel_values=torch.rand(1, frames, 3, size, size))


def image_and_text(size: int = 32, length: int = 10, batch: int = 1) -> Example:
    ids = torch.randint(3, 95, (batch, length))
    return given(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=torch.rand(batch, 3, size, size))


def waveform(length: int = 2000) -> Example:
    return given(input_values=torch.randn(1, length))


def placed_image(token: int, count: int, size: int = 32, **more: Any) -> Example:
    """Token ids in which some stand for the patches of an image."""
    ids = torch.randint(3, 90, (1, count + 6))
    ids[0, 2 : 2 + count] = token
    return given(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=torch.rand(1, 3, size, size), **more)


def entries(table: Mapping[str, tuple[Options, Inputs]], base: Options) -> Iterator[Entry]:
    """The entries of a table of options beside ``base``, and inputs, by class (and what tells two of a class apart)."""
    for name, (options, inputs) in table.items():
        build = partial(model, name.partition("+")[0], **{**base, **options})
        yield Entry(f"transformers/{name}", build, inputs, "transformers")
