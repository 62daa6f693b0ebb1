"""What a capture yields: the graph of a model with what was learnt of it, or why a strategy does not yield one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.operations.outcome import Outcome


@dataclass
class Trace:
    """An FX graph with what is needed to read it.

    Attributes:
        graph: its nodes carry `STACK` and `SOURCE` in their meta.
        constants: tensors that are no parameter or buffer, by the get_attr target that refers to them.
        skipped_hooks: paths of modules with hooks that were not run.
        given: the input tensors by placeholder, where a recording was given them.
        returned: for each call of a module that was entered, by its key in the stack, its entry there and what it
            returned: `Returned`, or, of a symbolic trace, a structure of nodes.
    """

    graph: fx.Graph
    constants: dict[str, torch.Tensor] = field(default_factory=dict)
    skipped_hooks: list[str] = field(default_factory=list)
    given: dict[fx.Node, torch.Tensor] = field(default_factory=dict)
    returned: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass
class Propagation:
    """Outcomes by node, and the first reason why outcomes are not known, if any."""

    outcomes: dict[fx.Node, Outcome] = field(default_factory=dict)
    stopped: list[tuple[fx.Node, str]] = field(default_factory=list)

    @property
    def output(self) -> Any:
        """Value of the output node."""
        return next(reversed(self.outcomes.values())).value


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
