"""Judge what gives a face one of a few labels, whatever the labels are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.faces import FaceFinder, chosen_split, spread
from benchmarks.figures import Figures
from benchmarks.follow import Follow
from benchmarks.packs import Pack
from benchmarks.readers import Row
from benchmarks.tasks.classes import Answer, accuracy, confusion, macro_f1, recalls, right_label
from benchmarks.tasks.groups import by_group, person_of
from benchmarks.tasks.labels import Labeller
from edge.errors import DataError

__all__ = ["Question", "judge_labels"]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a pack.

    Attributes:
        task: of the figures.
        label_of: the right label of a row.
        unlabelled: labels whose rows are left out.
        groups_of: the groups of a row's person; refuses a row whose groups cannot be read.
        part: name of a figure over a part of the pictures, the column that the pack must have for
            it, and which rows belong to it.
    """

    task: str
    label_of: Callable[[Row], str]
    unlabelled: tuple[str, ...]
    groups_of: Callable[[Row], Mapping[str, str]]
    part: tuple[str, str, Callable[[Row], bool]]


def judge_labels(
    question: Question,
    finder: FaceFinder,
    stage: Labeller,
    pack: Pack,
    *,
    split: str | None,
    limit: int | None,
    follow: Follow,
) -> Figures:
    """Ask a labeller for every picture.

    Args:
        question: what is right, and which figures stand apart.
        finder: chooses the face of each picture.
        stage: under test.
        pack: with the labels.
        split: of the pack; ``test`` unless named.
        limit: at most so many pictures, evenly spread.
        follow: sees every picture go by.

    Raises:
        DataError: a label is none of the stage's, no picture has one, or the pack is damaged.
    """
    started = time.monotonic()
    labels, label_of = stage.labels, question.label_of
    split = chosen_split(pack, split)
    rows = pack.rows(split)
    labelled = [
        row for row in rows if label_of(row) in labels or label_of(row) not in question.unlabelled
    ]
    for row in labelled:
        right_label(pack, row["file"], label_of(row), labels)
        question.groups_of(row)
    if not labelled:
        raise DataError(
            f"{pack.folder}: no picture has a label",
            hint=f"the labels, or the class folders, are {', '.join(labels)}",
            code="pack.label",
        )
    name, column, belongs = question.part
    answers, part, as_face = [], [], 0
    for row in follow(spread(labelled, limit)):
        face = finder.find_row(pack, row)
        as_face += face.as_face
        said = stage(face.frame, face.detection).label
        answer = Answer(label_of(row), said, person_of(row), question.groups_of(row))
        answers.append(answer)
        if belongs(row):
            part.append(answer)
    measures = {"accuracy": accuracy(answers), "macro_f1": macro_f1(answers, labels)}
    if column in labelled[0]:
        measures[name] = accuracy(part)
    measures |= recalls(answers, labels)
    for group, measure in by_group(answers, [a.groups for a in answers], accuracy):
        measures[f"accuracy_{group}"] = measure
    return Figures(
        task=question.task,
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
