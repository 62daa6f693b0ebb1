"""`graph`, the one way in, and `diff`, of two graphs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from fxsummary import passes
from fxsummary.capture import capture, capture_exported, is_exported
from fxsummary.capture.module_index import unwrapped
from fxsummary.convert import convert
from fxsummary.errors import InputError, ModelError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.support.gc_pause import paused

if TYPE_CHECKING:
    from torch.export import ExportedProgram

EXPORT_NEEDS = (2, 13)
"""Version of torch from which on exported programs are read; earlier ones note less in them."""

SUFFIX = ".pt2"
"""Of files of exported programs."""

SAVED_SUFFIX = ".json"
"""Of saved graphs."""

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
) -> ModelGraph:
    """The graph of a model: its operations with shapes, parameters and FLOPs.

    Shapes and costs come from meta tensors. Operations run on data only where forward depends on a value, such as
    ``.item()`` or a mask. Nothing that can be reached from the model changes. Inputs that you leave out are inferred
    where possible; ``graph.notes`` says what was inferred.

    Args:
        model: a module, or a `torch.fx.GraphModule`, on any device, ``meta`` included; or a
            `torch.export.ExportedProgram`, or the path of one saved as ``.pt2`` (read by `torch.export.load`,
            which unpickles: only open files that you trust), which bring their inputs with them.
        args: positional inputs of forward; only shape, dtype and device of tensors are looked at.
        kwargs: inputs of forward by name.
        input_shape: shape of the input, a list of shapes, or a dict of shapes by name, instead of inputs.
        input_dtype: dtype for `input_shape`, one for each shape, or a dict for some of those that have names; by
            default that of the parameters, or int64 where an embedding reads the input.
        trace: how to capture: "symbolic", by symbolic tracing alone; "record", by recording one forward on
            tensors without data; "auto", symbolic where that goes, else recorded.
        leaf: module types or names (of classes, or paths) that are shown as one operation.
        replay: whether, in a recording, modules that are like others are copied from these instead of run
            again. The graph is the same; pass False to see a module run that tells itself from its siblings
            in a way that is not seen (a global counter, say).

    Raises:
        ModelError: ``model`` is not a module.
        ModelFileError: the ``.pt2`` file cannot be read.
        InputError: the inputs do not fit the model.
        ForwardError: forward raised; the exception is its ``__cause__``.

    >>> import torch
    >>> g = graph(torch.nn.Conv2d(3, 16, 3, padding=1), torch.empty(1, 3, 28, 28))
    >>> g.totals.parameters, g.totals.flops
    (448, 677376)
    """
    if trace not in _WAYS:
        raise InputError(f"trace={trace!r} is not a way to capture; known: {', '.join(_WAYS)}")
    if isinstance(model, (str, os.PathLike)) and Path(model).suffix == SUFFIX:
        from fxsummary.capture.exported.file import load

        _check_torch()
        model = load(model)
    if is_exported(model):
        _check_torch()
        if args or kwargs or input_shape is not None or input_dtype is not None or trace != "auto":
            raise InputError("an exported program has its graph and its inputs: pass it alone, or with leaf=.")
        return passes.annotate(convert(capture_exported(model, _leaf_test(leaf))))
    _check_model(model)
    assert isinstance(model, nn.Module)
    model = unwrapped(model)
    _check_names(leaf, model)
    captured = capture(
        model,
        args,
        kwargs,
        input_shape=input_shape,
        input_dtype=input_dtype,
        trace=trace,
        leaf=_leaf_test(leaf),
        replay=replay,
    )
    return passes.annotate(convert(captured))


def diff(before: Any, after: Any, /, **inputs: Any) -> ModelGraph:
    """What is different in ``after``, as one graph of the operations of both.

    Operations are aligned by structure: identical blocks first, whatever their names, then those of the same
    path, then those that are most alike. Each operation has `change`, "added", "removed", "changed", "moved" or
    "same", and `differences`; ``result.comparison`` has both totals, ``equal``, and what changed by module.
    Every exporter renders the result: ``print(result)``, ``result.render("diff.svg")``.

    Args:
        before, after: models, graphs, exported programs, or paths of saved graphs (``.json``).
        inputs: for models, the keyword arguments of `fxsummary.graph`: ``kwargs=``, ``input_shape=`` ...,
            and ``args=``, positional inputs of forward.

    Raises:
        SavedGraphError: a file is no saved graph; and those of `fxsummary.graph`.

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
    Operations            3      3       =
    <BLANKLINE>
       Module              Parameters  FLOPs
    ────────────────────────────────────────
    ~  0 Linear 8→4 ⇒ 8→6         +18    +32
    <BLANKLINE>
    Operations: 0 added, 0 removed, 2 changed, 0 moved, 1 the same
    """
    from fxsummary.compare import compare

    return compare(as_graph(before, **inputs), as_graph(after, **inputs))


def as_graph(source: Any, *, args: tuple[Any, ...] = (), **inputs: Any) -> ModelGraph:
    """The graph of a model, or the graph itself, or the one that a file holds."""
    if isinstance(source, ModelGraph):
        return source
    if isinstance(source, (str, os.PathLike)) and Path(source).suffix.lower() == SAVED_SUFFIX:
        from fxsummary.graph.saved import load

        return load(source)
    return graph(source, *args, **inputs)


def _check_torch() -> None:
    major, minor = (int(part) for part in torch.__version__.split(".")[:2])
    if (major, minor) < EXPORT_NEEDS:
        raise ModelError(
            f"reading an exported program needs torch {'.'.join(map(str, EXPORT_NEEDS))} or later, and this is "
            f"{torch.__version__}: update torch, or pass the module that was exported."
        )


def _check_model(model: object) -> None:
    if isinstance(model, nn.Module):
        return
    if isinstance(model, type) and issubclass(model, nn.Module):
        raise ModelError(f"{model.__name__} is a class: pass an instance, such as graph({model.__name__}(...)).")
    raise ModelError(
        "expected a torch.nn.Module, a torch.fx.GraphModule, a torch.export.ExportedProgram or the path of a "
        f"{SUFFIX} file, got {type(model).__name__}: {str(model)[:80]!r}"
    )


def _leaf_test(leaf: Any) -> Any:
    if leaf is None:
        return None
    named = [leaf] if isinstance(leaf, (type, str)) else list(leaf)
    types = tuple(item for item in named if isinstance(item, type))
    names = {item for item in named if isinstance(item, str)}
    if len(types) + len(names) < len(set(named)):
        raise InputError(f"leaf={leaf!r} holds something that is neither a module type nor a name.")
    qualified = set(map(_qualified_name, types))  # the modules of an exported program have only names

    def is_leaf(module: nn.Module, path: str) -> bool:
        kind = type(module)
        return isinstance(module, types) or bool({path, kind.__name__} & names) or _qualified_name(kind) in qualified

    return is_leaf


def _check_names(leaf: Any, model: nn.Module) -> None:
    """Refuse names in ``leaf=`` that no module has: a misspelt one would change nothing."""
    named = [leaf] if isinstance(leaf, (str, type)) else list(leaf or ())
    if names := {name for name in named if isinstance(name, str)}:
        known = dict.fromkeys(text for path, module in model.named_modules() for text in (type(module).__name__, path))
        for name in sorted(names - known.keys()):
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise InputError(
                f"leaf={name!r}: no module of {type(model).__name__} has this class name or path. {hint}"
                "Pass a class, its name, or the path of a module."
            )


def _qualified_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
