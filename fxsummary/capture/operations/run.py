"""The outcome of one operation on specs: from the memo, or by running it once on meta twins.

It runs under a mode that sees every ATen call: the mode answers with our kernels where torch's are slow Python, counts
FLOPs by formula, and notes which arguments are written. Arguments are specs and literals; meta tensors are made only
the first time that the process meets an operation.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from types import BuiltinFunctionType
from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear, scaled_dot_product_attention
from torch.utils.flop_counter import flop_registry

from fxsummary.capture.module_index import tensors_of
from fxsummary.capture.operations import autocast, memo
from fxsummary.capture.operations.flop_count import FlopCount, import_compiler
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.twins import NoTwinError, OnMeta, Twins, is_own_hook, zeros
from fxsummary.capture.structures import (
    TO_DEVICE,
    is_limit_of_meta,
    is_plain,
    map_values,
    on_meta,
    walk,
)
from fxsummary.capture.torch_internals import (
    below_autograd,
    fake_tensors,
)
from fxsummary.errors import OperatorError
from fxsummary.graph.spec import TensorSpec

Target = Callable[..., Any] | str
"""What an operation calls: a leaf module, a function, or a method by name."""


class RefusedError(Exception):
    """An operation rejects its arguments; ``__cause__`` is torch's exception."""


class NoDataError(Exception):
    """The outcome of an operation depends on the values of its tensors."""


