"""What is known of the person in a picture: who it is, and which group figures stand apart for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from edge.errors import DataError

__all__ = ["by_group", "few", "gender_of", "person_of", "row_groups"]

_Item = TypeVar("_Item")
_Measure = TypeVar("_Measure")

#: Column of ``labels.csv`` and the name of its groups.
_COLUMNS = {"sex": "sex", "gender": "sex", "race": "race", "pose": "pose"}
_GENDERS = {"f": "female", "m": "male"}
#: First year of each group of ages, as the pack ``faces`` counts them.
_AGES = (0, 3, 10, 18, 30, 45, 60)
#: A column with more names than this is no grouping, and none of them has a figure of its own.
_MOST_NAMES = 20
#: Columns that say who a picture shows, the best first.
_PEOPLE = ("person", "subject", "group")


def few(names: Iterable[str]) -> list[str]:
    """Return the different names, sorted and none empty; none at all where they are too many."""
    found = sorted(set(names) - {""})
    return found if len(found) <= _MOST_NAMES else []


def gender_of(text: str) -> str:
    """Write ``f`` and ``m`` out; leave all else as it is."""
    return _GENDERS.get(text, text)


def person_of(row: Mapping[str, str]) -> str:
    """Return who a picture shows; the picture's own name where nobody says."""
    return next((row[key] for key in _PEOPLE if row.get(key)), row.get("file", ""))


def row_groups(row: Mapping[str, str]) -> dict[str, str]:
    """Return the groups that a picture's person belongs to, such as ``{"age": "18_29"}``.

    Raises:
        DataError: the age is no number of years.
    """
    groups = {
        name: re.sub(r"\W+", "_", gender_of(row[column]).lower())
        for column, name in _COLUMNS.items()
        if row.get(column)
    }
    if row.get("age"):
        groups["age"] = _age_group(row)
    return groups


def by_group(
    items: Sequence[_Item],
    groups: Sequence[Mapping[str, str]],
    measure: Callable[[list[_Item]], _Measure],
) -> Iterator[tuple[str, _Measure]]:
    """Measure every group by itself, where there are at least two of its kind, and not too many.

    Args:
        items: what was judged.
        groups: of each item.
        measure: of some of them.

    Yields:
        Name such as ``sex_female`` and the figure.
    """
    names: dict[str, set[str]] = defaultdict(set)
    for mine in groups:
        for kind, name in mine.items():
            names[kind].add(name)
    for kind in sorted(names):
        found = few(names[kind])
        for name in sorted(found, key=_first_year) if len(found) > 1 else []:
            chosen = [i for i, g in zip(items, groups, strict=True) if g.get(kind) == name]
            yield f"{kind}_{name}", measure(chosen)


def _first_year(name: str) -> int:
    """Return the first year of a group of ages; 0 for every other name."""
    start = name.split("_")[0]
    return int(start) if start.isascii() and start.isdecimal() else 0


def _age_group(row: Mapping[str, str]) -> str:
    age = row["age"]
    if not (age.isascii() and age.isdecimal() and len(age) < 4):
        raise DataError(
            f"labels.csv: picture {row.get('file', '')!r} has age {age!r}, no number of years",
            code="pack.label",
        )
    place = sum(int(age) >= first for first in _AGES) - 1
    if place == len(_AGES) - 1:
        return f"{_AGES[place]}_up"
    return f"{_AGES[place]}_{_AGES[place + 1] - 1}"
