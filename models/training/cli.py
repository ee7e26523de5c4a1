"""``edge-train``: run a recipe, with progress, resumable."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from edge.cli.common import Parser, run_command
from edge.errors import MissingInput, UnavailableError, UsageError

__all__ = ["main"]

_EXAMPLES = """\
examples:
  edge-train emotion --data data --budget small
  edge-train emotion --data data --qat
"""
MODELS = Path(__file__).resolve().parent.parent


def _parser() -> Parser:
    parser = Parser(
        prog="edge-train",
        description="Train one of the project's networks from its own initial values.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("name", help="a folder of models/: " + ", ".join(_names()))
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the data packs")
    parser.add_argument("--teachers", type=Path, help="folder of networks to learn from")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--budget",
        choices=("smoke", "small", "full"),
        default="small",
        help="smoke: seconds; small: an hour on two cores; full: a GPU",
    )
    parser.add_argument(
        "--qat",
        action="store_true",
        help="go on from the weights of --out for a few epochs, with the rounding of INT8",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2, help="of the CPU")
    parser.add_argument(
        "--run", type=Path, help="folder of state and log (default: runs/NAME[-qat])"
    )
    parser.add_argument("--out", type=Path, help="weights file (default: beside the recipe)")
    return parser


def _names() -> list[str]:
    return sorted(p.parent.name for p in MODELS.glob("*/train.py"))


def _train(arguments: argparse.Namespace) -> int:
    name, names = arguments.name.replace("-", "_"), _names()
    if not names:
        raise MissingInput(
            f"{MODELS}: no recipes; the wheel carries none",
            hint="run it in a checkout of the project",
            code="train.recipes",
        )
    if name not in names:
        raise UsageError(f"{arguments.name}: no such recipe", hint="one of " + ", ".join(names))
    if not arguments.data.is_dir():
        raise MissingInput(
            f"{arguments.data}: no such folder", hint="name the data packs with --data DIR"
        )
    try:
        import torch

        from models.training.loop import train
    except ImportError as error:
        raise UnavailableError(
            f"{error.name}: not installed",
            hint="install the toolchain with: pip install -e '.[train]'",
            code="train.library",
        ) from error
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    module = importlib.import_module(f"models.{name}.train")
    options = {} if arguments.teachers is None else {"teachers": arguments.teachers}
    recipe = module.recipe(arguments.data, budget=arguments.budget, **options)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("no CUDA GPU for PyTorch here", hint="use --device cpu")
    out = arguments.out or MODELS / name / "weights.safetensors"
    run = name
    if arguments.qat:
        from models.training.qat import fine_tune

        run = f"{name}-qat"
        recipe = fine_tune(recipe, out, budget=arguments.budget, seed=arguments.seed)
    train(
        recipe,
        run=arguments.run or Path("runs") / run,
        out=out,
        device=arguments.device,
        seed=arguments.seed,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run ``edge-train``; return the exit code."""
    return run_command("edge-train", lambda rest: _train(_parser().parse_args(rest)), argv)


if __name__ == "__main__":
    sys.exit(main())
