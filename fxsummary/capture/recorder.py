"""Recorded capture: one forward on meta tensors, written down as an FX graph.

Python runs as it is, on tensors without data: its control flow, containers and objects just work. Every torch
call becomes a node, at the granularity of symbolic tracing; modules of ``torch.nn`` are one operation. The
model's own tensors are never handed to a kernel: operations run on specs (`fxsummary.capture.operations`).
"""

from __future__ import annotations

import collections
import operator
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx, nn
from torch._ops import HigherOrderOperator
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.hooks import RemovableHandle

from fxsummary.capture import autocast, leaks, overrides, patches, source
from fxsummary.capture.evaluation import Evaluator, NoValueError, Writes
from fxsummary.capture.inputs import Inputs
from fxsummary.capture.operations import Alias, NoDataError, Operations, Outcome, RefusedError, observe_real
from fxsummary.capture.placeholders import Placeholders
from fxsummary.capture.propagate import Propagation
from fxsummary.capture.state import preserved
from fxsummary.capture.symbolic import AFTER, AUTOCAST, SOURCE, STACK, Leaf, Trace, default_leaf
from fxsummary.capture.tracked import Tensors, Tracked, element
from fxsummary.capture.transforms import Transform
from fxsummary.capture.twins import is_own_hook, spec_of
from fxsummary.capture.values import UNKNOWN, is_limit_of_meta, is_plain, load, map_values, structure_of, tensors_in
from fxsummary.spec import TensorSpec, map_structure


@dataclass
class Recording:
    """What a recording yields.

    Attributes:
        trace: the graph; without an output node where the recording stopped.
        propagation: specs and FLOPs by node.
        stopped: why it stopped, "" if it did not.
        source: ``file:line`` where it stopped.
        notes: what a reader must know.
    """

    trace: Trace
    propagation: Propagation
    stopped: str = ""
    source: str = ""
    notes: list[str] = field(default_factory=list)


