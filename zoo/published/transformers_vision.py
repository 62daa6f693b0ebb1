"""Vision models of transformers: classification, detection, segmentation, depth, video."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from zoo.entry import Entry, given
from zoo.published.transformers_parts import (
    ENCODER,
    RESNET,
    SWIN,
    VISION,
    Inputs,
    Options,
    entries,
    image,
    video,
)

_DETR = {
    "use_timm_backbone": False, "use_pretrained_backbone": False, "backbone": None, "d_model": 32,
    "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "num_queries": 10, "num_labels": 5,
}  # fmt: skip
_RESNET_BACKBONE = ("ResNetConfig", {**RESNET, "out_features": ["stage2", "stage3", "stage4"]})
_LAST_STAGE = ("ResNetConfig", {**RESNET, "out_features": ["stage4"]})
_ALL_STAGES = ("ResNetConfig", {**RESNET, "out_features": ["stage1", "stage2", "stage3", "stage4"]})
_VIT_BACKBONE = (
    "Dinov2Config",
    {
        **VISION, "num_hidden_layers": 4, "out_indices": [1, 2, 3, 4], "reshape_hidden_states": False,
        "apply_layernorm": False,
    },
)  # fmt: skip


def _with_backbone(kind: str, part: str, part_options: Options, **options: Any) -> nn.Module:
    """A model around a backbone that has a config of its own."""
    import transformers

    cls = getattr(transformers, kind)
    config = getattr(transformers, part)(**part_options)
    return cls(cls.config_class(backbone_config=config, **options))


_VISIONS: dict[str, tuple[Options, Inputs]] = {
    "BeitForImageClassification": ({**VISION, "use_relative_position_bias": True}, image),
    "BitForImageClassification": ({**RESNET, "num_groups": 4, "layer_type": "preactivation"}, partial(image, 64)),
    "ConvNextForImageClassification": (
        {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}, partial(image, 64),
    ),
    "ConvNextV2Model": ({"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}, partial(image, 64)),
    "CvtForImageClassification": (
        {"embed_dim": [16, 32, 48], "num_heads": [1, 2, 4], "depth": [1, 2, 3]}, partial(image, 64),
    ),
    "Data2VecVisionForSemanticSegmentation": (
        {
            **VISION, "num_hidden_layers": 4, "out_indices": [0, 1, 2, 3], "use_auxiliary_head": False,
            "pool_scales": [1, 2],
        },
        image,
    ),
    "DeiTForImageClassificationWithTeacher": (VISION, image),
    "Dinov2ForImageClassification": (VISION, image),
    "Dinov2WithRegistersModel": (VISION, partial(image, 48)),
    "DINOv3ConvNextModel": ({"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}, lambda: image(64)),
    "DINOv3ViTModel": (VISION, image),
    "DonutSwinModel": (SWIN, lambda: image(64)),
    "DPTForDepthEstimation": (
        {
            **VISION, "num_hidden_layers": 4, "backbone_out_indices": [0, 1, 2, 3],
            "neck_hidden_sizes": [8, 16, 24, 32], "fusion_hidden_size": 16,
        },
        image,
    ),
    "EfficientNetForImageClassification": (
        {"width_coefficient": 0.25, "depth_coefficient": 0.3, "hidden_dim": 320, "image_size": 64},
        partial(image, 64),
    ),
    "EomtForUniversalSegmentation": ({**VISION, "num_blocks": 1, "num_upscale_blocks": 1, "num_queries": 6}, image),
    "FocalNetForImageClassification": (
        {"embed_dim": 16, "depths": [1, 1, 1, 1], "image_size": 64}, partial(image, 64),
    ),
    "GLPNForDepthEstimation": (
        {
            "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4],
            "decoder_hidden_size": 16,
        },
        partial(image, 64),
    ),
    "HGNetV2ForImageClassification": (
        {
            "embedding_size": 8, "stem_channels": [3, 8, 8], "hidden_sizes": [16, 24, 32, 40], "depths": [1, 1, 1, 1],
            "stage_in_channels": [8, 16, 24, 32], "stage_mid_channels": [8, 8, 8, 8],
            "stage_out_channels": [16, 24, 32, 40], "stage_num_blocks": [1, 1, 1, 1],
            "stage_downsample": [False, True, True, True], "stage_light_block": [False, False, True, True],
            "stage_kernel_size": [3] * 4, "stage_numb_of_layers": [2] * 4,
        },
        lambda: image(64),
    ),
    "HieraForImageClassification": (
        {"embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2], "image_size": [64, 64]},
        partial(image, 64),
    ),
    "IJepaForImageClassification": (VISION, image),
    "ImageGPTForImageClassification": (
        {"vocab_size": 65, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 4},
        lambda: given(input_ids=torch.randint(0, 64, (1, 36))),
    ),
    "LevitForImageClassificationWithTeacher": (
        {
            "image_size": 64, "hidden_sizes": [16, 24, 32], "num_attention_heads": [2, 2, 4], "depths": [1, 1, 1],
            "key_dim": [8, 8, 8],
        },
        partial(image, 64),
    ),
    "MgpstrForSceneTextRecognition": (
        {
            "image_size": [32, 32], "patch_size": 8, "hidden_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_bpe_labels": 99, "num_wordpiece_labels": 99,
        },
        image,
    ),
    "MobileNetV1ForImageClassification": ({"depth_multiplier": 0.25}, partial(image, 64)),
    "MobileNetV2ForSemanticSegmentation": ({"depth_multiplier": 0.25, "num_labels": 4}, partial(image, 64)),
    "MobileViTForSemanticSegmentation": (
        {
            "hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 16, 24, 32, 40, 48], "image_size": 64,
            "num_labels": 4, "aspp_out_channels": 16,
        },
        partial(image, 64),
    ),
    "MobileViTV2ForImageClassification": ({"width_multiplier": 0.25, "image_size": 64}, partial(image, 64)),
    "PoolFormerForImageClassification": (
        {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}, partial(image, 64),
    ),
    "PvtForImageClassification": (
        {
            "image_size": 64, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 2, 2, 4],
        },
        partial(image, 64),
    ),
    "PvtV2ForImageClassification": (
        {
            "image_size": 64, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 2, 2, 4],
        },
        partial(image, 64),
    ),
    "RegNetForImageClassification": ({**RESNET, "layer_type": "y", "groups_width": 8}, partial(image, 64)),
    "ResNetForImageClassification": (RESNET, partial(image, 64)),
    "Sam2Model": (
        {
            "vision_config": {
                "backbone_config": {
                    "model_type": "sam2_hiera_det_model", "hidden_size": 8, "num_attention_heads": 1,
                    "image_size": [64, 64], "blocks_per_stage": [1, 1, 2, 1], "embed_dim_per_stage": [8, 16, 32, 64],
                    "num_attention_heads_per_stage": [1, 2, 4, 8], "window_size_per_stage": [8, 4, 4, 2],
                    "global_attention_blocks": [3], "window_positional_embedding_background_size": [7, 7],
                },
                "backbone_channel_list": [64, 32, 16, 8], "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
                "fpn_hidden_size": 32,
            },
            "prompt_encoder_config": {
                "hidden_size": 32, "image_size": 64, "patch_size": 16, "mask_input_channels": 8,
            },
            "mask_decoder_config": {
                "hidden_size": 32, "num_attention_heads": 2, "mlp_dim": 32, "iou_head_hidden_dim": 16,
            },
        },
        lambda: image(
            64, input_points=torch.rand(1, 1, 2, 2) * 64, input_labels=torch.ones(1, 1, 2, dtype=torch.long),
        ),
    ),
    "SamModel": (
        {
            "vision_config": {
                **VISION, "image_size": 64, "output_channels": 16, "num_pos_feats": 8, "mlp_dim": 64,
                "global_attn_indexes": [1], "window_size": 3,
            },
            "prompt_encoder_config": {"hidden_size": 16, "image_size": 64, "patch_size": 8, "mask_input_channels": 4},
            "mask_decoder_config": {
                "hidden_size": 16, "num_attention_heads": 2, "mlp_dim": 32, "iou_head_hidden_dim": 16,
            },
        },
        lambda: image(
            64, input_points=torch.rand(1, 1, 2, 2) * 64, input_labels=torch.ones(1, 1, 2, dtype=torch.long),
        ),
    ),
    "SegformerForSemanticSegmentation": (
        {
            "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4],
            "decoder_hidden_size": 16, "num_labels": 4,
        },
        partial(image, 64),
    ),
    "SegGptForImageSegmentation": (
        {
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": [64, 32],
            "patch_size": 8, "mlp_dim": 64, "pretrain_image_size": 32, "decoder_hidden_size": 8, "merge_index": 0,
            "intermediate_hidden_state_indices": [0, 1],
        },
        lambda: given(
            pixel_values=torch.rand(1, 3, 32, 32), prompt_pixel_values=torch.rand(1, 3, 32, 32),
            prompt_masks=torch.rand(1, 3, 32, 32),
        ),
    ),
    "SuperPointForKeypointDetection": (
        {
            "encoder_hidden_sizes": [8, 8, 16, 16], "decoder_hidden_size": 16, "descriptor_decoder_dim": 16,
            "keypoint_threshold": 0.0, "max_keypoints": 10, "border_removal_distance": 2,
        },
        lambda: image(64, 3),
    ),
    "SwiftFormerForImageClassification": (
        {"depths": [1, 1, 1, 1], "embed_dims": [8, 16, 24, 32]}, partial(image, 64),
    ),
    "Swin2SRForImageSuperResolution": (
        {
            "image_size": 32, "patch_size": 1, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2],
            "window_size": 4, "upscale": 2,
        },
        image,
    ),
    "SwinForImageClassification": (SWIN, partial(image, 64)),
    "SwinForMaskedImageModeling": (
        {**SWIN, "encoder_stride": 16}, lambda: image(64, bool_masked_pos=torch.arange(1024)[None] % 3 == 0),
    ),
    "Swinv2ForImageClassification": (SWIN, partial(image, 64)),
    "TextNetForImageClassification": ({}, partial(image, 64)),
    "TimesformerForVideoClassification": ({**VISION, "num_frames": 4}, video),
    "VideoMAEForVideoClassification": ({**VISION, "num_frames": 4, "tubelet_size": 2}, video),
    "ViTForImageClassification": (VISION, image),
    "ViTMAEForPreTraining": (
        {
            **VISION, "decoder_hidden_size": 16, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2,
            "decoder_intermediate_size": 32,
        },
        image,
    ),
    "ViTMSNForImageClassification": (VISION, image),
    "VivitForVideoClassification": ({**VISION, "num_frames": 4, "tubelet_size": [2, 8, 8]}, video),
    "VJEPA2Model": (
        {
            **VISION, "crop_size": 32, "frames_per_clip": 4, "tubelet_size": 2, "mlp_ratio": 2.0,
            "pred_hidden_size": 16, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1,
        },
        lambda: given(pixel_values_videos=torch.rand(1, 4, 3, 32, 32)),
    ),
    "YolosForObjectDetection": ({**VISION, "image_size": [32, 32], "num_detection_tokens": 6}, image),
}  # fmt: skip
"""All options, and inputs, by class."""

_WITH_BACKBONE: dict[str, tuple[tuple[str, Options], Options, Inputs]] = {
    "ConditionalDetrForObjectDetection": (_LAST_STAGE, _DETR, partial(image, 64)),
    "DabDetrForObjectDetection": (_LAST_STAGE, {**_DETR, "hidden_size": 32}, partial(image, 64)),
    "DeformableDetrForObjectDetection": (_RESNET_BACKBONE, {**_DETR, "num_feature_levels": 4}, partial(image, 128)),
    "DepthAnythingForDepthEstimation": (
        _VIT_BACKBONE,
        {
            "patch_size": 8, "reassemble_hidden_size": 32, "neck_hidden_sizes": [8, 16, 24, 32],
            "fusion_hidden_size": 16, "head_hidden_size": 8,
        },
        image,
    ),
    "DetrForObjectDetection": (_LAST_STAGE, _DETR, partial(image, 64)),
    "DetrForSegmentation": (
        _ALL_STAGES, {**_DETR, "d_model": 64, "encoder_attention_heads": 8, "decoder_attention_heads": 8},
        partial(image, 64),
    ),
    "DFineForObjectDetection": (
        (
            "HGNetV2Config",
            {
                "embedding_size": 8, "stem_channels": [3, 8, 8], "hidden_sizes": [16, 24, 32, 40],
                "depths": [1, 1, 1, 1], "stage_in_channels": [8, 16, 24, 32], "stage_mid_channels": [8, 8, 8, 8],
                "stage_out_channels": [16, 24, 32, 40], "stage_num_blocks": [1, 1, 1, 1],
                "stage_downsample": [False, True, True, True], "stage_light_block": [False] * 4,
                "stage_kernel_size": [3] * 4, "stage_numb_of_layers": [2] * 4,
                "out_features": ["stage2", "stage3", "stage4"],
            },
        ),
        {
            "encoder_hidden_dim": 32, "encoder_in_channels": [24, 32, 40], "encoder_layers": 1, "encoder_ffn_dim": 64,
            "encoder_attention_heads": 4, "d_model": 32, "num_queries": 10, "decoder_in_channels": [32, 32, 32],
            "decoder_ffn_dim": 64, "num_feature_levels": 3, "decoder_n_points": [2, 2, 2], "decoder_layers": 2,
            "decoder_attention_heads": 4, "num_denoising": 0, "num_labels": 5,
        },
        partial(image, 64),
    ),
    "GroundingDinoForObjectDetection": (
        ("SwinConfig", {**SWIN, "out_features": ["stage2", "stage3", "stage4"]}),
        {
            "text_config": {"model_type": "bert", **ENCODER}, "d_model": 32, "encoder_layers": 1,
            "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64, "num_queries": 10, "max_text_len": 16,
        },
        lambda: given(
            pixel_values=torch.rand(1, 3, 64, 64), input_ids=torch.tensor([[4, 10, 11, 5, 12, 5]]),
            attention_mask=torch.ones(1, 6, dtype=torch.long),
        ),
    ),
    "LwDetrForObjectDetection": (
        (
            "LwDetrViTConfig",
            {
                **VISION, "image_size": 64, "pretrain_image_size": 64, "out_features": ["stage1", "stage2"],
                "window_block_indices": [0], "num_windows": 4,
            },
        ),
        {
            "projector_scale_factors": [1.0], "d_model": 32, "decoder_ffn_dim": 64, "decoder_layers": 2,
            "decoder_self_attention_heads": 4, "decoder_cross_attention_heads": 4, "num_queries": 8, "group_detr": 1,
            "num_labels": 5,
        },
        lambda: image(64),
    ),
    "Mask2FormerForUniversalSegmentation": (
        ("SwinConfig", {**SWIN, "out_features": ["stage1", "stage2", "stage3", "stage4"]}),
        {
            "feature_size": 32, "mask_feature_size": 32, "hidden_dim": 32, "encoder_feedforward_dim": 64,
            "encoder_layers": 1, "decoder_layers": 2, "num_attention_heads": 4, "dim_feedforward": 64,
            "num_queries": 8, "num_labels": 5,
        },
        partial(image, 64),
    ),
    "MaskFormerForInstanceSegmentation": (
        ("SwinConfig", {**SWIN, "out_features": ["stage1", "stage2", "stage3", "stage4"]}),
        {
            "fpn_feature_size": 32, "mask_feature_size": 32, "num_labels": 5, "use_auxiliary_loss": False,
            "decoder_config": {"model_type": "detr", **_DETR},
        },
        partial(image, 64),
    ),
    "OneFormerForUniversalSegmentation": (
        ("SwinConfig", {**SWIN, "out_features": ["stage1", "stage2", "stage3", "stage4"]}),
        {
            "num_queries": 8, "conv_dim": 32, "mask_dim": 32, "hidden_dim": 32, "encoder_feedforward_dim": 64,
            "encoder_layers": 1, "decoder_layers": 2, "num_attention_heads": 4, "dim_feedforward": 64,
            "num_labels": 5, "text_encoder_width": 32, "text_encoder_num_layers": 1, "text_encoder_vocab_size": 99,
            "text_encoder_context_length": 12, "task_seq_len": 12, "text_encoder_n_ctx": 4,
        },
        lambda: image(64, task_inputs=torch.randint(3, 95, (1, 12))),
    ),
    "RTDetrForObjectDetection": (
        ("RTDetrResNetConfig", {**RESNET, "out_features": ["stage2", "stage3", "stage4"]}),
        {
            "encoder_hidden_dim": 32, "encoder_in_channels": [16, 24, 32], "encoder_layers": 1, "encoder_ffn_dim": 64,
            "encoder_attention_heads": 4, "d_model": 32, "num_queries": 10, "decoder_in_channels": [32, 32, 32],
            "decoder_ffn_dim": 64, "num_feature_levels": 3, "decoder_n_points": 2, "decoder_layers": 2,
            "decoder_attention_heads": 4, "num_denoising": 0, "num_labels": 5, "use_timm_backbone": False,
        },
        partial(image, 64),
    ),
    "TableTransformerForObjectDetection": (_LAST_STAGE, _DETR, partial(image, 64)),
    "UperNetForSemanticSegmentation": (
        _ALL_STAGES,
        {
            "hidden_size": 16, "pool_scales": [1, 2], "num_labels": 4, "auxiliary_in_channels": 24,
            "auxiliary_channels": 8,
        },
        partial(image, 64),
    ),
    "VitMatteForImageMatting": (
        (
            "VitDetConfig",
            {
                **VISION, "num_channels": 4, "image_size": 64, "pretrain_image_size": 64, "patch_size": 16,
                "out_features": ["stage2"], "window_size": 2, "residual_block_indices": [1],
            },
        ),
        {"hidden_size": 32, "convstream_hidden_sizes": [8, 16, 24], "fusion_hidden_sizes": [32, 24, 16, 8]},
        partial(image, 64, 4),
    ),
    "VitPoseForPoseEstimation": (
        ("VitPoseBackboneConfig", {**VISION, "image_size": [32, 32], "patch_size": [8, 8], "out_indices": [2]}),
        {"num_labels": 4}, image,
    ),
    "ZoeDepthForDepthEstimation": (
        (
            "BeitConfig",
            {
                **VISION, "num_hidden_layers": 4, "out_indices": [1, 2, 3, 4], "reshape_hidden_states": False,
                "use_relative_position_bias": True,
            },
        ),
        {
            "reassemble_factors": [4, 2, 1, 0.5], "neck_hidden_sizes": [8, 16, 24, 32], "fusion_hidden_size": 16,
            "bottleneck_features": 16, "num_relative_features": 8, "bin_embedding_dim": 16,
            "num_attractors": [4, 3, 2, 1],
            "bin_configurations": [{"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0, "name": "a"}],
        },
        image,
    ),
}  # fmt: skip
"""Backbone, options and inputs by class."""

ENTRIES = [
    *entries(_VISIONS, {}),
    *(
        Entry(f"transformers/{name}", partial(_with_backbone, name, *part, **options), inputs, "transformers")
        for name, (part, options, inputs) in _WITH_BACKBONE.items()
    ),
]
