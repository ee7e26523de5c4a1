"""Identity: do two pictures show one person?

Measures:
    accuracy           10-fold: each pair is judged with the threshold best on the other folds
    threshold          lowest similarity that accepts no more than the wanted share of strangers,
                       which the detail ``far`` names
    eer                equal error rate
    accuracy_<kind>    as ``accuracy``, over pairs of one kind
    accuracy_<group>   over pairs of which both belong to one group: ``accuracy_sex_female``

Table:
    tar_at_far         same pairs accepted where 1 %, 0.1 % and the wanted share of different ones
                       are; null where so few different pairs cannot tell

Pairs that share a person are not independent. The interval of ``accuracy`` is Wilson's at as many
trials as the pairs are worth (``metrics.effective_trials``); those of ``threshold``, ``eer`` and
``tar_at_far`` come from drawing people with replacement: a pair of one person counts as often as
the person was drawn, a pair of two as often as both, multiplied (the vertex bootstrap: Snijders
and Borgatti, "Non-Parametric Standard Errors and Tests for Network Statistics", 1999). Where
nobody says who is in a picture, each picture is somebody.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import FaceFinder, spread
from benchmarks.figures import Figures, Measure, resampled, tied_share
from benchmarks.follow import Follow, unwatched
from benchmarks.packs import Pack
from benchmarks.readers import Row
from benchmarks.tasks.groups import by_group, few, person_of, row_groups
from benchmarks.tasks.people import Pair, read_pairs
from benchmarks.tasks.roc import Roc, verification_hits
from edge.frames import Frame
from edge.results import Detection, MaskState

__all__ = ["Embedder", "evaluate"]

#: Shares of different pairs accepted that every run reports, as ``tar_at_far`` names them.
_FALSE_ACCEPTS = (0.01, 0.001)
#: What ``threshold`` is for unless a share is asked for: the first that the pairs can tell.
_WANTED = (0.001, 0.01, 0.1)

#: Turns the face of a frame into a direction, float32 ``[D]`` of length 1.
_Embed = Callable[[Frame, Detection], NDArray[np.float32]]


class Embedder:
    """Embed the face of a picture by the route that the runtime takes.

    Args:
        finder: chooses the face of each picture.
        plain: the network for bare faces.
        masked: the network for masked faces; without it all go through ``plain``.
        mask: decides the route; without it all go through ``plain``.
    """

    def __init__(
        self,
        finder: FaceFinder,
        plain: _Embed,
        *,
        masked: _Embed | None = None,
        mask: Callable[[Frame, Detection], MaskState] | None = None,
    ) -> None:
        self._finder, self._plain, self._masked, self._mask = finder, plain, masked, mask
        self.as_face = 0
        self.masked_faces = 0

    def embed(self, pack: Pack, row: Mapping[str, str]) -> NDArray[np.float32]:
        """Return the embedding of a row's face, float32 ``[D]`` of length 1."""
        face = self._finder.find_row(pack, row)
        self.as_face += face.as_face
        stage = self._plain
        if self._mask is not None and self._masked is not None:
            if self._mask(face.frame, face.detection).state != "unmasked":
                stage = self._masked
                self.masked_faces += 1
        return stage(face.frame, face.detection)


def evaluate(
    embedder: Embedder,
    pack: Pack,
    *,
    split: str | None = None,
    false_accept: float | None = None,
    limit: int | None = None,
    follow: Follow = unwatched,
) -> Figures:
    """Judge the pairs of a pack.

    Args:
        embedder: under test.
        pack: has ``pairs.csv``, or people, see ``people.read_pairs``.
        split: of the pack; all of it unless named.
        false_accept: the share of different pairs that ``threshold`` may accept, 0..1; 0.001
            unless given, or 0.01 or 0.1 where so few pairs cannot tell less.
        limit: at most so many pairs, evenly spread.
        follow: sees every picture go by.

    Raises:
        MissingInput: the pack has no pairs.
        DataError: a pair names no picture, or the pack is damaged.
    """
    started = time.monotonic()
    rows = {row["file"]: row for row in pack.rows(split)}
    pairs = spread(read_pairs(pack, rows), limit)
    wanted = sorted({name for pair in pairs for name in (pair.a, pair.b)})
    embeddings = {name: embedder.embed(pack, rows[name]) for name in follow(wanted)}
    similarity = np.array([float(embeddings[p.a] @ embeddings[p.b]) for p in pairs])
    roc = Roc(similarity, [pair.same for pair in pairs])
    if false_accept is None:
        false_accept = next((far for far in _WANTED if roc.tells(far)), _WANTED[0])
    measures, accepts = _measures(pairs, rows, similarity, roc, false_accept, pack.has_classes)
    return Figures(
        task="identity",
        data=f"{pack.name}/{split or 'pairs'}",
        n=len(pairs),
        measures=measures,
        as_face=embedder.as_face,
        seconds=time.monotonic() - started,
        details={
            "far": false_accept,
            "same_pairs": sum(pair.same for pair in pairs),
            "different_pairs": sum(not pair.same for pair in pairs),
            "pictures": len(wanted),
            "masked_route": embedder.masked_faces,
        },
        tables={"tar_at_far": accepts},
    )


