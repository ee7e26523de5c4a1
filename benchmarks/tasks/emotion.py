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

from collections.abc import Mapping

from benchmarks.faces import FaceFinder
from benchmarks.figures import Figures
from benchmarks.follow import Follow, unwatched
from benchmarks.packs import Pack
from benchmarks.tasks.groups import row_groups
from benchmarks.tasks.judge import Question, judge_labels
from benchmarks.tasks.labels import Labeller

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
    return judge_labels(_QUESTION, finder, stage, pack, split=split, limit=limit, follow=follow)


def _label(row: Mapping[str, str]) -> str:
    column = next((name for name in _COLUMNS if name in row), "")
    return row.get(column, "")


_QUESTION = Question(
    task="emotion",
    label_of=_label,
    unlabelled=_UNLABELLED,
    groups_of=row_groups,
    part=("accuracy_distinct", "near_dup", lambda row: row.get("near_dup", "0") == "0"),
)
