"""The stand-in's ``tensorrt``, with exactly the names of the release that it plays."""

from __future__ import annotations

from typing import Any

import numpy as np
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


def nptype(trt_type: Any) -> Any:
    """Return NumPy's type."""
    names = {"FLOAT": np.float32, "HALF": np.float16, "INT8": np.int8, "INT32": np.int32,
             "BOOL": np.bool_, "UINT8": np.uint8, "INT64": np.int64}  # fmt: skip
    return names[trt_type.name]
