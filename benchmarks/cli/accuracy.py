"""``edge-bench accuracy``: how often a task's answer is right."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cli.common import Commands, add_engine_options, open_bundle, print_object
from edge.cli.common import whole_number

if TYPE_CHECKING:
    from benchmarks.figures import Figures

__all__ = ["add", "run"]

_TASKS = ("detect", "mask", "reconstruct", "identity", "emotion")


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("accuracy", help="how often a task's answer is right")
    parser.add_argument("task", metavar="TASK", choices=_TASKS, help=", ".join(_TASKS))
    parser.add_argument(
        "--data", metavar="DIR", type=Path, required=True, help="a data pack, or class folders"
    )
    parser.add_argument("--split", metavar="NAME", help="of the pack (default: test)")
    parser.add_argument("--limit", metavar="N", type=whole_number, help="at most so many pictures")
    add_engine_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Judge the task and print its figures."""
    figures = _accuracy(options)
    if options.json:
        print_object({"kind": "accuracy", **figures.to_json()})
    else:
        print(_figures_text(figures))
    return 0


def _accuracy(options: argparse.Namespace) -> Figures:
    """Open what the task needs and judge it."""
    from benchmarks.networks import Networks
    from benchmarks.packs import Pack
    from benchmarks.tasks import detect, emotion, identity, mask, reconstruct

    bundle = open_bundle(options.bundle)
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
