"""The stand-in's ``tensorrt``, with exactly the names of the release that it plays."""

from __future__ import annotations

from standin.release import CLASSES, VERSION
from standin.trt_builder import Builder
from standin.trt_config import (
    IBuilderConfig,
    IHostMemory,
    IOptimizationProfile,
    IProgressMonitor,
    ITimingCache,
)
from standin.trt_context import IExecutionContext
from standin.trt_network import (
    ENUMS,
    ILayer,
    ILogger,
    INetworkDefinition,
    ITensor,
    Logger,
    OnnxParser,
    ParserError,
)
from standin.trt_runtime import EngineInspector, ICudaEngine, Runtime

__version__ = VERSION

_CLASSES = (
    Builder, EngineInspector, IBuilderConfig, ICudaEngine, IExecutionContext, IHostMemory, ILayer,
    ILogger, INetworkDefinition, IOptimizationProfile, IProgressMonitor, ITensor, ITimingCache,
    Logger, OnnxParser, ParserError, Runtime,
)  # fmt: skip
globals().update(ENUMS)
globals().update({kind.__name__: kind for kind in _CLASSES})
for _name in [kind.__name__ for kind in _CLASSES if kind.__name__ not in CLASSES]:
    del globals()[_name]
