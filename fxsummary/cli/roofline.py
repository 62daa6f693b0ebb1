"""The commands for times at best: ``roofline``, ``generation`` and ``devices``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fxsummary.cli.model_options import add_model_arguments, graph_of, request_of
from fxsummary.cli.terminal import say, width, write, write_text
from fxsummary.errors import InputError
from fxsummary.graph.device import Device, devices
from fxsummary.loading.load_model import model_of


def add_commands(commands: Any, look: dict[str, Any]) -> None:
    """Add the parsers of the commands."""
    roofline = commands.add_parser("roofline", help="print the time of a forward pass at best on a device", **look)
    add_model_arguments(roofline)
    roofline.add_argument("--device", default="H100", help="a name that `fxsummary devices` lists (default: H100)")
    roofline.add_argument(
        "--efficiency", type=float, default=1.0, help="reachable share of the peak rates (default: 1)"
    )
    roofline.add_argument("-o", "--output", help="write to this file: .txt, .md, .tex, or the plot as .svg, .png, .pdf")
    roofline.set_defaults(run=_roofline)
    generation = commands.add_parser(
        "generation", help="print what prefill and decode of a language model cost", **look
    )
    add_model_arguments(generation)
    generation.add_argument("--tokens", type=int, default=2048, help="length of the prompt (default: 2048)")
    generation.add_argument("--batch", default="1", help="numbers of sequences in decode, such as 1,16 (default: 1)")
    generation.add_argument("--device", default="H100", help="names that `fxsummary devices` lists (default: H100)")
    generation.add_argument("--efficiency", type=float, default=1.0, help="reachable share of the peaks (default: 1)")
    generation.set_defaults(run=_generation)
    listing = commands.add_parser("devices", help="list the devices with their peak rates, or measure this machine")
    listing.add_argument("--measure", action="store_true", help="measure the rates of this machine, for your devices")
    listing.set_defaults(run=_devices)


def _roofline(options: argparse.Namespace) -> int:
    found = graph_of(options).roofline(options.device, efficiency=options.efficiency)
    if options.output:
        write(f"{found.render(Path(options.output))}\n")
    else:
        write_text(f"{found.to_text(width=width(), depth=options.depth)}\n")
    return 0


def _generation(options: argparse.Namespace) -> int:
    from fxsummary.analysis.language_model import generation

    if options.input:
        raise InputError("--input does not apply to generation: its inputs follow from --tokens and --batch.")
    sizes = options.batch.split(",")
    if not all(each.strip().isdecimal() and int(each) for each in sizes):
        raise InputError(f"--batch {options.batch!r} is not a list of numbers of sequences, such as 1,16.")
    model = model_of(request_of(options), (lambda text: None) if options.quiet else say)
    batch, names = [int(each) for each in sizes], [each.strip() for each in options.device.split(",")]
    found = generation(model, tokens=options.tokens, batch=batch, device=names, efficiency=options.efficiency)
    write_text(f"{found.to_text(width())}\n")
    return 0


def _devices(options: argparse.Namespace) -> int:
    if options.measure:
        from fxsummary.analysis.measure import measure

        write(f"{measure()!r}\n")
        return 0
    for name, each in devices().items():
        write(f"{name:12}{_described(each)}\n")
    return 0


def _described(device: Device) -> str:
    memory = f", {device.memory / 1e9:.0f} GB" if device.memory else ""
    return f"{device}{memory}\n{'':12}{device.source}"
