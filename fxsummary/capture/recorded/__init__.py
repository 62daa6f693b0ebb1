"""The recorded way: one forward on meta tensors, written down call by call."""
