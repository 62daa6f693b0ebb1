"""The parser of the command line, which names the closest known command or option in its errors."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from fxsummary.cli.terminal import say
from fxsummary.support.registry import hint, unknown


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors have a hint; its subparsers are of the same class."""

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Return the options; an unknown one is an error of the command that got it."""
        options, others = self.parse_known_args(args, namespace)
        if others:
            parser: Parser = getattr(options, "parser", self)
            parser.error(f"unknown argument {others[0]!r}. {hint(others[0].partition('=')[0], parser.names())}")
        return options

    def error(self, message: str) -> NoReturn:
        """Write the error, without the usage, and exit."""
        told = message.rstrip(". ")
        say(f"error: {told}{'' if told.endswith('?') else '.'} See {self.prog} --help.")
        self.exit(2)

    def names(self) -> list[str]:
        """Return the options of this command."""
        return [name for name in self._option_string_actions if name.startswith("--")]

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            noun = "command" if isinstance(action, argparse._SubParsersAction) else "value"
            raise argparse.ArgumentError(action if noun == "value" else None, unknown(noun, value, [*action.choices]))
