"""edge-run: frames from a source, through the pipeline, into sinks."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from edge.cli.common import (
    TRUST,
    Parser,
    Progress,
    default_gallery,
    run_command,
    say,
    whole_number,
)
from edge.engines import ENGINES
from edge.errors import DataError, EdgeError, UsageError

if TYPE_CHECKING:
    from edge.service import Config

__all__ = ["main"]

_PROGRAM = "edge-run"
_EXAMPLES = """\
sources:
  photo.jpg   folder   'shots/*.png'   clip.mp4
  picamera://0   v4l2:///dev/video0   csi://0   rtsp://user@host/path?password_file=FILE
  file://clip.mp4?loop=1&pace=1            a file round and round, as a camera gives frames
  synthetic://?faces=2&masked=1&frames=50  drawn faces, for a first try

sinks:
  jsonl:PATH  jsonl:-  images:FOLDER  video:PATH.mp4  video:PATH.avi  memory:
  mqtt://host/topic  prometheus:HOST:PORT  prometheus:FILE.prom

examples:
  edge-run --source photo.jpg
  edge-run --source clip.mp4 --sink jsonl:clip.jsonl --sink video:seen.mp4
  edge-run --source 'synthetic://?faces=1&masked=1&frames=5' --sink images:seen
  edge-run --config /etc/unveil-edge/config.toml
  edge-run --source v4l2:///dev/video0 --print-config >config.toml

exit codes: 0 done; 65 done, and some input could not be used; others: docs/results.md
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; see ``edge-run --help``.

    Returns:
        The exit code.
    """
    return run_command(_PROGRAM, _run, argv)


def _parser() -> Parser:
    parser = Parser(
        prog=_PROGRAM,
        description="Find faces, say whether they wear a mask, who they are, how they feel.",
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="read everything from this TOML file; what is given beside it counts instead",
    )
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="print the configuration in force, with every key explained, and do nothing",
    )
    parser.add_argument("--source", metavar="URI", help="where frames come from")
    parser.add_argument(
        "--sink",
        metavar="URI",
        action="append",
        help="where results go; may be given several times (default: jsonl:-)",
    )
    parser.add_argument("--bundle", metavar="PATH", help="networks (default: those of the package)")
    parser.add_argument("--trust", **{**TRUST, "type": str})
    parser.add_argument(
        "--gallery",
        metavar="PATH",
        help=f"known people (default: {default_gallery()}, if it is there)",
    )
    parser.add_argument("--threads", metavar="N", type=whole_number, help="default: 1")
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        help="run the networks on this engine (default: what edge-export race chose here, or the "
        "bundle's own choice)",
    )
    parser.add_argument(
        "--precision",
        choices=("int8", "fp16", "fp32", "dynamic"),
        help="run the networks' files of this one (default: what edge-export race chose here, or "
        "else int8 where the bundle has it)",
    )
    parser.add_argument(
        "--dla",
        metavar="N",
        choices=("0", "1", "2", "3"),
        help="run on this deep-learning accelerator, with --engine tensorrt (default: the GPU)",
    )
    parser.add_argument(
        "--fallback",
        choices=("tflite", "onnxruntime"),
        help="run on this one what the wanted engine cannot run here (default: refuse)",
    )
    parser.add_argument("--limit", metavar="N", type=whole_number, help="stop after so many frames")
    return parser


def _run(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    if options.config is None and options.source is None:
        raise UsageError(
            "there is neither --source nor --config", hint="see: edge-run --help", code="usage"
        )
    # Only here: --help needs neither OpenCV nor an engine.
    from edge.service.config import config_text
    from edge.sources import check_camera

    read = _reader(options)
    config = read()
    if options.print_config:
        print(config_text(config), end="")
        return 0
    if check_camera(config.source) is None:
        code = _run_whole(config, options.limit)
        if code is not None:
            return code
    return _serve(config, read if options.config else None, options.limit)


def _reader(options: argparse.Namespace) -> Callable[[], Config]:
    """Return what gives the configuration that the command line asks for."""
    from edge.service.config import Config, read_config

    given = {
        "source": options.source,
        "sinks": None if options.sink is None else tuple(options.sink),
        "bundle": options.bundle,
        "trust": None if options.trust is None else tuple(options.trust),
        "gallery": options.gallery,
        "threads": options.threads,
        "engine": options.engine,
        "precision": options.precision,
        "dla": options.dla,
        "fallback": options.fallback,
    }
    replaced = {key: value for key, value in given.items() if value is not None}
    if options.config is not None:
        return partial(read_config, options.config, replaced)
    return partial(Config, **replaced)


def _serve(config: Config, reread: Callable[[], Config] | None, limit: int | None) -> int:
    """Run a live source until somebody ends it; return 0 for SIGTERM, 128 + n for other signals."""
    from edge.service import Service
    from edge.service.notify import Notifier
    from edge.service.orders import Orders, obey_signals

    orders, progress = Orders(), Progress(limit)

    def log(line: str) -> None:
        progress.clear()
        say(_PROGRAM, line)

    with (
        obey_signals(orders, reloads=reread is not None),
        Notifier.from_environment(os.environ) as notifier,
        Service(
            config,
            reread=reread,
            orders=orders,
            notifier=notifier,
            log=log,
            patient=reread is not None,
        ) as service,
    ):
        for count, _ in enumerate(service, 1):
            progress.step()
            orders.stop = orders.stop or count == limit
        progress.clear()
    return 0 if orders.signal in (0, signal.SIGTERM) else 128 + orders.signal


def _run_whole(config: Config, limit: int | None) -> int | None:
    """Run a source with an end; return None for one that has none."""
    from edge.service.orders import interrupted_by_sigterm
    from edge.service.whole import run_whole
    from edge.sources import open_source

    progress = Progress(None)

    def report(fault: EdgeError | str) -> None:
        progress.clear()
        say(_PROGRAM, fault)

    with interrupted_by_sigterm(), open_source(config.source, report=report) as source:
        if source.live:
            return None
        progress = Progress(limit or source.total)
        try:
            run_whole(
                config,
                source,
                listener=lambda event: report(event.text),
                step=progress.step,
                limit=limit,
            )
        finally:
            progress.clear()
        return DataError.exit_code if source.skipped else 0


if __name__ == "__main__":
    raise SystemExit(main())
