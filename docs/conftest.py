"""The examples of extensions register themselves when they are imported; tests/test_extending.py does that."""

import zoo.ready  # noqa: F401  # the examples import torchvision, and so do their workers

collect_ignore_glob = ["examples/extending/*"]
