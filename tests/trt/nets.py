"""Bundles with ONNX networks that are really run: small residual ones, INT8 as Q/DQ and FP16."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge.contract import Contract, Crop, TensorSpec
from export.onnx_writer import input_steps, write_onnx
from tests.export.onnx_writer_kit import Bench
from tests.makers import EVIDENCE

__all__ = ["contract_of", "network", "write_onnx_bundle"]

SIDE = 16
_NAMES = ("photo", "stem", "inner", "total", "pooled", "last")


def _real(*shape: int) -> Any:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32) / 4


@functools.cache
def network(precision: str, opset: int = 17) -> bytes:
    """Return a network of 16 by 16 pixels and three logits.

    Args:
        precision: ``int8``: int8 in, as Q/DQ; ``fp16`` or ``fp32``: float32 in.
        opset: of ONNX; TensorRT 8 reads up to 17.
    """
    m = Bench()
    x = m.input(1, SIDE, SIDE, 3, name="photo")
    stem = m.conv(x, _real(8, 3, 3, 3), _real(8), act="RELU6", stride=2, name="stem")
    inner = m.conv(stem, _real(8, 3, 3, 8), _real(8), name="inner")
    total = m.add(stem, inner, act="RELU6", name="total")
    pooled = m.node("MEAN", [total, m.constant(np.array([1, 2], np.int32))], (1, 8),
                    options="ReducerOptions", keepDims=False, name="pooled")  # fmt: skip
    options = {"options": "FullyConnectedOptions", "name": "last"}
    inputs = [pooled, m.constant(_real(3, 8)), m.constant(_real(3))]
    content = m.build(m.node("FULLY_CONNECTED", inputs, (1, 3), **options))
    ranges = dict.fromkeys(_NAMES, (-3.0, 6.0)) | {"photo": (-1.0, 127 / 128)}
    return write_onnx(
        content,
        precision=precision,
        ranges=ranges if precision == "int8" else None,
        opset=opset,
        where="test",
    )


def contract_of(precision: str) -> Contract:
    """Return what the network's tensors mean."""
    stored: dict[str, Any] = {"dtype": "float32"}
    if precision == "int8":
        (scale, zero_point), *_ = input_steps(network("int8")).values()
        stored = {"dtype": "int8", "scale": scale, "zero_point": zero_point}
    picture = TensorSpec("args_0", "image", (1, SIDE, SIDE, 3), colour="BGR", **stored)
    logits = TensorSpec("output_0", "logits", (1, 3), "float32")
    labels = ("masked", "unmasked", "incorrect")
    return Contract("test-mask", "mask", Crop("box", 1.3), (picture,), (logits,), labels)


def write_onnx_bundle(
    folder: Path,
    precisions: tuple[str, ...] = ("int8", "fp16"),
    contents: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a bundle with one network, in some precisions, each an ONNX file.

    Args:
        folder: to be made.
        precisions: of the files.
        contents: other files than ``network`` gives, by precision.
    """
    folder.mkdir()
    artefacts = []
    for precision in precisions:
        content = (contents or {}).get(precision) or network(precision)
        (folder / f"mask.{precision}.onnx").write_bytes(content)
        artefacts.append(
            {
                "file": f"mask.{precision}.onnx",
                "engine": "onnxruntime",
                "precision": precision,
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "contract": contract_of(precision).to_json(),
                "evidence": EVIDENCE,
                "audit": {"label": precision, "exceptions": []},
            }
        )
    recipe = {
        "licence": "Apache-2.0",
        "terms": "made for tests",
        "recipe": "test-mask",
        "weights_sha256": "0" * 64,
        "artefacts": artefacts,
    }
    manifest = {
        "schema": "unveil-edge.bundle/2",
        "name": "made-for-tests",
        "created": "2026-11-21T00:00:00Z",
        "tools": {},
        "networks": {"mask": recipe},
    }
    (folder / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder
