"""Write a model's graph to TensorBoard or to Weights & Biases."""

from __future__ import annotations

import io
from typing import Any

from fxsummary.errors import InputError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.support.registry import EXPORTERS


def log(logger: Any, graph: ModelGraph, *, name: str = "model", depth: int | None = None) -> None:
    """Write a graph to a TensorBoard writer or a Weights & Biases run.

    TensorBoard gets the summary as text, the picture if ``fxsummary[png]`` is installed, and scalars at step 0. A run
    gets the interactive page with its next step, and the scalars in its summary. The scalars are those of `scalars`.

    Args:
        logger: a `torch.utils.tensorboard.SummaryWriter`, or what ``wandb.init`` returns.
        graph: the model's graph.
        name: the group of the entries, as in ``model/parameters``.
        depth: levels of modules to open, 0 for the model as one row; None for as many as fit.

    Raises:
        InputError: ``logger`` is neither.
    """
    values = {f"{name}/{key}": value for key, value in scalars(graph).items()}
    if _is_writer(logger):
        logger.add_text(f"{name}/summary", graph.to_markdown(depth=depth), 0)
        if not EXPORTERS["png"].missing():
            logger.add_image(f"{name}/picture", _pixels(graph.to_png(depth=depth)), 0, dataformats="HWC")
        for key, value in values.items():
            logger.add_scalar(key, value, 0)
    elif _is_run(logger):
        import wandb

        page = wandb.Html(graph.to_html(depth=depth), inject=False, data_is_not_path=True)
        logger.log({f"{name}/page": page}, commit=False)  # the number of the user's steps stays
        logger.summary.update(values)
    else:
        raise InputError(
            f"a {type(logger).__name__} is no logger that fxsummary can write to: pass a SummaryWriter of TensorBoard "
            "or a run of Weights & Biases."
        )


def is_supported(logger: object) -> bool:
    """Return whether `log` can write to a logger."""
    return _is_writer(logger) or _is_run(logger)


def scalars(graph: ModelGraph) -> dict[str, int]:
    """Return the numbers for loggers: parameters, FLOPs, and bytes of activations at the peak of a forward pass.

    A number that is unknown, a lower bound or assumed is left out, because a scalar cannot show that.
    """
    totals, memory, found = graph.totals, graph.memory, {}
    if not totals.unknown_parameters:
        found["parameters"] = totals.parameters
        found["trainable_parameters"] = totals.trainable_parameters
    if totals.flops is not None and not (totals.unknown_flops or totals.assumed_flops):
        found["flops"] = totals.flops
    if memory is not None and not (memory.unknown or memory.is_assumed):
        found["peak_activation_bytes"] = memory.peak
    return found


def _is_writer(logger: object) -> bool:
    return all(hasattr(logger, name) for name in ("add_text", "add_image", "add_scalar"))


def _is_run(logger: object) -> bool:
    return type(logger).__module__.partition(".")[0] == "wandb" and hasattr(logger, "summary")


def _pixels(png: bytes) -> Any:
    """Return a PNG as an array of rows, columns and colours."""
    import numpy
    from PIL import Image

    return numpy.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
