"""``edge-bench accuracy``: how often a task's answer is right."""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from benchmarks.cli.common import SCHEMA, Commands, add_engine_options, open_bundle
from edge.cli.common import Progress, whole_number

if TYPE_CHECKING:
    from benchmarks.figures import Figures
    from benchmarks.networks import Networks
    from edge.bundle import Bundle

__all__ = ["TASKS", "add", "run"]

_Item = TypeVar("_Item")

#: What can be judged, and the network of the bundle that it stands for.
TASKS = {
    "detect": "detect",
    "mask": "mask",
    "reconstruct": "edit",
    "identity": "identity",
    "emotion": "emotion",
    "gender": "gender",
    "landmarks": "landmarks",
}
_EXAMPLES = """\
DIR is one of these:
  images.npz with labels.csv              a data pack
  labels.csv beside picture files         file,x,y,w,h for detect: a row a face, empty for none
  LABEL/*.jpg                             a folder a class: masked, unmasked, incorrect for mask
  PERSON/*.jpg, perhaps with pairs.csv    for identity: a,b,same
  *.jpg with points68.npz                 for landmarks: points, names
  clean/*.png and masked/*.png            for reconstruct: the same names

examples:
  edge-bench accuracy mask --data data/mask3
  edge-bench accuracy emotion --data my-pictures
  edge-bench accuracy identity --data data/lfw --far 0.01 --json > identity.json
"""


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "accuracy",
        help="how often a task's answer is right",
        description="Judge one task of a bundle on labelled pictures, with 95 % intervals.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", metavar="TASK", choices=list(TASKS), help=", ".join(TASKS))
    parser.add_argument(
        "--data", metavar="DIR", type=Path, required=True, help="labelled pictures, see below"
    )
    parser.add_argument("--split", metavar="NAME", help="of the pack (default: test)")
    parser.add_argument(
        "--limit", metavar="N", type=whole_number, help="at most so many pictures or pairs"
    )
    parser.add_argument(
        "--far",
        metavar="SHARE",
        type=_share,
        help="identity: strangers that the threshold may accept (default: 0.001, or the least "
        "of 0.01 and 0.1 that so few pairs can tell)",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the JSON object here too")
    add_engine_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Judge the task, print its figures, and write them where a file is named."""
    from benchmarks.figures_text import figures_text
    from benchmarks.records import write_record
    from edge.errors import OutputError, UsageError

    if options.far is not None and options.task != "identity":
        raise UsageError("--far is for the task identity", code="usage")
    if options.out is not None and not options.out.parent.is_dir():
        raise OutputError(f"{options.out.parent}: there is no such folder", code="output.write")
    bundle = open_bundle(options.bundle)
    figures = _judge(options, bundle)
    report = {"schema": SCHEMA, "kind": "accuracy", **figures.to_json()}
    report |= _circumstances(options, bundle)
    if options.out is not None:
        write_record(options.out, "accuracy", report)
    print(json.dumps(report) if options.json else figures_text(figures))
    return 0


def _judge(options: argparse.Namespace, bundle: Bundle) -> Figures:
    """Open what the task needs and judge it."""
    from benchmarks.networks import Networks

    watch = _Watch()
    try:
        with Networks(bundle, engine=options.engine, threads=options.threads) as networks:
            return _JUDGES[options.task](networks, options, watch)
    finally:
        watch.clear()


def _detect(networks: Networks, options: argparse.Namespace, watch: _Watch) -> Figures:
    from benchmarks.packs import Pack
    from benchmarks.tasks import detect

    stage, threshold = networks.detect_down_to(detect.LOWEST_SCORE)
    return detect.evaluate(
        stage,
        Pack.open(options.data),
        threshold=threshold,
        split=options.split,
        limit=options.limit,
        follow=watch,
    )


def _identity(networks: Networks, options: argparse.Namespace, watch: _Watch) -> Figures:
    from benchmarks.packs import Pack
    from benchmarks.tasks import identity

    return identity.evaluate(
        networks.embedder(),
        Pack.open(options.data),
        false_accept=options.far,
        split=options.split,
        limit=options.limit,
        follow=watch,
    )


def _reconstruct(networks: Networks, options: argparse.Namespace, watch: _Watch) -> Figures:
    from benchmarks.tasks import reconstruct
    from benchmarks.tasks.pair_folder import PairFolder

    pairs = PairFolder(options.data, limit=options.limit)
    return reconstruct.evaluate(
        networks.finder(),
        networks.reconstruct(),
        watch.over(pairs, len(pairs)),
        data=options.data.resolve().name,
        rows=pairs.rows,
    )


def _face(networks: Networks, options: argparse.Namespace, watch: _Watch) -> Figures:
    """Judge a task that says one thing of one face."""
    from benchmarks.packs import Pack
    from benchmarks.tasks import emotion, gender, landmarks, mask

    pack, finder = Pack.open(options.data), networks.finder()
    split, limit = options.split, options.limit
    if options.task == "mask":
        return mask.evaluate(finder, networks.mask(), pack, split=split, limit=limit, follow=watch)
    if options.task == "emotion":
        return emotion.evaluate(
            finder, networks.emotion(), pack, split=split, limit=limit, follow=watch
        )
    if options.task == "gender":
        return gender.evaluate(
            finder, networks.gender(), pack, split=split, limit=limit, follow=watch
        )
    return landmarks.evaluate(
        finder, networks.landmarks(), pack, split=split, limit=limit, follow=watch
    )


class _Watch:
    """Show on a terminal how far the pictures are."""

    def __init__(self) -> None:
        self._progress = Progress(None)

    def __call__(self, items: Sequence[_Item], /) -> Iterator[_Item]:
        return self.over(items, len(items))

    def over(self, items: Iterable[_Item], total: int) -> Iterator[_Item]:
        """Give the items back and count them."""
        self._progress = Progress(total, "picture")
        for item in items:
            yield item
            self._progress.step()

    def clear(self) -> None:
        """Wipe the line."""
        self._progress.clear()


_JUDGES: dict[str, Callable[[Networks, argparse.Namespace, _Watch], Figures]] = {
    "detect": _detect,
    "identity": _identity,
    "reconstruct": _reconstruct,
    **dict.fromkeys(("mask", "emotion", "gender", "landmarks"), _face),
}


def _circumstances(options: argparse.Namespace, bundle: Bundle) -> dict[str, object]:
    """Return when, with which settings and on what the figures were measured."""
    from benchmarks.fingerprint import take_fingerprint

    artefact = bundle.artefact(
        TASKS[options.task], None if options.engine == "null" else options.engine
    )
    engine = options.engine or artefact.engine
    fingerprint = take_fingerprint(engine=engine, threads=options.threads, bundle=bundle.digest)
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "settings": {
            "bundle": bundle.name,
            "engine": engine,
            "precision": artefact.precision,
            "threads": options.threads,
            "split": options.split,
            "limit": options.limit,
        },
        "fingerprint": fingerprint.to_json(),
    }


def _share(text: str) -> float:
    """Read a share above 0 and below 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share between 0 and 1")
    return value
