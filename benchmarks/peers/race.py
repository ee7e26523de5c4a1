"""Time one masked face through everything against the seeds' float networks, in one run.

The cheapest credible chain of the seeds is A1 (mask), B1 (map), B2 (editing), C2 (identity) and
A4 (emotion): their networks alone, in TensorFlow, on two threads, without reading, finding or
aligning the face. Ours is the whole pipeline with detection and every warp, on one thread. Each
round times one of each in turn, so that both meet the same load of the machine.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.demo.drawn_mask import draw_mask
from benchmarks.demo.picture import astronaut
from benchmarks.machine import machine
from benchmarks.metrics import bootstrap_interval
from edge.bundle import Bundle, default_bundle
from edge.cli.common import Parser, run_command, whole_number
from edge.errors import DataError, UnavailableError
from edge.files import write_whole
from edge.frames import Frame
from edge.pipeline import Pipeline

__all__ = ["CHAIN", "main"]

#: Networks of the seeds that one masked face goes through.
CHAIN = ("A1", "B1", "B2", "C2", "A4")
#: Timed beside the chain: the seeds' other reconstruction.
APART = ("A2",)
SEED_THREADS = 2
SCHEMA = "unveil-edge.peers/1"

_PROGRAM = "python -m benchmarks.peers.race"

_ROOT = Path(__file__).resolve().parents[2]


class _Seeds:
    """The worker process; a line in, a line out."""

    def __init__(self, python: Path) -> None:
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        # Absolute, since the worker starts in the root; not resolved, since an environment's
        # interpreter is a link.
        self._command = [
            str(python.absolute()), "-m", "benchmarks.peers.worker", str(SEED_THREADS)
        ]  # fmt: skip
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                cwd=_ROOT,
                env=environment,
            )
        except OSError as error:
            raise UnavailableError(
                f"{python}: cannot be run: {error.strerror}", hint="run: make peers"
            ) from error

    def ask(self, line: str) -> int:
        """Send one line and return the number that comes back."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # The empty answer below says it.
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise UnavailableError(
                f"the seeds' worker ended at {line!r}",
                hint=f"see: echo {line} | {' '.join(self._command)}",
            )
        return int(answer)

    def close(self) -> None:
        """End the worker."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


def _masked_frame(pipeline: Pipeline) -> Frame:
    """Return the demo's picture with the mask on her face."""
    image = astronaut()
    bare = pipeline.run(Frame(image, 0, time.monotonic_ns(), "astronaut"))
    if not bare.faces:
        raise DataError("no face was found in the demo's picture")
    masked = draw_mask(image, bare.faces[0].detection.points_5x2)
    return Frame(masked, 0, time.monotonic_ns(), "astronaut, masked")


def _race(python: Path, rounds: int) -> tuple[dict[str, int], dict[str, list[int]]]:
    """Return the parameters and the nanoseconds of every round, by name; ours is ``ours``."""
    seeds = _Seeds(python)
    try:
        with Pipeline(Bundle.open(default_bundle()), threads=1, embeddings=True) as pipeline:
            frame = _masked_frame(pipeline)
            result = pipeline.run(frame)
            if len(result.faces) != 1 or result.faces[0].painting is None:
                raise DataError("the race needs one masked face that is painted, and found another")
            parameters = {name: seeds.ask(f"load {name}") for name in CHAIN + APART}
            times: dict[str, list[int]] = {name: [] for name in ("ours", *CHAIN, *APART)}
            for _ in range(rounds):
                start = time.perf_counter_ns()
                pipeline.run(frame)
                times["ours"].append(time.perf_counter_ns() - start)
                for name in CHAIN + APART:
                    times[name].append(seeds.ask(f"run {name}"))
    finally:
        seeds.close()
    return parameters, times


def _ratio_of_medians(rows: NDArray[np.float64]) -> float:
    return float(np.median(rows[:, 1]) / np.median(rows[:, 0]))


def _record(parameters: dict[str, int], times: dict[str, list[int]]) -> dict[str, Any]:
    chain = np.sum([times[name] for name in CHAIN], axis=0)
    pairs = np.column_stack([times["ours"], chain])
    low, high = bootstrap_interval(pairs, statistic=_ratio_of_medians)
    return {
        "schema": SCHEMA,
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "bundle": Bundle.open(default_bundle()).digest,
        "threads": {"ours": 1, "seeds": SEED_THREADS},
        "rounds": len(chain),
        "median_ms": {
            **{name: round(float(np.median(ns)) / 1e6, 3) for name, ns in times.items()},
            "chain": round(float(np.median(chain)) / 1e6, 3),
        },
        "parameters": parameters,
        "chain": list(CHAIN),
        "times_faster": round(_ratio_of_medians(pairs), 2),
        "times_faster_ci95": [round(low, 2), round(high, 2)],
        "raw_ns": times,
    }


def _table(record: dict[str, Any]) -> str:
    rows = [("network", "parameters", "median ms")]
    for name in CHAIN + APART:
        rows.append((name, f"{record['parameters'][name]:,}", f"{record['median_ms'][name]:.2f}"))
    rows.append((" + ".join(CHAIN), "", f"{record['median_ms']['chain']:.2f}"))
    rows.append(("ours, camera bytes to result", "", f"{record['median_ms']['ours']:.2f}"))
    lines = [f"{a:<30}{b:>12}{c:>12}" for a, b, c in rows]
    low, high = record["times_faster_ci95"]
    lines.append(f"\n{record['times_faster']} times faster than the chain (95 %: {low} to {high})")
    return "\n".join(lines)


def _parser() -> Parser:
    parser = Parser(
        prog=_PROGRAM,
        description="Time one masked face against the seeds' networks.",
        epilog="example: make peers",
    )
    parser.add_argument("--python", type=Path, required=True, help="interpreter with TensorFlow")
    parser.add_argument("--rounds", type=whole_number, default=31)
    parser.add_argument("--out", type=Path, help="also write the record, JSON")
    return parser


def _run(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    record = _record(*_race(options.python, options.rounds))
    print(_table(record))
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(options.out, (json.dumps(record, indent=1) + "\n").encode())
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the race, print its table, write its record; return the exit code."""
    return run_command(_PROGRAM, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
