"""In child processes: the driver's library is there exactly if the stand-in has a driver."""

import ctypes
import types
from typing import Any

from standin import setting

_load = ctypes.CDLL


def load(name: Any, *arguments: Any, **options: Any) -> Any:
    """Load a library; CUDA's own one is only said to be there."""
    if name == "libcuda.so.1":
        if setting("DRIVER", "yes") != "yes":
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")
        return types.SimpleNamespace(cuCtxPopCurrent_v2=lambda context: 0)
    return _load(name, *arguments, **options)


ctypes.CDLL = load  # type: ignore[assignment, misc]
