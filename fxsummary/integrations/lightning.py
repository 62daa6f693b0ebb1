"""A callback for Lightning in place of its own ``ModelSummary``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from fxsummary.errors import MissingPackageError
from fxsummary.integrations import loggers
from fxsummary.integrations.summarise import Inputs, summarise, warned, write

_PACKAGES = [name for name in ("lightning", "pytorch_lightning") if find_spec(name)]
if not _PACKAGES:
    raise MissingPackageError("this callback needs Lightning; install with pip install lightning.")
_HOMES = {"lightning": "lightning.pytorch.callbacks"}
_OWN = [import_module(_HOMES.get(name, f"{name}.callbacks")).ModelSummary for name in _PACKAGES]
_Base: Any = type("_Base", tuple(_OWN), {})
"""The classes of all installed Lightnings: the Trainer of each leaves out its own summary if it finds its class."""


class ModelSummary(_Base):
    """Log fxsummary's summary when training starts, and write its text and picture to the log folder.

    The example inputs are the module's ``example_input_array``; without it they are inferred where possible. The graph
    is also written to the trainer's loggers that `fxsummary.integrations.loggers` supports. If the model cannot be
    summarised, a warning says why, and training continues.

    Args:
        depth: levels of modules to open, 0 for the model as one row; None for as many as fit a page.
    """

    def __init__(self, depth: int | None = None) -> None:
        super().__init__()
        self._depth = depth

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Summarise the module in the first process."""
        folder = trainer.log_dir  # all processes take part in this
        if not trainer.is_global_zero:
            return
        messages = logging.getLogger(type(trainer).__module__)
        with warned(pl_module, messages):
            found = summarise(pl_module, [_inputs(pl_module.example_input_array)])
            messages.info("\n%s", found.to_text(depth=self._depth))
            for each in [logger.experiment for logger in trainer.loggers]:
                if loggers.is_supported(each):
                    loggers.log(each, found, depth=self._depth)
            if folder and "://" not in folder:
                write(found, folder, self._depth)


def _inputs(example: Any) -> Inputs:
    """Return inputs of forward as Lightning passes an ``example_input_array``."""
    if isinstance(example, Mapping):
        return (), example
    if example is None:
        return (), {}
    return (example if isinstance(example, (tuple, list)) else (example,)), {}
