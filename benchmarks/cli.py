"""``edge-bench``: accuracy on a task, latency of the pipeline."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.common import Parser, run_command, say, whole_number

if TYPE_CHECKING:
    from benchmarks.figures import Figures
    from benchmarks.latency import Latency

__all__ = ["main"]

_PROGRAM = "edge-bench"
_TASKS = ("detect", "mask", "reconstruct", "identity", "emotion")
_SCHEMA = "unveil-edge.bench/1"
_EXAMPLES = """\
examples:
  edge-bench accuracy mask --data data/mask3
  edge-bench accuracy emotion --data my-pictures --json     (my-pictures/happiness/*.jpg, ...)
  edge-bench accuracy reconstruct --data pairs              (pairs/clean/*.png, pairs/masked/*.png)
  edge-bench latency --source photo.jpg --count 200
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; see ``edge-bench --help``.

    Returns:
        The exit code.
    """
    return run_command(_PROGRAM, _run, argv)


def _parser() -> Parser:
    parser = Parser(
        prog=_PROGRAM,
        description="Measure the networks of a bundle through the runtime's own path.",
        epilog=_EXAMPLES,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    accuracy = commands.add_parser("accuracy", help="how often a task's answer is right")
    accuracy.add_argument("task", metavar="TASK", choices=_TASKS, help=", ".join(_TASKS))
    accuracy.add_argument(
        "--data", metavar="DIR", type=Path, required=True, help="a data pack, or class folders"
    )
    accuracy.add_argument("--split", metavar="NAME", help="of the pack (default: test)")
    accuracy.add_argument(
        "--limit", metavar="N", type=whole_number, help="at most so many pictures"
    )
    latency = commands.add_parser("latency", help="milliseconds a frame")
    latency.add_argument("--source", metavar="URI", required=True, help="as in edge-run")
    latency.add_argument("--count", metavar="N", type=whole_number, default=100, help="timed runs")
    for command in (accuracy, latency):
        command.add_argument(
            "--bundle", metavar="PATH", type=Path, help="networks (default: those of the package)"
        )
        command.add_argument("--engine", metavar="NAME", help="instead of the bundle's own")
        command.add_argument("--threads", metavar="N", type=whole_number, default=1)
        command.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _run(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    if options.command == "accuracy":
        figures = _accuracy(options)
        report, text = figures.to_json(), _figures_text(figures)
    else:
        latency = _latency(options)
        report, text = latency.to_json(), _latency_text(latency)
    print(json.dumps({"schema": _SCHEMA, **report}) if options.json else text)
    return 0


def _accuracy(options: argparse.Namespace) -> Figures:
    """Open what the task needs and judge it."""
    from benchmarks.networks import Networks
    from benchmarks.packs import Pack
    from benchmarks.tasks import detect, emotion, identity, mask, reconstruct
    from edge.bundle import Bundle, default_bundle

    bundle = Bundle.open(options.bundle or default_bundle())
    split, limit = options.split, options.limit
    with Networks(bundle, engine=options.engine, threads=options.threads) as networks:
        if options.task == "reconstruct":
            triples = reconstruct.read_folder(options.data, limit=limit)
            name = options.data.name
            return reconstruct.evaluate(
                networks.finder(), networks.reconstruct(), triples, data=name
            )
        pack = Pack.open(options.data)
        if options.task == "detect":
            return detect.evaluate(networks.detect(), pack, split=split, limit=limit)
        if options.task == "identity":
            return identity.evaluate(networks.embedder(), pack, limit=limit)
        if options.task == "mask":
            return mask.evaluate(networks.finder(), networks.mask(), pack, split=split, limit=limit)
        return emotion.evaluate(
            networks.finder(), networks.emotion(), pack, split=split, limit=limit
        )


def _latency(options: argparse.Namespace) -> Latency:
    """Time the whole pipeline."""
    from benchmarks.latency import measure_latency
    from edge.bundle import Bundle, default_bundle
    from edge.pipeline import Pipeline
    from edge.sources import open_source

    bundle = Bundle.open(options.bundle or default_bundle())
    with (
        open_source(options.source, report=lambda fault: say(_PROGRAM, fault)) as source,
        # Without a gallery the embedding is asked for, or the identify stage would be left out.
        Pipeline(
            bundle, threads=options.threads, engine=options.engine, embeddings=True
        ) as pipeline,
    ):
        return measure_latency(pipeline, source, count=options.count)


def _figures_text(figures: Figures) -> str:
    lines = [
        f"{figures.task} on {figures.data}: n {figures.n}, {figures.seconds:.1f} s, "
        f"{figures.as_face} pictures taken as the face itself"
    ]
    for name, measure in figures.measures.items():
        if measure.n == 0:
            continue
        low, high = measure.ci95
        interval = f"{low:.4f} to {high:.4f}"
        lines.append(f"  {name:<24}{measure.value:>9.4f}  95 % {interval}  n {measure.n}")
    lines += [f"  {name}: {value}" for name, value in figures.details.items()]
    return "\n".join(lines)


def _latency_text(latency: Latency) -> str:
    lines = [
        f"{latency.count} runs over {latency.frames} frames, {latency.faces} faces",
        f"  p50 {latency.p50_ms:.2f} ms   p90 {latency.p90_ms:.2f}   p99 {latency.p99_ms:.2f}"
        f"   mean {latency.mean_ms:.2f}",
    ]
    lines += [f"  {name:<12}{value:>8.2f} ms" for name, value in latency.stage_ms.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
