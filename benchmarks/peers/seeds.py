"""Networks of the seed systems, rebuilt with random weights from their layer shapes.

Time depends on shapes alone, so random weights serve. The shapes come from the seeds' own files
and papers; ``PARAMETERS`` holds the counts that follow from them, and ``build`` refuses a network
that has another. The first letter is the system: A mask removal for identity and emotion (Yuan
Ze University; its A2 is strv-ml-mask2face), B reconstruction of a masked face with a GAN, C
masked face recognition (its identity is facenet-pytorch), E ETHOS. Left out: A3, D1 and D3
(external), C1 and D4 (no layer table is public).

Needs tensorflow-cpu; runs in an environment of its own (``make peers``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from keras import Model, applications, layers

__all__ = ["BUILDERS", "PARAMETERS", "build"]

#: Parameters of each network; a batch norm has four values a channel, but two in C2, whose count
#: comes from PyTorch, where running mean and variance are no parameters.
PARAMETERS = {
    "A1": 2_422_210,
    "A2": 53_586_243,
    "A4": 5_905_863,
    "B1": 34_535_813,
    "B2": 3_256_731,
    "C2": 23_482_624,
    "D2": 26_776_801,
    "E1": 31_855_116,
}


def build(name: str) -> Model:
    """Build one network with random weights.

    Args:
        name: a key of ``PARAMETERS``.

    Returns:
        A Keras model, float32, channels last.

    Raises:
        ValueError: the network has another number of parameters than the seed's.
    """
    model = BUILDERS[name]()
    weights = model.trainable_weights if name == "C2" else model.weights
    count = sum(math.prod(weight.shape) for weight in weights)
    if count != PARAMETERS[name]:
        raise ValueError(f"{name} has {count:,} parameters and the seed's {PARAMETERS[name]:,}")
    return model


def _conv(x: Any, filters: int, kernel: Any = 3, **options: Any) -> Any:
    return layers.Conv2D(filters, kernel, padding="same", **options)(x)


def _leaky(x: Any) -> Any:
    return layers.BatchNormalization()(layers.LeakyReLU()(x))


def _leaky_pair(x: Any, filters: int) -> Any:
    for _ in range(2):
        x = _leaky(_conv(x, filters))
    return x


def _relu_pair(x: Any, filters: int) -> Any:
    for _ in range(2):
        x = _conv(x, filters, activation="relu")
    return x


def _backbone(kind: Callable[..., Model], side: int) -> tuple[Any, Any]:
    backbone = kind(include_top=False, weights=None, input_shape=(side, side, 3))
    return backbone.input, backbone.output


def mask_classifier() -> Model:
    """A1: MobileNetV2 at 224, average pool, Dense 128, Dense 2."""
    picture, x = _backbone(applications.MobileNetV2, 224)
    x = layers.Flatten()(layers.AveragePooling2D(7)(x))
    x = layers.Dropout(0.5)(layers.Dense(128, activation="relu")(x))
    return Model(picture, layers.Dense(2, activation="softmax")(x))


def residual_unet() -> Model:
    """A2: six levels down and up at 256, kernels 7 and 3, no batch norm."""
    filters, kernels = (64, 128, 128, 256, 256, 512), (7, 7, 7, 3, 3, 3)

    def residual(x: Any, into: Any, width: int, kernel: int) -> Any:
        y = _conv(_conv(into, width, kernel, activation="relu"), width, kernel)
        return layers.ReLU()(layers.Add()([y, x]))

    picture = layers.Input((256, 256, 3))
    first = x = _conv(picture, filters[0], kernels[0])
    skips = []
    for width, kernel in zip(filters, kernels):  # noqa: B905 (equal by the lines above)
        x = _conv(x, width, kernel, strides=2)
        skips.append(x)
        x = residual(x, x, width, kernel)
    x = _conv(x, filters[-1], kernels[-1], activation="relu")
    # A level up is as wide as the one it comes from and hands on the next one's width and kernel.
    following = [*zip(filters[-2::-1], kernels[-2::-1]), (filters[0], kernels[0])]  # noqa: B905
    for skip, width, (next_width, kernel) in zip(  # noqa: B905
        reversed(skips), reversed(filters), following
    ):
        x = residual(x, layers.Concatenate()([x, skip]), width, kernel)
        x = layers.Concatenate()([x, skip])
        x = layers.Conv2DTranspose(next_width, kernel, strides=2, padding="same")(x)
        x = _conv(x, next_width, kernel, activation="relu")
    x = layers.Concatenate()([first, x])
    x = _conv(x, filters[0], kernels[0], activation="relu")
    return Model(picture, _conv(x, 3, 1, activation="sigmoid"))


def emotion_cnn() -> Model:
    """A4: four pairs of convolutions at 48, then 2048-512-256-128-7."""
    picture = x = layers.Input((48, 48, 1))
    for level, width in enumerate((64, 128, 256, 512)):
        for turn in range(2):
            first = level == turn == 0
            x = layers.Conv2D(width, 3, padding="valid" if first else "same", activation="relu")(x)
            x = x if first else layers.BatchNormalization()(x)
        x = layers.Dropout(0.5)(layers.MaxPooling2D(2)(x))
    x = layers.Flatten()(x)
    for width in (512, 256, 128):
        x = layers.Dropout(0.5)(layers.Dense(width, activation="relu")(x))
    return Model(picture, layers.Dense(7, activation="softmax")(x))


def map_unet() -> Model:
    """B1: plain U-Net at 128, 64 to 1024 channels, transposed convolutions."""
    picture = layers.Input((128, 128, 1))
    x = _relu_pair(picture, 64)
    skips = [x]
    for width in (128, 256, 512):
        x = layers.Dropout(0.25 if width == 128 else 0.5)(layers.MaxPooling2D(2)(x))
        x = _leaky_pair(x, width)
        skips.append(x)
    x = layers.Dropout(0.5)(layers.MaxPooling2D(2)(x))
    x = _leaky_pair(x, 1024)
    for width, skip in zip((512, 256, 128, 64), reversed(skips)):  # noqa: B905
        x = layers.Conv2DTranspose(width, 3, strides=2, padding="same")(x)
        x = layers.Concatenate()([skip, x])
        x = _leaky_pair(x, width) if width > 64 else x
    for width in (64, 64, 2):
        x = _conv(x, width, activation="tanh")
    return Model(picture, _conv(x, 1, 1, activation="sigmoid"))


def editing_generator() -> Model:
    """B2: picture and map at 128; four dilated convolutions at 32; no batch norm at the top."""
    picture, covered = layers.Input((128, 128, 3)), layers.Input((128, 128, 1))
    top = _relu_pair(layers.Concatenate()([picture, covered]), 64)
    middle = _leaky_pair(layers.Dropout(0.25)(layers.MaxPooling2D(2)(top)), 128)
    x = layers.Dropout(0.5)(layers.MaxPooling2D(2)(middle))
    for dilation in (2, 4, 8, 16):
        x = _leaky(_conv(x, 256, dilation_rate=dilation))
    for width, skip in ((128, middle), (64, top)):
        x = layers.Conv2DTranspose(width, 3, strides=2, padding="same")(x)
        x = _leaky_pair(layers.Concatenate()([skip, x]), width)
    return Model([picture, covered], _conv(_leaky(_conv(x, 3)), 3, 1, activation="tanh"))


def _bn_conv(x: Any, filters: int, kernel: Any, *, stride: int = 1, same: bool = False) -> Any:
    padding = "same" if same else "valid"
    x = layers.Conv2D(filters, kernel, strides=stride, padding=padding, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(epsilon=1e-3)(x))


def _branch(x: Any, *convs: tuple[int, Any]) -> Any:
    for filters, kernel in convs:
        x = _bn_conv(x, filters, kernel, same=True)
    return x


def _joined(x: Any, branches: list[Any], scale: float, *, act: bool = True) -> Any:
    y = layers.Conv2D(x.shape[-1], 1)(layers.Concatenate()(branches))
    y = layers.Add()([layers.Rescaling(scale)(y), x])
    return layers.ReLU()(y) if act else y


def inception_resnet_v1() -> Model:
    """C2: stem, 5 x Block35, Mixed6a, 10 x Block17, Mixed7a, 6 x Block8, 512 numbers."""
    picture = layers.Input((160, 160, 3))
    x = _bn_conv(_bn_conv(picture, 32, 3, stride=2), 32, 3)
    x = layers.MaxPooling2D(3, 2)(_bn_conv(x, 64, 3, same=True))
    x = _bn_conv(_bn_conv(_bn_conv(x, 80, 1), 192, 3), 256, 3, stride=2)
    for _ in range(5):
        branches = [
            _branch(x, (32, 1)),
            _branch(x, (32, 1), (32, 3)),
            _branch(x, (32, 1), (32, 3), (32, 3)),
        ]
        x = _joined(x, branches, 0.17)
    inner = _bn_conv(_branch(x, (192, 1), (192, 3)), 256, 3, stride=2)
    x = layers.Concatenate()([_bn_conv(x, 384, 3, stride=2), inner, layers.MaxPooling2D(3, 2)(x)])
    for _ in range(10):
        branches = [_branch(x, (128, 1)), _branch(x, (128, 1), (128, (1, 7)), (128, (7, 1)))]
        x = _joined(x, branches, 0.10)
    arms = [
        _bn_conv(_branch(x, (256, 1)), 384, 3, stride=2),
        _bn_conv(_branch(x, (256, 1)), 256, 3, stride=2),
        _bn_conv(_branch(x, (256, 1), (256, 3)), 256, 3, stride=2),
    ]
    x = layers.Concatenate()([*arms, layers.MaxPooling2D(3, 2)(x)])
    for turn in range(6):
        branches = [_branch(x, (192, 1)), _branch(x, (192, 1), (192, (1, 3)), (192, (3, 1)))]
        last = turn == 5
        x = _joined(x, branches, 1.0 if last else 0.20, act=not last)
    x = layers.Dense(512, use_bias=False)(layers.GlobalAveragePooling2D()(x))
    x = layers.BatchNormalization(epsilon=1e-3)(x)
    return Model(picture, layers.UnitNormalization()(x))


def gender_inception() -> Model:
    """D2: Inception-V3 at 256, Dense 2048, 320, 320, 1 with batch norms."""
    picture, x = _backbone(applications.InceptionV3, 256)
    x = layers.BatchNormalization()(layers.GlobalAveragePooling2D()(x))
    for width in (2048, 320, 320):
        x = layers.BatchNormalization()(layers.Dense(width, activation="relu")(x))
    return Model(picture, layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(x)))


def landmark_depth() -> Model:
    """E1: MobileNetV2 at 224; one dense head of 68 points in 3-D, one of 224 x 224 depths."""
    picture, x = _backbone(applications.MobileNetV2, 224)
    pooled = layers.GlobalAveragePooling2D()(x)
    left = pooled
    for width in (1024, 512, 256):
        left = layers.Dropout(0.2)(layers.Dense(width, activation="relu")(left))
    points = layers.Reshape((68, 3))(layers.Dense(204)(left))
    right = pooled
    for width in (1024, 512):
        right = layers.Dense(width, activation="relu")(right)
    depth = layers.Reshape((224, 224))(layers.Dense(224 * 224)(right))
    return Model(picture, [points, depth])


BUILDERS: dict[str, Callable[[], Model]] = {
    "A1": mask_classifier,
    "A2": residual_unet,
    "A4": emotion_cnn,
    "B1": map_unet,
    "B2": editing_generator,
    "C2": inception_resnet_v1,
    "D2": gender_inception,
    "E1": landmark_depth,
}
