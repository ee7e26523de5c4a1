"""Run the pipeline on a real picture and a sequence; write pictures and a table into ./demo.

The person is enrolled from one bare view and must be known again with a drawn mask on.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.demo.drawn_mask import draw_mask
from benchmarks.demo.film import FRAMES, film, portrait
from benchmarks.demo.picture import PERSON, astronaut
from benchmarks.demo.report import check, read_lines, table
from edge.bundle import Bundle, default_bundle
from edge.cli.common import run_command
from edge.draw import strip
from edge.errors import EdgeError, GateFailed, OutputError
from edge.files import write_whole
from edge.frames import Frame
from edge.pipeline import Pipeline
from edge.results import FaceResult

__all__ = ["main"]

OUT = Path("demo")

_Image = NDArray[np.uint8]


def _save(path: Path, image: _Image) -> Path:
    write_whole(path, cv2.imencode(".png", image)[1].tobytes())
    return path


def _frame(image: _Image) -> Frame:
    return Frame(image, 0, time.monotonic_ns(), "demo")


def _largest_face(pipeline: Pipeline, image: _Image, name: str) -> FaceResult:
    result = pipeline.run(_frame(image))
    if not result.faces:
        raise GateFailed(f"{name}: no face was found", code="demo.face")
    return result.faces[0]


def _command(*arguments: str | Path) -> None:
    """Run one of the project's commands as a process of its own, as a user does."""
    module, *rest = map(str, arguments)
    # run_command keeps descriptor 2 from C libraries; sys.stderr is the terminal's still.
    command = [sys.executable, "-m", f"edge.cli.{module}", *rest]
    code = subprocess.run(command, stderr=sys.stderr, check=False).returncode
    if code:
        error = EdgeError(f"edge-{module} {' '.join(rest)}: exit code {code}")
        error.exit_code = code
        raise error


def _save_film(path: Path, picture: _Image, points: NDArray[np.float32]) -> Path:
    writer: Any = None
    for image in film(picture, points):
        if writer is None:
            size = (image.shape[1], image.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 12.0, size)
        writer.write(image)
    writer.release()
    if not path.is_file():
        raise OutputError(f"{path}: cannot be written", hint="free some space")
    return path


def _make_pictures() -> None:
    """Write the bare, the masked, the enrolled picture, the film and the strip."""
    bare = astronaut()
    with Pipeline(Bundle.open(default_bundle())) as pipeline:
        points = _largest_face(pipeline, bare, "the bare picture").detection.points_5x2
        masked = draw_mask(bare, points)
        face = _largest_face(pipeline, masked, "the masked picture")
    pictures = OUT / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    _save(pictures / "bare.png", bare)
    _save(pictures / "masked.png", masked)
    _save(OUT / "enrolled.png", portrait(bare, points))
    _save_film(OUT / "film.avi", bare, points)
    if face.painting is not None:
        _save(OUT / "strip.png", strip(face.painting, _frame(masked)))


def _demo(_: Sequence[str]) -> int:
    start = time.monotonic()
    _make_pictures()
    gallery = OUT / "gallery.db"
    gallery.unlink(missing_ok=True)
    _command("gallery", "enrol", PERSON, OUT / "enrolled.png", "--gallery", gallery)
    for source, sink, lines in (
        (OUT / "pictures", f"images:{OUT / 'annotated'}", OUT / "pictures.jsonl"),
        (OUT / "film.avi", f"video:{OUT / 'film-annotated.mp4'}", OUT / "results.jsonl"),
    ):
        _command(
            "run", "--source", source, "--gallery", gallery, "--sink", sink,
            "--sink", f"jsonl:{lines}",
        )  # fmt: skip
    pictures, frames = read_lines(OUT / "pictures.jsonl"), read_lines(OUT / "results.jsonl")
    print(table(pictures, frames))
    print(f"\n{2 + FRAMES} pictures in {time.monotonic() - start:.1f} s; look at:")
    for name in ("strip.png", "annotated/masked.jpg", "film-annotated.mp4", "results.jsonl"):
        print(f"  {OUT / name}")
    check(pictures, frames)
    return 0


def main() -> int:
    """Run the demo; return its exit code, 3 where the masked person was not known again."""
    return run_command("demo", _demo, None)


if __name__ == "__main__":
    sys.exit(main())
