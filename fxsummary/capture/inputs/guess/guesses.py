"""Tables for guessing inputs: names of inputs and sizes, values to pass, and changes to make when forward raises.

This file contains only data. To teach fxsummary another convention, add a row to one of the tables.

A shape consists of numbers and words of `SIZES`, such as ``"1 channels image"``. ``|`` separates alternatives, the
likeliest first.
"""

from __future__ import annotations

from fxsummary.capture.inputs.guess.rows import ALWAYS, Argument, Size

# --- sizes -----------------------------------------------------------------------------------------

POSITIONS = (
    "max_position_embeddings | n_positions | max_sequence_length | max_seq_len | max_target_positions"
    " | max_encoder_position_embeddings | max_decoder_position_embeddings"
)
CHANNELS = "num_channels | in_channels | in_chans | image_channels | num_input_channels | n_channels | channels"
CROSS = (
    "joint_attention_dim | caption_channels | cross_attention_dim | cross_attention_input_dim | text_dim"
    " | text_embed_dim | encoder_hid_dim | in_text_dim | context_in_dim | cap_feat_dim"
)
IMAGE_SIZES = (224, 299, 256, 384, 32, 28, 64, 128, 96, 512, 48, 192, 240, 288, 320, 336, 448, 160, 16)

# Words for sizes. A size comes from a setting (an attribute of the model, its config or a nested config) or is one of
# the usual sizes. A string computes it from other words, as a Python expression.
SIZES: dict[str, Size | str] = {
    # text
    "text": Size("segment_means_seq_len", (128, 16, 512), part="text", limits=POSITIONS),
    "hidden": Size("hidden_size | d_model | dim | n_embd | embed_dim | width", part="text"),
    "codebooks": Size("num_codebooks | n_codes_total"),
    "mentions": Size("max_mention_length"),
    "tasks": Size("task_seq_len"),
    "image_tokens": Size("latent_query_num | num_image_tokens", default=1),
    # images and video
    "image": Size(
        "image_size | img_size | input_size | sample_size | resolution | crop_size",
        IMAGE_SIZES,
        part="image",
        dims=2,
        inside="img_size | image_size",
    ),
    "channels": Size(CHANNELS, (3, 1), part="image"),
    "frames": Size("num_frames | n_frames | frames_per_clip | sample_frames", (8, 16), part="image"),
    "tiles": Size("max_num_tiles", (4,), part="image"),
    "pictured": Size("input_size | input_shape", dims=3),  # channels, height and width in one setting
    "volume": Size("", ((16, 112, 112), (32, 32, 32), (64, 64, 64), (96, 96, 96), (16, 224, 224)), dims=3),
    "regions": Size("visual_feat_dim | visual_embedding_dim"),
    "region_places": Size("visual_pos_dim"),
    # patches of an image; some models merge neighbouring patches
    "patch": Size("patch_size | spatial_patch_size", part="image", default=14),
    "patch_frames": Size("temporal_patch_size", part="image", default=1),
    "merge": Size("spatial_merge_size | merge_size | merge_kernel_size", part="image", default=1),
    "rows": "max(image[0] // patch // merge, 1) * merge",
    "columns": "max(image[1] // patch // merge, 1) * merge",
    "patches": "rows * columns",
    "patch_features": "channels * patch_frames * patch**2",
    "flat_patch": "2 + patch_features",
    # sound
    "mels": Size(
        "input_size | num_mel_bins | feature_size | input_feat_per_channel | n_mels | mel_bins | input_dim | input_dims"
        " | input_feat_size | model_in_dim",
        (80, 128),
        part="audio",
    ),
    "audio_channels": Size("audio_channels | num_audio_channels | in_channels", (1, 2), part="audio"),
    "samples": Size("", (16000, 64000, 32000), part="audio"),
    "source_positions": Size("max_source_positions", part="audio", default=0),
    "longest_sound": Size("max_length | spec_size", part="audio", default=1000),
    "audio_frames": "2 * source_positions or longest_sound",
    "length": Size("", (256, 1000, 128, 3000, 16000, 64, 100)),
    # diffusion
    "latent": Size("sample_size | sample_height sample_width", (64, 32, 128), dims=2),
    "latents": Size(f"{CHANNELS} | in_dim | latent_channels | latent_channel", (4, 16, 3)),
    "latent_frames": Size("", (9, 8, 13, 1)),
    "latent_rows": "32",
    "latent_columns": "32",
    "latent_patches": "latent_rows * latent_columns",
    "text_and_latent": "text + latent_patches",
    "packed": "latent_patches + 2 * text",
    "later_frames": "latent_frames - 1",
    "axes": Size("axes_dims_rope | axes_dim | axes_dims", take="length", default=3),
    "heads": Size("num_attention_heads", default=1),
    "head": Size("attention_head_dim", default=1),
    "inner": "heads * head",
    "cross": Size(CROSS),
    "pooled": Size("pooled_projection_dim | projection_dim | pooled_dim"),
    "condition": Size("cond_embed_dim"),
    "conditions": Size("conditioning_channels", (3,)),
    "condition_blocks": Size("conditioning_embedding_out_channels", take="length", default=4),
    "pixels": "[2 ** (condition_blocks - 1) * latent[0], 2 ** (condition_blocks - 1) * latent[1]]",
    "clean": Size("latent_channels"),
    "face": Size("motion_encoder_size", dims=2),
    "face_frames": "4 * (latent_frames - 1)",
    "targets": Size("targets_length"),
    # time series and decisions
    "context": Size("context_length"),
    "lags": Size("lags_sequence", take="max", default=0),
    "history": "context + lags",
    "prediction": Size("prediction_length"),
    "time_features": Size("num_time_features", (1,)),
    "series": Size("num_input_channels | input_size", (1,)),
    "states": Size("state_dim"),
    "actions": Size("act_dim"),
}

