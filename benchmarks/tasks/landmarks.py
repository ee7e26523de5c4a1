"""Landmarks: how far are 68 points of a face from the true ones?

A face's error is the mean distance of its points, divided by the distance of the outer eye corners
(Sagonas et al., "300 Faces in-the-Wild Challenge", 2013). Pictures with 29 points are judged on
those that the pack's table ``map29.csv`` gives a partner: the mean of two of the 68.

Measures:
    nme                mean error over all faces, as a share of that distance: 0.04 is 4 %
    nme_<source>       over those of one source
    nme_<group>        over those of one group of people, such as ``nme_sex_female``
    failures           faces whose error is above 10 %

Intervals draw people with replacement where the pack names them (``subject``), else pictures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import FaceFinder, chosen_split, spread
from benchmarks.figures import Figures, Measure, mean, tied_share
from benchmarks.follow import Follow, unwatched
from benchmarks.packs import Pack
from benchmarks.tasks.groups import by_group, few, person_of, row_groups
from edge.errors import DataError, MissingInput
from edge.frames import Frame
from edge.results import Detection

__all__ = ["evaluate"]

#: Outer corners of the eyes among the 68 points and among the 29.
_EYES_68, _EYES_29 = (36, 45), (8, 9)
_FAILED = 0.1
#: Eyes nearer than this are one point, and nothing can be measured by them.
_LEAST_EYES_PX = 1.0

#: Reckons the error of a face from its 68 points.
_Truth = Callable[[NDArray[np.float32]], float]


def evaluate(
    finder: FaceFinder,
    stage: Callable[[Frame, Detection], NDArray[np.float32]],
    pack: Pack,
    *,
    split: str | None = None,
    limit: int | None = None,
    follow: Follow = unwatched,
) -> Figures:
    """Judge a landmark network.

    Args:
        finder: chooses the face of each picture.
        stage: under test; gives float32 ``[68, 2]`` in pixels of the frame.
        pack: has ``points68.npz``, and perhaps ``points29.npz`` with ``map29.csv``.
        split: of the pack; ``test`` unless named.
        limit: at most so many pictures, evenly spread.
        follow: sees every picture go by.

    Raises:
        DataError: no picture has points, or the pack is damaged.
    """
    started = time.monotonic()
    split = chosen_split(pack, split)
    truths = {**_truths_68(pack), **_truths_29(pack)}
    rows = [row for row in pack.rows(split) if row["file"] in truths]
    if not rows:
        raise DataError(f"{pack.folder}: no picture has landmarks", code="pack.points")
    errors, as_face = [], 0
    chosen = spread(rows, limit)
    for row in follow(chosen):
        face = finder.find_row(pack, row)
        as_face += face.as_face
        errors.append(truths[row["file"]](stage(face.frame, face.detection)))
    values = np.array(errors)
    people = [person_of(row) for row in chosen]

    def nme(places: list[int]) -> Measure:
        return mean(values[places], [people[i] for i in places])

    every = list(range(len(chosen)))
    measures = {"nme": nme(every)}
    for source in few(row.get("source", "") for row in chosen):
        measures[f"nme_{source}"] = nme([i for i in every if chosen[i].get("source") == source])
    for name, measure in by_group(every, [row_groups(row) for row in chosen], nme):
        measures[f"nme_{name}"] = measure
    measures["failures"] = tied_share(values > _FAILED, [(person,) for person in people])
    return Figures(
        task="landmarks",
        data=f"{pack.name}/{split or 'all'}",
        n=len(values),
        measures=measures,
        as_face=as_face,
        seconds=time.monotonic() - started,
        details={"normalised_by": "distance of the outer eye corners"},
    )


def _truths_68(pack: Pack) -> Mapping[str, _Truth]:
    points, names = _points(pack, "points68", 68)
    return {name: _truth(name, p, np.arange(68), np.arange(68), _EYES_68)
            for name, p in zip(names, points, strict=True)}  # fmt: skip


def _truths_29(pack: Pack) -> Mapping[str, _Truth]:
    try:
        points, names = _points(pack, "points29", 29)
        partners = pack.table("map29")
    except MissingInput:
        return {}
    try:
        i29, a68, b68 = (
            np.array([int(row[key]) for row in partners]) for key in ("i29", "i68a", "i68b")
        )
        partnered = points[:, i29]
        if not all(((0 <= i) & (i < 68)).all() for i in (a68, b68)):
            raise IndexError("beyond the 68")
    except (KeyError, ValueError, IndexError) as error:
        raise DataError(
            f"{pack.folder / 'map29.csv'}: no such point: {error}", code="pack.points"
        ) from error
    eyes = points[:, _EYES_29]
    return {
        name: _truth(name, np.concatenate([p, e]), a68, b68, (len(p), len(p) + 1))
        for name, p, e in zip(names, partnered, eyes, strict=True)
    }


def _points(pack: Pack, stem: str, count: int) -> tuple[NDArray[np.float64], list[str]]:
    arrays = pack.arrays(stem)
    names, points = [str(n) for n in arrays.get("names", ())], arrays.get("points")
    where = f"{pack.folder / stem}.npz"
    if (
        points is None
        or points.dtype.kind not in "fiu"
        or points.ndim != 3
        or points.shape[:2] != (len(names), count)
        or points.shape[2] < 2
    ):
        raise DataError(f"{where}: no {count} points a name", code="pack.points")
    flat = points[..., :2].astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(flat).all((1, 2)))
    if len(bad):
        raise DataError(
            f"{where}: points of {names[int(bad[0])]!r} are not finite", code="pack.points"
        )
    return flat, names


def _truth(
    name: str,
    points: NDArray[np.float64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    eyes: tuple[int, int],
) -> _Truth:
    """Return how a face is judged: truth i against the mean of the points first[i], second[i]."""
    distance = float(np.linalg.norm(points[eyes[0]] - points[eyes[1]]))

    def error(found: NDArray[np.float32]) -> float:
        if distance < _LEAST_EYES_PX:
            raise DataError(f"the points of {name!r} have both eyes in one place",
                            code="pack.points")  # fmt: skip
        partner = (found[first] + found[second]) / 2
        gaps = np.linalg.norm(partner - points[: len(first)], axis=1)
        return float(gaps.mean()) / distance

    return error
