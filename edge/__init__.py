"""Faces on small boards: detect, mask state, reconstruction, identity, emotion."""

__all__ = ["__version__"]

__version__ = "0.1.0"
