"""Where models are trained: Lightning, the Trainer of transformers, TensorBoard and Weights & Biases."""
