"""Compares memory with the truth: real runs on the CPU under a count of storages (``make memory``).

For each model: the peak of activations of a forward pass without gradients and the module at which it is; what a
forward pass with gradients keeps for backward, and the peak of a training step with its loss; what checkpointing of
its repeated blocks saves. Beside it torch's ``MemTracker``, which runs the model.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

import fxsummary
from zoo.entry import Entry
from zoo.published import entries
from zoo.storages import checkpoint_blocks, real_forward, real_step, tensors_in

MOST_BLOCKS = 2
"""Number of patterns of blocks of a model that are checkpointed."""


def measure(entry: Entry) -> dict[str, Any]:
    """Return what fxsummary tells of a model, and what is true."""
    random.seed(0)  # layers may be dropped at random
    example, model = entry.example(), entry.model()
    start = time.process_time()
    graph = fxsummary.graph(model, *example.args, kwargs=dict(example.kwargs))
    row: dict[str, Any] = {"name": entry.name, "seconds": round(time.process_time() - start, 3)}
    row |= _inference(entry, graph)
    example = entry.example()
    row["tracker"], row["tracker_seconds"] = _mem_tracker(entry.model(), example.args, dict(example.kwargs))
    if any(each.requires_grad for each in entry.model().parameters()):
        row |= _training(entry)
    return row


def _inference(entry: Entry, graph: fxsummary.ModelGraph) -> dict[str, Any]:
    example, told = entry.example(), graph.memory
    real = real_forward(entry.model(), example.args, example.kwargs)  # a new model, without anything cached
    row = {"peak": real.peak, "module": real.module, "operator": real.operator}
    if told is None:
        return row | {"told_peak": None, "told_module": None, "is_marked": True}
    module, is_marked = graph.nodes[told.at]["module"], bool(told.unknown) or told.is_assumed
    return row | {"told_peak": told.peak, "told_module": module, "is_marked": is_marked}


def _training(entry: Entry) -> dict[str, Any]:
    example = entry.example()
    model = entry.model().train()
    random.seed(0)
    try:
        graph = fxsummary.graph(model, *example.args, kwargs=dict(example.kwargs))
        start = time.process_time()
        told = graph.training(device="cpu", optimizer=None)
    except fxsummary.errors.FxsummaryError as error:
        return {"refused": str(error)[:200]}
    took = time.process_time() - start
    runs = []
    for seed in (0, 1):
        model, example = entry.model().train(), entry.example()
        random.seed(seed)
        torch.manual_seed(seed)
        runs.append(real_step(model, example.args, example.kwargs))
    real = runs[0]
    if runs[0] != runs[1]:
        return {"refused": "layers are dropped at random"}
    return {
        "step_seconds": round(took, 3), "at_end": real.at_end, "told_at_end": told.forward_end, "step": real.peak,
        "told_step": told.activation_peak, "step_is_marked": bool(told.unknown) or told.is_assumed,
        "blocks": list(_checkpoints(entry, told, real.at_end)),
    }  # fmt: skip


def _checkpoints(entry: Entry, told: Any, at_end: int) -> Iterator[tuple[str, int, int]]:
    """Yield repeated blocks by pattern, each with the predicted and the real saving of checkpointing."""
    for each in [each for each in told.checkpoints if each.count > 1][:MOST_BLOCKS]:
        model, example = entry.model().train(), entry.example()
        random.seed(0)
        checkpoint_blocks(model, each.pattern, each.type)
        with suppress(RuntimeError):  # a model may not be made for it
            yield each.pattern, each.saves, at_end - real_step(model, example.args, example.kwargs).at_end


def _mem_tracker(model: nn.Module, args: Any, kwargs: Any) -> tuple[int | None, float]:
    """Return the peak of activations that torch's tracker finds, and the seconds that it takes."""
    from torch.distributed._tools.mem_tracker import MemTracker

    tracker = MemTracker()
    tracker.track_external(model, *tensors_in((args, kwargs)))
    start = time.process_time()
    try:
        with torch.no_grad(), tracker:
            model(*args, **kwargs)
        found = list(tracker.get_tracker_snapshot("peak").values())
    except Exception:  # it does not run on all models
        return None, round(time.process_time() - start, 3)
    activations = [sizes[kind] for sizes in found for kind in sizes if getattr(kind, "value", "") in _ACTIVATIONS]
    return sum(activations), round(time.process_time() - start, 3)


_ACTIVATIONS = ("Activation", "Temp")


def report(rows: list[dict[str, Any]]) -> str:
    """Return what holds, as Markdown."""
    peaks = [row for row in rows if row["told_peak"] is not None]
    unmarked = [row for row in peaks if not row["is_marked"]]
    steps = [row for row in rows if "step" in row]
    blocks = [block for row in steps for block in row["blocks"]]
    trackers = [row for row in peaks if row["tracker"] is not None]
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
        ("saving of a checkpointed block, to the byte", sum(told == real for _, told, real in blocks), len(blocks)),
        ("MemTracker's peak, to the byte", sum(r["tracker"] == r["peak"] for r in trackers), len(trackers)),
    ]
    table = ["| what | holds | of |", "|:--|--:|--:|", *(f"| {what} | {holds} | {of} |" for what, holds, of in lines)]
    seconds = [sum(row[name] for row in trackers) for name in ("seconds", "tracker_seconds")]
    return "\n".join([*table, "", f"capture {seconds[0]:.1f} s, MemTracker {seconds[1]:.1f} s of CPU time"])


def _same(row: dict[str, Any]) -> bool:
    return row["told_peak"] == row["peak"] and row["told_module"] == row["module"]


def _off(told: int, real: int, share: float) -> bool:
    return abs(told - real) > share * real


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every n-th model, print those that differ, and what holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=3, help="measure every n-th model")
    parser.add_argument("--start", type=int, default=0, help="the first model")
    parser.add_argument("--name", default="", help="a part of the names of the models")
    parser.add_argument("--output", type=Path, default=Path("build/memory.json"), help="where to write all numbers")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = []
    for name in [name for name in entries() if options.name in name][options.start :: options.every]:
        try:
            rows.append(measure(entries()[name]))
        except Exception as error:  # of the model or of a library
            print(f"{name}: {type(error).__name__}: {str(error)[:100]}", flush=True)
            continue
        row = rows[-1]
        if not _same(row) or any(row.get(f"told_{what}") != row.get(what) for what in ("at_end", "step")):
            print(row, flush=True)
    print(report(rows))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
