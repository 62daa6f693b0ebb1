"""The outcome of Python code, put together from those of the calls it makes, each answered by a rule.

Attention layers, recurrent cells, layers with parametrized weights and wrapped functions are Python code around
operations that have rules. Here that code runs on meta tensors, and every call of torch goes to a rule: no
kernel runs. If a single call has no rule, the kernels answer for the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from fxsummary.capture.operations.outcome import Alias, Outcome
from fxsummary.capture.operations.rules import by_rule
from fxsummary.capture.operations.twins import Twins, materialize, spec_of
from fxsummary.capture.recorded import torch_calls
from fxsummary.capture.structures import is_plain, map_values, on_meta, tensors_in
from fxsummary.graph.spec import TensorSpec, map_structure


def composed(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any], device: str) -> Outcome | None:
    """The outcome of a leaf module or a function in Python, if there are rules for all that it calls.

    Args:
        args, kwargs: specs and literals.
        device: the device that tensors claim to be on.
    """
    target = getattr(Tensor, target, None) if isinstance(target, str) else target
    if not isinstance(target, (nn.Module, FunctionType)) or isinstance(target, torch.jit.ScriptModule):
        return None
    calls = _Calls(device)
    try:
        function = Twins().module(target) if isinstance(target, nn.Module) else target
        args, kwargs = on_meta(target, map_values(calls.argument, args), map_values(calls.argument, kwargs))
        with torch.no_grad(), _Alarm(), calls:
            value = function(*args, **kwargs)
    except (_NoRuleError, Exception):  # what it raises, it raises again when the kernels run
        return None
    return None if calls.failed or not is_plain(value) else calls.outcome(value)


class _NoRuleError(BaseException):
    """No rule for a call; not for the code that runs to catch."""


class _Alarm(TorchDispatchMode):
    """Ends the attempt where a call reaches ATen, and so went past the rules."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise _NoRuleError


@dataclass(slots=True)
class _Met:
    """A tensor that was met, and where among the arguments its memory is.

    Attributes:
        index: position of that argument; None if its memory is no argument's.
        offset: elements from the argument's first to its own; None if it is the argument itself.
    """

    tensor: Tensor
    spec: TensorSpec
    index: int | None = None
    offset: int | None = None


_CONTAINERS = (tuple, list, dict, slice)

_MEMORY = [
    getattr(Tensor, name)
    for name in ("storage_offset", "untyped_storage", "storage", "_typed_storage", "data_ptr", "_is_view")
]
_HISTORY = [getattr(Tensor, name).__get__ for name in ("_version", "_base", "grad_fn", "grad")]

_QUESTIONS = torch_calls.QUESTIONS.union(torch_calls.DEVICE_QUESTIONS) - {*_MEMORY, *_HISTORY}
"""What a tensor that is not connected to others can answer."""


