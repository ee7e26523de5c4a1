"""What the demo says: a table of the JSON lines and the verdict."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.demo.film import MASK_ON, RAISING
from benchmarks.demo.picture import PERSON
from edge.errors import GateFailed

__all__ = ["check", "read_lines", "table"]

#: A parsed line of docs/results.md.
Line = dict[str, Any]

_HEAD = ("seen", "frames", "faces", "mask", "painted", "person", "cosine", "emotion", "ms")


def read_lines(path: Path) -> list[Line]:
    """Read the lines that ``edge-run`` wrote."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _masked_frames(frames: list[Line]) -> list[Line]:
    return [line for line in frames if line["frame"] >= MASK_ON]


def table(pictures: list[Line], frames: list[Line]) -> str:
    """Return an aligned text table: a row a picture, then the parts of the film."""
    bare = [line for line in frames if line["frame"] < RAISING.start]
    raising = [line for line in frames if line["frame"] in RAISING]
    rows: list[tuple[str, ...]] = [_HEAD]
    rows += [_row(Path(line["source"]).stem + " picture", [line]) for line in pictures]
    rows += [
        _row("film, bare", bare),
        _row("film, mask rising", raising),
        _row("film, masked", _masked_frames(frames)),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths)) for row in rows]  # noqa: B905
    return "\n".join([lines[0].rstrip(), "  ".join("-" * width for width in widths)] + [
        line.rstrip() for line in lines[1:]
    ])  # fmt: skip


def _row(name: str, lines: list[Line]) -> tuple[str, ...]:
    """Sum up the largest face of each line."""
    faces = [line["faces"][0] for line in lines if line["faces"]]
    identities = [face["identity"] for face in faces if face["identity"]]
    known = [identity for identity in identities if identity["person"] == PERSON]
    return (
        name,
        str(len(lines)),
        str(sum(len(line["faces"]) for line in lines)),
        _counted([face["mask"]["state"] for face in faces]),
        str(sum(face["reconstructed"] for face in faces)),
        f"{PERSON} {len(known)}/{len(lines)}",
        f"{median(i['similarity'] for i in identities):.2f}" if identities else "-",
        _counted([face["emotion"]["label"] for face in faces if face["emotion"]]),
        f"{median(line['timing_ms']['total'] for line in lines):.1f}" if lines else "-",
    )


def _counted(labels: list[str]) -> str:
    """Return the labels with their counts, the most frequent first."""
    order = sorted(set(labels), key=lambda label: (-labels.count(label), label))
    if len(order) == 1:
        return order[0]
    return " ".join(f"{label} {labels.count(label)}" for label in order) or "-"


def _is_known(line: Line) -> bool:
    return any(face["identity"] and face["identity"]["person"] == PERSON for face in line["faces"])


def check(pictures: list[Line], frames: list[Line]) -> None:
    """Refuse a run in which the person was not known with a mask on.

    Raises:
        GateFailed: a picture or most of the film's masked frames did not show her name, or the
            masked picture was not taken for masked.
    """
    for line in pictures:
        if not _is_known(line):
            raise GateFailed(f"{line['source']}: {PERSON} was not recognised", code="demo.person")
    states = {
        Path(line["source"]).stem: [face["mask"]["state"] for face in line["faces"]]
        for line in pictures
    }
    if states.get("masked") != ["masked"] or states.get("bare") != ["unmasked"]:
        raise GateFailed(f"the pictures' mask states are wrong: {states}", code="demo.mask")
    masked = _masked_frames(frames)
    known = sum(map(_is_known, masked))
    if 2 * known <= len(masked):
        raise GateFailed(
            f"{PERSON} was recognised in {known} of {len(masked)} masked frames", code="demo.film"
        )
