"""Compares times at best with real times on this machine, on one thread (``make roofline``).

The machine is measured once by `fxsummary.analysis.measure`. A bound that is above a real time is false.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

import fxsummary
from benchmarks.sweep import forks
from fxsummary.analysis.measure import measure
from fxsummary.graph.device import Device
from zoo.published import entries

RUNS = 5


def real_seconds(call: Callable[[], object]) -> float:
    """Return the CPU seconds of the shortest of several runs."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def bounds(name: str, device: Device) -> dict[str, Any]:
    """Return the bounds of a model and its real time, in seconds."""
    entry = entries()[name]
    model = entry.model().eval()
    inputs = entry.inputs(model)
    found = fxsummary.graph(model, *inputs.args, kwargs=dict(inputs.kwargs)).roofline(device)
    with torch.no_grad():
        model(*inputs.args, **inputs.kwargs)
        real = real_seconds(lambda: model(*inputs.args, **inputs.kwargs))
    return {"ideal": found.ideal_seconds, "eager": found.seconds, "real": real, "intensity": found.intensity}
