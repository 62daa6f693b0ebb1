"""The report as a page of the documentation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from benchmarks.sweep import report
from benchmarks.sweep.libraries import WHAT
from benchmarks.sweep.report import MOST_LINES, Found

_HEAD = """# Coverage

Every model class of four libraries, each in its default configuration, with weights on `meta`, captured without inputs:
`fxsummary.graph(model)`. `make sweep` makes this page; times are CPU seconds on one core, on models of full size.

"""

_COLUMNS = """
*Can be built*: the class builds from its default configuration, without network. *Can run*: some input may get through
forward in that configuration; the others are [below](#what-cannot-run), each with the reason. *Dataflow*: how many of
those that can run are captured with operations and shapes, rather than as the module tree alone; partial graphs count.
*Partial*: the graph ends before forward does, and a note says where and why. *Parameters equal*: to the elements of the
distinct parameter tensors. *FLOPs equal*: to `FlopCounterMode` over the same forward on `meta`, where that runs; a
count that says that it is a lower bound may be lower. *Lines*: of `print(g)` at 80 columns. *Drawn rows*: what the
picture shows at the depth that fxsummary chooses: rows of tables, cards, signs and pills, with inputs, outputs,
parameters, closed modules, and names of values from elsewhere. *Over 2600 px*: pictures that are wider or taller than
that. Times are of all that can be built.
"""

_LONG = f"""
## Long summaries

The models whose summary has more than {MOST_LINES} lines.

"""

_WHY = """
## What is not captured, and why

Without dataflow you still get the module tree, with parameters. The reason is the error of forward with the inputs that
got furthest.
"""

_CANNOT_RUN = """
## What cannot run

No input runs these classes in their default configuration: forward is missing, or raises whatever it gets. Each was
read in the code, and seen to raise with real tensors on the CPU, itself or the base model inside of it. fxsummary shows
their module tree.

| library | model | why |
|---|---|---|
"""


def page(libraries: dict[str, list[Found]], totals: dict[str, int], versions: str) -> str:
    """The page; totals are how many models there are, whether looked at or not."""
    parts = [_HEAD, _table(report.rows(libraries)), _COLUMNS, f"\nMeasured with {versions}.\n\n"]
    parts += [f"- {name}: {WHAT[name]}{_so_far(models, totals[name])}\n" for name, models in libraries.items()]
    parts.append(_LONG)
    parts += [f"- {name}{_long(models)}\n" for name, models in libraries.items()]
    parts.append(_WHY)
    parts += [_failures(name, models) for name, models in libraries.items()]
    parts.append(_CANNOT_RUN)
    parts += [_not_run(name, models) for name, models in libraries.items()]
    parts.append("\n## What cannot be built\n\n")
    parts += [_not_built(name, models) for name, models in libraries.items()]
    return "".join(parts)


def _so_far(models: Sequence[Found], total: int) -> str:
    return f"; {len(models):,} of {total:,} so far" if len(models) < total else ""


def _long(models: Sequence[Found]) -> str:
    measured = sum("lines" in each for each in models)
    return f", {measured:,} measured: {', '.join(report.longest(models)) or 'none'}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(cell.strip() for cell in row)} |\n" for row in (head, rule, *body))


def _failures(library: str, models: Sequence[Found]) -> str:
    """What is wrong with each model."""
    lines = [f"| `{each['name']}` | {_cell(reason)} |\n" for each in models for reason in report.failures(each)]
    if not lines:
        return f"\n{library}: nothing.\n"
    return "".join([f"\n### {library}\n\n| model | what |\n|---|---|\n", *lines])


def _not_run(library: str, models: Sequence[Found]) -> str:
    """Why classes cannot run, those with the same reason in one row."""
    names: dict[str, list[str]] = defaultdict(list)
    for each in sorted(models, key=lambda each: str(each["name"])):
        if report.is_built(each) and not report.can_run(each):
            names[report.why_not_run(each)].append(f"`{each['name']}`")
    return "".join(f"| {library} | {', '.join(same)} | {_cell(why)} |\n" for why, same in names.items())


def _not_built(library: str, models: Sequence[Found]) -> str:
    reasons: dict[str, list[str]] = defaultdict(list)
    for each in models:
        if not report.is_built(each):
            reasons[_kind(each)].append(each["name"])
    return "".join(f"- {library}, {len(names)}: {_cell(kind)} ({_some(names)})\n" for kind, names in reasons.items())


def _kind(found: Found) -> str:
    return str(found.get("build_error") or found.get("died")).partition(" at ")[0][:120]


def _some(names: Sequence[str], limit: int = 3) -> str:
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())[:400]
