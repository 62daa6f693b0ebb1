"""fxsummary on every model of whole libraries: how each is captured without inputs, what is counted, how long it takes.

Results are kept in benchmarks/results/sweep_LIBRARY.jsonl, one line for each model, so that a sweep goes on
where it was ended. Times are CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")


from benchmarks.sweep import markdown, report
from benchmarks.sweep.libraries import WHAT
from benchmarks.sweep.measure import UNFINISHED, measure, unfinished
from benchmarks.zoo.report import aligned
from fxsummary import Processes
from fxsummary.analysis.table.kept import Line, read
from fxsummary.analysis.table.run import Task, run
from fxsummary.analysis.table.versions import key_of
from fxsummary.loading.libraries import LIBRARIES, names_of

RESULTS = Path(__file__).parent.parent / "results"
LIMITS = {"build": 120.0, "capture": 60.0, "convert": 20.0, "text": 20.0, "picture": 20.0, "truth": 60.0}


def main() -> None:
    options = _options()
    chosen = {library: _chosen(library, options) for library in options.library or WHAT}
    found = {library: _sweep(library, names, options) for library, names in chosen.items()}
    if options.markdown:
        options.markdown.write_text(
            markdown.page(found, {library: len(names) for library, names in chosen.items()}, _versions()),
            encoding="utf-8",
        )
    _print(found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these models")
    parser.add_argument("--library", action="append", choices=WHAT, help="only this library")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every n-th model")
    parser.add_argument("--failures", action="store_true", help="once more those that failed, or took over 5 s")
    parser.add_argument("--again", action="store_true", help="also models that are in the results")
    parser.add_argument("--report", action="store_true", help="run nothing, only report")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--gib", type=float, default=12, help="memory that a process may map")
    parser.add_argument(
        "--truth", type=float, default=LIMITS["truth"], metavar="S", help="CPU time of the independent count"
    )
    parser.add_argument("--markdown", type=Path, metavar="PATH", help="write the table as a page")
    return parser.parse_args()


def _chosen(library: str, options: argparse.Namespace) -> list[str]:
    names = names_of(LIBRARIES[library])[:: options.every]
    if options.failures:
        wanted = {each["name"] for each in _read(library) if report.failures(each) or report.is_slow(each)}
        return [name for name in names if name in wanted]
    return [name for name in names if not options.names or name in options.names]


def _sweep(library: str, names: Sequence[str], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure what is not in the results yet, add it to them, and return what is known of all models."""
    if options.report:
        return [each for each in _read(library) if each["name"] in set(names)]
    if options.again or options.failures or options.names:
        _forget(library, set(names))
    limits = LIMITS | {"truth": options.truth}
    UNFINISHED.mkdir(exist_ok=True, parents=True)
    tasks = [Task(name, (library, name, limits, options.gib), key_of(f"{library}:{name}", None, ())) for name in names]
    with Processes(options.jobs, timeout=10 * sum(limits.values())) as executor:
        results = run(measure, tasks, executor, str(_path(library)), lambda each: print(library, each, flush=True))
    return [_found(library, name, *result[:2]) for name, result in zip(names, results, strict=True)]


def _found(library: str, name: str, found: dict[str, Any], failed: str) -> dict[str, Any]:
    """What is known of a model; of one whose process died, what was found before."""
    path = unfinished(library, name)
    before = json.loads(path.read_text(encoding="utf-8")) if failed and path.exists() else {}
    return {"name": name, **before, **found, **({"died": failed} if failed else {})}


def _path(library: str) -> Path:
    return RESULTS / f"sweep_{library}.jsonl"


def _read(library: str) -> list[dict[str, Any]]:
    """The last result of each model."""
    return list(
        {line.name: _found(library, line.name, line.found, line.failed) for line in read(_path(library))}.values()
    )


def _forget(library: str, names: set[str]) -> None:
    """Remove the results of some models, so that they are measured once more."""
    kept: list[Line] = [line for line in read(_path(library)) if line.name not in names]
    RESULTS.mkdir(exist_ok=True)
    _path(library).write_text("".join(json.dumps(line._asdict()) + "\n" for line in kept), encoding="utf-8")


def _print(found: dict[str, list[dict[str, Any]]]) -> None:
    print(f"\n{aligned(report.rows(found))}\n")
    for library, models in found.items():
        print(f"{library}, the slowest:", *report.slowest(models), sep="\n  ")
        print(f"{library}, text over {report.MOST_LINES} lines:", *report.longest(models), sep="\n  ")
        print(f"{library}, failures:")
        for each in models:
            for reason in report.failures(each):
                print(f"  {each['name']}: {reason}")


def _versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in ("torch", *WHAT))


if __name__ == "__main__":
    main()