ANY_SIZE = "64"
"""Size of a dimension if nothing determines it; the error may then show the right one."""

CHANNEL_WORDS = ("channels", "latents", "audio_channels", "conditions")
"""Words for the number of channels of a convolution."""

HIDDEN = "hidden_size | d_model | n_embd"
"""Settings with the number of features of a token."""

LINE_OF_TEXT = (48, 320)
"""Height and width of an image of one line of text."""

PARTS = {
    "text": ("text", "language", "llm", "decoder"),
    "decoder": (),
    "image": ("vision", "visual", "image", "vit", "backbone"),
    "audio": ("audio", "speech", "sound", "encoder"),
    "latent": (),
    "series": (),
    "video": (),
}
"""Parts of an input, with words in the names of their configs; earlier parts are preferred if not all can be passed."""

# Shapes that the first reader of an input accepts; "size" is its number of channels or features.
NEEDS = {
    "ids": "1 128 | 1 32 | 1 512 | 128",
    "sequence": "1 16 size | 16 1 size | 1 size",
    "features": "1 size | 1 16 size | 1 16 16 size",
    "image1": "1 size length",
    "image2": "1 size image",
    "image3": "1 size volume",
}
IDS = "1 text | text"
"""Shapes to try for ids with an unknown name."""

UNKNOWN = "1 text hidden | 1 text | 1 | 1 channels image"
"""Shapes to try for a tensor with an unknown name and an unknown first reader."""

# Variable names for the dimensions of an unpacked shape; the first known word of the first matching row is used.
DIMENSIONS = (
    (r"batch|^bs?z?$|^1$", "1"),
    (r"channel|^c$", "latents | channels | audio_channels | conditions"),
    (r"frame|time|^t$", "latent_frames | frames | audio_frames"),
    (r"height|^h$", "latent[0] | image[0]"),
    (r"width|^w$", "latent[1] | image[1]"),
    (r"sample", "samples"),
    (r"patches", "latent_patches | patches"),
    (r"len|seq|token|^[lns]$", "latent_patches | patches | samples | audio_frames | text"),
    (r"dim|hidden|feature|^d$", "hidden"),
)

# --- arguments -------------------------------------------------------------------------------------

