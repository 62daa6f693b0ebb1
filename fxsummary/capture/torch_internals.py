"""Private parts of torch and CPython that fxsummary uses, and what breaks if a release removes one.

Each name has one test in tests/test_torch_internals.py.
"""

from __future__ import annotations

import builtins
import dis
import importlib
import keyword
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from operator import attrgetter
from types import CellType, CodeType, FunctionType
from typing import Any

import torch
from torch import fx, nn
from torch.fx import _symbolic_trace
from torch.fx.node import _get_qualified_name
from torch.nn.modules import module as _modules
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

# --- classes ---------------------------------------------------------------------------------------

OpOverload: Any = torch._ops.OpOverload
"""An ATen operator with its overload. Lost without it: exported programs, formulas."""
OpOverloadPacket: Any = torch._ops.OpOverloadPacket
"""An ATen operator. Lost without it: calls of ``torch.ops`` in the memo."""
HigherOrderOperator: Any = torch._ops.HigherOrderOperator
"""``cond``, ``flex_attention`` and similar operators. Lost without it: capture of models that call them."""
ScriptMethod: Any = torch._C.ScriptMethod
"""A method of a TorchScript module. Lost without it: tracing a model that calls one."""
ScriptModule: Any = torch._C.ScriptModule
"""The object inside a TorchScript module. Lost without it: detection of packed weights."""
AnyConv: Any = nn.modules.conv._ConvNd
"""All convolutions. Lost without it: their settings ("3→16, 3×3")."""
AnyDropout: Any = nn.modules.dropout._DropoutNd
"""All dropouts. Lost without it: their settings in exported programs."""
AnyBatchNorm: Any = nn.modules.batchnorm._NormBase
"""Batch and instance norms. Lost without it: their settings in exported programs."""
PyTreeCodeGen: Any = fx.graph._PyTreeCodeGen
"""The code generator for nested inputs. Lost without it: GraphModules with a dict or list among their inputs."""


class DispatchMode(TorchDispatchMode):
    """A mode that sees ATen calls and does not import torch's compiler.

    Lost without `_should_skip_dynamo`: 1.7 s in the first call of each process.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


fx_name: Callable[[Callable[..., Any]], str] = _get_qualified_name
"""Returns a function's qualified name, as torch.fx writes it. Lost without it: names of functions in the graph."""
set_grad_enabled: Any = torch._C._set_grad_enabled
"""The function behind ``torch.no_grad``. Lost without it: recordings without nodes for it."""

# --- calls -----------------------------------------------------------------------------------------

Context = Callable[[], AbstractContextManager[object]]

without_torch_function: Context = torch._C.DisableTorchFunction
"""Hides torch calls inside the context from modes and tensor subclasses. Lost without it: recording."""
without_dispatch_modes: Context = torch._C._DisableTorchDispatch
"""Hides ATen calls inside the context from dispatch modes. Lost without it: recording."""
below_autograd: Context = torch._C._AutoDispatchBelowAutograd
"""Shows composite operators to dispatch modes as one call. Lost without it: time for each step of an LSTM."""
without_modes: Context = _disable_current_modes
"""Disables all modes inside the context. Lost without it: ``map`` and ``scan``, which do not run under a mode."""


def fake_tensors() -> AbstractContextManager[object]:
    """Create fake tensors, which have a device but no data, inside the context. Lost without it: autocast dtypes."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    context: AbstractContextManager[object] = FakeTensorMode()
    return context


def in_python(operator: Any) -> Callable[..., Any] | None:
    """Return the Python version of a higher-order operator. Lost without it: operations in ``map`` and ``scan``."""
    found: Callable[..., Any] | None = operator.py_kernels.get(torch._C.DispatchKey.CompositeExplicitAutograd)
    return found


def fake_implementation(operator: Any) -> Callable[..., Any] | None:
    """Return torch's fake version of a higher-order operator. Lost without it: shapes after ``flex_attention``."""
    from torch._higher_order_ops import utils

    found: Callable[..., Any] | None = getattr(utils, "registered_hop_fake_fns", {}).get(operator)
    return found


