"""People and their templates; asks nothing of the pipeline but an embedding."""

from __future__ import annotations

from edge.gallery.match import Match
from edge.gallery.store import Gallery, Person

__all__ = ["Gallery", "Match", "Person"]
