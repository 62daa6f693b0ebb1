"""Reports of reviews: what changed, and what was found."""
