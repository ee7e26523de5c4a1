"""Identity: do two pictures show one person?

Measures:
    accuracy           10-fold: each pair is judged with the threshold best on the other folds
    tar_at_far_1pct    same pairs accepted where 1 % of the different ones are
    eer                equal error rate
    accuracy_<kind>    as ``accuracy``, over pairs of one kind
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import FaceFinder, spread
from benchmarks.figures import Figures, Measure, share
from benchmarks.metrics import (
    bootstrap_interval,
    equal_error_rate,
    true_accept_rate,
    verification_hits,
)
from benchmarks.packs import Pack
from edge.errors import DataError
from edge.frames import Frame
from edge.results import Detection, MaskState

__all__ = ["Embedder", "evaluate"]

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


def evaluate(embedder: Embedder, pack: Pack, *, limit: int | None = None) -> Figures:
    """Judge the pairs of a pack.

    Args:
        embedder: under test.
        pack: has ``pairs.csv``: ``a, b, same, fold`` and perhaps ``kind``.
        limit: at most so many pairs, evenly spread.

    Raises:
        MissingInput: the pack has no pairs.
        DataError: a pair names no picture, or the pack is damaged.
    """
    started = time.monotonic()
    pairs = spread(pack.table("pairs"), limit)
    rows = {row["file"]: row for row in pack.rows()}
    try:
        wanted = sorted({pair[side] for pair in pairs for side in ("a", "b")})
        embeddings = {name: embedder.embed(pack, rows[name]) for name in wanted}
        same = np.array([pair["same"] == "1" for pair in pairs])
        folds = np.array([int(pair["fold"]) for pair in pairs])
    except (KeyError, ValueError) as error:
        raise DataError(f"{pack.folder / 'pairs.csv'}: no such entry: {error}",
                        code="pack.pairs") from error  # fmt: skip
    similarity = np.array([float(embeddings[p["a"]] @ embeddings[p["b"]]) for p in pairs])
    hits = verification_hits(similarity, same, folds)
    kinds = np.array([_kind(pair, rows) for pair in pairs])
    return Figures(
        task="identity",
        data=f"{pack.name}/pairs",
        n=len(pairs),
        measures=_measures(similarity, same, hits, kinds),
        as_face=embedder.as_face,
        seconds=time.monotonic() - started,
        details={"pictures": len(wanted), "masked_route": embedder.masked_faces},
    )


def _measures(
    similarity: NDArray[np.float64],
    same: NDArray[np.bool_],
    hits: NDArray[np.bool_],
    kinds: NDArray[np.str_],
) -> dict[str, Measure]:
    table = np.stack([similarity, same], 1)

    def accept(rows: NDArray[np.float64]) -> float:
        return true_accept_rate(rows[:, 0], rows[:, 1] > 0, false_accept=0.01)

    def error(rows: NDArray[np.float64]) -> float:
        return equal_error_rate(rows[:, 0], rows[:, 1] > 0)

    measures = {"accuracy": share(int(hits.sum()), len(hits))}
    for name, statistic in (("tar_at_far_1pct", accept), ("eer", error)):
        interval = bootstrap_interval(table, statistic=statistic)
        measures[name] = Measure(statistic(table), interval, len(table))
    for kind in sorted(set(kinds.tolist()) - {""}):
        part = hits[kinds == kind]
        measures[f"accuracy_{kind}"] = share(int(part.sum()), len(part))
    return measures


def _kind(pair: Mapping[str, str], rows: Mapping[str, Mapping[str, str]]) -> str:
    """Return what a pair is made of, by its own column or by who of the two wears a mask."""
    if "kind" in pair:
        return pair["kind"]
    worn = sorted(rows[pair[side]].get("masked", "") for side in ("a", "b"))
    return {"00": "bare-bare", "01": "bare-masked", "11": "masked-masked"}.get("".join(worn), "")
