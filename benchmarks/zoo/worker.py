"""What runs in the worker processes: plain values in, plain values out."""

from __future__ import annotations

import os
import warnings
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from zoo.published import entries


def truth(name: str) -> dict[str, Any]:
    """The truth of a model; fxsummary is not even imported."""
    from benchmarks.zoo.truth import measure

    _quieten()
    return measure(entries()[name]).as_json()


def check(name: str, values: dict[str, Any], without_inputs: bool) -> dict[str, Any]:
    """The checks of a model beside its truth."""
    from benchmarks.zoo import check
    from benchmarks.zoo.truth import Truth

    _quieten()
    return check.check(entries()[name], Truth.from_json(values), without_inputs).as_json()


def _quieten() -> None:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
