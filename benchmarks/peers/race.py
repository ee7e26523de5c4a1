"""Time one masked face through everything against the networks of others, in one run.

Ours is the whole pipeline, from the picture in memory to the result, with detection and every
warp, on one thread. What a rival does for the face is said with its figures. Each round times one
of each in turn, so that all meet the same load of the machine.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.demo.drawn_mask import draw_mask
from benchmarks.demo.picture import astronaut
from benchmarks.fingerprint import machine
from benchmarks.latency.subjects import hold_opencv
from benchmarks.metrics import Interval, bootstrap_interval
from benchmarks.peers.kinds import KINDS, Kind
from benchmarks.peers.rival import Rival
from edge.bundle import Bundle, default_bundle
from edge.cli.common import Parser, Progress, run_command, whole_number
from edge.errors import DataError, UsageError
from edge.files import write_whole
from edge.frames import Frame
from edge.pipeline import Pipeline

__all__ = ["Lap", "main", "masked_frame", "race"]

SCHEMA = "unveil-edge.peers/2"
_PROGRAM = "python -m benchmarks.peers.race"


@dataclass(slots=True)
class Lap:
    """Every round of one rival.

    Attributes:
        kind: of rival.
        sizes: parameters of each network, or bytes of its file.
        times_ns: of each network, round by round.
    """

    kind: Kind
    sizes: dict[str, int] = field(default_factory=dict)
    times_ns: dict[str, list[int]] = field(default_factory=dict)

    @property
    def chain_ns(self) -> NDArray[np.float64]:
        """The whole chain, round by round."""
        rounds = np.array([self.times_ns[name] for name in self.kind.chain], np.float64)
        return np.asarray(rounds.sum(0))

    def ratio(self, ours_ns: Sequence[int]) -> tuple[float, Interval]:
        """Return how many times faster ours is, by the medians, and its 95 % interval."""
        pairs = np.column_stack([ours_ns, self.chain_ns])
        return _of_medians(pairs), bootstrap_interval(pairs, statistic=_of_medians)

    def to_json(self, ours_ns: Sequence[int]) -> dict[str, object]:
        """Return the rival's part of the record."""
        ratio, (low, high) = self.ratio(ours_ns)
        return {
            "says": self.kind.says,
            "threads": self.kind.threads,
            "random_weights": self.kind.random,
            "chain": list(self.kind.chain),
            "sizes": self.sizes,
            "median_ms": {
                **{name: _median_ms(times) for name, times in self.times_ns.items()},
                "chain": _median_ms(self.chain_ns),
            },
            "times_faster": round(ratio, 2),
            "times_faster_ci95": [round(low, 2), round(high, 2)],
            "raw_ns": self.times_ns,
        }


def masked_frame(pipeline: Pipeline) -> Frame:
    """Return the demo's picture with the mask on her face.

    Raises:
        DataError: the pipeline does not see one masked face in it, and paint it.
    """
    image = astronaut()
    bare = pipeline.run(Frame(image, 0, time.monotonic_ns(), "astronaut"))
    if not bare.faces:
        raise DataError("no face was found in the demo's picture")
    masked = draw_mask(image, bare.faces[0].detection.points_5x2)
    frame = Frame(masked, 0, time.monotonic_ns(), "astronaut, masked")
    result = pipeline.run(frame)
    if len(result.faces) != 1 or result.faces[0].painting is None:
        raise DataError("the race needs one masked face that is painted, and found another")
    return frame


