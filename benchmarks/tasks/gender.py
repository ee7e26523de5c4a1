"""Gender: is the label that the pack has the likelier one?

Measures:
    accuracy            all pictures
    accuracy_age10      of people of ten years and more: a younger face often does not show it
    recall_<label>      of one label
"""

from __future__ import annotations

import time

from benchmarks.faces import FaceFinder, chosen_split, spread
from benchmarks.figures import Figures, share
from benchmarks.packs import Pack
from benchmarks.tasks.labels import Labeller
from edge.errors import DataError

__all__ = ["evaluate"]

_GROWN = 10


def evaluate(
    finder: FaceFinder,
    stage: Labeller,
    pack: Pack,
    *,
    split: str | None = None,
    limit: int | None = None,
) -> Figures:
    """Judge a gender network.

    Args:
        finder: chooses the face of each picture.
        stage: under test; its labels are ``female`` and ``male`` in any order.
        pack: has the columns ``gender`` and ``age``.
        split: of the pack; ``test`` unless named.
        limit: at most so many pictures, evenly spread.

    Raises:
        DataError: a picture has another label or no age, or the pack is damaged.
    """
    started = time.monotonic()
    split = chosen_split(pack, split)
    judged, as_face = [], 0
    for row in spread(pack.rows(split), limit):
        label, age = row.get("gender", ""), row.get("age", "")
        if label not in stage.labels or not age.isdecimal():
            raise DataError(
                f"{pack.folder}: picture {row['file']!r} has gender {label!r} and age {age!r}",
                hint=f"the labels are {', '.join(stage.labels)}",
                code="pack.label",
            )
        face = finder.find_row(pack, row)
        as_face += face.as_face
        said = stage(face.frame, face.detection).label
        judged.append((label, said == label, int(age) >= _GROWN))
    grown = [hit for _, hit, is_grown in judged if is_grown]
    measures = {
        "accuracy": share(sum(hit for _, hit, _ in judged), len(judged)),
        "accuracy_age10": share(sum(grown), len(grown)),
    }
    for label in stage.labels:
        hits = [hit for name, hit, _ in judged if name == label]
        measures[f"recall_{label}"] = share(sum(hits), len(hits))
    return Figures(
        task="gender",
        data=f"{pack.name}/{split or 'all'}",
        n=len(judged),
        measures=measures,
        as_face=as_face,
        seconds=time.monotonic() - started,
    )
