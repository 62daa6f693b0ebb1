"""Files of tensors: ``.safetensors``, and what ``torch.save`` wrote. No code in them is run, and no data is read.

A file of tensors has no forward: it is shown as the tree of its names. What `torch.jit.save` wrote is a model.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fxsummary.errors import ModelImportError
from fxsummary.loading.places import PICKLED

_MOST = 100_000_000
"""Bytes of a header; it is larger in no valid file."""

_DTYPES = {
    "BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "I16": torch.int16, "I32": torch.int32, "I64": torch.int64,
    "U16": torch.uint16, "U32": torch.uint32, "U64": torch.uint64, "F16": torch.float16, "BF16": torch.bfloat16,
    "F32": torch.float32, "F64": torch.float64, "C64": torch.complex64, "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip
"""The dtypes of the safetensors format."""


def module_of(place: str) -> nn.Module:
    """Return the module in a TorchScript file, or a module with the tensors of any other file, on meta, as parameters.

    Raises:
        ModelImportError: the file cannot be read without running code in it, or holds no tensors.
    """
    path = Path(place)
    if path.name.endswith(PICKLED) and _is_script(path):
        return torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-any-return]
    try:
        tensors = dict(_safe(path) if not path.name.endswith(PICKLED) else _pickled(path))
    except ModelImportError:
        raise
    except Exception as error:  # torch and json raise many types for a broken file
        raise ModelImportError(f"cannot read {place!r}: {str(error).strip().partition(chr(10))[0]}") from error
    if not tensors:
        raise ModelImportError(f"{place!r} holds no tensors.")
    return _tree(path.name, tensors)


def _is_script(path: Path) -> bool:
    """Whether `torch.jit.save` wrote a file."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as file:
        return any(name.endswith("/constants.pkl") for name in file.namelist())


def _safe(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in a safetensors file, or in the files that its index lists."""
    if path.suffix == ".json":
        for name in sorted({*json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()}):
            yield from _safe(path.parent / name)
        return
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > _MOST:
            raise ValueError("it is no safetensors file")
        header: dict[str, Any] = json.loads(file.read(length))
    for name, each in header.items():
        if name != "__metadata__":
            yield name, torch.empty(each["shape"], dtype=_dtype(each["dtype"]), device="meta")


def _dtype(name: str) -> torch.dtype:
    if name not in _DTYPES:
        raise ValueError(f"its dtype {name} is unknown to fxsummary")
    return _DTYPES[name]


def _pickled(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in a file of ``torch.save``, whose pickle may contain nothing but data."""
    from pickle import UnpicklingError

    try:
        value = torch.load(path, map_location="meta", weights_only=True)
    except UnpicklingError as error:
        raise ModelImportError(
            f"{str(path)!r} holds objects that only code of its author can build, and fxsummary does not run it. "
            "If you trust the file, load it with torch.load(..., weights_only=False) in a file of yours, and pass "
            "path/file.py:factory."
        ) from error
    yield from _tensors(value, "")


def _tensors(value: object, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value.detach()
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _tensors(each, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for number, each in enumerate(value):
            yield from _tensors(each, f"{name}.{number}" if name else str(number))


def _tree(name: str, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Return a module with these tensors as parameters, and a submodule for each part of their names."""
    root: nn.Module = type(name, (nn.Module,), {})()
    for path, tensor in tensors.items():
        *parts, last = [part or "_" for part in path.split(".")]
        module = root
        for part in parts:
            if part not in module._modules:
                module._modules[part] = nn.Module()
            module = module._modules[part]  # type: ignore[assignment]
        is_float = tensor.is_floating_point() or tensor.is_complex()
        module._parameters[last] = nn.Parameter(tensor, requires_grad=is_float)
    return root
