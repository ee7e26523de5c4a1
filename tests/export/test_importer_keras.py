"""Keras networks, ``.keras`` and HDF5, as the float program, and the hostile ones."""

from __future__ import annotations

import importlib.util
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

if any(importlib.util.find_spec(name) is None for name in ("tensorflow", "keras", "h5py")):
    pytest.skip("needs TensorFlow: pip install -e .[keras]", allow_module_level=True)

from benchmarks.anatomy.graph import read_graph
from benchmarks.anatomy.quiet import quiet
from edge.errors import ConfigError, DataError, EdgeError, MissingInput
from export.importers.keras import open_keras

with quiet():
    import h5py
    import keras
    from keras import layers

RNG = np.random.default_rng(0)


def _network(side: int | None = 32) -> Any:
    """Return a network of random weights with what face networks have, and three outputs."""
    keras.utils.set_random_seed(0)
    picture = keras.Input((side, side, 3), name="picture")
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(picture)
    x = layers.BatchNormalization(moving_mean_initializer="random_normal")(x)
    x = layers.PReLU(shared_axes=[1, 2], alpha_initializer="random_normal")(x)
    x = skip = layers.DepthwiseConv2D(3, padding="same", activation="hard_swish")(x)
    x = layers.SeparableConv2D(8, 3, padding="same", activation="relu")(layers.MaxPooling2D()(x))
    x = layers.Concatenate()([layers.UpSampling2D(interpolation="bilinear")(x), skip])
    drawn = layers.Conv2DTranspose(1, 3, 2, padding="same", activation="sigmoid", name="map")(x)
    pooled = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))
    logits = layers.Dense(7, name="emotion")(pooled)
    states = layers.Dense(3, activation="softmax", name="mask")(pooled)
    return keras.Model(picture, [drawn, logits, states])


def _save(model: Any, path: Path) -> Path:
    with quiet():
        model.save(path)
    return path


@pytest.fixture(scope="module")
def network() -> Any:
    with quiet():
        return _network()


def _run(content: bytes, *inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=content, num_threads=1).get_signature_runner()
    found = runner(**{f"args_{i}": x for i, x in enumerate(inputs)})
    return [found[f"output_{i}"] for i in range(len(found))]


def _sqnr_db(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    noise = np.square(wanted - found, dtype=np.float64).sum()
    return float(10 * np.log10(np.square(wanted, dtype=np.float64).sum() / max(noise, 1e-300)))


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_a_network_computes_what_it_did_and_keeps_its_order(
    tmp_path: Path, network: Any, kind: str
) -> None:
    content = open_keras(_save(network, tmp_path / f"net.{kind}"))
    graph = read_graph(content, where="net")
    assert graph.signature == "serving_default"
    assert [(n, graph.tensors[i].name, graph.tensors[i].shape) for n, i in graph.inputs] == [
        ("args_0", "picture", (1, 32, 32, 3))
    ]
    assert [(n, graph.tensors[i].name, graph.tensors[i].shape) for n, i in graph.outputs] == [
        ("output_0", "map", (1, 32, 32, 1)),
        ("output_1", "emotion", (1, 7)),
        ("output_2", "mask", (1, 3)),
    ]
    x = RNG.uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    for wanted, found in zip(network(x, training=False), _run(content, x), strict=True):
        assert _sqnr_db(wanted.numpy(), found) >= 90


def test_a_file_gives_the_same_bytes_twice(tmp_path: Path, network: Any) -> None:
    path = _save(network, tmp_path / "net.keras")
    before = path.read_bytes()
    assert open_keras(path) == open_keras(path)
    assert path.read_bytes() == before


def test_many_inputs_and_outputs_keep_their_order(tmp_path: Path) -> None:
    ends = [keras.Input((4,), name=f"in{i}") for i in (2, 0, 1)]
    outputs = [layers.Rescaling(i + 1, name=f"z{20 - i}")(ends[i % 3]) for i in range(12)]
    content = open_keras(_save(keras.Model(ends, outputs), tmp_path / "net.keras"))
    sample = [np.full((1, 4), 10.0**i, np.float32) for i in range(3)]
    for i, found in enumerate(_run(content, *sample)):
        assert found[0, 0] == pytest.approx((i + 1) * 10.0 ** (i % 3))


def test_open_sizes_are_fixed(tmp_path: Path) -> None:
    with quiet():
        path = _save(_network(None), tmp_path / "net.keras")
    with pytest.raises(ConfigError, match=r"input picture leaves sizes open.*--imgsz HxW"):
        open_keras(path)
    graph = read_graph(open_keras(path, input_hw=(16, 24)), where="net")
    assert graph.tensors[graph.inputs[0][1]].shape == (1, 16, 24, 3)
    assert graph.tensors[graph.outputs[0][1]].shape == (1, 16, 24, 1)


def test_a_size_that_the_network_does_not_have_is_refused(tmp_path: Path, network: Any) -> None:
    with pytest.raises(ConfigError, match="64x64 was asked for"):
        open_keras(_save(network, tmp_path / "net.keras"), input_hw=(64, 64))


def test_mixed_precision_runs_in_float32(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(2, 3, dtype="mixed_float16"), layers.Flatten()]
    )
    graph = read_graph(open_keras(_save(model, tmp_path / "net.h5")), where="net")
    assert {tensor.dtype for tensor in graph.tensors} <= {"float32", "int32"}


