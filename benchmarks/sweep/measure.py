"""What is measured of one model. Findings are kept on disk until the last one, in case the process dies."""

from __future__ import annotations

import importlib
import json
import re
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.sweep.libraries import built, load
from benchmarks.zoo.pool import summary
from benchmarks.zoo.truth import FORMULAS, _plain_kernels, _Seen
from fxsummary import ModelGraph, passes
from fxsummary.capture import Inputs, capture
from fxsummary.capture.inputs.example import describe, forward_signature
from fxsummary.capture.operations import memo
from fxsummary.convert import convert
from fxsummary.drawing import choose
from fxsummary.drawing.svg_page import draw

for _module in ("capture.inputs.guess.inference", "capture.recorded.recorder", "exporters.text", "exporters.svg"):
    importlib.import_module(f"fxsummary.{_module}")  # so that no model's time includes it
importlib.import_module("torch._dynamo")
Send = Callable[[dict[str, Any]], None]
UNFINISHED = Path(__file__).parent.parent / "results" / "unfinished"
"""Folder of what was found before a process died."""
WIDTH = 80
"""Columns of the text whose lines are counted."""


class OutOfTimeError(BaseException):
    """The CPU time of a step is over."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `OutOfTimeError` after so much CPU time of this process."""

    def stop(*_: Any) -> None:
        raise OutOfTimeError(f"{seconds:.0f} s of CPU time are over")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def measure(library: str, name: str, limits: dict[str, float], gib: float) -> dict[str, Any]:
    """Build a model, look at it, and return what there is to say.

    Args:
        limits: CPU seconds of each step.
        gib: memory that the process may map.
    """
    resource.setrlimit(resource.RLIMIT_AS, (int(gib * 2**30),) * 2)
    memo.clear()  # what earlier models left would make this one's time shorter
    found: dict[str, Any] = {}
    path = unfinished(library, name)

    def send(more: dict[str, Any]) -> None:
        found.update(more)
        path.write_text(json.dumps(found), encoding="utf-8")

    load(library, name)
    _measure(library, name, limits, send)
    path.unlink()
    return found


def unfinished(library: str, name: str) -> Path:
    """The file with what was found of a model so far."""
    return UNFINISHED / f"{library}_{name}.json"


def _measure(library: str, name: str, limits: dict[str, float], send: Send) -> None:
    def step(title: str, function: Callable[[], Any]) -> Any:
        send({"step": title})
        start = time.process_time()
        try:
            with limited(limits[title]):
                return function()
        except (Exception, OutOfTimeError) as error:
            send({f"{title}_error": summary(error), f"{title}_trace": _where(error)})
            return None
        finally:
            send({f"{title}_s": round(time.process_time() - start, 3)})

    model = step("build", lambda: built(library, name))
    if model is None:
        return
    send({"true_parameters": sum(p.numel() for p in {id(p): p for p in model.parameters()}.values())})
    captured = step("capture", lambda: capture(model))
    if captured is None:
        return
    graph = step("convert", lambda: passes.annotate(convert(captured)))
    if graph is None:
        return
    send(_facts(graph))
    if (text := step("text", lambda: graph.to_text(width=WIDTH))) is not None:
        send({"lines": len(text.splitlines())})
    if (drawn := step("picture", lambda: _drawn(graph))) is not None:
        send(drawn)
    if captured.inputs is not None and graph.captured_by != "modules":
        send({"inputs": describe(captured.inputs)})
        flops = step("truth", lambda: _truth(model, captured.inputs))
        if flops is not None:
            send({"true_flops": flops[0], "true_unknown": flops[1]})
    send({"step": "done"})


def _drawn(graph: ModelGraph) -> dict[str, Any]:
    """The size of the picture that `to_svg` draws, and its number of rows, boxes, signs and pills."""
    picture = choose.picture(graph)
    sides = re.findall(r' (?:width|height)="([\d.]+)', draw(picture.scene).partition(">")[0])
    return {"size": [int(float(side)) for side in sides], "rows": picture.rows}


def _facts(graph: Any) -> dict[str, Any]:
    totals = graph.totals
    return {
        "captured_by": graph.captured_by,
        "partial": graph.is_partial,
        "operations": len(graph),
        "parameters": totals.parameters,
        "flops": totals.flops,
        "unknown_flops": len(totals.unknown_flops),
        "assumed_flops": len(totals.assumed_flops),
        "notes": [note[:1200] for note in graph.notes],
    }


def _truth(model: nn.Module, inputs: Inputs) -> tuple[int, list[str]]:
    """FLOPs of forward on meta with the same inputs; those with values stay on the CPU where forward wants that."""
    signature = forward_signature(model)
    try:
        return _count(lambda: inputs.on_meta(model.forward, signature))
    except Exception:
        if not inputs.values:
            raise
        with torch.device("meta"):
            return _count(lambda: _on_values(model, inputs))


def _count(forward: Callable[[], Any]) -> tuple[int, list[str]]:
    counter, seen = FlopCounterMode(display=False, custom_mapping=FORMULAS), _Seen()
    with torch.no_grad(), _plain_kernels(), seen, counter:
        forward()
    return counter.get_total_flops(), sorted(seen.unknown)


def _on_values(model: nn.Module, inputs: Inputs) -> Any:
    from fxsummary.capture.operations.twins import materialize

    arguments = {k: materialize(v) if hasattr(v, "stride") else v for k, v in inputs.arguments.items()}
    args, kwargs = inputs.split(forward_signature(model), {**arguments, **inputs.values})
    return model(*args, **kwargs)


def _where(error: BaseException) -> list[str]:
    """The innermost frames, for who looks into it."""
    frames = traceback.extract_tb((error.__cause__ or error).__traceback__)
    return [f"{'/'.join(frame.filename.split('/')[-2:])}:{frame.lineno} {frame.name}" for frame in frames[-6:]]