class StopRecording(BaseException):
    """Recording cannot go on; the graph so far is kept."""

    def __init__(self, reason: str, source: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.source = source


def record(model: nn.Module, inputs: Inputs, device: str, leaf: Leaf | None = None) -> Recording:
    """Record one forward.

    Args:
        device: the device that tensors claim to be on; on ``meta``, questions are answered for the CPU.
        leaf: further modules not to enter.

    Raises:
        Exception: whatever forward raises of its own.
    """
    recorder = Recorder(model, device, leaf)
    recorder.run(inputs)
    return recorder.finish()


class Recorder:
    """Writes the FX graph of a forward while it runs."""

    def __init__(self, model: nn.Module, device: str, leaf: Leaf | None) -> None:
        self.graph = fx.Graph()
        self.propagation = Propagation()
        self._model = model
        self._leaf = leaf
        self._claim = torch.device("cpu" if device == "meta" else device)
        self._tensors = Tensors(model, device)
        self._operations = Operations(device)
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._calls: dict[str, int] = {}
        self._stack: collections.OrderedDict[str, Any] = collections.OrderedDict()
        self._stack_now: collections.OrderedDict[str, Any] | None = None
        self._quiet = 0
        self._functions = _FunctionMode(self)
        self._inputs: dict[fx.Node, torch.Tensor] = {}
        self._writes = Writes()
        self._versions: dict[int, int] = {}
        self._evaluator = Evaluator(
            model, self.propagation.outcomes, self._inputs, self._tensors.constants, self._writes
        )
        self._assuming = False
        self._assumed_at: dict[str, None] = {}
        self._stopped: StopRecording | None = None
        self._outermost = sys._getframe(1)

    # --- the forward ---------------------------------------------------------------------------

    def run(self, inputs: Inputs) -> None:
        """Run forward and write its graph."""
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            stack.enter_context(preserved(self._model))
            args, kwargs = Placeholders(self.add_placeholder).arguments(self._model, inputs)
            stack.enter_context(patches.installed(self))
            stack.enter_context(_DispatchMode(self))
            stack.enter_context(self._functions)
            try:
                self._output(self._forward(args, kwargs))
            except StopRecording as stopped:
                self._stopped = stopped
            except Exception as error:
                if not is_limit_of_meta(error):
                    raise
                where, _ = source.of_traceback(error.__traceback__)
                self._stopped = StopRecording(str(error).strip().partition("\n")[0], where)

    def _forward(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._is_leaf(self._model, ""):
            return self._leaf_call(self._model, "", args, kwargs)
        return self._model._call_impl(*args, **kwargs)

    def finish(self) -> Recording:
        """What was recorded; tensors that live on in caches get their values."""
        stopped = self._stopped
        if stopped is not None:
            stopped.__traceback__ = None  # its frames hold tensors
        trace = Trace(self.graph, self._tensors.constants, given=self._inputs)
        notes = [*self._assumed_note(), *dict.fromkeys(leaks.heal(self._tensors, self._evaluator))]
        return Recording(
            trace, self.propagation, stopped.reason if stopped else "", stopped.source if stopped else "", notes
        )

    def _assumed_note(self) -> Iterator[str]:
        places = list(filter(None, self._assumed_at))
        if self._assumed_at:
            more = f" and {len(places) - 3} more places" if len(places) > 3 else ""
            where = f" at {', '.join(places[:3])}{more}" if places else ""
            yield (
                f"values were assumed where forward goes by them{where}, for inputs or weights have no data; "
                "what follows from them is marked as assumed"
            )

    def add_placeholder(self, name: str, given: torch.Tensor | TensorSpec) -> torch.Tensor:
        """The meta tensor that forward gets for an input."""
        node = self._new_node("placeholder", name, (), {})
        if isinstance(given, torch.Tensor):
            self._inputs[node] = given
            twin = self._operations.twins.tensor(given).detach()
        else:
            twin = self._operations.twins.of_spec(given)
        tracked = self._tensors.add(twin, (node, ()))
        self._note_storage(node, tracked)
        self.propagation.outcomes[node] = Outcome(tracked.spec)
        return twin

    def _output(self, result: Any) -> None:
        self._quiet += 1
        nodes = map_structure(self._node_for, structure_of(result))
        specs = map_structure(self._spec_for, structure_of(result))
        node = self.graph.create_node("output", "output", (nodes,), {})
        node.meta[STACK], node.meta[SOURCE] = collections.OrderedDict(), ""
        self.propagation.outcomes[node] = Outcome(specs)
        self._quiet -= 1

    def _node_for(self, value: Any) -> Any:
        return self._node_of(self._tensors.of(value)) if isinstance(value, torch.Tensor) else value

    def _spec_for(self, value: Any) -> Any:
        return self._tensors.of(value).spec if isinstance(value, torch.Tensor) else value

    # --- calls seen ----------------------------------------------------------------------------

    @property
    def is_listening(self) -> bool:
        """Whether calls are recorded now, and not part of an operation that is being run."""
        return not self._quiet

    @property
    def _in_transform(self) -> bool:
        return torch._C._functorch.maybe_current_level() is not None

    def torch_call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of a torch function, or an access to a tensor's property."""
        if function in overrides.QUESTIONS and not (function is torch.Tensor.type and len(args) + len(kwargs) > 1):
            return function(*args, **kwargs)
        if self._quiet or self._in_transform:
            return function(*args, **kwargs)
        answer = overrides.DEVICE_QUESTIONS.get(function)
        if answer is not None:
            return answer(self._claim)
        if function in overrides.MARKS:
            return self._mark(function, args, kwargs)
        if function in overrides.VALUES:
            return self._value_call(function, args, kwargs)
        if function in overrides.TEXTS:
            return self._text(function, args, kwargs)
        if isinstance(function, HigherOrderOperator):
            return self._higher_order_call(function, args, kwargs)
        return self._function_call(function, args, kwargs)

    def aten_call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of ATen that no torch function made, such as one from a ScriptFunction."""
        if self._quiet or self._in_transform or function._schema.name in _NO_OPERATION:
            return function(*args, **kwargs)
        with torch._C.DisableTorchFunction():
            return self.operation("call_function", function, function, args, kwargs)

    def _function_call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = overrides.PROPERTIES.get(function)
        if name is not None:
            return self.operation("call_function", getattr, getattr, (args[0], name), {})
        if function is torch.Tensor.__deepcopy__:
            copy = args[1][id(args[0])] = self._function_call(torch.Tensor.clone, args[:1], {})
            return copy
        if function in overrides.SET_DATA:
            return self._replace_data(*args)
        if function is torch.Tensor.__setitem__:
            self.operation("call_function", overrides.set_item, overrides.set_item, args, kwargs)
            return None
        infix = overrides.OPERATORS.get(function)
        if infix is not None and not kwargs:
            return self.operation("call_function", infix, infix, args, kwargs)
        reflected = overrides.REFLECTED.get(function)
        if reflected is not None and len(args) == 2:
            return self.operation("call_function", reflected, reflected, args[::-1], kwargs)
        if overrides.is_method(function):
            name = function.__name__
            if name in overrides.CHANGES_METADATA:
                return self._change_metadata(name, args, kwargs)
            return self.operation("call_method", name, name, args, kwargs)
        return self.operation("call_function", function, function, args, kwargs)

    def whole_call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A function that is to stay one operation; it is entered where it needs values."""
        if self._in_transform or not any(True for _ in tensors_in((args, kwargs))):
            return function(*args, **kwargs)
        nodes = len(self.graph.nodes)
        try:
            return self.operation("call_function", function, function, args, kwargs, by_values=False)
        except (NoDataError, RefusedError):
            assert len(self.graph.nodes) >= nodes
            return function(*args, **kwargs)

    def transform_call(self, transform: Transform, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A transform of torch.func."""
        captured = transform.take_captured()
        if self._in_transform:
            return transform(captured, *args, **kwargs)
        return self.operation("call_function", transform, transform, (captured, *args), kwargs)

    def _higher_order_call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """``cond`` and ``while_loop`` go the way that the values tell; others are one operation."""
        name = function.name() if callable(function.name) else function.name
        if name == "cond" and len(args) == 4:
            condition, if_true, if_false, operands = args
            with self._functions:
                return (if_true if bool(condition) else if_false)(*operands)
        if name == "while_loop" and len(args) >= 3:
            condition, body, carried = args[:3]
            more = tuple(args[3]) if len(args) > 3 else ()
            with self._functions:
                while bool(condition(*carried, *more)):
                    carried = tuple(body(*carried, *more))
            return carried
        return self.operation("call_function", function, function, args, kwargs)

    def _mark(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """``requires_grad_`` and the like: done to tensors of the recording, never to the user's."""
        tensor = args[0]
        if self._tensors.is_ours(tensor):
            try:
                return function(*args, **kwargs)
            except RuntimeError:  # hooks want a gradient, and nothing has one here
                pass
        if function in overrides.HOOKS:
            return RemovableHandle(collections.OrderedDict())
        return tensor if function is torch.Tensor.requires_grad_ else None

    # --- modules -------------------------------------------------------------------------------

    def module_call(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of a module: a leaf is one operation, others are entered."""
        if type(module).__module__.startswith("torch._dynamo") and isinstance(
            getattr(module, "_orig_mod", None), nn.Module
        ):
            module = module._orig_mod  # type: ignore[assignment]
        path = self._paths.get(id(module))
        if path is None:
            return module._call_impl(*args, **kwargs)
        calls = self._calls.get(path, 0)
        self._calls[path] = calls + 1
        key = f"{path}@{calls}" if calls else path
        self._stack[key] = (path, type(module))
        outer, self._stack_now = self._stack_now, None
        try:
            if self._is_leaf(module, path) and not self._holds_results(module):
                return self._leaf_call(module, path, args, kwargs)
            return module._call_impl(*args, **kwargs)
        finally:
            self._stack.pop(key, None)
            self._stack_now = outer

    def _is_leaf(self, module: nn.Module, path: str) -> bool:
        return default_leaf(module) or (self._leaf is not None and self._leaf(module, path))

    def _holds_results(self, module: nn.Module) -> bool:
        """Whether parameters were replaced by results of operations, as ``functional_call`` does."""
        return any(self._tensors.is_ours(tensor) for tensor in module.parameters())

    def _leaf_call(self, module: nn.Module, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not module._forward_hooks and not module._forward_pre_hooks:
            return self.operation("call_module", path, module, args, kwargs)
        attributes = vars(module)
        saved = {name: attributes.get(name) for name in ("_forward_hooks", "_forward_pre_hooks", "forward")}
        for name in ("_forward_hooks", "_forward_pre_hooks"):
            attributes[name] = _users(attributes[name])

        def forward(*values: Any, **named: Any) -> Any:
            changed = {name: attributes[name] for name in saved}
            _assign(attributes, saved)
            try:
                return self.operation("call_module", path, module, values, named)
            finally:
                _assign(attributes, changed)

        attributes["forward"] = forward
        try:
            return module._call_impl(*args, **kwargs)
        finally:
            _assign(attributes, saved)

    # --- operations ----------------------------------------------------------------------------

    def operation(
        self, op: str, target: Any, callee: Any, args: tuple[Any, ...], kwargs: dict[str, Any], by_values: bool = True
    ) -> Any:
        """Record one call, and return its result on meta.

        Args:
            op, target: those of the node.
            callee: what runs: a module, a function, or a method by name.
            by_values: whether to compute it for real where meta tensors do not tell the result.
        """
        given: list[Tracked] = []
        self._quiet += 1
        try:
            spec_args, node_args = self._argument(tuple(args), given)
            spec_kwargs, node_kwargs = self._argument(dict(kwargs), given)
            try:
                outcome, raw = self._operations.run_raw(
                    callee, spec_args, spec_kwargs, autocast.active(self._operations.device)
                )
            except NoDataError as error:
                if not by_values:
                    raise
                return self._by_values(op, target, callee, node_args, node_kwargs, given, error)
            except RefusedError as error:
                if not by_values:
                    raise
                raise error.__cause__ from None  # type: ignore[misc]
            value = outcome.value if raw is None else raw
            if not outcome.writes and not _has_tensor(value):
                return value
            if any(each.assumed for each in given) or self._assuming:
                outcome = _assumed(outcome)
            node = self._write_node(op, target, node_args, node_kwargs, outcome, given)
            return self._bind(node, outcome, given, raw)
        finally:
            self._quiet -= 1

    def _write_node(
        self, op: str, target: Any, args: Any, kwargs: Any, outcome: Outcome, given: list[Tracked]
    ) -> fx.Node:
        node = self._new_node(op, target, args, kwargs)
        node.meta[AUTOCAST] = autocast.active(self._operations.device)
        self.propagation.outcomes[node] = outcome
        if self._versions:
            self._note_order(node, given)
        return node

    def _bind(self, node: fx.Node, outcome: Outcome, given: list[Tracked], raw: Any) -> Any:
        with torch._C._DisableTorchDispatch():
            if raw is None:
                value = self._tensors.rebuild(outcome, node, given)
            else:
                value = raw
                self._tensors.track_raw(raw, outcome, node)
        for tensor in tensors_in(value):
            tracked = self._tensors.of(tensor)
            tracked.assumed = outcome.assumed
            self._note_storage(node, tracked)
            tracked.version = self._versions.get(tracked.storage, 0)
        for index in outcome.writes:
            self._note_write(node, given[index], value)
        return value

    def _argument(self, value: Any, given: list[Tracked]) -> tuple[Any, Any]:
        """An argument with specs and with nodes for its tensors, which are added to ``given``."""
        kind = type(value)
        if kind in _ATOMS:
            return value, value
        if isinstance(value, torch.Tensor):
            tracked = self._tensors.of(value)
            node = self._node_of(tracked)
            given.append(tracked)
            return tracked.spec, node
        if kind is tuple or kind is list:
            pairs = [self._argument(item, given) for item in value]
            return kind([spec for spec, _ in pairs]), kind([node for _, node in pairs])
        if kind is dict:
            pairs = [self._argument(item, given) for item in value.values()]
            return (
                dict(zip(value, [spec for spec, _ in pairs], strict=True)),
                dict(zip(value, [node for _, node in pairs], strict=True)),
            )
        if kind is slice:
            pairs = [self._argument(item, given) for item in (value.start, value.stop, value.step)]
            return slice(*[spec for spec, _ in pairs]), slice(*[node for _, node in pairs])
        return self._object_argument(value, given)

    def _object_argument(self, value: Any, given: list[Tracked]) -> tuple[Any, Any]:
        nodes: list[Any] = []
        if isinstance(value, (type, nn.Module)) or callable(value):
            return value, value

        def spec_and_node(item: Any) -> Any:
            spec, node = self._argument(item, given) if isinstance(item, torch.Tensor) else (item, None)
            if node is not None:
                nodes.append(node)
            return spec

        specs = map_values(spec_and_node, value)
        if not nodes:
            return specs, value
        node = self._new_node("call_function", overrides.Assemble(value), tuple(nodes), {})
        self.propagation.outcomes[node] = Outcome(specs)
        return specs, node

    def _new_node(self, op: str, target: Any, args: Any, kwargs: Any) -> fx.Node:
        node = self.graph.create_node(op, target, args, kwargs)
        if self._stack_now is None:
            self._stack_now = collections.OrderedDict(self._stack)
        node.meta[STACK] = self._stack_now
        node.meta[SOURCE] = source.caller(self._outermost)
        self._writes.order[node] = len(self._writes.order)
        if target in (operator.getitem, getattr) and isinstance(args[0], fx.Node):
            whole = self.propagation.outcomes[args[0]].value
            if type(whole) is not TensorSpec:  # an element of a result of several
                self.propagation.outcomes[node] = Outcome(element(whole, args[1]))
        return node

    def _node_of(self, tracked: Tracked) -> fx.Node:
        if tracked.is_made:
            return self._tensors.node(tracked, self._new_node)
        node = self._tensors.node(tracked, self._new_node)
        if node not in self.propagation.outcomes:
            self.propagation.outcomes[node] = Outcome(tracked.spec)
        self._note_storage(node, tracked)
        return node

    # --- writes in place -----------------------------------------------------------------------

    def _note_storage(self, node: fx.Node, tracked: Tracked) -> None:
        self._writes.storages.setdefault(node, set()).add(tracked.storage)

    def _note_write(self, node: fx.Node, written: Tracked, value: Any) -> None:
        storage = written.storage
        self._writes.writers.setdefault(storage, []).append(node)
        self._writes.storages.setdefault(node, set()).add(storage)
        self._versions[storage] = self._versions.get(storage, 0) + 1
        if value is not None and isinstance(value, torch.Tensor) and self._tensors.of(value) is written:
            written.version = self._versions[storage]

    def _note_order(self, node: fx.Node, given: list[Tracked]) -> None:
        """Writes through an alias that this node sees, though no argument comes from them."""
        after = [
            self._writes.writers[each.storage][-1]
            for each in given
            if each.version < self._versions.get(each.storage, 0)
        ]
        if after:
            node.meta[AFTER] = tuple(dict.fromkeys(each for each in after if each not in node.all_input_nodes))

    def _change_metadata(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An in-place change of shape: done to the meta tensor itself."""
        given: list[Tracked] = []
        self._quiet += 1
        try:
            _, node_args = self._argument(tuple(args), given)
            _, node_kwargs = self._argument(dict(kwargs), given)
            changed = given[0]
            if not changed.is_ours:
                self._stop(f"{name} changes the shape of a tensor of the model")
            getattr(changed.tensor, name)(*args[1:], **kwargs)
            changed.spec = spec_of(changed.tensor, changed.spec.device)
            outcome = Outcome(changed.spec, writes=(0,), aliases=(Alias(0),))
            node = self._write_node("call_method", name, node_args, node_kwargs, outcome, given)
            changed.set_node(node)
            self._note_write(node, changed, changed.tensor)
            return changed.tensor
        finally:
            self._quiet -= 1

    def _replace_data(self, tensor: torch.Tensor, data: torch.Tensor) -> None:
        """``tensor.data = data``."""
        given: list[Tracked] = []
        self._quiet += 1
        try:
            _, nodes = self._argument((tensor, data), given)
            changed, new = given
            if not changed.is_ours:  # the user's tensor stays as it is; from here on it stands for the new data
                changed.spec = new.spec
                changed.set_node(nodes[1])
                return
            outcome = Outcome(new.spec, writes=(0,), aliases=(Alias(0),))
            node = self._write_node("call_function", overrides.set_data, nodes, {}, outcome, given)
            changed.tensor.data = self._tensors.twin(new)
            changed.spec = new.spec
            changed.set_node(node)
            self._note_write(node, changed, changed.tensor)
        finally:
            self._quiet -= 1

    # --- values on demand ----------------------------------------------------------------------

    def _value_call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Hand the value of a tensor to Python."""
        self._quiet += 1
        try:
            values = [self._real(args), self._real(kwargs)]
            with torch.no_grad():
                return function(*values[0], **values[1])
        finally:
            self._quiet -= 1

    def _text(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        if args[0].numel() <= 1:
            return str(self._value_call(function, args, kwargs))
        spec = self._tensors.of(args[0]).spec
        return f"tensor(..., size={tuple(spec.shape)}, dtype=torch.{spec.dtype})"

    def _real(self, structure: Any) -> Any:
        """The structure with the real values of its tensors; what follows from assumed ones is marked."""

        def value(item: Any) -> Any:
            if not isinstance(item, torch.Tensor):
                return item
            node = self._node_of(self._tensors.of(item))
            result = self._evaluated(node)
            if self._evaluator.is_assumed(node):
                self._assuming = True
                self._note_assumed()
            return result

        return map_structure(value, structure)

    def _evaluated(self, node: fx.Node) -> Any:
        try:
            return self._evaluator.value(node)
        except NoValueError as error:
            self._stop(f"the value of {node.name} is needed, and {error}")

    def _note_assumed(self) -> None:
        self._assumed_at.setdefault(source.caller(self._outermost), None)

    def _by_values(
        self, op: str, target: Any, callee: Any, args: Any, kwargs: Any, given: list[Tracked], error: NoDataError
    ) -> Any:
        """An operation whose result only values can tell: those of its indices and masks first, then all."""
        indices = [each.spec.is_index for each in given]
        choices = [indices, [True] * len(given)] if any(indices) and not all(indices) else [[True] * len(given)]
        for chosen in choices:
            nodes = [self._node_of(each) for each, wanted in zip(given, chosen, strict=True) if wanted]
            for node in nodes:
                self._evaluated(node)
            assumed = any(self._evaluator.is_assumed(node) for node in nodes)
            try:
                outcome, result = self._run_on_values(callee, args, kwargs, given, chosen)
                break
            except Exception as reason:  # torch's kernels raise of every kind
                if chosen is not choices[-1]:
                    continue
                if not is_limit_of_meta(reason) and not assumed:
                    raise
                self._opaque(op, target, args, kwargs, given)
                self._stop(f"{error}")
        if not outcome.writes and not _has_tensor(outcome.value):
            return result
        if assumed:
            self._note_assumed()
        if assumed or self._assuming or any(each.assumed for each in given):
            outcome = _assumed(outcome)
        node = self._write_node(op, target, args, kwargs, outcome, given)
        if not any(tensor.is_meta for tensor in tensors_in(result)):
            self._evaluator.put(node, result, assumed)
        return self._bind(node, outcome, given, None)

    def _run_on_values(
        self, callee: Any, args: Any, kwargs: Any, given: list[Tracked], chosen: list[bool]
    ) -> tuple[Outcome, Any]:
        """Run an operation with real values for the chosen tensors, and the others on meta."""
        tensors: dict[fx.Node, Any] = {}
        for each, wanted in zip(given, chosen, strict=True):
            node = self._node_of(each)
            if node not in tensors:
                tensors[node] = self._evaluator.value(node) if wanted else self._operations.twins.of_spec(each.spec)
        if isinstance(callee, nn.Module):
            is_real = all(chosen)
            callee = self._evaluator.module(callee) if is_real else self._operations.twins.module(callee)
        values = _Loaded(tensors, self._evaluator)
        real_args, real_kwargs = load((args, kwargs), values)
        return observe_real(
            callee, real_args, real_kwargs, [tensors[self._node_of(each)] for each in given], self._operations.device
        )

    def _opaque(self, op: str, target: Any, args: Any, kwargs: Any, given: list[Tracked]) -> None:
        self._write_node(op, target, args, kwargs, Outcome(UNKNOWN, None), given)

    def _stop(self, reason: str) -> Any:
        raise StopRecording(reason, source.caller(self._outermost))


class _FunctionMode(TorchFunctionMode):
    """Hands every torch call to the recorder."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._recorder.torch_call(func, args, kwargs or {})


class _DispatchMode(TorchDispatchMode):
    """Hands the recorder the ATen calls that come from elsewhere than a torch function."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recorder = recorder

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._recorder.aten_call(func, args, kwargs or {})


class _Loaded(dict[fx.Node, Any]):
    """Values by node; what is not among the tensors, such as an object assembled of them, is computed."""

    def __init__(self, tensors: Mapping[fx.Node, Any], evaluator: Evaluator) -> None:
        super().__init__(tensors)
        self._evaluator = evaluator

    def __missing__(self, node: fx.Node) -> Any:
        if isinstance(node.target, overrides.Assemble):
            return node.target(*[self[each] for each in node.args])  # type: ignore[index]
        return self._evaluator.value(node)


_ATOMS = frozenset(
    {int, float, str, bool, type(None), complex, torch.dtype, torch.device, torch.layout, torch.memory_format,
     type(Ellipsis), torch.Size}
)  # fmt: skip

_NO_OPERATION = frozenset({"aten::detach", "aten::alias", "aten::lift_fresh", "aten::lift"})


def _has_tensor(value: Any) -> bool:
    if isinstance(value, (torch.Tensor, TensorSpec)):
        return True
    if isinstance(value, (tuple, list)):
        return any(map(_has_tensor, value))
    if isinstance(value, Mapping):
        return any(map(_has_tensor, value.values()))
    return not is_plain(value) and hasattr(value, "__dict__") and any(map(_has_tensor, vars(value).values()))


def _assumed(outcome: Outcome) -> Outcome:
    return replace(outcome, assumed=True)


def _users(hooks: Mapping[int, Any]) -> collections.OrderedDict[int, Any]:
    return collections.OrderedDict((key, hook) for key, hook in hooks.items() if not is_own_hook(hook))


def _assign(attributes: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if value is None:
            attributes.pop(name, None)
        else:
            attributes[name] = value
