"""The command line: results on stdout, progress and errors on stderr.

Exit codes: 0 for success; 1 if a review found something (`fxsummary.cli.review`) or a block of a README is stale;
2 for failure (usage, the model, its inputs or the output file), and stderr says why.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fxsummary import __version__
from fxsummary.cli import formulas, picture, review, roofline, show, table
from fxsummary.cli.model_options import add_model_arguments, graph_of
from fxsummary.cli.parser import Parser
from fxsummary.cli.terminal import say, write, write_text
from fxsummary.errors import FxsummaryError

DONE, STALE, FAILED, INTERRUPTED = 0, 1, 2, 130

_MODEL = """\
MODEL is one of:
  package.module:factory or path/file.py:factory
      The factory is a class, a function that returns a model, or a model.
      --arg passes arguments to it, --config a config. fxsummary builds the model
      on the meta device if it can, which allocates no weights, and puts it into
      eval mode.
  revision:package.module:factory or revision:path/file.py:factory
      The same as of a git revision, such as main or HEAD~1; for show, render,
      diff, check, lint and table.
  library:model
      A model of a library that lists its own, such as timm:resnet50.
  models.py
      A Python file with one model; if it has several, they are listed.
  folder or config.json
      A model of transformers, diffusers or timm by its config; no weights are
      needed, nothing is downloaded.
  file.safetensors, file.pth
      A file of tensors: the tree of its parameters. No code in it is run.
  file.pt
      A TorchScript file, or a file of tensors.
  file.pt2
      An exported program, saved by torch.export.save; it contains its inputs.
      torch.export.load unpickles the file: open only files that you trust.
  file.json
      A graph that fxsummary saved.
"""

_EPILOG = f"""\
{_MODEL}
examples:
  fxsummary show timm:resnet50
  fxsummary show timm:create_model --arg model_name=resnet50
  fxsummary render models.py:CNN -o cnn.svg
  fxsummary render models.py:CNN -o cnn.png --color flops --direction LR
  fxsummary show models.py:Bert --input input_ids=1x128:int64 --depth 3
  fxsummary show transformers:BertModel --config transformers:BertConfig
  fxsummary show model.pt2
  fxsummary show folder/of/a/model --dtype bfloat16
  fxsummary render models.py:CNN -o - --format svg
  fxsummary diff main:models.py:CNN models.py:CNN -o diff.svg
  fxsummary training models.py:CNN --optimizer sgd
  fxsummary formulas models.py:CNN --input Bx3xHxW
  fxsummary roofline models.py:CNN --device A100
  fxsummary check models.py:CNN --max-parameters 25M
  fxsummary lint models.py:CNN
  fxsummary readme README.md --check

exit codes: 0 success, 2 failure (stderr says why); 1 if models differ, a budget
is exceeded, lint has findings, or a block of a README is stale
"""

_README = """\
Replaces everything between <!-- fxsummary: MODEL --input 1x3x224x224 --view summary --> and <!-- /fxsummary -->.
MODEL, --view, --input, --arg, --config, --depth and --no-fold work as for show. -o cnn.svg draws a picture instead,
with the views and options of render; --format mermaid writes a flowchart. --title TEXT and --no-title set the heading;
--no-notes leaves out the notes below a table.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks for completions
        import argcomplete

        argcomplete.autocomplete(parser)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except FxsummaryError as error:
        say(f"error: {error}")
        return FAILED
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception:  # a bug in fxsummary; exit code 1 would mean that a review found something
        traceback.print_exc()
        return FAILED


def _parser() -> argparse.ArgumentParser:
    look: dict[str, Any] = {"epilog": _MODEL, "formatter_class": argparse.RawDescriptionHelpFormatter}
    description = "See a PyTorch model's architecture and what it costs."
    parser = Parser(prog="fxsummary", description=description, **{**look, "epilog": _EPILOG})
    parser.add_argument("--version", action="version", version=f"fxsummary {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    show.add_commands(commands, look)
    training = commands.add_parser("training", help="print the memory of a training step", **look)
    add_model_arguments(training)
    training.add_argument("--optimizer", default="adamw", help="adamw (default), adam, momentum, sgd or adafactor")
    training.add_argument("--device", default="cuda", help="the device whose kernels run: cuda (default) or cpu")
    training.add_argument("--precision", help="bf16 or fp16 for mixed precision (default: the model's dtypes)")
    training.add_argument("--time", metavar="DEVICE", help="also print the time at best on a device, such as H100")
    training.set_defaults(run=_training, train=True)
    formulas.add_command(commands, look)
    roofline.add_commands(commands, look)
    readme = commands.add_parser("readme", help="update the blocks of a Markdown file", description=_README)
    readme.add_argument("file", metavar="FILE", help="a Markdown file, such as README.md")
    readme.add_argument("--check", action="store_true", help="write nothing; show what is stale, and exit with 1")
    readme.add_argument("--quiet", action="store_true", help="print no progress to stderr")
    readme.set_defaults(run=_readme)
    review.add_commands(commands)
    table.add_commands(commands)
    for command in commands.choices.values():
        command.set_defaults(parser=command)
    return parser


def _training(options: argparse.Namespace) -> int:
    chosen = {name: getattr(options, name) for name in ("optimizer", "device", "precision")}
    found = graph_of(options).training(**chosen)
    write_text(f"{found}\n")
    if options.time:
        write_text(f"\n{found.time(options.time)}\n")
    return DONE


def _readme(options: argparse.Namespace) -> int:
    from fxsummary.documents.readme import BlockParser, refresh

    parser = BlockParser()
    add_model_arguments(parser)
    picture.add_look_arguments(parser)
    parser.set_defaults(quiet=options.quiet)
    results = refresh(Path(options.file), parser, graph_of, picture.look_of, check=options.check)
    for result in results:
        state = ("stale" if options.check else "updated") if result.changes else "up to date"
        told = [f"  {line}" for line in result.changes] if options.check else []
        write("\n".join([f"{options.file}:{result.line}: {state}", *told]) + "\n")
    return STALE if options.check and any(result.changes for result in results) else DONE
