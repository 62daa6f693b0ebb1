"""The program of a capture: what is needed to run its operations again, with gradients.

It contains specs, literals, functions, and leaf modules without their tensors, but nothing that holds the user's
weights. Copied operations share everything except what they read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import fx, nn

from fxsummary.capture.inputs.example import forward_signature
from fxsummary.capture.module_index import submodule
from fxsummary.capture.nodes import APPLIED, AUTOCAST, HOOKED, INSIDE, LIKE, NO_GRAD, REQUIRES_GRAD
from fxsummary.capture.operations.autocast import Casting
from fxsummary.capture.operations.memo import MAX_ENTRIES
from fxsummary.capture.operations.outcome import Alias, Outcome
from fxsummary.capture.operations.twins import NoTwinError, Twins, spec_of
from fxsummary.capture.results import Capture, Trace
from fxsummary.capture.skeletons import OpaqueError, Slot, checked, skeleton
from fxsummary.capture.structures import UNKNOWN
from fxsummary.graph.records import ModuleCall
from fxsummary.graph.spec import TensorSpec


class Operation(NamedTuple):
    """What one operation calls; copies share it.

    Attributes:
        op: "placeholder", "get_attr", "call", "output"; "apply", the call of a `torch.autograd.Function`; "skip", a
            part of it; "take", another result of it; "opaque", a call that cannot be repeated.
        target: a function, the name of a method, a leaf module without tensors, or the `torch.autograd.Function`.
        args, kwargs: its arguments, with a `Slot` for each value that it reads; for "apply" and "take" the arguments,
            and the position of the result.
        value: the recorded result, with a `TensorSpec` for each tensor.
        casting: the state of autocast.
        is_detached: whether it ran under `torch.no_grad`.
        requires_grad: whether an input requires gradients, or forward let the result of a call require them.
        call: for "apply" and "take", a number for the call.
        aliases: for each tensor of the result, the argument whose memory it shares.
    """

    op: str
    target: Any
    args: Any
    kwargs: Any
    value: Any
    casting: Casting | None = None
    is_detached: bool = False
    requires_grad: bool = False
    call: int = 0
    aliases: tuple[Alias | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Inside:
    """The ATen calls of a leaf module in an exported program, whose own ``forward`` is not there.

    Attributes:
        calls: the operator, and its arguments with a `Slot` for each value: first the module's arguments, then the
            results of the calls before it; the module's tensors are specs.
        results: the positions of the module's results among these values.
    """

    calls: tuple[tuple[Any, Any, Any], ...]
    results: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """Operations in execution order.

    Attributes:
        names: the name of each operation.
        operations: what each calls.
        reads: the positions of the operations whose results each reads.
        taken: the names of the operations whose results each call of a module gets.
        refusal: why the program cannot run; "" if it can.
        inside: what the leaf modules of an exported program call, by the name of the operation.
    """

    names: tuple[str, ...]
    operations: tuple[Operation, ...]
    reads: tuple[tuple[int, ...], ...]
    refusal: str = ""
    taken: Mapping[ModuleCall, tuple[str, ...]] = field(default_factory=dict)
    inside: Mapping[str, Inside] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Weight:
    """A parameter, buffer or plain tensor of a leaf module."""

    spec: TensorSpec
    requires_grad: bool


def program_of(capture: Capture) -> Program | None:
    """Return the program of a capture; None if it has no operations or their memory is unknown."""
    trace, found = capture.trace, capture.propagation
    if trace is None or found is None or trace.storages is None:
        return None
    refusal = "the graph ends before forward does" if capture.is_partial else ""
    try:
        return _Builder(capture, trace).build(refusal)
    except _RefusedError as error:
        return Program((), (), (), str(error))


class _RefusedError(Exception):
    """No program can repeat the capture."""


class _Builder:
    def __init__(self, capture: Capture, trace: Trace) -> None:
        assert capture.propagation is not None
        self._model = capture.model
        self._nodes = list(trace.graph.nodes)
        self._outcomes = capture.propagation.outcomes
        self._signatures = capture.propagation.signatures
        self._with_gradients = set(_inputs_with_gradients(capture, trace))
        self._modules: dict[int, Any] = {}
        self._calls: dict[int, int] = {}
        self._inner = set(_inner_nodes(self._nodes))

    def build(self, refusal: str) -> Program:
        index: dict[fx.Node, int] = {}
        operations: dict[fx.Node, Operation] = {}
        reads: list[tuple[int, ...]] = []
        for place, node in enumerate(self._nodes):
            index[node] = place
            sources = [] if node in self._inner else _sources(node)
            if not index.keys() >= set(sources):
                raise _RefusedError("forward passes a tensor to a torch.autograd.Function that no operation reads")
            like = node.meta.get(LIKE)
            prototype = operations.get(like) if like is not None and len(sources) == len(like.all_input_nodes) else None
            operations[node] = prototype or self._operation(node, sources)
            reads.append(tuple([index[each] for each in sources]))
        inside = {node.name: _inside(node) for node in self._nodes if INSIDE in node.meta}
        names = tuple([node.name for node in self._nodes])
        return Program(names, tuple(operations.values()), tuple(reads), refusal, inside=inside)

    def _operation(self, node: fx.Node, sources: list[fx.Node]) -> Operation:
        outcome = self._outcomes.get(node, _NO_OUTCOME)
        meta, places = node.meta, {each: Slot(place) for place, each in enumerate(sources)}
        state = meta.get(AUTOCAST), bool(meta.get(NO_GRAD))
        if node in self._inner:
            return Operation("skip", None, (), {}, None)
        if node.op == "placeholder":
            return Operation(node.op, None, (), {}, outcome.value, requires_grad=node in self._with_gradients)
        if node.op == "get_attr":
            return Operation(node.op, None, skeleton(node.args, places), {}, outcome.value)
        if node.op == "output":  # which may contain settings too
            return Operation(node.op, None, (tuple(places.values()),), {}, outcome.value)
        if meta.get(HOOKED):
            raise _RefusedError("forward itself uses torch.utils.checkpoint, or other hooks on saved tensors")
        if type(node.target).__name__ == "Derivative":  # not imported, because most captures do not
            raise _RefusedError("forward takes derivatives")
        try:
            if APPLIED in meta:
                call, place = meta[APPLIED]
                op = "take" if id(call) in self._calls else "apply"
                number = self._calls.setdefault(id(call), len(self._calls))
                args = skeleton(tuple(call.args), places)
                return Operation(op, call.func, args, place, outcome.value, state[0], call=number)
            target = self._module(str(node.target)) if node.op == "call_module" else checked(node.target)
            named = skeleton(node.kwargs, places) if node.kwargs else {}
            args = skeleton(node.args, places)
            marked = bool(meta.get(REQUIRES_GRAD))
            return Operation("call", target, args, named, outcome.value, *state, marked, aliases=outcome.aliases)
        except OpaqueError:
            casting, is_detached = state
            is_detached = is_detached and APPLIED not in meta  # inside, a `torch.autograd.Function` has no gradients
            return Operation("opaque", None, tuple(places.values()), {}, outcome.value, casting, is_detached)

    def _module(self, path: str) -> nn.Module:
        """Return a leaf module without its tensors, one for all modules with the same signature."""
        module = submodule(self._model, path)
        number = self._signatures.get((id(module), bool(getattr(module, "training", False))))
        found = None if number is None else _shared.get(number)
        if found is not None:
            return found
        if id(module) not in self._modules:
            try:
                self._modules[id(module)] = _Hollow().module(module)
            except NoTwinError as error:
                raise OpaqueError from error
        if number is not None:
            _shared[number] = self._modules[id(module)]
            if len(_shared) > MAX_ENTRIES:
                del _shared[next(iter(_shared))]
        return self._modules[id(module)]  # type: ignore[no-any-return]


_shared: dict[int, nn.Module] = {}
"""Leaf modules without tensors, by the number of their signature."""

_NO_OUTCOME = Outcome(UNKNOWN, None)


class _Hollow(Twins):
    """Copies modules with a `Weight` for each tensor."""

    def _new_tensor(self, tensor: torch.Tensor) -> Any:
        if tensor.layout is not torch.strided:
            raise NoTwinError("sparse tensors have no counterpart on meta")
        return Weight(spec_of(tensor, "meta"), tensor.requires_grad)

    def _packed(self, value: torch.ScriptObject) -> object:
        raise NoTwinError("it holds packed weights")


def _inside(node: fx.Node) -> Inside:
    """Return the ATen calls of a leaf module in an exported program."""
    members, given, results, known = node.meta[INSIDE]
    places: dict[Any, Any] = {**known, **{each: Slot(place) for place, each in enumerate(given)}}
    calls = []
    for member in members:
        calls.append((member.target, skeleton(member.args, places), skeleton(member.kwargs, places)))
        places[member] = Slot(len(given) + len(calls) - 1)
    return Inside(tuple(calls), tuple([int(places[each]) for each in results]))


def _sources(node: fx.Node) -> list[fx.Node]:
    """Return the nodes that an operation reads, each once."""
    if APPLIED not in node.meta:
        return node.all_input_nodes
    found: dict[fx.Node, None] = {}
    fx.map_arg(tuple(node.meta[APPLIED][0].args), lambda each: found.setdefault(each))
    return list(found)


def _inner_nodes(nodes: list[fx.Node]) -> Iterator[fx.Node]:
    """Yield the operations inside calls of `torch.autograd.Function`, which run again with the call."""
    for result in (node for node in nodes if APPLIED in node.meta):
        given, inner = set(_sources(result)), {result}
        todo = [result]
        while todo:
            for source in todo.pop().all_input_nodes:
                is_inside = bool(source.meta.get(NO_GRAD)) and inner.issuperset(source.users)
                if is_inside and source not in given and source not in inner and APPLIED not in source.meta:
                    inner.add(source)
                    todo.append(source)
        yield from inner - {result}


def _inputs_with_gradients(capture: Capture, trace: Trace) -> Iterator[fx.Node]:
    """Yield the placeholders whose tensors require gradients."""
    yield from (node for node, tensor in trace.given.items() if tensor.requires_grad)
    inputs = capture.inputs
    if trace.given or inputs is None or inputs.given is None:
        return
    names: set[str] = set()

    def note(name: str, value: object) -> object:
        if isinstance(value, torch.Tensor) and value.requires_grad:
            names.add(name)
        return value

    inputs.map(note, forward_signature(capture.model), inputs.given)
    if names:
        yield from (node for node in trace.graph.nodes if node.op == "placeholder" and str(node.target) in names)
