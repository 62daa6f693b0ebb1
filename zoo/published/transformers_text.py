"""Encoders, decoders and encoder-decoders of text (and of speech to text) of transformers, two layers each."""

from __future__ import annotations

from functools import partial

import torch

from zoo.entry import Example, given
from zoo.published.transformers_parts import (
    DECODER,
    ENCODER,
    EXPERTS,
    SEQ2SEQ,
    SPECIAL,
    T5,
    Inputs,
    Options,
    choices,
    entries,
    ids,
    pairs,
    tokens,
    with_boxes,
)

_STATE_SPACE = {"state_size": 4, "conv_kernel": 4, "time_step_rank": 4}
_NO_CACHE = {"use_cache": False}
_LATENT = {
    **EXPERTS, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8,
    "n_routed_experts": 4, "n_shared_experts": 1, "num_key_value_heads": 4, "n_group": 1, "topk_group": 1,
    "first_k_dense_replace": 1,
}  # fmt: skip
_LINEAR = {
    "linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2, "linear_num_value_heads": 4,
    "layer_types": ["linear_attention", "full_attention"],
}  # fmt: skip


def _step(kind: str = "DynamicCache") -> Example:
    """One token after six that are in a cache, for `DECODER` with 2 layers."""
    import transformers

    cache = getattr(transformers, kind)()
    for layer in range(2):
        cache.update(torch.randn(1, 2, 6, 8), torch.randn(1, 2, 6, 8), layer)
    return given(input_ids=torch.randint(3, 95, (1, 1)), past_key_values=cache, use_cache=True)


