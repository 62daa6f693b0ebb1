"""The graph of a model and everything it is made of: plain values, no tensor and no module."""
