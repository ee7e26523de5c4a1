"""TensorRT and PyCUDA by hand, with nothing of ours between: to break their rules one by one."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np

from tests.trt.nets import network

__all__ = ["Bare", "plan_of"]


class Bare:
    """An engine woken by hand, with a place for each tensor."""

    def __init__(self) -> None:
        import pycuda.driver as cuda
        import tensorrt as trt

        cuda.init()
        self.cuda, self.trt = cuda, trt
        self.held = cuda.Device(0).retain_primary_context()
        self.held.push()
        self.logger = trt.Logger()
        self.runtime = trt.Runtime(self.logger)
        self.engine = self.runtime.deserialize_cuda_engine(plan_of(trt, self.logger))
        self.context = self.engine.create_execution_context()
        self.stream = cuda.Stream()
        self.host = cuda.pagelocked_empty((1, 16, 16, 3), np.int8)
        self.host[:] = 7
        self.out = cuda.pagelocked_empty((1, 3), np.float32)
        self.out[:] = -1
        self.places = [cuda.mem_alloc(self.host.nbytes), cuda.mem_alloc(self.out.nbytes)]
        for name, place in zip(("args_0", "output_0"), self.places, strict=True):
            self.context.set_tensor_address(name, int(place))

    def run(self) -> None:
        self.cuda.memcpy_htod_async(self.places[0], self.host, self.stream)
        self.context.execute_async_v3(self.stream.handle)
        self.cuda.memcpy_dtoh_async(self.out, self.places[1], self.stream)

    def close(self) -> None:
        for name in ("context", "engine", "runtime", "host", "out", "places", "stream"):
            if hasattr(self, name):
                delattr(self, name)
        gc.collect()
        self.held.detach()


def plan_of(trt: Any, logger: Any) -> bytes:
    builder = trt.Builder(logger)
    built = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    parser = trt.OnnxParser(built, logger)
    assert parser.parse(network("int8"))
    config = builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.INT8)
    return bytes(builder.build_serialized_network(built, config))
