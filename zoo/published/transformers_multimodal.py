"""Models of transformers that take several kinds of input, sound, or series."""

from __future__ import annotations

from functools import partial

import torch

from zoo.entry import Example, given
from zoo.published.transformers_parts import (
    AUDIO,
    DECODER,
    ENCODER,
    SEQ2SEQ,
    SPECIAL,
    T5,
    TEXT_PART,
    VISION,
    VISION_PART,
    Inputs,
    Options,
    entries,
    ids,
    image,
    image_and_text,
    pairs,
    placed_image,
    tokens,
    waveform,
)

_CLIP = {"text_config": TEXT_PART, "vision_config": VISION_PART, "projection_dim": 16}
_LLAMA_PART = {"model_type": "llama", **DECODER}
_CLIP_PART = {"model_type": "clip_vision_model", **VISION_PART}
_SERIES = {
    "prediction_length": 4, "context_length": 12, "lags_sequence": [1, 2], "num_time_features": 2, "d_model": 16,
    "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
}  # fmt: skip


def _qwen_image() -> Example:
    """A grid of 4×4 patches, merged two by two: four tokens among the text."""
    ids = torch.randint(3, 90, (1, 12))
    ids[0, 2], ids[0, 3:7], ids[0, 7] = 93, 95, 94
    return given(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        pixel_values=torch.rand(16, 3 * 2 * 8 * 8),
        image_grid_thw=torch.tensor([[1, 4, 4]]),
        mm_token_type_ids=(ids == 95).long(),
    )


def _series() -> Example:
    past, future = 14, 4
    return given(
        past_values=torch.rand(2, past),
        past_time_features=torch.rand(2, past, 2),
        past_observed_mask=torch.ones(2, past),
        future_values=torch.rand(2, future),
        future_time_features=torch.rand(2, future, 2),
    )