_ENCODERS: dict[str, tuple[Options, Inputs]] = {
    "AlbertForMaskedLM": ({"embedding_size": 16}, tokens),
    "BertForMaskedLM": ({}, tokens),
    "BertForSequenceClassification": ({"num_labels": 3}, tokens),
    "BertLMHeadModel": ({"is_decoder": True}, tokens),
    "BigBirdForMaskedLM": (
        {"block_size": 8, "num_random_blocks": 2, "max_position_embeddings": 256}, partial(tokens, 128),
    ),
    "BrosForTokenClassification": (
        {"hidden_size": 64, "dim_bbox": 8, "bbox_scale": 100.0, "n_relations": 1},
        lambda: tokens(bbox=torch.rand(2, 12, 8)),
    ),
    "CamembertForTokenClassification": ({}, tokens),
    "CanineForSequenceClassification": (
        {"local_transformer_stride": 16, "upsampling_kernel_size": 3}, partial(tokens, 32),
    ),
    "ConvBertForMaskedLM": ({"embedding_size": 16, "conv_kernel_size": 5}, tokens),
    "Data2VecTextForMaskedLM": ({}, tokens),
    "DebertaForMaskedLM": ({"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}, tokens),
    "DebertaV2ForTokenClassification": ({"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}, tokens),
    "DistilBertForQuestionAnswering": ({"hidden_dim": 64}, tokens),
    "DPRQuestionEncoder": ({}, tokens),
    "ElectraForPreTraining": ({"embedding_size": 16}, tokens),
    "ErnieForMaskedLM": ({}, tokens),
    "ErnieForMultipleChoice": ({}, lambda: given(input_ids=torch.randint(3, 95, (2, 3, 8)))),
    "EsmForMaskedLM": ({"position_embedding_type": "rotary", "mask_token_id": 4}, tokens),
    "EuroBertForMaskedLM": ({"num_key_value_heads": 2, "head_dim": 8}, tokens),
    "FlaubertWithLMHeadModel": ({"emb_dim": 32, "n_layers": 2, "n_heads": 4}, tokens),
    "FNetForMaskedLM": ({}, ids),
    "IBertForSequenceClassification": ({"quant_mode": False}, tokens),
    "JinaEmbeddingsV3Model": ({}, tokens),
    "LayoutLMForTokenClassification": ({}, with_boxes),
    "LayoutLMv3ForTokenClassification": (
        {
            "coordinate_size": 6, "shape_size": 4, "hidden_size": 32, "input_size": 32, "patch_size": 8,
            "num_labels": 3,
        },
        lambda: given(**with_boxes().kwargs, pixel_values=torch.rand(2, 3, 32, 32)),
    ),
    "LiltForTokenClassification": ({"hidden_size": 48}, with_boxes),
    "LongformerForMaskedLM": ({"attention_window": 8}, partial(tokens, 32)),
    "LukeForEntityClassification": (
        {"entity_vocab_size": 20, "entity_emb_size": 8},
        lambda: tokens(
            entity_ids=torch.ones(2, 1, dtype=torch.long), entity_attention_mask=torch.ones(2, 1, dtype=torch.long),
            entity_position_ids=torch.arange(4)[None, None].repeat(2, 1, 1),
        ),
    ),
    "LukeForMaskedLM": ({"entity_vocab_size": 20, "entity_emb_size": 8}, tokens),
    "MarkupLMForTokenClassification": ({"max_depth": 4, "xpath_unit_hidden_size": 8}, tokens),
    "MegatronBertForMaskedLM": ({}, tokens),
    "MobileBertForMaskedLM": ({"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16}, tokens),
    "ModernBertForMaskedLM": ({"local_attention": 8}, tokens),
    "MPNetForMaskedLM": ({}, tokens),
    "MraModel": ({}, tokens),
    "NomicBertModel": ({}, tokens),
    "NystromformerForMaskedLM": ({"num_landmarks": 4, "segment_means_seq_len": 12}, ids),
    "PerceiverForMaskedLM": (
        {
            "num_latents": 8, "d_latents": 32, "d_model": 32, "qk_channels": 32, "v_channels": 32,
            "num_self_attends_per_block": 2, "num_self_attention_heads": 4, "num_cross_attention_heads": 4,
            "max_position_embeddings": 12,
        },
        lambda: given(inputs=torch.randint(3, 95, (1, 12))),
    ),
    "ReformerModelWithLMHead": (
        {
            "axial_pos_shape": [4, 8], "axial_pos_embds_dim": [16, 16], "attn_layers": ["local", "lsh"],
            "attention_head_size": 8, "feed_forward_size": 64, "local_attn_chunk_length": 8,
            "lsh_attn_chunk_length": 8, "num_buckets": 2, "is_decoder": True, "max_position_embeddings": 32,
            "hash_seed": 0,
        },
        partial(ids, 32),
    ),
    "RemBertForMaskedLM": ({"input_embedding_size": 16, "output_embedding_size": 24}, tokens),
    "RobertaForMultipleChoice": ({}, choices),
    "RobertaPreLayerNormForMaskedLM": ({}, tokens),
    "RoCBertForMaskedLM": (
        {"pronunciation_vocab_size": 20, "pronunciation_embed_dim": 8, "shape_vocab_size": 20, "shape_embed_dim": 8},
        lambda: given(
            input_ids=torch.randint(3, 95, (2, 12)), input_shape_ids=torch.randint(0, 20, (2, 12)),
            input_pronunciation_ids=torch.randint(0, 20, (2, 12)),
        ),
    ),
    "RoFormerForMaskedLM": ({}, tokens),
    "SplinterForQuestionAnswering": ({"question_token_id": 5}, tokens),
    "SqueezeBertForMaskedLM": ({"embedding_size": 32}, tokens),
    "TapasForQuestionAnswering": ({}, lambda: tokens(token_type_ids=torch.zeros(2, 12, 7, dtype=torch.long))),
    "VisualBertModel": ({"visual_embedding_dim": 20}, lambda: tokens(visual_embeds=torch.rand(2, 4, 20))),
    "XLMRobertaForMaskedLM": ({}, tokens),
    "XLMWithLMHeadModel": ({"emb_dim": 32, "n_layers": 2, "n_heads": 4}, tokens),
    "XLNetLMHeadModel": ({"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64}, tokens),
    "XmodForMaskedLM": ({"languages": ["en_XX"], "default_language": "en_XX"}, tokens),
    "YosoForMaskedLM": ({"use_expectation": True}, tokens),
}  # fmt: skip
"""Options beside `ENCODER`, and inputs, by class."""

_DECODERS: dict[str, tuple[Options, Inputs]] = {
    "ApertusForCausalLM": (_NO_CACHE, ids),
    "ArceeForCausalLM": (_NO_CACHE, ids),
    "BambaForCausalLM": (
        {
            "attn_layer_indices": [1], "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8,
            "mamba_expand": 2, "mamba_chunk_size": 8,
        },
        ids,
    ),
    "BioGptForCausalLM": ({}, ids),
    "BitNetForCausalLM": (_NO_CACHE, ids),
    "BloomForCausalLM": ({}, tokens),
    "CodeGenForCausalLM": ({"n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4, "n_positions": 64}, ids),
    "Cohere2ForCausalLM": ({"sliding_window": 8}, ids),
    "CohereForCausalLM": ({}, tokens),
    "CpmAntForCausalLM": (
        {"dim_head": 8, "dim_ff": 64, "prompt_types": 4, "prompt_length": 4, "segment_types": 4}, ids,
    ),
    "CTRLLMHeadModel": ({"n_embd": 32, "n_layer": 2, "n_head": 4, "dff": 64, "n_positions": 64}, ids),
    "CwmForCausalLM": (_NO_CACHE, ids),
    "DbrxForCausalLM": (
        {
            "d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 64,
            "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
            "ffn_config": {"ffn_hidden_size": 16, "moe_num_experts": 4, "moe_top_k": 2},
        },
        ids,
    ),
    "DeepseekV2ForCausalLM": (
        {
            **EXPERTS, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8,
            "v_head_dim": 8, "n_routed_experts": 4, "n_shared_experts": 1, "first_k_dense_replace": 1, "n_group": 1,
            "topk_group": 1, "num_key_value_heads": 4,
        },
        ids,
    ),
    "DeepseekV32ForCausalLM": (
        {
            **_LATENT, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1, "index_n_heads": 2,
            "index_head_dim": 16, "index_topk": 4,
        },
        ids,
    ),
    "DeepseekV3ForCausalLM": (
        {
            **EXPERTS, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8,
            "v_head_dim": 8, "n_routed_experts": 4, "n_shared_experts": 1, "first_k_dense_replace": 1, "n_group": 2,
            "topk_group": 1, "num_key_value_heads": 4,
        },
        ids,
    ),
    "DiffLlamaForCausalLM": (_NO_CACHE, ids),
    "DogeForCausalLM": (_NO_CACHE, ids),
    "Ernie4_5ForCausalLM": ({}, ids),
    "Exaone4ForCausalLM": ({}, ids),
    "FalconH1ForCausalLM": (
        {
            "mamba_d_ssm": 64, "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8,
            "mamba_chunk_size": 8,
        },
        ids,
    ),
    "FalconMambaForCausalLM": ({**_STATE_SPACE, "use_cache": False}, ids),
    "FlexOlmoForCausalLM": (EXPERTS, ids),
    "Gemma2ForCausalLM": ({"sliding_window": 8, "query_pre_attn_scalar": 8}, tokens),
    "Gemma3ForCausalLM": ({"sliding_window": 8, "query_pre_attn_scalar": 8}, ids),
    "Gemma3nForCausalLM": (
        {
            "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 99, "altup_num_inputs": 2,
            "laurel_rank": 4, "num_kv_shared_layers": 0, "layer_types": ["sliding_attention", "full_attention"],
            "sliding_window": 8, "activation_sparsity_pattern": [0.5, 0.0],
        },
        ids,
    ),
    "Gemma4ForCausalLM": (
        {
            "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 99, "num_kv_shared_layers": 0,
            "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 8, "global_head_dim": 8,
        },
        ids,
    ),
    "GemmaForCausalLM": ({}, ids),
    "Glm4MoeForCausalLM": ({**EXPERTS, "n_routed_experts": 4, "n_group": 1, "topk_group": 1}, ids),
    "GlmForCausalLM": (_NO_CACHE, ids),
    "GlmMoeDsaForCausalLM": (
        {
            **_LATENT, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1, "index_n_heads": 2,
            "index_head_dim": 16, "index_topk": 4,
        },
        ids,
    ),
    "GPT2DoubleHeadsModel": ({}, choices),
    "GPT2LMHeadModel": ({}, tokens),
    "GPTBigCodeForCausalLM": ({"multi_query": True}, ids),
    "GPTJForCausalLM": ({"n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4, "n_positions": 64}, ids),
    "GPTNeoForCausalLM": (
        {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 8}, ids,
    ),
    "GPTNeoXForCausalLM": ({}, tokens),
    "GptOssForCausalLM": ({**EXPERTS, "sliding_window": 8}, ids),
    "GraniteForCausalLM": (_NO_CACHE, ids),
    "GraniteMoeForCausalLM": (EXPERTS, ids),
    "GraniteMoeHybridForCausalLM": (
        {
            **EXPERTS, "layer_types": ["mamba", "attention"], "mamba_n_heads": 8, "mamba_d_head": 8,
            "mamba_n_groups": 1, "mamba_d_state": 8, "mamba_chunk_size": 8, "shared_intermediate_size": 32,
        },
        ids,
    ),
    "GraniteMoeSharedForCausalLM": ({**EXPERTS, "shared_intermediate_size": 32}, ids),
    "HeliumForCausalLM": (_NO_CACHE, ids),
    "HunYuanMoEV1ForCausalLM": ({**EXPERTS, "moe_topk": 2}, ids),
    "JambaForCausalLM": (
        {
            **EXPERTS, "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2,
            "expert_layer_offset": 1, "mamba_d_state": 4, "mamba_d_conv": 4, "mamba_dt_rank": 4,
            "use_mamba_kernels": False,
        },
        ids,
    ),
    "JetMoeForCausalLM": (
        {"num_local_experts": 4, "num_experts_per_tok": 2, "kv_channels": 8, "num_key_value_heads": 2}, ids,
    ),
    "KimiLinearForCausalLM": (
        {
            **_LATENT, **_LINEAR,
            "linear_attn_config": {
                "kda_layers": [1], "full_attn_layers": [2], "head_dim": 8, "num_heads": 4,
                "short_conv_kernel_size": 4,
            },
        },
        ids,
    ),
    "Lfm2ForCausalLM": ({"full_attn_idxs": [1], "block_multiple_of": 8}, ids),
    "Lfm2MoeForCausalLM": ({**EXPERTS, "num_dense_layers": 1, "layer_types": ["conv", "full_attention"]}, ids),
    "Llama4ForCausalLM": (
        {**EXPERTS, "intermediate_size_mlp": 64, "interleave_moe_layer_step": 1, "attention_chunk_size": 8}, ids,
    ),
    "LlamaForCausalLM": (_NO_CACHE, ids),
    "LlamaForSequenceClassification": ({"num_labels": 3}, tokens),
    "LongcatFlashForCausalLM": (
        {
            **_LATENT, "num_layers": 1, "ffn_hidden_size": 64, "expert_ffn_hidden_size": 16, "zero_expert_num": 2,
            "moe_topk": 2,
        },
        ids,
    ),
    "Mamba2ForCausalLM": (
        {"num_heads": 8, "head_dim": 8, "expand": 2, "n_groups": 1, "state_size": 8, "chunk_size": 8}, ids,
    ),
    "MambaForCausalLM": (_STATE_SPACE, ids),
    "MiMoV2FlashForCausalLM": ({**EXPERTS, "n_routed_experts": 4}, ids),
    "MiniMaxForCausalLM": (
        {**EXPERTS, "block_size": 8, "layer_types": ["full_attention", "linear_attention"]}, ids,
    ),
    "MistralForCausalLM": ({"sliding_window": 8}, tokens),
    "MixtralForCausalLM": (EXPERTS, ids),
    "ModernBertDecoderForCausalLM": ({"local_attention": 8}, ids),
    "MptForCausalLM": ({"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 64}, ids),
    "NanoChatForCausalLM": ({}, ids),
    "NemotronForCausalLM": (_NO_CACHE, ids),
    "NemotronHForCausalLM": (
        {
            **EXPERTS, "layers_block_type": ["mamba", "attention"], "hybrid_override_pattern": "M*",
            "mamba_num_heads": 8, "mamba_head_dim": 8, "n_groups": 1, "ssm_state_size": 8, "chunk_size": 8,
        },
        ids,
    ),
    "Olmo2ForCausalLM": ({}, ids),
    "Olmo3ForCausalLM": ({"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]}, ids),
    "OlmoeForCausalLM": (EXPERTS, ids),
    "OlmoForCausalLM": (_NO_CACHE, ids),
    "OlmoHybridForCausalLM": (_LINEAR, ids),
    "OpenAIGPTLMHeadModel": ({}, ids),
    "OPTForCausalLM": ({"ffn_dim": 64, "word_embed_proj_dim": 16}, tokens),
    "PersimmonForCausalLM": ({}, ids),
    "Phi3ForCausalLM": ({}, ids),
    "PhiForCausalLM": (_NO_CACHE, ids),
    "PhimoeForCausalLM": (EXPERTS, ids),
    "Qwen2ForCausalLM": ({}, tokens),
    "Qwen2MoeForCausalLM": ({**EXPERTS, "shared_expert_intermediate_size": 32}, ids),
    "Qwen3_5ForCausalLM": (_LINEAR, ids),
    "Qwen3ForCausalLM": (_NO_CACHE, ids),
    "Qwen3MoeForCausalLM": ({**EXPERTS, "use_cache": False}, ids),
    "Qwen3NextForCausalLM": (
        {
            **EXPERTS, "layer_types": ["linear_attention", "full_attention"], "linear_key_head_dim": 8,
            "linear_value_head_dim": 8, "linear_num_key_heads": 2, "linear_num_value_heads": 4,
            "shared_expert_intermediate_size": 32,
        },
        ids,
    ),
    "RecurrentGemmaForCausalLM": (
        {"lru_width": 32, "attention_window_size": 8, "block_types": ["recurrent", "attention"]}, ids,
    ),
    "RwkvForCausalLM": ({"attention_hidden_size": 32, "context_length": 64}, ids),
    "SeedOssForCausalLM": (_NO_CACHE, ids),
    "SmolLM3ForCausalLM": (_NO_CACHE, ids),
    "StableLmForCausalLM": ({}, ids),
    "Starcoder2ForCausalLM": ({"sliding_window": 8}, ids),
    "TrOCRForCausalLM": (
        {"d_model": 32, "decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 64}, ids,
    ),
    "VaultGemmaForCausalLM": ({"sliding_window": 8, "query_pre_attn_scalar": 8}, ids),
    "XGLMForCausalLM": ({"d_model": 32, "ffn_dim": 64, "num_layers": 2, "attention_heads": 4}, ids),
    "XLMRobertaXLForCausalLM": ({"is_decoder": True}, ids),
    "xLSTMForCausalLM": ({"hidden_size": 128, "num_heads": 4, "chunk_size": 8, "mode": "inference"}, ids),
    "Zamba2ForCausalLM": (
        {
            "layers_block_type": ["mamba", "hybrid"], "mamba_d_state": 8, "n_mamba_heads": 4, "mamba_ngroups": 1,
            "mamba_headdim": 16, "chunk_size": 8, "use_mem_rope": True, "num_key_value_heads": 4,
            "attention_head_dim": 16, "attention_hidden_size": 64,
        },
        ids,
    ),
}  # fmt: skip
"""Options beside `DECODER`, and inputs, by class."""

_STEPS: dict[str, tuple[Options, Inputs]] = {
    "LlamaForCausalLM+step": ({}, _step),
    "MixtralForCausalLM+step": (EXPERTS, _step),
    "PhiForCausalLM+step": ({}, _step),
    "Qwen3ForCausalLM+step": ({}, _step),
}
"""Decoders for one token after a cache: options beside `DECODER`, and inputs."""

_SEQ2SEQS: dict[str, tuple[Options, Inputs]] = {
    "BartForConditionalGeneration": (SEQ2SEQ, pairs),
    "BartForSequenceClassification": (
        SEQ2SEQ, lambda: given(input_ids=torch.cat([torch.randint(3, 95, (2, 8)), torch.full((2, 1), 2)], 1)),
    ),
    "BigBirdPegasusForConditionalGeneration": ({**SEQ2SEQ, "attention_type": "original_full"}, pairs),
    "BlenderbotForConditionalGeneration": (SEQ2SEQ, pairs),
    "EncoderDecoderModel": (
        {
            "encoder": {"model_type": "bert", **ENCODER},
            "decoder": {"model_type": "bert", **ENCODER, "is_decoder": True, "add_cross_attention": True},
        },
        pairs,
    ),
    "FSMTForConditionalGeneration": (
        {**SEQ2SEQ, "src_vocab_size": 99, "tgt_vocab_size": 99, "langs": ["en", "de"]}, pairs,
    ),
    "LEDForConditionalGeneration": (
        {
            **SEQ2SEQ, "attention_window": 8, "max_encoder_position_embeddings": 64,
            "max_decoder_position_embeddings": 64,
        },
        partial(pairs, 32),
    ),
    "LongT5ForConditionalGeneration": (
        {**T5, "local_radius": 4, "encoder_attention_type": "transient-global"}, partial(pairs, 32),
    ),
    "M2M100ForConditionalGeneration": (SEQ2SEQ, pairs),
    "MarianMTModel": (SEQ2SEQ, pairs),
    "MBartForConditionalGeneration": ({**SEQ2SEQ, "use_cache": False}, pairs),
    "MoonshineForConditionalGeneration": (
        {
            "vocab_size": 99, "hidden_size": 32, "intermediate_size": 64, "encoder_num_hidden_layers": 2,
            "decoder_num_hidden_layers": 2, "encoder_num_attention_heads": 4, "decoder_num_attention_heads": 4,
            **SPECIAL,
        },
        lambda: given(input_values=torch.randn(1, 4000), decoder_input_ids=torch.randint(3, 95, (1, 5))),
    ),
    "MT5ForConditionalGeneration": (T5, pairs),
    "NllbMoeForConditionalGeneration": (
        {**SEQ2SEQ, "num_experts": 4, "encoder_sparse_step": 2, "decoder_sparse_step": 2, "expert_capacity": 16},
        pairs,
    ),
    "PegasusForConditionalGeneration": (SEQ2SEQ, pairs),
    "PegasusXForConditionalGeneration": ({**SEQ2SEQ, "block_size": 8, "num_global_tokens": 4}, partial(pairs, 32)),
    "PLBartForConditionalGeneration": (SEQ2SEQ, pairs),
    "ProphetNetForConditionalGeneration": (
        {
            "vocab_size": 99, "hidden_size": 32, "num_encoder_layers": 2, "num_decoder_layers": 2,
            "num_encoder_attention_heads": 4, "num_decoder_attention_heads": 4, "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64, "max_position_embeddings": 64, **SPECIAL,
        },
        pairs,
    ),
    "Speech2TextForConditionalGeneration": (
        {
            **SEQ2SEQ, "input_feat_per_channel": 20, "max_source_positions": 100, "max_target_positions": 40,
            "conv_channels": 32,
        },
        lambda: given(input_features=torch.randn(1, 60, 20), decoder_input_ids=torch.randint(3, 95, (1, 5))),
    ),
    "SwitchTransformersForConditionalGeneration": (
        {
            **T5, "num_experts": 4, "num_sparse_encoder_layers": 1, "num_sparse_decoder_layers": 1,
            "num_decoder_layers": 2,
        },
        pairs,
    ),
    "T5EncoderModel": (T5, tokens),
    "T5ForConditionalGeneration": (T5, pairs),
    "T5GemmaForConditionalGeneration": (
        {
            "encoder": {**DECODER, "sliding_window": 8, "query_pre_attn_scalar": 8},
            "decoder": {
                **DECODER, "sliding_window": 8, "query_pre_attn_scalar": 8, "cross_attention_hidden_size": 32,
            },
        },
        pairs,
    ),
    "UMT5ForConditionalGeneration": ({**T5, "use_cache": False}, pairs),
    "WhisperForConditionalGeneration": (
        {**SEQ2SEQ, "num_mel_bins": 20, "max_source_positions": 30, "max_target_positions": 40},
        lambda: given(input_features=torch.randn(1, 20, 60), decoder_input_ids=torch.randint(3, 95, (1, 5))),
    ),
}  # fmt: skip
"""All options, and inputs, by class."""

ENTRIES = [
    *entries(_ENCODERS, ENCODER),
    *entries(_DECODERS, DECODER),
    *entries(_STEPS, DECODER),
    *entries(_SEQ2SEQS, {}),
]
