"""SavedModels: only what computes is loaded, by its signature."""

from __future__ import annotations

import importlib.util
import shutil
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
from edge.errors import ConfigError, DataError, EdgeError
from export.importers.keras import open_keras

with quiet():
    import keras
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.python.keras.protobuf import saved_metadata_pb2

Compute = Callable[[Any, Any], dict[str, Any]]


def _module(compute: Compute, **parts: Any) -> Any:
    module = tf.Module()
    module.gain = tf.Variable(2.0)
    for name, part in parts.items():
        setattr(module, name, part)
    spec = tf.TensorSpec((None, 4), tf.float32, name="x")
    module.run = tf.function(lambda x: compute(module, x), input_signature=[spec])
    return module


def _save(folder: Path, compute: Compute, *keys: str, **parts: Any) -> Path:
    with quiet():
        module = _module(compute, **parts)
        function = module.run.get_concrete_function()
        signatures = dict.fromkeys(keys or ["serving_default"], function)
        tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


def _scale(module: Any, x: Any) -> dict[str, Any]:
    return {"y": x * module.gain}


def _run(content: bytes) -> dict[str, NDArray[np.float32]]:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=content, num_threads=1).get_signature_runner()
    found: dict[str, NDArray[np.float32]] = runner(args_0=np.array([[1, 2, 3, 4]], np.float32))
    return found


def test_a_saved_model_computes_what_it_did(tmp_path: Path) -> None:
    content = open_keras(_save(tmp_path / "net", _scale))
    assert _run(content)["output_0"].tolist() == [[2, 4, 6, 8]]
    graph = read_graph(content, where="net")
    assert [graph.tensors[i].name for _, i in (*graph.inputs, *graph.outputs)] == ["x", "y"]
    assert open_keras(tmp_path / "net") == content


def test_what_keras_exports_is_read(tmp_path: Path) -> None:
    with quiet():
        keras.utils.set_random_seed(0)
        picture = keras.Input((8, 8, 3), name="picture")
        outputs = keras.layers.Conv2D(2, 3, activation="relu")(picture)
        model = keras.Model(picture, keras.layers.BatchNormalization(name="norm")(outputs))
        model.export(tmp_path / "net", verbose=False)
    graph = read_graph(open_keras(tmp_path / "net"), where="net")
    assert graph.tensors[graph.inputs[0][1]].shape == (1, 8, 8, 3)
    assert graph.tensors[graph.outputs[0][1]].shape == (1, 6, 6, 2)


def test_outputs_come_in_the_order_of_their_names_as_people_count(tmp_path: Path) -> None:
    def many(module: Any, x: Any) -> dict[str, Any]:
        return {f"output_{i}": x * (i + 2.0) for i in range(12)}

    found = _run(open_keras(_save(tmp_path / "net", many)))
    assert [found[f"output_{i}"][0, 0] for i in range(12)] == [i + 2 for i in range(12)]


def test_a_lambda_that_was_traced_is_operators_like_any_other(tmp_path: Path) -> None:
    with quiet():
        picture = keras.Input((4,))
        model = keras.Model(picture, keras.layers.Lambda(lambda x: x * 3)(picture))
        model.export(tmp_path / "net", verbose=False)
    assert _run(open_keras(tmp_path / "net"))["output_0"].tolist() == [[3, 6, 9, 12]]


def test_the_signature_is_the_usual_or_the_only_one(tmp_path: Path) -> None:
    assert open_keras(_save(tmp_path / "one", _scale, "embed"))
    with pytest.raises(ConfigError, match="has the signatures a, b and no serving_default"):
        open_keras(_save(tmp_path / "two", _scale, "a", "b"))


def _write(module: Any, x: Any) -> dict[str, Any]:
    tf.io.write_file(module.path, "x")
    return _scale(module, x)


def _read(module: Any, x: Any) -> dict[str, Any]:
    return {"y": x * tf.cast(tf.strings.length(tf.io.read_file("/etc/passwd")), tf.float32)}


def _python(module: Any, x: Any) -> dict[str, Any]:
    return {"y": tf.py_function(lambda a: a, [x], tf.float32)}


