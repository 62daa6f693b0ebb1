"""Generation with language models: prefill and decode, by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

import fxsummary
from fxsummary import Device
from fxsummary.cli import main
from fxsummary.errors import InputError
from zoo.operators import define_torchvision_operators

HIDDEN, INTERMEDIATE, LAYERS, VOCABULARY, KV = 4096, 14336, 32, 128256, 8 * 128
"""Sizes of Llama-3-8B; KV is the width of keys, and of values."""


def on_meta(name: str, config: str, **sizes: Any) -> nn.Module:
    """Return a model of transformers on meta, in bfloat16."""
    define_torchvision_operators()
    import transformers

    with torch.device("meta"):
        return getattr(transformers, name)(getattr(transformers, config)(**sizes)).to(torch.bfloat16).eval()


SMALL: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 100, "head_dim": 16,
}  # fmt: skip


def test_llama_3_8b_on_an_h100() -> None:
    model = on_meta(
        "LlamaForCausalLM",
        "LlamaConfig",
        hidden_size=HIDDEN,
        intermediate_size=INTERMEDIATE,
        num_hidden_layers=LAYERS,
        num_attention_heads=32,
        num_key_value_heads=8,
        vocab_size=VOCABULARY,
    )
    found = fxsummary.generation(model, tokens=2048, batch=1, device="H100")
    per_token = 2 * LAYERS * KV * 2  # keys and values of each layer, 2 bytes each
    assert found.cache_per_token == per_token == 131_072
    assert found.cache_bytes == 2048 * per_token
    attention = 2 * HIDDEN * HIDDEN + 2 * HIDDEN * KV
    layer = attention + 3 * HIDDEN * INTERMEDIATE + 2 * HIDDEN
    read = 2 * (LAYERS * layer + HIDDEN + HIDDEN * VOCABULARY + HIDDEN)  # of the embedding one row
    decode = found.phases[1]
    table = 64 * 2  # a buffer of the rotary embedding
    assert decode.weights == read + table
    assert decode.cache == 2048 * per_token
    # in eager PyTorch the cache is read and written as a whole to grow by one token, then read by attention
    products = 2 * (LAYERS * (layer - 2 * HIDDEN) + HIDDEN * VOCABULARY) + 4 * LAYERS * HIDDEN * 2049
    assert decode.flops == products
    seconds = (read + 3 * 2048 * per_token) / 3.35e12
    assert 1 / seconds < 212 and math.isclose(decode.rate(0), 1 / seconds, rel_tol=2e-3)
    assert int(decode.rate(0)) == 211
    assert decode.rooflines[0].is_memory_bound
    assert math.isclose(decode.rate(0, fused=True), 3.35e12 / (read + 2048 * per_token), rel_tol=1e-3)
    assert found.largest_batch(found.devices[0]) == (80_000_000_000 - found.weight_bytes) // (2048 * per_token)
    text = str(found)
    assert "131,072 bytes per token" in text and " 211 " in text and max(map(len, text.splitlines())) <= 88


def test_experts_that_a_token_does_not_choose_are_not_activated() -> None:
    model = on_meta("MixtralForCausalLM", "MixtralConfig", **SMALL, num_local_experts=8, num_experts_per_tok=2)
    found = fxsummary.generation(model, tokens=32, batch=(1, 16), device="H100")
    experts = 3 * 8 * 3 * 64 * 96  # layers, experts, matrices
    assert found.parameters - found.activated == experts * 6 // 8
    one, many = found.phases[1:]
    assert many.weights - one.weights == 2 * experts * 6 // 8 + 15 * 2 * 64  # and a row of the embedding for each
    assert "activated per token" in str(found) and "Experts:" in str(found)


def test_a_sliding_window_stops_growing() -> None:
    model = on_meta("MistralForCausalLM", "MistralConfig", **SMALL, sliding_window=16)
    assert fxsummary.generation(model, tokens=8).cache_per_token == 2 * 3 * 32 * 2
    found = fxsummary.generation(model, tokens=64)
    assert found.cache_per_token == 0 and "does not grow" in str(found)


def test_own_devices_and_plain_values() -> None:
    model = on_meta("LlamaForCausalLM", "LlamaConfig", **SMALL)
    mine = Device("mine", {"bfloat16": 1e12}, bandwidth=1e11)
    found = fxsummary.generation(model, tokens=16, batch=(1, 4), device=[mine, "L4"], efficiency=0.5)
    assert [each.name for each in found.devices] == ["mine", "L4"]
    assert found.largest_batch(mine) is None
    values = found.to_dict()
    assert [each["batch"] for each in values["phases"]] == [1, 1, 4]
    assert values["largest_batch"]["mine"] is None


def test_a_model_without_cache_or_tokens_is_refused() -> None:
    with pytest.raises(InputError, match="no input is a batch of tokens"):
        fxsummary.generation(nn.Sequential(nn.Conv2d(3, 4, 3)))
    with pytest.raises(InputError, match="has no cache"):
        fxsummary.generation(on_meta("BertModel", "BertConfig", num_hidden_layers=1), tokens=64)


def test_the_model_stays_as_it_is() -> None:
    model = on_meta("LlamaForCausalLM", "LlamaConfig", **SMALL)
    before = {name: id(value) for name, value in model.named_parameters()}
    fxsummary.generation(model, tokens=16)
    assert {name: id(value) for name, value in model.named_parameters()} == before
    assert all(not hasattr(module, "_cache") for module in model.modules())


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    define_torchvision_operators()
    model = ["transformers:LlamaForCausalLM", "--config", "transformers:LlamaConfig", "--quiet"]
    model += [f"--config-arg={name}={value}" for name, value in SMALL.items()]
    assert main(["generation", *model, "--tokens", "16", "--batch", "1,4", "--device", "L4,T4"]) == 0
    text = capsys.readouterr().out
    assert "decode 4" in text and "T4" in text
    assert main(["generation", *model, "--batch", "many"]) == 2
    assert "--batch 'many'" in capsys.readouterr().err
