"""The measurements of ``make bench``, each a command that anybody can run by itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from benchmarks.fingerprint import machine
from benchmarks.footprint import measure_footprint
from benchmarks.peers.race import masked_frame
from edge.bundle import Bundle, default_bundle
from edge.errors import EdgeError
from edge.files import write_whole
from edge.pipeline import Pipeline

__all__ = ["FOOTPRINT", "Step", "machine_name", "measure_start", "prepare", "run_steps", "steps"]

#: One masked face.
_PICTURE = "masked.png"
#: Result that no command of ``edge-bench`` writes.
FOOTPRINT = "footprint.json"


@dataclass(frozen=True, slots=True)
class Step:
    """One command of ``edge-bench`` and the file that holds what it found."""

    file: str
    arguments: tuple[str, ...]

    @property
    def command(self) -> str:
        """The command as a person types it."""
        return " ".join(("edge-bench", *self.arguments))


def machine_name() -> str:
    """Return the machine's name as a folder: its board or processor, and its cores."""
    facts = machine()
    words = re.sub(r"[^a-z0-9]+", "-", str(facts["processor"]).lower()).strip("-")
    return f"{words}-{facts['cores']}-cores"


def steps() -> Iterator[Step]:
    """Yield the measurements in their order; each finds the picture beside it."""
    at = ("--source", _PICTURE)
    yield Step("single-stream.json", ("latency", *at))
    yield Step("multi-stream.json", ("latency", *at, "--scenario", "multi-stream"))
    yield Step("offline.json", ("latency", *at, "--scenario", "offline"))
    yield Step("live.json", ("latency", *at, "--scenario", "live"))
    yield Step("scaling.json", ("scaling", *at))
    yield Step("sweep.json", ("sweep", *at, "--threads", "1,2"))
    yield Step("roofline.json", ("roofline",))


def prepare(folder: Path) -> Path:
    """Write the picture that is measured on: the demo's portrait with the drawn mask.

    As large as a camera's frame: 640x480, the upper part of it.
    """
    with Pipeline(Bundle.open(default_bundle()), embeddings=True) as pipeline:
        image = cv2.resize(masked_frame(pipeline).image, (640, 640))[:480]
    picture = folder / _PICTURE
    write_whole(picture, cv2.imencode(".png", image)[1].tobytes())
    return picture


def run_steps(todo: Sequence[Step], out: Path, folder: Path, *, say: Callable[[str], None]) -> None:
    """Run every step and keep what it printed.

    Args:
        todo: the steps.
        out: folder of the results.
        folder: with the picture; the commands run there, so that no result has a path in it.
        say: takes one line a step.

    Raises:
        EdgeError: a step failed; the files of those before it stay.
    """
    for step in todo:
        say(step.command)
        answer = subprocess.run(
            [sys.executable, "-m", "benchmarks.cli", *step.arguments, "--json"],
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            text=True,
            cwd=folder,
            check=False,
        )
        if answer.returncode:
            error = EdgeError(f"{step.command}: exit code {answer.returncode}")
            error.exit_code = answer.returncode
            raise error
        write_whole(out / step.file, answer.stdout.encode())


def measure_start(out: Path, picture: Path, *, say: Callable[[str], None]) -> None:
    """Measure start and memory of fresh processes, and keep them in ``FOOTPRINT``.

    Raises:
        EdgeError: a process failed.
    """
    say("start and memory of fresh processes")
    footprint = {"kind": "footprint", **measure_footprint(picture).to_json()}
    write_whole(out / FOOTPRINT, (json.dumps(footprint) + "\n").encode())


if __name__ == "__main__":
    print(machine_name())
