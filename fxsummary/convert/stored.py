"""How weights are stored: quantized and packed ones are other tensors than the weight that they represent.

The elements of a weight are those of the float weight that it represents. Its bytes are those of the tensors that are
stored: packed data, scales, zero points. Nothing depends on the library: tensor subclasses list their inner tensors
(``__tensor_flatten__``), packed objects unpack themselves (``__getstate__``), and a linear layer or an embedding
declares the size of its weight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

import torch
from torch import Tensor, nn

from fxsummary.capture.module_index import tensors_in_modules
from fxsummary.capture.operations.packed import packed_tensors
from fxsummary.capture.operations.twins import dtype_name
from fxsummary.capture.packed_layers import PLAIN, QUANTIZED, SIZES, WITHOUT_SIZE, Represented
from fxsummary.capture.torch_internals import ScriptModule, storage_of
from fxsummary.graph.records import ParameterInfo, Stored
from fxsummary.graph.spec import contiguous

_MOST = 4
"""How deep tensors are looked for in the attributes of a tensor subclass."""
_OF_MODULES = frozenset(vars(nn.Module()))

_BY_ROWS, _BY_COLUMNS = ("crow_indices", "col_indices", "values"), ("ccol_indices", "row_indices", "values")
_SPARSE = {
    torch.sparse_coo: ("_indices", "_values"),
    torch.sparse_csr: _BY_ROWS, torch.sparse_bsr: _BY_ROWS,
    torch.sparse_csc: _BY_COLUMNS, torch.sparse_bsc: _BY_COLUMNS,
}  # fmt: skip


def stored(tensor: Tensor, holder: nn.Module | None = None) -> Stored | None:
    """Return what a tensor is stored as, as pairs of dtype and number of elements; None if as its spec says.

    Args:
        holder: the layer of a packed weight, whose attributes may hold a part of it, such as the scales.
    """
    if holder is not None:
        registered = {id(each) for each in (*holder._parameters.values(), *holder._buffers.values())}
        others = {name: value for name, value in vars(holder).items() if name not in _OF_MODULES}
        return _counted(chain(_parts(tensor), (each for each in _held(others, _MOST) if id(each) not in registered)))
    if type(tensor) in PLAIN and tensor.layout is torch.strided and tensor.dtype not in QUANTIZED:
        return None
    found = _counted(_parts(tensor))
    return None if found == ((dtype_name(tensor.dtype), tensor.numel()),) else found


def is_known(tensor: Tensor) -> bool:
    """Return whether it is known how many elements a tensor has, and what it is stored as."""
    kind = type(tensor)
    if kind in WITHOUT_SIZE:
        return False
    if kind in PLAIN or kind.__module__.startswith("torch.") or hasattr(tensor, "__tensor_flatten__"):
        return True
    return tensor.is_meta or tensor.layout is not torch.strided or not tensor.numel() or tensor.data_ptr() != 0


def _counted(tensors: Iterable[Tensor]) -> Stored:
    """Return the elements by dtype; tensors that share memory count once."""
    numbers: Counter[str] = Counter()
    distinct: dict[int, Tensor] = {}
    for each in tensors:
        distinct.setdefault(id(each) if each.is_meta or each.layout is not torch.strided else storage_of(each), each)
    for each in distinct.values():
        if each.dtype in _SEVERAL_IN_A_BYTE:
            numbers["uint8"] += each.untyped_storage().nbytes()
        else:
            numbers[dtype_name(each.dtype)] += each.numel()
    return tuple(numbers.items())


def _parts(tensor: Tensor) -> Iterator[Tensor]:
    """Yield the tensors that a tensor is stored as."""
    if hasattr(tensor, "__tensor_flatten__"):
        for name in tensor.__tensor_flatten__()[0]:
            inner = getattr(tensor, name)
            if isinstance(inner, Tensor):
                yield from _parts(inner)
    elif tensor.layout in _SPARSE:
        yield from [getattr(tensor, name)() for name in _SPARSE[tensor.layout]]
    else:
        yield tensor
        if tensor.is_quantized and tensor.qscheme() in _PER_CHANNEL:
            yield from (tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points())
        if type(tensor) not in PLAIN and not type(tensor).__module__.startswith("torch."):
            yield from _held(vars(tensor), _MOST)


_SEVERAL_IN_A_BYTE = frozenset({torch.quint4x2, torch.quint2x4})
_PER_CHANNEL = (torch.per_channel_affine, torch.per_channel_affine_float_qparams, torch.per_channel_symmetric)


def _held(attributes: Mapping[str, object], depth: int) -> Iterator[Tensor]:
    """Yield the tensors in attributes, also of the objects among them, such as the scales of a packed weight."""
    for value in attributes.values():
        if isinstance(value, Tensor):
            yield value
        elif depth and isinstance(value, dict):
            yield from _held(value, depth - 1)
        elif depth and hasattr(value, "__dict__") and not isinstance(value, (nn.Module, type)) and not callable(value):
            yield from _held(vars(value), depth - 1)


def wrapped(modules: Iterable[nn.Module]) -> frozenset[int]:
    """Return the ``id`` of each parameter and buffer that is a tensor subclass, whose operators are not torch's own."""
    return frozenset([id(each) for each in tensors_in_modules(modules) if type(each) not in PLAIN])


