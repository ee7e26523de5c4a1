"""Engines run real files, and refuse what is none or not what its contract says."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle import Artefact, Bundle, default_bundle
from edge.contract import Contract, Crop, TensorSpec
from edge.engines import open_engine
from edge.engines.base import Engine
from edge.errors import BundleError, UnavailableError, UsageError
from edge.stages.base import fill_picture
from edge.ways import Ways
from tests.makers import write_bundle

ASSETS = Path(__file__).parents[1] / "assets"
TFLITE = ASSETS / "tiny.int8.tflite"
ONNX = ASSETS / "tiny.fp32.onnx"
#: Of the outputs of tiny.int8.tflite; export reads such numbers from the file.
STEP, ZERO = 0.0027645807713270187, -58


def contract_int8() -> Contract:
    """Return the contract of tiny.int8.tflite."""
    real: dict[str, Any] = {"dtype": "int8", "scale": STEP, "zero_point": ZERO}
    return Contract(
        "tiny",
        "identity",
        Crop("points"),
        (TensorSpec("args_0", "image", (1, 16, 16, 3), "int8", 1 / 128, 0, "BGR"),),
        (
            # Not in the file's order: the names say which is which.
            TensorSpec("output_1", "embedding", (1, 4), **real),
            TensorSpec("output_0", "logits", (1, 3), **real),
        ),
        revision="tiny",
    )


def as_float(contract: Contract) -> Contract:
    """Return the same contract for the float file."""

    def turn(specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
        return tuple(
            dataclasses.replace(spec, dtype="float32", scale=1.0, zero_point=0) for spec in specs
        )

    return dataclasses.replace(
        contract, inputs=turn(contract.inputs), outputs=turn(contract.outputs)
    )


def open_tflite(content: bytes, contract: Contract) -> Engine:
    from edge.engines.tflite import TFLiteEngine

    return TFLiteEngine(content, contract, threads=1, where="bundle/tiny.tflite")


def open_onnx(content: bytes, contract: Contract) -> Engine:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install .[onnx]")
    from edge.engines.onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine(content, contract, threads=1, where="bundle/tiny.onnx")


ENGINES = pytest.mark.parametrize(
    ("opener", "path", "contract", "tolerance"),
    [
        (open_tflite, TFLITE, contract_int8(), 4 * STEP),
        (open_onnx, ONNX, as_float(contract_int8()), 1e-5),
    ],
    ids=["tflite", "onnxruntime"],
)
Opener = Callable[[bytes, Contract], Engine]


def golden() -> dict[str, NDArray[Any]]:
    with np.load(ASSETS / "tiny.npz", allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("engine", ["tflite", "onnxruntime"])
def test_a_network_that_waits_leaves_the_cores_to_others(engine: str) -> None:
    """Each of a bundle's networks has threads of its own; one at a time has its turn."""
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install .[onnx]")
    ways = Ways(threads=2, engine=engine)
    with ways.open(Bundle.open(default_bundle()), "mask")[0] as network:
        shares = []
        for _ in range(10):
            network.run()
            spent, began = time.process_time(), time.perf_counter()
            time.sleep(0.01)
            shares.append((time.process_time() - spent) / (time.perf_counter() - began))
    assert np.median(shares) < 0.3


@ENGINES
def test_gives_what_pytorch_gave(
    opener: Opener, path: Path, contract: Contract, tolerance: float
) -> None:
    truth = golden()
    with opener(path.read_bytes(), contract) as engine:
        (picture,), held = engine.inputs, engine.outputs
        fill_picture(contract.inputs[0], truth["picture"], np.eye(2, 3), picture)
        engine.run()
        embedding, logits = (
            spec.to_real(stored)
            for spec, stored in zip(contract.outputs, engine.outputs, strict=True)
        )
        np.testing.assert_allclose(embedding, truth["embedding"], atol=tolerance)
        np.testing.assert_allclose(logits, truth["logits"], atol=tolerance)
        # Another picture, the same memory, another answer.
        picture[:] = 0
        engine.run()
        assert engine.inputs[0] is picture and engine.outputs is held
        assert not np.array_equal(contract.outputs[0].to_real(held[0]), embedding)
        engine.close()


def _renamed(contract: Contract) -> Contract:
    spec = dataclasses.replace(contract.outputs[0], name="output_9")
    return dataclasses.replace(contract, outputs=(spec, contract.outputs[1]))


def _reshaped(contract: Contract) -> Contract:
    spec = dataclasses.replace(contract.outputs[0], shape=(1, 5))
    return dataclasses.replace(contract, outputs=(spec, contract.outputs[1]))


def _larger(contract: Contract) -> Contract:
    spec = dataclasses.replace(contract.inputs[0], shape=(1, 32, 32, 3))
    return dataclasses.replace(contract, inputs=(spec,))


def _retyped(contract: Contract) -> Contract:
    spec = dataclasses.replace(contract.inputs[0], dtype="uint8")
    return dataclasses.replace(contract, inputs=(spec,))