@tf.function
def _deeper(x: Any) -> Any:
    return tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: -x)


OPERATORS = {
    "operator WriteFile": _write,
    "operator ReadFile": _read,
    "operator EagerPyFunc": _python,
    "operator If": lambda module, x: {"y": _deeper(x)},
}


@pytest.mark.parametrize("why", OPERATORS)
def test_operators_that_do_more_than_compute_are_refused(tmp_path: Path, why: str) -> None:
    made = tmp_path / "made"
    folder = _save(tmp_path / "net", OPERATORS[why], path=tf.constant(str(made)))
    with pytest.raises(ConfigError) as caught:
        open_keras(folder)
    assert why in str(caught.value).replace("StatelessIf", "If")
    assert "nothing was run" in str(caught.value)
    assert not made.exists()


def test_the_function_that_would_run_is_the_one_that_is_vetted(tmp_path: Path) -> None:
    """Two places of the file name the signature's function; the loader takes the object graph's."""
    folder = _save(tmp_path / "net", _write, path=tf.constant(str(tmp_path / "made")))
    harmless = _save(tmp_path / "harmless", _scale)
    model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    other = saved_model_pb2.SavedModel.FromString((harmless / "saved_model.pb").read_bytes())
    signatures = other.meta_graphs[0].signature_def
    model.meta_graphs[0].signature_def["serving_default"].CopyFrom(signatures["serving_default"])
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    with pytest.raises(ConfigError, match="operator WriteFile"):
        open_keras(folder)


def test_tables_and_files_that_loading_would_run_are_refused(tmp_path: Path) -> None:
    with quiet():
        keys = tf.lookup.KeyValueTensorInitializer(tf.constant([1]), tf.constant([3]))
        table = tf.lookup.StaticHashTable(keys, -1)
    with pytest.raises(DataError, match="holds a resource that loading it would run"):
        open_keras(_save(tmp_path / "net", _scale, table=table))
    (tmp_path / "words.txt").write_text("a\n")
    asset = tf.saved_model.Asset(str(tmp_path / "words.txt"))
    with pytest.raises(DataError, match="needs files of its own"):
        open_keras(_save(tmp_path / "other", _scale, words=asset))


def test_a_lambda_in_the_metadata_of_keras_2_is_refused_by_its_layer(tmp_path: Path) -> None:
    folder = _save(tmp_path / "net", _scale)
    metadata = saved_metadata_pb2.SavedMetadata()
    metadata.nodes.add().metadata = '{"class_name": "Lambda", "name": "lambda_7"}'
    (folder / "keras_metadata.pb").write_bytes(metadata.SerializeToString())
    with pytest.raises(ConfigError, match="layer 'lambda_7' is a Lambda"):
        open_keras(folder)


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    def spoilt(module: Any, x: Any) -> dict[str, Any]:
        return {"y": x + tf.constant([1, 2, np.nan, 4], tf.float32)}

    with pytest.raises(DataError, match="holds values that are not finite"):
        open_keras(_save(tmp_path / "net", spoilt))


def test_links_and_damage_are_told(tmp_path: Path) -> None:
    whole = _save(tmp_path / "whole", _scale)
    content = (whole / "saved_model.pb").read_bytes()

    def copy(name: str) -> Path:
        return shutil.copytree(whole, tmp_path / name)

    linked = copy("linked") / "variables" / "variables.index"
    linked.unlink()
    linked.symlink_to(whole / "variables" / "variables.index")
    (copy("cut") / "saved_model.pb").write_bytes(content[: len(content) // 2])
    (copy("empty") / "saved_model.pb").write_bytes(b"")
    (copy("bare") / "variables" / "variables.index").unlink()
    for name, why in {
        "linked": "has a link in place of a file",
        "cut": "is a damaged SavedModel",
        "empty": "is no SavedModel of TensorFlow 2",
        "bare": "cannot be loaded",
    }.items():
        with pytest.raises(EdgeError, match=f"{name}: {why}"):
            open_keras(tmp_path / name)