def is_in_transform() -> bool:
    """Whether ``vmap`` or ``grad`` is running. Lost without it: showing them as one operation."""
    return torch._C._functorch.maybe_current_level() is not None


def transforms(kind: str) -> Iterator[tuple[Any, str]]:
    """Yield module and name of the functions behind a torch.func transform. Lost without it: as `is_in_transform`."""
    for place, name in _TRANSFORMS[kind]:
        owner = importlib.import_module(f"torch._functorch.{place}")
        if hasattr(owner, name):
            yield owner, name


_TRANSFORMS = {
    "vmap": [("apis", "vmap_impl")],
    "grad": [("eager_transforms", "grad_impl"), ("eager_transforms", "grad_and_value_impl")],
    "vjp": [("eager_transforms", "_vjp_with_argnums")],
    "jvp": [("eager_transforms", "_jvp_with_argnums")],
}


def compiled_call() -> Any:
    """Return the module whose ``_hop_compile_and_call`` compiles the branches of ``cond``. Lost without it: time."""
    return importlib.import_module("torch._higher_order_ops.utils")


def is_composite(operator: Any) -> bool:
    """Whether an ATen operator decomposes into others. Lost without it: FLOPs of operators that call others."""
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(operator.name(), "CompositeImplicitAutograd"))


@lru_cache(maxsize=1024)
def has_python_kernel(operator: Any) -> bool:
    """Whether an operator's meta kernel is in Python. Lost without it: capture inside ``torch.device("meta")``."""
    return torch._C.DispatchKey.Meta in getattr(operator, "py_kernels", ()) and not operator.is_view


def has_global_hooks() -> bool:
    """Whether global module hooks are set. Lost without it: hooks in copied blocks."""
    return bool(_modules._global_forward_hooks or _modules._global_forward_pre_hooks)


def storage_of(tensor: torch.Tensor) -> int:
    """Return a number that is equal for tensors that share memory. Lost without it: aliases and in-place writes.

    The public ``data_ptr`` is always 0 on the meta device.
    """
    try:
        return int(tensor.untyped_storage()._cdata)
    except (RuntimeError, NotImplementedError):
        return id(tensor)


@lru_cache(maxsize=256)
def unpackings(code: CodeType) -> dict[int, int]:
    """Return the number of targets of each unpacking instruction, by its offset (``frame.f_lasti``).

    torch.fx disassembles the caller on every unpacking of a proxy; this does it once per function.
    Lost without it: half of the tracing speed.
    """
    return {each.offset: each.argval for each in dis.get_instructions(code) if each.opname == "UNPACK_SEQUENCE"}


EMPTY = object()
"""Represents the value of an empty closure cell."""


def cell_contents(cell: CellType) -> object:
    """Return the value of a closure cell. Lost without it: tensors in closures of functions passed to ``vmap``."""
    try:
        return cell.cell_contents
    except ValueError:
        return EMPTY


def with_closure(function: FunctionType, held: Sequence[object]) -> FunctionType:
    """Return a copy of a function with another closure and other defaults. Lost without it: same as `cell_contents`.

    Args:
        held: the new values of the closure, then the new defaults.
    """
    count = len(function.__closure__ or ())
    closure = tuple([CellType() if item is EMPTY else CellType(item) for item in held[:count]])
    defaults = tuple(held[count:]) or None
    copy = FunctionType(function.__code__, function.__globals__, function.__name__, defaults, closure)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


# --- torch.fx --------------------------------------------------------------------------------------


@contextmanager
def fx_tracing() -> Iterator[Any]:
    """Mark torch.fx as tracing, and yield a patcher that undoes its patches on exit. Lost without it: tracing."""
    with _marked(True), _new_patcher() as patcher:
        _symbolic_trace._patch_wrapped_functions(patcher)
        yield patcher


@contextmanager
def _with_flag(is_tracing: bool) -> Iterator[None]:
    before = _symbolic_trace._is_fx_tracing_flag
    _symbolic_trace._is_fx_tracing_flag = is_tracing
    try:
        yield
    finally:
        _symbolic_trace._is_fx_tracing_flag = before


