"""The model to capture, with the options and a snapshot of its state, which is restored after each run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass

import torch
from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations

from fxsummary.capture.module_index import device_of, modules_by_path, tensors_in_modules
from fxsummary.capture.restore.snapshots import Snapshot
from fxsummary.capture.results import Trace

Leaf = Callable[[nn.Module, str], bool]
"""Predicate: whether to show a module (with its path) as one operation."""


@dataclass(eq=False)
class Subject:
    """The model to capture, and the options.

    Args:
        leaf: further modules not to enter.
        way: "auto", "symbolic" or "record".
        replay: whether a recording copies modules that are identical to earlier ones.
        arguments: arguments of forward; their state is restored too.

    Attributes:
        name: class name of the model.
        modules: every module by path, see `modules_by_path`.
        device: the device of the model's tensors.
        snapshot: the current state of the model.
        without_kernel: classes of layers with packed weights whose kernels do not run here.
        traced: a trace that was made without inputs and that no capture has used; None if there is none.
    """

    model: nn.Module
    leaf: Leaf | None = None
    way: str = "auto"
    replay: bool = True
    arguments: InitVar[Sequence[object]] = ()

    def __post_init__(self, arguments: Sequence[object]) -> None:
        self.traced: Trace | None = None
        self.without_kernel: set[type] = set()
        self.name = type(self.model).__name__
        self.modules = modules_by_path(self.model)
        unique = list({id(module): module for module in self.modules.values()}.values())
        self.device = device_of(tensors_in_modules(unique))
        self.snapshot = Snapshot(unique, arguments)

    def is_leaf(self, module: nn.Module, path: str) -> bool:
        """Whether a module is one operation."""
        if default_leaf(module) or type(module) in self.without_kernel:
            return True
        return self.leaf is not None and self.leaf(module, path)


def default_leaf(module: nn.Module) -> bool:
    """Whether a module is a leaf by default: a ``torch.nn`` module other than `_ENTERED`, or a TorchScript module.

    A parametrized module counts as its original class.
    """
    kind: type = type(module)
    if kind.__module__ == "torch.nn.utils.parametrize":
        kind = type_before_parametrizations(module)
    if not kind.__module__.startswith(("torch.nn.", "torch.ao.nn.")):
        return isinstance(module, torch.jit.ScriptModule)
    return kind is not nn.Module and not issubclass(kind, _ENTERED)


_ENTERED = (
    nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict,
    nn.DataParallel, nn.parallel.DistributedDataParallel,
    nn.Transformer, nn.TransformerEncoder, nn.TransformerDecoder,
    nn.TransformerEncoderLayer, nn.TransformerDecoderLayer,
)  # fmt: skip
"""``torch.nn`` modules that are entered, because readers want to see their parts, such as attention."""
