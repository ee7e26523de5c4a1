"""Many answers about one face, one value: labels by weight, names by two wins in a row."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from edge.results import Identity
from edge.stages.identify import unit

__all__ = ["Embeddings", "LabelVote", "NameVote"]


class LabelVote:
    """The label that the last answers speak for.

    Another label takes over when it was given at least twice among them and their scores add up
    to more. A single answer changes nothing, and nothing flickers between two that are level.

    Args:
        window: how many answers count.

    Attributes:
        label: the value; empty before the first answer.
        doubt: whether the last answer was another.
    """

    def __init__(self, window: int) -> None:
        self.label = ""
        self.doubt = False
        self._answers: deque[tuple[str, float]] = deque(maxlen=window)

    @property
    def score(self) -> float:
        """Mean score of the answers that gave the label."""
        scores = [score for label, score in self._answers if label == self.label]
        return sum(scores) / max(len(scores), 1)

    def add(self, label: str, score: float) -> None:
        """Take an answer."""
        self._answers.append((label, score))
        held = self._weight(self.label)
        rivals = {other for other, _ in self._answers if other != self.label}
        best = max(sorted(rivals), key=self._weight, default=self.label)
        enough = sum(other == best for other, _ in self._answers) >= 2
        if held == 0 or (enough and self._weight(best) > held):
            self.label = best
        self.doubt = label != self.label

    def _weight(self, label: str) -> float:
        return sum(score for other, score in self._answers if other == label)


class Embeddings:
    """The last embeddings of one face by one network, and their mean.

    The mean of several pictures is nearer to a person than any one of them (templates of sets of
    faces: Whitelam et al. 2017, "IARPA Janus Benchmark-B").

    Args:
        window: how many count.
    """

    def __init__(self, window: int) -> None:
        self._last: deque[NDArray[np.float32]] = deque(maxlen=window)

    def add(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take an embedding, float32 ``[D]`` of length 1; return the mean, of the same kind."""
        self._last.append(embedding)
        return unit(np.mean(self._last, axis=0, dtype=np.float32))

    def clear(self) -> None:
        """Forget them: another network's do not mix with these."""
        self._last.clear()


class NameVote:
    """The person that a track is taken for; another one has to win twice in a row.

    Attributes:
        identity: the value, with the similarity of the last answer that agreed with it.
        doubt: whether the last answer was another.
    """

    def __init__(self) -> None:
        self.identity: Identity | None = None
        self.doubt = False
        self._rival: str | None = None

    def add(self, identity: Identity) -> None:
        """Take an answer."""
        if self.identity is None or identity.person == self.identity.person:
            self.identity, self.doubt = identity, False
        elif self.doubt and identity.person == self._rival:
            self.identity, self.doubt = identity, False
        else:
            self._rival, self.doubt = identity.person, True
