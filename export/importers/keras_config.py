"""Vet the configuration of a Keras network before Keras builds anything from it.

Keras finds classes and functions by the names a file gives; its safe mode refuses lambdas, and was
got round by modules, registered functions and layers that load files (CVE-2025-1550, 2025-8747,
2025-9905, 2025-9906, 2025-49655, 2025-12058). Here a name that is on no list is refused, whatever
it would do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.errors import ConfigError, DataError

__all__ = ["check_config"]

#: Layers that compute tensors from tensors, by their names in Keras 2 and 3.
_LAYERS = frozenset(
    """
    Activation ActivityRegularization AdaptiveAveragePooling2D AdaptiveMaxPooling2D Add
    AdditiveAttention AlphaDropout Attention Average AveragePooling1D AveragePooling2D AvgPool1D
    AvgPool2D BatchNormalization Bidirectional CenterCrop Concatenate Conv1D Conv1DTranspose
    Conv2D Conv2DTranspose Convolution1D Convolution2D Convolution2DTranspose Cropping1D
    Cropping2D Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU EinsumDense Embedding
    Flatten GRU GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAvgPool1D GlobalAvgPool2D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPooling1D
    GlobalMaxPooling2D GroupNormalization GroupQueryAttention Identity InputLayer LSTM
    LayerNormalization LeakyReLU MaxPool1D MaxPool2D MaxPooling1D MaxPooling2D Maximum Minimum
    MultiHeadAttention Multiply Normalization PReLU Permute RMSNormalization RandomBrightness
    RandomContrast RandomCrop RandomFlip RandomRotation RandomTranslation RandomZoom ReLU
    RepeatVector Rescaling Reshape Resizing SeparableConv1D SeparableConv2D
    SeparableConvolution1D SeparableConvolution2D SimpleRNN Softmax SpatialDropout1D
    SpatialDropout2D SpectralNormalization Subtract ThresholdedReLU TimeDistributed
    UnitNormalization UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D
    """.split()
)
_MODELS = {
    "Sequential": "keras",
    "Functional": "keras.src.models.functional",
    "Model": "keras.src.models.functional",
}
#: What layers are made of, and the module where Keras 3 has it.
_PARTS = {
    name: module
    for module, names in {
        "keras.initializers": """
            Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal
            LecunUniform Ones Orthogonal RandomNormal RandomUniform TruncatedNormal
            VarianceScaling Zeros
            """,
        "keras.regularizers": "L1 L1L2 L2 OrthogonalRegularizer",
        "keras.constraints": "MaxNorm MinMaxNorm NonNeg UnitNorm",
    }.items()
    for name in names.split()
}
_ACTIVATIONS = frozenset(
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
    leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax
    softplus softsign sparse_plus sparse_sigmoid squareplus swish tanh tanh_shrink threshold
    """.split()
)
#: Modules of Keras's operators, all without effects; each call of one is a layer.
_OPERATORS = (
    "keras.src.ops.image",
    "keras.src.ops.math",
    "keras.src.ops.nn",
    "keras.src.ops.numpy",
)
#: Values that JSON has no word for.
_VALUES = ("__keras_tensor__", "__tuple__", "__ellipsis__", "__slice__", "__numpy__", "TensorShape")
_POLICIES = ("DTypePolicy", "Policy", "FloatDTypePolicy")
#: Trained in less precision, run in float32.
_SHORT_FLOATS = ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16", "float64")
#: Calls of TensorFlow's functions that Keras 2 made layers of, and Keras 3 has no class for.
_KERAS_2 = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")


