"""From a capture to a `ModelGraph`: live objects end here, plain values go on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx, nn
from torch.fx.node import _get_qualified_name

from fxsummary.capture import Capture, config
from fxsummary.capture.aten import function_name
from fxsummary.capture.operations import Outcome
from fxsummary.capture.symbolic import AFTER, SOURCE, STACK, Trace, default_leaf
from fxsummary.capture.values import UNKNOWN
from fxsummary.modelgraph import ModelGraph, ModuleCall
from fxsummary.moduletree import class_name, is_packed, module_tree, spec_or_none, tensor_names, tensors_read
from fxsummary.spec import TensorSpec, leaves


def convert(capture: Capture) -> ModelGraph:
    """The graph of a capture, with everything but what the passes compute."""
    graph = ModelGraph()
    tensors = tensor_names(capture.model)
    modules = dict(capture.model.named_modules(remove_duplicate=False))
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
    outcomes = capture.propagation.outcomes if capture.propagation else {}
    unknown = Outcome(UNKNOWN, None)
    stacks: dict[int, tuple[ModuleCall, ...]] = {}
    called = {"", *capture.untold}
    values = {node: outcome.value for node, outcome in outcomes.items()}
    for node in trace.graph.nodes:
        raw_stack = node.meta[STACK]
        stack = stacks.get(id(raw_stack))
        if stack is None:
            stack = stacks[id(raw_stack)] = _module_stack(raw_stack)
            called.update(call.path for call in stack)
        outcome = outcomes.get(node, unknown)
        outputs = plain(outcome.value)
        first = next(leaves(outputs), None)
        template, inputs = _arguments(node)
        module = modules[str(node.target)] if node.op == "call_module" else None
        graph.add_node(
            node.name,
            op=node.op,
            target=_target(node),
            module=stack[-1].path if stack else "",
            module_type=stack[-1].type if stack else class_name(capture.model),
            module_stack=stack,
            label=_label(node, module),
            config=config.of_module(module) if module is not None else _call_config(node, values),
            arguments=template,
            outputs=outputs,
            shape=first.shape if first else None,
            dtype=first.dtype if first else None,
            reads=_reads(node, module, capture, tensors),
            flops=None if outcome.unknown else outcome.flops,
            unknown_operators=outcome.unknown,
            assumed=outcome.assumed,
            packed=module is not None and any(map(is_packed, module.modules())),
            source=node.meta[SOURCE],
            multiplicity=1,
        )
        for slot, source in enumerate(inputs):
            _add_edge(graph, source.name, node.name, (slot,))
        for source in node.meta.get(AFTER, ()):
            _add_edge(graph, source.name, node.name, ())
    return called


def _add_edge(graph: ModelGraph, source: str, target: str, slots: tuple[int, ...]) -> None:
    if graph.has_edge(source, target):
        graph.edges[source, target]["slots"] += slots
        return
    outputs = graph.nodes[source]["outputs"]
    first = next(leaves(outputs), None)
    nbytes = sum(spec.nbytes for spec in leaves(outputs)) if outputs is not None else None
    graph.add_edge(
        source,
        target,
        slots=slots,
        shape=first.shape if first else None,
        dtype=first.dtype if first else None,
        bytes=nbytes,
    )


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
        packed=module is not None and any(map(is_packed, module.modules())),
        source="",
        multiplicity=1,
    )


def _module_stack(stack: Mapping[str, tuple[str, Any]]) -> tuple[ModuleCall, ...]:
    calls = []
    for key, (path, kind) in stack.items():
        if path:
            call = key[len(path) + 1 :] if key.startswith(f"{path}@") else ""
            name = kind.rpartition(".")[2] if isinstance(kind, str) else kind.__name__
            calls.append(ModuleCall(path, name, int(call) if call.isdigit() else 0))
    return tuple(calls)


def _arguments(node: fx.Node) -> tuple[str, list[fx.Node]]:
    """The arguments as text with ``%`` for values of other nodes, and those nodes in order."""
    inputs: list[fx.Node] = []

    def text(value: Any) -> str:
        if isinstance(value, fx.Node):
            inputs.append(value)
            return "%"
        if isinstance(value, (tuple, list)):
            inner = ", ".join(map(text, value))
            return f"[{inner}]" if isinstance(value, list) else f"({inner},)" if len(value) == 1 else f"({inner})"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{_repr(key)}: {text(item)}" for key, item in value.items()) + "}"
        if isinstance(value, slice):
            return f"slice({text(value.start)}, {text(value.stop)}, {text(value.step)})"
        return _repr(value)

    parts = [text(arg) for arg in node.args]
    parts += [f"{key}={text(value)}" for key, value in node.kwargs.items()]
    return ", ".join(parts), inputs


def _repr(value: Any) -> str:
    """repr without addresses, so that the same model gives the same text."""
    if isinstance(value, str):
        return repr(value).replace("%", "%%")
    plain_value = isinstance(value, (bool, int, float, complex, type(None), torch.dtype, torch.device, type(Ellipsis)))
    if plain_value or isinstance(value, (torch.layout, torch.memory_format, torch.Size)):
        return repr(value)
    return getattr(value, "__qualname__", f"<{type(value).__name__}>")


def _target(node: fx.Node) -> str:
    if isinstance(node.target, str):
        return node.target
    try:
        return _get_qualified_name(node.target).removeprefix("_").replace("torch._C._nn.", "torch.nn.functional.")
    except Exception:  # a callable without a module or a name
        return getattr(node.target, "__qualname__", type(node.target).__name__)


def _label(node: fx.Node, module: nn.Module | None) -> str:
    if module is not None:
        return class_name(module)
    if node.op == "get_attr":
        return str(node.target).rpartition(".")[2]
    if node.op in ("call_method", "placeholder", "output"):
        return str(node.target)
    return function_name(node.target)


def _call_config(node: fx.Node, values: Mapping[fx.Node, Any]) -> str:
    if node.op not in ("call_function", "call_method"):
        return ""

    def known(argument: Any) -> Any:
        if isinstance(argument, fx.Node):
            value = values.get(argument)
            return value if isinstance(value, TensorSpec) else None
        if isinstance(argument, (tuple, list)):
            return tuple([known(item) for item in argument])
        return argument

    return config.of_call(node, known(node.args), {key: known(value) for key, value in node.kwargs.items()})


def _reads(node: fx.Node, module: nn.Module | None, capture: Capture, tensors: Mapping[int, str]) -> tuple[str, ...]:
    if module is not None:
        return tensors_read(module, tensors)
    if node.op == "get_attr":
        value: Any = capture.model
        for name in str(node.target).split("."):
            value = getattr(value, name, None)
        found = tensors.get(id(value))
        return () if found is None else (found,)
    return ()


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
