"""Open a Keras network, ``.keras``, HDF5 or SavedModel, as the float program."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.anatomy.quiet import quiet
from edge.errors import ConfigError, DataError, EdgeError, MissingInput
from export.importers.keras_config import check_config
from export.importers.keras_hdf5 import check_hdf5
from export.importers.keras_lower import Built, lower_built, tensorflow
from export.importers.safety import MAX_BYTES, Archive, parse_json, read_bounded
from export.importers.saved_model import open_saved_model

__all__ = ["open_keras"]

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"


def open_keras(path: Path, *, input_hw: tuple[int, int] | None = None) -> bytes:
    """Convert a Keras network; what it is built of is vetted before Keras sees it.

    Args:
        path: ``.keras``, ``.h5`` or ``.hdf5``, or the folder of a SavedModel.
        input_hw: height and width for pictures whose size the network leaves open.

    Returns:
        A float TFLite file with a batch of 1, its inputs and outputs in the network's own order,
        those of a SavedModel in the order of their names. Two conversions give the same bytes.

    Raises:
        MissingInput: there is nothing.
        DataError: it is damaged or too large, reaches outside itself, or has weights that are not
            finite.
        ConfigError: a layer is code or none of Keras's own, an operator is not supported, or a
            size is missing.
        UnavailableError: TensorFlow is not installed.
    """
    if not path.exists():
        raise MissingInput(f"{path}: there is no such file", code="source.missing")
    with tempfile.TemporaryDirectory() as folder:
        if path.is_dir():
            built = open_saved_model(path, Path(folder))
        elif path.suffix == ".keras":
            built = _open_archive(path, Path(folder))
        else:
            built = _open_hdf5(path, Path(folder))
        return lower_built(built, input_hw=input_hw, where=str(path))


def _open_archive(path: Path, folder: Path) -> Built:
    """Read ``.keras``: a zip file with the configuration in JSON and the weights in HDF5."""
    with Archive(read_bounded(path), where=str(path)) as archive:
        config = parse_json(archive.read(_CONFIG), where=f"{path}: {_CONFIG}")
        weights = archive.read(_WEIGHTS)
    checked = check_config(config, where=str(path))
    check_hdf5(weights, where=f"{path}: {_WEIGHTS}")
    (folder / _WEIGHTS).write_bytes(weights)
    return _build(checked, folder / _WEIGHTS, where=str(path))


def _open_hdf5(path: Path, folder: Path) -> Built:
    """Read ``.h5``: the configuration is an attribute beside the weights."""
    content = read_bounded(path)
    config, version = check_hdf5(content, where=str(path))
    if not config:
        raise DataError(
            f"{path}: holds weights and no network",
            hint="save the whole network: model.save('network.keras')",
            code="source.format",
        )
    checked = check_config(
        parse_json(config.encode(), where=f"{path}: model_config"), where=str(path)
    )
    # Not "*.weights.h5": by that name Keras takes a file for one of another layout.
    (folder / "network.h5").write_bytes(content)
    author = f"{path} (Keras {version})" if version else str(path)
    return _build(checked, folder / "network.h5", where=author)


def _build(config: Mapping[str, Any], weights: Path, *, where: str) -> Built:
    tensorflow(where)
    import keras

    try:
        with quiet():
            model = _build_within_bounds(config, where)
            model.load_weights(str(weights))
            names = _names(model)
    except EdgeError:
        raise
    except Exception as error:
        # Layers raise whatever their configuration makes them raise, and Keras wraps it in more.
        reason = str(error).rpartition("Exception encountered: ")[2].strip()
        raise ConfigError(
            f"{where}: Keras {keras.__version__} cannot load it: {type(error).__name__}: "
            f"{reason[:300]}",
            hint="load it with the Keras that wrote it, and save it as .keras or SavedModel",
            code="keras.load",
        ) from error

    # A Sequential network has one input, a Functional one whatever its author nested.
    structure = model.inputs if isinstance(model, keras.Sequential) else model.input

    def call(*tensors: Any) -> list[Any]:
        inputs = keras.tree.pack_sequence_as(structure, list(tensors))
        return list(keras.tree.flatten(model(inputs, training=False)))

    inputs = zip(names[0], model.inputs, strict=True)
    return Built(
        call=call,
        inputs=tuple((name, tuple(t.shape), str(t.dtype)) for name, t in inputs),
        outputs=tuple(names[1]),
    )


def _build_within_bounds(config: Mapping[str, Any], where: str) -> Any:
    """Build the layers first, and their variables only if they are not too many."""
    import keras

    with keras.StatelessScope(initialize_variables=False):
        if "module" in config:
            model = keras.saving.deserialize_keras_object(dict(config), safe_mode=True)
        else:
            kind = keras.Sequential if config["class_name"] == "Sequential" else keras.Model
            model = kind.from_config(config["config"])
        if not model.built or not model.inputs:
            raise ConfigError(
                f"{where}: does not say what shape its input has",
                hint="put an Input(shape=...) in front of its layers and save it again",
                code="source.open",
            )
        count = sum(math.prod(variable.shape) for variable in model.variables)
    if count * 4 > MAX_BYTES:
        keras.utils.clear_session()
        raise DataError(f"{where}: has {count} weights", code="source.size")
    # Leaving an outermost scope makes the variables that were put off within others.
    with keras.StatelessScope():
        pass
    return model


def _names(model: Any) -> tuple[list[str], list[str]]:
    """Return the names of the inputs, and of the layers that give the outputs."""
    outputs = [tensor._keras_history.operation.name for tensor in model.outputs]
    twice = len(set(outputs)) < len(outputs)
    return (
        [tensor.name for tensor in model.inputs],
        [f"{name}_{i}" for i, name in enumerate(outputs)] if twice else outputs,
    )
