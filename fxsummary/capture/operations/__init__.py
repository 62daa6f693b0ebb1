"""One operation on specs: its outcome, its FLOPs, and the memo that keeps both."""
