"""A part of the zoo benchmark (`make zoo`): models of transformers of each kind, and odd ones of our own."""

from __future__ import annotations

import warnings

import pytest

pytest.importorskip("transformers", reason="the models come from transformers, which is not installed")

from benchmarks.zoo import truth
from benchmarks.zoo.check import MISSING, check
from zoo.published import entries

TRANSFORMERS = (
    "BertForMaskedLM", "RobertaForMultipleChoice", "AlbertForMaskedLM", "DebertaV2ForTokenClassification",
    "ElectraForPreTraining", "GPT2LMHeadModel", "LlamaForCausalLM", "LlamaForCausalLM+step", "MistralForCausalLM",
    "Qwen3ForCausalLM", "Gemma2ForCausalLM", "GPTNeoXForCausalLM", "BloomForCausalLM", "MixtralForCausalLM",
    "Qwen3MoeForCausalLM", "SwitchTransformersForConditionalGeneration", "MambaForCausalLM", "Mamba2ForCausalLM",
    "RwkvForCausalLM", "JambaForCausalLM", "T5ForConditionalGeneration", "BartForConditionalGeneration",
    "PegasusForConditionalGeneration", "ViTForImageClassification", "SwinForImageClassification",
    "ConvNextForImageClassification", "BeitForImageClassification", "DetrForObjectDetection",
    "YolosForObjectDetection", "SegformerForSemanticSegmentation", "Mask2FormerForUniversalSegmentation",
    "DPTForDepthEstimation", "WhisperForConditionalGeneration", "Wav2Vec2ForCTC",
    "HubertForSequenceClassification", "EncodecModel", "CLIPModel", "BlipForConditionalGeneration",
    "LlavaForConditionalGeneration", "LayoutLMForTokenClassification", "FuyuForCausalLM",
    "TimesformerForVideoClassification", "VideoMAEForVideoClassification",
)  # fmt: skip
"""One or two of each kind: encoders, decoders, mixtures of experts, state space, encoder-decoders, vision, detection,
segmentation, audio, multimodal, documents, video."""

ENTRIES = entries()
NAMES = [f"transformers/{name}" for name in TRANSFORMERS if f"transformers/{name}" in ENTRIES]
NAMES += [name for name in ENTRIES if name.startswith("own/")]


def test_the_names_are_in_the_registry() -> None:
    assert [name for name in TRANSFORMERS if f"transformers/{name}" not in ENTRIES] == []


@pytest.mark.parametrize("name", NAMES)
def test_model_of_the_zoo(name: str) -> None:
    """Dataflow, parameters, output shapes and FLOPs are those of the truth; both ways agree; the graph runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        entry = ENTRIES[name]
        result = check(entry, truth.measure(entry), without_inputs=False)
    made = ("captured", "parameters", "shapes", "flops", "recorded", "agree", "replay", "untouched")
    assert {each: getattr(result, each) for each in made if getattr(result, each) not in ("", MISSING)} == {}