class _Calls(TorchFunctionMode):
    """Answers the calls of torch by rules, and adds up their outcomes.

    Attributes:
        failed: whether a call had no rule.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.failed = False
        self._device = device
        self._met: dict[int, _Met] = {}
        self._arguments: list[_Met] = []
        self._entered: list[Any] = []
        self._flops = 0
        self._unknown: list[str] = []
        self._writes: set[int] = set()

    def argument(self, value: Any) -> Any:
        """A tensor for the spec of an argument."""
        if type(value) is not TensorSpec:
            return value
        met = self._meet(materialize(value), value, len(self._arguments))
        self._arguments.append(met)
        return met.tensor

    def outcome(self, value: Any) -> Outcome:
        """The outcome of it all, which yielded this value."""
        aliases = tuple([self._alias(tensor) for tensor in tensors_in(value)])
        return Outcome(
            map_values(lambda item: self._of(item).spec if isinstance(item, Tensor) else item, value),
            self._flops,
            tuple(dict.fromkeys(self._unknown)),
            aliases if any(aliases) else (),
            tuple(sorted(self._writes)),
        )

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _QUESTIONS:
            return func(*args, **(kwargs or {}))
        return self._call(func, args, kwargs or {})

    def _call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.failed or torch._C._is_any_autocast_enabled() or _in_transform():
            self._give_up()
        target, operands = _as_captured(function, args)
        given: list[_Met] = []
        specs = tuple([self._specs(value, given) for value in operands])
        named = {name: self._specs(value, given) for name, value in kwargs.items()}
        outcome = by_rule(target, specs, named, self._device)
        if outcome is None:
            return self._enter(function, args, kwargs)
        assert outcome.flops is not None
        self._flops += outcome.flops
        self._unknown += outcome.unknown
        self._writes.update(index for place in outcome.writes if (index := given[place].index) is not None)
        result = self._result(outcome, given)
        return None if function is Tensor.__setitem__ else result

    def _enter(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function of torch that is Python code itself."""
        if not isinstance(function, FunctionType) or function in self._entered:
            self._give_up()
        self._entered.append(function)
        with self:
            result = _past_its_own_check(function)(*args, **kwargs)
        self._entered.pop()
        return result

    def _give_up(self) -> NoReturn:
        self.failed = True
        raise _NoRuleError

    def _specs(self, value: Any, given: list[_Met]) -> Any:
        if isinstance(value, _CONTAINERS):
            return map_structure(lambda item: self._spec(item, given), value)
        return self._spec(value, given)

    def _spec(self, value: Any, given: list[_Met]) -> Any:
        if not isinstance(value, Tensor):
            return value
        given.append(self._of(value))
        return given[-1].spec

    def _of(self, tensor: Tensor) -> _Met:
        met = self._met.get(id(tensor))
        if met is None:
            if type(tensor) not in (Tensor, nn.Parameter) or not tensor.is_meta:
                self._give_up()
            met = self._meet(tensor, spec_of(tensor, self._device))
        return met

    def _meet(self, tensor: Tensor, spec: TensorSpec, index: int | None = None, offset: int | None = None) -> _Met:
        met = self._met[id(tensor)] = _Met(tensor, spec, index, offset)
        return met

    def _result(self, outcome: Outcome, given: list[_Met]) -> Any:
        if type(outcome.value) is TensorSpec:
            return self._build(outcome.value, outcome.aliases[0] if outcome.aliases else None, given)
        aliases = iter(outcome.aliases)

        def build(spec: Any) -> Any:
            return self._build(spec, next(aliases, None), given) if type(spec) is TensorSpec else spec

        return map_structure(build, outcome.value)

    def _build(self, spec: TensorSpec, alias: Alias | None, given: list[_Met]) -> Tensor:
        original = None if alias is None else given[alias.index]
        if original is not None and alias is not None and alias.offset is None:
            return original.tensor
        with torch._C._DisableTorchDispatch():
            tensor = materialize(spec)
        if original is None or alias is None or original.index is None:
            return self._meet(tensor, spec).tensor
        return self._meet(tensor, spec, original.index, (original.offset or 0) + (alias.offset or 0)).tensor

    def _alias(self, tensor: Tensor) -> Alias | None:
        met = self._of(tensor)
        if met.index is None or met.spec.dtype != self._arguments[met.index].spec.dtype:
            return None
        return Alias(met.index, met.offset)


def _in_transform() -> bool:
    return torch._C._functorch.maybe_current_level() is not None


def _as_captured(function: Any, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """What a call is in a graph, by which rules are found, and its positional arguments there."""
    name = torch_calls.PROPERTIES.get(function)
    if name is not None:
        return getattr, (args[0], name)
    if function is Tensor.__setitem__:
        return torch_calls.set_item, args
    infix = torch_calls.OPERATORS.get(function)
    if infix is not None:
        return infix, args
    reflected = torch_calls.REFLECTED.get(function)
    if reflected is not None:
        return reflected, args[::-1]
    return (function.__name__ if torch_calls.is_method(function) else function), args


def _past_its_own_check(function: FunctionType) -> Callable[..., Any]:
    """A function of torch without the question whether someone overrides it, which it asks first."""
    names = {**function.__globals__, **_NOBODY_OVERRIDES}
    twin = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    twin.__kwdefaults__ = function.__kwdefaults__
    return twin


def _no(*_: Iterable[Any]) -> bool:
    return False


_NOBODY_OVERRIDES = dict.fromkeys(
    ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic"), _no
)