_marked: Any = getattr(_symbolic_trace, "_is_fx_tracing_context", _with_flag)
"""Since torch 2.14 the flag is one of each thread."""
_new_patcher: Any = getattr(_symbolic_trace, "_new_patcher", _symbolic_trace._Patcher)

MODULE_CALL: Any = _symbolic_trace._orig_module_call
MODULE_GETATTR: Any = _symbolic_trace._orig_module_getattr
"""``nn.Module.__call__`` and ``__getattr__`` as torch defines them. Lost without them: tracing inside a trace."""

WRAPPED_FUNCTIONS: Any = _symbolic_trace._wrapped_fns_to_patch
"""Functions passed to ``torch.fx.wrap``. Lost without it: recordings that show them as one operation."""

CONSTANT_TYPES: tuple[type, ...] = tuple(
    getattr(_symbolic_trace, "_constant_attribute_types", (torch.Tensor, torch.ScriptObject))
)
"""Types of objects that a graph may contain as constants. Lost without it: script objects as attributes."""


@lru_cache(maxsize=256)
def wrapped_function(function: Any) -> Any:
    """Return a function that is one operation in a trace. Lost without it: ``math`` functions on traced values."""
    return _symbolic_trace._create_wrapped_func(function)


autowrapped: Callable[[fx.Tracer], set[int]] = attrgetter("_autowrap_function_ids")
"""Returns the ids of the functions that a tracer wraps. Lost without it: same as `wrapped_function`."""


def insert_node(graph: fx.Graph, node: fx.Node) -> None:
    """Insert a node at the graph's insertion point. Lost without it: speed, as ``create_node`` walks all arguments."""
    graph._graph_namespace._obj_to_name[node] = node.name
    graph._insert(node)
    graph._find_nodes_lookup_table.table[node.op, node.target if node.op == "call_function" else None][node] = None
    graph._len += 1


def unused_name(graph: fx.Graph, candidate: str) -> str:
    """Return a name that no node of the graph has. Lost without it: same as `insert_node`."""
    namespace: Any = graph._graph_namespace
    base, used = candidate.replace(".", "_"), namespace._used_names
    if base in used and (stem := _without_number(base)) in used:
        base = stem
    if not _is_plain(base):
        return str(namespace.create_name(candidate, None))
    number, unused = namespace._base_count.get(base, 0), base
    while unused in used:
        number += 1
        unused = f"{base}_{number}"
    used.add(unused)
    namespace._base_count[base] = number
    return unused


@lru_cache(maxsize=4096)
def _without_number(name: str) -> str:
    """Return a name without a number at its end.

    >>> _without_number("relu_1"), _without_number("relu_2_3"), _without_number("conv2d")
    ('relu', 'relu_2', 'conv2d')
    """
    stem, _, number = name.rpartition("_")
    return stem if number.isdecimal() and number.isascii() else name


@lru_cache(maxsize=4096)
def _is_plain(candidate: str) -> bool:
    """Whether torch.fx would keep the candidate, apart from a number at its end."""
    is_name = candidate.isidentifier() and candidate.isascii()
    return is_name and candidate not in _ILLEGAL and not candidate[-1:].isdigit()


_ILLEGAL: Any = getattr(fx.graph, "_illegal_names", {*keyword.kwlist, *vars(builtins), *fx.graph._custom_builtins})
"""Names that torch.fx changes."""


def name_of_target(graph: fx.Graph, target: Any) -> str:
    """Return the name that torch.fx derives from a target. Lost without it: node names equal to those of torch.fx."""
    return graph._target_to_str(target)


class Names:
    """Creates names by the rules of torch.fx without nodes. Lost without it: keys of module trees."""

    def __init__(self) -> None:
        self._namespace: Any = fx.graph._Namespace()

    def new(self, candidate: str) -> str:
        """Return an unused name based on the candidate."""
        return str(self._namespace.create_name(candidate, None))
