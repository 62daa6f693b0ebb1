"""Compares times at best with real times on this machine, on one thread (``make roofline``).

The machine is measured once by `fxsummary.analysis.measure`. A bound that is above a real time is false.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

import fxsummary
from benchmarks import forks
from benchmarks.models import MODELS, Case
from fxsummary.analysis.measure import measure
from fxsummary.graph.device import Device

RUNS = 5
VISION = (
    "densenet121", "mobilenetv3_large_100", "efficientnet_b0", "convnext_tiny", "vgg11", "regnety_016", "mixer_s32_224",
    "mobilevit_s", "deit_tiny_patch16_224", "levit_128", "poolformer_s12", "resnext50_32x4d", "inception_v3",
    "hrnet_w18",
)  # fmt: skip
"""Models of timm, each with a batch of 4 images."""


def cases() -> dict[str, Callable[[], Case]]:
    """Return the models by name."""
    return {**MODELS, **{f"timm/{name}": partial(_of_timm, name) for name in VISION}}


def _of_timm(name: str) -> Case:
    import timm

    model = timm.create_model(name).eval()
    return Case(model, (torch.zeros(4, *model.default_cfg["input_size"]),))


def compared(device: Device, name: str, send: Callable[[dict[str, Any]], None]) -> None:
    """Send the bounds of a model and the CPU time of its shortest run, in seconds."""
    case = cases()[name]()
    found = fxsummary.graph(case.model, *case.args, kwargs=dict(case.kwargs)).roofline(device)
    times = []
    with torch.no_grad():
        for _ in range(RUNS + 1):  # the first run warms up
            start = time.process_time()
            case.model(*case.args, **case.kwargs)
            times.append(time.process_time() - start)
    send({"ideal": found.ideal_seconds, "eager": found.seconds, "real": min(times[1:]), "intensity": found.intensity})


def report(device: Device, rows: list[dict[str, Any]]) -> str:
    """Return the shares of the real times that the bounds are, as Markdown."""
    lines = [
        f"| {row['name']} | {1e3 * row['real']:.0f} | {row['eager'] / row['real']:.2f} |"
        f" {row['ideal'] / row['real']:.2f} |"
        for row in sorted(rows, key=lambda row: -row["eager"] / row["real"])
    ]
    above = sum(max(row["eager"], row["ideal"]) > row["real"] for row in rows)
    table = ["| model | real, ms | bound / real | bound if fused / real |", "|:--|--:|--:|--:|", *lines]
    return "\n".join([str(device), "", *table, "", f"above the real time: {above} of {len(rows)}"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure this machine, then every model, and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="", help="a part of the names of the models")
    parser.add_argument("--output", type=Path, default=Path("build/roofline.json"), help="where to write all numbers")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    device = replace(measure(), name="this machine, 1 thread")
    forks.prepare()
    names = [name for name in cases() if options.name in name]
    rows = [row for row in forks.run(partial(compared, device), names, 1, 600, 30) if "real" in row]
    print(report(device, rows))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps({"device": asdict(device), "models": rows}, indent=1))


if __name__ == "__main__":
    main()
