"""Mask state by a detector that knows two kinds of face: with a mask and without one.

Measures:
    accuracy            real pictures labelled masked or unmasked; the surest face decides
    recall_<label>      of one label
    accuracy_<source>   over pictures of one source
"""

from __future__ import annotations

import time
from typing import Protocol

from benchmarks.faces import chosen_split, spread
from benchmarks.figures import Figures, share
from benchmarks.packs import Pack
from edge.errors import DataError
from edge.frames import Frame

__all__ = ["evaluate"]

_LABELS = ("masked", "unmasked")


class _Judge(Protocol):
    """What says whether the surest face of a frame wears a mask."""

    def wears_mask(self, frame: Frame) -> bool: ...


def evaluate(
    network: _Judge, pack: Pack, *, split: str | None = None, limit: int | None = None
) -> Figures:
    """Judge a detector on pictures of one face each.

    Pictures with a drawn mask, or one worn incorrectly, are left out.

    Args:
        network: under test.
        pack: has the columns ``label`` and ``real``.
        split: of the pack; ``test`` unless named.
        limit: at most so many pictures, evenly spread.

    Raises:
        DataError: there are no such pictures, or the pack is damaged.
    """
    started = time.monotonic()
    split = chosen_split(pack, split)
    rows = pack.rows(split)
    real = [r for r in rows if r.get("label") in _LABELS and r.get("real", "1") == "1"]
    if not real:
        raise DataError(f"{pack.folder}: no real picture is labelled {' or '.join(_LABELS)}",
                        code="pack.label")  # fmt: skip
    judged = []
    for row in spread(real, limit):
        frame = Frame(pack.image(row["file"]), 0, 0, row["file"])
        hit = network.wears_mask(frame) == (row["label"] == "masked")
        judged.append((row["label"], row.get("source", ""), hit))
    measures = {"accuracy": share(sum(hit for *_, hit in judged), len(judged))}
    for label in _LABELS:
        hits = [hit for name, _, hit in judged if name == label]
        measures[f"recall_{label}"] = share(sum(hits), len(hits))
    for source in sorted({name for _, name, _ in judged} - {""}):
        hits = [hit for _, name, hit in judged if name == source]
        measures[f"accuracy_{source}"] = share(sum(hits), len(hits))
    return Figures(
        task="mask",
        data=f"{pack.name}/{split or 'all'}",
        n=len(judged),
        measures=measures,
        as_face=0,
        seconds=time.monotonic() - started,
        details={"left_out": len(rows) - len(real)},
    )
