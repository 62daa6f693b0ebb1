"""The symbolic way: forward is traced with proxies, as ``torch.fx`` does."""
