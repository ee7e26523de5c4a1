"""LiteRT's two ways to run a network, each alone and in several threads at once.

``Interpreter`` is what our engine uses. ``CompiledModel`` is LiteRT's newer interface; it is
measured here, beside the other, so that the choice can be looked at again on any board.
"""

from __future__ import annotations

import math
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.anatomy.quiet import quiet
from edge.bundle import Artefact
from edge.engines import open_engine
from edge.errors import UnavailableError

__all__ = ["INTERFACES", "open_interface", "seconds_together"]

Call = Callable[[], object]


def open_interface(name: str, artefact: Artefact) -> Call:
    """Open a TFLite artefact and return a call that computes it once, on one thread.

    Raises:
        UnavailableError: this LiteRT has no such interface.
    """
    return INTERFACES[name](artefact)


def _interpreter(artefact: Artefact) -> Call:
    engine = open_engine(artefact, threads=1)
    engine.run()
    return engine.run


def _compiled_model(artefact: Artefact) -> Call:
    try:
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    except ImportError as error:
        raise UnavailableError(
            "LiteRT has no CompiledModel", hint="pip install 'ai-edge-litert>=2.1'"
        ) from error
    # It talks about plug-ins for accelerators that are not there.
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "network.tflite"
        path.write_bytes(artefact.content)
        model = CompiledModel.from_file(str(path), HardwareAccelerator.CPU)
        inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    specs = artefact.contract

    def run() -> object:
        model.run_by_index(0, inputs, outputs)
        # As the other does: the numbers are there when the call returns.
        return [
            buffer.read(math.prod(spec.shape), np.dtype(spec.dtype).type)
            for buffer, spec in zip(outputs, specs.outputs, strict=True)
        ]

    return run


#: By name.
INTERFACES: dict[str, Callable[[Artefact], Call]] = {
    "Interpreter": _interpreter,
    "CompiledModel": _compiled_model,
}


def seconds_together(calls: Sequence[Call], times: int) -> float:
    """Return how long it takes to run every call ``times`` times, each in a thread of its own."""

    def work(call: Call) -> None:
        for _ in range(times):
            call()

    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start
