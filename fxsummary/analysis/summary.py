"""`summary`: the text summary of a model, called with the arguments of ``torchinfo.summary``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from fxsummary.api import graph
from fxsummary.errors import InputError, UnknownNameError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.support.registry import unknown

COLUMNS = {
    "input_size": "input_shape",
    "output_size": "shape",
    "num_params": "parameters",
    "params_percent": "parameter_share",
    "kernel_size": "kernel",
    "groups": "config",
    "mult_adds": "macs",
    "trainable": "trainable_parameters",
}
"""The column of `ModelGraph.to_text` for each of torchinfo's."""
ROW_SETTINGS = ("depth", "var_names", "ascii_only", "hide_recursive_layers")
NAME_WIDTH = 40
"""Columns for the names of modules, besides ``col_width`` for each other column."""


@dataclass(frozen=True, repr=False)
class Summary:
    """The text summary of a model, as ``str()`` and ``repr()``, and its totals under torchinfo's names.

    Attributes:
        graph: the graph of the model, which has everything else: ``summary(model).graph.to_svg()``.
        text: the summary.
    """

    graph: ModelGraph
    text: str

    @property
    def total_params(self) -> int:
        """Elements of all distinct parameters, read or not. torchinfo leaves out those that pruning masks."""
        return self.graph.totals.parameters

    @property
    def trainable_params(self) -> int:
        """Elements of the parameters with ``requires_grad``."""
        return self.graph.totals.trainable_parameters

    @property
    def total_mult_adds(self) -> int | None:
        """Multiply-accumulates of the matrix products; None if unknown.

        torchinfo multiplies the parameters of each layer by its output sizes, norms included.
        """
        return self.graph.totals.macs

    @property
    def total_param_bytes(self) -> int:
        """Bytes of all distinct parameters, as they are stored."""
        return self.graph.totals.parameter_bytes

    @property
    def total_output_bytes(self) -> int | None:
        """Bytes of all tensors that forward makes, views not counted; None if unknown.

        torchinfo adds up the outputs of the layers, views included and functions left out.
        """
        return self.graph.by_module()[""].activation_bytes

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def summary(
    model: nn.Module,
    input_size: Sequence[Any] | None = None,
    input_data: Any = None,
    batch_dim: int | None = None,
    cache_forward_pass: bool | None = None,
    col_names: Iterable[str] | None = None,
    col_width: int = 25,
    depth: int | None = 3,
    device: torch.device | str | None = None,
    dtypes: Sequence[Any] | None = None,
    mode: str | None = None,
    row_settings: Iterable[str] | None = None,
    verbose: int | None = None,
    **kwargs: Any,
) -> Summary:
    """Return the text summary of a model, given the arguments of ``torchinfo.summary``. Nothing is printed.

    The model is not moved, and forward runs on meta tensors only. docs/torchinfo.md has the differences to torchinfo.

    Args:
        input_size: shape of the input, or a sequence of shapes; without it and ``input_data``, inputs are inferred.
        input_data: instead, a tensor, a sequence of positional inputs, or a dict of inputs by name.
        batch_dim: dimension at which a batch size of 1 is inserted into each ``input_size``.
        cache_forward_pass: accepted; nothing is cached.
        col_names: columns, of torchinfo's names: input_size, output_size, num_params, params_percent, kernel_size,
            groups, mult_adds, trainable. None for output shapes, parameters, FLOPs and their share.
        col_width: terminal columns for each column; lines have 40 more for the names, and 80 or more in all.
        depth: levels of modules to open; None for as many as fit a page.
        device: accepted; the inputs are on the device of the model.
        dtypes: a dtype for each ``input_size``. By default the dtype of the parameters, or int64 for an embedding.
        mode: "train" or "eval" (the default): the mode in which the model is captured. It keeps its own.
        row_settings: accepted: "depth", "var_names", "ascii_only", "hide_recursive_layers".
        verbose: accepted: 0, 1 or 2.
        kwargs: inputs of forward by name, besides the others.

    Raises:
        UnknownNameError: unknown column or row setting; the message lists the known ones.
        InputError: an argument has another value than torchinfo takes, or the inputs do not fit the model.

    It also raises the errors of `fxsummary.graph`.

    >>> found = summary(nn.Linear(8, 4), input_size=(2, 8), col_names=("input_size", "output_size", "mult_adds"))
    >>> print("\\n".join(str(found).splitlines()[2:5]))
    Module        Input shape  Output shape  MACs
    ─────────────────────────────────────────────
    Linear        2×8          2×4             64
    >>> found.total_params, found.total_mult_adds
    (36, 64)
    """
    columns = None if col_names is None else [_known("column", name, COLUMNS) for name in col_names]
    for name in row_settings or ():
        _known("row setting", name, ROW_SETTINGS)
    _check(input_size, input_data, col_width, mode, verbose)
    with _in_mode(model, mode or "eval"):
        found = _captured(model, input_size, input_data, batch_dim, dtypes, kwargs)
    width = NAME_WIDTH + col_width * (4 if columns is None else len(columns))
    names = None if columns is None else [COLUMNS[name] for name in columns]
    return Summary(found, found.to_text(width=max(80, width), depth=depth, columns=names))


