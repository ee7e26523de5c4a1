"""A full disk: nothing half-written, nothing acknowledged lost, and on again when there is room.

    python -m tests.system.disk_full

Run by anyone: each part has a tmpfs of 1 MiB, in a mount namespace that ends with the process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import OutputError
from edge.frames import Frame
from edge.gallery import Gallery
from edge.results import FrameResult
from edge.sinks import open_sink
from edge.stages.identify import unit
from tests.edge.one_face import one_face_bundle
from tests.system.claims import Proof, run_proof
from tests.system.lab.cameras import Broker
from tests.system.lab.host import need, run
from tests.system.lab.listener import ONE_FACE, Listener
from tests.system.service import ServiceProcess

__all__ = ["main"]

_INSIDE = "UNVEIL_EDGE_IN_NAMESPACE"
_SIZE = "1m"
_MOST = 5000


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """Mount a tmpfs of 1 MiB with a file that can be deleted to make room."""
    place.mkdir()
    run(["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", place])
    (place / "ballast").write_bytes(bytes(500_000))
    try:
        yield place
    finally:
        run(["umount", place])


def embedding(number: int) -> NDArray[np.float32]:
    """Return float32 ``[128]`` of length 1."""
    return unit(np.random.default_rng(number).standard_normal(128).astype(np.float32))


def prove_gallery(proof: Proof, disk: Path) -> None:
    """Enrol until the disk is full, make room, enrol on."""
    path = disk / "people.gallery"
    kept = 0
    with Gallery.open(path, "r1", create=True) as gallery:
        try:
            for number in range(_MOST):
                gallery.enrol(f"person {number}", embedding(number), masked=False)
                kept += 1
            error = ""
        except OutputError as refusal:
            error = refusal.code
    with Gallery.open(path, "r1") as gallery:
        there = sum(gallery.match(embedding(n), 0.999).person == f"person {n}" for n in range(kept))
        proof.claim("gallery: a full disk refuses a template and keeps every other",
                    error == "gallery.write" and there == kept == len(gallery.people()),
                    kept=kept, code=error)  # fmt: skip
        (disk / "ballast").unlink()
        gallery.enrol("after", embedding(_MOST), masked=False)
        proof.claim("gallery: with room again it takes the next",
                    gallery.match(embedding(_MOST), 0.999).person == "after")  # fmt: skip


def prove_log(proof: Proof, disk: Path) -> None:
    """Log until the disk is full, make room, log on."""
    path = disk / "log.jsonl"
    frame = Frame(np.zeros((2, 2, 3), np.uint8), 0, 0, "full")
    kept, error = [], ""
    with open_sink(f"jsonl:{path}?fsync=line", live=True) as sink:
        for number in range(_MOST):
            try:
                sink.write(frame, FrameResult(number, "full", number))
                kept.append(number)
            except OutputError as refusal:
                error = refusal.code
                break
        lines = path.read_bytes().splitlines(keepends=True)
        whole = [json.loads(line)["frame"] for line in lines if line.endswith(b"\n")]
        proof.claim("log: a full disk refuses a line and leaves none half-written",
                    error == "sink.write" and whole == kept and len(lines) == len(kept),
                    lines=len(kept), code=error)  # fmt: skip
        (disk / "ballast").unlink()
    with open_sink(f"jsonl:{path}?fsync=line", live=True) as sink:
        sink.write(frame, FrameResult(_MOST, "full", 0))
    last = json.loads(path.read_bytes().splitlines()[-1])["frame"]
    proof.claim("log: with room again it goes on", last == _MOST)


def prove_pictures(proof: Proof, disk: Path) -> None:
    """Keep pictures until the disk is full."""
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    folder, error, kept = disk / "pictures", "", 0
    uri = f"images:{folder}?every_s=0&keep={_MOST}"
    with contextlib.suppress(OutputError), open_sink(uri, live=True) as sink:
        for number in range(_MOST):
            try:
                sink.write(Frame(noise, number, 0, "full"), FrameResult(number, "full", number))
                kept += 1
            except OutputError as refusal:
                error = refusal.code
                break
    files = [path for path in folder.rglob("*") if path.is_file()]
    whole = sum(cv2.imread(str(path)) is not None for path in files)
    proof.claim("pictures: a full disk refuses one, and every one there is whole",
                bool(error) and kept == whole == len(files) > 0,
                pictures=whole, code=error)  # fmt: skip


def prove_spool(proof: Proof, disk: Path) -> None:
    """Publish with the broker away until the spool's disk is full; then let the broker come."""
    frame = Frame(np.zeros((2, 2, 3), np.uint8), 0, 0, "full")
    folder = disk / "spool"
    with tempfile.TemporaryDirectory() as made, Broker(Path(made)) as broker:
        uri = f"mqtt://127.0.0.1:{broker.port}/edge/full?spool={folder}&every_s=0"
        kept, error = [], ""
        with open_sink(uri, live=True) as sink:
            for number in range(_MOST):
                try:
                    sink.write(frame, FrameResult(number, "full", number, (ONE_FACE,)))
                    kept.append(number)
                except OutputError as refusal:
                    error = refusal.code
                    break
            broker.start()
            with Listener(broker.port, "edge/full") as listener:
                came = listener.wait(lambda: set(kept) <= set(listener.frames), 60)
        proof.claim("spool: a full disk refuses a result and every other arrives",
                    bool(error) and came, kept=len(kept), code=error)  # fmt: skip