def _fewer(contract: Contract) -> Contract:
    return dataclasses.replace(contract, outputs=contract.outputs[:1])


@ENGINES
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_renamed, "output_9"),
        (_reshaped, "output_1 has shape (1, 4), in its contract (1, 5)"),
        (_larger, "args_0 has shape (1, 16, 16, 3), in its contract (1, 32, 32, 3)"),
        (_retyped, "in its contract uint8"),
        (_fewer, "its contract names ['output_1']"),
    ],
)
def test_refuses_another_contract(
    opener: Opener,
    path: Path,
    contract: Contract,
    tolerance: float,
    change: Callable[[Contract], Contract],
    said: str,
) -> None:
    with pytest.raises(BundleError) as caught:
        opener(path.read_bytes(), change(contract))
    assert str(caught.value).startswith("bundle/tiny.")
    assert said in str(caught.value)


@pytest.mark.parametrize(("scale", "zero_point"), [(2 * STEP, ZERO), (STEP, ZERO + 1)])
def test_refuses_another_quantisation(scale: float, zero_point: int) -> None:
    contract = contract_int8()
    spec = dataclasses.replace(contract.outputs[0], scale=scale, zero_point=zero_point)
    changed = dataclasses.replace(contract, outputs=(spec, contract.outputs[1]))
    with pytest.raises(BundleError, match=f"output_1 has scale 0.00276458 and zero_point {ZERO}"):
        open_tflite(TFLITE.read_bytes(), changed)


@ENGINES
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_refuses_a_truncated_file(
    opener: Opener, path: Path, contract: Contract, tolerance: float, share: float
) -> None:
    content = path.read_bytes()
    with pytest.raises(BundleError) as caught:
        opener(content[: int(len(content) * share)], contract)
    assert "\n" not in str(caught.value)


@ENGINES
def test_refuses_random_bytes(
    opener: Opener, path: Path, contract: Contract, tolerance: float
) -> None:
    rng = np.random.default_rng(0)
    for size in (1, 8, 100, 10_000):
        content = rng.integers(0, 256, size, dtype=np.uint8).tobytes()
        for mark in (b"", b"\x1c\x00\x00\x00TFL3"):  # with and without a flatbuffer's head
            with pytest.raises(BundleError):
                opener(mark + content, contract)


def test_altered_tflite_bytes_never_crash() -> None:
    """In a process of its own: a fault would take the test's process with it."""
    code = (
        "import random\n"
        "from tests.edge.test_engines import TFLITE, BundleError, contract_int8, open_tflite\n"
        "content, rng, refused = TFLITE.read_bytes(), random.Random(0), 0\n"
        "for _ in range(200):\n"
        "    altered = bytearray(content)\n"
        "    for _ in range(4):\n"
        "        altered[rng.randrange(8, len(altered))] = rng.randrange(256)\n"
        "    try:\n"
        "        open_tflite(bytes(altered), contract_int8()).run()\n"
        "    except BundleError:\n"
        "        refused += 1\n"
        "print(refused)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


def test_null_gives_zero_and_opens_anything(tmp_path: Path) -> None:
    bundle = Bundle.open(write_bundle(tmp_path / "bundle"))
    with open_engine(bundle.artefact("edit")) as engine:
        assert engine.name == "null"
        assert [array.shape for array in engine.inputs] == [(1, 128, 128, 3), (1, 128, 128, 1)]
        engine.inputs[0][:] = 7
        engine.run()
        assert engine.outputs[0].shape == (1, 128, 128, 3)
        assert (engine.outputs[0] == -128).all()  # the zero point: the value 0


def test_an_unknown_engine_is_named(tmp_path: Path) -> None:
    artefact = Bundle.open(write_bundle(tmp_path / "bundle")).artefact("mask")
    with pytest.raises(UsageError, match="no engine is called 'abacus'"):
        open_engine(artefact, engine="abacus")
    with pytest.raises(UsageError, match="0 threads"):
        open_engine(artefact, threads=0)
    with pytest.raises(BundleError, match="is no TFLite network"):
        open_engine(artefact, engine="tflite")


@pytest.mark.parametrize(
    ("engine", "modules", "command"),
    [
        ("tflite", ["ai_edge_litert", "tflite_runtime"], "pip install ai-edge-litert"),
        ("onnxruntime", ["onnxruntime"], "pip install onnxruntime"),
    ],
)
def test_a_missing_library_is_named_with_its_command(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    engine: str,
    modules: list[str],
    command: str,
) -> None:
    for name in [*modules, *(f"{name}.interpreter" for name in modules)]:
        monkeypatch.setitem(sys.modules, name, None)  # an import of it fails
    artefact = Bundle.open(write_bundle(tmp_path / "bundle")).artefact("mask")
    monkeypatch.setattr(Artefact, "content", TFLITE.read_bytes())
    with pytest.raises(UnavailableError, match=command):
        open_engine(artefact, engine=engine)