class Own(layers.Layer):
    """A layer that only this file knows."""

    def call(self, x: Any) -> Any:
        return x * 2


def _around(layer: Any) -> Any:
    picture = keras.Input((8, 8, 3), name="picture")
    return keras.Model(picture, layer(picture))


def _nested() -> Any:
    block = [keras.Input((8, 8, 3)), layers.TimeDistributed(layers.Lambda(abs, name="deep"))]
    return _around(keras.Sequential(block, name="block"))


CODE: dict[str, Callable[[], Any]] = {
    "layer 'trap' is a Lambda, which is code": lambda: _around(
        layers.Lambda(lambda x: x * 2, name="trap")
    ),
    "layer 'block/time_distributed/deep' is a Lambda": _nested,
    "layer 'mine' is 'Own'": lambda: _around(Own(name="mine")),
}


@pytest.mark.parametrize("kind", ["keras", "h5"])
@pytest.mark.parametrize("why", CODE)
def test_code_is_refused_by_its_layer(tmp_path: Path, why: str, kind: str) -> None:
    with quiet():
        keras.utils.clear_session()
        path = _save(CODE[why](), tmp_path / f"net.{kind}")
    with pytest.raises(ConfigError) as caught:
        open_keras(path)
    assert why in str(caught.value)
    assert caught.value.code == "keras.custom"


def _dense() -> Any:
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, name="dense")])


def _rewrite(path: Path, config: Callable[[Any], None], **members: bytes | None) -> Path:
    """Change the configuration of ``.keras``, and other members; None leaves one out."""
    with zipfile.ZipFile(path) as old:
        found = {name: old.read(name) for name in old.namelist()}
    table = json.loads(found["config.json"])
    config(table)
    found |= {"config.json": json.dumps(table).encode()}
    for name, content in members.items():
        found |= {name.replace("__", "."): content} if content is not None else {}
        if content is None:
            del found[name.replace("__", ".")]
    with zipfile.ZipFile(path, "w") as new:
        for name, content in found.items():
            new.writestr(name, content)
    return path


def _set(key: str, value: Any) -> Callable[[Any], None]:
    return lambda table: table["config"]["layers"][1]["config"].update({key: value})


def test_weights_are_counted_before_they_are_made(tmp_path: Path) -> None:
    path = _rewrite(_save(_dense(), tmp_path / "net.keras"), _set("units", 10**9))
    with pytest.raises(DataError, match="has 5000000000 weights"):
        open_keras(path)


def test_what_keras_cannot_build_is_told_with_its_reason(tmp_path: Path) -> None:
    path = _rewrite(_save(_dense(), tmp_path / "net.keras"), _set("activation", "nonesuch"))
    with pytest.raises(ConfigError, match=r"net\.keras: Keras .* cannot load it.*nonesuch"):
        open_keras(path)
    path = _rewrite(_save(_dense(), tmp_path / "net.keras"), _set("units", 5))
    with pytest.raises(ConfigError, match="cannot load it"):
        open_keras(path)


