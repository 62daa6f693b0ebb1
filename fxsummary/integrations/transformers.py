"""A callback for the Trainer of transformers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from fxsummary.capture.restore.torch_state import preserved_globals
from fxsummary.errors import MissingPackageError
from fxsummary.integrations import loggers as destinations
from fxsummary.integrations.summarise import Inputs, summarise, warned, write

if find_spec("transformers") is None:
    raise MissingPackageError("this callback needs transformers; install with pip install transformers.")

from transformers import TrainerCallback

_MESSAGES = logging.getLogger(__name__)


class SummaryCallback(TrainerCallback):
    """Write the model's summary and picture to the output folder when training starts.

    The inputs have the shapes of a batch of the first samples of the training data. If the data cannot be indexed, or
    the model does not take this batch, they are inferred where possible. If the model cannot be summarised, a warning
    says why, and training continues.

    Args:
        depth: levels of modules to open, 0 for the model as one row; None for as many as fit a page.
        loggers: TensorBoard writers and Weights & Biases runs to write to, see `fxsummary.integrations.loggers`.
    """

    def __init__(self, depth: int | None = None, loggers: Iterable[Any] = ()) -> None:
        self._depth = depth
        self._loggers = tuple(loggers)

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, train_dataloader: Any = None, **_: Any
    ) -> None:
        """Summarise the model in the first process."""
        if not state.is_world_process_zero:
            return
        with warned(model, _MESSAGES):
            found = summarise(model, _inputs(train_dataloader, args.per_device_train_batch_size))
            for logger in self._loggers:
                destinations.log(logger, found, depth=self._depth)
            write(found, args.output_dir, self._depth)


def _inputs(loader: Any, size: int) -> Iterator[Inputs]:
    """Yield the first samples as a batch, if there is one, then no inputs; the loader's sampler is not asked."""
    with preserved_globals():  # samples may be drawn or augmented at random
        try:
            batch = loader.collate_fn([loader.dataset[index] for index in range(min(size, len(loader.dataset)))])
        except Exception as error:  # whatever the user's dataset raises: training will tell
            _MESSAGES.info("no batch for the summary: %s", error)
            batch = None
    if isinstance(batch, Mapping):
        yield (), batch
    yield (), {}
