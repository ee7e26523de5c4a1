"""``make figures``: measure every figure of the README and write its tables.

Each row comes from a command that anybody can run: ``edge-bench accuracy TASK --data PACK`` or
``make peers``; the evidence is read from the bundle. Nothing in the tables is typed by hand.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2

from benchmarks.demo.picture import astronaut
from benchmarks.fingerprint import machine
from benchmarks.footprint import measure_footprint
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
_RECORD = Path("benchmarks/results/figures.json")
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


def _reports(data: Path, pairs: Path | None) -> list[dict[str, Any]]:
    reports = []
    for task, pack in RUNS:
        if not (data / pack).is_dir():
            raise MissingInput(f"{data / pack}: no such pack", hint="name the packs with --data")
        reports.append(_bench(task, data / pack))
    if pairs is not None:
        reports.append(_bench("reconstruct", pairs))
    return reports


def _footprint() -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "astronaut.png"
        cv2.imwrite(str(picture), astronaut())
        return measure_footprint(picture).to_json()


def _markdown(head: Sequence[str], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 2 else f"{value:.2f}"


def _interval(ends: Sequence[float | None] | None) -> str:
    return "-" if ends is None else f"{_number(ends[0])} to {_number(ends[1])}"


def _measures(report: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for key, ends in report.items():
        if not key.endswith("_ci95"):
            continue
        name = key.removesuffix("_ci95")
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
        yield (artefact.task, proof.metric, before, after, f"{proof.n:,}", proof.data, size)


def _tables(record: dict[str, Any]) -> str:
    facts = record["machine"]
    head = f"{record['date']}, {facts['processor']}, bundle `{record['bundle'][:12]}`."
    rows = [row for report in record["reports"] for row in _measures(report)]
    lines = [head, "", "INT8 in LiteRT, `edge-bench accuracy TASK --data PACK`:", ""]
    lines += _markdown(("task", "pack", "figure", "value", "95 %", "n"), rows)
    lines += ["", "What export measured before it let a network into the bundle:", ""]
    columns = ("network", "metric", "float", "INT8", "n", "data", "file")
    lines += _markdown(columns, list(_evidence()))
    cost = record["footprint"]
    lines += [
        "",
        f"`import edge` {cost['import_ms']:.1f} ms; `edge-run` on one picture, start to exit, "
        f"{cost['first_result_ms']:.0f} ms and at most {cost['resident_mib']:.0f} MiB resident "
        "(medians of fresh processes).",
    ]
    return "\n".join(lines)


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
    parser = Parser(prog=_PROGRAM, description="Measure the README's figures; see make figures.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data packs")
    parser.add_argument("--pairs", type=Path, help="clean/ and masked/, for the reconstruction")
    options = parser.parse_args(argv)
    text = _README.read_text(encoding="utf-8")
    record = {
        "schema": "unveil-edge.figures/1",
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "bundle": Bundle.open(default_bundle()).digest,
        "footprint": _footprint(),
        "reports": _reports(options.data, options.pairs),
    }
    tables = _tables(record)
    _RECORD.parent.mkdir(parents=True, exist_ok=True)
    write_whole(_RECORD, (json.dumps(record, indent=1) + "\n").encode())
    write_whole(_README, replace_between(text, _MARKS, tables).encode())
    print(tables)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write the figures; return the exit code."""
    return run_command(_PROGRAM, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
