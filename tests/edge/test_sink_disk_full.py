"""Sinks on a disk that is really full: a small file system of their own, then some room again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

_BEFORE = """
import json, os, sys
from pathlib import Path
import numpy as np
from edge.errors import OutputError
from edge.frames import Frame
from edge.sinks import open_sink
from tests.edge.results_made import make_face, make_pair

folder, filler = Path(sys.argv[1]), Path(sys.argv[1], "filler")

def fill(left):
    room = os.statvfs(folder)
    filler.write_bytes(bytes(room.f_bavail * room.f_frsize - left))

def write_until_full(sink, count=100_000):
    for i in range(count):
        try:
            sink.write(*make_pair(i, make_face(track=i)))
        except OutputError as error:
            assert "no space left" in str(error).lower(), error
            return i
    raise AssertionError("it was never full")
"""
_CASES = {
    "log": """
path = folder / "a.jsonl"
with open_sink(f"jsonl:{path}", live=True) as sink:
    fill(16384)
    count = write_until_full(sink)
    filler.unlink()
    sink.write(*make_pair(-1))
lines = [json.loads(line)["frame"] for line in path.read_text().splitlines()]
assert lines == [*range(count), -1], lines
""",
    "whole file": """
path = folder / "a.jsonl"
path.write_text("the older file")
fill(16384)
try:
    with open_sink(f"jsonl:{path}") as sink:
        for i in range(1000):
            sink.write(*make_pair(i, make_face()))
    raise AssertionError("it was never full")
except OutputError:
    pass
filler.unlink()
assert os.listdir(folder) == ["a.jsonl"] and path.read_text() == "the older file"
""",
    "pictures": """
with open_sink(f"images:{folder}?every_s=0", live=True) as sink:
    fill(16384)
    count = write_until_full(sink)
    filler.unlink()
    sink.write(*make_pair(count))
names = sorted(os.listdir(folder))
assert len(names) == count + 1 and all(name.endswith(".jpg") for name in names), names
""",
    "video": """
rng = np.random.default_rng(0)
with open_sink(f"video:{folder}/a.avi?fps=30", live=True) as sink:
    for i in range(1000):
        frame, result = make_pair(i, captured_ns=i * 33_400_000)
        noise = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
        try:
            sink.write(Frame(noise, i, frame.captured_ns, frame.source), result)
        except OutputError as error:
            assert "no space left" in str(error), error
            break
    else:
        raise AssertionError("it was never full")
    assert i > 3 and os.listdir(folder) == []
    sink.write(Frame(noise, i, frame.captured_ns, frame.source), result)
assert os.listdir(folder) == ["a-000001.avi"]
""",
    "spool": """
uri = f"mqtt://127.0.0.1:1/a?spool={folder}/spool&every_s=0"
with open_sink(uri, live=True) as sink:
    fill(16384)
    count = write_until_full(sink)
    assert count > 3
    filler.unlink()
    sink.write(*make_pair(-1, make_face()))
from edge.sinks.mqtt.spool import Spool
spool, frames, number = Spool(f"{folder}/spool", limit_bytes=1 << 20), [], 0
while (record := spool.after(number)) is not None:
    number = record.number
    frames.append(json.loads(record.payload)["frame"])
spool.close()
assert frames == [*range(count), -1], frames
""",
    "counters": """
sink = open_sink(f"prometheus:{folder}/a.prom")
fill(0)
try:
    sink.close()
    raise AssertionError("it was never full")
except OutputError as error:
    assert "no space left" in str(error), error
filler.unlink()
assert os.listdir(folder) == ["a.prom"]
assert (folder / "a.prom").read_text().endswith("\\n")
""",
}


@pytest.mark.parametrize("case", _CASES)
def test_a_full_disk_costs_what_does_not_fit(case: str, tmp_path: Path) -> None:
    library = {"spool": "paho.mqtt.enums", "counters": "prometheus_client"}.get(case, "json")
    pytest.importorskip(library, reason="needs paho-mqtt 2 and prometheus-client: pip install both")
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = 'mount -t tmpfs -o size=20m tmpfs "$1"'
    if shutil.which("unshare") is None or (
        subprocess.run([*inside, mount, "sh", str(tmp_path)], capture_output=True).returncode != 0
    ):
        pytest.skip("needs a mount of its own: sysctl kernel.unprivileged_userns_clone=1")
    program = _BEFORE + _CASES[case]
    done = subprocess.run(
        [
            *inside,
            f'{mount} && exec "$2" -c "$3" "$1"',
            "sh",
            str(tmp_path),
            sys.executable,
            program,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
