"""Import this module before torchvision, in each process: `fxsummary table --import zoo.ready`."""

from zoo.operators import define_torchvision_operators

define_torchvision_operators()