IMAGES = (
    "1 channels image | 1 1 channels image | 1 frames channels image | 1 channels frames image | 1 2 channels image"
    " | 1 patches patch_features"
)
FLAT, FLAT_BATCH = "patches patch_features | patches channels patch patch", "1 patches patch_features"
IMAGES_FIRST = {
    "num_frames": "1 frames channels image",
    **dict.fromkeys(("image_grid_thw", "image_grid_hw", "grid_thw"), FLAT),
    **dict.fromkeys(("spatial_shapes", "pixel_position_ids", "image_position_ids"), FLAT_BATCH),
    "aspect_ratio_ids": "1 1 tiles channels image",
    "image_sizes": "1 channels image | 1 5 channels image",
}
LATENTS = (
    "1 latents latent | 1 latent_patches latents | 1 latents latent_frames latent | 1 latent_frames latents latent"
    " | 1 latents length"
)
VIDEO_CONDITIONS = "1 conditions latent_frames latent | 1 conditions latent_frames pixels"
CONDITIONS = f"1 conditions pixels | {LATENTS} | {VIDEO_CONDITIONS}"
IDS_OF_TEXT = Argument("1 text", "int")
ONE = Argument("1")
GRID = Argument(value="[[1, rows, columns]]", dtype="int", part="image", when=ALWAYS)
GRID_OF_ONE = Argument(value="[[rows, columns]]", dtype="int", part="image", when=ALWAYS)
LATENT_GRIDS = Argument(value="[[(1, latent_rows, latent_columns)]]", dtype="plain", when=ALWAYS)
LATENT_TOKENS = Argument(value="range(text, text_and_latent)", dtype="int", when=ALWAYS)

