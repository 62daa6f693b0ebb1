"""What needs more than a graph: the memory of a training step on a given device, a table of many models."""
