"""deepface's default networks with random weights, for ``benchmarks.peers.worker``.

The package builds its networks and then fetches their weights; nothing is fetched here, since time
depends on shapes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from deepface.commons import weight_utils
from deepface.models.demography.tf import Emotion
from deepface.models.facial_recognition.tf import Facenet, VGGFace

from benchmarks.peers.keras_run import compiled, limit_threads

__all__ = ["opener"]


def opener(
    threads: int, arguments: Sequence[str]
) -> Callable[[str], tuple[int, Callable[[], object]]]:
    """Return what builds a network by its name: its parameters, and a call that runs it."""
    del arguments
    limit_threads(threads)

    def open_network(name: str) -> tuple[int, Callable[[], object]]:
        model = _build(name)
        return int(model.count_params()), compiled(model)

    return open_network


def _build(name: str) -> Any:
    if name == "VGG-Face":
        return VGGFace.base_model()
    if name == "Facenet512":
        return Facenet.InceptionResNetV1(dimension=512)
    weight_utils.download_weights_if_necessary = lambda *_, **__: ""
    weight_utils.load_model_weights = lambda model, *_, **__: model
    return Emotion.load_model()
