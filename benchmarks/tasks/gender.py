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

from collections.abc import Mapping

from benchmarks.faces import FaceFinder
from benchmarks.figures import Figures
from benchmarks.follow import Follow, unwatched
from benchmarks.packs import Pack
from benchmarks.tasks.groups import gender_of, row_groups
from benchmarks.tasks.judge import Question, judge_labels
from benchmarks.tasks.labels import Labeller

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
    return judge_labels(_QUESTION, finder, stage, pack, split=split, limit=limit, follow=follow)


def _label(row: Mapping[str, str]) -> str:
    column = next((name for name in _COLUMNS if name in row), "")
    return gender_of(row.get(column, ""))


def _groups(row: Mapping[str, str]) -> dict[str, str]:
    """Return the groups but the one that is asked for; an age that is no number is refused."""
    return {kind: name for kind, name in row_groups(row).items() if kind != "sex"}


def _grown(row: Mapping[str, str]) -> bool:
    return bool(row.get("age")) and int(row["age"]) >= _GROWN


_QUESTION = Question(
    task="gender",
    label_of=_label,
    unlabelled=("",),
    groups_of=_groups,
    part=("accuracy_age10", "age", _grown),
)
