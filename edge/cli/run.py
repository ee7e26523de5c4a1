"""edge-run: frames from a source, through the pipeline, into sinks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from edge.cli.common import (
    TRUST,
    Parser,
    Progress,
    default_gallery,
    open_bundle,
    run_command,
    say,
    whole_number,
)
from edge.errors import DataError, EdgeError, Interrupted

__all__ = ["main"]

_PROGRAM = "edge-run"
_EXAMPLES = """\
sources:
  photo.jpg   folder   'shots/*.png'   clip.mp4   v4l2:///dev/video0
  synthetic://?faces=2&masked=1&frames=50   drawn faces, for a first try

sinks:
  jsonl:PATH  jsonl:-  images:FOLDER  video:PATH.mp4  video:PATH.avi  memory:

examples:
  edge-run --source photo.jpg
  edge-run --source clip.mp4 --sink jsonl:clip.jsonl --sink video:seen.mp4
  edge-run --source 'synthetic://?faces=1&masked=1&frames=5' --sink images:seen

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
    parser.add_argument("--source", metavar="URI", required=True, help="where frames come from")
    parser.add_argument(
        "--sink",
        metavar="URI",
        action="append",
        help="where results go; may be given several times (default: jsonl:-)",
    )
    parser.add_argument(
        "--bundle", metavar="PATH", type=Path, help="networks (default: those of the package)"
    )
    parser.add_argument("--trust", **TRUST)
    parser.add_argument(
        "--gallery",
        metavar="PATH",
        type=Path,
        help=f"known people (default: {default_gallery()}, if it is there)",
    )
    parser.add_argument("--threads", metavar="N", type=whole_number, default=1, help="default: 1")
    parser.add_argument(
        "--engine",
        choices=("tflite", "onnxruntime", "null"),
        help="run the networks on this engine instead of the bundle's own choice",
    )
    parser.add_argument("--limit", metavar="N", type=whole_number, help="stop after so many frames")
    return parser


def _run(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    # Only here: --help needs neither OpenCV nor an engine.
    from edge.gallery import Gallery
    from edge.pipeline import Pipeline
    from edge.sinks import open_sink
    from edge.sources import open_source

    progress = Progress(None)

    def report(fault: EdgeError) -> None:
        progress.clear()
        say(_PROGRAM, fault)

    stopped = False
    with ExitStack() as stack:
        source = stack.enter_context(open_source(options.source, report=report))
        bundle = open_bundle(options.bundle, options.trust)
        path = options.gallery or (default_gallery() if default_gallery().exists() else None)
        gallery = None
        if path is not None:
            revision = bundle.artefact("identity").contract.revision
            gallery = stack.enter_context(Gallery.open(path, revision))
        pipeline = stack.enter_context(
            Pipeline(bundle, gallery=gallery, threads=options.threads, engine=options.engine)
        )
        sinks = [
            stack.enter_context(open_sink(uri, live=source.live, fps=source.fps))
            for uri in options.sink or ["jsonl:-"]
        ]
        progress = Progress(options.limit or source.total)
        stack.callback(lambda: progress.clear())
        count = 0
        try:
            for frame in islice(source, options.limit):
                result = pipeline.run(frame)
                for sink in sinks:
                    sink.write(frame, result)
                progress.step()
                count += 1
        except KeyboardInterrupt:
            # A live source is always ended so: what it gave is whole.
            if not source.live:
                raise
            stopped = True
        if count == 0 and source.skipped:
            raise DataError(
                f"{source.uri}: none of its {len(source.skipped)} pictures can be used",
                code="source.nothing",
            )
    if stopped:
        return Interrupted.exit_code
    return DataError.exit_code if source.skipped else 0


if __name__ == "__main__":
    raise SystemExit(main())
