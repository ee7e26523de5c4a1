"""What `make` and `convert` do, step after step, each step once."""
