"""Recurrent layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from fxsummary.capture.outcome import Outcome
from fxsummary.capture.rules.answers import floats, new, strides, sure, weight
from fxsummary.capture.rules.layout import is_contiguous
from fxsummary.formulas import recurrent_flops


def _layers(module: nn.RNNBase, input: Any) -> Outcome:
    """A call without an initial state."""
    weights = [weight(module, name) for names in module._all_weights for name in names]
    spec = floats(input, *weights)
    sure(len(spec.shape) == 3 and spec.shape[-1] == module.input_size and is_contiguous(spec.shape, strides(spec)))
    steps, batch = (spec.shape[1], spec.shape[0]) if module.batch_first else spec.shape[:2]
    directions = 2 if module.bidirectional else 1
    sure(steps > 0 and not (module.training and module.dropout))
    out = module.proj_size or module.hidden_size
    shape = (batch, steps, out * directions) if module.batch_first else (steps, batch, out * directions)
    stride = (out * directions, batch * out * directions, 1) if module.batch_first else None
    output = new(shape, spec, stride=stride)
    states = (module.num_layers * directions, batch)
    hidden = new((*states, out), spec)
    flops = recurrent_flops(spec.shape, None, [each.shape for each in weights if each is not None])
    if isinstance(module, nn.LSTM):
        return Outcome((output, (hidden, new((*states, module.hidden_size), spec))), flops)
    return Outcome((output, hidden), flops)


MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {nn.LSTM: _layers, nn.GRU: _layers}
FUNCTIONS: dict[Any, Callable[..., Outcome]] = {}
