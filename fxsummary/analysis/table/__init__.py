"""Many models in one table: `table` sends each model to a process, and returns a row for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike, fspath
from typing import Any

from torch import nn

from fxsummary.analysis.table.columns import Columns, Computed, chosen
from fxsummary.analysis.table.rows import Model, measured
from fxsummary.analysis.table.run import Progress, Result, Submits, Task, can_be_sent, check_executor, run
from fxsummary.analysis.table.versions import key_of
from fxsummary.errors import InputError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.modeltable import UNKNOWN, Cell, Row, Table
from fxsummary.loading.libraries import expand, library_of


def table(
    models: Mapping[str, Model] | Iterable[str] | str,
    *,
    columns: Columns = None,
    input_shape: Any = None,
    executor: Submits | None = None,
    resume: str | PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Table:
    """Return a table with a row for each model, in the order given.

    A model that fails is a row with its reason, and so is one whose worker dies. Names, and functions that pickle, go
    to the executor; modules, graphs, and functions that do not pickle stay in this process. ``progress`` says which.

    Args:
        models: names, or a mapping from names to models. A model is a module, a `ModelGraph`, a function without
            arguments that makes a module (on the meta device if it can; it is put into eval mode), or a name:
            ``package.module:factory``, ``path/file.py:factory``, ``library:model``, or a ``.pt2`` or ``.json`` file. A
            list may have wildcards: ``timm:resnet*``.
        columns: names of `fxsummary.analysis.table.columns.COLUMNS` (also as comma-separated text), functions of a
            `ModelGraph`, or pairs of a name and a function. By default parameters, FLOPs, bytes of all activations,
            their peak, and the input.
        input_shape: the input of every model, as for `fxsummary.graph`. By default what its library says, or inferred.
        executor: runs the work: any `concurrent.futures.Executor`, such as ``Processes(4, timeout=60)`` of fxsummary,
            Dask's ``client.get_executor()``, or an object with its method ``submit``. By default as many processes as
            CPUs.
        resume: a file of JSON lines. Rows in it that have the same name, versions, input and columns are not computed
            again; others are appended as they finish.
        progress: called with a `Progress` whenever a row is done.

    Raises:
        InputError: a name with wildcards fits no model, two models have one name, or an argument is wrong.
        UnknownNameError: a column is unknown.

    >>> import torch
    >>> print(table({"small": torch.nn.Linear(8, 4), "large": torch.nn.Linear(64, 64)}))
    Model  Parameters   FLOPs  Activations   Peak  Input
    ────────────────────────────────────────────────────
    small          36      64         16 B   16 B  1×8
    large      4.16 k  8.19 k        256 B  256 B  1×64
    ────────────────────────────────────────────────────
    Models     2
    """
    check_executor(executor)
    found = chosen(columns)
    tasks = [_task(name, model, input_shape, found, executor) for name, model in _named(models).items()]
    path = None if resume is None else fspath(resume)
    results = run(measured, tasks, executor, path, progress or (lambda each: None))
    rows = tuple(_row(task.name, result, found) for task, result in zip(tasks, results, strict=True))
    return Table(tuple(each.column for each in found), rows)


def _named(models: Mapping[str, Model] | Iterable[str] | str) -> dict[str, Model]:
    """Return the models by name, with wildcards expanded."""
    if isinstance(models, Mapping):
        for name, model in models.items():
            if not isinstance(model, (str, nn.Module, ModelGraph)) and not callable(model):
                raise InputError(f"models[{name!r}] is a {type(model).__name__}: pass a module, a graph, a function "
                                 "that makes a module, or a name.")  # fmt: skip
        return {str(name): model for name, model in models.items()}
    if isinstance(models, (nn.Module, ModelGraph)):
        raise InputError('table() takes many models: pass {"name": model, ...}, or names.')
    names = [models] if isinstance(models, str) else list(models)
    if wrong := next((name for name in names if not isinstance(name, str)), None):
        raise InputError(f"{type(wrong).__name__} in a list of names: pass a mapping from names to models.")
    return {name: name for each in names for name in expand(each)}


def _task(name: str, model: Model, input_shape: Any, columns: tuple[Computed, ...], executor: Submits | None) -> Task:
    arguments = (model, input_shape, columns, library_of(model) if isinstance(model, str) else None)
    is_here = isinstance(model, (nn.Module, ModelGraph)) or not can_be_sent(arguments, executor)
    key = None if isinstance(model, (nn.Module, ModelGraph)) else key_of(model, input_shape, columns)
    return Task(name, arguments, key, is_here)


def _row(name: str, result: Result, columns: tuple[Computed, ...]) -> Row:
    cells = result.found.get("cells", {})
    shown = tuple(Cell(*cells[each.column.name]) if each.column.name in cells else UNKNOWN for each in columns)
    return Row(name, shown, result.failed or result.found.get("reason", ""))
