"""fxsummary beside its peers: one process, alternating, medians; prints ratios and writes JSON.

A time on a shared machine means little, a ratio of two medians taken in turns means something: each round
runs every candidate once, so that whatever slows the machine slows them all.

Run with ``make bench``, or ``python benchmarks/peers.py --rounds 9``.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
import torchinfo
import torchview
from models import image_models
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import fxsummary
from fxsummary import passes
from fxsummary.capture import capture, memo
from fxsummary.convert import convert

ROUNDS = 7
RESULTS = Path(__file__).parent / "results" / "peers.json"
REFERENCE = "fxsummary.graph"


def candidates(model: nn.Module) -> dict[str, Callable[[], object]]:
    """What is timed on a model; the peers that change the model they are given get a copy."""
    x = torch.empty(1, 3, 224, 224)
    on_meta = copy.deepcopy(model).to("meta")
    x_meta = x.to("meta")
    graph = fxsummary.graph(model, x)
    captured = capture(model, (x,))

    def cold() -> object:
        memo.clear()
        return fxsummary.graph(model, x)

    def flop_counter() -> int:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            on_meta(x_meta)
        return int(counter.get_total_flops())

    def view() -> object:
        return torchview.draw_graph(copy.deepcopy(on_meta), input_data=x_meta, device="meta")

    return {
        REFERENCE: cold,
        "  the same again": lambda: fxsummary.graph(model, x),
        "  of it capture": lambda: capture(model, (x,)),
        "  of it conversion and passes": lambda: passes.annotate(convert(captured)),
        "  text": lambda: graph.to_text(),
        "  SVG": lambda: graph.to_svg(),
        "  DOT": lambda: graph.to_dot(),
        "torch.fx.symbolic_trace": lambda: torch.fx.symbolic_trace(model),
        "FlopCounterMode on meta": flop_counter,
        "torchinfo": lambda: torchinfo.summary(model, input_data=x, verbose=0),
        "torchinfo on meta": lambda: torchinfo.summary(on_meta, input_data=x_meta, verbose=0, device="meta"),
        "torchview on a copy on meta": view,
    }


def medians(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each function over rounds that run all of them in turn, after one unmeasured round."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for number in range(rounds + 1):
        for name, function in functions.items():
            gc.collect()
            start = time.perf_counter()
            function()
            if number:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def import_times(rounds: int) -> dict[str, float]:
    """Median seconds of fresh processes: torch alone, with fxsummary, and the command line's help."""
    python = sys.executable
    commands = {
        "import torch": [python, "-c", "import torch"],
        "import torch, fxsummary": [python, "-c", "import torch, fxsummary"],
        "import torch, fxsummary; fxsummary.graph": [python, "-c", "import torch, fxsummary; fxsummary.graph"],
        "fxsummary --help": [python, "-m", "fxsummary", "--help"],
    }
    functions = {
        name: (lambda command=command: subprocess.run(command, check=True, capture_output=True))
        for name, command in commands.items()
    }
    return medians(functions, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    warnings.filterwarnings("ignore")
    report: dict[str, dict[str, float]] = {}
    for name, build in image_models().items():
        report[name] = medians(candidates(build().eval()), rounds)
        reference = report[name][REFERENCE]
        print(f"\n{name} 1×3×224×224: medians of {rounds} rounds, and {REFERENCE} (cold memo) to it")
        for candidate, seconds in report[name].items():
            print(f"  {candidate:<32} {seconds * 1e3:8.1f} ms   {reference / seconds:6.2f}")
    report["processes"] = import_times(min(rounds, 5))
    print(f"\nfresh processes: medians of {min(rounds, 5)} rounds")
    for candidate, seconds in report["processes"].items():
        print(f"  {candidate:<42} {seconds * 1e3:8.0f} ms")
    RESULTS.parent.mkdir(exist_ok=True)
    versions = {"python": platform.python_version(), "torch": torch.__version__, "fxsummary": fxsummary.__version__}
    RESULTS.write_text(json.dumps({"versions": versions, "rounds": rounds, "seconds": report}, indent=2) + "\n")
    print(f"\nwritten: {RESULTS}")


if __name__ == "__main__":
    main()
