"""Symbolic capture: traces forward with proxies, as ``torch.fx`` does."""
