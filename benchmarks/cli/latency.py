"""``edge-bench latency``: how long a frame takes, in a scenario, with the machine watched."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cli.common import (
    DRAWN,
    PROGRAM,
    SCHEMA,
    Commands,
    add_engine_options,
    open_bundle,
)
from benchmarks.latency.scenarios import FEWEST, SCENARIOS
from edge.cli.common import Progress, positive_number, say, whole_number

if TYPE_CHECKING:
    from benchmarks.compare.baseline import Held
    from benchmarks.latency.result import LatencyResult, Settings
    from benchmarks.records import LatencyRecord

__all__ = ["add", "latency_text", "run"]

_EXAMPLES = """\
examples:
  edge-bench latency --source photo.jpg
  edge-bench latency --source photo.jpg --scenario multi-stream --streams 4 --workers 2
  edge-bench latency --source v4l2:///dev/video0 --scenario live --seconds 60
  edge-bench latency --source photo.jpg --subject stage:reconstruct --json > stage.json
  edge-bench latency --source photo.jpg --against monday.json --fail-over 5%
"""
#: Frames a query of multi-stream, as MLPerf Inference has it.
_STREAMS = 8


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("latency", help="milliseconds a frame", epilog=_EXAMPLES)
    parser.add_argument(
        "--source", metavar="URI", default=DRAWN, help="as in edge-run (default: %(default)s)"
    )
    parser.add_argument(
        "--scenario",
        choices=SCENARIOS,
        default=SCENARIOS[0],
        help=f"{', '.join(SCENARIOS)} (default: {SCENARIOS[0]})",
        metavar="NAME",
    )
    parser.add_argument(
        "--subject",
        metavar="NAME",
        default="pipeline",
        help="pipeline, stage:NAME or engine:TASK (default: pipeline)",
    )
    parser.add_argument(
        "--seconds", metavar="S", type=positive_number, default=10.0, help="at least (default: 10)"
    )
    parser.add_argument(
        "--count",
        metavar="N",
        type=whole_number,
        help="queries at least (default: what the scenario's percentile takes)",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=whole_number,
        default=1,
        help="pipelines side by side, for multi-stream and offline (default: 1)",
    )
    parser.add_argument(
        "--streams",
        metavar="N",
        type=whole_number,
        help=f"frames a query, for multi-stream (default: {_STREAMS})",
    )
    parser.add_argument(
        "--fps",
        metavar="N",
        type=positive_number,
        default=30.0,
        help="pace of a live run over files (default: 30)",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the JSON object there, too")
    parser.add_argument(
        "--against", metavar="FILE", type=Path, help="an older result that this one is held to"
    )
    parser.add_argument(
        "--fail-over",
        metavar="P%",
        type=_percent,
        default=0.05,
        help="exit code 3 if it takes longer by more than that (default: 5%%)",
    )
    parser.add_argument(
        "--any-machine", action="store_true", help="hold to another machine's result as well"
    )
    add_engine_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Time the subject and print its figures."""
    from benchmarks.records import write_record

    settings, baseline = _settings(options), _baseline(options.against)
    result = _measure(options, settings)
    report = {"schema": SCHEMA, **result.to_json()}
    held = None if baseline is None else _held(options, baseline, report)
    if held is not None:
        report["against"] = held.to_json()
    if options.out is not None:
        write_record(options.out, "latency", report)
    print(json.dumps(report) if options.json else latency_text(result))
    if held is not None:
        if not options.json:
            print(held)
        held.check()
    return 0


def _percent(text: str) -> float:
    from benchmarks.compare.baseline import percent

    return percent(text)


def _baseline(path: Path | None) -> LatencyRecord | None:
    """Read the baseline before anything is measured: a wrong one costs no time then."""
    from benchmarks.records import LatencyRecord, read_record
    from edge.errors import DataError

    if path is None:
        return None
    record = read_record(path)
    if not isinstance(record, LatencyRecord):
        raise DataError(f"{path}: is no latency result", hint="name one of edge-bench latency")
    return record


