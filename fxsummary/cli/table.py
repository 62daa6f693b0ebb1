"""The command for many models: a table with a row for each."""

from __future__ import annotations

import argparse
from typing import Any

from fxsummary.cli.terminal import say, width, write, write_text
from fxsummary.graph.modeltable import FORMATS, format_of

_EPILOG = """\
MODEL is package.module:factory, path/file.py:factory, a .pt2 or .json file, or
a model of a library that lists its own, such as timm:resnet50; *, ? and [ab]
are wildcards there (quote them). A model that fails is a row with its reason.

  fxsummary table 'timm:resnet*' 'torchvision:*' --sort flops
  fxsummary table 'timm:*' --jobs 2 --resume timm.jsonl -o timm.html
  fxsummary table models.py:Small models.py:Large --columns parameters,memory

columns: {}

exit codes: 0 a table was made, 2 failed (stderr says why)
"""


def add_commands(commands: Any) -> None:
    """Add the command to the parser."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser("table", help="compare many models in one table", epilog=_EPILOG, formatter_class=raw)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a model, or a pattern such as 'timm:resnet*'")
    parser.add_argument("--columns", metavar="NAMES", help="columns, such as parameters,flops,memory")
    parser.add_argument("--sort", metavar="COLUMN", help="column to sort by, the largest first, or name")
    parser.add_argument("--ascending", action="store_const", const=True, help="sort numbers from the smallest")
    parser.add_argument("--input", metavar="SHAPE", help="input shape for all models, such as 1x3x224x224")
    parser.add_argument("--jobs", type=int, metavar="N", help="number of processes (default: the number of CPUs)")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="time that one model may take (default: any)")
    parser.add_argument("--resume", metavar="FILE", help="file with finished rows: compute only what is missing in it")
    parser.add_argument("--import", action="append", default=[], dest="imports", metavar="MODULE",
                        help="a module to import first, such as one that registers a library; repeatable")  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="print no progress to stderr")
    suffixes = ", ".join(FORMATS)
    parser.add_argument("-o", "--output", help=f"file to write; the suffix selects the format: {suffixes}")
    parser.set_defaults(run=_table)


def _table(options: argparse.Namespace) -> int:
    if options.output:
        format_of(options.output)  # before the work, not after
    from fxsummary.analysis.table import table
    from fxsummary.loading.factories import import_module
    from fxsummary.loading.load_model import shape_of
    from fxsummary.support.processes import Processes

    for name in options.imports:
        import_module(name)
    with Processes(options.jobs, timeout=options.timeout) as executor:
        found = table(
            options.models,
            columns=options.columns,
            input_shape=None if options.input is None else shape_of(options.input),
            executor=executor,
            resume=options.resume,
            progress=None if options.quiet else lambda each: say(str(each)),
        )
    if options.sort:
        found = found.sorted(options.sort, ascending=options.ascending)
    if options.output:
        write(f"{found.render(options.output)}\n")
    else:
        write_text(found.to_text(width=width()) + "\n")
    return 0
