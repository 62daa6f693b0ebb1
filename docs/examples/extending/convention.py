"""An input convention: what to pass for an argument that fxsummary does not know by name."""

from fxsummary.capture.inputs.guess.guesses import ARGUMENTS, SIZES
from fxsummary.capture.inputs.guess.rows import Argument, Size

SIZES["beams"] = Size("num_beams", usual=(64, 32))  # a setting of the model or its config, else 64 or 32
ARGUMENTS["lidar_scan"] = Argument("1 beams 3 | 1 3 beams")  # the second shape if forward refuses the first
