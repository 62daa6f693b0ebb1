"""Symbolic capture: a `torch.fx.Tracer` that keeps what it passes, and builds no GraphModule."""

from __future__ import annotations

import collections
import inspect
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx, nn
from torch.fx.proxy import Proxy
from torch.nn.utils.parametrize import type_before_parametrizations

from fxsummary.capture import autocast, source
from fxsummary.capture.inputs import Inputs, forward_signature, model_device, required
from fxsummary.capture.placeholders import copy_object, is_shared
from fxsummary.capture.state import WriteGuard, preserved
from fxsummary.capture.twins import is_own_hook
from fxsummary.spec import TensorSpec, map_structure

STACK, SOURCE, SPEC, AUTOCAST = "nn_module_stack", "fxsummary_source", "fxsummary_spec", "fxsummary_autocast"
"""Keys in ``node.meta``: module stack, ``file:line``, the spec of a placeholder, and the state of autocast."""

AFTER = "fxsummary_after"
"""Key in ``node.meta``: nodes that wrote in place, through an alias, what this one reads."""

LIKE = "fxsummary_like"
"""Key in ``node.meta``: the node that this one is a copy of, in another call of an identical module."""

Leaf = Callable[[nn.Module, str], bool]


@dataclass
class Trace:
    """A traced FX graph with what is needed to read it.

    Attributes:
        graph: the FX graph; its nodes carry `STACK` and `SOURCE` in their meta.
        constants: tensors that are no parameter or buffer, by the get_attr target that refers to them.
        skipped_hooks: paths of modules with hooks that were not run.
        given: the input tensors by placeholder, where a recording was given them.
    """

    graph: fx.Graph
    constants: dict[str, torch.Tensor] = field(default_factory=dict)
    skipped_hooks: list[str] = field(default_factory=list)
    given: dict[fx.Node, torch.Tensor] = field(default_factory=dict)


class TraceStoppedError(Exception):
    """Symbolic tracing cannot go on; ``__cause__`` is why, `partial` how far it got."""

    def __init__(self, reason: str, source: str, partial: Trace | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.source = source
        self.partial = partial


def trace(model: nn.Module, inputs: Inputs | None, leaf: Leaf | None = None) -> Trace:
    """Trace forward symbolically. Parameters of forward that have no input keep their default.

    Args:
        inputs: which arguments are tensors; None: every parameter without a default is one.
        leaf: further modules not to enter.

    Raises:
        TraceStoppedError: forward does something that cannot be done with symbolic values.
    """
    if default_leaf(model) or (leaf is not None and leaf(model, "")):
        return _one_operation(model, inputs)
    if inputs is not None:
        inputs = replace(inputs, arguments=map_structure(_copied, dict(inputs.arguments)))
    tracer = SymbolicTracer(inputs, leaf, model_device(model))
    with preserved(model):
        try:
            with torch.no_grad(), WriteGuard(model):
                graph = tracer.trace(model)
        except Exception as error:  # whatever forward does with a Proxy
            where, function = source.of_traceback(error.__traceback__)
            raise TraceStoppedError(_reason(error, function), where, Trace(tracer.graph)) from error
        constants = {name: tensor for tensor, name in tracer.tensor_attrs.items() if isinstance(tensor, torch.Tensor)}
    return Trace(graph, constants, tracer.skipped_hooks)


def _one_operation(model: nn.Module, inputs: Inputs | None) -> Trace:
    """The graph of a model that is itself a leaf, such as an ``nn.LSTM``."""
    tracer = SymbolicTracer(inputs, None, model_device(model))
    tracer.root = model
    tracer.graph = fx.Graph()
    args, kwargs = tracer.placeholders()
    name = type_before_parametrizations(model).__name__.lower()
    call = tracer.create_node("call_module", "", tracer.create_arg(args), tracer.create_arg(kwargs), name)
    tracer.create_node("output", "output", (call,), {})
    return Trace(tracer.graph)


def _copied(argument: Any) -> Any:
    """A copy of an object that forward may change; its tensors would meet tracing as they are, and run for real."""
    if isinstance(argument, TensorSpec) or is_shared(argument):
        return argument

    def refuse(tensor: torch.Tensor) -> Any:
        raise TraceStoppedError(f"an input is a {type(argument).__name__}, and tracing cannot see its tensors", "")

    try:
        return copy_object(argument, refuse)
    except TraceStoppedError:
        raise
    except Exception as error:  # the object's own code
        raise TraceStoppedError(f"an input is a {type(argument).__name__}, which cannot be copied", "") from error


_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)


