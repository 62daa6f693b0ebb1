"""Models of diffusers, from small configs: UNets, autoencoders, diffusion transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from zoo.entry import Entry, Example, given

_BLOCKS = {"block_out_channels": (16, 32), "layers_per_block": 1, "norm_num_groups": 8}
_KL = {**_BLOCKS, "down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}


def _build(kind: str, **options: Any) -> nn.Module:
    import diffusers

    return getattr(diffusers, kind)(**options)


def _latent(size: int = 16, channels: int = 4, **more: Any) -> Example:
    """A latent image and a time step."""
    return given(torch.randn(1, channels, size, size), torch.tensor([7]), **more)


def _conditioned(size: int = 16, width: int = 32, **more: Any) -> Example:
    """A latent image, a time step and the states of a text encoder."""
    return given(
        torch.randn(1, 4, size, size), torch.tensor([7]), encoder_hidden_states=torch.randn(1, 6, width), **more
    )


def _image() -> Example:
    return given(torch.rand(1, 3, 32, 32))


def _flux() -> Example:
    """Packed patches with the positions of patches and words."""
    return given(
        hidden_states=torch.randn(1, 16, 4),
        encoder_hidden_states=torch.randn(1, 6, 32),
        pooled_projections=torch.randn(1, 16),
        timestep=torch.tensor([0.5]),
        img_ids=torch.rand(16, 3),
        txt_ids=torch.zeros(6, 3),
    )


_TABLE: dict[str, tuple[Mapping[str, Any], Callable[[], Example]]] = {
    "UNet2DModel": (
        {
            **_BLOCKS,
            "sample_size": 16,
            "in_channels": 4,
            "out_channels": 4,
            "attention_head_dim": 8,
            "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
            "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
        },
        _latent,
    ),
    "UNet2DConditionModel": (
        {
            **_BLOCKS,
            "sample_size": 16,
            "cross_attention_dim": 32,
            "attention_head_dim": 4,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        },
        _conditioned,
    ),
    "ControlNetModel": (
        {
            **_BLOCKS,
            "cross_attention_dim": 32,
            "attention_head_dim": 4,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "conditioning_embedding_out_channels": (8, 16),
        },
        lambda: _conditioned(controlnet_cond=torch.rand(1, 3, 32, 32)),
    ),
    "UNet1DModel": (
        {
            "block_out_channels": (32, 64),
            "in_channels": 4,
            "out_channels": 4,
            "sample_size": 64,
            "extra_in_channels": 64,
            "down_block_types": ("DownBlock1DNoSkip", "DownBlock1D"),
            "up_block_types": ("UpBlock1D", "UpBlock1DNoSkip"),
        },
        lambda: given(torch.randn(1, 4, 64), torch.tensor([7])),
    ),
    "UNet3DConditionModel": (
        {
            **_BLOCKS,
            "cross_attention_dim": 32,
            "attention_head_dim": 8,
            "down_block_types": ("CrossAttnDownBlock3D", "DownBlock3D"),
            "up_block_types": ("UpBlock3D", "CrossAttnUpBlock3D"),
        },
        lambda: given(torch.randn(1, 4, 3, 16, 16), torch.tensor([7]), encoder_hidden_states=torch.randn(1, 6, 32)),
    ),
    "UNetMotionModel": (
        {
            **_BLOCKS,
            "cross_attention_dim": 32,
            "num_attention_heads": 4,
            "motion_num_attention_heads": 4,
            "down_block_types": ("CrossAttnDownBlockMotion", "DownBlockMotion"),
            "up_block_types": ("UpBlockMotion", "CrossAttnUpBlockMotion"),
        },
        lambda: given(torch.randn(1, 4, 3, 16, 16), torch.tensor([7]), encoder_hidden_states=torch.randn(3, 6, 32)),
    ),
    "AutoencoderKL": (_KL, _image),
    "AutoencoderTiny": (
        {
            "encoder_block_out_channels": (8, 8),
            "decoder_block_out_channels": (8, 8),
            "num_encoder_blocks": (1, 1),
            "num_decoder_blocks": (1, 1),
        },
        _image,
    ),
    "VQModel": ({**_KL, "num_vq_embeddings": 16}, _image),
    "DiTTransformer2DModel": (
        {
            "num_attention_heads": 4,
            "attention_head_dim": 8,
            "num_layers": 2,
            "sample_size": 16,
            "num_embeds_ada_norm": 10,
            "norm_num_groups": 8,
        },
        lambda: given(torch.randn(1, 4, 16, 16), torch.tensor([7]), torch.tensor([3])),
    ),
    "PixArtTransformer2DModel": (
        {
            "num_attention_heads": 4,
            "attention_head_dim": 8,
            "num_layers": 2,
            "sample_size": 16,
            "caption_channels": 32,
            "cross_attention_dim": 32,
            "norm_num_groups": 8,
        },
        lambda: given(
            torch.randn(1, 4, 16, 16),
            encoder_hidden_states=torch.randn(1, 6, 32),
            timestep=torch.tensor([7]),
            added_cond_kwargs={"resolution": None, "aspect_ratio": None},
        ),
    ),
    "SD3Transformer2DModel": (
        {
            "sample_size": 16,
            "num_layers": 2,
            "attention_head_dim": 8,
            "num_attention_heads": 4,
            "joint_attention_dim": 32,
            "caption_projection_dim": 32,
            "pooled_projection_dim": 16,
            "in_channels": 4,
            "out_channels": 4,
            "pos_embed_max_size": 16,
        },
        lambda: given(
            torch.randn(1, 4, 16, 16),
            encoder_hidden_states=torch.randn(1, 6, 32),
            pooled_projections=torch.randn(1, 16),
            timestep=torch.tensor([7]),
        ),
    ),
    "FluxTransformer2DModel": (
        {
            "in_channels": 4,
            "num_layers": 1,
            "num_single_layers": 1,
            "attention_head_dim": 8,
            "num_attention_heads": 4,
            "joint_attention_dim": 32,
            "pooled_projection_dim": 16,
            "axes_dims_rope": (4, 2, 2),
        },
        _flux,
    ),
    "SanaTransformer2DModel": (
        {
            "in_channels": 4,
            "out_channels": 4,
            "num_layers": 2,
            "attention_head_dim": 8,
            "num_attention_heads": 4,
            "num_cross_attention_heads": 4,
            "cross_attention_head_dim": 8,
            "cross_attention_dim": 32,
            "caption_channels": 32,
            "sample_size": 16,
            "patch_size": 1,
        },
        lambda: given(
            torch.randn(1, 4, 16, 16), encoder_hidden_states=torch.randn(1, 6, 32), timestep=torch.tensor([7])
        ),
    ),
    "WanTransformer3DModel": (
        {
            "in_channels": 4,
            "out_channels": 4,
            "num_layers": 2,
            "attention_head_dim": 12,
            "num_attention_heads": 2,
            "text_dim": 32,
            "freq_dim": 16,
            "ffn_dim": 48,
            "rope_max_seq_len": 32,
        },
        lambda: given(
            torch.randn(1, 4, 2, 8, 8), encoder_hidden_states=torch.randn(1, 6, 32), timestep=torch.tensor([7])
        ),
    ),
}
"""Options and inputs by class."""

ENTRIES = [
    Entry(f"diffusers/{name}", partial(_build, name, **options), inputs, "diffusers")
    for name, (options, inputs) in _TABLE.items()
]
