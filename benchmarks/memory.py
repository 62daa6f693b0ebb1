"""Compares memory with the truth: real runs on the CPU under a count of storages (``make memory``).

For each model: the peak of activations of a forward pass without gradients, in bytes, and the module at which it is.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import fxsummary
from zoo import storages
from zoo.entry import Entry
from zoo.published import entries


def measure(entry: Entry) -> dict[str, Any]:
    """Return the peak that fxsummary tells and the real one."""
    model, example = entry.model(), entry.example()
    start = time.process_time()
    graph = fxsummary.graph(model, *example.args, kwargs=dict(example.kwargs))
    took = time.process_time() - start
    told = graph.memory
    example = entry.example()
    start = time.process_time()
    count = storages.real_forward(entry.model(), example.args, example.kwargs)  # a new model, without anything cached
    real = time.process_time() - start
    row = {"name": entry.name, "seconds": round(took, 3), "real_seconds": round(real, 3), "peak": count.peak}
    if told is None:
        return row | {"told": None}
    module = graph.nodes[told.at]["module"]
    return row | {
        "told": told.peak, "is_bound": bool(told.unknown), "is_assumed": told.is_assumed,
        "at": told.at, "module": module, "real_at": count.operator, "real_module": count.module,
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every n-th model and print what holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--name", default="")
    parser.add_argument("--output", type=Path, default=Path("build/memory.json"))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    names = [name for name in entries() if options.name in name][options.start :: options.every]
    rows = []
    for name in names:
        try:
            rows.append(measure(entries()[name]))
        except Exception as error:  # of the model or of a library
            print(f"{name:50} {type(error).__name__}: {str(error)[:80]}", flush=True)
            continue
        row = rows[-1]
        if row["told"] != row["peak"] or row["module"] != row["real_module"]:
            ratio = f"{row['told'] / max(row['peak'], 1):.5f}" if row["told"] is not None else "none"
            print(f"{name:50} {ratio} {row}", flush=True)
    equal = sum(row["told"] == row["peak"] for row in rows)
    same = sum(row["told"] == row["peak"] and row["module"] == row["real_module"] for row in rows)
    print(f"{len(rows)} models: {equal} equal to the byte, {same} in the same module")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
