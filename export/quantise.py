"""Quantise a float TFLite file to full INT8: weights a channel, activations a tensor."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.contract import Contract
from edge.errors import DataError, UnavailableError
from export.lower import SIGNATURE, quiet

__all__ = ["Bytes", "quantise", "real_values", "span_bytes"]

#: Inputs of one run, as bytes: uint8 in the contract's order and shapes.
Bytes = tuple[NDArray[np.uint8], ...]

#: Samples that are in memory as floats at one time.
_CHUNK = 25


def quantise(content: bytes, contract: Contract, samples: Iterable[Bytes]) -> bytes:
    """Quantise with activation ranges seen on real inputs.

    Args:
        content: float TFLite file.
        contract: of that file.
        samples: training inputs as bytes; they are read once.

    Returns:
        TFLite file with int8 inputs and outputs; equal input gives equal bytes.

    Raises:
        UnavailableError: ai-edge-quantizer is not installed.
        DataError: there are no samples.
    """
    try:
        with quiet():
            from ai_edge_quantizer import quantizer, recipe
    except ImportError as error:
        raise UnavailableError(
            f"quantising needs {error.name}",
            hint="pip install unveil-edge[export]",
            code="export.quantizer",
        ) from error
    with quiet(), tempfile.TemporaryDirectory() as folder:
        machine = quantizer.Quantizer(content)
        machine.load_quantization_recipe(recipe.static_wi8_ai8())
        path = Path(folder) / "int8.tflite"
        machine.quantize(_ranges(content, contract, samples)).export_model(path)
        return path.read_bytes()


def _ranges(content: bytes, contract: Contract, samples: Iterable[Bytes]) -> dict[str, Any]:
    """Return the least and the largest value of every tensor over all samples.

    The quantiser's own calibration keeps a moving average of each sample's ends instead. That
    cuts off whatever differs from sample to sample more than within one (pooled features, logits,
    scores of pictures with and without a face): the trained detector had 11.7 dB of signal to
    noise with it and 28.5 dB with the true ends, the emotion network 15.3 and 35.4 dB.
    """
    from ai_edge_quantizer import calibrator, recipe, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(recipe.static_wi8_ai8())
    watcher = calibrator.Calibrator(
        content, num_threads=1, qsv_update_func=qsv_utils.min_max_update
    )
    names = [spec.name for spec in contract.inputs]
    remaining = iter(samples)
    # The calibrator makes a list of what it is given, so it is given little at a time.
    while chunk := [
        dict(zip(names, real_values(span_bytes(sample)), strict=True))
        for sample in itertools.islice(remaining, _CHUNK)
    ]:
        watcher.calibrate({SIGNATURE: chunk}, manager)
    ranges: dict[str, Any] = watcher.get_model_qsvs()
    if not ranges:
        raise DataError(f"{contract.network}: no pictures to calibrate with", code="export.samples")
    return ranges


def span_bytes(sample: Bytes) -> Bytes:
    """Put bytes 0 and 255 into every input of a sample, one corner pixel each.

    The quantiser then sees exactly -1 to 127/128, and the input's scale comes out as exactly
    1/128 with zero point 0, so that a camera's byte is the stored value with its top bit turned.
    """
    spanned = []
    for array in sample:
        array = array.copy()
        array[:, 0, 0, :] = 0
        array[:, -1, -1, :] = 255
        spanned.append(array)
    return tuple(spanned)


def real_values(sample: Bytes) -> tuple[NDArray[np.float32], ...]:
    """Return what the network reads for these bytes: ``(byte - 128) / 128``, float32."""
    return tuple((array.astype(np.float32) - np.float32(128)) / np.float32(128) for array in sample)