def prove_service(proof: Proof, disk: Path, scratch: Path) -> None:
    """Fill the disk under the running service, make room, and see it log again."""
    path = disk / "log.jsonl"
    bundle = one_face_bundle(scratch / "bundle")
    config = (
        f'source = "synthetic://?faces=0&width=320&height=240"\nbundle = "{bundle}"\n'
        f'sinks = ["jsonl:{path}"]\n'
    )
    with ServiceProcess(config, scratch) as service:
        ready = service.wait_ready()
        with contextlib.suppress(OSError), open(disk / "fill", "wb", buffering=0) as fill:
            while fill.write(bytes(4096)):
                pass
        told = service.wait(lambda: service.said("sink.write"), 60)
        fed = service.count("WATCHDOG=1")
        alive = service.wait(lambda: service.count("WATCHDOG=1") > fed, 30)
        times = len(service.said("sink.write"))
        proof.claim("service: a full disk is told once and the frames go on",
                    ready and told and alive and times == 1, told=times)  # fmt: skip
        (disk / "fill").unlink()
        (disk / "ballast").unlink()
        back = service.wait(lambda: service.said("delivers again"), 90)
        proof.claim("service: with room again the log goes on", back,
                    told=len(service.said("delivers again")))  # fmt: skip
        status = service.stop()
    lines = path.read_bytes().splitlines(keepends=True)
    bad = sum(not _whole(line) for line in lines)
    proof.claim("service: every line is whole, and SIGTERM ends it with 0",
                bad == 0 and status == 0, lines=len(lines), torn=bad, status=status)  # fmt: skip


def _whole(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and "frame" in json.loads(line)
    except ValueError:
        return False


def main() -> int:
    """Prove each part on a disk of its own; return the exit status."""
    argparse.ArgumentParser(description=__doc__, allow_abbrev=False).parse_args()
    if _INSIDE not in os.environ:
        need({"unshare": "util-linux", "mount": "mount"})
        os.environ[_INSIDE] = "1"
        # A user who is not root becomes one of their own namespace.
        root = [] if os.geteuid() == 0 else ["--map-root-user"]
        os.execvp("unshare", ["unshare", *root, "--mount", "--propagation", "private", "--",
                              sys.executable, "-m", "tests.system.disk_full"])  # fmt: skip
    with Proof("disk-full") as proof, tempfile.TemporaryDirectory(prefix="unveil-full-") as name:
        scratch = Path(name)
        for part in (prove_gallery, prove_log, prove_pictures, prove_spool):
            with small_disk(scratch / part.__name__) as disk:
                part(proof, disk)
        with small_disk(scratch / "service") as disk:
            prove_service(proof, disk, scratch)
    return proof.exit_code


if __name__ == "__main__":
    run_proof(main)