_MULTIMODAL: dict[str, tuple[Options, Inputs]] = {
    "AlignModel": (
        {
            "text_config": TEXT_PART,
            "vision_config": {
                "width_coefficient": 0.25, "depth_coefficient": 0.3, "hidden_dim": 32, "image_size": 64,
            },
            "projection_dim": 80,
        },
        lambda: image_and_text(64),
    ),
    "AltCLIPModel": ({**_CLIP, "text_config": {**TEXT_PART, "project_dim": 16}}, image_and_text),
    "Blip2ForConditionalGeneration": (
        {
            "vision_config": VISION_PART, "qformer_config": {**ENCODER, "encoder_hidden_size": 32},
            "text_config": {"model_type": "opt", **DECODER, "ffn_dim": 64, "word_embed_proj_dim": 32},
            "num_query_tokens": 4, "image_token_index": 95, "image_token_id": 95,
        },
        partial(placed_image, 95, 4),
    ),
    "BlipForConditionalGeneration": (_CLIP, image_and_text),
    "BridgeTowerModel": (
        {
            "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2,
            "text_config": {**TEXT_PART, "hidden_size": 64, "num_hidden_layers": 3},
            "vision_config": {**VISION_PART, "hidden_size": 64, "num_hidden_layers": 3},
        },
        lambda: given(
            input_ids=torch.randint(3, 95, (1, 10)), attention_mask=torch.ones(1, 10),
            pixel_values=torch.rand(1, 3, 32, 32), pixel_mask=torch.ones(1, 32, 32),
        ),
    ),
    "ChameleonForConditionalGeneration": (
        {
            **DECODER, "vocabulary_map": {"<image>": 8, **{f'IMGIMG{chr(65 + i)}Z': 10 + i for i in range(16)}},
            "vq_config": {
                "embed_dim": 8, "num_embeddings": 16, "latent_channels": 8, "resolution": 32, "base_channels": 32,
                "channel_multiplier": [1, 2], "num_res_blocks": 1,
            },
        },
        ids,
    ),
    "ChineseCLIPModel": (_CLIP, image_and_text),
    "CLIPModel": (_CLIP, image_and_text),
    "CLIPSegForImageSegmentation": (
        {
            **_CLIP, "extract_layers": [0, 1], "reduce_dim": 16, "decoder_num_attention_heads": 2,
            "decoder_intermediate_size": 32, "conditional_layer": 0,
        },
        image_and_text,
    ),
    "CLIPVisionModelWithProjection": (VISION_PART, image),
    "FlavaModel": (
        {
            "text_config": TEXT_PART, "image_config": VISION_PART,
            "multimodal_config": {
                "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
            },
            "hidden_size": 32, "projection_dim": 16,
        },
        image_and_text,
    ),
    "Florence2ForConditionalGeneration": (
        {
            "text_config": {"model_type": "bart", **SEQ2SEQ},
            "vision_config": {
                "embed_dim": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_heads": [1, 2, 2, 4],
                "num_groups": [1, 2, 2, 4], "window_size": 4, "projection_dim": 32, "max_temporal_embeddings": 2,
                "max_position_embeddings": 8, "patch_size": [3, 3, 3, 3], "patch_stride": [2, 2, 2, 2],
                "patch_padding": [1, 1, 1, 1],
            },
            "image_token_id": 95,
        },
        lambda: given(**placed_image(95, 17, 64).kwargs, decoder_input_ids=torch.randint(3, 90, (1, 5))),
    ),
    "FuyuForCausalLM": (
        {
            **DECODER, "num_channels": 3, "patch_size": 4, "text_config": {"model_type": "persimmon", **DECODER},
            "image_token_id": 95,
        },
        lambda: given(
            input_ids=torch.cat([torch.full((1, 4), 95), torch.randint(3, 90, (1, 6))], 1),
            image_patches=torch.rand(1, 4, 48),
        ),
    ),
    "Gemma3ForConditionalGeneration": (
        {
            "text_config": {**DECODER, "sliding_window": 8, "query_pre_attn_scalar": 8},
            "vision_config": {**VISION_PART, "model_type": "siglip_vision_model"}, "mm_tokens_per_image": 4,
            "image_token_index": 95, "image_token_id": 95,
        },
        partial(placed_image, 95, 4, token_type_ids=torch.tensor([[0, 0, 1, 1, 1, 1, 0, 0, 0, 0]])),
    ),
    "GitForCausalLM": (
        {**TEXT_PART, "vision_config": VISION_PART, "num_image_with_embedding": None}, image_and_text,
    ),
    "GroupViTModel": (
        {
            "text_config": TEXT_PART,
            "vision_config": {
                **VISION_PART, "depths": [1, 1, 1], "num_group_tokens": [8, 4, 0], "num_output_groups": [8, 4, 4],
            },
            "projection_dim": 16, "projection_intermediate_dim": 32,
        },
        image_and_text,
    ),
    "Idefics2ForConditionalGeneration": (
        {
            "text_config": {**_LLAMA_PART, "model_type": "mistral"}, "vision_config": VISION_PART,
            "perceiver_config": {
                "hidden_size": 32, "resampler_n_latents": 4, "resampler_depth": 1, "resampler_n_heads": 4,
                "resampler_head_dim": 8, "num_key_value_heads": 2,
            },
            "image_token_id": 95,
        },
        lambda: given(**{**placed_image(95, 4).kwargs, "pixel_values": torch.rand(1, 1, 3, 32, 32)}),
    ),
    "Idefics3ForConditionalGeneration": (
        {"text_config": _LLAMA_PART, "vision_config": {**VISION_PART}, "image_token_id": 95, "scale_factor": 2},
        lambda: given(**{**placed_image(95, 4).kwargs, "pixel_values": torch.rand(1, 1, 3, 32, 32)}),
    ),
    "InstructBlipForConditionalGeneration": (
        {
            "vision_config": VISION_PART, "qformer_config": {**ENCODER, "encoder_hidden_size": 32},
            "text_config": {"model_type": "opt", **DECODER, "ffn_dim": 64, "word_embed_proj_dim": 32},
            "num_query_tokens": 4, "image_token_index": 95, "image_token_id": 95,
        },
        lambda: given(**placed_image(95, 4).kwargs, qformer_input_ids=torch.randint(3, 95, (1, 6))),
    ),
    "InternVLForConditionalGeneration": (
        {
            "vision_config": {**VISION_PART, "image_size": [32, 32], "patch_size": [8, 8]},
            "text_config": _LLAMA_PART, "image_token_id": 95,
        },
        partial(placed_image, 95, 4),
    ),
    "Kosmos2ForConditionalGeneration": (
        {
            "text_config": {
                "vocab_size": 99, "embed_dim": 32, "layers": 2, "ffn_dim": 64, "attention_heads": 4,
                "max_position_embeddings": 64, **SPECIAL,
            },
            "vision_config": VISION_PART, "latent_query_num": 4,
        },
        lambda: given(
            **{
                **placed_image(95, 4).kwargs,
                "image_embeds_position_mask": torch.tensor([[0] * 2 + [1] * 4 + [0] * 4]),
            },
        ),
    ),
    "LlavaForConditionalGeneration": (
        {
            "text_config": _LLAMA_PART, "vision_config": _CLIP_PART, "image_token_id": 95, "image_token_index": 95,
            "vision_feature_layer": -2,
        },
        partial(placed_image, 95, 16),
    ),
    "LlavaForConditionalGeneration+projector": (
        {
            "text_config": {**_LLAMA_PART, "model_type": "mistral"},
            "vision_config": {**VISION_PART, "model_type": "siglip_vision_model"}, "image_token_id": 95,
            "image_token_index": 95, "vision_feature_select_strategy": "full",
        },
        partial(placed_image, 95, 16),
    ),
    "LlavaNextForConditionalGeneration": (
        {
            "text_config": _LLAMA_PART, "vision_config": _CLIP_PART, "image_token_id": 95, "image_token_index": 95,
            "image_grid_pinpoints": [[32, 32]], "vision_feature_layer": -2,
        },
        lambda: given(
            **{
                **placed_image(95, 36).kwargs, "pixel_values": torch.rand(1, 2, 3, 32, 32),
                "image_sizes": torch.tensor([[32, 32]]),
            },
        ),
    ),
    "LxmertModel": (
        {**ENCODER, "l_layers": 1, "x_layers": 1, "r_layers": 1, "visual_feat_dim": 20},
        lambda: given(
            input_ids=torch.randint(3, 95, (1, 8)), visual_feats=torch.rand(1, 5, 20), visual_pos=torch.rand(1, 5, 4),
        ),
    ),
    "MetaClip2Model": (_CLIP, image_and_text),
    "MllamaForConditionalGeneration": (
        {
            "text_config": {
                **DECODER, "cross_attention_layers": [1],
                "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
            },
            "vision_config": {
                "hidden_size": 32, "num_hidden_layers": 2, "num_global_layers": 1, "attention_heads": 4,
                "intermediate_size": 64, "image_size": 32, "patch_size": 8, "vision_output_dim": 96,
                "max_num_tiles": 2, "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
                "intermediate_layers_indices": [0, 1],
            },
            "image_token_index": 95,
        },
        lambda: given(
            input_ids=torch.randint(3, 90, (1, 8)), attention_mask=torch.ones(1, 8, dtype=torch.long),
            pixel_values=torch.rand(1, 1, 2, 3, 32, 32), aspect_ratio_ids=torch.tensor([[1]]),
            aspect_ratio_mask=torch.tensor([[[1, 0]]]), cross_attention_mask=torch.ones(1, 8, 1, 2, dtype=torch.long),
        ),
    ),
    "Owlv2ForObjectDetection": (
        {"text_config": TEXT_PART, "vision_config": VISION_PART, "projection_dim": 32}, image_and_text,
    ),
    "OwlViTForObjectDetection": (
        {"text_config": TEXT_PART, "vision_config": VISION_PART, "projection_dim": 32}, image_and_text,
    ),
    "PaliGemmaForConditionalGeneration": (
        {
            "text_config": {**DECODER, "model_type": "gemma"},
            "vision_config": {**VISION_PART, "model_type": "siglip_vision_model"}, "image_token_id": 95,
            "image_token_index": 95, "projection_dim": 32, "hidden_size": 32,
        },
        partial(placed_image, 95, 16),
    ),
    "Pix2StructForConditionalGeneration": (
        {
            "text_config": {
                "vocab_size": 99, "hidden_size": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4,
                **SPECIAL,
            },
            "vision_config": {
                "hidden_size": 32, "patch_embed_hidden_size": 768, "d_ff": 64, "d_kv": 8, "num_hidden_layers": 2,
                "num_attention_heads": 4, "seq_len": 16,
            },
        },
        lambda: given(
            flattened_patches=torch.rand(1, 16, 770), attention_mask=torch.ones(1, 16),
            decoder_input_ids=torch.randint(3, 95, (1, 5)),
        ),
    ),
    "Qwen2_5_VLForConditionalGeneration": (
        {
            "text_config": {
                **DECODER,
                "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
            },
            "vision_config": {
                "depth": 2, "hidden_size": 32, "out_hidden_size": 32, "intermediate_size": 64, "num_heads": 4,
                "patch_size": 8, "window_size": 32, "fullatt_block_indexes": [1],
            },
            "image_token_id": 95, "video_token_id": 96, "vision_start_token_id": 93, "vision_end_token_id": 94,
        },
        _qwen_image,
    ),
    "Qwen2AudioForConditionalGeneration": (
        {
            "text_config": {"model_type": "qwen2", **DECODER},
            "audio_config": {
                "num_mel_bins": 20, "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 4,
                "encoder_ffn_dim": 64, "max_source_positions": 30,
            },
            "audio_token_index": 95, "audio_token_id": 95,
        },
        lambda: given(
            input_ids=torch.cat(
                [torch.randint(3, 90, (1, 3)), torch.full((1, 15), 95), torch.randint(3, 90, (1, 3))], 1,
            ),
            attention_mask=torch.ones(1, 21, dtype=torch.long), input_features=torch.randn(1, 20, 60),
            feature_attention_mask=torch.ones(1, 60, dtype=torch.long),
        ),
    ),
    "Qwen2VLForConditionalGeneration": (
        {
            "text_config": {
                **DECODER,
                "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
            },
            "vision_config": {
                "depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 4, "patch_size": 8, "mlp_ratio": 2,
            },
            "image_token_id": 95, "video_token_id": 96, "vision_start_token_id": 93, "vision_end_token_id": 94,
        },
        _qwen_image,
    ),
    "Qwen3VLForConditionalGeneration": (
        {
            "text_config": {
                **DECODER,
                "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]},
            },
            "vision_config": {
                "depth": 2, "hidden_size": 32, "out_hidden_size": 32, "intermediate_size": 64, "num_heads": 4,
                "patch_size": 8, "deepstack_visual_indexes": [0], "num_position_embeddings": 16,
            },
            "image_token_id": 95, "video_token_id": 96, "vision_start_token_id": 93, "vision_end_token_id": 94,
        },
        _qwen_image,
    ),
    "Siglip2Model": (
        {"text_config": {**TEXT_PART, "projection_size": 32}, "vision_config": {**VISION_PART, "num_patches": 16}},
        lambda: given(
            input_ids=torch.randint(3, 95, (1, 8)), pixel_values=torch.rand(1, 16, 192),
            pixel_attention_mask=torch.ones(1, 16, dtype=torch.long), spatial_shapes=torch.tensor([[4, 4]]),
        ),
    ),
    "SiglipModel": (
        {"text_config": {**TEXT_PART, "projection_size": 32}, "vision_config": VISION_PART}, image_and_text,
    ),
    "SmolVLMForConditionalGeneration": (
        {"text_config": _LLAMA_PART, "vision_config": {**VISION_PART}, "image_token_id": 95, "scale_factor": 2},
        lambda: given(**{**placed_image(95, 4).kwargs, "pixel_values": torch.rand(1, 1, 3, 32, 32)}),
    ),
    "UdopForConditionalGeneration": (
        {**T5, "image_size": 32, "patch_size": 8, "max_2d_position_embeddings": 64},
        lambda: given(
            input_ids=torch.randint(3, 95, (1, 12)), bbox=torch.rand(1, 12, 4), pixel_values=torch.rand(1, 3, 32, 32),
            decoder_input_ids=torch.randint(3, 95, (1, 5)),
        ),
    ),
    "ViltForQuestionAnswering": ({**TEXT_PART, **VISION_PART}, image_and_text),
    "VisionEncoderDecoderModel": (
        {
            "encoder": {"model_type": "vit", **VISION},
            "decoder": {
                "model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99,
                "add_cross_attention": True, **SPECIAL,
            },
        },
        lambda: image(decoder_input_ids=torch.randint(3, 95, (1, 5))),
    ),
    "VisionTextDualEncoderModel": (
        {
            "vision_config": {"model_type": "vit", **VISION}, "text_config": {"model_type": "bert", **ENCODER},
            "projection_dim": 16,
        },
        image_and_text,
    ),
    "XCLIPModel": (
        {
            "text_config": TEXT_PART,
            "vision_config": {
                **VISION_PART, "num_frames": 4, "mit_hidden_size": 16, "mit_intermediate_size": 32,
                "mit_num_attention_heads": 2, "mit_num_hidden_layers": 1,
            },
            "projection_dim": 16, "prompt_num_attention_heads": 2,
        },
        lambda: given(input_ids=torch.randint(3, 95, (2, 8)), pixel_values=torch.rand(1, 4, 3, 32, 32)),
    ),
}  # fmt: skip
"""Images and text: all options, and inputs, by class."""

