"""fxsummary beside its peers: one process per comparison, alternating, medians; prints ratios, writes JSON.

A time on a shared machine means little, a ratio of two medians taken in turns means something: each round
runs every candidate once, so that whatever slows the machine slows them all. After the time comes the ratio of
the comparison's first line to it: below 1 where fxsummary is faster.

Run with ``make bench``, or ``python -m benchmarks.speed --rounds 9 --only GPT-2``.
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
import tracemalloc
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import FlopCounterMode

import fxsummary
from benchmarks.models import LLAMAS, MODELS, Case, Chain
from fxsummary import passes
from fxsummary.capture import capture
from fxsummary.capture.operations import memo
from fxsummary.convert import convert

ROUNDS = 5
ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "speed.json"

Candidates = dict[str, Callable[[], object]]


def analysis(case: Case, **options: Any) -> str:
    """The whole: graph with shapes, parameters and FLOPs, and its text."""
    return fxsummary.graph(case.model, *case.args, kwargs=case.kwargs or None, **options).to_text()


def cold(case: Case, **options: Any) -> str:
    """The same, as in a process that has not met any operation."""
    memo.clear()
    return analysis(case, **options)


def cold_capture(case: Case) -> None:
    """Capture with shapes and FLOPs alone."""
    memo.clear()
    capture(case.model, case.args, case.kwargs or None)


def on_meta(case: Case) -> Case:
    """The case with model and inputs on meta."""
    inputs = tree_map_only(torch.Tensor, lambda tensor: tensor.to("meta"), (case.args, dict(case.kwargs)))
    return Case(copy.deepcopy(case.model).to("meta"), *inputs)


def forward(case: Case) -> None:
    """One forward without gradients."""
    with torch.no_grad():
        case.model(*case.args, **case.kwargs)


def flop_counter(case: Case) -> int:
    """torch's own counter around a forward."""
    with FlopCounterMode(display=False) as counter:
        forward(case)
    return int(counter.get_total_flops())


def stages(case: Case) -> Candidates:
    """The stages of an analysis, each on what the one before yields."""
    kwargs = case.kwargs or None
    captured = capture(case.model, case.args, kwargs)
    graph = fxsummary.graph(case.model, *case.args, kwargs=kwargs)
    return {
        "  of it capture": lambda: capture(case.model, case.args, kwargs),
        "  of it conversion and passes": lambda: passes.annotate(convert(captured)),
        "  of it text": lambda: graph.to_text(),
    }


def beside_peers(case: Case) -> Candidates:
    """What is timed on a published model; the peers that change the model they are given get a copy."""
    import torchinfo
    import torchview
    from fvcore.nn import FlopCountAnalysis

    meta = on_meta(case)

    def fvcore() -> object:
        count = FlopCountAnalysis(case.model, case.args)
        return count.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total()

    peers: Candidates = {
        "forward on meta": lambda: forward(meta),
        "FlopCounterMode on meta": lambda: flop_counter(meta),
        "torch.fx.symbolic_trace": lambda: torch.fx.symbolic_trace(case.model),
        "torch.export": lambda: torch.export.export(case.model, case.args, dict(case.kwargs)),
        "torchview of a copy on meta": lambda: torchview.draw_graph(
            copy.deepcopy(meta.model), input_data=meta.args, device="meta"
        ),
        "forward": lambda: forward(case),
        "torchview of a copy": lambda: torchview.draw_graph(
            copy.deepcopy(case.model), input_data=case.args, device="cpu"
        ),
        "torchinfo": lambda: torchinfo.summary(case.model, input_data=list(case.args), verbose=0),
        "fvcore": fvcore,
    }
    return {
        "fxsummary, graph and text": lambda: cold(case),
        "  the same again": lambda: analysis(case),
        **stages(case),
        "  capture, nothing known": lambda: cold_capture(case),
        **peers,
    }


def of_llama(case: Case) -> Candidates:
    """What is timed on a Llama: transformers' own masks ask for values unless there is a cache."""
    with_cache = Case(case.model, case.args)
    return {
        "fxsummary, graph and text": lambda: cold(case),
        "  the same again": lambda: analysis(case),
        "  with a cache": lambda: analysis(with_cache),
        "  without replay": lambda: analysis(case, replay=False),
        **stages(case),
        "forward on meta": lambda: forward(with_cache),
        "FlopCounterMode on meta": lambda: flop_counter(with_cache),
    }


def growth(rounds: int) -> dict[str, float | str]:
    """Seconds of the whole and of the capture for 126 layers and for 12 of the same width, taken in turns."""
    cases = {
        layers: LLAMAS[name]()
        for layers, name in ((126, "Llama 405B, 126 layers"), (12, "Llama 405B width, 12 layers"))
    }
    return medians(
        {
            **{f"graph and text, {layers} layers": lambda case=case: cold(case) for layers, case in cases.items()},
            **{f"capture, {layers} layers": lambda case=case: cold_capture(case) for layers, case in cases.items()},
        },
        rounds,
    )


def of_chain(length: int, way: str) -> Candidates:
    """The stages on a chain of operations."""
    case = Case(Chain(length), (torch.empty(2, 2),))
    captured = capture(case.model, case.args, trace=way)
    graph = passes.annotate(convert(captured))
    return {
        f"capture, {way}": lambda: capture(case.model, case.args, trace=way),
        "conversion and passes": lambda: passes.annotate(convert(captured)),
        "text": lambda: graph.to_text(),
        "text, operations": lambda: graph.to_text(view="operations"),
    }


