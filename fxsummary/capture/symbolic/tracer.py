"""The tracer of symbolic capture: a `torch.fx.Tracer` that creates the same nodes in a fraction of the time."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture import source
from fxsummary.capture.autograd_internals import saved_tensors_are_hooked
from fxsummary.capture.inputs.example import Inputs, forward_signature, required
from fxsummary.capture.module_index import constants, first_paths, tensor_names, unwrapped
from fxsummary.capture.nodes import APPLIED, AUTOCAST, HOOKED, NO_GRAD, SOURCE, SPEC, STACK, new_node
from fxsummary.capture.operations import autocast
from fxsummary.capture.operations.twins import is_own_hook, spec_of
from fxsummary.capture.recorded.torch_calls import SPEC_ONLY
from fxsummary.capture.restore.escaped import survivors
from fxsummary.capture.structures import ATOMS, Args, Kwargs, listed, map_values, values_of, walk
from fxsummary.capture.subject import Subject
from fxsummary.capture.symbolic.fx_patches import traced
from fxsummary.capture.symbolic.proxies import ParameterProxy, Proxy, Reference
from fxsummary.graph.spec import TensorSpec


class SymbolicTracer(fx.Tracer):
    """`torch.fx.Tracer` with source lines, shared module stacks and constant-time lookups.

    It creates the same nodes as `torch.fx.Tracer`, with these exceptions. Each input tensor gets a placeholder, also
    inside lists and dicts; other arguments stay as they are. Buffers whose values are used become nodes, as parameters
    do. Operators such as ``+=`` write in place. Hooks are not run.
    """

    def __init__(self, subject: Subject, inputs: Inputs | None) -> None:
        super().__init__()
        model = subject.model
        self.root: nn.Module = model
        self.graph = fx.Graph()
        self.skipped_hooks: list[str] = []
        self.returned: dict[str, tuple[object, object]] = {}
        self.taken: dict[str, tuple[object, tuple[fx.Node, ...]]] = {}
        self._inputs = inputs
        self._subject = subject
        self.modules_by_path = subject.modules
        self._device = subject.device
        self._paths = first_paths(subject.modules)
        self.tensor_attrs: Any = constants(subject.modules)
        self._names = tensor_names(subject.modules)
        self._attributes: dict[str, ParameterProxy] = {}
        self.proxies: list[Reference] = []
        self.deaths: dict[fx.Node, fx.Node] = {}
        self._calls: dict[str, int] = {}
        self._stack_now: OrderedDict[str, object] | None = None
        self._last: fx.Node
        self._wrap: Callable[[dict[str, object]], None] = lambda namespace: None
        self._outermost = sys._getframe(1)

    def run(self) -> fx.Graph:
        """Trace the model's forward."""
        args, kwargs = self.placeholders()
        self.note_hooks(self.root, "")
        with traced(self) as self._wrap:
            self._wrap(getattr(type(self.root).forward, "__globals__", {}))
            result = listed(self.root.forward(*args, **kwargs))
            self.create_node("output", "output", (self.create_arg(result),), {})
        for proxy in self._attributes.values():
            if not proxy.node.users:  # forward read only its dtype or shape
                self.graph.erase_node(proxy.node)
        return self.graph

    def placeholders(self) -> tuple[Args, Kwargs]:
        """Return forward's arguments, with a placeholder for each tensor among them."""
        inputs = self._inputs or Inputs(dict.fromkeys(required(self.root), _ANY_TENSOR))
        return inputs.map(self._placeholder, forward_signature(self.root))

    def _placeholder(self, name: str, value: object) -> object:
        if not isinstance(value, TensorSpec) and value is not _ANY_TENSOR:
            return value
        proxy = self.create_proxy("placeholder", name, (), {})
        proxy.node.meta[SPEC] = None if value is _ANY_TENSOR else value
        return proxy

    # --- nodes ---------------------------------------------------------------------------------

    def create_proxy(
        self, kind: str, target: Any, args: Args, kwargs: Kwargs, name: str | None = None, type_expr: object = None,
        proxy_factory_fn: Any = None,
    ) -> Any:  # fmt: skip
        """Create a node as torch.fx does, and return its proxy."""
        is_write = kind == "call_method" and target in _IN_PLACE
        if isinstance(kwargs.get("out"), torch.Tensor) or (is_write and isinstance(args[0], torch.Tensor)):
            raise fx.proxy.TraceError("forward writes a traced value into a tensor that it made")
        place = SPEC_ONLY.get(target)
        if place is not None and len(args) > place and type(args[place]) is ParameterProxy:
            args = (*args[:place], spec_of(args[place].tensor, self._device), *args[place + 1 :])
        nodes = tuple([self.create_arg(item) for item in args])
        named = self.create_arg(kwargs) if kwargs else kwargs
        node = self.create_node(kind, target, nodes, named, name, type_expr)
        return self.proxy(node) if proxy_factory_fn is None else proxy_factory_fn(node)

    def proxy(self, node: fx.Node) -> Proxy:
        """Return a `Proxy` of a node."""
        return Proxy(node, self)

    def watch(self, value: fx.Proxy, node: fx.Node) -> None:
        """Note when Python lets go of the value of a node."""
        reference = Reference(value, self.note_death)
        reference.node = node
        self.proxies.append(reference)

    def note_death(self, reference: Reference) -> None:
        """Note that Python let go of a value, and after which node."""
        self.deaths[reference.node] = self._last

    def escaped(self) -> list[Proxy]:
        """Return the proxies that something still references after the trace."""
        self._attributes.clear()
        return survivors(self.proxies)

    def create_node(
        self, kind: str, target: Any, args: Any, kwargs: Any, name: str | None = None, type_expr: object = None
    ) -> fx.Node:
        """Create a node as torch.fx does, with module stack and source line in its meta."""
        node = self._last = new_node(self.graph, kind, target, args, kwargs, name)
        if self._stack_now is None:
            self._stack_now = OrderedDict(self.module_stack)
        meta = node.meta
        meta[STACK] = self._stack_now
        meta[SOURCE] = source.caller(self._outermost)
        meta[AUTOCAST] = autocast.active(self._device)
        if not torch.is_grad_enabled():
            meta[NO_GRAD] = True
        elif saved_tensors_are_hooked():
            meta[HOOKED] = True
        return node

    def note_applied(self, function: Any, args: Args, result: object) -> None:
        """Note on the results of a `torch.autograd.Function` that it computes their backward pass."""
        call = partial(function, *map_values(lambda item: item.node if isinstance(item, fx.Proxy) else item, args))
        results = [each.node for each in walk(result) if isinstance(each, fx.Proxy)]
        for place, node in enumerate(results):
            if node not in walk(call.args):
                node.meta.setdefault(APPLIED, (call, place))

    def create_arg(self, a: Any) -> Any:
        """Convert an argument as torch.fx does, but find parameters and buffers in constant time."""
        kind = type(a)
        if kind is Proxy or kind is ParameterProxy:
            return a.node
        if kind in _LITERALS:
            return a
        if kind is tuple or kind is list:
            return kind([self.create_arg(item) for item in a])
        if kind is dict and all(type(key) is str for key in a):
            return {key: self.create_arg(item) for key, item in a.items()}
        if isinstance(a, torch.Tensor):
            name = self._names.get(id(a))
            if name is not None:
                return self.create_node("get_attr", name, (), {})
            if isinstance(a, nn.Parameter):
                raise fx.proxy.TraceError("forward makes a parameter")
        return super().create_arg(a)

    # --- modules -------------------------------------------------------------------------------

    def attribute(self, tensor: torch.Tensor) -> Any:
        """Return one proxy for each parameter or buffer that forward reads; torch.fx does this only for parameters."""
        name = self._names.get(id(tensor))
        if name is None:
            return tensor
        proxy = self._attributes.get(name)
        if proxy is None:
            node = self.create_node("get_attr", name, (), {})
            proxy = self._attributes[name] = ParameterProxy(node, self, tensor)
        return proxy

    def call(self, module: nn.Module, args: Args, kwargs: Kwargs) -> Any:
        """Trace the call of a module: one node for a leaf, else the nodes of its forward. Hooks are not run."""
        module = unwrapped(module)
        path = self._paths.get(id(module))
        if path is None:
            raise NameError("module is not installed as a submodule")
        is_leaf = self._subject.is_leaf(module, path)
        if is_leaf:  # its arguments are read outside of the module
            args = tuple([self.create_arg(item) for item in args])
            kwargs = self.create_arg(kwargs) if kwargs else kwargs
        calls = self._calls.get(path, 0)
        self._calls[path] = calls + 1
        key = f"{path}@{calls}" if calls else path
        self.module_stack[key] = (path, type(module))
        outer, self._stack_now = self._stack_now, None
        self.note_hooks(module, path)
        try:
            if is_leaf:
                return Proxy(self.create_node("call_module", path, args, kwargs), self)
            given = [each.node for each in walk((args, kwargs)) if isinstance(each, Proxy)]
            self.taken[key] = self.module_stack[key], tuple(dict.fromkeys(given))
            forward = module.forward
            self._wrap(getattr(forward, "__globals__", {}))
            result = forward(*args, **kwargs)
            outputs = values_of(result, lambda value, _: value.node if isinstance(value, fx.Proxy) else None)
            self.returned[key] = self.module_stack[key], outputs
            return result
        finally:
            self.module_stack.pop(key, None)
            self._stack_now = outer

    def note_hooks(self, module: nn.Module, path: str) -> None:
        """Remember that a module has user hooks."""
        if not module._forward_hooks and not module._forward_pre_hooks:
            return
        hooks = (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
        if not all(is_own_hook(hook) for hook in hooks) and path not in self.skipped_hooks:
            self.skipped_hooks.append(path)


_IN_PLACE = frozenset(
    name
    for name in dir(torch.Tensor)
    if (name.endswith("_") and not name.endswith("__")) or name == "__setitem__" or name.startswith("__i")
) - {"__init__", "__init_subclass__", "__int__", "__index__", "__invert__", "__iter__"}
"""Methods that write to their tensor in place, judged by their names."""

_ANY_TENSOR = object()
_LITERALS = ATOMS | {TensorSpec}
