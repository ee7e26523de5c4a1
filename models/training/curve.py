"""Draw a training log as a small picture: one panel a figure, epochs to the right."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

__all__ = ["draw_curve"]

_WIDTH, _HEIGHT, _MARGIN = 360, 220, 34


def draw_curve(log: Path, out: Path) -> None:
    """Read ``log.csv`` and write ``curve.png`` beside it.

    Args:
        log: first row the names, first column the epoch.
        out: the picture; overwritten.
    """
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "epoch"]
    epochs = np.array([float(row["epoch"]) for row in rows])
    panels = []
    for name in names:
        values = np.array([float(row[name] or "nan") for row in rows])
        panels.append(_panel(name, epochs, values))
    cv2.imwrite(str(out), np.hstack(panels))


def _panel(name: str, epochs: np.ndarray, values: np.ndarray) -> np.ndarray:
    panel = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    known = np.isfinite(values)
    font, grey = cv2.FONT_HERSHEY_SIMPLEX, (90, 90, 90)
    cv2.putText(panel, name, (_MARGIN, 18), font, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    if not known.any():
        return panel
    low, high = float(values[known].min()), float(values[known].max())
    span = max(high - low, 1e-9)
    x = _MARGIN + (epochs[known] - 1) / max(1.0, float(epochs.max()) - 1) * (_WIDTH - 2 * _MARGIN)
    y = _HEIGHT - _MARGIN - (values[known] - low) / span * (_HEIGHT - 2 * _MARGIN)
    line = np.stack([x, y], 1).round().astype(np.int32)
    cv2.rectangle(
        panel, (_MARGIN, _MARGIN), (_WIDTH - _MARGIN, _HEIGHT - _MARGIN), (220, 220, 220), 1
    )
    cv2.polylines(panel, [line], False, (180, 90, 20), 2, cv2.LINE_AA)
    cv2.putText(panel, f"{high:.4g}", (2, _MARGIN - 4), font, 0.35, grey, 1, cv2.LINE_AA)
    cv2.putText(panel, f"{low:.4g}", (2, _HEIGHT - _MARGIN + 12), font, 0.35, grey, 1, cv2.LINE_AA)
    last = f"epoch {int(epochs.max())}: {values[known][-1]:.4g}"
    cv2.putText(panel, last, (_MARGIN, _HEIGHT - 8), font, 0.4, grey, 1, cv2.LINE_AA)
    return panel
