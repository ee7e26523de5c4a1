"""Run a Keras network as a compiled TensorFlow graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["compiled", "limit_threads"]


def limit_threads(threads: int) -> None:
    """Give TensorFlow so many threads; before it computes anything."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def compiled(model: Any) -> Callable[[], object]:
    """Return a call that computes the network once, on noise."""
    rng = np.random.default_rng(0)
    inputs = [
        tf.constant(rng.random((1, *tensor.shape[1:]), np.float32)) for tensor in model.inputs
    ]
    graph = tf.function(lambda values: model(values, training=False))
    values = inputs if len(inputs) > 1 else inputs[0]

    def run() -> object:
        # .numpy() waits until the last number is there.
        return [tensor.numpy() for tensor in tf.nest.flatten(graph(values))]

    return run
