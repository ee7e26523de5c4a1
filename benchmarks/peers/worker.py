"""Time the seeds' networks on request; a process of its own, since TensorFlow is not ours.

One line in, one line out, until standard input ends:

    load NAME   build it and run it three times; answers its number of parameters
    run NAME    run it once; answers nanoseconds

Runs in the environment of ``make peers``. Answers only on standard output; TensorFlow's own talk
goes to standard error.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.peers.seeds import PARAMETERS, build

__all__ = ["main"]

_WARM_UP = 3


def _compiled(name: str) -> tuple[int, Callable[[], Any]]:
    """Return the number of parameters and a call that computes the network once."""
    model = build(name)
    rng = np.random.default_rng(0)
    inputs = [
        tf.constant(rng.random((1, *tensor.shape[1:]), np.float32)) for tensor in model.inputs
    ]
    graph = tf.function(lambda values: model(values, training=False))
    values = inputs if len(inputs) > 1 else inputs[0]

    def run() -> Any:
        # .numpy() waits until the last number is there.
        return [tensor.numpy() for tensor in tf.nest.flatten(graph(values))]

    for _ in range(_WARM_UP):
        run()
    return PARAMETERS[name], run


def main() -> int:
    """Obey the lines of standard input; ``sys.argv[1]`` is the number of threads."""
    tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
    tf.config.threading.set_inter_op_parallelism_threads(1)
    networks: dict[str, Callable[[], Any]] = {}
    for line in sys.stdin:
        command, name = line.split()
        if command == "load":
            parameters, networks[name] = _compiled(name)
            print(parameters, flush=True)
        else:
            start = time.perf_counter_ns()
            networks[name]()
            print(time.perf_counter_ns() - start, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