ARGUMENTS = {
    # text
    "input_ids": Argument(
        "1 text | 1 2 text | 1 text codebooks",
        "int",
        "text",
        ALWAYS,
        first={"micro_conds": "1 latent", "text_indexes": "text"},
    ),
    "decoder_input_ids": Argument("1 text | codebooks text", "int", "decoder", ALWAYS),
    "bbox": Argument("1 text 4", "int", "text", ALWAYS),
    **dict.fromkeys(("attention_mask", "encoder_attention_mask", "token_type_ids", "indicator"), IDS_OF_TEXT),
    "position_ids": Argument("1 text", "int", first={"token_tags": "packed 3", "text_indexes": "3 text_and_latent"}),
    "lang_ids": Argument("1", "int"),
    **dict.fromkeys(("entity_ids", "entity_attention_mask", "entity_token_type_ids"), Argument("1 2", "int")),
    "entity_position_ids": Argument("1 2 mentions", "int"),
    "qformer_input_ids": Argument("1 text", "int", "text", ALWAYS),
    # images and video
    **dict.fromkeys(("pixel_values", "image", "img"), Argument(IMAGES, part="image", when=ALWAYS, first=IMAGES_FIRST)),
    "images": Argument(f"1 channels image | [channels image] | {IMAGES}", part="image", when=ALWAYS),
    "pixel_values_videos": Argument(
        "1 frames channels image | 1 channels frames image", part="video", when=ALWAYS, first={"video_grid_thw": FLAT}
    ),
    "pixel_mask": Argument("1 image", "int"),
    "pixel_attention_mask": Argument(
        "1 patches", "int", "image", "spatial_shapes", first={"max_action_dim": "1 1", "action_embeds": "1 1"}
    ),
    **dict.fromkeys(("spatial_shapes", "target_sizes", "image_grid_hw"), GRID_OF_ONE),
    **dict.fromkeys(("pixel_position_ids", "image_position_ids"), Argument("1 patches 2", "int", "image", ALWAYS)),
    "flattened_patches": Argument("1 patches flat_patch", part="image", when=ALWAYS),
    **dict.fromkeys(("visual_embeds", "visual_feats"), Argument("1 36 regions", part="image", when=ALWAYS)),
    "visual_pos": Argument("1 36 region_places", part="image", when=ALWAYS),
    "image_attention_mask": Argument("1 text 1", "int"),
    "image_embeds_position_mask": Argument(  # an image comes after the first token
        value="[[False] + [True] * image_tokens + [False] * (text - 1 - image_tokens)]",
        dtype="bool",
        part="image",
        when=ALWAYS,
    ),
    "classes_structure": Argument(value="[1]", dtype="int"),
    "task_inputs": Argument("1 tasks"),
    "image_sizes": Argument(value="[image]", dtype="int", part="image"),
    "aspect_ratio_ids": Argument("1 1", "int", "image", ALWAYS),
    "aspect_ratio_mask": Argument("1 1 tiles", "int", "image", ALWAYS),
    "cross_attention_mask": Argument("1 text 1 tiles", "int", "image", "max_num_tiles"),
    "merge_sizes": Argument(value="[merge]", dtype="int", part="image", when=ALWAYS),
    **dict.fromkeys(("prompt_pixel_values", "prompt_masks"), Argument("1 channels image", part="image", when=ALWAYS)),
    "bool_masked_pos": Argument("1 patches", "bool"),
    **dict.fromkeys(("image_grid_thw", "grid_thw"), GRID),
    "video_grid_thw": Argument(value="[[1, rows, columns]]", dtype="int", part="video", when=ALWAYS),
    # sound
    "input_features": Argument(
        "1 mels audio_frames | 1 audio_frames mels | 1 1 audio_frames mels | 1 audio_frames hidden",
        part="audio",
        when=ALWAYS,
    ),
    "input_values": Argument("1 samples | 1 audio_channels samples | 1 audio_frames mels", part="audio", when=ALWAYS),
    **dict.fromkeys(("spectrogram", "audio_mel"), Argument("1 audio_frames mels", part="audio", when=ALWAYS)),
    "decoder_input_values": Argument("1 text mels", part="decoder", when=ALWAYS),
    "audio_mel_mask": Argument("1 audio_frames", "bool", "audio"),
    "input_features_mask": Argument("1 audio_frames", "int", "audio", ALWAYS),
    "feature_attention_mask": Argument("1 audio_frames", "int", "audio", ALWAYS),
    # diffusion
    "sample": Argument(f"{LATENTS} | 1 latents samples | 1 samples", part="latent", when=ALWAYS),
    "z": Argument(LATENTS, part="latent", when=ALWAYS),
    "hidden_states": Argument(f"{LATENTS} | 1 text hidden", part="latent", when=ALWAYS, first={"grid_thw": FLAT}),
    **dict.fromkeys(("timestep_indices", "token_tags"), Argument("packed", "int")),
    "latents": Argument(LATENTS, part="latent", when=ALWAYS, first={"controls_latents": "1 16 latent_frames latent"}),
    "timestep": Argument("1", when=ALWAYS),
    "t": ONE,
    "fps": Argument("1", "int"),
    "encoder_hidden_states": Argument(
        "1 text cross | 1 text hidden", when=CROSS, first={"motion_max_seq_length": "latent_frames text cross"}
    ),
    "encodings_and_masks": Argument(
        fields=(Argument(fields=(Argument("1 text hidden"), Argument("1 text"))),), when=ALWAYS
    ),
    "decoder_input_tokens": Argument("1 targets mels"),
    "pooled_text_emb": Argument("1 condition"),
    "micro_conds": Argument("1 5"),
    "pooled_projections": Argument("1 pooled", when=ALWAYS),
    "class_labels": Argument("1", "int", when="num_embeds_ada_norm | num_class_embeds"),
    "guidance": Argument("1", when="guidance_embeds"),
    "img_ids": Argument("latent_patches axes", when=ALWAYS),
    "txt_ids": Argument("text axes", when=ALWAYS),
    **dict.fromkeys(("img_shapes", "shape_list"), LATENT_GRIDS),
    "video_indices": Argument("latent_patches", "int"),
    **dict.fromkeys(("audio_indices", "text_indices", "text_rope_pos"), Argument("text", "int")),
    "text_indexes": Argument(value="range(text)", dtype="int", when=ALWAYS),
    "und_len": Argument(value="text", dtype="plain", when=ALWAYS),
    "sequence_length": Argument(value="text_and_latent", dtype="plain", when=ALWAYS),
    "vision_tokens": Argument("[1 latents 1 latent]"),
    "vision_token_shapes": Argument(value="[(1, latent_rows, latent_columns)]", dtype="plain", when=ALWAYS),
    **dict.fromkeys(("vision_sequence_indexes", "vision_mse_loss_indexes"), LATENT_TOKENS),
    "vision_timesteps": Argument("latent_patches"),
    "vision_noisy_frame_indexes": Argument(fields=(Argument("1", "int"),), when=ALWAYS),
    "img_mask": Argument(  # a latent image comes after the text, with one position per 2×2 patches
        value="[[False] * text + [True] * (latent_patches // 4)]", dtype="bool", when=ALWAYS
    ),
    "visual_rope_pos": Argument(
        fields=(
            Argument(value="range(1)", dtype="int"),
            Argument(value="range(latent_rows)", dtype="int"),
            Argument(value="range(latent_columns)", dtype="int"),
        ),
        when=ALWAYS,
    ),
    "video_rotary_emb": Argument(
        fields=(Argument("1 latent_patches inner"), Argument("1 latent_patches inner")), when=ALWAYS
    ),
    "num_frames": Argument(value="1", dtype="plain"),
    "height": Argument(value="latent_rows", dtype="plain"),
    "width": Argument(value="latent_columns", dtype="plain"),
    "controlnet_cond": Argument(CONDITIONS, when=ALWAYS, first={"conditioning_mask": VIDEO_CONDITIONS}),
    "conditioning_mask": Argument("1 1 latent_frames latent", when="concat_conditioning_mask"),
    "condition_mask": Argument("1 1 latent_frames latent"),
    "padding_mask": Argument("1 text", "int", first={"condition_mask": "1 1 latent"}),
    "controls_latents": Argument("1 16 latent_frames latent"),
    "pose_hidden_states": Argument("1 clean later_frames latent", when=ALWAYS),
    "face_pixel_values": Argument("1 3 face_frames face", when=ALWAYS),
    "image_latents": Argument(LATENTS),
    **dict.fromkeys(("original_size", "target_size", "crop_coords"), Argument("1 2")),
    "added_time_ids": Argument("1 3"),
    "added_cond_kwargs": Argument(
        fields={
            "text_embeds": Argument("1 1280"),
            "time_ids": Argument("1 6"),
            "resolution": Argument("1 2"),
            "aspect_ratio": Argument("1 1"),
        }
    ),
    # time series and decisions
    "past_values": Argument(
        "1 context series | 1 context",
        part="series",
        when=ALWAYS,
        first={"freq": "1 context", "past_time_features": "1 history | 1 history series"},
    ),
    "past_time_features": Argument("1 history time_features"),
    "past_observed_mask": Argument("1 history | 1 history series"),
    "future_values": Argument("1 prediction | 1 prediction series"),
    "future_time_features": Argument("1 prediction time_features"),
    "past_values_padding": Argument("1 context", "int"),
    "freq": Argument("1 1", "int"),
    "states": Argument("1 text states", part="series", when=ALWAYS),
    "actions": Argument("1 text actions", part="series", when=ALWAYS),
    **dict.fromkeys(("rewards", "returns_to_go"), Argument("1 text 1", part="series", when="act_dim")),
    "timesteps": Argument("1 text", "int", "series", "act_dim"),
    # graphs
    "edge_index": Argument("2 64", "int"),
}
"""Rows by argument name."""