_AUDIOS: dict[str, tuple[Options, Inputs]] = {
    "ASTForAudioClassification": (
        {**VISION, "max_length": 32, "num_mel_bins": 16, "patch_size": 8, "frequency_stride": 4, "time_stride": 4},
        lambda: given(input_values=torch.randn(1, 32, 16)),
    ),
    "BarkFineModel": (
        {
            "vocab_size": 40, "input_vocab_size": 40, "output_vocab_size": 40, "hidden_size": 32, "num_layers": 2,
            "num_heads": 4, "block_size": 32, "n_codes_total": 4,
        },
        lambda: given(2, torch.randint(0, 40, (1, 16, 4))),
    ),
    "ClapModel": (
        {
            "text_config": TEXT_PART,
            "audio_config": {
                "patch_embeds_hidden_size": 16, "depths": [1, 1], "num_attention_heads": [2, 2], "window_size": 4,
                "spec_size": 64, "num_mel_bins": 16, "hidden_size": 32, "patch_size": 4, "patch_stride": [4, 4],
                "projection_dim": 16,
            },
            "projection_dim": 16,
        },
        lambda: given(
            input_ids=torch.randint(3, 95, (1, 8)), input_features=torch.rand(1, 1, 200, 16),
            is_longer=torch.tensor([[False]]),
        ),
    ),
    "CsmBackboneModel": (
        {
            **DECODER, "num_codebooks": 4, "codebook_size": 20,
            "depth_decoder_config": {**DECODER, "num_codebooks": 4, "vocab_size": 20, "backbone_hidden_size": 32},
            "codec_config": {"model_type": "mimi"},
        },
        lambda: given(input_ids=torch.randint(0, 20, (1, 8, 4))),
    ),
    "DacModel": (
        {
            "encoder_hidden_size": 8, "decoder_hidden_size": 64, "downsampling_ratios": [2, 4],
            "upsampling_ratios": [4, 2], "n_codebooks": 2, "codebook_size": 16, "codebook_dim": 4,
        },
        lambda: given(input_values=torch.randn(1, 1, 512)),
    ),
    "Data2VecAudioForCTC": ({**AUDIO, "conv_pos_kernel_size": 5}, waveform),
    "EncodecModel": (
        {
            "num_filters": 4, "hidden_size": 16, "codebook_size": 16, "upsampling_ratios": [4, 2], "codebook_dim": 16,
            "num_lstm_layers": 2,
        },
        lambda: given(input_values=torch.randn(1, 1, 512)),
    ),
    "FastSpeech2ConformerModel": (
        {
            "hidden_size": 24, "vocab_size": 40, "num_mel_bins": 16, "encoder_layers": 1, "decoder_layers": 1,
            "encoder_num_attention_heads": 2, "decoder_num_attention_heads": 2, "encoder_linear_units": 32,
            "decoder_linear_units": 32, "speech_decoder_postnet_units": 16, "speech_decoder_postnet_layers": 2,
            "duration_predictor_channels": 16, "energy_predictor_channels": 16, "pitch_predictor_channels": 16,
        },
        lambda: given(input_ids=torch.randint(3, 40, (1, 8))),
    ),
    "HubertForSequenceClassification": ({**AUDIO, "num_labels": 3}, waveform),
    "MimiModel": (
        {
            "hidden_size": 32, "num_filters": 4, "num_hidden_layers": 1, "num_attention_heads": 4,
            "num_key_value_heads": 4, "head_dim": 8, "intermediate_size": 64, "upsampling_ratios": [4, 2],
            "num_quantizers": 4, "codebook_size": 16, "codebook_dim": 8, "vector_quantization_hidden_dimension": 8,
            "upsample_groups": 32, "num_semantic_quantizers": 1, "frame_rate": 1500,
        },
        lambda: given(input_values=torch.randn(1, 1, 512)),
    ),
    "MusicgenForConditionalGeneration": (
        {
            "text_encoder": {"model_type": "t5", **T5},
            "audio_encoder": {
                "model_type": "encodec", "num_filters": 4, "hidden_size": 16, "codebook_size": 16,
                "upsampling_ratios": [4, 2], "codebook_dim": 16,
            },
            "decoder": {
                "vocab_size": 16, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 64,
                "num_codebooks": 2, "pad_token_id": 15, "bos_token_id": 15,
            },
        },
        lambda: given(input_ids=torch.randint(3, 95, (1, 8)), decoder_input_ids=torch.randint(0, 15, (2, 5))),
    ),
    "ParakeetForCTC": (
        {
            "vocab_size": 32,
            "encoder_config": {
                "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
                "num_mel_bins": 16, "subsampling_conv_channels": 8, "conv_kernel_size": 5, "subsampling_factor": 4,
            },
        },
        lambda: given(input_features=torch.randn(1, 64, 16), attention_mask=torch.ones(1, 64, dtype=torch.long)),
    ),
    "Pop2PianoForConditionalGeneration": (
        {**T5, "composer_vocab_size": 4},
        lambda: given(input_features=torch.randn(1, 12, 32), decoder_input_ids=torch.randint(3, 95, (1, 5))),
    ),
    "SeamlessM4TModel": (
        {
            "vocab_size": 99, "t2u_vocab_size": 40, "hidden_size": 32, "encoder_layers": 1, "decoder_layers": 1,
            "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
            "speech_encoder_layers": 1, "speech_encoder_attention_heads": 4, "speech_encoder_intermediate_size": 64,
            "t2u_encoder_layers": 1, "t2u_decoder_layers": 1, "unit_hifi_gan_vocab_size": 40, "unit_embed_dim": 8,
            "lang_embed_dim": 8, "spkr_embed_dim": 8, "upsample_initial_channel": 32, "vocoder_num_langs": 3,
            "vocoder_num_spkrs": 3, "pad_token_id": 0,
        },
        pairs,
    ),
    "SEWDForCTC": (
        {
            **AUDIO, "squeeze_factor": 2, "relative_attention": True, "pos_att_type": ["c2p", "p2c"],
            "share_att_key": True,
        },
        waveform,
    ),
    "SEWForCTC": ({**AUDIO, "squeeze_factor": 2}, waveform),
    "SpeechEncoderDecoderModel": (
        {
            "encoder": {"model_type": "wav2vec2", **AUDIO},
            "decoder": {"model_type": "bert", **ENCODER, "is_decoder": True, "add_cross_attention": True},
        },
        lambda: given(input_values=torch.randn(1, 2000), decoder_input_ids=torch.randint(3, 95, (1, 5))),
    ),
    "SpeechT5ForSpeechToText": (
        {
            "vocab_size": 40, "hidden_size": 32, "encoder_layers": 2, "decoder_layers": 2,
            "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
            "conv_dim": (16, 16), "conv_stride": (5, 4), "conv_kernel": (10, 4), "num_feat_extract_layers": 2,
            "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
        },
        lambda: given(input_values=torch.randn(1, 2000), decoder_input_ids=torch.randint(3, 40, (1, 5))),
    ),
    "SpeechT5ForTextToSpeech": (
        {
            "vocab_size": 40, "hidden_size": 32, "encoder_layers": 2, "decoder_layers": 2,
            "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
            "num_mel_bins": 16, "speech_decoder_prenet_units": 16, "speech_decoder_postnet_units": 16,
            "speech_decoder_postnet_layers": 2, "speaker_embedding_dim": 8,
        },
        lambda: given(
            input_ids=torch.randint(3, 40, (1, 8)), decoder_input_values=torch.randn(1, 6, 16),
            speaker_embeddings=torch.randn(1, 8),
        ),
    ),
    "SpeechT5HifiGan": (
        {
            "model_in_dim": 16, "upsample_initial_channel": 32, "upsample_rates": [4, 4],
            "upsample_kernel_sizes": [8, 8],
        },
        lambda: given(torch.randn(1, 12, 16)),
    ),
    "UniSpeechForCTC": ({**AUDIO, "num_ctc_classes": 32}, waveform),
    "UniSpeechSatForXVector": (
        {
            **AUDIO, "num_ctc_classes": 32, "tdnn_dim": [16, 16, 32], "tdnn_kernel": [3, 3, 1],
            "tdnn_dilation": [1, 2, 1], "xvector_output_dim": 16,
        },
        lambda: waveform(4000),
    ),
    "UnivNetModel": (
        {
            "model_in_channels": 8, "model_hidden_channels": 8, "num_mel_bins": 20,
            "kernel_predictor_hidden_channels": 8, "resblock_kernel_sizes": [3], "resblock_stride_sizes": [4],
            "resblock_dilation_sizes": [[1, 3]],
        },
        lambda: given(input_features=torch.randn(1, 6, 20), noise_sequence=torch.randn(1, 6, 8)),
    ),
    "VitsModel": (
        {
            "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "ffn_dim": 32,
            "flow_size": 16, "spectrogram_bins": 17, "duration_predictor_num_flows": 1,
            "duration_predictor_filter_channels": 16, "posterior_encoder_num_wavenet_layers": 2,
            "prior_encoder_num_flows": 1, "prior_encoder_num_wavenet_layers": 2, "upsample_initial_channel": 16,
            "upsample_rates": [4, 2], "upsample_kernel_sizes": [8, 4], "use_stochastic_duration_prediction": False,
        },
        lambda: given(input_ids=torch.randint(3, 40, (1, 8))),
    ),
    "Wav2Vec2BertForCTC": (
        {
            "vocab_size": 32, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
            "intermediate_size": 64, "feature_projection_input_dim": 20, "conv_depthwise_kernel_size": 5,
        },
        lambda: given(input_features=torch.randn(1, 40, 20)),
    ),
    "Wav2Vec2ConformerForCTC": (
        {**AUDIO, "position_embeddings_type": "rotary", "conv_depthwise_kernel_size": 5}, waveform,
    ),
    "Wav2Vec2ForCTC": (AUDIO, waveform),
    "Wav2Vec2ForPreTraining": (
        {**AUDIO, "num_codevectors_per_group": 8, "codevector_dim": 16, "proj_codevector_dim": 16}, waveform,
    ),
    "WavLMForCTC": (AUDIO, waveform),
}  # fmt: skip
"""Speech and sound: all options, and inputs, by class."""

