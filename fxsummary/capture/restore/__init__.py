"""Puts back what a capture may have touched: what the model holds, what its code reaches, torch's globals."""
