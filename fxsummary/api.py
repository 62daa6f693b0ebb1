"""The two entry points: `graph` captures a model, `diff` compares two."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from fxsummary import passes
from fxsummary.capture import capture, capture_exported, is_exported
from fxsummary.capture.module_index import unwrapped
from fxsummary.convert import convert
from fxsummary.convert.nonzero import count_nonzero
from fxsummary.errors import InputError, ModelError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.support.gc_pause import paused
from fxsummary.support.registry import call, hint

if TYPE_CHECKING:
    from torch.export import ExportedProgram

EXPORT_NEEDS = (2, 13)
"""Minimum version of torch to read exported programs; earlier versions store less in them."""

SUFFIX = ".pt2"
"""File suffix of exported programs."""

SAVED_SUFFIX = ".json"
"""File suffix of saved graphs."""

_OPTIONS = ("kwargs", "input_shape", "input_dtype", "trace", "leaf", "replay", "nonzero")
_WAYS = ("auto", "symbolic", "record")


@paused()
def graph(
    model: nn.Module | ExportedProgram | str | os.PathLike[str],
    /,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    input_shape: Sequence[int] | Sequence[Sequence[int]] | Mapping[str, Sequence[int]] | None = None,
    input_dtype: Any = None,
    trace: str = "auto",
    leaf: type[nn.Module] | str | Sequence[type[nn.Module] | str] | None = None,
    replay: bool = True,
    nonzero: bool = False,
) -> ModelGraph:
    """Return the graph of a model: its operations with shapes, parameters and FLOPs.

    Shapes and costs come from meta tensors. Operations run on data only if forward depends on a value (``.item()``, a
    mask). Nothing that can be reached from the model changes. If you leave out inputs, fxsummary infers them where it
    can; ``graph.notes`` lists them.

    Args:
        model: a module on any device, ``meta`` included, a `torch.fx.GraphModule`, a `torch.export.ExportedProgram`, or
            the path of a ``.pt2`` file (loading it unpickles parts of it: open only files that you trust). Or what
            MODEL is on the command line, in eval mode: ``"timm:resnet50"``, ``"models.py:Net"``, a folder with a
            ``config.json``, a file of tensors.
        args: positional inputs of forward; their values matter only if forward depends on them.
        kwargs: inputs of forward by name.
        input_shape: instead of inputs, a shape, a list of shapes, or a dict of shapes by name.
        input_dtype: dtype for `input_shape`, one per shape, or a dict by name. By default the dtype of the parameters,
            or int64 if an embedding reads the input.
        trace: how to capture: "symbolic" (tracing alone), "record" (one forward on meta tensors), or "auto" (symbolic
            if that works, else record).
        leaf: module types, class names or module paths to show as one operation.
        replay: in a recording, copy modules that are like earlier ones instead of running them. Pass False if modules
            differ in a way that fxsummary cannot see, such as a global counter.
        nonzero: whether to read the values of the parameters and count those that are not zero, for the column
            ``nonzero_parameters`` and ``totals``; what `torch.nn.utils.prune` masks counts as zero.

    Raises:
        ModelError: ``model`` is not a module.
        ModelFileError: the ``.pt2`` file cannot be read.
        ModelImportError: a model that is named by a text cannot be imported, read or built.
        InputError: the inputs do not fit the model.
        ForwardError: forward raised; the exception is its ``__cause__``.

    >>> g = graph(torch.nn.Conv2d(3, 16, 3, padding=1), torch.empty(1, 3, 28, 28))
    >>> g.totals.parameters, g.totals.flops
    (448, 677376)
    """
    others = (kwargs or None, input_shape, input_dtype, trace, nonzero)
    is_alone = not args and others == (None, None, None, "auto", False)
    if isinstance(model, (str, os.PathLike)) and not str(model).endswith(SUFFIX):
        given = (
            (kwargs, None), (input_shape, None), (input_dtype, None), (trace, "auto"), (leaf, None), (replay, True),
            (nonzero, False),
        )  # fmt: skip
        options = {name: value for name, (value, left) in zip(_OPTIONS, given, strict=True) if value is not left}
        found: ModelGraph = call("fxsummary.loading.load_model:graph_of", os.fspath(model), *args, **options)
        return found
    if (program := _program(model, is_alone)) is not None:
        return passes.annotate(convert(capture_exported(program, _leaf_test(leaf))))
    module = _checked(model, trace)
    test = _leaf_test(leaf, module)
    captured = capture(
        module, args, kwargs, input_shape=input_shape, input_dtype=input_dtype, trace=trace, leaf=test, replay=replay
    )
    found = convert(captured)
    if nonzero:
        count_nonzero(found, module)
    return passes.annotate(found)


def _program(model: Any, is_alone: bool) -> Any:
    """Return the exported program that ``model`` is or names the file of; None for a module."""
    is_file = isinstance(model, (str, os.PathLike)) and Path(model).suffix == SUFFIX
    if not is_file and not is_exported(model):
        return None
    if tuple(map(int, torch.__version__.split(".")[:2])) < EXPORT_NEEDS:
        raise ModelError(
            f"reading an exported program needs torch {'.'.join(map(str, EXPORT_NEEDS))} or later, but this is "
            f"{torch.__version__}: update torch, or pass the original module."
        )
    if not is_alone:
        raise InputError("an exported program has its own graph and inputs: pass it alone, or with leaf=.")
    if not is_file:
        return model
    from fxsummary.capture.exported.file import load

    return load(model)


def _checked(model: Any, trace: str) -> nn.Module:
    """Check the arguments, and return the module without wrappers such as `nn.DataParallel`."""
    if trace not in _WAYS:
        raise InputError(f"unknown trace={trace!r}; known: {', '.join(_WAYS)}")
    if isinstance(model, nn.Module):
        return unwrapped(model)
    if isinstance(model, type) and issubclass(model, nn.Module):
        raise ModelError(f"{model.__name__} is a class: pass an instance, such as graph({model.__name__}(...)).")
    raise ModelError(
        "expected a torch.nn.Module, a torch.fx.GraphModule, a torch.export.ExportedProgram or the path of a "
        f"{SUFFIX} file, got {type(model).__name__}: {str(model)[:80]!r}"
    )


def diff(
    before: Any,
    after: Any,
    /,
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    input_shape: Sequence[int] | Sequence[Sequence[int]] | Mapping[str, Sequence[int]] | None = None,
    input_dtype: Any = None,
    trace: str = "auto",
    leaf: type[nn.Module] | str | Sequence[type[nn.Module] | str] | None = None,
    replay: bool = True,
    names: tuple[str, str] | None = None,
) -> ModelGraph:
    """Compare two models or graphs, and return one graph with the operations of both.

    Operations are aligned by structure: identical blocks first, whatever their names, then blocks with the same path,
    then the most similar ones. Each operation has `differences` and a `change`: "added", "removed", "changed", "moved"
    or "same". ``result.comparison`` has both totals, ``equal``, and the changes by module. Every exporter renders the
    result: ``print(result)``, ``result.render("diff.svg")``.

    Args:
        before, after: models, graphs, exported programs, or paths of saved graphs (``.json``).
        args: for models, the positional inputs of forward.
        kwargs, input_shape, input_dtype, trace, leaf, replay: for models, as in `fxsummary.graph`.
        names: names of both for the heading, such as ``("main", "this branch")``; by default their class names.

    Raises:
        InputError: ``names`` are not two texts.
        SavedGraphError: a file does not contain a saved graph.

    It also raises the errors of `fxsummary.graph`.

    >>> import torch
    >>> before, after = torch.nn.Sequential(torch.nn.Linear(8, 4)), torch.nn.Sequential(torch.nn.Linear(8, 6))
    >>> print(diff(before, after))
    Sequential · input input 1×8
    <BLANKLINE>
                     Before  After  Change      %
    ─────────────────────────────────────────────
    Parameters           36     54     +18  +50.0
    Parameter bytes   144 B  216 B   +72 B  +50.0
    FLOPs                64     96     +32  +50.0
    Peak memory        16 B   24 B    +8 B  +50.0
    Operations            3      3       =
    <BLANKLINE>
       Module              Parameters  FLOPs
    ────────────────────────────────────────
    ~  0 Linear 8→4 ⇒ 8→6         +18    +32
    <BLANKLINE>
    Operations: 0 added, 0 removed, 2 changed, 0 moved, 1 the same
    """
    from fxsummary.compare import compare

    if names is not None and not (len(names) == 2 and all(isinstance(name, str) for name in names)):
        raise InputError(f'names={names!r} are not two texts, such as ("before", "after").')
    inputs: dict[str, Any] = {
        "kwargs": kwargs, "input_shape": input_shape, "input_dtype": input_dtype,
        "trace": trace, "leaf": leaf, "replay": replay,
    }  # fmt: skip
    return compare(as_graph(before, args=args, **inputs), as_graph(after, args=args, **inputs), names)


def as_graph(source: Any, *, args: Sequence[Any] = (), **inputs: Any) -> ModelGraph:
    """Return the graph of a model, a graph as it is, or the graph that a file contains."""
    if isinstance(source, ModelGraph):
        return source
    if isinstance(source, (str, os.PathLike)) and Path(source).suffix.lower() == SAVED_SUFFIX:
        from fxsummary.graph.saved import load

        return load(source)
    return graph(source, *args, **inputs)


def _leaf_test(leaf: Any, model: nn.Module | None = None) -> Any:
    """Return a test for the modules that ``leaf=`` names; if a model is given, it must have all of these names."""
    if leaf is None:
        return None
    named = [leaf] if isinstance(leaf, (type, str)) else list(leaf)
    types = tuple(item for item in named if isinstance(item, type))
    names = {item for item in named if isinstance(item, str)}
    if model is not None and names:
        _check_names(names, model)
    if len(types) + len(names) < len(set(named)):
        raise InputError(f"leaf={leaf!r} contains something that is neither a module type nor a name.")
    qualified = set(map(_qualified_name, types))  # an exported program stores the types of its modules only by name

    def is_leaf(module: nn.Module, path: str) -> bool:
        kind = type(module)
        return isinstance(module, types) or bool({path, kind.__name__} & names) or _qualified_name(kind) in qualified

    return is_leaf


def _check_names(names: set[str], model: nn.Module) -> None:
    """Raise `InputError` for a name that no module has: a misspelt name would have no effect."""
    known = dict.fromkeys(text for path, module in model.named_modules() for text in (type(module).__name__, path))
    for name in sorted(names - known.keys()):
        raise InputError(
            f"leaf={name!r}: no module of {type(model).__name__} has this class name or path. {hint(name, known)}"
            "Pass a class, its name, or the path of a module."
        )


def _qualified_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
