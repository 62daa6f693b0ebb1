"""Training: the memory and FLOPs of one step, from a run of the captured operations on meta, with gradients."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable

import torch

from fxsummary.analysis.checkpoints import Blocks
from fxsummary.analysis.devices import DEVICES
from fxsummary.analysis.optimizers import OPTIMIZERS
from fxsummary.analysis.saved import Kept
from fxsummary.analysis.step import Runner, Step
from fxsummary.analysis.watch import LOSS
from fxsummary.analysis.weights import Weights
from fxsummary.capture.operations.autocast import Casting
from fxsummary.capture.program import Operation
from fxsummary.capture.structures import walk
from fxsummary.errors import InputError, UnknownNameError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import ParameterInfo
from fxsummary.graph.spec import TensorSpec, itemsize
from fxsummary.graph.training import ModuleSaved, Training
from fxsummary.support.gc_pause import paused
from fxsummary.support.registry import unknown

PRECISIONS = {"bf16": "bfloat16", "fp16": "float16"}
"""Dtype of autocast by name of the precision."""


@paused()
def training(
    graph: ModelGraph,
    *,
    optimizer: str | None = "adamw",
    device: str = "cuda",
    precision: str | None = None,
    master_copies: bool = False,
) -> Training:
    """Return the memory and FLOPs of a training step, and what checkpointing would save; see `ModelGraph.training`."""
    _check("optimizer", optimizer, (*OPTIMIZERS, None))
    _check("device", device, DEVICES)
    _check("precision", precision, (*PRECISIONS, None))
    _check_program(graph)
    weights = Weights(graph)
    casting: Casting | None = (device, PRECISIONS[precision]) if precision else None
    blocks = Blocks(graph, graph.program.names)
    step = Runner(graph, weights, device, casting, blocks.noted).run()
    if not step.loss:
        raise InputError("no output requires gradients: capture outside of torch.no_grad(), with trainable parameters.")
    trained = [each for each in _parameters(graph) if each.name in step.gradients]
    return _record(
        graph,
        step,
        blocks,
        device=device,
        optimizer=optimizer,
        precision=precision,
        gradients=sum(step.gradients.values()),
        optimizer_state=_state_bytes(optimizer, trained, master_copies),
        master_copies=sum(4 * each.numel for each in map(_spec, trained) if itemsize(each.dtype) < 4) * master_copies,
    )


def _check(noun: str, name: object, known: Collection[object]) -> None:
    if name not in known:
        raise UnknownNameError(unknown(noun, name, [str(each) for each in known]))


def _check_program(graph: ModelGraph) -> None:
    """Raise if the operations cannot run again."""
    if graph.program is None:
        raise InputError(
            "this graph cannot run again, because it was loaded, copied, folded, or has no shapes: call training() on "
            "the graph that fxsummary.graph(model, ...) returns."
        )
    if graph.program.refusal:
        raise InputError(f"training cannot be analysed, because {graph.program.refusal}.")
    if graph.program.names != tuple(graph):
        raise InputError("the operations of this graph were changed: call training() before you edit it.")


def _record(graph: ModelGraph, step: Step, blocks: Blocks, **given: object) -> Training:
    has_fixed_casts = given["precision"] is not None and any(map(_names_dtype, graph.program.operations))
    names, totals = graph.program.names, graph.totals
    saved = [each for each in step.kept if each.savers]
    by_operation: Counter[str] = Counter()
    for each in saved:
        by_operation[names[each.savers[0]]] += each.nbytes
    by_label: Counter[str] = Counter()
    for name, nbytes in by_operation.items():
        by_label[graph.data(name)["label"]] += nbytes
    unknown_names = tuple([names[place] for place in step.unknown])
    return Training(
        mode=_mode(graph),
        loss=step.loss,
        parameters=totals.parameter_bytes,
        buffers=totals.buffer_bytes,
        inputs=sum(each.nbytes for each in graph.storages if each.kind == "input"),
        saved=sum(each.nbytes for each in saved),
        saved_by_operation=dict(by_operation),
        saved_by_label=dict(by_label),
        saved_by_module=_by_module(graph, saved),
        forward_end=step.at_end,
        activation_peak=step.peak,
        at=LOSS if step.at == LOSS else names[step.at],
        in_backward=step.is_backward,
        forward_flops=totals.flops,
        backward_flops=step.backward_flops,
        work=step.work,
        tokens=_tokens(graph),
        parameter_count=None if totals.unknown_parameters else totals.parameters,
        checkpoints=blocks.checkpoints(step),
        unknown=unknown_names,
        unknown_flops=(*totals.unknown_flops, *step.unknown_flops, *unknown_names),
        is_assumed=has_fixed_casts or any(data["assumed"] for _, data in graph.nodes(data=True)),
        **given,  # type: ignore[arg-type]
    )


def _tokens(graph: ModelGraph) -> int | None:
    """Return the number of tokens: the elements of the first batch of integers; None if there is none."""
    specs = (spec for spec in graph.inputs.values() if spec is not None)
    return next((spec.numel for spec in specs if spec.is_index and len(spec.shape) == 2), None)


def _names_dtype(operation: Operation) -> bool:
    """Whether an operation gets a dtype, which forward may have read from a tensor."""
    return any(isinstance(each, torch.dtype) for each in walk((operation.args, operation.kwargs)))


def _by_module(graph: ModelGraph, saved: Iterable[Kept]) -> dict[str, ModuleSaved]:
    """Return what each module saves, alone and with others."""
    paths = [{call.path for call in graph.data(name)["module_stack"]} for name in graph.program.names]
    alone: dict[str, int] = defaultdict(int)
    together: dict[str, int] = defaultdict(int)
    for each in saved:
        savers = [paths[place] for place in each.savers]
        for path in set.union(*savers):
            together[path] += each.nbytes
        for path in set.intersection(*savers):
            alone[path] += each.nbytes
    return {path: ModuleSaved(alone[path], together[path]) for path in graph.modules if path in together}


def _parameters(graph: ModelGraph) -> list[ParameterInfo]:
    """Return the distinct parameters."""
    infos = [each for module in graph.modules.values() for each in module.parameters]
    return [each for each in infos if not each.buffer and each.tied_to is None and each.spec is not None]


def _spec(info: ParameterInfo) -> TensorSpec:
    assert info.spec is not None
    return info.spec


def _state_bytes(optimizer: str | None, trained: Iterable[ParameterInfo], master_copies: bool) -> int:
    if optimizer is None:
        return 0
    specs, count = list(map(_spec, trained)), OPTIMIZERS[optimizer]
    return sum(count(each) * (4 if master_copies else itemsize(each.dtype)) for each in specs)


def _mode(graph: ModelGraph) -> str:
    """Return the mode of the called modules."""
    modes = {module.training for module in graph.modules.values() if module.called}
    return "train and eval" if len(modes) > 1 else "train" if True in modes else "eval"
