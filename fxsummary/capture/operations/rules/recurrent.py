"""Recurrent layers and cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fxsummary.capture.operations.flops import recurrent_cell_flops, recurrent_flops
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.rules.answers import floats, fresh, new, plain, strides, sure, weight
from fxsummary.capture.operations.rules.layout import is_contiguous
from fxsummary.graph.spec import TensorSpec

# --- layers ----------------------------------------------------------------------------------------


def _layers(module: nn.RNNBase, input: Any) -> Outcome:
    """A call without an initial state."""
    weights = [weight(module, name) for names in module._all_weights for name in names]
    spec = floats(input, *weights)
    sure(len(spec.shape) == 3 and spec.shape[-1] == module.input_size and is_contiguous(spec.shape, strides(spec)))
    sure(not (module.training and module.dropout))
    directions = 2 if module.bidirectional else 1
    batch = spec.shape[0] if module.batch_first else spec.shape[1]
    states = (module.num_layers * directions, batch)
    hidden = new((*states, module.proj_size or module.hidden_size), spec)
    output, flops = _output(spec, hidden, weights, module.num_layers, module.batch_first)
    if isinstance(module, nn.LSTM):
        return Outcome((output, (hidden, new((*states, module.hidden_size), spec))), flops)
    return Outcome((output, hidden), flops)


def _output(
    spec: TensorSpec, hidden: TensorSpec, weights: Any, num_layers: int, batch_first: bool
) -> tuple[TensorSpec, int]:
    """The states of the last layer, and the FLOPs."""
    steps, batch = (spec.shape[1], spec.shape[0]) if batch_first else spec.shape[:2]
    width = hidden.shape[0] // num_layers * hidden.shape[2]
    flops = recurrent_flops(spec.shape, None, [each.shape for each in weights if each is not None])
    if batch_first:
        return new((batch, steps, width), spec, stride=(width, batch * width, 1)), flops
    return new((steps, batch, width), spec), flops


def _function(
    input: Any,
    hx: Any,
    params: Any,
    has_biases: Any,
    num_layers: Any,
    dropout: Any,
    train: Any,
    bidirectional: Any,
    batch_first: Any,
) -> Outcome:
    """``torch.lstm`` and its kin on sequences of one length, with their initial states."""
    states = list(hx) if type(hx) in (tuple, list) else [hx]
    spec = floats(input, *states, *params)
    directions = 2 if bidirectional is True else 1
    sure(type(has_biases) is type(batch_first) is bool and type(num_layers) is int and not (train and dropout))
    sure(len(spec.shape) == 3 and is_contiguous(spec.shape, strides(spec)))
    batch = spec.shape[0] if batch_first else spec.shape[1]
    for each in states:
        sure(len(each.shape) == 3 and each.shape[:2] == (num_layers * directions, batch))
        plain(each)
    has_projection = len(states) == 2 and states[0].shape != states[1].shape
    each_layer = 2 + 2 * has_biases + has_projection
    sure(len(params) == num_layers * directions * each_layer and params[0].shape[1] == spec.shape[2])
    output, flops = _output(spec, states[0], params, num_layers, batch_first)
    return Outcome((output, *[new(each.shape, spec) for each in states]), flops)


# --- cells -----------------------------------------------------------------------------------------


def _cell(gates: int) -> Callable[..., Outcome]:
    def rule(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Outcome:
        states = list(hx) if type(hx) in (tuple, list) else [hx]
        spec = floats(input, *states, w_ih, w_hh, b_ih, b_hh)
        rows, width = states[0].shape
        sure(len(spec.shape) == 2 and spec.shape[0] == rows)
        sure(w_ih.shape == (gates * width, spec.shape[1]) and w_hh.shape == (gates * width, width))
        sure(all(each is None or each.shape == (gates * width,) for each in (b_ih, b_hh)))
        for each in (spec, *states):
            sure(each.shape[0] == rows)
            plain(each)
        flops = recurrent_cell_flops(spec.shape, None, w_ih.shape, w_hh.shape)
        if len(states) == 1:
            return fresh((rows, width), spec, flops=flops)
        sure(len(states) == 2 and states[1].shape == states[0].shape)
        return Outcome((new((rows, width), spec), new((rows, width), spec)), flops)

    return rule


MODULES: dict[type[nn.Module], Callable[..., Outcome]] = dict.fromkeys((nn.LSTM, nn.GRU, nn.RNN), _layers)

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **dict.fromkeys((torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu), _function),
    torch.lstm_cell: _cell(4),
    torch.gru_cell: _cell(3),
    **dict.fromkeys((torch.rnn_tanh_cell, torch.rnn_relu_cell), _cell(1)),
}
