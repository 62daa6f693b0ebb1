"""Compares memory with the truth: real runs on the CPU under a count of storages (``make memory``).

For each model: the peak of activations of a forward pass without gradients and the module at which it is; what a
forward pass with gradients keeps for backward, and the peak of a training step with its loss; what checkpointing of
its repeated blocks saves. Beside it torch's ``MemTracker``, which runs the model.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

import fxsummary
from benchmarks import forks
from fxsummary.capture.operations import memo
from zoo.entry import Entry
from zoo.published import entries
from zoo.storages import checkpoint_blocks, real_forward, real_step, tensors_in

MOST_BLOCKS = 2
"""Number of patterns of blocks of a model that are checkpointed."""


def measure(name: str, send: Callable[[dict[str, Any]], None]) -> None:
    """Send what fxsummary tells of a model, and what is true.

    Each run has a process of its own, because libraries keep tables in caches: a second run takes less memory.
    """
    entry = entries()[name]
    found: dict[str, Any] = {}
    for call in (_told_inference, _real_inference, _mem_tracker):
        found |= _apart(partial(call, entry))
    told, other_told = (_apart(partial(_told_step, entry, seed)) for seed in (0, 1))
    found |= told
    if "told_step" in told:
        real, other = (_apart(partial(_real_step, entry, seed)) for seed in (0, 1))
        is_random = real != other or told["told_at_end"] != other_told["told_at_end"]
        found |= {"refused": "layers are dropped at random"} if is_random else real
        checkpointed = [_apart(partial(_real_step, entry, 0, *each["block"])) for each in told["checkpoints"]]
        for each, step in zip(told["checkpoints"], checkpointed, strict=True):
            if step and "at_end" in found:  # a model may not be made for it
                each["real"] = found["at_end"] - step["at_end"]
    send(found)


def _apart(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a call returns in a forked process; nothing if it fails."""
    found = next(forks.run(lambda _, send: send(call()), [""], 1, _SECONDS, _GIB))
    del found["name"]
    return {} if "died" in found else found


_SECONDS, _GIB = 120.0, 12.0


def _told_inference(entry: Entry) -> dict[str, Any]:
    memory = _graph(entry.model(), entry).memory  # imports what the model needs
    memo.clear()
    start = time.process_time()
    graph = _graph(entry.model(), entry)
    found: dict[str, Any] = {"seconds": round(time.process_time() - start, 3)}
    if memory is not None:
        is_marked = bool(memory.unknown) or memory.is_assumed
        found |= {"told_peak": memory.peak, "told_module": graph.nodes[memory.at]["module"], "is_marked": is_marked}
    return found


def _told_step(entry: Entry, seed: int) -> dict[str, Any]:
    model = _in_training(entry)
    if not any(each.requires_grad for each in model.parameters()):
        return {}
    try:
        graph = _graph(model, entry, seed)
        start = time.process_time()
        step = graph.training(device="cpu", optimizer=None)
    except fxsummary.errors.FxsummaryError as error:
        return {"refused": str(error)[:200]}
    blocks = [each for each in step.checkpoints if each.count > 1][:MOST_BLOCKS]
    return {
        "step_seconds": round(time.process_time() - start, 3), "told_at_end": step.forward_end,
        "told_step": step.activation_peak, "step_is_marked": bool(step.unknown) or step.is_assumed,
        "checkpoints": [{"block": (each.pattern, each.type), "told": each.saves} for each in blocks],
    }  # fmt: skip


def _in_training(entry: Entry) -> nn.Module:
    """Return a model in train mode that drops no layers at random."""
    model = entry.model().train()
    for module in model.modules():
        for holder in (module, getattr(module, "config", None)):
            if hasattr(holder, "layerdrop"):
                holder.layerdrop = 0.0
    return model


def _graph(model: nn.Module, entry: Entry, seed: int = 0) -> fxsummary.ModelGraph:
    random.seed(seed)
    torch.manual_seed(seed)
    example = entry.example()
    return fxsummary.graph(model, *example.args, kwargs=dict(example.kwargs))


def _real_inference(entry: Entry) -> dict[str, Any]:
    example = entry.example()
    real = real_forward(entry.model(), example.args, example.kwargs)
    return {"peak": real.peak, "module": real.module, "operator": real.operator}


