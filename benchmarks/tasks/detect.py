"""Detection: are the faces found, and nothing else?

A detection hits the best free face that it overlaps with an IoU of at least 0.5, detections by
falling score. One that lies for the most part on an ignored box counts neither way.

Measures:
    recall, precision          over all counted boxes and all detections
    recall_<part>              over the pictures of one part of the pack
    recall_<label>             over the boxes of one label, where there are several
    noses                      annotated nose points that lie in a detection (``noses.csv``)
    empty_clean                pictures without a face in which nothing is found
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import chosen_split, row_box, spread
from benchmarks.figures import Figures, Measure, share
from benchmarks.packs import Pack
from edge.errors import MissingInput
from edge.frames import Frame
from edge.geometry import iou_matrix
from edge.results import Detection

__all__ = ["evaluate", "match"]

MIN_IOU = 0.5


@dataclass(frozen=True, slots=True)
class _Picture:
    """One judged picture: which counted boxes were hit, how many false alarms."""

    part: str
    labels: tuple[str, ...]
    hit: NDArray[np.bool_]
    false: int
    noses: int
    noses_found: int


def evaluate(
    stage: Callable[[Frame], list[Detection]],
    pack: Pack,
    *,
    split: str | None = None,
    limit: int | None = None,
) -> Figures:
    """Judge the detector on scenes with boxes.

    Args:
        stage: under test.
        pack: one row a box, ``x, y, w, h`` empty where a picture has no face; class folders
            have no boxes, and every picture there is taken as one without a face.
        split: of the pack; ``test``, else ``val``, unless named.
        limit: at most so many pictures, evenly spread.

    Raises:
        DataError: the pack is damaged.
    """
    started = time.monotonic()
    split = chosen_split(pack, split)
    rows_of = defaultdict(list)
    for row in pack.rows(split):
        rows_of[row["file"]].append(row)
    noses_of = _noses(pack)
    judged = []
    for name in spread(list(rows_of), limit):
        frame = Frame(pack.image(name), index=0, captured_ns=time.monotonic_ns(), source=name)
        judged.append(_judge(stage(frame), rows_of[name], noses_of.get(name, [])))
    return Figures(
        task="detect",
        data=f"{pack.name}/{split or 'all'}",
        n=len(judged),
        measures=_measures(judged),
        as_face=0,
        seconds=time.monotonic() - started,
        details={"false_alarms": _false_alarms(judged)},
    )


def _judge(
    found: list[Detection], rows: list[dict[str, str]], noses: list[tuple[float, float]]
) -> _Picture:
    boxed = [(row, box) for row in rows if (box := row_box(row)) is not None]
    counted = [(row, box) for row, box in boxed if row.get("ignore", "0") == "0"]
    ignored = [box for row, box in boxed if row.get("ignore", "0") != "0"]
    boxes = np.array([d.box_xywh for d in found], np.float64).reshape(-1, 4)
    hit, false = match(
        boxes,
        np.array([d.score for d in found]),
        np.array([box for _, box in counted]).reshape(-1, 4),
        np.array(ignored).reshape(-1, 4),
    )
    return _Picture(
        part=rows[0].get("part", ""),
        labels=tuple(row.get("label", "") for row, _ in counted),
        hit=hit,
        false=false,
        noses=len(noses),
        noses_found=sum(_inside(boxes, x, y) for x, y in noses),
    )


def match(
    found_xywh: NDArray[np.float64],
    scores: NDArray[np.float64],
    faces_xywh: NDArray[np.float64],
    ignored_xywh: NDArray[np.float64],
) -> tuple[NDArray[np.bool_], int]:
    """Give every detection to at most one face.

    Args:
        found_xywh: ``[N, 4]``, left, top, width, height.
        scores: ``[N]``.
        faces_xywh: ``[M, 4]``, the boxes that count.
        ignored_xywh: ``[K, 4]``, regions where a detection counts neither way.

    Returns:
        Which of the M faces were hit, and the number of false alarms.
    """
    overlap = iou_matrix(found_xywh, faces_xywh)
    hit = np.zeros(len(faces_xywh), bool)
    false = 0
    for i in np.argsort(-scores, kind="stable"):
        free = np.where(hit, 0.0, overlap[i])
        if len(free) and free.max() >= MIN_IOU:
            hit[int(np.argmax(free))] = True
        elif not _on_ignored(found_xywh[i], ignored_xywh):
            false += 1
    return hit, false


def _on_ignored(box: NDArray[np.float64], ignored: NDArray[np.float64]) -> bool:
    low = np.maximum(box[:2], ignored[:, :2])
    high = np.minimum(box[:2] + box[2:], ignored[:, :2] + ignored[:, 2:])
    inter = np.clip(high - low, 0, None).prod(1)
    return bool((inter >= 0.5 * box[2:].prod()).any())


def _inside(boxes: NDArray[np.float64], x: float, y: float) -> bool:
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    return bool(((low <= (x, y)) & ((x, y) <= high)).all(1).any())


def _noses(pack: Pack) -> Mapping[str, list[tuple[float, float]]]:
    try:
        rows = pack.table("noses")
    except MissingInput:
        return {}
    noses = defaultdict(list)
    for row in rows:
        noses[row["file"]].append((float(row["x"]), float(row["y"])))
    return noses


def _measures(judged: list[_Picture]) -> dict[str, Measure]:
    hits = sum(int(p.hit.sum()) for p in judged)
    measures = {
        "recall": _recall(judged),
        "precision": share(hits, hits + sum(p.false for p in judged)),
    }
    for part in sorted({p.part for p in judged if len(p.hit)} - {""}):
        measures[f"recall_{part}"] = _recall([p for p in judged if p.part == part])
    flat = [(label, bool(h)) for p in judged for label, h in zip(p.labels, p.hit, strict=True)]
    labels = sorted({label for label, _ in flat})
    for label in labels if len(labels) > 1 else []:
        mine = [h for name, h in flat if name == label]
        measures[f"recall_{label}"] = share(sum(mine), len(mine))
    noses = sum(p.noses for p in judged)
    if noses:
        measures["noses"] = share(sum(p.noses_found for p in judged), noses)
    empty = [p for p in judged if not len(p.hit)]
    if empty:
        measures["empty_clean"] = share(sum(p.false == 0 for p in empty), len(empty))
    return measures


def _recall(judged: list[_Picture]) -> Measure:
    return share(sum(int(p.hit.sum()) for p in judged), sum(len(p.hit) for p in judged))


def _false_alarms(judged: list[_Picture]) -> dict[str, int]:
    """Count false alarms by part."""
    counts: dict[str, int] = defaultdict(int)
    for p in judged:
        counts[p.part or "all"] += p.false
    return dict(counts)