def _held(options: argparse.Namespace, baseline: LatencyRecord, report: object) -> Held:
    """Hold what was measured to the baseline."""
    from benchmarks.compare.baseline import hold_to
    from benchmarks.records import LatencyRecord, parse_record

    # Through its JSON, so that both were read by the same rules.
    record = parse_record(json.loads(json.dumps(report)), where="this run")
    assert isinstance(record, LatencyRecord)
    return hold_to(
        baseline,
        record,
        options.fail_over,
        any_machine=options.any_machine,
        name=str(options.against),
    )


def _settings(options: argparse.Namespace) -> Settings:
    """Turn the options into settings.

    Raises:
        UsageError: an option does not fit the scenario.
    """
    from benchmarks.latency.result import Settings
    from edge.errors import UsageError

    many, several = options.scenario == "multi-stream", ("multi-stream", "offline")
    if options.streams is not None and not many:
        raise UsageError(f"--streams is for multi-stream, not for {options.scenario}")
    if options.workers > 1 and options.scenario not in several:
        raise UsageError(f"--workers is for {' and '.join(several)}, not for {options.scenario}")
    return Settings(
        scenario=options.scenario,
        subject=options.subject,
        source=options.source,
        threads=options.threads,
        workers=options.workers,
        streams=(options.streams or _STREAMS) if many else 1,
        seconds=options.seconds,
        count=FEWEST[options.scenario] if options.count is None else options.count,
        fps=options.fps,
        engine=options.engine,
    )


def _measure(options: argparse.Namespace, settings: Settings) -> LatencyResult:
    """Open source and bundle, and play the scenario."""
    from benchmarks.latency.measure import hold_frames, measure
    from edge.sources import open_source

    bundle = open_bundle(options.bundle)
    progress = Progress(None)
    with open_source(options.source, report=lambda fault: say(PROGRAM, fault)) as source:
        camera = source if source.paced and settings.scenario == "live" else None
        frames = hold_frames(source)
        result = measure(settings, bundle, frames, camera=camera, step=progress.step)
    progress.clear()
    return result


def latency_text(result: LatencyResult) -> str:
    """Return the result as people read it."""
    settings, ms = result.settings, result.latency_ms
    what = settings.subject if settings.streams == 1 else f"{settings.streams} frames at once"
    lines = [
        f"{settings.scenario}, {what}: {len(result.run.raw_ns)} queries over {result.frames} "
        f"frames, {result.faces / len(result.run.answers):.2f} faces a frame",
        f"  p50 {ms['p50']:.2f} ms   p90 {ms['p90']:.2f}   p95 {ms['p95']:.2f}"
        f"   p99 {ms['p99']:.2f}   max {ms['max']:.2f}",
        f"  {result.fps:.1f} frames a second",
    ]
    traffic = result.traffic
    if traffic is not None:
        lines.append(
            f"  {traffic.offered} frames offered, {traffic.processed} processed, "
            f"{traffic.dropped} dropped"
        )
    lines += ["", f"  {'a frame, ms':<18}{'before':>9}{'inside':>9}{'after':>9}{'runs':>7}"]
    n = len(result.run.answers)
    for name, spent in result.stages.items():
        parts = (spent.pre_ns, spent.infer_ns, spent.post_ns)
        figures = "".join(f"{part / n / 1e6:>9.3f}" for part in parts)
        lines.append(f"  {name:<18}{figures}{spent.runs / n:>7.2f}")
    lines.append(
        f"  outside the engines {result.overhead_ms:.3f} ms a frame (median), inside "
        f"{result.inside_ms:.3f}; outside the stages {result.between_ms:.3f}"
    )
    if result.harness_ms is not None:
        lines.append(f"  with engines that compute nothing {result.harness_ms:.3f} ms")
    lines += [f"  INVALID: {reason}" for reason in result.invalid]
    return "\n".join(lines)
