"""Collect the names of TensorRT's Python bindings, release by release: ``make trt-symbols``.

    python -m tests.trt.collect_names [RELEASE...]

The wheels of the bindings are about 1 MB each and hold no TensorRT: they load against libraries
that have the wanted functions and do nothing. What is read is ``dir()`` of some
classes, and the numbers of the enumerations; nothing of TensorRT is run. Needs gcc, binutils, the
package index, and Python 3.11, for which there are wheels of all these releases.

There is no wheel of 8.5 on the index: its names are those of 8.6 without what the sources of 8.5 do
not have (NVIDIA/TensorRT, branch release/8.5, python/src/infer/pyCore.cpp).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TypedDict

__all__ = ["FOLDER", "RELEASES", "Names", "names_of"]


class Names(TypedDict):
    """The names of one release: a list for a class, numbers by name for an enumeration."""

    version: str
    classes: dict[str, list[str] | dict[str, int]]


FOLDER = Path(__file__).parent / "names"
#: The release as we call it, and the wheel.
WHEELS = {
    "8.6": "tensorrt-bindings==8.6.1",
    "10.3": "tensorrt-cu12-bindings==10.3.0",
    "10.11": "tensorrt-cu12-bindings==10.11.0.33",
    "10.12": "tensorrt-cu12-bindings==10.12.0.36",
    "10.16": "tensorrt-cu12-bindings==10.16.1.11",
    "11.4": "tensorrt-cu13-bindings==11.4.0.106",
}
RELEASES = ("8.5", *WHEELS)

#: Classes that a builder or a runtime may need; the bindings have some 200 others.
KEPT = (
    "Builder", "BuilderFlag", "DataType", "DeviceType", "EngineCapability", "EngineInspector",
    "ErrorCode", "ErrorCodeTRT", "ExecutionContextAllocationStrategy",
    "HardwareCompatibilityLevel", "IBuilderConfig", "ICudaEngine", "IErrorRecorder",
    "IExecutionContext", "IHostMemory", "ILayer", "ILogger", "INetworkDefinition",
    "IOptimizationProfile", "IProgressMonitor", "ITensor", "ITimingCache",
    "LayerInformationFormat", "LayerType", "Logger", "MemoryPoolType",
    "NetworkDefinitionCreationFlag", "OnnxParser", "OnnxParserFlag", "ParserError",
    "PreviewFeature", "ProfilingVerbosity", "QuantizationFlag", "Runtime", "TacticSource",
    "TensorFormat", "TensorIOMode", "TensorLocation",
)  # fmt: skip
#: Of 8.6 and not of 8.5, by class.
_LATER_THAN_8_5 = {
    "BuilderFlag": "EXCLUDE_LEAN_RUNTIME FP8 VERSION_COMPATIBLE",
    "Builder": "get_plugin_registry",
    "IBuilderConfig": "builder_optimization_level hardware_compatibility_level max_aux_streams "
    "plugins_to_serialize",
    "ICudaEngine": "hardware_compatibility_level num_aux_streams",
    "IExecutionContext": "set_aux_streams",
    "MemoryPoolType": "TACTIC_DRAM",
    "Runtime": "engine_host_code_allowed get_plugin_registry load_runtime tempfile_control_flags "
    "temporary_directory",
}
_LATER_CLASSES = ("HardwareCompatibilityLevel",)

#: Functions of the libraries that the bindings want when they are loaded.
_WANTED = re.compile(r"_INTERNAL$|PluginRegistry|NvOnnxParser|NvInferPlugins|nvuffparser|nvcaffe")
_DUMP = """\
import json, sys
sys.path.insert(0, sys.argv[1])
import tensorrt_bindings as trt
classes = {}
for name in sys.argv[2:]:
    kind = getattr(trt, name, None)
    if isinstance(kind, type):
        members = getattr(kind, "__members__", {})
        if members:
            classes[name] = {n: int(m) for n, m in members.items()}
        else:
            classes[name] = [m for m in dir(kind) if not m.startswith("_")]
print(json.dumps({"version": trt.__version__, "classes": classes}))
"""


def names_of(release: str) -> Names:
    """Return what was collected of a release."""
    names: Names = json.loads((FOLDER / f"{release}.json").read_text(encoding="utf-8"))
    return names


def main(releases: list[str]) -> int:
    """Collect the names of some releases, or of all."""
    for release in releases or RELEASES:
        names = _earlier(_collect(WHEELS["8.6"])) if release == "8.5" else _collect(WHEELS[release])
        _write(FOLDER / f"{release}.json", names)
        print(f"{release}: {names['version']}, {len(names['classes'])} classes")
    return 0


def _earlier(names: Names) -> Names:
    """Take out of 8.6 what 8.5 lacks."""
    classes = {k: v for k, v in names["classes"].items() if k not in _LATER_CLASSES}
    for name, later in _LATER_THAN_8_5.items():
        found, gone = classes[name], later.split()
        if isinstance(found, dict):
            classes[name] = {n: v for n, v in found.items() if n not in gone}
        else:
            classes[name] = [n for n in found if n not in gone]
    return {"version": "8.5.3", "classes": classes}


def _collect(wheel: str) -> Names:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
             "--dest", place, wheel],
            check=True,
        )  # fmt: skip
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
            archive.extractall(folder)
        _make_libraries(next(folder.glob("tensorrt_bindings/*.so")), folder)
        printed = subprocess.run(
            [sys.executable, "-c", _DUMP, place, *KEPT], check=True, capture_output=True, text=True,
            env={**os.environ, "LD_LIBRARY_PATH": place},
        ).stdout  # fmt: skip
    names: Names = json.loads(printed)
    return names


def _make_libraries(bindings: Path, folder: Path) -> None:
    """Make libraries of the names that the bindings are linked to, whose functions do nothing."""
    dynamic = _ask("readelf", "--dynamic", "--wide", str(bindings))
    undefined = _ask("nm", "--dynamic", "--undefined-only", str(bindings)).split()
    source = folder / "nothing.c"
    functions = sorted({name for name in undefined if _WANTED.search(name)})
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in functions))
    for library in re.findall(r"\[(libnv\w+\.so\.\d+)\]", dynamic):
        subprocess.run(
            ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{library}", "-o", str(folder / library),
             str(source)],
            check=True,
        )  # fmt: skip


def _ask(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _write(path: Path, names: Names) -> None:
    """Write a line a class, so that a difference is seen where it is."""
    lines = [
        f"  {json.dumps(name)}: {json.dumps(found, sort_keys=True)}"
        for name, found in sorted(names["classes"].items())
    ]
    text = ",\n".join(lines)
    path.write_text(
        f'{{\n "version": {json.dumps(names["version"])},\n "classes": {{\n{text}\n }}\n}}\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
