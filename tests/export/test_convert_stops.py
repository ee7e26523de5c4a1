"""What is stopped half-way leaves nothing behind: a full disk, an interrupt, one file of two."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import OutputError
from export import convert
from export.making.conversion import write_conversion
from tests.export.tflite_maker import make, small

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "net.tflite"
    path.write_bytes(make(small))
    return path


#: The command with a limit of bytes for a file (argument 1; 0 for none), and with an interrupt that
#: interrupts: a test run in the background may have been told to pass over it.
_COMMAND = """
import resource, signal, sys
from export.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
limit = int(sys.argv[1])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
raise SystemExit(main(sys.argv[2:]))
"""


def _start(network: Path, *flags: str, limit: int = 0) -> subprocess.Popen[str]:
    home = network.parent
    (home / "tmp").mkdir()
    return subprocess.Popen(
        [
            *(sys.executable, "-c", _COMMAND, str(limit), "convert", str(network)),
            *("--out", str(home / "out"), "--work", str(home / "work"), *flags),
        ],
        cwd=ROOT,
        # A limit of bytes must not fall on what Python keeps of its modules.
        env={**os.environ, "TMPDIR": str(home / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _left(network: Path) -> list[str]:
    """Return what there is beside the network and whole results of steps."""
    home = network.parent
    return [
        str(path.relative_to(home))
        for path in sorted(home.rglob("*"))
        if path.is_file() and path != network and path.parent.parent.name != "convert"
    ]


def test_a_full_disk_is_told_and_leaves_nothing(network: Path) -> None:
    process = _start(network, "--format", "onnx", "--float", limit=1024)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 73
    assert "File too large" in err.splitlines()[-1] and "output.write" in err
    assert "Traceback" not in err
    assert not (network.parent / "out").exists()
    assert list(network.parent.rglob("*.part")) == _left(network) == []


def test_an_interrupt_is_told_and_leaves_nothing(network: Path) -> None:
    process = _start(network, "--format", "tflite", "onnx", "--float", "--half")
    assert process.stderr is not None
    # Its first step is over, and comparing and timing, which take seconds, still to come.
    first = process.stderr.readline()
    assert "net: lower" in first
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "stopped; unfinished files were removed" in err
    assert "Traceback" not in err
    assert not (network.parent / "out").exists()
    assert list(network.parent.rglob("*.part")) == _left(network) == []


def test_artefacts_are_written_together_or_not_at_all(network: Path, tmp_path: Path) -> None:
    done = convert(network, wanted=[("tflite", "fp32"), ("onnx", "fp32")])
    out = tmp_path / "out"
    out.mkdir()
    (out / "net.fp32.tflite").write_bytes(b"earlier")
    sizes = {a.format: len(a.content) for a in done.artefacts}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # There is room for one of the two.
    resource.setrlimit(resource.RLIMIT_FSIZE, (min(sizes.values()), hard))
    try:
        with pytest.raises(OutputError):
            write_conversion(done, out)
        with pytest.raises(OutputError):
            write_conversion(done, tmp_path / "new")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in out.iterdir()] == ["net.fp32.tflite"]
    assert (out / "net.fp32.tflite").read_bytes() == b"earlier"
    assert not (tmp_path / "new").exists()
