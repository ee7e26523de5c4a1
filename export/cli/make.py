"""``edge-export make``: every recipe of a folder into one bundle."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edge.cli.common import whole_number
from export.cli.common import (
    PROGRAM,
    add_artefacts,
    add_json,
    add_means,
    add_work,
    print_json,
    print_table,
    wanted,
)
from export.progress import open_progress

__all__ = ["add", "add_recipes"]

_EXAMPLES = """\
examples:
  edge-export make --out trial --data data --only mask --limit 200
  edge-export make --out trial --data data --only mask --max-drop 0.5 --equalise
"""


def add(commands: Any) -> None:
    """Add the command to a parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "make",
        help="load, lower, quantise, verify all recipes, write a bundle",
        description="Export every recipe of a folder into one bundle, each network proven.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", metavar="BUNDLE", type=Path, required=True, help="to write")
    parser.add_argument("--only", metavar="NAME", nargs="+", default=[], help="these recipes")
    add_recipes(parser)
    add_artefacts(parser)
    add_means(parser)
    add_work(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be made, and stop")
    add_json(parser)
    parser.set_defaults(run=_run)


def add_recipes(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where recipes and data are."""
    parser.add_argument("--models", metavar="DIR", type=Path, default=Path("models"),
                        help="the recipes (default: models)")  # fmt: skip
    parser.add_argument("--data", metavar="DIR", type=Path, default=Path("data"),
                        help="the data packs (default: data)")  # fmt: skip
    parser.add_argument("--limit", metavar="N", type=whole_number,
                        help="prove on at most so many pictures a network")  # fmt: skip


def _run(options: argparse.Namespace) -> int:
    from export.making.recipe import Settings
    from export.making.recipes import make, plan

    settings = Settings(
        models=options.models,
        data=options.data,
        work=options.work,
        only=tuple(options.only),
        limit=options.limit,
        wanted=wanted(options, "int8"),
        opset=options.opset,
        equalise=options.equalise,
        correct=options.correct_bias,
        max_points=options.max_drop,
    )
    if options.dry_run:
        for line in plan(options.out, settings):
            print(line)
        return 0
    with open_progress(PROGRAM) as progress:
        made = make(options.out, settings, say=progress)
    if options.json:
        rows = [row.to_json() for row in made.rows]
        print_json("make", {"bundle": str(made.path), "artefacts": rows})
    else:
        print_table(made.rows)
        print(options.out)
    return 0
