"""What following faces saves and what it changes: ``python -m benchmarks.latency.following``.

Three ways of working on the same frames take turns, so that all meet the same load of the machine:
each stage on each face of each frame in one thread, as edge-run treats a file; the same in two
threads; and in two threads with faces followed. The answers of the third are held to the first's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.cli.common import open_bundle
from edge.bundle import Bundle
from edge.cli.common import run_command, whole_number
from edge.frames import Frame
from edge.gallery import Gallery
from edge.geometry import iou_matrix
from edge.live import LivePipeline, LiveSettings
from edge.owned import Owned
from edge.pipeline import Pipeline
from edge.results import FaceResult, FrameResult
from edge.sources import open_source

__all__ = ["Following", "main", "measure_following"]

_DRAWN = "synthetic://?faces=3&masked=1&frames=32"
#: Frames that are held at most.
_FRAMES = 240
#: Overlap from which on two boxes are of one face.
_SAME = 0.5
#: What is said of a face.
_SAID: dict[str, Callable[[FaceResult], object]] = {
    "mask": lambda face: face.mask.state,
    "identity": lambda face: face.identity and face.identity.person,
    "emotion": lambda face: face.emotion and face.emotion.label,
    "reconstructed": lambda face: face.painting is not None,
}
_Pair = tuple[FaceResult, FaceResult]


@dataclass(frozen=True, slots=True)
class Following:
    """What was seen.

    Attributes:
        frames, faces: that were looked at in one round.
        fps: frames a second of each way, median over the rounds.
        cpu_ms: processor time a frame of each way, all threads together, median.
        reused: share of what is said of faces that no stage looked at anew for it.
        tracks: that were begun; with everybody in sight from first to last, as many as people.
        agree: share of the faces that are said the same of as without following, by what is said.
        changes: how often what is said of a face changes from one frame to the next, without
            following and with it.
    """

    frames: int
    faces: int
    fps: dict[str, float]
    cpu_ms: dict[str, float]
    reused: float
    tracks: int
    agree: dict[str, float]
    changes: dict[str, tuple[int, int]]


class _Held(Owned):
    """Frames in memory as a camera that waits: each is taken in turn."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.dropped = 0
        self._left = list(reversed(frames))

    @property
    def ended(self) -> bool:
        return not self._left

    def take(self, timeout_s: float) -> Frame | None:
        return self._left.pop() if self._left else None


def measure_following(
    bundle: Bundle,
    frames: Sequence[Frame],
    *,
    settings: LiveSettings,
    rounds: int = 5,
    fps: float = 25.0,
) -> Following:
    """Work on the frames in each way, in turn.

    Args:
        bundle: with the networks.
        frames: of a moving scene.
        settings: of the followed way.
        rounds: how often.
        fps: the pace at which the frames were captured: a face's velocity comes from it.
    """
    frames = [replace(f, index=i, captured_ns=round(i * 1e9 / fps)) for i, f in enumerate(frames)]
    revision = bundle.artefact("identity").contract.revision
    with (
        tempfile.TemporaryDirectory() as folder,
        Gallery.open(Path(folder) / "people.gallery", revision, create=True) as gallery,
        Pipeline(bundle, gallery=gallery) as pipeline,
    ):
        pipeline.warm_up()
        for i, face in enumerate(pipeline.run(frames[0]).faces):
            assert face.embedding is not None
            gallery.enrol(f"person {i}", face.embedding, masked=face.painting is not None)

        def live(*, follow: bool) -> list[FrameResult]:
            with LivePipeline(pipeline, _Held(frames), settings=settings, follow=follow) as work:
                seen = []
                while not work.ended:
                    seen.append(work.next(1.0))
                return [one.result for one in seen if one is not None]

        ways: dict[str, Callable[[], list[FrameResult]]] = {
            "one thread": lambda: [pipeline.run(frame) for frame in frames],
            "two threads": lambda: live(follow=False),
            "followed": lambda: live(follow=True),
        }
        wall: dict[str, list[float]] = {way: [] for way in ways}
        cpu: dict[str, list[float]] = {way: [] for way in ways}
        results: dict[str, list[FrameResult]] = {}
        for _ in range(rounds):
            for way, work in ways.items():
                start, busy = time.perf_counter(), time.process_time()
                results[way] = work()
                cpu[way].append(time.process_time() - busy)
                wall[way].append(time.perf_counter() - start)
    plain, followed = results["one thread"], results["followed"]
    pairs = [pair for a, b in zip(plain, followed, strict=True) for pair in _pairs(a, b)]
    return Following(
        frames=len(frames),
        faces=sum(len(result.faces) for result in followed),
        fps={way: round(len(frames) / statistics.median(wall[way]), 1) for way in ways},
        cpu_ms={way: round(1e3 * statistics.median(cpu[way]) / len(frames), 2) for way in ways},
        reused=round(_reused(plain, followed), 3),
        tracks=len({f.track for r in followed for f in r.faces} - {None}),
        agree={
            what: round(sum(say(a) == say(b) for a, b in pairs) / max(len(pairs), 1), 4)
            for what, say in _SAID.items()
        },
        changes={what: _changes(say, pairs) for what, say in _SAID.items()},
    )


def _reused(plain: list[FrameResult], followed: list[FrameResult]) -> float:
    """Return the share of the looks at faces that following saved."""
    looks = [
        sum(r.stage_ns[stage].runs for r in way for stage in ("mask", "identify", "emotion"))
        for way in (plain, followed)
    ]
    return 1 - looks[1] / max(looks[0], 1)


def _changes(say: Callable[[FaceResult], object], pairs: list[_Pair]) -> tuple[int, int]:
    """Return how often each of the two says another thing of a numbered track than before."""
    last: dict[int, tuple[object, object]] = {}
    changes = [0, 0]
    for pair in pairs:
        now, track = (say(pair[0]), say(pair[1])), pair[1].track
        if track is None:
            continue
        for i, before in enumerate(last.get(track, now)):
            changes[i] += before != now[i]
        last[track] = now
    return changes[0], changes[1]


def _pairs(a: FrameResult, b: FrameResult) -> list[_Pair]:
    """Return the faces of two results that lie in one place."""
    if not a.faces or not b.faces:
        return []
    boxes = [[face.detection.box_xywh for face in result.faces] for result in (a, b)]
    overlap = iou_matrix(*boxes)
    nearest = overlap.argmax(1)
    return [
        (face, b.faces[j])
        for face, j, row in zip(a.faces, nearest, overlap, strict=True)
        if row[j] >= _SAME
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print one JSON object."""
    return run_command("benchmarks.latency.following", _run, argv)


def _run(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="What following faces saves and changes.")
    parser.add_argument("--source", metavar="URI", default=_DRAWN, help="default: %(default)s")
    parser.add_argument("--bundle", metavar="PATH", type=Path)
    parser.add_argument("--rounds", metavar="N", type=whole_number, default=5)
    parser.add_argument("--detect-every", metavar="N", type=whole_number, default=1)
    options = parser.parse_args(argv)
    with open_source(options.source) as source:
        frames = list(itertools.islice(source, _FRAMES))
    settings = LiveSettings(detect_every=options.detect_every)
    seen = measure_following(
        open_bundle(options.bundle), frames, settings=settings, rounds=options.rounds
    )
    print(json.dumps({"source": options.source, **asdict(seen)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
