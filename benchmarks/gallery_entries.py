"""The models of the gallery, by name: published ones in their default configurations, and a few of our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import gallery_images as images
from benchmarks import gallery_sequences as sequences
from zoo.operators import define_torchvision_operators, implement_nms

define_torchvision_operators()


@dataclass(frozen=True)
class Case:
    """A model and the inputs of its forward."""

    model: nn.Module
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """A model of the gallery: its name, one line on it, and what makes it with its inputs."""

    title: str
    text: str
    make: Callable[[], Case]


def empty(*shape: int) -> Tensor:
    """A tensor of numbers, by default an image."""
    return torch.empty(shape or (1, 3, 224, 224))


def tokens(length: int = 128) -> Tensor:
    """One sentence."""
    return torch.ones(1, length, dtype=torch.long)


def own(kind: type[nn.Module], *inputs: Callable[[], Tensor]) -> Callable[[], Case]:
    """A model of our own."""
    return lambda: Case(kind(), tuple(make() for make in inputs))


def floats(*shape: int) -> Callable[[], Tensor]:
    """What makes a tensor of numbers."""
    return lambda: empty(*shape)


def words(length: int = 128) -> Callable[[], Tensor]:
    """What makes a sentence."""
    return lambda: tokens(length)


def vision(name: str, size: int = 224, **options: Any) -> Callable[[], Case]:
    """A model of torchvision."""

    def make() -> Case:
        from torchvision import models

        return Case(models.get_model(name, weights=None, **options), (empty(1, 3, size, size),))

    return make


def detector(name: str, size: int = 512) -> Callable[[], Case]:
    """A detector of torchvision, which takes a list of images and ends in non-maximum suppression."""

    def make() -> Case:
        implement_nms()
        return Case(vision(name, weights_backbone=None)().model, ([empty(3, size, size)],))

    return make


def language(model: str, *inputs: Callable[[], Tensor] | None, **options: Any) -> Callable[[], Case]:
    """A model of transformers in its default configuration but for ``options``; by default one sentence goes in."""

    def make() -> Case:
        import transformers

        kind = getattr(transformers, model)
        given = [each() if each else None for each in inputs or (words(),)]
        return Case(kind(kind.config_class(**options)), tuple(given))

    return make


def detr() -> Case:
    """With a ResNet-50 of transformers as backbone."""
    from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

    backbone = ResNetConfig(out_features=["stage4"])
    config = DetrConfig(use_timm_backbone=False, backbone_config=backbone, use_pretrained_backbone=False, backbone=None)
    return Case(DetrForObjectDetection(config), (empty(1, 3, 800, 800),))


def idefics() -> Case:
    """Flamingo as Idefics has it: every fourth layer of the language model is preceded by a gated cross-attention."""
    make = language("IdeficsForVisionText2Text", words(), cross_layer_interval=4, use_resampler=True)
    return Case(
        make().model,
        (tokens(),),
        {"pixel_values": empty(1, 1, 3, 224, 224), "image_attention_mask": torch.ones(1, 128, 1)},
    )


def diffusion() -> Case:
    """The U-Net of Stable Diffusion's size."""
    from diffusers import UNet2DConditionModel

    model = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
    return Case(model, (empty(1, 4, 64, 64), empty(1), empty(1, 77, 768)))


def autoencoder() -> Case:
    """The variational autoencoder of Stable Diffusion's size."""
    from diffusers import AutoencoderKL

    widths, kinds = (128, 256, 512, 512), (("DownEncoderBlock2D",) * 4, ("UpDecoderBlock2D",) * 4)
    return Case(AutoencoderKL(3, 3, *kinds, widths, layers_per_block=2), (empty(1, 3, 256, 256),))


def experts() -> Case:
    """On the CPU, because the tokens choose."""
    model, x = sequences.mixture()
    return Case(model, (x,))


