"""The methods of `ModelGraph` that check it, and that tell what it costs on a device or in training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fxsummary.support.registry import call

if TYPE_CHECKING:
    from fxsummary.graph.costs import Costs
    from fxsummary.graph.device import Device
    from fxsummary.graph.findings import Findings
    from fxsummary.graph.modelgraph import ModelGraph
    from fxsummary.graph.receptive import ReceptiveFields
    from fxsummary.graph.roofline import Roofline
    from fxsummary.graph.training import Training

Limit = float | str | None
"""A budget: a number, or one as a text such as ``"25M"``."""


class Analyses:
    """What is asked about a graph; nothing changes it."""

    def by_module(self) -> dict[str, Costs]:
        """Return the costs of each module by path; "" is the model. A module is the sum of its children and of itself.

        An operation counts in the module that runs it, a shared or tied parameter under its first name.
        """
        costs: dict[str, Costs] = call("fxsummary.views.modules:by_module", self)
        return costs

    def by_kind(self) -> dict[str, Costs]:
        """Return the costs of the operations of each kind; all kinds add up to the totals.

        Parameters that no operation reads count in the kind "parameter".
        """
        costs: dict[str, Costs] = call("fxsummary.views.modules:by_kind", self)
        return costs

    def check(
        self,
        *,
        max_parameters: Limit = None,
        max_trainable_parameters: Limit = None,
        max_flops: Limit = None,
        max_parameter_bytes: Limit = None,
        max_peak_memory: Limit = None,
        max_training_memory: Limit = None,
        training: Mapping[str, Any] | None = None,
        no_unread_parameters: bool = False,
        no_unknown: bool = False,
        baseline: ModelGraph | str | Path | None = None,
        tolerance: float | str = 0,
        **others: object,
    ) -> None:
        """Raise if a budget is exceeded; numbers may be strings such as ``"25M"`` or ``"2 GiB"``.

        Args:
            max_parameters, max_trainable_parameters: maximum number of parameters; tied and shared ones count once.
            max_flops: maximum FLOPs, 2 per multiply-accumulate, for the example's batch.
            max_parameter_bytes: maximum size of the parameters in bytes.
            max_peak_memory: maximum bytes of activations in use at one time, see `ModelGraph.memory`.
            max_training_memory: maximum bytes of tensors in use at one time in a training step, see
                `ModelGraph.training`.
            training: a dict of options of `ModelGraph.training`, such as ``dict(optimizer="sgd", device="cpu")``.
            no_unread_parameters: fail if forward never reads a parameter.
            no_unknown: fail if the FLOPs of an operation or the size of a weight are unknown.
            baseline: a graph, or the path of one saved as JSON; parameters, trainable parameters, bytes and FLOPs
                must not exceed its own.
            tolerance: allowed relative increase over the baseline, such as 0.01.

        Raises:
            BudgetError: budgets are exceeded; the message lists all of them, with the largest contributors.
            InputError: unknown budget or invalid value.

        A limit counts as exceeded if something unknown could exceed it:

        >>> import torch, fxsummary
        >>> g = fxsummary.graph(torch.nn.Linear(8, 4), torch.empty(1, 8))
        >>> g.check(max_parameters=36, max_flops="64", no_unknown=True)
        >>> g.check(max_parameters=10, max_flops=10)
        Traceback (most recent call last):
        ...
        fxsummary.errors.BudgetError: 2 budgets of Linear are exceeded.
        max_parameters: 36 parameters, 26 more than the 10 allowed
          36 (100 %) linear Linear
        max_flops: 64 FLOPs, 54 more than the 10 allowed
          64 (100 %) linear Linear
        """
        given = {name: each for name, each in locals().items() if name not in ("self", "others")}
        call("fxsummary.review.budgets:check", self, **given, **others)

    def lint(self, *, ignore: Iterable[str] = (), select: Iterable[str] = ()) -> Findings:
        """Return likely mistakes in a model, rule by rule.

        Args:
            ignore: rules to skip, or ``rule:path`` to skip a rule for some paths; paths may contain ``*`` and ``?``.
            select: advice rules to run as well; "all" for all of them.

        Raises:
            UnknownNameError: unknown rule; the message lists the known ones.

        >>> import torch, fxsummary
        >>> block = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU())
        >>> for finding in fxsummary.graph(block).lint():
        ...     print(finding)
        bias-before-norm: the 8 biases of 0 are redundant: in training, BatchNorm2d subtracts the mean that they shift
        >>> fxsummary.graph(block).lint(ignore=["bias-before-norm:0"])
        ()
        """
        findings: Findings = call("fxsummary.review.lint:lint", self, ignore=ignore, select=select)
        return findings

    def training(
        self,
        *,
        optimizer: str | None = "adamw",
        device: str = "cuda",
        precision: str | None = None,
        master_copies: bool = False,
    ) -> Training:
        """Return the memory and FLOPs of a training step, and what checkpointing would save.

        The captured operations run again on meta tensors with gradients: forward in the mode of the captured model, a
        loss (the first output if it is one number, or else the mean of its squares), and backward.

        Args:
            optimizer: "adamw", "adam", "momentum" (SGD with momentum), "sgd", "adafactor" or None.
            device: the device whose kernels run, "cuda" or "cpu": they differ in what attention and dropout keep.
            precision: "bf16" or "fp16" for ``torch.autocast``; None to run as captured. Casts to a dtype that forward
                read from a tensor stay as captured, and the result is marked ≈: capture under ``torch.autocast`` to be
                exact.
            master_copies: whether the optimizer keeps float32 copies of parameters in lower precision; its state is
                then float32 too.

        Raises:
            UnknownNameError: unknown optimizer, device or precision.
            InputError: the graph does not come directly from `fxsummary.graph`, is partial, or has nothing to train.

        >>> import torch, fxsummary
        >>> g = fxsummary.graph(torch.nn.Linear(8, 4), torch.empty(2, 8))
        >>> found = g.training(optimizer="adam")
        >>> found.gradients, found.optimizer_state, found.backward_flops
        (144, 288, 128)
        """
        given = {name: each for name, each in locals().items() if name != "self"}
        found: Training = call("fxsummary.analysis.training:training", self, **given)
        return found

    def roofline(
        self,
        device: Device | str = "H100",
        *,
        efficiency: float | tuple[float, float] = 1.0,
        tf32: bool | None = None,
    ) -> Roofline:
        """Return the time of the forward pass at best on a device, per operation and in total.

        Args:
            device: a `Device`, or the name of one in ``fxsummary devices``.
            efficiency: reachable share of the peak rates, or the shares of peak rate and bandwidth.
            tf32: whether products in float32 run on tensor cores; None for PyTorch's defaults, which allow it only for
                convolutions (``torch.backends.cudnn.allow_tf32``).

        Raises:
            UnknownNameError: unknown device.
            InputError: shapes are unknown, the graph is folded or a comparison, or an efficiency is not above 0 and at
                most 1.

        >>> import torch, fxsummary
        >>> g = fxsummary.graph(torch.nn.Linear(1024, 1024), torch.empty(1, 1024))
        >>> found = g.roofline("H100")
        >>> found.flops, found.nbytes, f"{found.seconds * 1e6:.2f} µs"
        (2097152, 4206592, '1.26 µs')
        """
        found: Roofline = call("fxsummary.passes.roofline:roofline", self, device, efficiency=efficiency, tf32=tf32)
        return found

    def receptive_field(self) -> ReceptiveFields:
        """Return what part of each input every operation sees; see `fxsummary.analysis.receptive.receptive_field`."""
        found: ReceptiveFields = call("fxsummary.analysis.receptive:receptive_field", self)
        return found