# --- layers with packed weights --------------------------------------------------------------------


def unregistered(module: nn.Module, packed: Represented) -> tuple[str, Stored] | None:
    """Return the name of a tensor that a layer does not register but counts as a parameter, and what it is stored as.

    It is the bias of a packed weight, whose bytes count with those of that weight, or the weight of a layer that
    has attributes for its size and registers nothing.
    """
    others = {name: value for name, value in vars(module).items() if name not in _OF_MODULES}
    if packed.is_declared:
        return ("bias", ()) if isinstance(others.get("bias"), Tensor) else None
    registered = (*module._parameters.items(), *module._buffers.items(), *module._modules.items())
    if not any({*names} <= others.keys() for names in SIZES) or any(each is not None for _, each in registered):
        return None
    found = {name: each for name, each in others.items() if isinstance(each, Tensor)}
    largest = max(found, key=lambda name: found[name].nbytes, default=None)
    return None if largest is None else (largest, _counted(_held(others, _MOST)))


# --- packed objects --------------------------------------------------------------------------------


def packed_in(modules: Mapping[str, nn.Module]) -> dict[int, list[ParameterInfo]]:
    """Return what is in the packed objects of modules, such as those of ``torch.ao``, by ``id`` of the module.

    A weight of unknown size has no spec.

    Args:
        modules: every module by path.
    """
    found: dict[int, list[ParameterInfo]] = {}
    seen: set[int] = set()
    for path, module in modules.items():
        if isinstance(module, torch.jit.ScriptModule) or _PACKED.isdisjoint(map(type, vars(module).values())):
            continue
        own = [
            (name, value) for name, value in vars(module).items() if type(value) in _PACKED and id(value) not in seen
        ]
        seen.update([id(value) for _, value in own])
        prefix = f"{path}." if path else ""
        infos = [_infos(f"{prefix}{name}", value) for name, value in own]
        unknown = [] if all(infos) else [ParameterInfo(f"{prefix}packed weights", None)]
        found.setdefault(id(module), unknown + [info for each in infos for info in each])
    return found


_PACKED = frozenset({torch.ScriptObject, ScriptModule})


def _infos(name: str, packed: object) -> list[ParameterInfo]:
    """Return the weights and biases in a packed object; [] if it does not show them."""
    infos: dict[str, ParameterInfo] = {}
    for tensor in {storage_of(each): each for each in packed_tensors(packed)}.values():
        role = "weight" if tensor.dim() > 1 else "bias"
        count = sum(each.partition(" ")[0] == f"{name}.{role}" for each in infos)
        full = f"{name}.{role}" + (f" {count + 1}" if count else "")
        infos[full] = ParameterInfo(
            full, contiguous(tuple(tensor.shape), dtype_name(tensor.dtype)), stored=_packed(tensor)
        )
    return list(infos.values())


def _packed(tensor: Tensor) -> Stored | None:
    """Return what an unpacked tensor is stored as: a float weight of an object that packs weights has 16 bits."""
    is_half = tensor.dtype is torch.float32 and tensor.dim() > 1
    return (("float16", tensor.numel()),) if is_half else stored(tensor)
