"""What a fresh interpreter loads, and how long that takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Never on the way to a result unless its engine, sink or command asks for it.
OPTIONAL = {
    "torch", "onnxruntime", "onnx", "skimage", "tensorflow", "matplotlib", "scipy", "PIL",
    "cryptography", "paho", "prometheus_client", "picamera2", "tensorrt", "pycuda",
}  # fmt: skip
HEAVY = OPTIONAL | {"numpy", "cv2", "ai_edge_litert", "tflite_runtime", "sqlite3"}

_PROBE = """
import json, sys, time
start = time.perf_counter()
import {module}
took = time.perf_counter() - start
print(json.dumps([took, sorted({{name.partition(".")[0] for name in sys.modules}})]))
"""


def _load(module: str) -> tuple[float, set[str]]:
    """Import one module in a fresh interpreter; return the seconds and what is loaded."""
    answer = subprocess.run(
        [sys.executable, "-c", _PROBE.format(module=module)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, loaded = json.loads(answer.stdout)
    return seconds, set(loaded)


def test_import_edge_is_quick_and_loads_nothing_heavy() -> None:
    runs = [_load("edge") for _ in range(3)]
    assert runs[0][1] & HEAVY == set()
    # The best of three: a busy machine is not the package's fault.
    assert min(seconds for seconds, _ in runs) < 0.4


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        # The pipeline asks for an engine's library when it opens one.
        ("edge.pipeline", HEAVY - {"numpy", "cv2"}),
        ("edge.bundle", HEAVY - {"numpy"}),
        ("edge.sources", HEAVY - {"numpy", "cv2"}),
        ("edge.sinks", HEAVY - {"numpy", "cv2"}),
        # A command must answer --help at once.
        ("edge.cli.run", OPTIONAL | {"ai_edge_litert"}),
        ("edge.cli.gallery", OPTIONAL | {"ai_edge_litert"}),
        ("edge.cli.doctor", OPTIONAL | {"ai_edge_litert"}),
        ("benchmarks.cli", OPTIONAL | {"ai_edge_litert"}),
        pytest.param(
            "export.cli",
            OPTIONAL | {"ai_edge_litert", "litert_torch", "ai_edge_quantizer"},
            marks=pytest.mark.skipif(
                sys.version_info < (3, 11), reason="export/ serves Python 3.11 and later"
            ),
        ),
        ("models.training.cli", OPTIONAL | {"ai_edge_litert", "litert_torch"}),
    ],
)
def test_a_module_loads_no_library_it_may_not_need(module: str, absent: set[str]) -> None:
    _, loaded = _load(module)
    assert loaded & absent == set()
