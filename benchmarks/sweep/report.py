"""What a sweep found: a table of the libraries, the slowest models, and every failure with its reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.sweep.cannot_run import reasons as cannot_run

Found = dict[str, Any]

MAX_PIXELS = 2600
MOST_LINES = 120
"""Number of lines of a text beyond which a model is listed."""
TREE = "modules"


def is_built(found: Found) -> bool:
    """Whether the model could be built in its default configuration."""
    return "true_parameters" in found


def why_not_run(found: Found) -> str:
    """Why no input runs a model in its default configuration; "" if one may."""
    return next((models[found["name"]] for models in cannot_run().values() if found["name"] in models), "")


def can_run(found: Found) -> bool:
    """Whether there may be an input that forward takes."""
    return is_built(found) and not why_not_run(found)


def has_dataflow(found: Found) -> bool:
    """Whether the model was captured with its operations."""
    return found.get("captured_by", TREE) != TREE


def capture_seconds(found: Found) -> float:
    """CPU time of `fxsummary.graph`."""
    return float(found.get("capture_s", 0) + found.get("convert_s", 0))


def draw_seconds(found: Found) -> float:
    """CPU time of text and picture together."""
    return float(found.get("text_s", 0) + found.get("picture_s", 0))


def parameters_differ(found: Found) -> str:
    """How the parameters differ from the distinct tensors of the model; "" if they do not."""
    if found.get("parameters") in (None, found["true_parameters"]):
        return ""
    return f"{found['parameters']:,} parameters, not {found['true_parameters']:,}"


def flops_differ(found: Found) -> str:
    """How FLOPs differ from the independent count; "" if they do not, or if either is a lower bound."""
    if "true_flops" not in found or found["partial"]:
        return ""
    mine, truth = found["flops"], found["true_flops"]
    is_bound = bool(found["unknown_flops"] or found["true_unknown"])
    if mine is None or mine == truth or (is_bound and mine >= truth):
        return ""
    return f"{mine:,} FLOPs, not {truth:,}"


def has_parameters(found: Found) -> bool:
    """Whether the parameters are those of the model."""
    return "parameters" in found and not parameters_differ(found)


def has_flops(found: Found) -> bool:
    """Whether the FLOPs are those of the independent count."""
    return not flops_differ(found)


def failures(found: Found) -> list[str]:
    """What is wrong with one model."""
    if not is_built(found):
        return []
    notes = found.get("notes", [])
    reasons = [f"{key.removesuffix('_error')}: {found[key]}" for key in found if key.endswith("_error")]
    reasons = [reason for reason in reasons if not reason.startswith("truth: ")]
    if "died" in found and found.get("step") not in ("truth", "done"):
        reasons.append(f"{found['step']}: the process was ended ({found['died']})")
    if why_not_run(found) and has_dataflow(found) and not found.get("partial"):
        reasons.append("it stands in cannot_run.toml, and was captured")
    if found.get("captured_by") == TREE and not why_not_run(found):
        reasons.append(f"module tree: {_why_a_tree(notes)}")
    if found.get("partial"):
        reasons.append(f"partial: {next((note for note in notes if 'stopped' in note), notes[-1:])}")
    reasons += filter(None, [parameters_differ(found), flops_differ(found)])
    return reasons


def is_wide(found: Found) -> bool:
    """Whether the picture is wider or taller than a screen."""
    return max(found.get("size") or [0]) > MAX_PIXELS


def _why_a_tree(notes: Sequence[str]) -> str:
    """What was tried, or why nothing was."""
    text = next((note for note in notes if "this is the module tree" in note), "no note says why")
    tried = re.search(r"could not be inferred \((.*)\): pass", text)
    return tried[1] if tried else text.partition("; this is the module tree")[0]


COLUMNS: dict[str, Callable[[Sequence[Found]], str]] = {
    "models": lambda models: str(len(models)),
    "can be built": lambda models: str(sum(map(is_built, models))),
    "can run": lambda models: str(sum(map(can_run, models))),
    "dataflow": lambda models: _share(list(filter(can_run, models)), has_dataflow),
    "partial": lambda models: str(sum(bool(each.get("partial")) for each in models)),
    "parameters equal": lambda models: _share(models, has_parameters),
    "FLOPs equal": lambda models: _share([each for each in models if "true_flops" in each], has_flops),
    "capture median": lambda models: _quantile(models, capture_seconds, 0.5),
    "99 %": lambda models: _quantile(models, capture_seconds, 0.99),
    "max": lambda models: _quantile(models, capture_seconds, 1),
    "text + picture 99 %": lambda models: _quantile(models, draw_seconds, 0.99),
    "max ": lambda models: _quantile(models, draw_seconds, 1),
    "lines median": lambda models: _count(models, "lines", 0.5),
    "95 %": lambda models: _count(models, "lines", 0.95),
    "max  ": lambda models: _count(models, "lines", 1),
    "drawn rows 95 %": lambda models: _count(models, "rows", 0.95),
    "max   ": lambda models: _count(models, "rows", 1),
    f"over {MAX_PIXELS} px": lambda models: str(sum(map(is_wide, models))),
}  # fmt: skip
"""The columns of the table, each made from the models of a library; seconds are CPU time on one core."""


def rows(libraries: dict[str, list[Found]]) -> list[list[str]]:
    """The table, with its header."""
    groups = {**libraries, "all": [each for found in libraries.values() for each in found]}
    lines = [[name, *[column(found) for column in COLUMNS.values()]] for name, found in groups.items()]
    return [["library", *COLUMNS], *lines]


def slowest(found: Sequence[Found], number: int = 15) -> list[str]:
    """The models that take longest."""
    order = sorted(found, key=lambda each: -max(capture_seconds(each), draw_seconds(each)))
    return [
        f"{each['name']}: capture {capture_seconds(each):.1f} s, text and picture {draw_seconds(each):.1f} s, "
        f"{each.get('operations', '?')} operations, {each.get('captured_by', '?')}"
        for each in order[:number]
    ]


def longest(found: Sequence[Found]) -> list[str]:
    """The models whose text has more than `MOST_LINES` lines, the longest first."""
    long = [each for each in found if each.get("lines", 0) > MOST_LINES]
    return [f"{each['name']}: {each['lines']:,}" for each in sorted(long, key=lambda each: -int(each["lines"]))]


def _share(models: Sequence[Found], test: Callable[[Found], bool]) -> str:
    of = [each for each in models if is_built(each)]
    good = sum(map(test, of))
    return f"{good}/{len(of)}" + (f" {_percent(good / len(of))}" if of else "")


def _percent(share: float) -> str:
    """Rounded down, so that 100 % is all.

    >>> _percent(0.9999)
    '99.9 %'
    """
    return f"{int(share * 1000) / 10:g} %"


def _quantile(models: Sequence[Found], key: Callable[[Found], float], share: float) -> str:
    values = [key(each) for each in models if is_built(each)]
    return f"{_at(values, share):.2f} s" if values else "-"


def _count(models: Sequence[Found], key: str, share: float) -> str:
    """The quantile of a count; models measured before it was counted are left out."""
    values = [each[key] for each in models if key in each]
    return f"{_at(values, share):,}" if values else "-"


def _at(values: list[Any], share: float) -> Any:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def is_slow(found: Found) -> bool:
    """Whether it takes longer than nearly every model should."""
    return capture_seconds(found) > 5 or draw_seconds(found) > 2