def default_leaf(module: nn.Module) -> bool:
    """Modules of ``torch.nn`` that are no containers are leaves; a parametrized one is what it was before."""
    if isinstance(module, torch.jit.ScriptModule):
        return True
    kind = type_before_parametrizations(module)
    return kind.__module__.startswith(("torch.nn.", "torch.ao.nn.")) and (
        kind is not nn.Module and not issubclass(kind, _CONTAINERS)
    )


def new_node(
    graph: fx.Graph, op: str, target: Any, args: Any, kwargs: Any, name: str | None = None, type_expr: Any = None
) -> fx.Node:
    """``graph.create_node``, without its walk over the arguments and the entries that assigning them makes anew."""
    node = graph.create_node(op, target, None, None, name, type_expr)
    if args:
        _set_args(node, args)
    if kwargs:
        _set_kwargs(node, kwargs)
    return node


_set_args: Any = fx.Node.args.fset  # type: ignore[attr-defined]
_set_kwargs: Any = fx.Node.kwargs.fset  # type: ignore[attr-defined]


class SymbolicTracer(fx.Tracer):
    """`torch.fx.Tracer` with source lines, shared module stacks and lookups in constant time.

    The graph is node for node that of `torch.fx.Tracer`, except: one placeholder per input tensor, also
    inside lists and dicts; arguments that are not tensors stay what they are; buffers are not computed with
    but become nodes, as parameters do; hooks are not run.
    """

    def __init__(self, inputs: Inputs | None, leaf: Leaf | None, device: str) -> None:
        super().__init__()
        self.skipped_hooks: list[str] = []
        self._inputs = inputs
        self._leaf = leaf
        self._stack_now: collections.OrderedDict[str, Any] | None = None
        self._names: dict[int, str] | None = None
        self._device = device
        self._outermost = sys._getframe(1)
        self._thread = threading.get_ident()

    def create_args_for_root(
        self, root_fn: Any, is_module: bool, concrete_args: Any = None
    ) -> tuple[Callable[[], Any], list[Any]]:
        """One placeholder per input tensor."""
        model = self.root
        assert isinstance(model, nn.Module)
        args, kwargs = self.placeholders()
        return lambda: model.forward(*args, **kwargs), []

    def placeholders(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Forward's arguments, with a placeholder for each tensor among them."""
        model = self.root
        assert isinstance(model, nn.Module)
        inputs = self._inputs or Inputs(dict.fromkeys(required(model), _ANY_TENSOR))
        signature = forward_signature(model)
        arguments: dict[str, Any] = {}
        for name, value in inputs.arguments.items():
            if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                arguments[name] = {key: self._placeholders(key, item) for key, item in value.items()}
            else:
                arguments[name] = self._placeholders(name, value)
        return inputs.split(signature, arguments)

    def _placeholders(self, name: str, value: Any) -> Any:
        if isinstance(value, TensorSpec) or value is _ANY_TENSOR:
            proxy = self.create_proxy("placeholder", name, (), {})
            proxy.node.meta[SPEC] = None if value is _ANY_TENSOR else value
            return proxy
        if type(value) in (tuple, list):
            return type(value)([self._placeholders(f"{name}_{index}", item) for index, item in enumerate(value)])
        if isinstance(value, dict):
            return {key: self._placeholders(f"{name}_{key}", item) for key, item in value.items()}
        return value

    def create_node(
        self, kind: str, target: Any, args: Any, kwargs: Any, name: str | None = None, type_expr: Any = None
    ) -> fx.Node:
        """As torch.fx, with module stack and source line in the node's meta."""
        node = new_node(self.graph, kind, target, args, kwargs, name, type_expr)
        if self._stack_now is None:
            self._stack_now = collections.OrderedDict(self.module_stack)
        node.meta[STACK] = self._stack_now
        node.meta[SOURCE] = source.caller(self._outermost)
        node.meta[AUTOCAST] = autocast.active(self._device)
        return node

    def create_arg(self, a: Any) -> Any:
        """As torch.fx, with parameters and buffers found in constant time."""
        kind = type(a)
        if kind is Proxy:
            return a.node
        if kind in _LITERALS:
            return a
        if kind is tuple or kind is list:
            return kind([self.create_arg(item) for item in a])
        if isinstance(a, torch.Tensor):
            name = self._name_of(a)
            if name is not None:
                return self.create_node("get_attr", name, (), {})
        return super().create_arg(a)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """A parameter or buffer read by forward becomes one get_attr node; torch.fx leaves buffers as they are."""
        if isinstance(attr_val, torch.Tensor) and threading.get_ident() == self._thread:
            name = self._name_of(attr_val)
            if name is not None:
                proxy = parameter_proxy_cache.get(name)
                if proxy is None:
                    proxy = parameter_proxy_cache[name] = self.create_proxy("get_attr", name, (), {})
                return proxy
        return attr_val

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """torch.nn modules except Sequential, and those that the user named."""
        return default_leaf(m) or (self._leaf is not None and self._leaf(m, module_qualified_name))

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """As torch.fx, but without running hooks: they belong to the user. Other threads are left alone."""
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        compiled = getattr(m, "_orig_mod", None)  # torch.compile wraps a module; what it wraps is the model
        if isinstance(compiled, nn.Module) and type(m).__module__.startswith("torch._dynamo"):
            return compiled(*args, **kwargs)
        path = self.path_of_module(m)
        calls = self.num_calls.get(path, 0)
        self.num_calls[path] = calls + 1
        key = f"{path}@{calls}" if calls else path
        self.module_stack[key] = (path, type(m))
        outer, self._stack_now = self._stack_now, None
        self._note_hooks(m, path)
        try:
            if self.is_leaf_module(m, path):
                return self.create_proxy("call_module", path, args, kwargs)
            return m.forward(*args, **kwargs)
        finally:
            self.module_stack.pop(key, None)
            self._stack_now = outer

    def _note_hooks(self, module: nn.Module, path: str) -> None:
        hooks = (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
        if hooks and not all(is_own_hook(hook) for hook in hooks) and path not in self.skipped_hooks:
            self.skipped_hooks.append(path)

    def _name_of(self, tensor: torch.Tensor) -> str | None:
        if self._names is None:
            model = self.root
            assert isinstance(model, nn.Module)
            self._names = {id(t): name for name, t in model.named_buffers()}
            self._names.update({id(t): name for name, t in model.named_parameters()})
        return self._names.get(id(tensor))


_ANY_TENSOR = object()
_LITERALS = frozenset({int, float, str, bool, type(None), torch.dtype, torch.device, torch.layout, type(Ellipsis)})


def _reason(error: BaseException, function: str) -> str:
    text = str(error).strip().splitlines()
    first = text[0] if text else type(error).__name__
    for pattern, plain in _PLAIN_REASONS:
        if pattern in first:
            first = plain
            break
    return f"{first} (in {function})" if function else first


_PLAIN_REASONS = (
    ("symbolically traced variables cannot be used as inputs to control flow", "control flow depends on a tensor"),
    ("Proxy object cannot be iterated", "a tensor is iterated or unpacked"),
    ("'len' is not supported in symbolic tracing", "len() of a tensor is taken"),
    ("'Proxy' object does not support item assignment", "elements of a tensor are assigned"),
)