def _known(noun: str, name: str, known: Collection[str]) -> str:
    if name not in known:
        raise UnknownNameError(unknown(noun, name, known))
    return name


def _check(input_size: object, input_data: object, col_width: int, mode: object, verbose: object) -> None:
    if input_size is not None and input_data is not None:
        raise InputError("pass input_size or input_data, not both.")
    if col_width <= 0:
        raise InputError(f"col_width={col_width!r} is not a width: pass 1 or more.")
    if mode not in (None, "train", "eval"):
        raise InputError(f'mode={mode!r} is not a mode: pass "train" or "eval".')
    if verbose not in (None, 0, 1, 2):
        raise InputError(f"verbose={verbose!r} is not a level: pass 0, 1 or 2.")


def _captured(
    model: nn.Module, size: Any, data: Any, batch_dim: int | None, dtypes: Any, kwargs: Mapping[str, Any]
) -> ModelGraph:
    """Return the graph of the model with these inputs."""
    if size is not None:
        shapes = [_with_batch(shape, batch_dim) for shape in _shapes(size)]
        types = None if dtypes is None else [getattr(each, "dtype", each) for each in dtypes]
        if not kwargs:
            return graph(model, input_shape=shapes, input_dtype=types)
        data = [
            torch.empty(shape, dtype=dtype, device="meta")
            for shape, dtype in zip(shapes, types or [torch.float32] * len(shapes), strict=True)
        ]
    if isinstance(data, Mapping):
        return graph(model, kwargs={**data, **kwargs})
    args = () if data is None else tuple(data) if isinstance(data, (list, tuple)) else (data,)
    return graph(model, *args, kwargs=kwargs or None)


def _shapes(size: Any) -> list[tuple[int, ...]]:
    """Return the shapes that ``input_size`` contains: it is one, or a sequence of them."""
    if not isinstance(size, Sequence):
        raise InputError(f"input_size={size!r} is neither a shape nor a sequence of shapes.")
    return [tuple(shape) for shape in (size if size and isinstance(size[0], Sequence) else [size])]


def _with_batch(shape: tuple[int, ...], batch_dim: int | None) -> tuple[int, ...]:
    if batch_dim is None:
        return shape
    at = batch_dim if batch_dim >= 0 else len(shape) + 1 + batch_dim
    return (*shape[:at], 1, *shape[at:])


@contextmanager
def _in_mode(model: nn.Module, mode: str) -> Iterator[None]:
    """Set the training flag of all modules for the duration of a capture."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    before = [module.training for module in modules]
    try:
        for module in modules:
            module.training = mode == "train"
        yield
    finally:
        for module, flag in zip(modules, before, strict=True):
            module.training = flag
