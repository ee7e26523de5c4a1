"""Emotion: is the label of most people the likeliest one?

Measures:
    accuracy            pictures whose label is one of the contract's
    accuracy_distinct   those that are no near-duplicate of a training picture (``near_dup`` 0)
    recall_<label>      of one label
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from benchmarks.faces import FaceFinder, chosen_split, spread
from benchmarks.figures import Figures, share
from benchmarks.packs import Pack
from benchmarks.tasks.labels import Labeller
from edge.errors import DataError

__all__ = ["evaluate"]

#: Columns that hold the label, the best first: the majority of ten people, then the pack's own.
_COLUMNS = ("ferplus_majority", "label")


def evaluate(
    finder: FaceFinder,
    stage: Labeller,
    pack: Pack,
    *,
    split: str | None = None,
    limit: int | None = None,
) -> Figures:
    """Judge the emotion stage on a pack, or on class folders named after the labels.

    Pictures without a label, or with one that the network does not know, are left out and
    counted.

    Args:
        finder: chooses the face of each picture.
        stage: under test.
        pack: has a column ``ferplus_majority`` or ``label``.
        split: of the pack; ``test`` unless named.
        limit: at most so many pictures, evenly spread.

    Raises:
        DataError: no picture has a label of the network, or the pack is damaged.
    """
    started = time.monotonic()
    labels = stage.labels
    split = chosen_split(pack, split)
    rows = pack.rows(split)
    labelled = [row for row in rows if _label(row) in labels]
    if not labelled:
        raise DataError(
            f"{pack.folder}: no picture has a label that the network knows",
            hint=f"the labels, or the class folders, are {', '.join(labels)}",
            code="pack.label",
        )
    judged, as_face = [], 0
    for row in spread(labelled, limit):
        face = finder.find_row(pack, row)
        as_face += face.as_face
        said = stage(face.frame, face.detection).label
        judged.append((_label(row), said, row.get("near_dup", "0") == "0"))
    measures = {"accuracy": share(sum(a == b for a, b, _ in judged), len(judged))}
    if "near_dup" in labelled[0]:
        distinct = [a == b for a, b, alone in judged if alone]
        measures["accuracy_distinct"] = share(sum(distinct), len(distinct))
    for label in labels:
        hits = [a == b for a, b, _ in judged if a == label]
        measures[f"recall_{label}"] = share(sum(hits), len(hits))
    pairs = [(a, b) for a, b, _ in judged]
    return Figures(
        task="emotion",
        data=f"{pack.name}/{split or 'all'}",
        n=len(judged),
        measures=measures,
        as_face=as_face,
        seconds=time.monotonic() - started,
        details={
            "left_out": len(rows) - len(labelled),
            "confusion": {a: {b: pairs.count((a, b)) for b in labels} for a in labels},
        },
    )


def _label(row: Mapping[str, str]) -> str:
    column = next((name for name in _COLUMNS if name in row), "")
    return row.get(column, "")
