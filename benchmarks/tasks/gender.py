"""Gender: is the label that the pack has the likelier one?

Measures:
    accuracy            all pictures
    macro_f1            the same, both labels counting alike
    accuracy_age10      of people of ten years and more: a younger face often does not show it
    recall_<label>      of one label
    accuracy_<group>    of one group of people, such as ``accuracy_race_asian``

The table ``confusion`` counts pictures: by the right label, then by what was said; ``left_out``
those without a label.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from benchmarks.faces import FaceFinder, chosen_split, spread
from benchmarks.figures import Figures
from benchmarks.follow import Follow, unwatched
from benchmarks.packs import Pack
from benchmarks.tasks.classes import Answer, accuracy, confusion, macro_f1, recalls, right_label
from benchmarks.tasks.groups import by_group, gender_of, person_of, row_groups
from benchmarks.tasks.labels import Labeller
from edge.errors import DataError

__all__ = ["evaluate"]

#: Columns that hold the label, the best first; class folders have ``label``.
_COLUMNS = ("gender", "sex", "label")
_GROWN = 10


def evaluate(
    finder: FaceFinder,
    stage: Labeller,
    pack: Pack,
    *,
    split: str | None = None,
    limit: int | None = None,
    follow: Follow = unwatched,
) -> Figures:
    """Judge a gender network on a pack, or on class folders named after the labels.

    Args:
        finder: chooses the face of each picture.
        stage: under test; its labels are ``female`` and ``male`` in any order.
        pack: has a column ``gender``, ``sex`` or ``label``: ``female`` or ``f``, ``male`` or
            ``m``; and perhaps ``age`` and ``race``.
        split: of the pack; ``test`` unless named.
        limit: at most so many pictures, evenly spread.
        follow: sees every picture go by.

    Raises:
        DataError: a label is another, no picture has one, an age is no number, or the pack is
            damaged.
    """
    started = time.monotonic()
    split = chosen_split(pack, split)
    rows = pack.rows(split)
    labelled = [row for row in rows if _label(row)]
    for row in labelled:
        right_label(pack, row["file"], _label(row), stage.labels)
        row_groups(row)
    if not labelled:
        raise DataError(
            f"{pack.folder}: no picture has a label",
            hint=f"the labels, or the class folders, are {', '.join(stage.labels)}",
            code="pack.label",
        )
    answers, grown, as_face = [], [], 0
    for row in follow(spread(labelled, limit)):
        face = finder.find_row(pack, row)
        as_face += face.as_face
        said = stage(face.frame, face.detection).label
        groups = {kind: name for kind, name in row_groups(row).items() if kind != "sex"}
        answers.append(Answer(_label(row), said, person_of(row), groups))
        grown.append(bool(row.get("age")) and int(row["age"]) >= _GROWN)
    measures = {"accuracy": accuracy(answers), "macro_f1": macro_f1(answers, stage.labels)}
    if "age" in labelled[0]:
        measures["accuracy_age10"] = accuracy([a for a, g in zip(answers, grown, strict=True) if g])
    measures |= recalls(answers, stage.labels)
    for name, measure in by_group(answers, [a.groups for a in answers], accuracy):
        measures[f"accuracy_{name}"] = measure
    return Figures(
        task="gender",
        data=f"{pack.name}/{split or 'all'}",
        n=len(answers),
        measures=measures,
        as_face=as_face,
        seconds=time.monotonic() - started,
        details={
            "left_out": len(rows) - len(labelled),
            "confusion": confusion(answers, stage.labels),
        },
    )


def _label(row: Mapping[str, str]) -> str:
    column = next((name for name in _COLUMNS if name in row), "")
    return gender_of(row.get(column, ""))
