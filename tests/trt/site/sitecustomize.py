"""In child processes: the driver's library is there exactly if the stand-in has a driver."""

import ctypes
import types
from typing import Any

from standin import setting

_load = ctypes.CDLL


def load(name: Any, *arguments: Any, **options: Any) -> Any:
    """Load a library; CUDA's own one has what is called of it."""
    if name == "libcuda.so.1":
        if setting("DRIVER", "yes") != "yes":
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")
        return types.SimpleNamespace(
            cuCtxPopCurrent_v2=lambda context: 0, cuDriverGetVersion=_version
        )
    return _load(name, *arguments, **options)


def _version(number: Any) -> int:
    major, minor = setting("CUDA_VERSION", "12.6").split(".")
    number._obj.value = int(major) * 1000 + int(minor) * 10
    return 0


ctypes.CDLL = load  # type: ignore[assignment, misc]
