"""The examples of extensions register themselves when they are imported; tests/test_extending.py does that."""

from zoo.operators import define_torchvision_operators

define_torchvision_operators()  # the examples import torchvision

collect_ignore_glob = ["examples/extending/*"]
