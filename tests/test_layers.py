"""Who may import whom, read from the import statements of every module."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("edge", "benchmarks", "export", "models")

#: What accuracy is measured with; not the commands, the demo or the peers.
MEASURING = tuple(
    f"benchmarks.{part}"
    for part in (
        *("anatomy", "faces", "figures", "fingerprint", "foreign"),
        *("metrics", "networks", "packs", "page", "race", "readers", "records", "sweep", "tasks"),
    )
)
#: Rooms that a room may import besides itself; ``room.module`` opens that part alone.
ALLOWED = {
    "edge": (),
    "benchmarks": ("edge",),
    "export": ("edge", *MEASURING),
    "models": ("edge", "export", *MEASURING),
}

#: Foreign libraries of the device half, and the only folder or file that may name each.
EDGE_LIBRARIES = {
    "numpy": "edge",
    "cv2": "edge",
    "ai_edge_litert": "edge/engines/tflite.py",
    "tflite_runtime": "edge/engines/tflite.py",
    "onnxruntime": "edge/engines/onnxruntime.py",
    "cryptography": "edge/signature.py",
    "tomli": "edge/service/config.py",
    "libcamera": "edge/sources/picamera.py",
    "picamera2": "edge/sources/picamera.py",
    "cuda": "edge/engines/cuda_python.py",
    "paho": "edge/sinks/mqtt/link.py",
    "prometheus_client": "edge/sinks/metrics.py",
    "pycuda": "edge/engines/cuda_pycuda.py",
    "tensorrt": "edge/engines/plans.py",
    "tomllib": "edge/service/config.py",  # of Python itself from 3.11 on
}
#: The same for the harness: the peers run in an environment of their own.
BENCHMARK_LIBRARIES = {
    "numpy": "benchmarks",
    "cv2": "benchmarks",
    "ai_edge_litert": "benchmarks",
    "skimage": "benchmarks/demo",
    "deepface": "benchmarks/peers",
    "insightface": "benchmarks/peers",
    "keras": "benchmarks/peers",
    "onnx": "benchmarks/peers",
    "onnxruntime": "benchmarks/peers",
    "tensorflow": "benchmarks/peers",
}


def _modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every module that a file imports, at its top or inside a function, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            assert node.module is not None
            # ``from benchmarks import tasks`` names a module, too.
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def _opens(allowed: str, module: str) -> bool:
    """Tell whether a module is the allowed one, inside it, or the bare package around it."""
    return (
        module == allowed or module.startswith(allowed + ".") or module == allowed.partition(".")[0]
    )


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    wrong = []
    for path in _modules(room):
        for module, line in _imports(path):
            other = module.split(".")[0]
            if other not in ROOMS or other == room:
                continue
            if not any(_opens(allowed, module) for allowed in ALLOWED[room]):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert wrong == []


@pytest.mark.parametrize(
    ("room", "libraries"), [("edge", EDGE_LIBRARIES), ("benchmarks", BENCHMARK_LIBRARIES)]
)
def test_a_library_is_named_only_where_it_belongs(room: str, libraries: dict[str, str]) -> None:
    wrong = []
    for path in _modules(room):
        name = path.relative_to(ROOT)
        for module, line in _imports(path):
            library = module.split(".")[0]
            if library in sys.stdlib_module_names or library in ROOMS:
                continue
            if library not in libraries or not name.is_relative_to(libraries[library]):
                wrong.append(f"{name}:{line} imports {module}")
    assert wrong == []


def test_the_walk_sees_the_rooms_and_their_imports() -> None:
    """The tests above cannot pass for want of anything to look at."""
    assert len(_modules("edge")) > 10
    assert "numpy.typing.NDArray" in {name for name, _ in _imports(ROOT / "edge" / "frames.py")}
