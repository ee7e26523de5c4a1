"""``make figures``: measure every figure of accuracy, and write the README's table and the page.

Each row comes from a command that anybody can run, ``edge-bench accuracy TASK --data PACK``; the
evidence is read from the bundle. Nothing in the tables is typed by hand.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.fingerprint import machine
from edge.bundle import Bundle, default_bundle
from edge.cli.common import Parser, run_command, say
from edge.errors import DataError, EdgeError, MissingInput
from edge.files import write_whole

__all__ = ["main", "replace_between"]

#: Task and pack, in the order of the table; a pack's test split is taken.
RUNS = (
    ("detect", "detect_eval"),
    ("detect", "detect_masked"),
    ("mask", "mask3"),
    ("mask", "halfface_id"),
    ("identity", "lfw"),
    ("identity", "masked_identity_mfr2"),
    ("emotion", "emotions_fer"),
)
_PROGRAM = "python -m benchmarks.readme"
_README = Path("README.md")
_PAGE = Path("docs/accuracy.md")
_RECORD = Path("benchmarks/results/figures.json")
#: Figures that stand in the README; the page has all of them, group by group.
_HEADLINES = {
    "detect": ("recall", "precision", "noses", "empty_clean"),
    "mask": ("accuracy", "accuracy3", "macro_f1"),
    "identity": ("accuracy", "eer", "tar_at_far"),
    "emotion": ("accuracy", "macro_f1"),
    "reconstruct": ("psnr", "ssim", "psnr_covered", "psnr_masked"),
}
_HEAD = ("task", "pack", "figure", "value", "95 %", "n")
#: An artefact's engine, in the words of those who look for a format.
_FORMATS = {"tflite": "TFLite", "onnxruntime": "ONNX Q/DQ"}
_MARKS = ("<!-- figures -->", "<!-- /figures -->")


def _bench(task: str, folder: Path) -> dict[str, Any]:
    """Run ``edge-bench accuracy`` as a process of its own and return its report."""
    arguments = ["accuracy", task, "--data", str(folder), "--json"]
    say(_PROGRAM, f"edge-bench {' '.join(arguments)}")
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
        check=False,
    )
    if answer.returncode:
        error = EdgeError(f"edge-bench {' '.join(arguments)}: exit code {answer.returncode}")
        error.exit_code = answer.returncode
        raise error
    report: dict[str, Any] = json.loads(answer.stdout)
    return report


def _reports(data: Path, pairs: Sequence[Path]) -> list[dict[str, Any]]:
    reports = []
    for task, pack in RUNS:
        if not (data / pack).is_dir():
            raise MissingInput(f"{data / pack}: no such pack", hint="name the packs with --data")
        reports.append(_bench(task, data / pack))
    return [*reports, *(_bench("reconstruct", folder) for folder in pairs)]


def _markdown(head: Sequence[str], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 2 else f"{value:.2f}"


def _interval(ends: Sequence[float | None] | None) -> str:
    return "-" if ends is None else f"{_number(ends[0])} to {_number(ends[1])}"


def _measures(report: dict[str, Any], *, all_of_them: bool) -> Iterator[tuple[str, ...]]:
    for key, ends in report.items():
        name = key.removesuffix("_ci95")
        if name == key or not (all_of_them or name in _HEADLINES[report["task"]]):
            continue
        value, n = report[name], report[name + "_n"]
        if not isinstance(value, dict):
            value, ends, n = {"": value}, {"": ends}, {"": n}
        for setting in value:
            words = f"{name} {setting}".strip().replace("_", " ")
            row = (report["task"], report["data"], words, _number(value[setting]))
            yield (*row, _interval(ends[setting]), f"{n[setting]:,}")


def _evidence() -> Iterator[tuple[str, ...]]:
    for artefact in Bundle.open(default_bundle()).artefacts:
        proof = artefact.evidence
        before, after = _number(proof.float_value), _number(proof.artefact_value)
        size = f"{artefact.size / 1e6:.2f} MB"
        form = _FORMATS.get(artefact.engine, artefact.engine)
        yield (artefact.task, form, proof.metric, before, after, f"{proof.n:,}", proof.data, size)


def _caption(record: dict[str, Any]) -> str:
    facts = record["machine"]
    return f"{record['date']}, {facts['processor']}, bundle `{record['bundle'][:12]}`."


def _summary(record: dict[str, Any]) -> str:
    """Return the README's lines."""
    rows = [row for report in record["reports"] for row in _measures(report, all_of_them=False)]
    lines = [f"{_caption(record)} INT8 in LiteRT, `edge-bench accuracy TASK --data PACK`; groups,"]
    lines += ["parts and classes apart: [docs/accuracy.md](docs/accuracy.md).", ""]
    lines += _markdown(_HEAD, rows)
    lines += ["", "What export measured before it let a network into the bundle:", ""]
    columns = ("network", "format", "metric", "float", "INT8", "n", "data", "file")
    return "\n".join([*lines, *_markdown(columns, list(_evidence()))])


def _page(record: dict[str, Any]) -> str:
    """Return docs/accuracy.md."""
    lines = [
        "# How often it is right",
        "",
        "Written by `make figures`; do not edit. Every figure through the runtime's own path, on",
        "test splits that no recipe has seen; what each is, and how its interval is taken, says",
        "[bench.md](bench.md). A group with few pictures has a figure too: read `n` and the",
        "interval before the value.",
        "",
        _caption(record),
    ]
    for report in record["reports"]:
        rows = [row[2:] for row in _measures(report, all_of_them=True)]
        lines += ["", f"## {report['task']}, {report['data']}", ""]
        lines += [f"`edge-bench accuracy {report['task']} --data {report['data'].split('/')[0]}`,"]
        lines += [f"{report['n']:,} pictures or pairs.", ""]
        lines += _markdown(_HEAD[2:], rows)
    return "\n".join(lines) + "\n"


def replace_between(text: str, marks: tuple[str, str], tables: str) -> str:
    """Return the README with other tables between two marks.

    Raises:
        DataError: a mark is missing.
    """
    first, last = marks
    before, begin, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise DataError(f"{_README}: has no {first} ... {last}", code="readme.marks")
    return f"{before}{first}\n{tables}\n{last}{after}"


def _run(argv: Sequence[str]) -> int:
    parser = Parser(
        prog=_PROGRAM,
        description="Measure the README's figures; see make figures.",
        epilog="example: make figures DATA=data",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="folder of the data packs; without it the tables are written again from the record",
    )
    parser.add_argument(
        "--pairs",
        metavar="DIR",
        type=Path,
        nargs="+",
        default=[],
        help="clean/ and masked/, for the reconstruction",
    )
    options = parser.parse_args(argv)
    text = _README.read_text(encoding="utf-8")
    if options.data is None:
        record = json.loads(_RECORD.read_text(encoding="utf-8"))
    else:
        record = {
            "schema": "unveil-edge.figures/2",
            "date": datetime.date.today().isoformat(),
            "machine": machine(),
            "bundle": Bundle.open(default_bundle()).digest,
            "reports": _reports(options.data, options.pairs),
        }
        write_whole(_RECORD, (json.dumps(record, indent=1) + "\n").encode())
    summary = _summary(record)
    write_whole(_PAGE, _page(record).encode())
    write_whole(_README, replace_between(text, _MARKS, summary).encode())
    print(summary)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write the figures; return the exit code."""
    return run_command(_PROGRAM, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
