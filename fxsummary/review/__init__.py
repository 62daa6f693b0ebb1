"""Reviews of a graph: exceeded budgets and likely mistakes."""
