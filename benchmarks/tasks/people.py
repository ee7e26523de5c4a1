"""Which people and which pairs of their pictures an identity test is made of."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.faces import spread
from benchmarks.packs import Pack
from benchmarks.readers import Row
from edge.errors import DataError, MissingInput

__all__ = ["Pair", "read_pairs"]

#: Pairs of each kind that are made where a pack brings none; as many as LFW has, and some more.
MOST_PAIRS = 5000
#: Parts that pairs without folds are dealt into, as LFW has.
FOLDS = 10


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures.

    Attributes:
        a, b: their names in the pack.
        same: whether they show one person.
        fold: the threshold for this pair comes from the other folds.
        kind: what it is made of, such as ``nomask-mask``; may be empty.
    """

    a: str
    b: str
    same: bool
    fold: int
    kind: str = ""


def read_pairs(pack: Pack, rows: Mapping[str, Row]) -> list[Pair]:
    """Return the pairs of a pack.

    Those of ``pairs.csv``: ``a, b, same`` and perhaps ``fold`` and ``kind``. Without that file the
    pictures of every person are paired with each other, and as many pairs of different people are
    taken, evenly spread.

    Args:
        pack: to read.
        rows: one of each picture that takes part, by name; ``person``, or the class folder, says
            who it is. Pairs with another picture are left out.

    Raises:
        MissingInput: there are neither pairs nor people.
        DataError: ``pairs.csv`` is damaged, or none of its pairs is of these pictures.
    """
    try:
        table = pack.table("pairs")
    except MissingInput:
        return _paired(pack, rows)
    for column in ("a", "b", "same"):
        if table and column not in table[0]:
            raise DataError(f"{pack.folder / 'pairs.csv'}: no column {column!r}", code="pack.pairs")
    turns: dict[bool, int] = defaultdict(int)
    known, pairs = set(pack.names), []
    for number, row in enumerate(table, start=2):
        where = f"{pack.folder / 'pairs.csv'}: row {number}"
        for side in ("a", "b"):
            if row[side] not in known:
                raise DataError(f"{where}: no picture {row[side]!r}", code="pack.pairs")
        if row["same"] not in ("0", "1"):
            raise DataError(f"{where}: same is {row['same']!r}, not 0 or 1", code="pack.pairs")
        same = row["same"] == "1"
        fold = row.get("fold", str(turns[same] % FOLDS))
        if not (fold.isascii() and fold.isdecimal() and len(fold) < 10):
            raise DataError(f"{where}: fold {fold!r} is no number", code="pack.pairs")
        if row["a"] not in rows or row["b"] not in rows:
            continue
        turns[same] += 1
        pairs.append(Pair(row["a"], row["b"], same, int(fold), row.get("kind", "")))
    if not pairs:
        raise DataError(
            f"{pack.folder / 'pairs.csv'}: no pairs of these pictures", code="pack.pairs"
        )
    return pairs


def _paired(pack: Pack, rows: Mapping[str, Row]) -> list[Pair]:
    """Pair the pictures of a pack that brings no pairs."""
    people: dict[str, list[str]] = defaultdict(list)
    for name, row in rows.items():
        who = row.get("person") or (row["label"] if pack.has_classes else "")
        if who:
            people[who].append(name)
    same = [pair for names in people.values() for pair in itertools.combinations(names, 2)]
    same = spread(same, MOST_PAIRS)
    if not same or len(people) < 2:
        raise MissingInput(
            f"{pack.folder}: no pairs.csv, and no people with two pictures each to make pairs of",
            hint="give pairs.csv with the columns a,b,same, or a folder of pictures a person",
            code="pack.pairs",
        )
    others = _strangers(list(people.values()), len(same))
    return [
        Pair(a, b, is_same, i % FOLDS)
        for pairs, is_same in ((same, True), (others, False))
        for i, (a, b) in enumerate(pairs)
    ]


def _strangers(people: Sequence[Sequence[str]], count: int) -> list[tuple[str, str]]:
    """Draw so many different pairs of different people, the same every time."""
    sizes = np.array([len(names) for names in people])
    total = (int(sizes.sum()) ** 2 - int((sizes**2).sum())) // 2
    rng = np.random.default_rng(0)
    drawn: dict[tuple[str, str], None] = {}
    while len(drawn) < min(count, total):
        one, other = sorted(rng.choice(len(people), 2, replace=False).tolist())
        drawn[
            people[one][int(rng.integers(len(people[one])))],
            people[other][int(rng.integers(len(people[other])))],
        ] = None
    return list(drawn)
