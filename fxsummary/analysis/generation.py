"""The cache of a language model, read off what its forward returns.

What forward returns under the name of one of its own arguments, such as ``past_key_values``, is state that the caller
passes to the next call. A second capture with one token more shows how it grows: sliding windows, grouped and latent
attention and recurrent states come out as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from fxsummary.api import graph
from fxsummary.capture.inputs.example import forward_signature
from fxsummary.capture.module_index import unwrapped
from fxsummary.errors import InputError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import TensorSpec, leaves
from fxsummary.text.numbers import count, size


@dataclass(frozen=True, slots=True)
class Cache:
    """What a model keeps between calls of forward.

    Attributes:
        names: the arguments of forward that take it.
        nbytes: bytes after a call with `tokens` tokens.
        tokens: tokens of each sequence, by the input that grows.
        batch: number of sequences.
        per_token: bytes by which it grows with one token more in each sequence, by the input that grows.
        dtypes: dtypes of its tensors.
    """

    names: tuple[str, ...]
    nbytes: int
    tokens: Mapping[str, int]
    batch: int
    per_token: Mapping[str, int]
    dtypes: tuple[str, ...]

    def __str__(self) -> str:
        at = ", ".join(f"{count(number)} tokens of {name}" for name, number in self.tokens.items())
        grows = ", ".join(f"{count(number)} bytes per token of {name}" for name, number in self.per_token.items())
        now = f"{size(self.nbytes)} ({', '.join(self.dtypes)}) at {at}, batch {self.batch}"
        return f"{', '.join(self.names)}: {grows}; {now}"


def kv_cache(model: nn.Module, /, *args: Any, **inputs: Any) -> Cache:
    """Return the size of a model's cache, and how it grows with each token.

    It captures the model twice or, with an encoder, once for each sequence.

    Args:
        model: a module on any device, ``meta`` included, whose forward returns its cache.
        args, inputs: the inputs, as for `fxsummary.graph`; inferred if left out.

    Raises:
        InputError: forward returns no cache, or no input is a sequence.

    It also raises the errors of `fxsummary.graph`.
    """
    first = graph(model, *args, **inputs)
    names = cache_names(model, first)
    if not names:
        raise without_cache(first)
    sequences = dict(sequences_of(first))
    if not sequences:
        raise InputError(f"no input of {first.name} is a batch of sequences of tokens: {first.inputs_text}.")
    now, per_token = cache_nbytes(first, names), {}
    for name, length in sequences.items():
        shapes = {
            other: tuple([each + 1 if place and each == length else each for place, each in enumerate(spec.shape)])
            for other, spec in first.inputs.items()
            if spec is not None
        }
        dtypes = {other: spec.dtype for other, spec in first.inputs.items() if spec is not None}
        per_token[name] = cache_nbytes(graph(model, input_shape=shapes, input_dtype=dtypes), names) - now
    batch = next(spec.shape[0] for name, spec in first.inputs.items() if name in sequences and spec is not None)
    dtypes_of = dict.fromkeys(each.dtype for each in specs_of(first, names) if each.numel > 1)
    return Cache(
        tuple(names), now, sequences, batch, {name: n // batch for name, n in per_token.items()}, tuple(dtypes_of)
    )


def cache_names(model: nn.Module, captured: ModelGraph) -> list[str]:
    """Return the arguments of forward under whose name it returns tensors."""
    parameters = forward_signature(unwrapped(model)).parameters
    return [name for name in _returned(captured) if name in parameters and cache_nbytes(captured, [name])]


def cache_nbytes(captured: ModelGraph, names: list[str]) -> int:
    """Return the bytes of what forward returns under these names."""
    return sum(spec.nbytes for spec in specs_of(captured, names))


def without_cache(captured: ModelGraph) -> InputError:
    """Return the error for a model that has no cache."""
    return InputError(
        f"forward of {captured.name} returns nothing that it also takes as an argument, so that it has no cache: "
        "capture it with use_cache=True, or with the inputs of a decoder."
    )


def _returned(captured: ModelGraph) -> Mapping[str, Any]:
    return captured.output_spec if isinstance(captured.output_spec, dict) else {}


def specs_of(captured: ModelGraph, names: list[str]) -> Iterator[TensorSpec]:
    """Yield the specs that forward returns under these names."""
    return (spec for name in names for spec in leaves(_returned(captured)[name]))


def sequences_of(captured: ModelGraph) -> Iterator[tuple[str, int]]:
    """Yield the inputs that are batches of sequences of tokens, the first of each length, with the length."""
    lengths: set[int] = set()
    for name, spec in captured.inputs.items():
        if spec is not None and spec.is_index and len(spec.shape) == 2 and spec.shape[1] not in lengths:
            lengths.add(spec.shape[1])
            yield name, spec.shape[1]