def medians(functions: Candidates, rounds: int) -> dict[str, float | str]:
    """Median seconds of each function over rounds that run all of them in turn, after one unmeasured round.

    A function that raises is left out from there on; what it raised takes the place of the time.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    failed: dict[str, str] = {}
    for number in range(rounds + 1):
        for name, function in functions.items():
            if name in failed or name in _without:
                continue
            gc.collect()
            start = time.perf_counter()
            try:
                function()
            except Exception as error:  # of whatever kind a peer raises
                failed[name] = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:100]}"
            if number:
                times[name].append(time.perf_counter() - start)
    return {
        name: failed.get(name) or statistics.median(values) for name, values in times.items() if name not in _without
    }


_without: set[str] = set()
"""Candidates that are not to be run."""


def chains(rounds: int) -> dict[str, float | str]:
    """Seconds of each stage for 1,000 and for 10,000 operations."""
    found: dict[str, float | str] = {}
    for way in ("symbolic", "record"):
        for length in (10_000, 1_000):
            for stage, seconds in medians(of_chain(length, way), rounds).items():
                found[f"{stage} ({way}), {length:,} operations" if way not in stage else f"{stage}, {length:,}"] = (
                    seconds
                )
    return found


FIRST = {
    "nothing": "",
    **{
        name: f"from benchmarks.models import MODELS; case = MODELS[{name!r}](); import fxsummary"
        for name in ("ResNet-50", "BERT-base", "ViT-B/16", "GPT-2")
    },
}


def first_calls(rounds: int) -> dict[str, float | str]:
    """Seconds of the first graph of a process, measured in it, and of processes that do less."""
    python = sys.executable
    found: dict[str, float | str] = {}
    for name, prepare in FIRST.items():
        if prepare:
            code = (
                f"import sys; sys.path.insert(0, {str(ROOT)!r}); import warnings; "
                "warnings.filterwarnings('ignore'); import torch, time; "
                f"{prepare}; start = time.perf_counter(); "
                "fxsummary.graph(case.model, *case.args); print(time.perf_counter() - start)"
            )
            runs = [
                subprocess.run([python, "-c", code], check=True, capture_output=True, text=True) for _ in range(rounds)
            ]
            found[f"first graph of {name}"] = statistics.median(float(run.stdout.split()[-1]) for run in runs)
    commands = {
        "import torch": [python, "-c", "import torch"],
        "import torch, fxsummary": [python, "-c", "import torch, fxsummary"],
        "fxsummary --help": [python, "-m", "fxsummary", "--help"],
    }
    functions: Candidates = {
        name: (lambda command=command: subprocess.run(command, check=True, capture_output=True))
        for name, command in commands.items()
    }
    return {**found, **medians(functions, rounds)}


def peak_memory(rounds: int) -> dict[str, float | str]:
    """MiB that Python allocates at most for the 405B shape, the model itself not counted."""
    case = LLAMAS["Llama 405B, 126 layers"]()
    tracemalloc.start()
    analysis(case)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"peak in MiB": peak / 2**20}


COMPARISONS: dict[str, Callable[[int], dict[str, float | str]]] = {
    **{name: (lambda rounds, build=build: medians(beside_peers(build()), rounds)) for name, build in MODELS.items()},
    **{name: (lambda rounds, build=build: medians(of_llama(build()), rounds)) for name, build in LLAMAS.items()},
    "Growth of Llama 405B": growth,
    "Chains": chains,
    "Processes": first_calls,
    "Memory of Llama 405B": peak_memory,
}


def run_apart(name: str, rounds: int) -> dict[str, float | str]:
    """A comparison in a process of its own; made anew without what failed, for that may leave patches behind."""
    found = _in_process(name, rounds)
    failed = {candidate: value for candidate, value in found.items() if isinstance(value, str)}
    return {**_in_process(name, rounds, failed), **failed} if failed else found


def _in_process(name: str, rounds: int, without: Iterable[str] = ()) -> dict[str, float | str]:
    command = [sys.executable, "-m", "benchmarks.speed", "--in-process", name, "--rounds", str(rounds)]
    command += [part for candidate in without for part in ("--without", candidate)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    found: dict[str, float | str] = json.loads(output.splitlines()[-1])
    return found


def show(name: str, found: dict[str, float | str]) -> None:
    """Print a comparison: milliseconds, and the ratio of the first line to each."""
    print(f"\n{name}")
    reference = next(iter(found.values()))
    for candidate, value in found.items():
        if isinstance(value, str):
            print(f"  {candidate:<44} {value}")
        elif "MiB" in candidate:
            print(f"  {candidate:<44} {value:8.0f}")
        else:
            ratio = f"{reference / value:8.2f}" if isinstance(reference, float) else ""
            print(f"  {candidate:<44} {value * 1e3:8.1f} ms {ratio}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", action="append", choices=list(COMPARISONS), help="a comparison; may be repeated")
    parser.add_argument("--in-process", choices=list(COMPARISONS), help=argparse.SUPPRESS)
    parser.add_argument("--without", action="append", default=[], help=argparse.SUPPRESS)
    options = parser.parse_args()
    _without.update(options.without)
    warnings.filterwarnings("ignore")
    if options.in_process:
        print(json.dumps(COMPARISONS[options.in_process](options.rounds)))
        return
    report = {}
    print(f"medians of {options.rounds} rounds; the ratio is that of the first line to each")
    for name in options.only or COMPARISONS:
        report[name] = run_apart(name, options.rounds)
        show(name, report[name])
    RESULTS.parent.mkdir(exist_ok=True)
    versions = {"python": platform.python_version(), "torch": torch.__version__, "fxsummary": fxsummary.__version__}
    RESULTS.write_text(json.dumps({"versions": versions, "rounds": options.rounds, "found": report}, indent=2) + "\n")
    print(f"\nwritten: {RESULTS}")


if __name__ == "__main__":
    main()
