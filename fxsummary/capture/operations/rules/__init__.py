"""Closed-form outcomes of the common operations, whose meta kernels are slow Python.

The first of those kernels imports a second's worth of ``torch._dynamo`` and ``sympy``. A rule takes the
arguments of its operation, specs for tensors, and answers for the cases that it knows; all else, wrong
arguments included, it leaves to the kernel, which stays the truth: the tests hold each rule against it.

A rule is a function with the signature of its operation, in the module for its kind: `elementwise`, `arithmetic`,
`conversions`, `products` and `contractions` (which have FLOPs), `norms`, `images` (pooling, resizing, padding),
`reductions`, `views`, `parts`, `joins`, `questions`, `makers`, `recurrent`. The tables at the end of that module name
it for functions, for methods (by name) and for module classes; `answers` has what rules are made of, `layout` the
arithmetic of strides, `promotion` that of dtypes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import BuiltinFunctionType
from typing import Any

import torch
from torch import nn

from fxsummary.capture.operations.flops import aten_counts_as_torch
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.rules import (
    arithmetic,
    contractions,
    conversions,
    elementwise,
    images,
    joins,
    makers,
    norms,
    parts,
    products,
    questions,
    recurrent,
    reductions,
    views,
)
from fxsummary.capture.operations.rules.answers import NoRuleError

Rule = Callable[..., Outcome]

_KINDS = (
    arithmetic, contractions, conversions, elementwise, images, joins, norms, parts, products, questions, recurrent,
    reductions, views,
)  # fmt: skip
MODULES: dict[type[nn.Module], Rule] = {kind: rule for each in _KINDS for kind, rule in each.MODULES.items()}
"""Rules for leaf modules of exactly these classes, called with the module and the arguments."""

FUNCTIONS: dict[Any, Rule] = {target: rule for each in _KINDS for target, rule in each.FUNCTIONS.items()}
"""Rules for functions, and for methods by name."""

MAKERS: dict[Any, Rule] = makers.MAKERS


def by_rule(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any], device: str) -> Outcome | None:
    """The outcome of an operation, if there is a rule that is sure of it.

    Args:
        target: a leaf module, a function or a method name.
        args, kwargs: specs and literals.
        device: the device that tensors claim to be on.
    """
    if _is_operator(target) and all(map(_is_literal, args)):
        return _of_literals(target, args)
    rule, first = _rule(target, device)
    if rule is None or not aten_counts_as_torch():
        return None
    try:
        return rule(*first, *args, **kwargs)
    except (NoRuleError, TypeError, ValueError, AttributeError, LookupError):  # it does not know such arguments
        return None


_NUMBERS = {int, float, bool}


def _is_literal(value: Any) -> bool:
    return type(value) in _NUMBERS or (type(value) is tuple and all(type(item) is int for item in value))


def _is_operator(target: Any) -> bool:
    return type(target) is BuiltinFunctionType and target.__module__ == "_operator"


def _of_literals(function: Any, literals: tuple[Any, ...]) -> Outcome | None:
    try:
        return Outcome(function(*literals))
    except (TypeError, ArithmeticError, LookupError):
        return None


def _rule(target: Any, device: str) -> tuple[Rule | None, tuple[Any, ...]]:
    """The rule for a target, and what it is called with before the arguments."""
    if isinstance(target, nn.Module):
        rule = MODULES.get(type(target))
        return (rule, (target,)) if rule is not None and _is_plain(target) else (None, ())
    try:
        name = target if target in MAKERS or target in FUNCTIONS else _method_name(target)
    except TypeError:  # it has no hash
        return None, ()
    return (MAKERS[name], (device,)) if name in MAKERS else (FUNCTIONS.get(name), ())


@functools.lru_cache(maxsize=1024)
def _method_name(target: Any) -> str:
    """The name of a method of tensors that is called as a function, as ``Tensor.unflatten`` is."""
    name = getattr(target, "__name__", "")
    return name if isinstance(name, str) and getattr(torch.Tensor, name, None) is target else ""


def _is_plain(module: nn.Module) -> bool:
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return not any(hooks) and "forward" not in vars(module)
