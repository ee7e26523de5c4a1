"""Two INT8 artefacts of one calibration, compared layer by layer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install -e .[test]")

from edge.errors import DataError
from export.inspection.agreement import LayerAgreement, agreement
from export.onnx_writer import write_onnx
from tests.export.tflite_maker import make, ranges_of, samples_of, small

_SAMPLES = samples_of((1, 16, 16, 3))
_FLOAT = make(small)
_RANGES = {**ranges_of(_FLOAT, _SAMPLES), "x": (-1.0, 127 / 128)}
Spans = Mapping[str, tuple[float, float]]


def _compare(tflite: Spans = _RANGES, onnx: Spans = _RANGES) -> list[LayerAgreement]:
    written = write_onnx(_FLOAT, precision="int8", ranges=onnx, where="small")
    return agreement(_FLOAT, make(small, tflite), written, _SAMPLES, _RANGES)


def _altered(name: str, factor: float) -> Any:
    return {**_RANGES, name: tuple(end * factor for end in _RANGES[name])}


def test_every_layer_that_both_have_is_compared() -> None:
    layers = {layer.name: layer for layer in _compare()}
    assert layers.keys() == {"x", "stem", "wide", "line", "total", "pooled", "logits", "probs"}
    assert layers["wide"].op == "DEPTHWISE_CONV_2D"
    assert layers["x"].op == ""
    assert layers["x"].mutual_db == 99
    assert all(layer.mutual_db > 15 for layer in layers.values())
    assert all(layer.most_steps < 8 for layer in layers.values())


def test_one_calibration_loses_little_anywhere() -> None:
    assert _compare()[0].lost_db < 6


@pytest.mark.parametrize("factor", [8.0, 0.25])
@pytest.mark.parametrize("name", ["stem", "wide", "pooled"])
def test_a_layer_whose_scale_was_altered_comes_first(name: str, factor: float) -> None:
    layers = _compare(onnx=_altered(name, factor))
    assert layers[0].name == name
    assert layers[0].lost_db > 8
    assert layers[0].onnx_db < layers[0].tflite_db
    assert [layer.lost_db for layer in layers] == sorted(
        (layer.lost_db for layer in layers), reverse=True
    )


def test_it_tells_which_of_the_two_is_off() -> None:
    layers = _compare(tflite=_altered("wide", 8.0))
    assert layers[0].name == "wide"
    assert layers[0].tflite_db < layers[0].onnx_db - 6


def test_a_layer_is_plain_json() -> None:
    layer = _compare()[0]
    fields = json.loads(json.dumps(layer.to_json()))
    assert fields["name"] == layer.name
    assert fields["lost_db"] == round(layer.lost_db, 3)
    assert fields.keys() == set(LayerAgreement.__slots__)


def test_without_samples_there_is_nothing_to_say() -> None:
    written = write_onnx(_FLOAT, precision="int8", ranges=_RANGES, where="small")
    with pytest.raises(DataError, match="no samples"):
        agreement(_FLOAT, make(small, _RANGES), written, [], _RANGES)
