"""Detection: are the faces found, and nothing else?

A detection hits the best free face that it overlaps with an IoU of at least 0.5, detections by
falling score. One that lies for the most part on an ignored box counts neither way.

Measures:
    recall, precision          over all counted boxes and all detections at the working threshold
    average_precision          over every threshold down to the lowest that was asked for
    recall_<part>              over the pictures of one part of the pack
    recall_<label>             over the boxes of one label, where there are several
    noses                      annotated nose points that lie in a detection (``noses.csv``)
    empty_clean                pictures without a face in which nothing is found

Faces of one picture are not independent: intervals of shares are Wilson's at as many trials as
the pictures are worth (``metrics.effective_trials``).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import chosen_split, row_box, spread
from benchmarks.figures import Figures, Measure, share, tied_share
from benchmarks.follow import Follow, unwatched
from benchmarks.packs import Pack
from benchmarks.readers import Row
from benchmarks.tasks.boxes import Matched, average_precision, match
from benchmarks.tasks.groups import few
from edge.errors import DataError, MissingInput
from edge.frames import Frame
from edge.results import Detection

__all__ = ["LOWEST_SCORE", "evaluate"]

#: Where average precision begins: of our detector, 0.01 gives the same to the fourth digit on
#: ``detect_eval`` and takes twice as long.
LOWEST_SCORE = 0.02


@dataclass(frozen=True, slots=True)
class _Picture:
    """One judged picture: detections at the working threshold, and at every score."""

    name: str
    part: str
    labels: tuple[str, ...]
    at_work: Matched
    at_all: Matched
    noses: int
    noses_found: int

    def tied(self, count: int) -> list[tuple[str, ...]]:
        return [(self.name,)] * count


def evaluate(
    stage: Callable[[Frame], list[Detection]],
    pack: Pack,
    *,
    threshold: float = -1.0,
    split: str | None = None,
    limit: int | None = None,
    follow: Follow = unwatched,
) -> Figures:
    """Judge the detector on scenes with boxes.

    Args:
        stage: under test.
        pack: one row a box, ``x, y, w, h`` empty where a picture has no face.
        threshold: detections below this score count for the average precision alone. They change
            nothing for the others: suppression and matching go by falling score.
        split: of the pack; ``test``, else ``val``, unless named.
        limit: at most so many pictures, evenly spread.
        follow: sees every picture go by.

    Raises:
        DataError: the pack is damaged, or has no boxes.
    """
    started = time.monotonic()
    split = chosen_split(pack, split)
    rows_of: dict[str, list[Row]] = defaultdict(list)
    for row in pack.rows(split):
        rows_of[row["file"]].append(row)
    if not any("x" in row for rows in rows_of.values() for row in rows):
        raise DataError(
            f"{pack.folder}: no boxes to hold detections against",
            hint="give labels.csv with the columns file,x,y,w,h, a row a face",
            code="pack.box",
        )
    noses_of = _noses(pack)
    judged = []
    for name in follow(spread(list(rows_of), limit)):
        frame = Frame(pack.image(name), index=0, captured_ns=time.monotonic_ns(), source=name)
        noses = noses_of.get(name, [])
        judged.append(_judge(name, stage(frame), rows_of[name], noses, threshold))
    return Figures(
        task="detect",
        data=f"{pack.name}/{split or 'all'}",
        n=len(judged),
        measures=_measures(judged),
        as_face=0,
        seconds=time.monotonic() - started,
        details={
            "faces": sum(p.at_work.faces for p in judged),
            "detections": sum(len(p.at_work.scores) for p in judged),
            "false_alarms": _false_alarms(judged),
        },
    )


def _judge(
    name: str,
    found: list[Detection],
    rows: list[Row],
    noses: list[tuple[float, float]],
    threshold: float,
) -> _Picture:
    boxed = [(row, box) for row in rows if (box := row_box(row)) is not None]
    counted = [(row, box) for row, box in boxed if not _ignored(row)]
    faces = np.array([box for _, box in counted]).reshape(-1, 4)
    ignored = np.array([box for row, box in boxed if _ignored(row)]).reshape(-1, 4)
    boxes = np.array([d.box_xywh for d in found], np.float64).reshape(-1, 4)
    scores = np.array([d.score for d in found], np.float64)
    sure = scores >= threshold
    return _Picture(
        name=name,
        part=rows[0].get("part", ""),
        labels=tuple(row.get("label", "") for row, _ in counted),
        at_work=match(boxes[sure], scores[sure], faces, ignored),
        at_all=match(boxes, scores, faces, ignored),
        noses=len(noses),
        noses_found=sum(_inside(boxes[sure], x, y) for x, y in noses),
    )


def _ignored(row: Row) -> bool:
    text = row.get("ignore", "") or "0"
    if text not in ("0", "1"):
        raise DataError(
            f"labels.csv: picture {row['file']!r}: ignore is {text!r}, not 0 or 1", code="pack.box"
        )
    return text == "1"


def _inside(boxes: NDArray[np.float64], x: float, y: float) -> bool:
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    return bool(((low <= (x, y)) & ((x, y) <= high)).all(1).any())


def _noses(pack: Pack) -> Mapping[str, list[tuple[float, float]]]:
    try:
        rows = pack.table("noses")
    except MissingInput:
        return {}
    noses = defaultdict(list)
    try:
        for row in rows:
            noses[row["file"]].append((float(row["x"]), float(row["y"])))
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{pack.folder / 'noses.csv'}: no point: {error}", code="pack.points"
        ) from error
    return noses


def _measures(judged: list[_Picture]) -> dict[str, Measure]:
    right = np.concatenate([np.zeros(0, bool), *(p.at_work.right for p in judged)])
    measures = {
        "recall": _recall(judged),
        "precision": tied_share(right, [u for p in judged for u in p.tied(len(p.at_work.right))]),
        "average_precision": average_precision([p.at_all for p in judged]),
    }
    for part in few(p.part for p in judged if p.at_work.faces):
        measures[f"recall_{part}"] = _recall([p for p in judged if p.part == part])
    labels = few(label for p in judged for label in p.labels)
    for label in labels if len(labels) > 1 else []:
        measures[f"recall_{label}"] = _recall(judged, label)
    noses = sum(p.noses for p in judged)
    if noses:
        measures["noses"] = share(sum(p.noses_found for p in judged), noses)
    empty = [p for p in judged if not p.at_work.faces]
    if empty:
        measures["empty_clean"] = share(sum(p.at_work.false == 0 for p in empty), len(empty))
    return measures


def _recall(judged: list[_Picture], label: str | None = None) -> Measure:
    faces = [
        (bool(hit), (p.name,))
        for p in judged
        for hit, name in zip(p.at_work.found, p.labels, strict=True)
        if label in (None, name)
    ]
    return tied_share([hit for hit, _ in faces], [unit for _, unit in faces])


def _false_alarms(judged: list[_Picture]) -> dict[str, int]:
    """Count false alarms by part."""
    counts: dict[str, int] = defaultdict(int)
    for p in judged:
        counts[p.part or "all"] += p.at_work.false
    return dict(counts)