def check_config(config: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Return a copy of a network's configuration with nothing in it but what is on the lists.

    What is for training is left out, short floats become float32, and modules become Keras 3's.

    Args:
        config: parsed JSON, untrusted.
        where: the file's name, for messages.

    Raises:
        ConfigError: a layer is code or unknown, or the network is a class of its own; the layer is
            named.
        DataError: it is no configuration, or is nested too deeply.
    """
    if config.get("class_name") not in _MODELS or not isinstance(config.get("config"), dict):
        raise ConfigError(
            f"{where}: the network is a {config.get('class_name')!r}, which only its author's code "
            "can build",
            hint="save a Sequential or Functional network, or export a SavedModel",
            code="keras.custom",
        )
    try:
        checked: dict[str, Any] = _Check(where).value(config, ())
    except (RecursionError, TypeError, AttributeError, KeyError) as error:
        raise DataError(
            f"{where}: is no configuration of Keras: {type(error).__name__}: {error}",
            code="source.damaged",
        ) from error
    return checked


class _Check:
    """Walk through a configuration; ``path`` holds the names of the layers around a value."""

    def __init__(self, where: str) -> None:
        self._where = where

    def value(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, list):
            return [self.value(item, path) for item in value]
        if not isinstance(value, dict):
            return value
        if "class_name" in value:
            return self._object(value, path)
        for key, item in value.items():
            # Keras 3 writes an activation that is a lambda as its bytes alone.
            if key.endswith("activation") and isinstance(item, dict) and "class_name" not in item:
                raise self._refusal(f"has a lambda as {key}, which is code", path)
        return {
            key: self._float(key, self.value(item, path))
            for key, item in value.items()
            if key != "compile_config"
        }

    def _float(self, key: str, value: Any) -> Any:
        return "float32" if key == "dtype" and value in _SHORT_FLOATS else value

    def _object(self, value: dict[str, Any], path: tuple[str, ...]) -> Any:
        kind, inner = str(value["class_name"]), value.get("config")
        name = inner.get("name") if isinstance(inner, dict) else None
        if kind in _POLICIES:
            return self._policy(str(name), path)
        if kind == "function":
            return self._function(value, path)
        here = (*path, str(name)) if name and kind not in _VALUES else path
        if kind == "__tuple__":
            return tuple(self.value(item, path) for item in value["items"])
        if kind == "TensorShape":
            return self.value(value["items"], path)
        module = "" if kind in _VALUES else self._module(kind, value, here)
        copy = {
            key: self.value(item, here)
            for key, item in value.items()
            if key not in ("class_name", "compile_config", "module", "registered_name")
        }
        copy["class_name"] = kind
        if module and "module" in value:
            copy |= {"module": module, "registered_name": None}
        return copy

    def _module(self, kind: str, value: dict[str, Any], path: tuple[str, ...]) -> str:
        """Return where Keras 3 has a class; refuse one that is not Keras's own."""
        said, registered = value.get("module"), value.get("registered_name")
        known = _MODELS.get(kind) or _PARTS.get(kind)
        if kind in _LAYERS and (kind not in _PARTS or "layers" in str(said)):
            known = "keras.layers"
        if said in _OPERATORS:
            known = said
        ours = said is None or str(said).split(".")[0] in ("keras", "tensorflow", "tf_keras")
        if known and ours and registered in (None, kind):
            return str(known)
        if kind in ("Lambda", "__lambda__"):
            what = "is a Lambda, which is code"
        elif kind in _KERAS_2:
            function = value.get("config", {}).get("function", kind)
            what = f"calls TensorFlow's {function}, which Keras 3 cannot load"
        else:
            origin = f" of {said}" if said else ""
            what = f"is {registered or kind!r}{origin}, none of the Keras layers that are read"
        raise self._refusal(what, path)

    def _function(self, value: dict[str, Any], path: tuple[str, ...]) -> str:
        name, module = value.get("config"), value.get("module")
        if name in _ACTIVATIONS and module in (None, "builtins", "keras.activations"):
            return str(name)
        raise self._refusal(f"calls the function {module}.{name}, which is code", path)

    def _policy(self, name: str, path: tuple[str, ...]) -> str:
        if name == "float32" or name in _SHORT_FLOATS:
            return "float32"
        raise self._refusal(f"computes in {name}", path)

    def _refusal(self, what: str, path: tuple[str, ...]) -> ConfigError:
        layer = "/".join(path[1:] or path) or "?"
        return ConfigError(
            f"{self._where}: layer {layer!r} {what}; nothing of it was run",
            hint="build the network of Keras's own layers, or export a SavedModel",
            code="keras.custom",
        )
