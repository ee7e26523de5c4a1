"""Find the nearest template: one matrix, one product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError

__all__ = ["Match", "Templates"]


@dataclass(frozen=True, slots=True)
class Match:
    """The nearest person.

    Attributes:
        person: name, or None when nobody is near enough.
        similarity: cosine to the nearest template, -1..1; 0 in an empty gallery.
    """

    person: str | None
    similarity: float


class Templates:
    """Everybody's templates, in memory.

    Args:
        names: whose template each row is.
        rows: float32 ``[N, D]``, each of length 1.
    """

    def __init__(self, names: tuple[str, ...], rows: NDArray[np.float32]) -> None:
        self._names = names
        self._rows = rows

    def __len__(self) -> int:
        """Return how many templates there are."""
        return len(self._names)

    def nearest(self, embedding: NDArray[np.float32], threshold: float) -> Match:
        """Return whoever has the template with the greatest cosine.

        Args:
            embedding: float32 ``[D]`` of length 1.
            threshold: cosine from which on it is this person.

        Raises:
            DataError: the embedding has another length than the templates.
        """
        if not self._names:
            return Match(None, 0.0)
        if embedding.shape != self._rows.shape[1:]:
            raise DataError(
                f"an embedding of shape {list(embedding.shape)} meets a gallery of "
                f"{self._rows.shape[1]} numbers a template",
                hint="enrol everybody again with this bundle, into a new gallery",
                code="gallery.length",
            )
        cosines = self._rows @ embedding
        best = int(np.argmax(cosines))
        similarity = min(1.0, max(-1.0, float(cosines[best])))
        return Match(self._names[best] if similarity >= threshold else None, similarity)
