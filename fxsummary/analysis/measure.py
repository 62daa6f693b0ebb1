"""Measure the peak rates of the machine at hand: products of large matrices, and a copy between large tensors."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from fxsummary.graph.device import Device

DTYPES = {
    "cpu": ("float32", "bfloat16"),
    "cuda": ("float64", "float32", "float16", "bfloat16"),
    "mps": ("float32", "float16"),
}
SIZES = (512, 1024, 2048)
"""Sizes of the square matrices; the fastest product counts."""
NBYTES = 2**28
"""Bytes of the tensor that is copied: more than caches hold."""
RUNS = 5


def measure(device: str = "cpu") -> Device:
    """Measure a device of this machine, and return it with the best rates of several runs.

    It runs real operations for some seconds, with the number of threads that torch has.

    Args:
        device: "cpu", or "cuda" or "mps" if torch has it.

    >>> measure().bandwidth > 1e8  # doctest: +SKIP
    True
    """
    rates = {name: max(_product(device, getattr(torch, name), size) for size in SIZES) for name in DTYPES[device]}
    source = torch.empty(NBYTES, dtype=torch.uint8, device=device).fill_(1)
    target = torch.zeros_like(source)
    bandwidth = 2 * NBYTES / _shortest(lambda: target.copy_(source), device)
    if device == "cuda":
        name, memory = torch.cuda.get_device_name(), torch.cuda.get_device_properties(0).total_memory
    else:
        name, memory = f"{device}, {torch.get_num_threads()} threads" if device == "cpu" else device, None
    return Device(name, rates, bandwidth, memory, "measured")


def _product(device: str, dtype: torch.dtype, size: int) -> float:
    """Return the FLOP/s of a product of two square matrices."""
    a, b = (torch.ones(size, size, dtype=dtype, device=device) for _ in range(2))
    return 2 * size**3 / _shortest(lambda: a @ b, device)


def _shortest(run: Callable[[], object], device: str) -> float:
    """Return the seconds of the shortest run."""
    times = []
    for _ in range(RUNS + 1):  # the first run warms up
        _wait(device)
        start = time.perf_counter()
        run()
        _wait(device)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def _wait(device: str) -> None:
    if device != "cpu":
        getattr(torch, device).synchronize()
