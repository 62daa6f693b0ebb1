"""Results of a capture: `Capture`, the graph of a model with its specs and FLOPs, or `Refusal`, why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.operations.outcome import Outcome


@dataclass
class Storages:
    """The memory of the values in a graph, by numbers that are equal for values that share it.

    Attributes:
        held: the storages that each node returns or writes in place.
        nbytes: the size of each storage.
        deaths: the node after which the last reference to a storage went away; no entry if it outlives forward.
    """

    held: dict[fx.Node, tuple[int, ...]] = field(default_factory=dict)
    nbytes: dict[int, int] = field(default_factory=dict)
    deaths: dict[int, fx.Node] = field(default_factory=dict)


@dataclass
class Trace:
    """An FX graph with the data that its nodes refer to.

    Attributes:
        graph: the graph; its nodes have `STACK` and `SOURCE` in their meta.
        constants: tensors that are neither parameters nor buffers, by the get_attr target that refers to them.
        skipped_hooks: paths of modules with hooks that were not run.
        given: the user's input tensors by placeholder; recordings only.
        returned: for each call of an entered module, by its key in the module stack: its stack entry and its result,
            which is a `Returned`, or a structure of nodes in a symbolic trace.
        taken: for each call of an entered module, by its key in the module stack: its stack entry, and the nodes of the
            tensors among its arguments.
        made: targets of the constants that forward itself makes.
        deaths: in a symbolic trace, the node after which Python let go of each node's value.
        storages: the memory of the values; None until the shapes are known.
    """

    graph: fx.Graph
    constants: dict[str, torch.Tensor] = field(default_factory=dict)
    skipped_hooks: list[str] = field(default_factory=list)
    given: dict[fx.Node, torch.Tensor] = field(default_factory=dict)
    returned: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    taken: Mapping[str, tuple[Any, tuple[fx.Node, ...]]] = field(default_factory=dict)
    made: frozenset[str] = frozenset()
    deaths: dict[fx.Node, fx.Node] = field(default_factory=dict)
    storages: Storages | None = None


@dataclass
class Propagation:
    """The outcomes of a graph.

    Attributes:
        outcomes: by node.
        stopped: the nodes after which outcomes are unknown, each with the reason.
        signatures: the number of the signature of each leaf module that ran, by ``id`` and training flag.
    """

    outcomes: dict[fx.Node, Outcome] = field(default_factory=dict)
    stopped: list[tuple[fx.Node, str]] = field(default_factory=list)
    signatures: Mapping[tuple[int, bool], int | None] = field(default_factory=dict)

    @property
    def output(self) -> Any:
        """The value of the output node."""
        return next(reversed(self.outcomes.values())).value


@dataclass
class Capture:
    """The result of capturing a model.

    Attributes:
        model: the model, or the meta twin in which lazy modules were materialized.
        captured_by: "symbolic", "recorded", "exported" or "modules".
        trace: the FX graph; None for "modules".
        propagation: specs and FLOPs by node; None if no input is known.
        device: the device of the model's tensors.
        inputs: the inputs of the captured forward pass; None if unknown.
        inputs_inferred: whether the inputs were guessed.
        is_partial: whether the graph ends before forward does.
        untold: paths of modules that may or may not be called; they count as called.
        notes: remarks for the user, such as why the graph is partial.
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
    """The reason why a strategy does not lead to a graph.

    Attributes:
        reason: why, as a clause for a note.
        partial: the graph up to where tracing stopped; None if it did not start.
    """

    reason: str
    partial: Trace | None = None
