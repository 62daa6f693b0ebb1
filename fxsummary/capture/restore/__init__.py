"""Restores everything that a capture may change: the model's state, what its code can reach, and torch's globals."""