def race(
    pythons: dict[str, Path], rounds: int, *, weights: Path | None, emotion: Path | None
) -> tuple[list[int], list[Lap]]:
    """Run every round.

    Args:
        pythons: interpreter of each kind of rival.
        rounds: of the race.
        weights: folder of strangers' weights, and
        emotion: mini-XCEPTION as TFLite; both for the kind that needs them.

    Returns:
        Nanoseconds of ours, round by round, and each rival's laps.

    Raises:
        UnavailableError: a rival cannot be run, or ends before it answers.
        DataError: ours does not see the masked face.
    """
    ours: list[int] = []
    laps = [Lap(KINDS[name]) for name in pythons]
    progress = Progress(rounds)
    with contextlib.ExitStack() as stack:
        hold_opencv()
        pipeline = stack.enter_context(Pipeline(Bundle.open(default_bundle()), embeddings=True))
        frame = masked_frame(pipeline)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        picture = folder / "masked.png"
        cv2.imwrite(str(picture), frame.image)
        rivals = []
        for lap in laps:
            needs = (str(weights), str(emotion), str(picture)) if lap.kind.weights else ()
            rival = stack.enter_context(Rival(lap.kind, pythons[lap.kind.name], needs))
            for name in (*lap.kind.chain, *lap.kind.apart):
                lap.sizes[name], lap.times_ns[name] = rival.load(name), []
            rivals.append(rival)
        for _ in range(rounds):
            start = time.perf_counter_ns()
            pipeline.run(frame)
            ours.append(time.perf_counter_ns() - start)
            for lap, rival in zip(laps, rivals, strict=True):
                for name, times in lap.times_ns.items():
                    times.append(rival.run(name))
            progress.step()
    progress.clear()
    return ours, laps


def _of_medians(rows: NDArray[np.float64]) -> float:
    return float(np.median(rows[:, 1]) / np.median(rows[:, 0]))


def _median_ms(times: Sequence[int] | NDArray[np.float64]) -> float:
    return round(float(np.median(times)) / 1e6, 3)


def _record(ours: list[int], laps: Sequence[Lap]) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "bundle": Bundle.open(default_bundle()).digest,
        "rounds": len(ours),
        "ours": {"threads": 1, "median_ms": _median_ms(ours), "raw_ns": ours},
        "rivals": {lap.kind.name: lap.to_json(ours) for lap in laps},
    }


def _table(ours: list[int], laps: Sequence[Lap]) -> str:
    lines = [f"{'ours, picture to result, 1 thread':<44}{_median_ms(ours):>10.2f} ms"]
    for lap in laps:
        ratio, (low, high) = lap.ratio(ours)
        plural = "s" if lap.kind.threads > 1 else ""
        lines += ["", f"{lap.kind.name}: {lap.kind.says} ({lap.kind.threads} thread{plural})"]
        for name, times in lap.times_ns.items():
            beside = "" if name in lap.kind.chain else "  (not in the chain)"
            lines.append(f"  {name:<26}{lap.sizes[name]:>14,}{_median_ms(times):>12.2f} ms{beside}")
        lines.append(
            f"  {'the chain':<40}{_median_ms(lap.chain_ns):>12.2f} ms: ours is {ratio:.2f} times "
            f"as fast (95 %: {low:.2f} to {high:.2f})"
        )
    return "\n".join(lines)


def _parser() -> Parser:
    parser = Parser(
        prog=_PROGRAM,
        description="Time one masked face against the networks of others.",
        epilog="example: make peers",
    )
    parser.add_argument(
        "--rival",
        metavar="KIND=PYTHON",
        action="append",
        required=True,
        help=f"{', '.join(KINDS)}, and the interpreter that has its libraries; may be repeated",
    )
    parser.add_argument("--weights", metavar="DIR", type=Path, help="strangers' networks")
    parser.add_argument("--emotion", metavar="FILE", type=Path, help="mini-XCEPTION, TFLite")
    parser.add_argument("--rounds", metavar="N", type=whole_number, default=31)
    parser.add_argument("--out", metavar="FILE", type=Path, help="also write the record, JSON")
    return parser


def _pythons(options: Sequence[str]) -> dict[str, Path]:
    found = {}
    for option in options:
        name, _, python = option.partition("=")
        if name not in KINDS or not python:
            raise UsageError(f"--rival {option}: is no KIND=PYTHON", hint=f"kinds: {list(KINDS)}")
        found[name] = Path(python)
    return found


def _run(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    pythons = _pythons(options.rival)
    if any(KINDS[name].weights for name in pythons) and not (options.weights and options.emotion):
        raise UsageError("a rival needs strangers' networks", hint="give --weights and --emotion")
    ours, laps = race(pythons, options.rounds, weights=options.weights, emotion=options.emotion)
    print(_table(ours, laps))
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(options.out, (json.dumps(_record(ours, laps), indent=1) + "\n").encode())
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the race, print its table, write its record; return the exit code."""
    return run_command(_PROGRAM, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
