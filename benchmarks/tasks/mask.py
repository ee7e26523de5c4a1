"""Mask state: are masked faces told from bare ones?

Measures:
    accuracy         real pictures labelled masked or unmasked; the likelier of these two states
    accuracy3        real pictures, all three states
    accuracy_drawn   pictures with a drawn mask, all three states
    accuracy_<source>, recall_<state>: as ``accuracy`` and ``accuracy3``, over a part
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.faces import FaceFinder, chosen_split, spread
from benchmarks.figures import Figures, Measure, share
from benchmarks.packs import Pack
from edge.errors import DataError
from edge.stages import MaskStage
from edge.stages.mask import STATES

__all__ = ["evaluate"]


@dataclass(frozen=True, slots=True)
class _Judged:
    """One picture: its label, the likeliest state, whether masked beats unmasked."""

    label: str
    state: str
    wears: bool
    real: bool
    source: str

    @property
    def right(self) -> bool:
        return self.state == self.label

    @property
    def right2(self) -> bool:
        return self.wears == (self.label == "masked")


def evaluate(
    finder: FaceFinder,
    stage: MaskStage,
    pack: Pack,
    *,
    split: str | None = None,
    limit: int | None = None,
) -> Figures:
    """Judge the mask stage on a pack, or on class folders named after the states.

    Args:
        finder: chooses the face of each picture.
        stage: under test.
        pack: has a column ``label`` (a state) or ``mask`` (1 or 0).
        split: of the pack; ``test`` unless named.
        limit: at most so many pictures, evenly spread.

    Raises:
        DataError: a label is no state, or the pack is damaged.
    """
    started = time.monotonic()
    split = chosen_split(pack, split)
    rows = spread(pack.rows(split), limit)
    judged, as_face = [], 0
    for row in rows:
        label = _label(pack, row)
        face = finder.find_row(pack, row)
        as_face += face.as_face
        state = stage(face.frame, face.detection).state
        real = row.get("real", "1") == "1"
        judged.append(_Judged(label, state, _wears(stage), real, row.get("source", "")))
    return Figures(
        task="mask",
        data=f"{pack.name}/{split or 'all'}",
        n=len(judged),
        measures=_measures(judged),
        as_face=as_face,
        seconds=time.monotonic() - started,
        details={"confusion": _confusion([j for j in judged if j.real])},
    )


def _label(pack: Pack, row: Mapping[str, str]) -> str:
    label = row.get("label") or {"1": "masked", "0": "unmasked"}.get(row.get("mask", ""), "")
    if label not in STATES:
        raise DataError(
            f"{pack.folder}: picture {row['file']!r} has label {label!r}",
            hint=f"the labels, or the class folders, are {', '.join(STATES)}",
            code="pack.label",
        )
    return label


def _wears(stage: MaskStage) -> bool:
    """Say whether ``masked`` is likelier than ``unmasked`` for the face that was just run."""
    labels, position = stage.contract.labels, stage.contract.output("logits")
    logits = stage.contract.outputs[position].to_real(stage.engine.outputs[position]).ravel()
    return bool(logits[labels.index("masked")] > logits[labels.index("unmasked")])


def _measures(judged: list[_Judged]) -> dict[str, Measure]:
    real = [j for j in judged if j.real]
    drawn = [j for j in judged if not j.real]
    two = [j for j in real if j.label != "incorrect"]
    measures = {"accuracy": _share2(two), "accuracy3": _share3(real)}
    if drawn:
        measures["accuracy_drawn"] = _share3(drawn)
    for source in sorted({j.source for j in two} - {""}):
        measures[f"accuracy_{source}"] = _share2([j for j in two if j.source == source])
    for state in STATES:
        measures[f"recall_{state}"] = _share3([j for j in real if j.label == state])
    return measures


def _share2(judged: list[_Judged]) -> Measure:
    return share(sum(j.right2 for j in judged), len(judged))


def _share3(judged: list[_Judged]) -> Measure:
    return share(sum(j.right for j in judged), len(judged))


def _confusion(judged: list[_Judged]) -> dict[str, dict[str, int]]:
    """Count real pictures: label, then the state that was said."""
    counts = np.zeros((len(STATES), len(STATES)), int)
    for j in judged:
        counts[STATES.index(j.label), STATES.index(j.state)] += 1
    return {
        label: {state: int(counts[i, k]) for k, state in enumerate(STATES)}
        for i, label in enumerate(STATES)
    }
