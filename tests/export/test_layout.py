"""One rule for axes, whatever the format: see ``export.importers.shapes``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError, UnavailableError
from export.cards.card import Card, TensorCard, read_card
from export.importers.shapes import PLANES, is_picture, outside, turned, turns

CARD = """
name = "net"
task = "edit"
summary = "for tests"
licence = "Apache-2.0"
[source]
file = "{file}"
[contract]
[contract.crop]
kind = "points"
[[contract.inputs]]
meaning = "image"
shape = [1, 8, 12, 3]
colour = "RGB"
mean = [120.0, 110.0, 100.0]
std = [60.0, 50.0, 40.0]
[[contract.outputs]]
meaning = "{meaning}"
shape = {shape}
"""
SIZES = st.integers(2, 9)


@given(st.tuples(st.just(1), SIZES, SIZES, SIZES), st.sampled_from(["logits", *PLANES]))
def test_only_images_and_maps_are_turned_and_only_if_the_card_has_them_so(
    shape: tuple[int, ...], meaning: str
) -> None:
    last = turned(shape)
    assert turns(shape, TensorCard(meaning, last)) == (meaning in PLANES and last != shape)
    assert not turns(shape, TensorCard(meaning, shape))
    assert outside(shape) == (last if is_picture(shape) else shape)


def _card(folder: Path, file: str, meaning: str, shape: tuple[int, ...]) -> Card:
    path = folder / "model.toml"
    path.write_text(CARD.format(file=file, meaning=meaning, shape=list(shape)))
    return read_card(path, whole=False)


def _onnx(path: Path, version: int = 9) -> None:
    """Write a network that gives a picture ``[1, 3, 8, 12]`` and no other."""
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install -e .[export]")
    helper, rng = onnx.helper, np.random.default_rng(0)
    weight = rng.normal(0, 0.3, (3, 3, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, 8, 12])
        for name in ("x", "y")
    ]
    stored = [onnx.numpy_helper.from_array(weight, "w")]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], stored)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=version), path)


def _pt2(path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch: pip install -e .[export]")
    from benchmarks.anatomy.quiet import quiet

    torch.manual_seed(0)
    network = torch.nn.Conv2d(3, 3, 3, padding=1).eval()
    with quiet():
        torch.export.save(torch.export.export(network, (torch.zeros(1, 3, 8, 12),)), path)


@pytest.mark.parametrize(("file", "write"), [("net.onnx", _onnx), ("net.pt2", _pt2)])
def test_an_image_comes_out_channels_last_where_the_card_says_so(
    tmp_path: Path, file: str, write: object
) -> None:
    for name in ("torch", "litert_torch", "onnx", "onnxruntime"):
        pytest.importorskip(name, reason="needs the toolchain: pip install -e .[export]")
    from export.cards.guess import guess
    from export.cards.init import card_text
    from export.cards.look import look
    from export.gate.original import fidelity_db, original_outputs
    from export.importers.source import find_source
    from export.program.lowered import Lowered, contract_of, random_inputs, run

    path = tmp_path / file
    assert callable(write)
    write(path)
    # Three means are an operator in front of the float program, and none of the original's.
    card = _card(tmp_path, file, "image", (1, 8, 12, 3))
    source = find_source(path, card=card)
    content = source.load()
    contract = contract_of(content, "tflite", card=card, name="net")
    assert [s.shape for s in (*contract.inputs, *contract.outputs)] == [(1, 8, 12, 3)] * 2
    exact = Lowered("net", "tflite", "fp32", content, contract)
    inputs = random_inputs(exact)[:3]
    found = run(exact, inputs)
    wanted = original_outputs(source, found, contract, inputs)
    assert wanted is not None
    assert fidelity_db(wanted, found) > 90

    # Without a card it keeps its axes, and a first card says what they will be.
    seen = look(path)
    assert seen.outputs[0].shape == (1, 3, 8, 12)
    assert card_text(seen, guess(seen)).count("shape = [1, 8, 12, 3]") == 2
    kept = _card(tmp_path, file, "image", (1, 3, 8, 12))
    with pytest.raises(ConfigError, match="the card says"):
        contract_of(content, "tflite", card=kept, name="net")


def test_an_original_that_is_newer_than_its_runtime_is_not_to_be_had(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install onnxruntime")
    pytest.importorskip("torch", reason="needs PyTorch: pip install -e .[export]")
    from export.gate.original import open_original

    _onnx(tmp_path / "net.onnx", version=99)
    with pytest.raises(UnavailableError, match="does not open it"):
        open_original(tmp_path / "net.onnx")
