"""Make bundles for tests: real files and real digests, networks of the engine ``null``.

The evidence in them was not measured; it says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from edge.contract import Contract, Crop, TensorSpec
from edge.frames import Frame

__all__ = [
    "EMOTIONS",
    "EVIDENCE",
    "REVISION",
    "USUAL",
    "make_contract",
    "make_frame",
    "write_bundle",
]

REVISION = "made-for-tests"
#: Tasks of a bundle like the package's own.
USUAL = ("detect", "mask", "map", "edit", "identity", "identity-masked", "emotion")
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
EVIDENCE: dict[str, Any] = {
    "metric": "made for tests, not measured",
    "float": 0.0,
    "artefact": 0.0,
    "ci95": [0.0, 0.0],
    "n": 1,
    "data": "none, made for tests",
    "data_sha256": "0" * 64,
    "date": "2026-11-21",
    "engine": "null",
}

_BYTE: dict[str, Any] = {"dtype": "int8", "scale": 1 / 128, "zero_point": 0}
_SHARE: dict[str, Any] = {"dtype": "int8", "scale": 1 / 256, "zero_point": -128}
_REAL: dict[str, Any] = {"dtype": "int8", "scale": 1 / 16, "zero_point": 0}


def make_contract(task: str) -> Contract:
    """Return an INT8 contract of the size that the project's own network of this task has."""
    crop, side, outputs, extra = _TASKS[task]
    inputs = [TensorSpec("args_0", "image", (1, side, side, 3), colour="BGR", **_BYTE)]
    if task == "edit":
        inputs.append(TensorSpec("args_1", "map", (1, side, side, 1), **_BYTE))
    return Contract(f"test-{task}", task, crop, tuple(inputs), tuple(outputs), **extra)


def write_bundle(
    folder: Path, tasks: Iterable[str] = USUAL, *, contracts: dict[str, Contract] | None = None
) -> Path:
    """Write a bundle of ``null`` networks.

    Args:
        folder: made if it is not there.
        tasks: that get a network.
        contracts: other ones than ``make_contract`` gives, by task.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    networks = {}
    for task in tasks:
        content = f"nothing computes {task}".encode()
        (folder / f"{task}.null").write_bytes(content)
        artefact = {
            "file": f"{task}.null",
            "engine": "null",
            "precision": "int8",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "contract": ((contracts or {}).get(task) or make_contract(task)).to_json(),
            "evidence": EVIDENCE,
            "audit": {"label": "nothing computes", "exceptions": []},
        }
        networks[task] = {
            "licence": "Apache-2.0",
            "terms": "made for tests",
            "recipe": f"test-{task}",
            "weights_sha256": "0" * 64,
            "artefacts": [artefact],
        }
    manifest = {
        "schema": "unveil-edge.bundle/2",
        "name": "made-for-tests",
        "created": "2026-11-21T00:00:00Z",
        "tools": {},
        "networks": networks,
    }
    (folder / "bundle.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return folder


def make_frame(height: int = 240, width: int = 320, *, seed: int = 0) -> Frame:
    """Return a frame of noise."""
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Frame(image, 0, 0, "noise")


def _grid(stride: int) -> list[TensorSpec]:
    n = (320 // stride) ** 2
    return [
        TensorSpec(f"scores_{stride}", "scores", (1, n, 1), stride=stride, **_SHARE),
        TensorSpec(f"boxes_{stride}", "boxes", (1, n, 4), stride=stride, **_REAL),
        TensorSpec(f"points_{stride}", "points5", (1, n, 10), stride=stride, **_REAL),
    ]


_EMBEDDING = [TensorSpec("output_0", "embedding", (1, 128), **_REAL)]
_FACE = Crop("points", scale=0.8)
#: task: crop, side in pixels, outputs, further fields of the contract
_TASKS: dict[str, tuple[Crop, int, list[TensorSpec], dict[str, Any]]] = {
    "detect": (Crop("frame"), 320, _grid(8) + _grid(16) + _grid(32), {"threshold": 0.5}),
    "mask": (
        Crop("box", scale=1.3),
        96,
        [TensorSpec("output_0", "logits", (1, 3), **_REAL)],
        {"labels": ("masked", "unmasked", "incorrect")},
    ),
    "map": (
        _FACE,
        128,
        [TensorSpec("output_0", "map", (1, 128, 128, 1), **_SHARE)],
        {"threshold": 0.5},
    ),
    "edit": (_FACE, 128, [TensorSpec("output_0", "image", (1, 128, 128, 3), **_SHARE)], {}),
    "identity": (Crop("points"), 112, _EMBEDDING, {"revision": REVISION, "threshold": 0.3}),
    "identity-masked": (Crop("points"), 112, _EMBEDDING, {"revision": REVISION, "threshold": 0.25}),
    "emotion": (
        Crop("box", scale=1.1),
        64,
        [TensorSpec("output_0", "logits", (1, 7), **_REAL)],
        {"labels": EMOTIONS},
    ),
    "gender": (
        Crop("box", scale=1.1),
        64,
        [TensorSpec("output_0", "logits", (1, 2), **_REAL)],
        {"labels": ("female", "male")},
    ),
    "landmarks": (
        Crop("box", scale=1.1),
        112,
        [TensorSpec("output_0", "points68", (1, 136), **_SHARE)],
        {},
    ),
}
