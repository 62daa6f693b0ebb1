"""Converts the graph of an exported program to the graph that a tracer would create.

- Parameters, buffers and constants, which export lifts to inputs, become get_attr nodes again.
- Nested graphs that run once (``torch.no_grad``, autocast, checkpointing) are inlined.
- Nodes that export adds (checks, copies of constants, write-backs of buffers, buffers as outputs) are removed.
- The output gets the structure of forward's return value.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator
from dataclasses import replace
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import torch
from torch import fx
from torch.utils._pytree import TreeSpec

from fxsummary.capture.exported import metadata
from fxsummary.capture.exported.costs import FREE, RUN_ONCE, Costs
from fxsummary.capture.exported.metadata import OUTCOME, value_of, with_values
from fxsummary.capture.exported.skeleton import Skeleton
from fxsummary.capture.inputs.example import map_named
from fxsummary.capture.nodes import AUTOCAST, SOURCE, STACK, function_name
from fxsummary.capture.operations.twins import dtype_name
from fxsummary.capture.structures import UNKNOWN, Args, walk
from fxsummary.capture.torch_internals import HigherOrderOperator, OpOverload
from fxsummary.graph.spec import map_structure

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Env = dict[fx.Node, object]
"""Values of the nodes of an exported graph: nodes of the flat graph, literals, or a function that makes the node."""

_LIFTED = frozenset({"PARAMETER", "BUFFER", "CONSTANT_TENSOR", "CUSTOM_OBJ"})
_OUTPUTS = frozenset({"USER_OUTPUT", "LOSS_OUTPUT"})
_NUMBERS = (bool, int, float)
_COPIES_OF_CONSTANTS = frozenset({"lift_fresh", "lift_fresh_copy", "detach", "detach_", "alias"})


_ASSERTIONS = ("_assert", "sym_constrain_range", "_functional_assert", "_functional_sym_constrain_range")
"""Prefixes of operators that only check the assumptions of the export."""


class Flat:
    """The flat graph of an exported program.

    Attributes:
        graph: an FX graph; the meta of its nodes has `STACK`, `OUTCOME`, `SOURCE` and `AUTOCAST`.
        inputs: the name in forward and the exported value of each input.

    Args:
        device: the device of the program's tensors.
    """

    def __init__(self, program: ExportedProgram, skeleton: Skeleton, device: str) -> None:
        self.graph = fx.Graph()
        self.inputs: list[tuple[str, object]] = []
        self._program = program
        self._skeleton = skeleton
        self._costs = Costs(device)
        self._folder = metadata.common_folder(metadata.all_nodes(program.graph_module))
        self._attributes: dict[str, fx.Node] = {}
        self._place: tuple[dict[str, tuple[str, str]], str] = ({}, "")
        self._casting: tuple[str, str] | None = None
        env: Env = {}
        names = iter(_input_names(program))
        specs = {spec.arg.name: spec for spec in program.graph_signature.input_specs if hasattr(spec.arg, "name")}
        for node in program.graph.nodes:
            if node.op == "placeholder":
                env[node] = self._input(node, specs.get(node.name), names)
        self._steps(program.graph_module, env)
        self._output(next(reversed(program.graph.nodes)), env)

    def _input(self, node: fx.Node, spec: Any, names: Iterator[str]) -> object:
        kind, value = "USER_INPUT" if spec is None else spec.kind.name, node.meta.get("val")
        if kind in _LIFTED:
            return partial(self._attribute, self._skeleton.first_name(spec.target), value)
        if kind != "USER_INPUT":
            return None
        name = next(names, node.name)
        self.inputs.append((name, value))
        if isinstance(value, torch.Tensor):
            return self._create("placeholder", name, (), {}, name, value_of(value))
        return value_of(value)  # a number stays a literal, as in the other ways to capture

    def _steps(self, module: fx.GraphModule, env: Env) -> None:
        for node in module.graph.nodes:
            if node.op == "get_attr":
                value = reduce(getattr, str(node.target).split("."), module)
                is_graph = isinstance(value, fx.GraphModule)
                env[node] = value if is_graph else partial(self._attribute, str(node.target), value)
            elif node.op == "call_function":
                stack = {k: each for k, each in metadata.stack_of(node).items() if each[0] in self._skeleton.modules}
                line = metadata.source_line(node, self._folder)
                self._place = stack or self._place[0], line or self._place[1]
                env[node] = self._call(node, env)

    def _call(self, node: fx.Node, env: Env) -> Any:
        if isinstance(node.target, OpOverload) and node.target._schema.name.rpartition("::")[2].startswith(_ASSERTIONS):
            return None
        name, args, kwargs = function_name(node.target), self._load(node.args, env), self._load(node.kwargs, env)
        if node.target is operator.getitem and isinstance(args[0], (tuple, list)):
            return args[0][args[1]]
        if (
            args
            and isinstance(args[0], fx.Node)
            and args[0].op == "get_attr"
            and (
                (name in _COPIES_OF_CONSTANTS and args[0].target not in self._program.state_dict)
                or (name == "copy_" and _writes_back(*args[:2]))
            )
        ):
            return args[0]
        if isinstance(node.target, HigherOrderOperator) and name in RUN_ONCE:
            found = self._written_out(name, args, env)
            if found is not None:
                return found
        value = value_of(node.meta.get("val", UNKNOWN))
        if isinstance(value, _NUMBERS) and not any(isinstance(each, fx.Node) for each in walk(args)):
            return value
        return self._create("call_function", node.target, args, kwargs, node.name, value)

    def _written_out(self, name: str, args: Args, env: Env) -> Any:
        """Inline a graph that runs once, and return its results; None if it cannot be read."""
        places = [place for place, arg in enumerate(args) if isinstance(arg, fx.GraphModule)]
        if not places:
            return None
        body, operands = args[places[0]], [arg for arg in args[places[0] + 1 :] if not isinstance(arg, str)]
        if operands and isinstance(operands[0], (tuple, list)):
            operands = list(operands[0])
        inputs = [node for node in body.graph.nodes if node.op == "placeholder"]
        if len(inputs) != len(operands):
            return None
        outside, casting = self._place, self._casting
        if name == "wrap_with_autocast":
            device, dtype, enabled = args[:3]
            dtype = dtype or torch.get_autocast_dtype(device)
            self._casting = (device, dtype_name(dtype)) if enabled else None
        inner: Env = dict(zip(inputs, operands, strict=True))
        self._steps(body, inner)
        self._place, self._casting = outside, casting
        return self._load(next(reversed(body.graph.nodes)).args[0], inner)

    def _load(self, argument: object, env: Env) -> Any:
        def load(value: object) -> object:
            if not isinstance(value, fx.Node):
                return value
            found = env[value]
            return found() if isinstance(found, partial) else found

        return map_structure(load, argument)

    def _attribute(self, target: str, value: object) -> fx.Node:
        """Return the node that reads a parameter, buffer or constant; create it at the first read."""
        if target not in self._attributes:
            self._attributes[target] = self._create(
                "get_attr", target, (), {}, target.replace(".", "_"), value_of(value)
            )
        return self._attributes[target]

    def _create(self, op: str, target: Any, args: Any, kwargs: Any, name: str, value: object) -> fx.Node:
        node = self.graph.create_node(op, target, args, kwargs, name)
        node.meta[STACK], node.meta[SOURCE] = self._place
        node.meta[AUTOCAST] = self._casting
        cost = self._costs.of_node(node) if op == "call_function" else FREE
        node.meta[OUTCOME] = replace(cost, value=value)
        return node

    def _output(self, node: fx.Node, env: Env) -> None:
        specs = self._program.graph_signature.output_specs
        given: Any = node.args[0]
        results = [arg for arg, spec in zip(given, specs, strict=True) if spec.kind.name in _OUTPUTS]
        self._place = ({}, "")
        structure = _unflatten(self._program.call_spec.out_spec, iter(self._load(results, env)))
        self._create("output", "output", (structure,), {}, "output", with_values(structure))


def _writes_back(buffer: fx.Node, value: object) -> bool:
    """Whether a copy to a buffer is redundant, because an in-place operation has already changed the buffer."""
    if not isinstance(value, fx.Node) or not function_name(value.target).endswith("_"):
        return False
    return value.args[:1] == (buffer,)


def _input_names(program: ExportedProgram) -> list[str]:
    """Return the names of the inputs: forward's parameter, then the place inside it; [] if they are unknown."""
    signature = program.module_call_graph[0].signature if program.module_call_graph else None
    names, spec = getattr(signature, "forward_arg_names", None), program.call_spec.in_spec
    if not names or spec is None:
        return []
    args, kwargs = _unflatten(spec, itertools.repeat(True))
    arguments, found = [*args, *kwargs.values()], list[tuple[str, object]]()
    for name, argument in zip(names, arguments, strict=True) if len(names) == len(arguments) else ():
        map_named(lambda *leaf: found.append(leaf), name, argument)
    return [name for name, is_leaf in found if is_leaf]


_LISTS = (tuple, list)


def _unflatten(spec: TreeSpec | None, results: Iterator[object]) -> Any:
    """Arrange results in the structure of a pytree; objects become dicts, so that no user class is called."""
    if spec is None:
        return tuple(results)
    if spec.is_leaf():
        return next(results)
    items = [_unflatten(child, results) for child in spec.children()]
    if spec.type is list:
        return items
    keys, empty = spec.context, []
    if isinstance(keys, _LISTS) and len(keys) == 2 and isinstance(keys[1], _LISTS):
        if isinstance(keys[0], _LISTS):  # a dataclass: its fields, and those that are None
            keys, empty = keys
        else:  # a defaultdict
            keys = keys[1]
    is_named = isinstance(keys, _LISTS) and len(keys) == len(items)
    if not is_named or (isinstance(spec.type, type) and issubclass(spec.type, tuple)):
        return tuple(items)
    return {**{str(key): item for key, item in zip(keys, items, strict=True)}, **dict.fromkeys(empty)}
