"""Which of the older networks are proven, and what each reads.

Shapes and parameter counts: the project's notes on the five systems it descends from, the same as
``benchmarks.peers.seeds`` builds in Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.foreign.picture import Picture

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SHAPES", "Shape", "random_inputs"]

#: Random pictures on which weights are scaled and batch norms take their statistics.
_SCALED_ON = 4
#: What is asked of a network that paints.
_PAINTED_DB = 30.0


@dataclass(frozen=True, slots=True)
class Shape:
    """One of the older networks.

    Attributes:
        name: short.
        summary: what it is.
        pictures: its inputs; one that means a map holds only bytes 0 and 255.
        meanings: of the inputs, ``image`` or ``map``.
        parameters: how many the network of the older system has.
        norm_values: how many of them are a batch norm's, a channel: Keras counts 4, PyTorch 2.
        build: makes the network, its weights not yet scaled.
        least_db: signal to noise that INT8 must keep; layers stay float until it does. 0 for a
            network whose outputs go into a decision, where nearness says little.
    """

    name: str
    summary: str
    pictures: tuple[Picture, ...]
    meanings: tuple[str, ...]
    parameters: int
    norm_values: int
    build: Callable[[], nn.Module]
    least_db: float = 0.0

    def network(self, *, seed: int = 0) -> nn.Module:
        """Return the network with random weights, see ``scaled``, in ``eval`` mode."""
        import torch

        from export.proof.shapes.scaled import scale_weights

        network = self.build()
        batches = zip(
            *(self.real(inputs) for inputs in random_inputs(self, _SCALED_ON, seed)), strict=True
        )
        inputs = tuple(torch.from_numpy(np.concatenate(batch)) for batch in batches)
        scale_weights(network, inputs, seed=seed)
        return network

    def real(self, inputs: tuple[NDArray[np.uint8], ...]) -> tuple[NDArray[np.float32], ...]:
        """Turn bytes into what the network reads."""
        return tuple(
            (pixels.astype(np.float32) - np.float32(picture.mean)) / np.float32(picture.std)
            for pixels, picture in zip(inputs, self.pictures, strict=True)
        )


def random_inputs(shape: Shape, count: int, seed: int) -> Iterator[tuple[NDArray[np.uint8], ...]]:
    """Yield bytes for a network's inputs: noise as coarse and as fine as a photograph's.

    Args:
        shape: whose inputs.
        count: how many.
        seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    for _ in range(count):
        inputs = []
        for picture, meaning in zip(shape.pictures, shape.meanings, strict=True):
            pixels = _octaves(rng, picture)
            if meaning == "map":
                pixels = np.where(pixels < 128, np.uint8(0), np.uint8(255))
            inputs.append(pixels.reshape(picture.shape))
        yield tuple(inputs)


def _octaves(rng: np.random.Generator, picture: Picture) -> NDArray[np.uint8]:
    """Add up noise of every scale, each half as fine and as strong again as the one before it."""
    height, width = picture.size_hw
    channels = picture.shape[-1]
    total = np.zeros((height, width, channels), np.float32)
    side = 2
    while side <= height:
        noise = rng.standard_normal((side, side, channels)).astype(np.float32)
        total += cv2.resize(noise, (width, height)).reshape(total.shape) * (2.0 / side) ** 0.5
        side *= 2
    total -= total.mean()
    return np.clip(np.rint(128 + 48 * total / total.std()), 0, 255).astype(np.uint8)


def _map_unet() -> nn.Module:
    from export.proof.shapes.map_unet import MapUnet

    return MapUnet()


def _editing() -> nn.Module:
    from export.proof.shapes.editing import Editing

    return Editing()


def _residual_unet() -> nn.Module:
    from export.proof.shapes.residual_unet import ResidualUnet

    return ResidualUnet()


def _landmark_depth() -> nn.Module:
    from export.proof.shapes.landmark_depth import LandmarkDepth

    return LandmarkDepth()


def _inception_resnet() -> nn.Module:
    from export.proof.shapes.inception_resnet import InceptionResnet

    return InceptionResnet()


SHAPES = (
    Shape(
        "seed-map-unet",
        "B1: map U-Net, 128x128x1",
        (Picture(128, 128, "GREY", 0.0, 255.0),),
        ("image",),
        34_535_813,
        4,
        _map_unet,
        _PAINTED_DB,
    ),
    Shape(
        "seed-editing",
        "B2: two-input editing generator with dilations, 128x128",
        (Picture(128, 128, "RGB", 127.5, 127.5), Picture(128, 128, "GREY", 127.5, 127.5)),
        ("image", "map"),
        3_256_731,
        4,
        _editing,
        _PAINTED_DB,
    ),
    Shape(
        "seed-residual-unet",
        "A2: reconstruction U-Net, 256x256x3",
        (Picture(256, 256, "BGR", 0.0, 255.0),),
        ("image",),
        53_586_243,
        4,
        _residual_unet,
        _PAINTED_DB,
    ),
    Shape(
        "seed-landmark-depth",
        "E1: MobileNetV2 at 224, dense heads 68x3 and 224x224",
        (Picture(224, 224, "RGB", 0.0, 1.0),),
        ("image",),
        31_855_116,
        4,
        _landmark_depth,
    ),
    Shape(
        "seed-inception-resnet",
        "C2: Inception-ResNet-v1, 160x160x3",
        (Picture(160, 160, "RGB", 127.5, 128.0),),
        ("image",),
        23_482_624,
        2,
        _inception_resnet,
    ),
)
