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


from benchmarks.sweep import forks, markdown, report
from benchmarks.sweep.libraries import LIBRARIES
from benchmarks.sweep.measure import measure
from benchmarks.zoo.report import aligned

RESULTS = Path(__file__).parent.parent / "results"
LIMITS = {"build": 120.0, "capture": 60.0, "convert": 20.0, "text": 20.0, "picture": 20.0, "truth": 60.0}


def main() -> None:
    options = _options()
    chosen = {library: _chosen(library, options) for library in options.library or LIBRARIES}
    for library, names in chosen.items():
        _sweep(library, names, options)
    found = {
        library: [each for each in _read(library) if each["name"] in set(names)] for library, names in chosen.items()
    }
    if options.markdown:
        options.markdown.write_text(
            markdown.page(found, {library: len(names) for library, names in chosen.items()}, _versions()),
            encoding="utf-8",
        )
    _print(found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these models")
    parser.add_argument("--library", action="append", choices=LIBRARIES, help="only this library")
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
    names = LIBRARIES[library].names()[:: options.every]
    if options.failures:
        wanted = {each["name"] for each in _read(library) if report.failures(each) or report.is_slow(each)}
        return [name for name in names if name in wanted]
    return [name for name in names if not options.names or name in options.names]


def _sweep(library: str, names: Sequence[str], options: argparse.Namespace) -> None:
    """Run what is not in the results yet, and add it to them."""
    known = set() if options.again or options.failures or options.names else {each["name"] for each in _read(library)}
    missing = [] if options.report else [name for name in names if name not in known]
    if not missing:
        return
    forks.prepare()
    for name in missing:
        LIBRARIES[library].load(name)
    limits = LIMITS | {"truth": options.truth}
    look = lambda name, send: measure(library, name, limits, send)  # noqa: E731
    RESULTS.mkdir(exist_ok=True)
    with _path(library).open("a", encoding="utf-8") as file:
        for done, found in enumerate(forks.run(look, missing, options.jobs, sum(limits.values()), options.gib)):
            file.write(json.dumps(found) + "\n")
            file.flush()
            print(f"{library} {done + 1}/{len(missing)} {_line(found)}", flush=True)


def _line(found: dict[str, Any]) -> str:
    if not report.is_built(found):
        return f"{found['name']}: cannot be built: {found.get('build_error') or found.get('died')}"
    times = f"{report.capture_seconds(found):.2f} s, {report.draw_seconds(found):.2f} s"
    return "; ".join([f"{found['name']} {found.get('captured_by', 'failed')} {times}", *report.failures(found)])


def _path(library: str) -> Path:
    return RESULTS / f"sweep_{library}.jsonl"


def _read(library: str) -> list[dict[str, Any]]:
    """The last result of each model."""
    path = _path(library)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return list({found["name"]: found for found in map(json.loads, lines)}.values())


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
    return ", ".join(f"{name} {version(name)}" for name in ("torch", *LIBRARIES))


if __name__ == "__main__":
    main()
