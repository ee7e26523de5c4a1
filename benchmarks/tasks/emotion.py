"""Emotion: is the label of most people the likeliest one?

Measures:
    accuracy            pictures whose label is one of the contract's
    macro_f1            the same, every emotion counting alike
    accuracy_distinct   those that are no near-duplicate of a training picture (``near_dup`` 0)
    recall_<label>      of one label
    accuracy_<group>    of one group of people, such as ``accuracy_age_18_29``

The table ``confusion`` counts pictures: by the right label, then by what was said; ``left_out``
those that people gave no label, or one that no network here has (``contempt`` of FER+).
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from benchmarks.faces import FaceFinder, chosen_split, spread
from benchmarks.figures import Figures
from benchmarks.follow import Follow, unwatched
from benchmarks.packs import Pack
from benchmarks.tasks.classes import Answer, accuracy, confusion, macro_f1, recalls, right_label
from benchmarks.tasks.groups import by_group, person_of, row_groups
from benchmarks.tasks.labels import Labeller
from edge.errors import DataError

__all__ = ["evaluate"]

#: Columns that hold the label, the best first: the majority of ten people, then the pack's own.
_COLUMNS = ("ferplus_majority", "label")
#: What a picture is left out for: no label, or FER+'s answers beyond the seven emotions.
_UNLABELLED = ("", "contempt", "unknown", "nf")


def evaluate(
    finder: FaceFinder,
    stage: Labeller,
    pack: Pack,
    *,
    split: str | None = None,
    limit: int | None = None,
    follow: Follow = unwatched,
) -> Figures:
    """Judge the emotion stage on a pack, or on class folders named after the labels.

    Args:
        finder: chooses the face of each picture.
        stage: under test.
        pack: has a column ``ferplus_majority`` or ``label``.
        split: of the pack; ``test`` unless named.
        limit: at most so many pictures, evenly spread.
        follow: sees every picture go by.

    Raises:
        DataError: a label is none of the network's, no picture has one, or the pack is damaged.
    """
    started = time.monotonic()
    labels = stage.labels
    split = chosen_split(pack, split)
    rows = pack.rows(split)
    labelled = [row for row in rows if _label(row) in labels or _label(row) not in _UNLABELLED]
    for row in labelled:
        right_label(pack, row["file"], _label(row), labels)
    if not labelled:
        raise DataError(
            f"{pack.folder}: no picture has a label",
            hint=f"the labels, or the class folders, are {', '.join(labels)}",
            code="pack.label",
        )
    answers, distinct, as_face = [], [], 0
    for row in follow(spread(labelled, limit)):
        face = finder.find_row(pack, row)
        as_face += face.as_face
        said = stage(face.frame, face.detection).label
        answers.append(Answer(_label(row), said, person_of(row), row_groups(row)))
        distinct.append(row.get("near_dup", "0") == "0")
    measures = {"accuracy": accuracy(answers), "macro_f1": macro_f1(answers, labels)}
    if "near_dup" in labelled[0]:
        alone = [a for a, is_alone in zip(answers, distinct, strict=True) if is_alone]
        measures["accuracy_distinct"] = accuracy(alone)
    measures |= recalls(answers, labels)
    for name, measure in by_group(answers, [a.groups for a in answers], accuracy):
        measures[f"accuracy_{name}"] = measure
    return Figures(
        task="emotion",
        data=f"{pack.name}/{split or 'all'}",
        n=len(answers),
        measures=measures,
        as_face=as_face,
        seconds=time.monotonic() - started,
        details={
            "left_out": len(rows) - len(labelled),
            "confusion": confusion(answers, labels),
        },
    )


def _label(row: Mapping[str, str]) -> str:
    column = next((name for name in _COLUMNS if name in row), "")
    return row.get(column, "")