def _real_step(entry: Entry, seed: int, *block: str) -> dict[str, Any]:
    """Run a step, with the blocks of a pattern and class checkpointed."""
    model, example = _in_training(entry), entry.example()
    if block:
        checkpoint_blocks(model, *block)
    random.seed(seed)
    torch.manual_seed(seed)
    real = real_step(model, example.args, example.kwargs)
    return {"at_end": real.at_end, "step": real.peak}


def _mem_tracker(entry: Entry) -> dict[str, Any]:
    """Find the peak of activations with torch's tracker, and the seconds that it takes."""
    from torch.distributed._tools.mem_tracker import MemTracker

    model, example = entry.model(), entry.example()
    args, kwargs = example.args, dict(example.kwargs)
    tracker = MemTracker()
    tracker.track_external(model, *tensors_in((args, kwargs)))
    start = time.process_time()
    with torch.no_grad(), tracker:
        model(*args, **kwargs)
    found = list(tracker.get_tracker_snapshot("peak").values())
    activations = [sizes[kind] for sizes in found for kind in sizes if getattr(kind, "value", "") in _ACTIVATIONS]
    return {"tracker": sum(activations), "tracker_seconds": round(time.process_time() - start, 3)}


_ACTIVATIONS = ("Activation", "Temp")


def report(rows: list[dict[str, Any]]) -> str:
    """Return what holds, as Markdown."""
    peaks = [row for row in rows if row.get("told_peak") is not None and "peak" in row]
    unmarked = [row for row in peaks if not row["is_marked"]]
    steps = [row for row in rows if "step" in row]
    blocks = [each for row in steps for each in row["checkpoints"] if "real" in each]
    trackers = [row for row in peaks if "tracker" in row]
    lines = [
        ("inference peak, to the byte", sum(r["told_peak"] == r["peak"] for r in peaks), len(peaks)),
        ("… and in the same module", sum(_same(r) for r in peaks), len(peaks)),
        (
            "… off by over 5 % without a mark",
            sum(_off(r["told_peak"], r["peak"], 0.05) for r in unmarked),
            len(peaks),
        ),
        ("kept at the end of forward, to the byte", sum(r["told_at_end"] == r["at_end"] for r in steps), len(steps)),
        ("peak of a step, to the byte", sum(r["told_step"] == r["step"] for r in steps), len(steps)),
        ("peak of a step, within 1 %", sum(not _off(r["told_step"], r["step"], 0.01) for r in steps), len(steps)),
        (
            "saving of a checkpointed block, to the byte",
            sum(each["told"] == each["real"] for each in blocks),
            len(blocks),
        ),
        ("MemTracker's peak, to the byte", sum(r["tracker"] == r["peak"] for r in trackers), len(trackers)),
    ]
    table = ["| what | holds | of |", "|:--|--:|--:|", *(f"| {what} | {holds} | {of} |" for what, holds, of in lines)]
    seconds = [sum(row[name] for row in trackers) for name in ("seconds", "tracker_seconds")]
    return "\n".join([*table, "", f"capture {seconds[0]:.1f} s, MemTracker {seconds[1]:.1f} s of CPU time"])


def _same(row: dict[str, Any]) -> bool:
    return row["told_peak"] == row.get("peak") and row["told_module"] == row.get("module")


def _differs(row: dict[str, Any]) -> bool:
    """Whether a figure of a model is not the real one, or a model could not be measured."""
    steps = any(row.get(f"told_{what}") != row.get(what) for what in ("at_end", "step"))
    blocks = [each for each in row.get("checkpoints", ()) if each["told"] != each.get("real", each["told"])]
    return "told_peak" not in row or not _same(row) or steps or bool(blocks)


def _off(told: int, real: int, share: float) -> bool:
    return abs(told - real) > share * real


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every n-th model, print those that differ, and what holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=3, help="measure every n-th model")
    parser.add_argument("--start", type=int, default=0, help="the first model")
    parser.add_argument("--name", default="", help="a part of the names of the models")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--output", type=Path, default=Path("build/memory.json"), help="where to write all numbers")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    forks.prepare()
    fxsummary.graph(nn.Linear(1, 1)).training()
    names = [name for name in entries() if options.name in name][options.start :: options.every]
    rows = []
    for row in forks.run(measure, names, options.jobs, 10 * _SECONDS, _GIB):
        rows.append(row)
        if _differs(row):
            print(row, flush=True)
    rows.sort(key=lambda row: names.index(row["name"]))
    print(report(rows))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
