"""Read the attributes of operations from `torch.fx` nodes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture import Capture
from fxsummary.capture.nodes import AUTOCAST, NO_GRAD, SOURCE, STACK, function_name
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.structures import UNKNOWN
from fxsummary.convert import config
from fxsummary.convert.module_tree import Tensors, class_name
from fxsummary.convert.plain import arguments, given, plain, qualified_name
from fxsummary.graph.attributes import BLANK, NodeData, placed, result
from fxsummary.graph.modelgraph import ModuleCall, Returned
from fxsummary.graph.spec import TensorSpec, map_structure


class Reader:
    """Reads the attributes of nodes, creates shared objects only once, and notes the paths of ``called`` modules."""

    def __init__(self, capture: Capture, modules: Mapping[str, nn.Module], tensors: Tensors) -> None:
        self.called: set[str] = set()
        self._model = class_name(capture.model)
        self._modules = modules
        self._tensors = tensors
        self._outcomes = capture.propagation.outcomes if capture.propagation else {}
        self._stacks: dict[int, tuple[ModuleCall, ...]] = {}
        self._call = functools.cache(self._module_call)
        self._functions: dict[int, tuple[str, str]] = {}

    def read(self, node: fx.Node) -> NodeData:
        """Return all attributes of a node."""
        outcome = self._outcomes.get(node, _NO_OUTCOME)
        stack = self._stack(node.meta[STACK])
        module = self._modules[str(node.target)] if node.op == "call_module" else None
        target, label = self._names(node)
        if module is not None:
            settings = config.of_module(module)
        else:
            is_call = node.op.startswith("call_") and node.target is not getattr
            settings = self._call_config(node, label) if is_call else ""
        return {
            **BLANK,  # includes the attributes that passes set, because growing thousands of dicts later is slow
            **placed(stack, self._model),
            **result(plain(outcome.value)),
            "op": node.op,
            "target": target,
            "label": label if module is None else class_name(module),
            "config": settings,
            "arguments": arguments(node),
            "reads": self._reads(node),
            "flops": None if outcome.unknown else outcome.flops,
            **({"at_least": {"flops": outcome.flops}} if outcome.unknown and outcome.flops else {}),
            "unknown_operators": outcome.unknown,
            "assumed": outcome.assumed,
            **({"workspace": None} if self._reads_wrapped(node) else _workspace(outcome, node, module)),
            **({"writes": outcome.writes} if outcome.writes else {}),
            **({"no_grad": True} if NO_GRAD in node.meta and torch.is_grad_enabled() else {}),
            "packed": module is not None and self._tensors.are_unknown(module),
            "source": node.meta[SOURCE],
        }

    def moved(self, node: fx.Node, prototype: NodeData) -> NodeData:
        """Return all attributes of a copied node, given those of its original (``prototype``)."""
        stack = self._stack(node.meta[STACK])
        data = prototype.copy()
        data["module"], data["module_stack"] = stack[-1].path if stack else "", stack
        if data["op"] in ("call_module", "get_attr"):
            data["target"], label = self._names(node)
            data["label"] = label if node.op == "get_attr" else data["label"]
            data["reads"] = self._reads(node)
        return data

    def returned(self, calls: Mapping[str, tuple[Any, Any]]) -> dict[ModuleCall, Returned]:
        """Return the results of module calls by their stack keys; see `fxsummary.capture.symbolic.trace.Trace`."""
        return {self._call(key, entry): self._returned(value) for key, (entry, value) in calls.items()}

    def taken(self, calls: Mapping[str, tuple[Any, tuple[fx.Node, ...]]]) -> dict[ModuleCall, tuple[str, ...]]:
        """Return the names of the nodes whose results module calls get."""
        return {self._call(key, entry): tuple([node.name for node in nodes]) for key, (entry, nodes) in calls.items()}

    def _returned(self, value: Any) -> Returned:
        read: list[Outcome] = []

        def value_of(node: Any) -> Any:
            read.append(self._outcomes.get(node, _NO_OUTCOME))
            return read[-1].value

        if isinstance(value, Returned):
            return Returned(plain(value.outputs), value.assumed)
        return Returned(plain(map_structure(value_of, value)), any(outcome.assumed for outcome in read))

    def _stack(self, raw: Mapping[str, Any]) -> tuple[ModuleCall, ...]:
        stack = self._stacks.get(id(raw))
        if stack is None:
            stack = self._stacks[id(raw)] = tuple([self._call(*item) for item in raw.items() if item[1][0]])
        return stack

    def _module_call(self, key: str, module: tuple[str, Any]) -> ModuleCall:
        """Return the record for an entry of torch.fx's module stack; cached, because many nodes share it."""
        path, kind = module
        self.called.add(path)
        call = key[len(path) + 1 :] if key.startswith(f"{path}@") else ""
        name = kind.rpartition(".")[2] if isinstance(kind, str) else kind.__name__
        return ModuleCall(path, name, int(call) if call.isdigit() else 0)

    def _names(self, node: fx.Node) -> tuple[str, str]:
        """Return the full and the short name of the called function, method or module."""
        target = node.target
        if isinstance(target, str):
            return target, target.rpartition(".")[2] if node.op == "get_attr" else target
        if target is getattr and len(node.args) > 1:
            return qualified_name(target), str(node.args[1])
        if id(target) not in self._functions:
            self._functions[id(target)] = qualified_name(target), function_name(target)
        return self._functions[id(target)]

    def _reads(self, node: fx.Node) -> tuple[str, ...]:
        if node.op == "call_module":
            return self._tensors.read_by(self._modules[str(node.target)])
        if node.op != "get_attr":
            return ()
        holder, _, name = str(node.target).rpartition(".")
        found = self._tensors.names.get(id(getattr(self._modules.get(holder), name, None)))
        return () if found is None else (found,)

    def _reads_wrapped(self, node: fx.Node) -> bool:
        """Return whether an operation reads a tensor subclass, which may unpack its data."""
        if not self._tensors.wrapped:
            return False
        sources = [each for each in (node, *node.all_input_nodes) if each.op in ("get_attr", "call_module")]
        read = {name for each in sources if each.op == "get_attr" or each is node for name in self._reads(each)}
        return node.op != "get_attr" and not self._tensors.wrapped.isdisjoint(read)

    def _call_config(self, node: fx.Node, label: str) -> str:
        def known(argument: Any) -> Any:
            if isinstance(argument, fx.Node):
                value = self._outcomes.get(argument, _NO_OUTCOME).value
                return value if isinstance(value, TensorSpec) else None
            if isinstance(argument, (tuple, list)):
                return tuple([known(item) for item in argument])
            return argument

        return config.of_call(label, known(node.args), {key: known(value) for key, value in given(node).items()})


def _workspace(outcome: Outcome, node: fx.Node, module: nn.Module | None) -> NodeData:
    """Return the attributes for what an operation holds for a time; a fused operator shows nothing of it."""
    if outcome.most_workspace is None:
        return {"workspace": outcome.workspace}
    if isinstance(module, nn.MultiheadAttention) and _is_fused(module, node):
        return {"workspace": 0}
    return {"workspace": None, "most_workspace": outcome.most_workspace}


def _is_fused(module: nn.MultiheadAttention, node: fx.Node) -> bool:
    """Whether torch runs an attention in eval mode by one operator, as ``nn.MultiheadAttention.forward`` decides."""
    tensors = [*node.args, *(node.kwargs[name] for name in ("query", "key", "value") if name in node.kwargs)]
    is_alone = len(node.all_input_nodes) == 1 and tensors == [tensors[0]] * 3
    is_plain = module._qkv_same_embed_dim and module.bias_k is None and not module.add_zero_attn
    return is_alone and is_plain and module.num_heads % 2 == 0 and not node.meta.get(AUTOCAST)


_NO_OUTCOME = Outcome(UNKNOWN, None)
