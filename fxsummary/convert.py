"""From a capture to a `ModelGraph`: live objects end here, plain values go on."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn
from torch.fx.node import _get_qualified_name

from fxsummary.capture import Capture, config
from fxsummary.capture.aten import function_name
from fxsummary.capture.members import modules_by_path, tensor_names
from fxsummary.capture.nodes import AFTER, COPY, LIKE, SOURCE, STACK
from fxsummary.capture.operations import Outcome
from fxsummary.capture.symbolic import Trace, default_leaf
from fxsummary.capture.values import UNKNOWN
from fxsummary.collecting import paused
from fxsummary.modelgraph import ModelGraph, ModuleCall
from fxsummary.moduletree import (
    class_name,
    holds_packed,
    module_tree,
    spec_or_none,
    tensors_read,
)
from fxsummary.spec import TensorSpec, leaves, nbytes

if TYPE_CHECKING:
    from fxsummary.capture.replay.copied import CopiedNode

    AnyNode = fx.Node | CopiedNode


@paused()
def convert(capture: Capture) -> ModelGraph:
    """The graph of a capture, with everything but what the passes compute."""
    graph = ModelGraph()
    modules = modules_by_path(capture.model)
    tensors = tensor_names(modules)
    if capture.trace is None:
        _add_modules(graph, capture, tensors)
        called = set(modules)
    else:
        called = _add_operations(graph, capture, capture.trace, modules, tensors)
    graph.graph.update(
        name=class_name(capture.model),
        captured_by=capture.captured_by,
        notes=tuple(capture.notes),
        inputs_inferred=capture.inputs_inferred,
        is_partial=capture.is_partial,
        output_spec=_output_spec(capture),
        modules=module_tree(modules, tensors, capture, called),
    )
    return graph


def _add_operations(
    graph: ModelGraph, capture: Capture, trace: Trace, modules: Mapping[str, nn.Module], tensors: Mapping[int, str]
) -> set[str]:
    """Fill the graph from a trace; returns the paths of the modules that it calls.

    A node that is a copy of another has all from that one but what lies in another place.
    """
    reader = _Reader(capture, modules, tensors)
    attributes: dict[AnyNode, dict[str, Any]] = {}
    for node in trace.nodes:
        like = _prototype(node)
        if like is not None and like in attributes:
            attributes[node] = reader.moved(node, attributes[like])
        elif isinstance(node, fx.Node):
            attributes[node] = reader.read(node)
    graph.fill(((node.name, data) for node, data in attributes.items()), _edges(attributes))
    return {"", *capture.untold, *reader.called}


def _prototype(node: AnyNode) -> fx.Node | None:
    return node.meta.get(LIKE) if isinstance(node, fx.Node) else node.item.node


def _edges(attributes: Mapping[AnyNode, Mapping[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    values: dict[AnyNode, tuple[str, dict[str, Any]]] = {}
    slots: dict[AnyNode, Sequence[tuple[int, ...]]] = {}
    for node, data in attributes.items():
        name, sources, like = node.name, _sources(node), _prototype(node)
        if like is not None and like in slots:  # a copy yields the same, and has the same arguments in other nodes
            _, value = values[like]
            positions = slots[like]
        else:
            positions = slots[node] = _slots(node, sources)
            value = {"slots": (), "shape": data["shape"], "dtype": data["dtype"], "bytes": nbytes(data["outputs"])}
        values[node] = name, value
        for source, at in zip(sources, positions, strict=True):
            start, flows = values[source]
            edge = flows.copy()
            edge["slots"] = at
            yield start, name, edge


def _sources(node: AnyNode) -> Sequence[AnyNode]:
    """The nodes that it reads, those of its arguments first."""
    copied = node.meta.get(COPY) if isinstance(node, fx.Node) else node
    if copied is not None:
        sources: Sequence[AnyNode] = copied.sources
        return sources
    assert isinstance(node, fx.Node)
    meta = node.meta
    return list(dict.fromkeys([*node.all_input_nodes, *meta[AFTER]])) if AFTER in meta else node.all_input_nodes


def _slots(node: AnyNode, sources: Sequence[AnyNode]) -> list[tuple[int, ...]]:
    """At which places of the arguments each of these nodes stands, counted over all nodes in them."""
    assert isinstance(node, fx.Node)
    slots: dict[AnyNode, list[int]] = {source: [] for source in sources}
    place = count()
    fx.map_arg((node.args, node.kwargs), lambda source: slots[source].append(next(place)))
    return list(map(tuple, slots.values()))


class _Reader:
    """Reads the attributes of nodes; what many nodes have in common is made once.

    Attributes:
        called: paths of the modules met.
    """

    def __init__(self, capture: Capture, modules: Mapping[str, nn.Module], tensors: Mapping[int, str]) -> None:
        self.called: set[str] = set()
        self._model = capture.model
        self._modules = modules
        self._tensors = tensors
        self._outcomes = capture.propagation.outcomes if capture.propagation else {}
        self._stacks: dict[int, tuple[ModuleCall, ...]] = {}
        self._call = functools.cache(self._module_call)
        self._functions: dict[int, tuple[str, str]] = {}

    def read(self, node: fx.Node) -> dict[str, Any]:
        """All attributes of a node."""
        outcome = self._outcomes.get(node, _NO_OUTCOME)
        outputs = plain(outcome.value)
        first = outputs if type(outputs) is TensorSpec else next(leaves(outputs), None)
        stack = self._stack(node.meta[STACK])
        module = self._modules[str(node.target)] if node.op == "call_module" else None
        target, label = self._names(node)
        if module is not None:
            settings = config.of_module(module)
        else:
            settings = self._call_config(node, label) if node.op.startswith("call_") else ""
        return {
            "op": node.op,
            "target": target,
            "module": stack[-1].path if stack else "",
            "module_type": stack[-1].type if stack else class_name(self._model),
            "module_stack": stack,
            "label": label if module is None else class_name(module),
            "config": settings,
            "arguments": _arguments(node),
            "outputs": outputs,
            "shape": first.shape if first else None,
            "dtype": first.dtype if first else None,
            "reads": self._reads(node),
            "flops": None if outcome.unknown else outcome.flops,
            "unknown_operators": outcome.unknown,
            "assumed": outcome.assumed,
            "packed": module is not None and holds_packed(module),
            "source": node.meta[SOURCE],
            "multiplicity": 1,
        }

    def moved(self, node: AnyNode, prototype: Mapping[str, Any]) -> dict[str, Any]:
        """All attributes of a node that is a copy of the one with the attributes ``prototype``."""
        raw = node.meta[STACK] if isinstance(node, fx.Node) else node.call.stacks[node.item.stack]
        stack = self._stacks.get(id(raw)) or self._stack(raw)
        data = dict(prototype)
        data["module"], data["module_stack"] = stack[-1].path if stack else "", stack
        if data["op"] in _OF_MODULES:
            data["target"], label = self._names(node)
            data["label"] = label if node.op == "get_attr" else data["label"]
            data["reads"] = self._reads(node)
        return data

    def _stack(self, raw: Mapping[str, Any]) -> tuple[ModuleCall, ...]:
        stack = self._stacks.get(id(raw))
        if stack is None:
            stack = self._stacks[id(raw)] = tuple([self._call(*item) for item in raw.items() if item[1][0]])
        return stack

    def _module_call(self, key: str, module: tuple[str, Any]) -> ModuleCall:
        """The record of an entry of the stack that torch.fx keeps; kept itself, so that a stack is cheap."""
        path, kind = module
        self.called.add(path)
        call = key[len(path) + 1 :] if key.startswith(f"{path}@") else ""
        name = kind.rpartition(".")[2] if isinstance(kind, str) else kind.__name__
        return ModuleCall(path, name, int(call) if call.isdigit() else 0)

    def _names(self, node: AnyNode) -> tuple[str, str]:
        """What is called, in full and in short."""
        target = node.target
        if isinstance(target, str):
            return target, target.rpartition(".")[2] if node.op == "get_attr" else target
        names = self._functions.get(id(target))
        if names is None:
            names = self._functions[id(target)] = _qualified_name(target), function_name(target)
        return names

    def _reads(self, node: AnyNode) -> tuple[str, ...]:
        if node.op == "call_module":
            return tensors_read(self._modules[str(node.target)], self._tensors)
        if node.op != "get_attr":
            return ()
        holder, _, name = str(node.target).rpartition(".")
        found = self._tensors.get(id(getattr(self._modules.get(holder), name, None)))
        return () if found is None else (found,)

    def _call_config(self, node: fx.Node, label: str) -> str:
        def known(argument: Any) -> Any:
            if isinstance(argument, fx.Node):
                value = self._outcomes.get(argument, _NO_OUTCOME).value
                return value if isinstance(value, TensorSpec) else None
            if isinstance(argument, (tuple, list)):
                return tuple([known(item) for item in argument])
            return argument

        return config.of_call(label, known(node.args), {key: known(value) for key, value in node.kwargs.items()})


_OF_MODULES = ("call_module", "get_attr")
_NO_OUTCOME = Outcome(UNKNOWN, None)


def _add_modules(graph: ModelGraph, capture: Capture, tensors: Mapping[int, str]) -> None:
    """Nodes without dataflow: one per leaf module, and one per parameter or buffer held by other modules."""
    names = fx.graph._Namespace()
    seen: set[int] = set()

    def walk(module: nn.Module, path: str, stack: tuple[ModuleCall, ...]) -> None:
        if id(module) in seen:
            return
        seen.add(id(module))
        children = [(name, child) for name, child in module._modules.items() if child is not None]
        if path and (default_leaf(module) or not children):
            reads = tensors_read(module, tensors)
            _add_static(graph, names.create_name(path.replace(".", "_"), None), path, stack, reads, module)
            return
        prefix = f"{path}." if path else ""
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                key = names.create_name((prefix + name).replace(".", "_"), None)
                _add_static(graph, key, prefix + name, stack, (tensors[id(tensor)],), tensor)
        for name, child in children:
            walk(child, prefix + name, (*stack, ModuleCall(prefix + name, class_name(child))))

    walk(capture.model, "", ())


def _add_static(
    graph: ModelGraph,
    key: str,
    target: str,
    stack: tuple[ModuleCall, ...],
    reads: tuple[str, ...],
    value: nn.Module | torch.Tensor,
) -> None:
    module = value if isinstance(value, nn.Module) else None
    spec = spec_or_none(value) if isinstance(value, torch.Tensor) else None
    graph.add_node(
        key,
        op="call_module" if module is not None else "get_attr",
        target=target,
        module=stack[-1].path if stack else "",
        module_type=stack[-1].type if stack else graph.name,
        module_stack=stack,
        label=class_name(module) if module is not None else target.rpartition(".")[2],
        config="" if module is None else config.of_module(module),
        arguments="",
        outputs=spec,
        shape=spec.shape if spec else None,
        dtype=spec.dtype if spec else None,
        reads=reads,
        flops=None if module is not None else 0,
        unknown_operators=(),
        assumed=False,
        packed=module is not None and holds_packed(module),
        source="",
        multiplicity=1,
    )


def _arguments(node: fx.Node) -> str:
    """The arguments as text with ``%`` for values of other nodes."""
    parts = [_text(arg) for arg in node.args]
    parts += [f"{key}={_text(value)}" for key, value in node.kwargs.items()]
    return ", ".join(parts)


def _text(value: Any) -> str:
    if isinstance(value, fx.Node):
        return "%"
    if isinstance(value, (tuple, list)):
        inner = ", ".join(map(_text, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_repr(key)}: {_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, slice):
        return f"slice({_text(value.start)}, {_text(value.stop)}, {_text(value.step)})"
    return _repr(value)


def _repr(value: Any) -> str:
    """repr without addresses, so that the same model gives the same text."""
    if isinstance(value, str):
        return repr(value).replace("%", "%%")
    if isinstance(value, _WITH_REPR):
        return repr(value)
    return getattr(value, "__qualname__", f"<{type(value).__name__}>")


_WITH_REPR = (
    bool, int, float, complex, type(None), torch.dtype, torch.device, type(Ellipsis), torch.layout, torch.memory_format,
    torch.Size,
)  # fmt: skip


def _qualified_name(target: Any) -> str:
    try:
        return _get_qualified_name(target).removeprefix("_").replace("torch._C._nn.", "torch.nn.functional.")
    except Exception:  # a callable without a module or a name
        return getattr(target, "__qualname__", type(target).__name__)


def plain(value: Any) -> Any:
    """A value as tuples, lists, dicts, specs, numbers and strings only; None for what is not known."""
    if value is UNKNOWN:
        return None
    if value is None or isinstance(value, (bool, int, float, str, TensorSpec)):
        return value
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, slice):
        return f"slice({value.start}, {value.stop}, {value.step})"
    return str(value) if isinstance(value, (torch.dtype, torch.device)) else f"<{type(value).__name__}>"


def _output_spec(capture: Capture) -> Any:
    return None if capture.propagation is None or capture.is_partial else plain(capture.propagation.output)
