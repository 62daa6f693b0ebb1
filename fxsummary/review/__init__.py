"""What a review finds in a graph: broken budgets, and what looks like a mistake."""
