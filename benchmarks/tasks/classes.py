"""How often a network says the right one of a few labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Measure, resampled, tied_share
from benchmarks.packs import Pack
from edge.errors import DataError

__all__ = ["Answer", "accuracy", "confusion", "macro_f1", "recalls", "right_label"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One picture.

    Attributes:
        label: the right one.
        said: what the network said.
        unit: what the picture hangs on, such as its person.
        groups: of the person, see ``groups.row_groups``.
    """

    label: str
    said: str
    unit: str
    groups: Mapping[str, str]

    @property
    def right(self) -> bool:
        """Whether the network said the right one."""
        return self.said == self.label


def accuracy(answers: Sequence[Answer]) -> Measure:
    """Return the share of right answers."""
    return tied_share([a.right for a in answers], [(a.unit,) for a in answers])


def recalls(answers: Sequence[Answer], labels: Sequence[str]) -> dict[str, Measure]:
    """Return ``recall_<label>``: the share of a label's pictures that are given it."""
    return {
        f"recall_{label}": accuracy([a for a in answers if a.label == label]) for label in labels
    }


def macro_f1(answers: Sequence[Answer], labels: Sequence[str]) -> Measure:
    """Return the mean of every label's F1, 2 TP / (2 TP + FP + FN).

    The mean of F1s, not the F1 of means (Opitz and Burst, "Macro F1 and Macro F1", 2019), over the
    labels that some picture has. The interval draws people, or pictures, with replacement.
    """
    units = sorted({a.unit for a in answers})
    place = {unit: i for i, unit in enumerate(units)}
    counts = np.zeros((len(units), len(labels), len(labels)), np.int64)
    for a in answers:
        counts[place[a.unit], labels.index(a.label), labels.index(a.said)] += 1
    present = counts.sum((0, 2)) > 0
    flat = counts.reshape(len(units), len(labels) ** 2)

    def score(times: NDArray[np.int64]) -> float:
        table = (times @ flat).reshape(len(labels), len(labels))
        found = table.sum(0) + table.sum(1)
        known = present & (found > 0)
        if not known.any():
            return math.nan
        return float((2 * np.diag(table)[known] / found[known]).mean())

    return resampled(len(units), score, len(answers))


def confusion(answers: Sequence[Answer], labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count the pictures: by the right label, then by what was said."""
    pairs = [(a.label, a.said) for a in answers]
    return {one: {other: pairs.count((one, other)) for other in labels} for one in labels}


def right_label(pack: Pack, file: str, label: str, labels: Sequence[str]) -> str:
    """Return a picture's label.

    Raises:
        DataError: the network has no such label.
    """
    if label not in labels:
        raise DataError(
            f"{pack.folder}: picture {file!r} has label {label!r}",
            hint=f"the labels, or the class folders, are {', '.join(labels)}",
            code="pack.label",
        )
    return label
