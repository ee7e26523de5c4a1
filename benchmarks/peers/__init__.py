"""The systems this project descends from, timed beside it in one run."""
