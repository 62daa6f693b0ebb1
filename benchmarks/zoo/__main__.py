"""fxsummary on the zoo: prints what holds by family, then every failure, and writes JSON.

Each model is built and looked at in a worker process; one that crashes or hangs is a failure, not the end.
Truths are kept beside the results, so that only what is new is run again.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import fxsummary
from benchmarks.zoo import pool, report, worker
from benchmarks.zoo.check import Result
from benchmarks.zoo.truth import Truth
from benchmarks.zoo.truths import Truths
from zoo.entry import Entry
from zoo.published import entries

RESULTS = Path(__file__).parent.parent / "results" / "zoo.json"


def main() -> None:
    options = _options()
    chosen = [
        entry
        for entry in entries().values()
        if options.family in (None, entry.family) and all(part in entry.name for part in options.only)
    ]
    truths = Truths(RESULTS.with_name("zoo_truths.json"), fresh=options.fresh)
    results = [*_find_truths(chosen, truths, options.jobs)]
    known = [entry for entry in chosen if entry in truths]
    if not options.truths:
        results += _check_all(known, truths, options)
    results.sort(key=lambda result: [entry.name for entry in chosen].index(result.name))
    _print(results, truths, known)
    if not options.truths:
        _write(options.json, results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo", description=__doc__)
    parser.add_argument("--family", help="only models of this family")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="only models with this in the name")
    parser.add_argument("--no-inputs", action="store_true", help="also look at each model with no inputs given")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes (default: 2)")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="PATH", help="where the results go")
    parser.add_argument("--fresh", action="store_true", help="find the truths again")
    parser.add_argument("--truths", action="store_true", help="find the truths, and stop there")
    return parser.parse_args()


def _find_truths(chosen: Sequence[Entry], truths: Truths, jobs: int) -> list[Result]:
    """Run the models whose truth is not known; those that cannot be run are failures."""
    failed = []
    missing = [entry for entry in chosen if entry not in truths]
    for done, (name, values, error) in enumerate(pool.run(worker.truth, [(e.name, (e.name,)) for e in missing], jobs)):
        print(f"truth {done + 1}/{len(missing)} {name} {error}", flush=True)
        if error:
            failed.append(Result(name, "no truth", f"the real forward failed: {error}"))
        else:
            truths.add(entries()[name], Truth.from_json(values))
    return failed


def _check_all(known: Sequence[Entry], truths: Truths, options: argparse.Namespace) -> list[Result]:
    results = []
    tasks = [(entry.name, (entry.name, truths[entry].as_json(), options.no_inputs)) for entry in known]
    for done, (name, values, error) in enumerate(pool.run(worker.check, tasks, options.jobs)):
        result = Result(name, "failed", error) if error else Result(**values)
        print(f"{done + 1}/{len(tasks)} {name} {result.captured_by} {error}", flush=True)
        results.append(result)
    return results


def _print(results: Sequence[Result], truths: Truths, known: Sequence[Entry]) -> None:
    print()
    if results:
        print(report.table(results))
    for line in report.failures(results):
        print(line)
    for result in results:
        if result.assumed:
            print(f"{result.name}: assumed: {next(note for note in result.notes if 'assum' in note)}")
    inferred = [result for result in results if result.inferred == ""]
    if inferred:
        same = sum(result.inferred_flops == result.truth["flops"] for result in inferred)
        print(f"without inputs: the FLOPs of the zoo's own inputs on {same} of {len(inferred)}")
    sources = Counter(truths[entry].source for entry in known)
    print(f"truths: {', '.join(f'{number} from the run on {source}' for source, number in sources.items())}")
    for entry in known:
        for doubt in truths[entry].doubts:
            print(f"{entry.name}: truth in doubt: {doubt}")


def _write(path: Path, results: Sequence[Result]) -> None:
    versions: dict[str, Any] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "fxsummary": fxsummary.__version__,
    }
    for library in sorted({entry.library for entry in entries().values()} - {""}):
        versions[library] = version(library)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"versions": versions, "models": [r.as_json() for r in results]}, indent=1) + "\n")
    print(f"\nwritten: {path}")


if __name__ == "__main__":
    main()
