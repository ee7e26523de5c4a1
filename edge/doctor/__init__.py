"""Look at this machine and say what keeps edge-run from running well, and what mends it.

Nothing is imported here: the command must be able to say that NumPy does not load.
"""