GALLERY: dict[str, Entry] = {
    "cnn": Entry("Small CNN", "up to 16 operations are drawn as cards.", own(images.CNN, floats(1, 1, 28, 28))),
    "lstm": Entry("LSTM classifier", "a recurrent module is one operation.", own(sequences.LSTMClassifier, words(64))),
    "unet4": Entry("U-Net", "four levels with skips.", own(images.UNet, floats(1, 3, 256, 256))),
    "unet": Entry(
        "Two-branch U-Net",
        "skips from both encoders lead into the decoder.",
        own(images.TwoBranchUNet, floats(1, 3, 64, 64), floats(1, 1, 64, 64)),
    ),
    "unetpp": Entry(
        "UNet++", "each node reads all nodes on its level.", own(images.UNetPlusPlus, floats(1, 3, 256, 256))
    ),
    "swin_unet": Entry("Swin-UNet", "a U of attention blocks.", own(images.SwinUNet, floats())),
    "resnet18": Entry("ResNet-18", "chains are tables; norm and activation are chips.", vision("resnet18")),
    "resnet50": Entry("ResNet-50", "repeated blocks are drawn once with ×N.", vision("resnet50")),
    "densenet121": Entry("DenseNet-121", "repeated concatenations are chained.", vision("densenet121")),
    "googlenet": Entry(
        "GoogLeNet", "four branches in each block.", vision("googlenet", init_weights=False, aux_logits=False)
    ),
    "inception_v3": Entry("Inception v3", "branches within branches.", vision("inception_v3", 299, init_weights=False)),
    "efficientnet_b0": Entry("EfficientNet-B0", "squeeze and excitation in each block.", vision("efficientnet_b0")),
    "convnext_tiny": Entry("ConvNeXt-T", "layer scales are dashed pills.", vision("convnext_tiny")),
    "deeplab": Entry(
        "DeepLab v3",
        "five branches with different dilations, joined.",
        vision("deeplabv3_resnet50", weights_backbone=None),
    ),
    "retinanet": Entry(
        "RetinaNet", "a feature pyramid with two heads, and what chooses boxes.", detector("retinanet_resnet50_fpn")
    ),
    "mask_rcnn": Entry("Mask R-CNN", "two stages: proposals, then masks.", detector("maskrcnn_resnet50_fpn")),
    "yolo": Entry("YOLO", "a pyramid down and up again, three heads.", own(images.YOLO, floats(1, 3, 640, 640))),
    "vit_b_16": Entry("ViT-B/16", "one of twelve equal layers.", vision("vit_b_16")),
    "swin_t": Entry("Swin-T", "pairs of blocks repeat together.", vision("swin_t")),
    "detr": Entry("DETR", "a convolutional backbone, encoder, decoder.", detr),
    "sam": Entry(
        "SAM",
        "an image encoder, and points that attend to it both ways.",
        language("SamModel", floats(1, 3, 1024, 1024), floats(1, 1, 2, 2)),
    ),
    "transformer": Entry(
        "Transformer", "the one of 2017, encoder and decoder.", own(sequences.Transformer, words(), words(32))
    ),
    "bert": Entry("BERT", "encoder.", language("BertModel")),
    "gpt2": Entry("GPT-2", "decoder; what is returned as cache says → output.", language("GPT2LMHeadModel")),
    "llama": Entry("Llama 7B", "rotary embeddings are one row.", language("LlamaForCausalLM")),
    "mixtral": Entry("Mixtral 8x7B", "a router and its experts.", language("MixtralForCausalLM")),
    "experts": Entry("Eight experts", "each token is sent to two of eight.", experts),
    "t5": Entry("T5", "an encoder and a decoder.", language("T5ForConditionalGeneration", words(), None, words(32))),
    "switch": Entry(
        "Switch Transformer",
        "one expert per token, in encoder and decoder.",
        language("SwitchTransformersForConditionalGeneration", words(), None, words(32)),
    ),
    "whisper": Entry(
        "Whisper",
        "speech to text.",
        language("WhisperForConditionalGeneration", floats(1, 80, 3000), None, words(32)),
    ),
    "wav2vec2": Entry(
        "wav2vec 2.0", "convolutions over sound, then an encoder.", language("Wav2Vec2Model", floats(1, 16000))
    ),
    "seq2seq": Entry(
        "LSTM with attention", "128 steps that attend to the encoder.", own(sequences.Attending, words(20), words())
    ),
    "gru": Entry("GRU loop", "128 steps of a cell in Python.", own(sequences.GRULoop, floats(1, 128, 64))),
    "mamba": Entry("Mamba", "39,408 operations: the loop over time is one row.", language("MambaForCausalLM")),
    "rwkv": Entry(
        "RWKV", "a loop over time in each layer.", language("RwkvForCausalLM", hidden_size=768, num_hidden_layers=12)
    ),
    "perceiver": Entry("Perceiver", "latents read a long input once.", language("PerceiverForMaskedLM", words(2048))),
    "clip": Entry("CLIP", "two towers.", language("CLIPModel", words(77), floats())),
    "flamingo": Entry("Flamingo (Idefics)", "gated cross-attention to images.", idefics),
    "unet_sd": Entry("U-Net of Stable Diffusion", "values that many blocks read are shown by name.", diffusion),
    "vae": Entry("VAE of Stable Diffusion", "encoder and decoder.", autoencoder),
    "gan": Entry(
        "DCGAN", "the discriminator is called twice.", own(images.GAN, floats(1, 100, 1, 1), floats(1, 3, 64, 64))
    ),
    "nerf": Entry("NeRF", "the input enters again.", own(sequences.NeRF, floats(1024, 3), floats(1024, 3))),
    "pointnet": Entry(
        "PointNet", "matrices made from the points align them.", own(sequences.PointNet, floats(1, 3, 1024))
    ),
    "gnn": Entry(
        "Graph network",
        "messages along edges.",
        own(sequences.GNN, floats(100, 16), lambda: torch.zeros(2, 400, dtype=torch.long)),
    ),
}