class Operations:
    """Runs operations for one model.

    Args:
        device: the device that tensors claim to be on.

    Attributes:
        signatures: the number of the signature of each leaf module that ran, by ``id`` and training flag; None if it
            has no signature.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.twins = Twins()
        self._formulas = memo.number_of(tuple(flop_registry.items()))
        self.signatures: dict[tuple[int, bool], int | None] = {}

    def run(self, target: Target, args: Any, kwargs: Any, casting: autocast.Casting | None = None) -> Outcome:
        """Return the outcome of calling ``target``.

        Args:
            args, kwargs: literals, and specs for tensors.
            casting: the state of autocast, see `autocast.active`.

        Raises:
            RefusedError: the arguments do not fit.
            NoDataError: the outcome depends on values.
        """
        return self.run_raw(target, args, kwargs, casting)[0]

    def run_raw(
        self, target: Target, args: Any, kwargs: Any, casting: autocast.Casting | None = None
    ) -> tuple[Outcome, object]:
        """Return the outcome as `run` does, and the result itself if specs cannot describe it, else None."""
        key = None
        with suppress(memo.NoKeyError, TypeError):
            key = (
                self._target_key(target), self.device, casting, torch.get_default_dtype(), self._formulas,
                memo.key_of(args), memo.key_of(kwargs),
            )  # fmt: skip
        outcome = None if key is None else memo.get(key)
        if outcome is not None:
            return outcome, None
        specs = [each for each in walk((args, kwargs)) if type(each) is TensorSpec]
        if any(each.stride is None for each in specs):
            raise NoDataError("sparse tensors have no counterpart on meta")
        if any(each.is_quantized for each in specs):
            outcome, value = self._observe_quantized(target, args, kwargs)
        elif casting:
            import_compiler()
            with fake_tensors():
                outcome, value = self._observe(target, args, kwargs, Twins(torch.device(casting[0])), casting)
        else:  # an operation with a key does not depend on earlier calls
            outcome, value = self._observe(target, args, kwargs, self.twins if key is None else Twins(), None)
        if not is_plain(value):
            return outcome, value
        if key is not None:
            memo.put(key, outcome)
        return outcome, None

    def _target_key(self, target: Target) -> object:
        if isinstance(target, str):
            return "method", target
        if not isinstance(target, nn.Module):
            return memo.key_of(target)
        state = id(target), bool(getattr(target, "training", False))  # a frozen ScriptModule has no `training`
        if state not in self.signatures:
            try:
                self.signatures[state] = memo.number_of(memo.module_signature(target))
            except memo.NoKeyError:  # not kept, because its traceback holds the frames of forward
                self.signatures[state] = None
        if self.signatures[state] is None:
            raise memo.NoKeyError(type(target).__name__)
        return self.signatures[state]

    def _observe_quantized(self, target: Target, args: Any, kwargs: Any) -> tuple[Outcome, object]:
        """Run an operation on zeros on the CPU, because no operator on quantized tensors runs on meta."""
        tensors: list[torch.Tensor] = []

        def make(value: object) -> object:
            if type(value) is not TensorSpec:
                return value
            tensors.append(zeros(value))
            return tensors[-1]

        call = target.forward if isinstance(target, nn.Module) else target  # without the user's hooks
        try:
            return observe_real(call, map_values(make, args), map_values(make, kwargs), tensors, self.device)
        except Exception as error:  # torch's kernels raise many types
            raise NoDataError(f"it does not run on quantized zeros: {error}".partition("\n")[0]) from error

    def _observe(
        self, target: Target, args: Any, kwargs: Any, twins: Twins, casting: autocast.Casting | None
    ) -> tuple[Outcome, object]:
        tensors: list[torch.Tensor] = []

        def make(value: object) -> object:
            if type(value) is not TensorSpec:
                return value
            tensors.append(twins.of_spec(value))
            return tensors[-1]

        try:
            with torch.no_grad(), autocast.enter(casting):
                function, mode = callee_of(target, twins)
                args, kwargs = map_values(make, args), map_values(make, kwargs)
                args, kwargs = on_meta(target, args, kwargs, twins.device)
                count = FlopCount(tensors, on_meta=not casting)
                with mode, count, torch.device(twins.device) if casting else _undivided(target):
                    value = function(*args, **kwargs)
        except NoTwinError as error:
            raise NoDataError(str(error)) from error
        except OperatorError:
            raise
        except Exception as error:  # torch's kernels raise many types
            if is_limit_of_meta(error) or isinstance(target, torch.jit.ScriptModule):  # whose errors say little
                raise NoDataError(str(error).strip().partition("\n")[0]) from error
            raise RefusedError(str(error)) from error
        return _in_a_real_run(count.outcome(value, self.device), target), value


def observe_real(
    function: Target, args: Any, kwargs: Any, tensors: list[torch.Tensor], device: str
) -> tuple[Outcome, object]:
    """Run a function on real tensors, and return its outcome and its result.

    Args:
        tensors: the tensors among the arguments, in order.
        device: the device that they claim to be on.
    """
    call = method(function) if isinstance(function, str) else function
    count = FlopCount(tensors)
    with torch.no_grad(), count:
        result = call(*args, **kwargs)
    if isinstance(function, torch.jit.ScriptModule):  # oneDNN products in TorchScript bypass all modes
        count.unknown += re.findall(r"= (prim::mkldnn\w+)\(", str(function.inlined_graph))
    return _in_a_real_run(count.outcome(result, device), function), result


# --- what to call ----------------------------------------------------------------------------------


def callee_of(target: Target, twins: Twins) -> tuple[Callable[..., Any], AbstractContextManager[object]]:
    """Return what to call, and the mode to call it under."""
    if isinstance(target, str):
        return method(target), nullcontext()
    if isinstance(target, torch.jit.ScriptModule):
        return target, OnMeta(twins)
    if isinstance(target, nn.Module):
        if any(tensor.layout is not torch.strided for tensor in tensors_of(target)):
            raise NoTwinError("sparse tensors have no counterpart on meta")
        return twins.module(target), nullcontext()
    return target, nullcontext()


def method(name: str) -> Callable[..., Any]:
    """Return a method of tensors by name; none moves a tensor to a device."""
    if name in TO_DEVICE:
        return torch.Tensor.detach
    return lambda self, *args, **kwargs: getattr(self, name)(*args, **kwargs)


def _in_a_real_run(outcome: Outcome, target: Target) -> Outcome:
    """Return an outcome without its workspace if a real run may take another than the ATen calls on meta show."""
    if isinstance(target, nn.MultiheadAttention) and target.batch_first and not target.training:
        return replace(outcome, workspace=None, most_workspace=outcome.workspace)  # may be one fused operator
    if isinstance(target, nn.Module):
        is_other = isinstance(target, nn.RNNBase) or any(map(is_own_hook, target._forward_pre_hooks.values()))
    else:
        is_other = isinstance(target, BuiltinFunctionType) and target in _RECURRENT
    return replace(outcome, workspace=None) if is_other else outcome


_RECURRENT = frozenset({torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu})
_UNDIVIDED = _RECURRENT | {scaled_dot_product_attention, linear}
_PRODUCTS = {packet: flop_registry.get(packet) for packet in (torch.ops.aten.mm, torch.ops.aten.addmm)}


def _undivided(target: Target) -> AbstractContextManager[object]:
    """Let a mode see a composite operator that has a formula and a kernel as one call."""
    is_linear = isinstance(target, nn.Linear) or target is linear
    if is_linear and any(flop_registry.get(packet) is not known for packet, known in _PRODUCTS.items()):
        return nullcontext()  # the user has replaced the formulas of its parts
    is_known = isinstance(target, BuiltinFunctionType) and target in _UNDIVIDED
    return below_autograd() if is_known or is_linear or isinstance(target, nn.RNNBase) else nullcontext()
