"""``make bench``: everything that ``edge-bench`` measures on one machine, and its tables."""
