"""The configuration of a Keras network: what is code, or not Keras's, is refused by its layer."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError, DataError, EdgeError
from export.importers.keras_config import check_config

DENSE: dict[str, Any] = {
    "module": "keras.layers",
    "class_name": "Dense",
    "config": {
        "name": "dense_1",
        "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}},
        "units": 3,
        "activation": "relu",
        "kernel_initializer": {
            "module": "keras.initializers",
            "class_name": "GlorotUniform",
            "config": {"seed": None},
            "registered_name": None,
        },
    },
    "registered_name": None,
    "build_config": {"input_shape": [None, 4]},
}


def _network(*layers: Any) -> dict[str, Any]:
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "net", "layers": list(layers)},
        "registered_name": None,
        "compile_config": {"loss": {"module": "evil", "class_name": "Loss", "config": {}}},
    }


def _with(**changes: Any) -> dict[str, Any]:
    """Return the dense layer with other values; those of its own config in ``config``."""
    layer = copy.deepcopy(DENSE)
    layer["config"] |= changes.pop("config", {})
    return layer | changes


def _wrapped(kind: str, layer: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": "outer", "layer": layer}}


LAMBDA = {
    "class_name": "Lambda",
    "config": {"name": "lambda_7", "function": ["4wEAAAAA", None, None]},
}
REFUSED: dict[str, dict[str, Any]] = {
    "'lambda_7' is a Lambda, which is code": LAMBDA,
    "'outer/lambda_7' is a Lambda": _wrapped("TimeDistributed", LAMBDA),
    "'inner/lambda_7' is a Lambda": {
        "class_name": "Functional", "config": {"name": "inner", "layers": [LAMBDA]},
    },
    "'dense_1' has a lambda as activation": _with(config={"activation": {"value": ["4wEA"]}}),
    "'dense_1' is a Lambda": _with(
        config={"activation": {"class_name": "__lambda__", "config": {"value": "4wEA"}}}
    ),
    "'dense_1' is 'exec' of builtins": _with(module="builtins", class_name="exec"),
    "'dense_1' is 'Dense' of evil.layers": _with(module="evil.layers"),
    "'dense_1' is 'mine>Dense' of keras.layers": _with(registered_name="mine>Dense"),
    "'dense_1' is 'get_file' of keras.utils": _with(
        config={"kernel_initializer": {
            "module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://x"},
        }},
    ),
    "calls the function keras.config.enable_unsafe_deserialization": _with(
        config={"activation": {
            "module": "keras.config", "class_name": "function",
            "config": "enable_unsafe_deserialization", "registered_name": "function",
        }},
    ),
    "'dense_1' is 'TFSMLayer' of keras.layers": _with(class_name="TFSMLayer"),
    "'dense_1' is 'TorchModuleWrapper'": _with(class_name="TorchModuleWrapper"),
    "'dense_1' is 'StringLookup'": _with(class_name="StringLookup"),
    "calls TensorFlow's math.multiply, which Keras 3 cannot load": {
        "class_name": "TFOpLambda", "config": {"name": "tf.math", "function": "math.multiply"},
    },
    "'dense_1' computes in int8_from_float32": _with(
        config={"dtype": {"class_name": "DTypePolicy", "config": {"name": "int8_from_float32"}}}
    ),
    "'dense_1' is 'Map' of keras.src.ops.core": _with(
        module="keras.src.ops.core", class_name="Map"
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_not_keras_own_is_refused_by_its_layer(why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_config(_network(DENSE, REFUSED[why]), where="net.keras")
    assert why in str(caught.value)
    assert str(caught.value).startswith("net.keras: layer ")


def test_a_network_of_keras_own_layers_passes_without_its_training() -> None:
    checked = check_config(_network(DENSE), where="net")
    assert "compile_config" not in checked
    layer = checked["config"]["layers"][0]
    assert layer["config"]["units"] == 3
    assert layer["config"]["dtype"] == "float32"
    assert layer["module"] == "keras.layers"
    assert layer["build_config"] == {"input_shape": [None, 4]}


def test_what_was_trained_in_half_precision_runs_in_float32() -> None:
    new = {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    for dtype in ("float16", "mixed_float16", new):
        checked = check_config(_network(_with(config={"dtype": dtype})), where="net")
        assert checked["config"]["layers"][0]["config"]["dtype"] == "float32"


def test_modules_of_keras_2_become_those_of_keras_3() -> None:
    layer = _with(module="keras.src.layers.core.dense")
    network = _network(layer) | {
        "class_name": "Functional",
        "module": "keras.src.engine.functional",
    }
    checked = check_config(network, where="net")
    assert checked["module"] == "keras.src.models.functional"
    assert checked["config"]["layers"][0]["module"] == "keras.layers"


def test_values_of_the_legacy_format_become_what_they_stand_for() -> None:
    network = _network({"class_name": "Dropout", "config": {
        "name": "d", "rate": 0.5, "noise_shape": {"class_name": "__tuple__", "items": [1, 2]},
        "activation": {"class_name": "function", "config": "tanh", "module": "builtins"},
    }})  # fmt: skip
    del network["module"]
    layer = check_config(network, where="net")["config"]["layers"][0]
    assert layer["config"]["noise_shape"] == (1, 2)
    assert layer["config"]["activation"] == "tanh"
    assert "module" not in layer


def test_a_network_that_is_a_class_of_its_own_is_refused() -> None:
    with pytest.raises(ConfigError, match="net: the network is a 'Net', which only its author"):
        check_config({"class_name": "Net", "config": {}}, where="net")


def test_a_configuration_that_is_nested_too_deeply_is_refused() -> None:
    layer: Any = DENSE
    for _ in range(2000):
        layer = _wrapped("TimeDistributed", layer)
    with pytest.raises(DataError, match="no configuration of Keras: RecursionError"):
        check_config(_network(layer), where="net")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["class_name", "config", "module", "items", "name", "dtype", "function"]
            )
            | st.text(max_size=3),
            inner | st.sampled_from(["Dense", "Lambda", "__tuple__", "function", "TensorShape"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_any_json_is_checked_or_refused(layer: Any) -> None:
    try:
        checked = check_config(_network(layer), where="net")
    except EdgeError as error:
        assert str(error).startswith("net: ")
    else:
        assert "Lambda" not in _classes(checked)


def _classes(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {str(value["class_name"])} if "class_name" in value else set()
        return found.union(*map(_classes, value.values()))
    return set().union(*map(_classes, value)) if isinstance(value, (list, tuple)) else set()