ENDINGS = {
    **dict.fromkeys(("mask", "ids", "indices", "tokens"), IDS_OF_TEXT),
    "indexes": Argument("text", "int"),
    "embeds": Argument("1 text hidden"),
    "latents": Argument(LATENTS),
    "labels": Argument("1", "int"),
    **dict.fromkeys(("timesteps", "timestep", "timestep_r", "timestep_ratio", "sigma", "time"), ONE),
    "hidden_states": Argument("1 text hidden"),
    "idx": Argument(value="1", dtype="plain", when=ALWAYS),
    **dict.fromkeys(("lengths", "lens"), Argument(value="[text]", dtype="int", when=ALWAYS)),
}
"""Rows by the ending of an argument name that is not in `ARGUMENTS`."""

# --- errors ----------------------------------------------------------------------------------------

NEEDS_BATCH = "Expected more than 1 value per channel when training"
"""Torch's error if batch normalization in train mode gets only one sample."""

NEEDS_INTEGERS = (
    r"indices of an embedding to be int|tensors used as indices must be|expected scalar type (?:Long|Int)\b"
)
"""Torch's errors for an index that is not an integer."""

TOKEN_TYPES = {"image": 1, "video": 2, "audio": 3}
"""Values of ``mm_token_type_ids`` for image, video and audio tokens."""

FEATURES = (
    r"mat1 and mat2 shapes cannot be multiplied \(\d+x(?P<got>\d+) and (?P<wanted>\d+)x\d+\)",
    r"same reduction dim, but got \[\d+, (?P<got>\d+)\] X \[(?P<wanted>\d+), \d+\]",
    r"batch2 tensor to be: \[\d+, (?P<got>\d+)\] but got: \[\d+, (?P<wanted>\d+)\]",
)
"""Errors of linear layers for a wrong number of features."""

VIEWS = r"shape '\[(?:-?\d+, )*(?P<wanted>\d+)\]' is invalid for input of size (?P<got>\d+)"
"""The error of a view whose size does not fit the features."""

