"""Make tiny data packs, and an engine that can be reckoned with by hand."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract import Contract
from edge.engines.null import NullEngine

__all__ = ["BrightnessEngine", "flat_picture", "write_pack"]


def flat_picture(brightness: int, side: int = 96) -> NDArray[np.uint8]:
    """Return a picture of one grey, uint8 ``[side, side, 3]``."""
    return np.full((side, side, 3), brightness, np.uint8)


def write_pack(
    folder: Path,
    pictures: dict[str, NDArray[np.uint8]],
    rows: Sequence[dict[str, object]],
    *,
    pairs: Sequence[dict[str, object]] = (),
    points5: NDArray[np.float32] | None = None,
) -> Path:
    """Write a pack of PNG pictures; ``points5`` has one row for each of them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [cv2.imencode(".png", picture)[1].ravel() for picture in pictures.values()]
    np.savez(
        folder / "images.npz",
        blob=np.concatenate(files),
        off=np.cumsum([0, *map(len, files)]).astype(np.int64),
        names=np.array(list(pictures)),
    )
    _write_table(folder / "labels.csv", rows)
    if pairs:
        _write_table(folder / "pairs.csv", pairs)
    if points5 is not None:
        np.savez(folder / "points5.npz", points=points5, names=np.array(list(pictures)))
    return folder


def _write_table(path: Path, rows: Sequence[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


class BrightnessEngine(NullEngine):
    """An engine whose first outputs say how bright the input is.

    The logits, or the embedding, are ``[b, -b, 0, …]`` with b the mean real value of the input,
    -1..1: a bright picture gets the first label, a dark one the second.
    """

    def __init__(self, contract: Contract) -> None:
        super().__init__(contract)
        self._contract = contract

    def run(self, count: int = 1) -> None:
        spec = self._contract.inputs[0]
        bright = float(spec.to_real(self.inputs[0]).mean())
        real: NDArray[Any] = np.zeros(self._contract.outputs[0].shape)
        real[0, :2] = bright, -bright
        out = self._contract.outputs[0]
        np.copyto(self.outputs[0], np.round(real / out.scale).astype(np.int8))
