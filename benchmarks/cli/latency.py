"""``edge-bench latency``: milliseconds a frame."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from benchmarks.cli.common import (
    PROGRAM,
    Commands,
    add_engine_options,
    open_bundle,
    print_object,
)
from edge.cli.common import say, whole_number

if TYPE_CHECKING:
    from benchmarks.latency import Latency

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Add the command's parser."""
    latency = commands.add_parser("latency", help="milliseconds a frame")
    latency.add_argument("--source", metavar="URI", required=True, help="as in edge-run")
    latency.add_argument("--count", metavar="N", type=whole_number, default=100, help="timed runs")
    add_engine_options(latency)
    latency.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Time the pipeline and print its figures."""
    latency = _latency(options)
    if options.json:
        print_object({"kind": "latency", **latency.to_json()})
    else:
        print(_latency_text(latency))
    return 0


def _latency(options: argparse.Namespace) -> Latency:
    """Time the whole pipeline."""
    from benchmarks.latency import measure_latency
    from edge.pipeline import Pipeline
    from edge.sources import open_source

    bundle = open_bundle(options.bundle)
    with (
        open_source(options.source, report=lambda fault: say(PROGRAM, fault)) as source,
        # Without a gallery the embedding is asked for, or the identify stage would be left out.
        Pipeline(
            bundle, threads=options.threads, engine=options.engine, embeddings=True
        ) as pipeline,
    ):
        return measure_latency(pipeline, source, count=options.count)


def _latency_text(latency: Latency) -> str:
    lines = [
        f"{latency.count} runs over {latency.frames} frames, {latency.faces} faces",
        f"  p50 {latency.p50_ms:.2f} ms   p90 {latency.p90_ms:.2f}   p99 {latency.p99_ms:.2f}"
        f"   mean {latency.mean_ms:.2f}",
    ]
    lines += [f"  {name:<12}{value:>8.2f} ms" for name, value in latency.stage_ms.items()]
    return "\n".join(lines)
