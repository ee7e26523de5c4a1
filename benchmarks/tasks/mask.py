"""Mask state: are masked faces told from bare ones?

Measures:
    accuracy         real pictures labelled masked or unmasked; the likelier of these two states
    accuracy3        real pictures, all three states
    macro_f1         the same, every state counting alike
    accuracy_drawn   pictures with a drawn mask, all three states
    recall_<state>   of one state, among all three
    accuracy_<source>, accuracy_<group>: as ``accuracy``, over a part: ``accuracy_sex_female``

The table ``confusion`` counts real pictures: by the right state, then by what was said.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.faces import FaceFinder, chosen_split, spread
from benchmarks.figures import Figures, Measure, tied_share
from benchmarks.follow import Follow, unwatched
from benchmarks.packs import Pack
from benchmarks.tasks.classes import Answer, accuracy, confusion, macro_f1, recalls, right_label
from benchmarks.tasks.groups import by_group, few, person_of, row_groups
from edge.stages import MaskStage
from edge.stages.mask import STATES

__all__ = ["evaluate"]


@dataclass(frozen=True, slots=True)
class _Judged:
    """One picture: the likeliest of three states, and whether masked beats unmasked."""

    answer: Answer
    wears: bool
    real: bool
    source: str

    @property
    def right2(self) -> bool:
        return self.wears == (self.answer.label == "masked")


def evaluate(
    finder: FaceFinder,
    stage: MaskStage,
    pack: Pack,
    *,
    split: str | None = None,
    limit: int | None = None,
    follow: Follow = unwatched,
) -> Figures:
    """Judge the mask stage on a pack, or on class folders named after the states.

    Args:
        finder: chooses the face of each picture.
        stage: under test.
        pack: has a column ``label`` (a state) or ``mask`` (1 or 0).
        split: of the pack; ``test`` unless named.
        limit: at most so many pictures, evenly spread.
        follow: sees every picture go by.

    Raises:
        DataError: a label is no state, or the pack is damaged.
    """
    started = time.monotonic()
    split = chosen_split(pack, split)
    rows = pack.rows(split)
    for row in rows:
        _label(pack, row)
    judged, as_face = [], 0
    for row in follow(spread(rows, limit)):
        face = finder.find_row(pack, row)
        as_face += face.as_face
        state = stage(face.frame, face.detection).state
        answer = Answer(_label(pack, row), state, person_of(row), row_groups(row))
        real = row.get("real", "1") == "1"
        judged.append(_Judged(answer, _wears(stage), real, row.get("source", "")))
    real_answers = [j.answer for j in judged if j.real]
    return Figures(
        task="mask",
        data=f"{pack.name}/{split or 'all'}",
        n=len(judged),
        measures=_measures(judged),
        as_face=as_face,
        seconds=time.monotonic() - started,
        details={"confusion": confusion(real_answers, STATES)},
    )


def _label(pack: Pack, row: Mapping[str, str]) -> str:
    label = row.get("label") or {"1": "masked", "0": "unmasked"}.get(row.get("mask", ""), "")
    return right_label(pack, row["file"], label, STATES)


def _wears(stage: MaskStage) -> bool:
    """Say whether ``masked`` is likelier than ``unmasked`` for the face that was just run."""
    labels, position = stage.contract.labels, stage.contract.output("logits")
    logits = stage.contract.outputs[position].to_real(stage.stored(position, 0)).ravel()
    return bool(logits[labels.index("masked")] > logits[labels.index("unmasked")])


def _measures(judged: list[_Judged]) -> dict[str, Measure]:
    real = [j.answer for j in judged if j.real]
    drawn = [j.answer for j in judged if not j.real]
    two = [j for j in judged if j.real and j.answer.label != "incorrect"]
    measures = {
        "accuracy": _accuracy2(two),
        "accuracy3": accuracy(real),
        "macro_f1": macro_f1(real, STATES),
    }
    if drawn:
        measures["accuracy_drawn"] = accuracy(drawn)
    for source in few(j.source for j in two):
        measures[f"accuracy_{source}"] = _accuracy2([j for j in two if j.source == source])
    measures |= recalls(real, STATES)
    for name, measure in by_group(two, [j.answer.groups for j in two], _accuracy2):
        measures[f"accuracy_{name}"] = measure
    return measures


def _accuracy2(judged: list[_Judged]) -> Measure:
    return tied_share([j.right2 for j in judged], [(j.answer.unit,) for j in judged])
