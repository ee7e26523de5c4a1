"""Two networks on the same pictures: does what one loses against the other differ from chance?

Pictures are drawn with replacement, and both networks are judged on the same draw. A picture is
easy or hard for both, so the interval of their difference is much narrower than that of either
figure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import chosen_split, row_box, spread
from benchmarks.metrics import resampled_interval
from benchmarks.packs import Pack
from benchmarks.tasks.boxes import match
from edge.frames import Frame
from edge.results import Detection

__all__ = ["Outcomes", "detections", "paired_points"]

#: By metric: float64 ``[pictures, 2]``, what a picture adds to a share and to what it is of.
Outcomes = Mapping[str, NDArray[np.float64]]

#: For the ends of an interval; they stand to about a hundredth of a point.
_DRAWS = 4000


def detections(
    stage: Callable[[Frame], list[Detection]], pack: Pack, *, limit: int | None = None
) -> Outcomes:
    """Say what a detector found in each picture; the sums are those of ``tasks.detect``.

    Args:
        stage: under test.
        pack: one row a box.
        limit: at most so many pictures, evenly spread.

    Raises:
        DataError: the pack is damaged.
    """
    rows_of = defaultdict(list)
    for row in pack.rows(chosen_split(pack, None)):
        rows_of[row["file"]].append(row)
    recall, precision = [], []
    for name in spread(list(rows_of), limit):
        found = stage(Frame(pack.image(name), 0, 0, name))
        counted: list[NDArray[np.float64]] = []
        ignored: list[NDArray[np.float64]] = []
        for row in rows_of[name]:
            box = row_box(row)
            if box is not None:
                (counted if row.get("ignore", "0") == "0" else ignored).append(box)
        matched = match(
            np.array([d.box_xywh for d in found], np.float64).reshape(-1, 4),
            np.array([d.score for d in found]),
            np.array(counted).reshape(-1, 4),
            np.array(ignored).reshape(-1, 4),
        )
        hits = int(matched.right.sum())
        recall.append((hits, matched.faces))
        precision.append((hits, len(matched.right)))
    return {"recall": np.array(recall, float), "precision": np.array(precision, float)}


def paired_points(before: Outcomes, after: Outcomes) -> dict[str, list[float]]:
    """Return by metric the points of a hundred that were won, and their 95 % interval's ends.

    Args:
        before, after: of two networks on the same pictures.
    """
    found = {}
    for metric in before:
        won = partial(_won, before[metric], after[metric])
        count = len(before[metric])
        ends = resampled_interval(count, won, rounds=_DRAWS)
        found[metric] = [round(value, 3) for value in (won(np.ones(count)), *ends)]
    return found


def _won(
    before: NDArray[np.float64], after: NDArray[np.float64], times: NDArray[np.float64]
) -> float:
    """Return the points that were won, each picture taken so many times."""
    shares = [np.divide(*(times @ outcome)) for outcome in (before, after)]
    return float(100 * (shares[1] - shares[0]))