_OTHERS: dict[str, tuple[Options, Inputs]] = {
    "AutoformerForPrediction": ({**_SERIES, "moving_average": 5, "label_length": 4}, _series),
    "DecisionTransformerModel": (
        {"state_dim": 5, "act_dim": 3, "hidden_size": 32, "n_layer": 2, "n_head": 4, "max_ep_len": 50},
        lambda: given(
            states=torch.rand(1, 6, 5), actions=torch.rand(1, 6, 3), rewards=torch.rand(1, 6, 1),
            returns_to_go=torch.rand(1, 6, 1), timesteps=torch.arange(6)[None],
            attention_mask=torch.ones(1, 6, dtype=torch.long),
        ),
    ),
    "FalconForCausalLM": (
        {
            "vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
            "new_decoder_architecture": True, "num_kv_heads": 2, **SPECIAL,
        },
        tokens,
    ),
    "FunnelForMaskedLM": (
        {"vocab_size": 99, "block_sizes": [1, 1], "d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 64}, tokens,
    ),
    "InformerModel": (_SERIES, _series),
    "PatchTSMixerForPrediction": (
        {
            "context_length": 32, "patch_length": 8, "patch_stride": 8, "d_model": 16, "num_layers": 2,
            "prediction_length": 4, "num_input_channels": 2,
        },
        lambda: given(past_values=torch.rand(2, 32, 2)),
    ),
    "PatchTSTForPrediction": (
        {
            "context_length": 32, "patch_length": 8, "patch_stride": 8, "d_model": 16, "num_attention_heads": 2,
            "ffn_dim": 32, "num_hidden_layers": 2, "prediction_length": 4, "num_input_channels": 2,
        },
        lambda: given(past_values=torch.rand(2, 32, 2)),
    ),
    "TimeSeriesTransformerModel": (_SERIES, _series),
    "TimesFmModelForPrediction": (
        {
            "patch_length": 8, "context_length": 32, "horizon_length": 16, "hidden_size": 32, "intermediate_size": 32,
            "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 8,
        },
        lambda: given(past_values=[torch.rand(32), torch.rand(24)], freq=torch.tensor([0, 0])),
    ),
}  # fmt: skip
"""Time series, control and what fits nowhere else: all options, and inputs, by class."""

ENTRIES = [*entries(_MULTIMODAL, {}), *entries(_AUDIOS, {}), *entries(_OTHERS, {})]
