"""The errors fxsummary raises: each names the thing, the place, what was tried and the remedy.

Every one derives from `FxsummaryError`, and from the built-in exception a reader
would have expected, so that ``except TypeError`` keeps working.
"""

from __future__ import annotations

from typing import Any


class FxsummaryError(Exception):
    """Base class of all errors raised by fxsummary."""


class ModelError(FxsummaryError, TypeError):
    """What was given is not something that can be analysed."""


class _PlacedError(FxsummaryError):
    """An error at a place in the model.

    Attributes:
        module: path of the module whose forward was running, "" for the model itself.
        source: ``file:line`` in the user's code, or "" where it is not known.
    """

    def __init__(self, message: str, *, module: str = "", source: str = "") -> None:
        super().__init__(message)
        self.module = module
        self.source = source


class InputError(_PlacedError, ValueError):
    """The example inputs do not fit the model: their number, shape or dtype.

    Where an operation refuses them, torch's exception is the ``__cause__``.
    """


class ForwardError(_PlacedError, RuntimeError):
    """The model's own forward raised; its exception is the ``__cause__``."""


class UnknownNameError(FxsummaryError, LookupError, ValueError):
    """A name (a file suffix, a view, a column) that is not known; the known ones are listed."""


class DuplicateNameError(FxsummaryError, ValueError):
    """A name that is registered already."""


class OutputError(FxsummaryError, OSError):
    """The result could not be written; nothing half-written remains."""


class MissingPackageError(FxsummaryError, ImportError):
    """A package that only this form needs is not installed; the message has the line that installs it."""


class TooLargeError(OutputError):
    """The result would be larger than what can be shown; the message has the remedy."""


class ModelFileError(FxsummaryError, OSError, ValueError):
    """A file of a model cannot be read, or holds something else; torch's exception is the ``__cause__``."""


class SavedGraphError(FxsummaryError, OSError, ValueError):
    """A saved graph cannot be read, or is something else; the message names the file and the place in it."""


class ReadmeError(FxsummaryError, ValueError):
    """A Markdown file cannot be read, or a block of it cannot be filled; the message names file and line."""


class BudgetError(FxsummaryError, AssertionError):
    """A model does not keep its budgets; the message lists each of them.

    Attributes:
        findings: one `fxsummary.graph.findings.Finding` for each exceeded budget.
    """

    def __init__(self, message: str, findings: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class SettingsError(FxsummaryError, ValueError):
    """What pyproject.toml says under ``[tool.fxsummary]`` is not understood."""


class ModelImportError(FxsummaryError, ImportError):
    """The MODEL of the command line could not be imported or built."""
