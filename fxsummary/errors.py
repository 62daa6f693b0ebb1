"""Exceptions that fxsummary raises; each message says what is wrong, where, and what to do.

All derive from `FxsummaryError` and from the closest built-in exception, so ``except TypeError`` works too.
"""

from __future__ import annotations

from typing import Any


class FxsummaryError(Exception):
    """Base class of all errors raised by fxsummary."""


class ModelError(FxsummaryError, TypeError):
    """The object passed as a model is not one that fxsummary can analyse."""


class _PlacedError(FxsummaryError):
    """An error with its place in the model.

    Attributes:
        module: path of the module whose forward was running, "" for the model itself.
        source: ``file:line`` in the user's code, or "" if unknown.
    """

    def __init__(self, message: str, *, module: str = "", source: str = "") -> None:
        super().__init__(message)
        self.module = module
        self.source = source


class InputError(_PlacedError, ValueError):
    """The example inputs do not fit the model: their number, shape or dtype.

    If an operation rejects them, torch's exception is the ``__cause__``.
    """


class ForwardError(_PlacedError, RuntimeError):
    """The model's own forward raised; its exception is the ``__cause__``."""


class UnknownNameError(FxsummaryError, LookupError, ValueError):
    """A name (of a file suffix, a view, a column) is unknown; the message lists the known names."""


class DuplicateNameError(FxsummaryError, ValueError):
    """A name is already registered."""


class OutputError(FxsummaryError, OSError):
    """The output file could not be written; no partial file remains."""


class MissingPackageError(FxsummaryError, ImportError):
    """An optional package is not installed; the message contains the command that installs it."""


class TooLargeError(OutputError):
    """The output would be too large to display; the message suggests how to reduce it."""


class ModelFileError(FxsummaryError, OSError, ValueError):
    """A model file cannot be read or does not contain a model; torch's exception is the ``__cause__``."""


class SavedGraphError(FxsummaryError, OSError, ValueError):
    """A file cannot be read or is not a saved graph; the message names the file and the place in it."""


class ReadmeError(FxsummaryError, ValueError):
    """A Markdown file cannot be read, or one of its blocks cannot be filled; the message names file and line."""


class OperatorError(FxsummaryError, RuntimeError):
    """A FLOP formula or a kernel that is registered for an operator raised; its exception is the ``__cause__``."""


class BudgetError(FxsummaryError, AssertionError):
    """A model exceeds one or more budgets; the message lists them.

    Attributes:
        findings: one `fxsummary.graph.findings.Finding` for each exceeded budget; notebooks show them as a table.
    """

    def __init__(self, message: str, findings: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class SettingsError(FxsummaryError, ValueError):
    """``[tool.fxsummary]`` in pyproject.toml contains an invalid setting."""


class ModelImportError(FxsummaryError, ImportError):
    """A model that is named by a text could not be imported, read or built; the message has the chain of causes."""


class RevisionError(ModelImportError):
    """A model of a git revision cannot be loaded; the message names the revision and what to do."""


class WorkerError(FxsummaryError, RuntimeError):
    """A worker process died, or was ended because it took too long; the message says how."""