# Patterns of error messages (ignoring case), with the function of `repairs` or `reshaping` that changes the inputs.
# All matching rows are applied, in this order. The groups of a pattern name what the function takes from the message,
# such as the size or rank that an operation got and the one that it wanted.
REPAIRS = (
    (
        r"tokens \((?P<tokens>\d+)\) and features \((?P<features>\d+)\) do not match for token id (?P<id>\d+)",
        "with_tokens",
    ),
    (r"(?P<kind>\w+) features.*tokens.*tokens:? (?P<tokens>\d+),? *features:? (?P<features>\d+)", "with_tokens"),
    (
        r"number of (?P<kind>\w+) tokens is (?:tensor\(\[)?(?P<tokens>\d+).*given to the model is (?P<features>\d+)",
        "with_tokens",
    ),
    (r"<(?P<kind>eos)>", "with_last_tokens"),
    (r"at least one (?P<kind>\w+) token", "with_last_tokens"),
    (r"three \w+ tokens: (?P<kind>\d+)", "with_last_tokens"),
    (r"cannot specify both `?(\w+)`? and `?(\w+)`?", "without_one"),
    (r"\bcache\b", "without_cache"),
    (r"size \(\d+\*\d+\) doesn't match model \((?P<size>\d+\*\d+)\)", "with_size_of_image"),
    (r"too small|greater than actual input size|k not in range|Padding size should be less", "larger"),
    (r"multiple of (?P<step>\d+)", "larger"),
    (NEEDS_BATCH, "with_batch"),
    (f"(?P<int64>{NEEDS_INTEGERS})", "with_dtype"),
    (r"(?P<bool>predicate to be bool)", "with_dtype"),
    (
        r"(?P<float>same dtype, but got:? \S*int\d+ != \S*float|expected a floating-point .*got dtype=\S*int)",
        "with_dtype",
    ),
    (r"unexpected keyword argument '(?P<key>\w+)'", "without_key"),
    (r"(?:available|supported|one of)[^\[(]*[\[(](?P<values>[\d, ]+)[\])]", "with_listed_value"),
    (r"list index out of range", "with_longer_list"),
    (r"index (?P<index>\d+) is out of bounds for dimension \d with size (?P<got>\d+)", "with_index"),
    (r"to have (?P<wanted>\d+) channels, but got (?P<got>\d+) channels", "with_size"),
    (r"channel dimension.* Expected (?P<wanted>\d+) but got (?P<got>\d+)", "with_size"),
    (r"expected (?P<wanted>\d+) [\w ]*channels?, (?:but )?got (?P<got>\d+)", "with_size"),
    (r"tuple index out of range", "deeper"),
    (r"must have shape [\[(]|must be a `\(", "with_named_shape"),
    (r"Invalid channel dimensions", "with_size"),
    (r"values to unpack \(expected (?P<wanted>\d)(?:, got (?P<got>\d))?", "with_rank"),
    (r"input.dim\(\) = (?P<got>\d) is not equal to len\(dims\) = (?P<wanted>\d)", "with_rank"),
    (r"Expected \dD \(unbatched\) or (\d)D \(batched\)", "with_rank"),
    (r"too many indices for tensor of dimension (\d)", "with_rank"),
    (r"Padding size \d is not supported for \dD", "shallower"),
    (r"\b(\d)-?D (?:input )?tensor|ndim == (\d)|only supports (\d)-d", "with_rank"),
    (r"tensors must match\. +Expected \d-D tensors, but got (\d)-D|got \d and (\d)$", "with_rank"),
    *[(pattern, "with_size") for pattern in FEATURES],
    (r"reduction dim, but got \[(?P<rows>\d+), \d+\] X \[(?P<wanted>\d+)", "as_line"),
    (r"first two dimensions of batch2", "as_line"),
    (r"to conv1d, but got input of size: \[\d+, \d+, \d+, \d+\]", "as_line"),
    (r": (?P<got>\d+) doesn't correspond to [\w.]+: (?P<wanted>\d+)", "with_size"),
    (r"normalized_shape=\[(?P<wanted>\d+)\].*got input of size\D*\[.*?(?P<got>\d+)\]", "with_size"),
    (r"shape '\[(?P<view>[-\d, ]+)\]' is invalid for input of size", "with_elements"),
    (r"Expected (?P<wanted>\d+) in dimension \d but got (?P<got>\d+)", "with_equal_sizes"),
    (r"tensor a \((?P<got>\d+)\) must match the size of tensor b \((?P<wanted>\d+)\)", "with_equal_sizes"),
    (r"shape of the mask \[(?P<got>[\d, ]+)\].*indexed tensor \[(?P<wanted>[\d, ]+)\]", "with_mask_size"),
    (r"had torch.Size\(\[(?P<got>[\d, ]+)\]\).*broadcastable to \[(?P<wanted>[\d, ]+)\]", "with_equal_sizes"),
)
