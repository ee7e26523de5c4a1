"""A contract survives JSON and refuses what cannot be."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract import TASKS, Contract, TensorSpec
from edge.errors import BundleError
from tests.makers import make_contract


@pytest.mark.parametrize("task", TASKS)
def test_survives_json(task: str) -> None:
    contract = make_contract(task)
    assert Contract.from_json(json.loads(json.dumps(contract.to_json())), where="x") == contract


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["task"], "guess"),  # no such task
        (["network"], ""),  # no name
        (["network"], "n" * 201),  # too long a name
        (["surprise"], 1),  # unknown key
        (["threshold"], float("nan")),
        (["threshold"], True),  # no number
        (["threshold"], 10**400),  # more than a float holds
        (["temperature"], 0),
        (["crop", "kind"], "oval"),
        (["crop", "replicate"], 1),  # no truth value
        (["crop", "extra"], 1),
        (["labels"], "masked"),  # a text, no list
        (["labels"], [1]),
        (["inputs"], []),
        (["inputs"], [3]),
        (["inputs", 0, "shape"], [1, 96, 96]),  # no picture
        (["inputs", 0, "shape"], [1, 96, 95, 3]),  # a crop around a face is square
        (["inputs", 0, "shape"], [1, 2**20, 2**20, 3]),  # more than memory
        (["inputs", 0, "shape"], [1, -96, 96, 3]),
        (["inputs", 0, "shape"], [1.0, 96, 96, 3]),
        (["inputs", 0, "shape"], [2, 96, 96, 3]),  # one face at a time
        (["inputs", 0, "colour"], "GREY"),  # of three channels
        (["inputs", 0, "dtype"], "float64"),
        (["inputs", 0, "dtype"], "float32"),  # with a scale
        (["inputs", 0, "scale"], 1 / 255),  # raw bytes would mean something else
        (["outputs", 0, "zero_point"], 0.5),
        (["outputs", 0, "zero_point"], 300),
        (["outputs", 0, "meaning"], "truth"),
        (["outputs", 0, "stride"], -8),
    ],
)
def test_refuses_what_cannot_be(path: list[Any], value: object) -> None:
    raw: Any = copy.deepcopy(make_contract("mask").to_json())
    place = raw
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(BundleError) as caught:
        Contract.from_json(raw, where="bundle.json: mask.tflite")
    text = str(caught.value)
    assert text.startswith("bundle.json: mask.tflite: ") and "\n" not in text and len(text) < 500


@pytest.mark.parametrize("key", ["network", "task", "crop", "inputs", "outputs"])
def test_refuses_what_is_missing(key: str) -> None:
    raw = make_contract("mask").to_json()
    del raw[key]
    with pytest.raises(BundleError, match=f"{key}: is missing"):
        Contract.from_json(raw, where="x")


def test_an_embedding_has_a_revision() -> None:
    raw = make_contract("identity").to_json() | {"revision": ""}
    with pytest.raises(BundleError, match="revision"):
        Contract.from_json(raw, where="x")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(make_contract("mask").to_json())), _json)
def test_any_json_is_taken_or_refused(key: str, value: object) -> None:
    raw = make_contract("mask").to_json() | {key: value}
    try:
        contract = Contract.from_json(raw, where="x")
    except BundleError:
        return
    assert Contract.from_json(contract.to_json(), where="x") == contract


def test_finds_outputs_by_meaning() -> None:
    contract = make_contract("detect")
    position = contract.output("boxes", stride=16)
    assert contract.outputs[position].name == "boxes_16"
    with pytest.raises(BundleError, match="no output means 'map'"):
        contract.output("map")


def test_real_values() -> None:
    spec = TensorSpec("x", "logits", (1, 3), "int8", scale=0.5, zero_point=-128)
    real = spec.to_real(np.array([-128, 0, 127], np.int8))
    assert real.dtype == np.float32
    assert real.tolist() == [0.0, 64.0, 127.5]
    stored = np.array([1.5], np.float32)
    same = TensorSpec("x", "logits", (1, 1), "float32").to_real(stored)
    assert same.tolist() == [1.5] and same is not stored


@given(
    st.sampled_from(["int8", "uint8"]),
    st.floats(1e-4, 10),
    st.integers(-128, 127),
    st.floats(-50, 50),
)
def test_comparing_what_is_stored_decides_as_comparing_real_values_does(
    dtype: str, scale: float, zero_point: int, threshold: float
) -> None:
    zero = zero_point if dtype == "int8" else zero_point + 128
    spec = TensorSpec("x", "scores", (1, 256), dtype, scale=scale, zero_point=zero)
    codes = spec.codes()
    real = spec.to_real(codes) >= np.float32(threshold)
    assert np.array_equal(codes >= spec.least_stored(threshold), real)