def _measures(
    pairs: Sequence[Pair],
    rows: Mapping[str, Row],
    similarity: NDArray[np.float64],
    roc: Roc,
    false_accept: float,
    has_classes: bool,
) -> tuple[dict[str, Measure], dict[str, Measure]]:
    """Return the figures, and true accepts by the share of false ones."""
    same = np.array([pair.same for pair in pairs])
    hits = verification_hits(similarity, same, [pair.fold for pair in pairs])
    who = {n: row["label"] if has_classes else person_of(row) for n, row in rows.items()}
    people = [tuple(sorted({who[pair.a], who[pair.b]})) for pair in pairs]
    drawn = _Drawn(people)

    def accuracy(chosen: list[int]) -> Measure:
        ties = [(people[i] * 2)[:2] for i in chosen]
        return tied_share(hits[chosen], ties)

    def known(far: float, reckon: Callable[[NDArray[np.int64]], float]) -> Measure:
        if not roc.tells(far):
            return Measure(math.nan, (math.nan, math.nan), roc.others)
        return resampled(drawn.people, reckon, len(pairs))

    every = list(range(len(pairs)))
    measures = {
        "accuracy": accuracy(every),
        "threshold": known(
            false_accept, lambda times: roc.threshold(false_accept, drawn.pairs(times))
        ),
        "eer": resampled(
            drawn.people, lambda times: roc.equal_error(drawn.pairs(times)), len(pairs)
        ),
    }
    kinds = [_kind(pair, rows) for pair in pairs]
    for kind in few(kinds):
        measures[f"accuracy_{kind}"] = accuracy([i for i in every if kinds[i] == kind])
    for name, measure in by_group(every, [_groups(pair, rows) for pair in pairs], accuracy):
        measures[f"accuracy_{name}"] = measure
    accepts = {
        f"{far:g}": known(far, partial(_true_accept, roc, drawn, far))
        for far in dict.fromkeys((*_FALSE_ACCEPTS, false_accept))
    }
    return measures, accepts


def _true_accept(roc: Roc, drawn: _Drawn, far: float, times: NDArray[np.int64]) -> float:
    return roc.true_accept(far, drawn.pairs(times))


class _Drawn:
    """How often each pair counts when people are drawn.

    Args:
        people: of each pair, one or two.

    Attributes:
        people: how many there are.
    """

    def __init__(self, people: Sequence[tuple[str, ...]]) -> None:
        names = {name: i for i, name in enumerate(sorted({n for pair in people for n in pair}))}
        self.people = len(names)
        self._first = np.array([names[pair[0]] for pair in people])
        self._last = np.array([names[pair[-1]] for pair in people])

    def pairs(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how often each pair counts when person i was drawn ``times[i]`` times."""
        first, last = times[self._first], times[self._last]
        return np.asarray(np.where(self._first == self._last, first, first * last))


def _kind(pair: Pair, rows: Mapping[str, Row]) -> str:
    """Return what a pair is made of, by its own column or by who of the two wears a mask."""
    if pair.kind:
        return pair.kind
    worn = sorted(rows[name].get("masked", "") for name in (pair.a, pair.b))
    return {"00": "bare-bare", "01": "bare-masked", "11": "masked-masked"}.get("".join(worn), "")


def _groups(pair: Pair, rows: Mapping[str, Row]) -> dict[str, str]:
    """Return the groups that both pictures of a pair belong to."""
    a, b = row_groups(rows[pair.a]), row_groups(rows[pair.b])
    return {kind: name for kind, name in a.items() if b.get(kind) == name}
