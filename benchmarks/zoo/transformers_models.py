# ruff: noqa: E501
"""Architectures of transformers, from small configs: two layers, small hidden sizes, random weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from benchmarks.zoo.entry import Entry, Example, given

Options = Mapping[str, Any]
Inputs = Callable[[], Example]

_SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_ENCODER = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    **_SPECIAL,
}
_DECODER = {**_ENCODER, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 128}
_SEQ2SEQ = {
    "vocab_size": 99,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 128,
    "decoder_start_token_id": 2,
    **_SPECIAL,
}
_T5 = {"vocab_size": 99, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, **_SPECIAL}
_VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
    "num_labels": 5,
}
_AUDIO = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 32,
    "conv_dim": (16, 16, 16),
    "conv_stride": (5, 4, 4),
    "conv_kernel": (10, 4, 4),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "num_feat_extract_layers": 3,
}


def _model(kind: str, **options: Any) -> nn.Module:
    """A model of a class of transformers from its config class."""
    import transformers

    cls = getattr(transformers, kind)
    return cls(cls.config_class(**options))


def _tokens(length: int = 12, batch: int = 2, **more: Any) -> Example:
    """Token ids and a mask that leaves a few out."""
    ids = torch.randint(3, 95, (batch, length))
    mask = torch.ones(batch, length, dtype=torch.long)
    mask[-1, length - 3 :] = 0
    return given(input_ids=ids, attention_mask=mask, **more)


def _ids(length: int = 12, batch: int = 1) -> Example:
    """Token ids alone."""
    return given(input_ids=torch.randint(3, 95, (batch, length)))


def _with_boxes() -> Example:
    """Token ids with the boxes of their words."""
    corner = torch.randint(0, 400, (2, 12, 2))
    return _tokens(bbox=torch.cat([corner, corner + 100], -1))


def _choices() -> Example:
    """Three choices for each of two questions."""
    return given(input_ids=torch.randint(3, 95, (2, 3, 8)))


def _pairs(source: int = 12, target: int = 7) -> Example:
    """Token ids of a source and a target."""
    return given(
        input_ids=torch.randint(3, 95, (2, source)),
        attention_mask=torch.ones(2, source, dtype=torch.long),
        decoder_input_ids=torch.randint(3, 95, (2, target)),
    )


def _image(size: int = 32, channels: int = 3, batch: int = 1, **more: Any) -> Example:
    return given(pixel_values=torch.rand(batch, channels, size, size), **more)


def _positional_image(size: int = 32) -> Example:
    return given(torch.rand(1, 3, size, size))


def _video(frames: int = 4, size: int = 32) -> Example:
    return given(pixel_values=torch.rand(1, frames, 3, size, size))


def _image_and_text(size: int = 32, length: int = 10, batch: int = 1) -> Example:
    ids = torch.randint(3, 95, (batch, length))
    return given(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=torch.rand(batch, 3, size, size))


def _waveform(length: int = 2000) -> Example:
    return given(input_values=torch.randn(1, length))


def _step(kind: str = "DynamicCache") -> Example:
    """One token after six that are in a cache, for `_DECODER` with 2 layers."""
    import transformers

    cache = getattr(transformers, kind)()
    for layer in range(2):
        cache.update(torch.randn(1, 2, 6, 8), torch.randn(1, 2, 6, 8), layer)
    return given(input_ids=torch.randint(3, 95, (1, 1)), past_key_values=cache, use_cache=True)


_ENCODERS: dict[str, tuple[Options, Inputs]] = {
    "AlbertForMaskedLM": ({"embedding_size": 16}, _tokens),
    "BertForMaskedLM": ({}, _tokens),
    "BertForSequenceClassification": ({"num_labels": 3}, _tokens),
    "BertLMHeadModel": ({"is_decoder": True}, _tokens),
    "BigBirdForMaskedLM": ({"block_size": 8, "num_random_blocks": 2, "max_position_embeddings": 256}, partial(_tokens, 128)),
    "CamembertForTokenClassification": ({}, _tokens),
    "CanineForSequenceClassification": ({"local_transformer_stride": 16, "upsampling_kernel_size": 3}, partial(_tokens, 32)),
    "ConvBertForMaskedLM": ({"embedding_size": 16, "conv_kernel_size": 5}, _tokens),
    "Data2VecTextForMaskedLM": ({}, _tokens),
    "DebertaForMaskedLM": ({"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}, _tokens),
    "DebertaV2ForTokenClassification": ({"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}, _tokens),
    "DistilBertForQuestionAnswering": ({"hidden_dim": 64}, _tokens),
    "ElectraForPreTraining": ({"embedding_size": 16}, _tokens),
    "ErnieForMaskedLM": ({}, _tokens),
    "EsmForMaskedLM": ({"position_embedding_type": "rotary", "mask_token_id": 4}, _tokens),
    "EuroBertForMaskedLM": ({"num_key_value_heads": 2, "head_dim": 8}, _tokens),
    "FlaubertWithLMHeadModel": ({"emb_dim": 32, "n_layers": 2, "n_heads": 4}, _tokens),
    "FNetForMaskedLM": ({}, _ids),
    "IBertForSequenceClassification": ({"quant_mode": False}, _tokens),
    "JinaEmbeddingsV3Model": ({}, _tokens),
    "LayoutLMForTokenClassification": ({}, _with_boxes),
    "LiltForTokenClassification": ({"hidden_size": 48}, _with_boxes),
    "LongformerForMaskedLM": ({"attention_window": 8}, partial(_tokens, 32)),
    "LukeForMaskedLM": ({"entity_vocab_size": 20, "entity_emb_size": 8}, _tokens),
    "MegatronBertForMaskedLM": ({}, _tokens),
    "MobileBertForMaskedLM": ({"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16}, _tokens),
    "ModernBertForMaskedLM": ({"local_attention": 8}, _tokens),
    "MPNetForMaskedLM": ({}, _tokens),
    "NomicBertModel": ({}, _tokens),
    "NystromformerForMaskedLM": ({"num_landmarks": 4, "segment_means_seq_len": 12}, _ids),
    "PerceiverForMaskedLM": (
        {"num_latents": 8, "d_latents": 32, "d_model": 32, "qk_channels": 32, "v_channels": 32,
         "num_self_attends_per_block": 2, "num_self_attention_heads": 4, "num_cross_attention_heads": 4,
         "max_position_embeddings": 12},
        lambda: given(inputs=torch.randint(3, 95, (1, 12)))),
    "ReformerModelWithLMHead": (
        {"axial_pos_shape": [4, 8], "axial_pos_embds_dim": [16, 16], "attn_layers": ["local", "lsh"],
         "attention_head_size": 8, "feed_forward_size": 64, "local_attn_chunk_length": 8, "lsh_attn_chunk_length": 8,
         "num_buckets": 2, "is_decoder": True, "max_position_embeddings": 32, "hash_seed": 0},
        partial(_ids, 32)),
    "RemBertForMaskedLM": ({"input_embedding_size": 16, "output_embedding_size": 24}, _tokens),
    "RoFormerForMaskedLM": ({}, _tokens),
    "RobertaForMultipleChoice": ({}, _choices),
    "RobertaPreLayerNormForMaskedLM": ({}, _tokens),
    "SplinterForQuestionAnswering": ({"question_token_id": 5}, _tokens),
    "SqueezeBertForMaskedLM": ({"embedding_size": 32}, _tokens),
    "TapasForQuestionAnswering": ({}, lambda: _tokens(token_type_ids=torch.zeros(2, 12, 7, dtype=torch.long))),
    "VisualBertModel": ({"visual_embedding_dim": 20}, lambda: _tokens(visual_embeds=torch.rand(2, 4, 20))),
    "XLMWithLMHeadModel": ({"emb_dim": 32, "n_layers": 2, "n_heads": 4}, _tokens),
    "XLMRobertaForMaskedLM": ({}, _tokens),
    "XLNetLMHeadModel": ({"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64}, _tokens),
    "XmodForMaskedLM": ({"languages": ["en_XX"], "default_language": "en_XX"}, _tokens),
    "YosoForMaskedLM": ({"use_expectation": True}, _tokens),
}  # fmt: skip
"""Options beside `_ENCODER`, and inputs, by class."""

_NO_CACHE = {"use_cache": False}
_EXPERTS = {"num_local_experts": 4, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
_STATE_SPACE = {"state_size": 4, "conv_kernel": 4, "time_step_rank": 4}
_DECODERS: dict[str, tuple[Options, Inputs]] = {
    "ArceeForCausalLM": (_NO_CACHE, _ids),
    "BambaForCausalLM": (
        {"attn_layer_indices": [1], "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8,
         "mamba_expand": 2, "mamba_chunk_size": 8},
        _ids),
    "BioGptForCausalLM": ({}, _ids),
    "BitNetForCausalLM": (_NO_CACHE, _ids),
    "BloomForCausalLM": ({}, _tokens),
    "CodeGenForCausalLM": ({"n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4, "n_positions": 64}, _ids),
    "CohereForCausalLM": ({}, _tokens),
    "Cohere2ForCausalLM": ({"sliding_window": 8}, _ids),
    "CTRLLMHeadModel": ({"n_embd": 32, "n_layer": 2, "n_head": 4, "dff": 64, "n_positions": 64}, _ids),
    "DbrxForCausalLM": (
        {"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 64, "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
         "ffn_config": {"ffn_hidden_size": 16, "moe_num_experts": 4, "moe_top_k": 2}},
        _ids),
    "DeepseekV2ForCausalLM": (
        {**_EXPERTS, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8,
         "n_routed_experts": 4, "n_shared_experts": 1, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
         "num_key_value_heads": 4},
        _ids),
    "DeepseekV3ForCausalLM": (
        {**_EXPERTS, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8,
         "n_routed_experts": 4, "n_shared_experts": 1, "first_k_dense_replace": 1, "n_group": 2, "topk_group": 1,
         "num_key_value_heads": 4},
        _ids),
    "DiffLlamaForCausalLM": (_NO_CACHE, _ids),
    "DogeForCausalLM": (_NO_CACHE, _ids),
    "Ernie4_5ForCausalLM": ({}, _ids),
    "Exaone4ForCausalLM": ({}, _ids),
    "FalconMambaForCausalLM": ({**_STATE_SPACE, "use_cache": False}, _ids),
    "GemmaForCausalLM": ({}, _ids),
    "Gemma2ForCausalLM": ({"sliding_window": 8, "query_pre_attn_scalar": 8}, _tokens),
    "Gemma3ForCausalLM": ({"sliding_window": 8, "query_pre_attn_scalar": 8}, _ids),
    "GlmForCausalLM": (_NO_CACHE, _ids),
    "Glm4MoeForCausalLM": ({**_EXPERTS, "n_routed_experts": 4, "n_group": 1, "topk_group": 1}, _ids),
    "GPT2LMHeadModel": ({}, _tokens),
    "GPT2DoubleHeadsModel": ({}, _choices),
    "GPTBigCodeForCausalLM": ({"multi_query": True}, _ids),
    "GPTJForCausalLM": ({"n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4, "n_positions": 64}, _ids),
    "GPTNeoForCausalLM": ({"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 8}, _ids),
    "GPTNeoXForCausalLM": ({}, _tokens),
    "GptOssForCausalLM": ({**_EXPERTS, "sliding_window": 8}, _ids),
    "GraniteForCausalLM": (_NO_CACHE, _ids),
    "GraniteMoeForCausalLM": (_EXPERTS, _ids),
    "HeliumForCausalLM": (_NO_CACHE, _ids),
    "JambaForCausalLM": (
        {**_EXPERTS, "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1,
         "mamba_d_state": 4, "mamba_d_conv": 4, "mamba_dt_rank": 4, "use_mamba_kernels": False},
        _ids),
    "JetMoeForCausalLM": ({"num_local_experts": 4, "num_experts_per_tok": 2, "kv_channels": 8, "num_key_value_heads": 2}, _ids),
    "Lfm2ForCausalLM": ({"full_attn_idxs": [1], "block_multiple_of": 8}, _ids),
    "LlamaForCausalLM": (_NO_CACHE, _ids),
    "LlamaForSequenceClassification": ({"num_labels": 3}, _tokens),
    "Llama4ForCausalLM": (
        {**_EXPERTS, "intermediate_size_mlp": 64, "interleave_moe_layer_step": 1, "attention_chunk_size": 8}, _ids),
    "MambaForCausalLM": (_STATE_SPACE, _ids),
    "Mamba2ForCausalLM": (
        {"num_heads": 8, "head_dim": 8, "expand": 2, "n_groups": 1, "state_size": 8, "chunk_size": 8}, _ids),
    "MiniMaxForCausalLM": ({**_EXPERTS, "block_size": 8, "layer_types": ["full_attention", "linear_attention"]}, _ids),
    "MistralForCausalLM": ({"sliding_window": 8}, _tokens),
    "MixtralForCausalLM": (_EXPERTS, _ids),
    "ModernBertDecoderForCausalLM": ({"local_attention": 8}, _ids),
    "MptForCausalLM": ({"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 64}, _ids),
    "NemotronForCausalLM": (_NO_CACHE, _ids),
    "OlmoForCausalLM": (_NO_CACHE, _ids),
    "Olmo2ForCausalLM": ({}, _ids),
    "OlmoeForCausalLM": (_EXPERTS, _ids),
    "OpenAIGPTLMHeadModel": ({}, _ids),
    "OPTForCausalLM": ({"ffn_dim": 64, "word_embed_proj_dim": 16}, _tokens),
    "PersimmonForCausalLM": ({}, _ids),
    "PhiForCausalLM": (_NO_CACHE, _ids),
    "Phi3ForCausalLM": ({}, _ids),
    "PhimoeForCausalLM": (_EXPERTS, _ids),
    "Qwen2ForCausalLM": ({}, _tokens),
    "Qwen2MoeForCausalLM": ({**_EXPERTS, "shared_expert_intermediate_size": 32}, _ids),
    "Qwen3ForCausalLM": (_NO_CACHE, _ids),
    "Qwen3MoeForCausalLM": ({**_EXPERTS, "use_cache": False}, _ids),
    "Qwen3NextForCausalLM": (
        {**_EXPERTS, "layer_types": ["linear_attention", "full_attention"], "linear_key_head_dim": 8,
         "linear_value_head_dim": 8, "linear_num_key_heads": 2, "linear_num_value_heads": 4,
         "shared_expert_intermediate_size": 32},
        _ids),
    "RecurrentGemmaForCausalLM": (
        {"lru_width": 32, "attention_window_size": 8, "block_types": ["recurrent", "attention"]}, _ids),
    "RwkvForCausalLM": ({"attention_hidden_size": 32, "context_length": 64}, _ids),
    "SeedOssForCausalLM": (_NO_CACHE, _ids),
    "SmolLM3ForCausalLM": (_NO_CACHE, _ids),
    "StableLmForCausalLM": ({}, _ids),
    "Starcoder2ForCausalLM": ({"sliding_window": 8}, _ids),
    "XGLMForCausalLM": ({"d_model": 32, "ffn_dim": 64, "num_layers": 2, "attention_heads": 4}, _ids),
    "xLSTMForCausalLM": ({"hidden_size": 128, "num_heads": 4, "chunk_size": 8, "mode": "inference"}, _ids),
    "Zamba2ForCausalLM": (
        {"layers_block_type": ["mamba", "hybrid"], "mamba_d_state": 8, "n_mamba_heads": 4, "mamba_ngroups": 1,
         "mamba_headdim": 16, "chunk_size": 8, "use_mem_rope": True, "num_key_value_heads": 4, "attention_head_dim": 16,
         "attention_hidden_size": 64},
        _ids),
}  # fmt: skip
"""Options beside `_DECODER`, and inputs, by class."""

_STEPS: dict[str, Options] = {
    "LlamaForCausalLM": {},
    "Qwen3ForCausalLM": {},
    "MixtralForCausalLM": _EXPERTS,
    "PhiForCausalLM": {},
}
"""Decoders that are also looked at for one token after a cache; options beside `_DECODER`."""

_SEQ2SEQS: dict[str, tuple[Options, Inputs]] = {
    "BartForConditionalGeneration": (_SEQ2SEQ, _pairs),
    "BartForSequenceClassification": (
        _SEQ2SEQ, lambda: given(input_ids=torch.cat([torch.randint(3, 95, (2, 8)), torch.full((2, 1), 2)], 1))),
    "BigBirdPegasusForConditionalGeneration": ({**_SEQ2SEQ, "attention_type": "original_full"}, _pairs),
    "BlenderbotForConditionalGeneration": (_SEQ2SEQ, _pairs),
    "FSMTForConditionalGeneration": ({**_SEQ2SEQ, "src_vocab_size": 99, "tgt_vocab_size": 99, "langs": ["en", "de"]}, _pairs),
    "LEDForConditionalGeneration": (
        {**_SEQ2SEQ, "attention_window": 8, "max_encoder_position_embeddings": 64, "max_decoder_position_embeddings": 64},
        partial(_pairs, 32)),
    "LongT5ForConditionalGeneration": ({**_T5, "local_radius": 4, "encoder_attention_type": "transient-global"}, partial(_pairs, 32)),
    "M2M100ForConditionalGeneration": (_SEQ2SEQ, _pairs),
    "MarianMTModel": (_SEQ2SEQ, _pairs),
    "MBartForConditionalGeneration": ({**_SEQ2SEQ, "use_cache": False}, _pairs),
    "MT5ForConditionalGeneration": (_T5, _pairs),
    "NllbMoeForConditionalGeneration": (
        {**_SEQ2SEQ, "num_experts": 4, "encoder_sparse_step": 2, "decoder_sparse_step": 2, "expert_capacity": 16}, _pairs),
    "PegasusForConditionalGeneration": (_SEQ2SEQ, _pairs),
    "PegasusXForConditionalGeneration": ({**_SEQ2SEQ, "block_size": 8, "num_global_tokens": 4}, partial(_pairs, 32)),
    "PLBartForConditionalGeneration": (_SEQ2SEQ, _pairs),
    "ProphetNetForConditionalGeneration": (
        {"vocab_size": 99, "hidden_size": 32, "num_encoder_layers": 2, "num_decoder_layers": 2,
         "num_encoder_attention_heads": 4, "num_decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
         "max_position_embeddings": 64, **_SPECIAL},
        _pairs),
    "SwitchTransformersForConditionalGeneration": (
        {**_T5, "num_experts": 4, "num_sparse_encoder_layers": 1, "num_sparse_decoder_layers": 1, "num_decoder_layers": 2},
        _pairs),
    "T5ForConditionalGeneration": (_T5, _pairs),
    "T5EncoderModel": (_T5, _tokens),
    "UMT5ForConditionalGeneration": ({**_T5, "use_cache": False}, _pairs),
    "WhisperForConditionalGeneration": (
        {**_SEQ2SEQ, "num_mel_bins": 20, "max_source_positions": 30, "max_target_positions": 40},
        lambda: given(input_features=torch.randn(1, 20, 60), decoder_input_ids=torch.randint(3, 95, (1, 5)))),
    "Speech2TextForConditionalGeneration": (
        {**_SEQ2SEQ, "input_feat_per_channel": 20, "max_source_positions": 100, "max_target_positions": 40,
         "conv_channels": 32},
        lambda: given(input_features=torch.randn(1, 60, 20), decoder_input_ids=torch.randint(3, 95, (1, 5)))),
    "MoonshineForConditionalGeneration": (
        {"vocab_size": 99, "hidden_size": 32, "intermediate_size": 64, "encoder_num_hidden_layers": 2,
         "decoder_num_hidden_layers": 2, "encoder_num_attention_heads": 4, "decoder_num_attention_heads": 4, **_SPECIAL},
        lambda: given(input_values=torch.randn(1, 4000), decoder_input_ids=torch.randint(3, 95, (1, 5)))),
}  # fmt: skip
"""All options, and inputs, by class."""

_RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "layer_type": "basic"}
_SWIN = {
    "embed_dim": 16,
    "depths": [1, 1, 1, 1],
    "num_heads": [1, 2, 2, 4],
    "window_size": 4,
    "image_size": 64,
    "patch_size": 2,
}
_DETR = {
    "use_timm_backbone": False,
    "use_pretrained_backbone": False,
    "backbone": None,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "num_queries": 10,
    "num_labels": 5,
}


def _with_backbone(kind: str, part: str, part_options: Options, **options: Any) -> nn.Module:
    """A model around a backbone that has a config of its own."""
    import transformers

    cls = getattr(transformers, kind)
    config = getattr(transformers, part)(**part_options)
    return cls(cls.config_class(backbone_config=config, **options))


_RESNET_BACKBONE = ("ResNetConfig", {**_RESNET, "out_features": ["stage2", "stage3", "stage4"]})
_LAST_STAGE = ("ResNetConfig", {**_RESNET, "out_features": ["stage4"]})
_ALL_STAGES = ("ResNetConfig", {**_RESNET, "out_features": ["stage1", "stage2", "stage3", "stage4"]})
_VIT_BACKBONE = (
    "Dinov2Config",
    {
        **_VISION,
        "num_hidden_layers": 4,
        "out_indices": [1, 2, 3, 4],
        "reshape_hidden_states": False,
        "apply_layernorm": False,
    },
)

_WITH_BACKBONE: dict[str, tuple[tuple[str, Options], Options, Inputs]] = {
    "DetrForObjectDetection": (_LAST_STAGE, _DETR, partial(_image, 64)),
    "DetrForSegmentation": (_ALL_STAGES, {**_DETR, "d_model": 64, "encoder_attention_heads": 8, "decoder_attention_heads": 8}, partial(_image, 64)),
    "ConditionalDetrForObjectDetection": (_LAST_STAGE, _DETR, partial(_image, 64)),
    "DabDetrForObjectDetection": (_LAST_STAGE, {**_DETR, "hidden_size": 32}, partial(_image, 64)),
    "DeformableDetrForObjectDetection": (_RESNET_BACKBONE, {**_DETR, "num_feature_levels": 4}, partial(_image, 128)),
    "TableTransformerForObjectDetection": (_LAST_STAGE, _DETR, partial(_image, 64)),
    "UperNetForSemanticSegmentation": (_ALL_STAGES, {"hidden_size": 16, "pool_scales": [1, 2], "num_labels": 4, "auxiliary_in_channels": 24, "auxiliary_channels": 8}, partial(_image, 64)),
    "DepthAnythingForDepthEstimation": (
        (_VIT_BACKBONE),
        {"patch_size": 8, "reassemble_hidden_size": 32, "neck_hidden_sizes": [8, 16, 24, 32], "fusion_hidden_size": 16, "head_hidden_size": 8},
        _image),
    "VitMatteForImageMatting": (
        ("VitDetConfig", {**_VISION, "num_channels": 4, "image_size": 64, "pretrain_image_size": 64, "patch_size": 16, "out_features": ["stage2"], "window_size": 2, "residual_block_indices": [1]}),
        {"hidden_size": 32, "convstream_hidden_sizes": [8, 16, 24], "fusion_hidden_sizes": [32, 24, 16, 8]},
        partial(_image, 64, 4)),
    "VitPoseForPoseEstimation": (
        ("VitPoseBackboneConfig", {**_VISION, "image_size": [32, 32], "patch_size": [8, 8], "out_indices": [2]}),
        {"num_labels": 4}, _image),
    "RTDetrForObjectDetection": (
        ("RTDetrResNetConfig", {**_RESNET, "out_features": ["stage2", "stage3", "stage4"]}),
        {"encoder_hidden_dim": 32, "encoder_in_channels": [16, 24, 32], "encoder_layers": 1, "encoder_ffn_dim": 64,
         "encoder_attention_heads": 4, "d_model": 32, "num_queries": 10, "decoder_in_channels": [32, 32, 32],
         "decoder_ffn_dim": 64, "num_feature_levels": 3, "decoder_n_points": 2, "decoder_layers": 2,
         "decoder_attention_heads": 4, "num_denoising": 0, "num_labels": 5, "use_timm_backbone": False},
        partial(_image, 64)),
    "DFineForObjectDetection": (
        ("HGNetV2Config", {"embedding_size": 8, "stem_channels": [3, 8, 8], "hidden_sizes": [16, 24, 32, 40], "depths": [1, 1, 1, 1],
          "stage_in_channels": [8, 16, 24, 32], "stage_mid_channels": [8, 8, 8, 8], "stage_out_channels": [16, 24, 32, 40],
          "stage_num_blocks": [1, 1, 1, 1], "stage_downsample": [False, True, True, True], "stage_light_block": [False] * 4,
          "stage_kernel_size": [3] * 4, "stage_numb_of_layers": [2] * 4, "out_features": ["stage2", "stage3", "stage4"]}),
        {"encoder_hidden_dim": 32, "encoder_in_channels": [24, 32, 40], "encoder_layers": 1, "encoder_ffn_dim": 64,
         "encoder_attention_heads": 4, "d_model": 32, "num_queries": 10, "decoder_in_channels": [32, 32, 32],
         "decoder_ffn_dim": 64, "num_feature_levels": 3, "decoder_n_points": [2, 2, 2], "decoder_layers": 2,
         "decoder_attention_heads": 4, "num_denoising": 0, "num_labels": 5},
        partial(_image, 64)),
    "Mask2FormerForUniversalSegmentation": (
        ("SwinConfig", {**_SWIN, "out_features": ["stage1", "stage2", "stage3", "stage4"]}),
        {"feature_size": 32, "mask_feature_size": 32, "hidden_dim": 32, "encoder_feedforward_dim": 64, "encoder_layers": 1,
         "decoder_layers": 2, "num_attention_heads": 4, "dim_feedforward": 64, "num_queries": 8, "num_labels": 5},
        partial(_image, 64)),
    "MaskFormerForInstanceSegmentation": (
        ("SwinConfig", {**_SWIN, "out_features": ["stage1", "stage2", "stage3", "stage4"]}),
        {"fpn_feature_size": 32, "mask_feature_size": 32, "num_labels": 5, "use_auxiliary_loss": False,
         "decoder_config": {"model_type": "detr", **_DETR}},
        partial(_image, 64)),
    "ZoeDepthForDepthEstimation": (
        ("BeitConfig", {**_VISION, "num_hidden_layers": 4, "out_indices": [1, 2, 3, 4], "reshape_hidden_states": False, "use_relative_position_bias": True}),
        {"reassemble_factors": [4, 2, 1, 0.5], "neck_hidden_sizes": [8, 16, 24, 32], "fusion_hidden_size": 16, "bottleneck_features": 16,
         "num_relative_features": 8, "bin_embedding_dim": 16, "num_attractors": [4, 3, 2, 1],
         "bin_configurations": [{"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0, "name": "a"}]},
        _image),
}  # fmt: skip
"""Backbone, options and inputs by class."""

_VISIONS: dict[str, tuple[Options, Inputs]] = {
    "BeitForImageClassification": ({**_VISION, "use_relative_position_bias": True}, _image),
    "BitForImageClassification": ({**_RESNET, "num_groups": 4, "layer_type": "preactivation"}, partial(_image, 64)),
    "ConvNextForImageClassification": ({"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}, partial(_image, 64)),
    "ConvNextV2Model": ({"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}, partial(_image, 64)),
    "CvtForImageClassification": ({"embed_dim": [16, 32, 48], "num_heads": [1, 2, 4], "depth": [1, 2, 3]}, partial(_image, 64)),
    "Data2VecVisionForSemanticSegmentation": (
        {**_VISION, "num_hidden_layers": 4, "out_indices": [0, 1, 2, 3], "use_auxiliary_head": False, "pool_scales": [1, 2]}, _image),
    "DeiTForImageClassificationWithTeacher": (_VISION, _image),
    "Dinov2ForImageClassification": (_VISION, _image),
    "Dinov2WithRegistersModel": (_VISION, partial(_image, 48)),
    "DINOv3ViTModel": (_VISION, _image),
    "DPTForDepthEstimation": (
        {**_VISION, "num_hidden_layers": 4, "backbone_out_indices": [0, 1, 2, 3], "neck_hidden_sizes": [8, 16, 24, 32],
         "fusion_hidden_size": 16},
        _image),
    "EfficientNetForImageClassification": (
        {"width_coefficient": 0.25, "depth_coefficient": 0.3, "hidden_dim": 320, "image_size": 64}, partial(_image, 64)),
    "FocalNetForImageClassification": ({"embed_dim": 16, "depths": [1, 1, 1, 1], "image_size": 64}, partial(_image, 64)),
    "GLPNForDepthEstimation": (
        {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4], "decoder_hidden_size": 16},
        partial(_image, 64)),
    "HieraForImageClassification": (
        {"embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2], "image_size": [64, 64]}, partial(_image, 64)),
    "IJepaForImageClassification": (_VISION, _image),
    "ImageGPTForImageClassification": (
        {"vocab_size": 65, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 4},
        lambda: given(input_ids=torch.randint(0, 64, (1, 36)))),
    "LevitForImageClassificationWithTeacher": (
        {"image_size": 64, "hidden_sizes": [16, 24, 32], "num_attention_heads": [2, 2, 4], "depths": [1, 1, 1], "key_dim": [8, 8, 8]},
        partial(_image, 64)),
    "MgpstrForSceneTextRecognition": (
        {"image_size": [32, 32], "patch_size": 8, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_bpe_labels": 99, "num_wordpiece_labels": 99},
        _image),
    "MobileNetV1ForImageClassification": ({"depth_multiplier": 0.25}, partial(_image, 64)),
    "MobileNetV2ForSemanticSegmentation": ({"depth_multiplier": 0.25, "num_labels": 4}, partial(_image, 64)),
    "MobileViTForSemanticSegmentation": (
        {"hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 16, 24, 32, 40, 48], "image_size": 64, "num_labels": 4,
         "aspp_out_channels": 16},
        partial(_image, 64)),
    "MobileViTV2ForImageClassification": ({"width_multiplier": 0.25, "image_size": 64}, partial(_image, 64)),
    "PoolFormerForImageClassification": ({"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}, partial(_image, 64)),
    "PvtForImageClassification": ({"image_size": 64, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4]}, partial(_image, 64)),
    "PvtV2ForImageClassification": (
        {"image_size": 64, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4]}, partial(_image, 64)),
    "RegNetForImageClassification": ({**_RESNET, "layer_type": "y", "groups_width": 8}, partial(_image, 64)),
    "ResNetForImageClassification": (_RESNET, partial(_image, 64)),
    "SamModel": (
        {"vision_config": {**_VISION, "image_size": 64, "output_channels": 16, "num_pos_feats": 8, "mlp_dim": 64, "global_attn_indexes": [1], "window_size": 3},
         "prompt_encoder_config": {"hidden_size": 16, "image_size": 64, "patch_size": 8, "mask_input_channels": 4},
         "mask_decoder_config": {"hidden_size": 16, "num_attention_heads": 2, "mlp_dim": 32, "iou_head_hidden_dim": 16}},
        lambda: _image(64, input_points=torch.rand(1, 1, 2, 2) * 64, input_labels=torch.ones(1, 1, 2, dtype=torch.long))),
    "SegformerForSemanticSegmentation": (
        {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4], "decoder_hidden_size": 16, "num_labels": 4},
        partial(_image, 64)),
    "SuperPointForKeypointDetection": (
        {"encoder_hidden_sizes": [8, 8, 16, 16], "decoder_hidden_size": 16, "descriptor_decoder_dim": 16, "keypoint_threshold": 0.0,
         "max_keypoints": 10, "border_removal_distance": 2},
        lambda: _image(64, 3)),
    "SwiftFormerForImageClassification": ({"depths": [1, 1, 1, 1], "embed_dims": [8, 16, 24, 32]}, partial(_image, 64)),
    "SwinForImageClassification": (_SWIN, partial(_image, 64)),
    "SwinForMaskedImageModeling": ({**_SWIN, "encoder_stride": 16}, lambda: _image(64, bool_masked_pos=torch.arange(1024)[None] % 3 == 0)),
    "Swin2SRForImageSuperResolution": (
        {"image_size": 32, "patch_size": 1, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4, "upscale": 2}, _image),
    "Swinv2ForImageClassification": (_SWIN, partial(_image, 64)),
    "TextNetForImageClassification": ({}, partial(_image, 64)),
    "TimesformerForVideoClassification": ({**_VISION, "num_frames": 4}, _video),
    "VideoMAEForVideoClassification": ({**_VISION, "num_frames": 4, "tubelet_size": 2}, _video),
    "ViTForImageClassification": (_VISION, _image),
    "ViTMAEForPreTraining": (
        {**_VISION, "decoder_hidden_size": 16, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2, "decoder_intermediate_size": 32},
        _image),
    "ViTMSNForImageClassification": (_VISION, _image),
    "VivitForVideoClassification": ({**_VISION, "num_frames": 4, "tubelet_size": [2, 8, 8]}, _video),
    "VJEPA2Model": (
        {**_VISION, "crop_size": 32, "frames_per_clip": 4, "tubelet_size": 2, "mlp_ratio": 2.0, "pred_hidden_size": 16,
         "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1},
        lambda: given(pixel_values_videos=torch.rand(1, 4, 3, 32, 32))),
    "YolosForObjectDetection": ({**_VISION, "image_size": [32, 32], "num_detection_tokens": 6}, _image),
}  # fmt: skip
"""All options, and inputs, by class."""

_TEXT_PART = {**_ENCODER, "max_position_embeddings": 64, "projection_dim": 16}
_VISION_PART = {**_VISION, "projection_dim": 16}
_CLIP = {"text_config": _TEXT_PART, "vision_config": _VISION_PART, "projection_dim": 16}
_LLAMA_PART = {"model_type": "llama", **_DECODER}
_CLIP_PART = {"model_type": "clip_vision_model", **_VISION_PART}


def _placed_image(token: int, count: int, size: int = 32, **more: Any) -> Example:
    """Token ids in which some stand for the patches of an image."""
    ids = torch.randint(3, 90, (1, count + 6))
    ids[0, 2 : 2 + count] = token
    return given(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=torch.rand(1, 3, size, size), **more)


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


_MULTIMODAL: dict[str, tuple[Options, Inputs]] = {
    "AltCLIPModel": ({**_CLIP, "text_config": {**_TEXT_PART, "project_dim": 16}}, _image_and_text),
    "BlipForConditionalGeneration": (_CLIP, _image_and_text),
    "Blip2ForConditionalGeneration": (
        {"vision_config": _VISION_PART, "qformer_config": {**_ENCODER, "encoder_hidden_size": 32},
         "text_config": {"model_type": "opt", **_DECODER, "ffn_dim": 64, "word_embed_proj_dim": 32}, "num_query_tokens": 4,
         "image_token_index": 95, "image_token_id": 95},
        partial(_placed_image, 95, 4)),
    "BridgeTowerModel": (
        {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "text_config": {**_TEXT_PART, "hidden_size": 64, "num_hidden_layers": 3},
         "vision_config": {**_VISION_PART, "hidden_size": 64, "num_hidden_layers": 3}},
        lambda: given(input_ids=torch.randint(3, 95, (1, 10)), attention_mask=torch.ones(1, 10), pixel_values=torch.rand(1, 3, 32, 32),
                      pixel_mask=torch.ones(1, 32, 32))),
    "ChineseCLIPModel": (_CLIP, _image_and_text),
    "CLIPModel": (_CLIP, _image_and_text),
    "CLIPVisionModelWithProjection": (_VISION_PART, _image),
    "CLIPSegForImageSegmentation": (
        {**_CLIP, "extract_layers": [0, 1], "reduce_dim": 16, "decoder_num_attention_heads": 2, "decoder_intermediate_size": 32,
         "conditional_layer": 0},
        _image_and_text),
    "FlavaModel": (
        {"text_config": _TEXT_PART, "image_config": _VISION_PART,
         "multimodal_config": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64},
         "hidden_size": 32, "projection_dim": 16},
        _image_and_text),
    "GitForCausalLM": ({**_TEXT_PART, "vision_config": _VISION_PART, "num_image_with_embedding": None}, _image_and_text),
    "GroupViTModel": (
        {"text_config": _TEXT_PART,
         "vision_config": {**_VISION_PART, "depths": [1, 1, 1], "num_group_tokens": [8, 4, 0], "num_output_groups": [8, 4, 4]},
         "projection_dim": 16, "projection_intermediate_dim": 32},
        _image_and_text),
    "InternVLForConditionalGeneration": (
        {"vision_config": {**_VISION_PART, "image_size": [32, 32], "patch_size": [8, 8]}, "text_config": _LLAMA_PART, "image_token_id": 95},
        partial(_placed_image, 95, 4)),
    "Kosmos2ForConditionalGeneration": (
        {"text_config": {"vocab_size": 99, "embed_dim": 32, "layers": 2, "ffn_dim": 64, "attention_heads": 4, "max_position_embeddings": 64, **_SPECIAL},
         "vision_config": _VISION_PART, "latent_query_num": 4},
        lambda: given(**{**_placed_image(95, 4).kwargs, "image_embeds_position_mask": torch.tensor([[0] * 2 + [1] * 4 + [0] * 4])})),
    "LlavaForConditionalGeneration": (
        {"text_config": _LLAMA_PART, "vision_config": _CLIP_PART, "image_token_id": 95, "image_token_index": 95, "vision_feature_layer": -2},
        partial(_placed_image, 95, 16)),
    "LlavaForConditionalGeneration+projector": (
        {"text_config": {**_LLAMA_PART, "model_type": "mistral"}, "vision_config": {**_VISION_PART, "model_type": "siglip_vision_model"},
         "image_token_id": 95, "image_token_index": 95, "vision_feature_select_strategy": "full"},
        partial(_placed_image, 95, 16)),
    "LxmertModel": (
        {**_ENCODER, "l_layers": 1, "x_layers": 1, "r_layers": 1, "visual_feat_dim": 20},
        lambda: given(input_ids=torch.randint(3, 95, (1, 8)), visual_feats=torch.rand(1, 5, 20), visual_pos=torch.rand(1, 5, 4))),
    "OwlViTForObjectDetection": ({"text_config": _TEXT_PART, "vision_config": _VISION_PART, "projection_dim": 32}, _image_and_text),
    "Owlv2ForObjectDetection": ({"text_config": _TEXT_PART, "vision_config": _VISION_PART, "projection_dim": 32}, _image_and_text),
    "PaliGemmaForConditionalGeneration": (
        {"text_config": {**_DECODER, "model_type": "gemma"}, "vision_config": {**_VISION_PART, "model_type": "siglip_vision_model"},
         "image_token_id": 95, "image_token_index": 95, "projection_dim": 32, "hidden_size": 32},
        partial(_placed_image, 95, 16)),
    "Pix2StructForConditionalGeneration": (
        {"text_config": {"vocab_size": 99, "hidden_size": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, **_SPECIAL},
         "vision_config": {"hidden_size": 32, "patch_embed_hidden_size": 768, "d_ff": 64, "d_kv": 8, "num_hidden_layers": 2,
                           "num_attention_heads": 4, "seq_len": 16}},
        lambda: given(flattened_patches=torch.rand(1, 16, 770), attention_mask=torch.ones(1, 16), decoder_input_ids=torch.randint(3, 95, (1, 5)))),
    "Qwen2VLForConditionalGeneration": (
        {"text_config": {**_DECODER, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}},
         "vision_config": {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 4, "patch_size": 8, "mlp_ratio": 2},
         "image_token_id": 95, "video_token_id": 96, "vision_start_token_id": 93, "vision_end_token_id": 94},
        _qwen_image),
    "Qwen2_5_VLForConditionalGeneration": (
        {"text_config": {**_DECODER, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}},
         "vision_config": {"depth": 2, "hidden_size": 32, "out_hidden_size": 32, "intermediate_size": 64, "num_heads": 4, "patch_size": 8,
                           "window_size": 32, "fullatt_block_indexes": [1]},
         "image_token_id": 95, "video_token_id": 96, "vision_start_token_id": 93, "vision_end_token_id": 94},
        _qwen_image),
    "SiglipModel": ({"text_config": {**_TEXT_PART, "projection_size": 32}, "vision_config": _VISION_PART}, _image_and_text),
    "ViltForQuestionAnswering": ({**_TEXT_PART, **_VISION_PART}, _image_and_text),
    "XCLIPModel": (
        {"text_config": _TEXT_PART,
         "vision_config": {**_VISION_PART, "num_frames": 4, "mit_hidden_size": 16, "mit_intermediate_size": 32, "mit_num_attention_heads": 2,
                           "mit_num_hidden_layers": 1},
         "projection_dim": 16, "prompt_num_attention_heads": 2},
        lambda: given(input_ids=torch.randint(3, 95, (2, 8)), pixel_values=torch.rand(1, 4, 3, 32, 32))),
}  # fmt: skip
"""All options, and inputs, by class."""

_AUDIOS: dict[str, tuple[Options, Inputs]] = {
    "ASTForAudioClassification": ({**_VISION, "max_length": 32, "num_mel_bins": 16, "patch_size": 8, "frequency_stride": 4, "time_stride": 4},
                                  lambda: given(input_values=torch.randn(1, 32, 16))),
    "ClapModel": (
        {"text_config": _TEXT_PART,
         "audio_config": {"patch_embeds_hidden_size": 16, "depths": [1, 1], "num_attention_heads": [2, 2], "window_size": 4, "spec_size": 64,
                          "num_mel_bins": 16, "hidden_size": 32, "patch_size": 4, "patch_stride": [4, 4], "projection_dim": 16},
         "projection_dim": 16},
        lambda: given(input_ids=torch.randint(3, 95, (1, 8)), input_features=torch.rand(1, 1, 200, 16), is_longer=torch.tensor([[False]]))),
    "DacModel": ({"encoder_hidden_size": 8, "decoder_hidden_size": 64, "downsampling_ratios": [2, 4], "upsampling_ratios": [4, 2], "n_codebooks": 2,
                  "codebook_size": 16, "codebook_dim": 4},
                 lambda: given(input_values=torch.randn(1, 1, 512))),
    "Data2VecAudioForCTC": ({**_AUDIO, "conv_pos_kernel_size": 5}, _waveform),
    "EncodecModel": ({"num_filters": 4, "hidden_size": 16, "codebook_size": 16, "upsampling_ratios": [4, 2], "codebook_dim": 16, "num_lstm_layers": 2},
                     lambda: given(input_values=torch.randn(1, 1, 512))),
    "HubertForSequenceClassification": ({**_AUDIO, "num_labels": 3}, _waveform),
    "MimiModel": ({"hidden_size": 32, "num_filters": 4, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 8, "intermediate_size": 64,
                   "upsampling_ratios": [4, 2], "num_quantizers": 4, "codebook_size": 16, "codebook_dim": 8, "vector_quantization_hidden_dimension": 8,
                   "upsample_groups": 32, "num_semantic_quantizers": 1, "frame_rate": 1500},
                  lambda: given(input_values=torch.randn(1, 1, 512))),
    "SEWForCTC": ({**_AUDIO, "squeeze_factor": 2}, _waveform),
    "SpeechT5HifiGan": ({"model_in_dim": 16, "upsample_initial_channel": 32, "upsample_rates": [4, 4], "upsample_kernel_sizes": [8, 8]},
                        lambda: given(torch.randn(1, 12, 16))),
    "UniSpeechForCTC": ({**_AUDIO, "num_ctc_classes": 32}, _waveform),
    "UnivNetModel": ({"model_in_channels": 8, "model_hidden_channels": 8, "num_mel_bins": 20, "kernel_predictor_hidden_channels": 8,
                      "resblock_kernel_sizes": [3], "resblock_stride_sizes": [4], "resblock_dilation_sizes": [[1, 3]]},
                     lambda: given(input_features=torch.randn(1, 6, 20), noise_sequence=torch.randn(1, 6, 8))),
    "VitsModel": (
        {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "ffn_dim": 32, "flow_size": 16,
         "spectrogram_bins": 17, "duration_predictor_num_flows": 1, "duration_predictor_filter_channels": 16, "posterior_encoder_num_wavenet_layers": 2,
         "prior_encoder_num_flows": 1, "prior_encoder_num_wavenet_layers": 2, "upsample_initial_channel": 16, "upsample_rates": [4, 2],
         "upsample_kernel_sizes": [8, 4], "use_stochastic_duration_prediction": False},
        lambda: given(input_ids=torch.randint(3, 40, (1, 8)))),
    "Wav2Vec2ForCTC": (_AUDIO, _waveform),
    "Wav2Vec2ForPreTraining": ({**_AUDIO, "num_codevectors_per_group": 8, "codevector_dim": 16, "proj_codevector_dim": 16}, _waveform),
    "Wav2Vec2BertForCTC": (
        {"vocab_size": 32, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "feature_projection_input_dim": 20,
         "conv_depthwise_kernel_size": 5},
        lambda: given(input_features=torch.randn(1, 40, 20))),
    "Wav2Vec2ConformerForCTC": ({**_AUDIO, "position_embeddings_type": "rotary", "conv_depthwise_kernel_size": 5}, _waveform),
    "WavLMForCTC": (_AUDIO, _waveform),
    "FastSpeech2ConformerModel": (
        {"hidden_size": 24, "vocab_size": 40, "num_mel_bins": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_num_attention_heads": 2,
         "decoder_num_attention_heads": 2, "encoder_linear_units": 32, "decoder_linear_units": 32, "speech_decoder_postnet_units": 16,
         "speech_decoder_postnet_layers": 2, "duration_predictor_channels": 16, "energy_predictor_channels": 16, "pitch_predictor_channels": 16},
        lambda: given(input_ids=torch.randint(3, 40, (1, 8)))),
}  # fmt: skip
"""All options, and inputs, by class."""

_SERIES = {"prediction_length": 4, "context_length": 12, "lags_sequence": [1, 2], "num_time_features": 2, "d_model": 16, "encoder_layers": 1,
           "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}  # fmt: skip


def _series() -> Example:
    past, future = 14, 4
    return given(
        past_values=torch.rand(2, past),
        past_time_features=torch.rand(2, past, 2),
        past_observed_mask=torch.ones(2, past),
        future_values=torch.rand(2, future),
        future_time_features=torch.rand(2, future, 2),
    )


_OTHERS: dict[str, tuple[Options, Inputs]] = {
    "FalconForCausalLM": (
        {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "new_decoder_architecture": True,
         "num_kv_heads": 2, **_SPECIAL},
        _tokens),
    "FunnelForMaskedLM": (
        {"vocab_size": 99, "block_sizes": [1, 1], "d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 64}, _tokens),
    "AutoformerForPrediction": ({**_SERIES, "moving_average": 5, "label_length": 4}, _series),
    "DecisionTransformerModel": (
        {"state_dim": 5, "act_dim": 3, "hidden_size": 32, "n_layer": 2, "n_head": 4, "max_ep_len": 50},
        lambda: given(states=torch.rand(1, 6, 5), actions=torch.rand(1, 6, 3), rewards=torch.rand(1, 6, 1), returns_to_go=torch.rand(1, 6, 1),
                      timesteps=torch.arange(6)[None], attention_mask=torch.ones(1, 6, dtype=torch.long))),
    "InformerModel": (_SERIES, _series),
    "PatchTSMixerForPrediction": ({"context_length": 32, "patch_length": 8, "patch_stride": 8, "d_model": 16, "num_layers": 2, "prediction_length": 4,
                                   "num_input_channels": 2},
                                  lambda: given(past_values=torch.rand(2, 32, 2))),
    "PatchTSTForPrediction": ({"context_length": 32, "patch_length": 8, "patch_stride": 8, "d_model": 16, "num_attention_heads": 2, "ffn_dim": 32,
                               "num_hidden_layers": 2, "prediction_length": 4, "num_input_channels": 2},
                              lambda: given(past_values=torch.rand(2, 32, 2))),
    "TimeSeriesTransformerModel": (_SERIES, _series),
}  # fmt: skip
"""Time series, control and what fits nowhere else: all options, and inputs, by class."""


def _entries() -> list[Entry]:
    rows: list[tuple[str, Callable[[], nn.Module], Inputs]] = []
    for name, (options, inputs) in _ENCODERS.items():
        rows.append((name, partial(_model, name, **{**_ENCODER, **options}), inputs))
    for name, (options, inputs) in _DECODERS.items():
        rows.append((name, partial(_model, name, **{**_DECODER, **options}), inputs))
    for name, options in _STEPS.items():
        rows.append((f"{name}+step", partial(_model, name, **{**_DECODER, **options}), _step))
    for table in (_SEQ2SEQS, _VISIONS, _MULTIMODAL, _AUDIOS, _OTHERS):
        for name, (options, inputs) in table.items():
            rows.append((name, partial(_model, name.partition("+")[0], **options), inputs))
    for name, ((part, part_options), options, inputs) in _WITH_BACKBONE.items():
        rows.append((name, partial(_with_backbone, name, part, part_options, **options), inputs))
    return [Entry(f"transformers/{name}", build, inputs, "transformers") for name, build, inputs in rows]


ENTRIES = _entries()
