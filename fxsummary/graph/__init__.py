"""The graph of a model and its records. All of them are plain values, without tensors or modules."""