def test_weights_that_are_missing_are_told(tmp_path: Path) -> None:
    path = _save(_dense(), tmp_path / "net.keras")
    _rewrite(path, lambda table: None, model__weights__h5=None)
    with pytest.raises(DataError, match=r"model\.weights\.h5 is missing"):
        open_keras(path)
    with quiet():
        _dense().save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(DataError, match="holds weights and no network"):
        open_keras(tmp_path / "only.weights.h5")


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_weights_that_are_not_finite_are_named(tmp_path: Path, kind: str) -> None:
    model = _dense()
    model.layers[0].set_weights([np.full((4, 3), np.nan), np.zeros(3)])
    with pytest.raises(DataError, match=r"/dense/.* holds values that are not finite"):
        open_keras(_save(model, tmp_path / f"net.{kind}"))


def _external(group: Any) -> None:
    group["x"] = h5py.ExternalLink("/etc/passwd", "/")


def _soft(group: Any) -> None:
    group["x"] = h5py.SoftLink("/model_weights/dense")


def _outside(group: Any) -> None:
    group.create_dataset("x", (10,), "f4", external=[("/etc/passwd", 0, 40)])


def _bomb(group: Any) -> None:
    group.create_dataset("x", (2**34,), "f4", chunks=(2**20,), compression="gzip")


def _texts(group: Any) -> None:
    group["x"] = ["a", "b"]


HDF5 = {
    "/model_weights/x is a link to /etc/passwd": _external,
    "/model_weights/x is a link to /model_weights/dense": _soft,
    "/model_weights/x lies outside the file": _outside,
    "holds more than 1073741824 bytes": _bomb,
    "/model_weights/x holds no numbers": _texts,
}


@pytest.mark.parametrize("why", HDF5)
def test_hdf5_that_reaches_outside_or_is_a_bomb_is_refused(tmp_path: Path, why: str) -> None:
    path = _save(_dense(), tmp_path / "net.h5")
    with h5py.File(path, "a") as file:
        HDF5[why](file["model_weights"])
    with pytest.raises(DataError) as caught:
        open_keras(path)
    assert why in str(caught.value)


def test_a_group_within_itself_is_gone_through_once(tmp_path: Path) -> None:
    path = _save(_dense(), tmp_path / "net.h5")
    with h5py.File(path, "a") as file:
        file["model_weights/dense/again"] = file["model_weights"]
    assert open_keras(path)


def test_operators_without_a_counterpart_are_named(tmp_path: Path) -> None:
    picture = keras.Input((8,))
    path = _save(keras.Model(picture, keras.ops.erfinv(picture)), tmp_path / "net.keras")
    with pytest.raises(ConfigError, match=r"TFLite has no operator for tf\.Erfinv"):
        open_keras(path)


def test_a_network_that_does_not_say_its_shape_is_refused(tmp_path: Path) -> None:
    with quiet():
        path = _save(keras.Sequential([layers.Dense(3)]), tmp_path / "net.keras")
    with pytest.raises(ConfigError, match="does not say what shape its input has"):
        open_keras(path)


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_files_that_are_damaged_or_missing_are_told(tmp_path: Path, kind: str) -> None:
    path = _save(_dense(), tmp_path / f"net.{kind}")
    content = path.read_bytes()
    for spoilt in (b"", b"hello", content[: len(content) // 2], content[:-30]):
        path.write_bytes(spoilt)
        with pytest.raises(EdgeError, match=rf"net\.{kind}"):
            open_keras(path)
    with pytest.raises(MissingInput, match="none"):
        open_keras(tmp_path / f"none.{kind}")


def test_a_file_that_the_hdf5_library_does_not_survive_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some bytes send the library round for ever; it is in a process of its own, with a limit."""
    from export.importers import keras_hdf5

    monkeypatch.setattr(keras_hdf5, "_SECONDS", 0.01)
    with pytest.raises(DataError, match="the library does not survive it"):
        open_keras(_save(_dense(), tmp_path / "net.h5"))


def test_the_original_of_one_input_runs_without_a_warning(tmp_path: Path) -> None:
    import keras

    from export.gate.original import open_original

    x = keras.Input((4, 4, 3))
    path = _save(keras.Model(x, keras.layers.Flatten()(x)), tmp_path / "net.keras")
    picture = np.arange(48, dtype=np.float32).reshape(1, 4, 4, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = open_original(path)((picture,))
    np.testing.assert_array_equal(found, picture.reshape(1, 48))
