"""What a capture yields: the graph of a model with what was learnt of it, or why a strategy does not yield one."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.operations.propagate import Propagation
from fxsummary.capture.symbolic.trace import Trace


@dataclass
class Capture:
    """What was learnt by looking at the model once.

    Attributes:
        model: the model, or the meta twin in which lazy modules were materialized.
        captured_by: "symbolic", "recorded", "exported" or "modules".
        trace: the FX graph; None for "modules".
        propagation: specs and FLOPs by node; None where no input is known.
        device: the device that the model's tensors are on.
        inputs: the inputs of the forward that was captured; None where they are not known.
        inputs_inferred: whether the inputs were guessed.
        is_partial: whether the graph ends before forward does.
        untold: paths of modules that may or may not be called; they count as called.
        notes: what a reader must know.
    """

    model: nn.Module
    captured_by: str
    trace: Trace | None = None
    propagation: Propagation | None = None
    device: str = "cpu"
    inputs: Inputs | None = None
    inputs_inferred: bool = False
    is_partial: bool = False
    untold: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Refusal:
    """A strategy does not lead to a graph.

    Attributes:
        reason: why, as a clause for a note.
        partial: how far tracing got; None where it did not start.
    """

    reason: str
    partial: Trace | None = None
