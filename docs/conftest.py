"""The examples of extensions register themselves when they are imported; tests/test_extending.py does that."""

collect_ignore_glob = ["examples/extending/*"]
