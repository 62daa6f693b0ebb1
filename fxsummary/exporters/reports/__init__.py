"""Reports of reviews: changes and findings."""
