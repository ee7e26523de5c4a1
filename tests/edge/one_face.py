"""A bundle that sees exactly one face, the whole of a square frame, and can embed it.

Its detector is ``null``; its embeddings come from the tiny network of tests/assets.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from edge.contract import TensorSpec
from tests.edge.test_engines import TFLITE, contract_int8
from tests.makers import make_contract, write_bundle

__all__ = ["many_faces_bundle", "one_face_bundle"]

_SIDE = 64


def one_face_bundle(folder: Path) -> Path:
    """Write the bundle: one cell, whose score of 0 reaches the threshold of 0."""
    real: dict[str, Any] = {"dtype": "int8", "scale": 1 / 16, "stride": _SIDE}
    detect = dataclasses.replace(
        make_contract("detect"),
        inputs=(TensorSpec("args_0", "image", (1, _SIDE, _SIDE, 3), "int8", 1 / 128, 0, "BGR"),),
        outputs=(
            TensorSpec("scores", "scores", (1, 1, 1), **real),
            TensorSpec("boxes", "boxes", (1, 1, 4), **real),
            TensorSpec("points", "points5", (1, 1, 10), **real),
        ),
        threshold=0.0,
    )
    contracts = {"detect": detect, "identity": contract_int8()}
    contracts["identity-masked"] = dataclasses.replace(contract_int8(), task="identity-masked")
    write_bundle(folder, contracts=contracts)
    content = TFLITE.read_bytes()
    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    for task in ("identity", "identity-masked"):
        (folder / f"{task}.null").write_bytes(content)
        manifest["networks"][task]["artefacts"][0].update(
            engine="tflite", bytes=len(content), sha256=hashlib.sha256(content).hexdigest()
        )
    (folder / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def many_faces_bundle(folder: Path) -> Path:
    """Write a bundle that sees a face in every cell."""
    detect = dataclasses.replace(make_contract("detect"), threshold=0.0)
    return write_bundle(folder, contracts={"detect": detect})
