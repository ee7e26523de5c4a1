"""Results as one page, and as Markdown; whatever a file says stays a text."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.cli import main
from benchmarks.page import (
    Axis,
    Field,
    clean,
    interval_text,
    markdown_table,
    moment_text,
    number_text,
)
from benchmarks.records import Record, parse_record
from benchmarks.report import Named, markdown, page
from benchmarks.report.distribution import ecdf_plot, histogram_plot
from benchmarks.report.named import latencies, name_all
from benchmarks.report.timeline import timeline_plot
from benchmarks.report.tradeoff import find_points
from edge.bundle import Bundle
from tests.benchmarks.results import MACHINE, accuracy_table, latency_table, noisy, write
from tests.makers import write_bundle

EVIL = "</title><script>alert(1)</script>'\"&\x1b[31m\u202e"


def run(*arguments: str) -> int:
    """Run ``edge-bench report``."""
    return main(["report", *arguments])


def named(**tables: dict[str, Any]) -> list[Named[Record]]:
    """Return results by name, through the reader."""
    return [
        Named(name, parse_record(json.loads(json.dumps(table)), where=name))
        for name, table in tables.items()
    ]


class _Page(HTMLParser):
    """Checks that every element is closed, and keeps names, links and words."""

    _EMPTY = frozenset(["meta", "wbr", "br"])

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [str(v) for k, v in attrs if k in ("href", "src", "srcset", "xlink:href")]
        assert not any(k.startswith("on") for k, _ in attrs)
        if tag not in self._EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _svgs(text: str) -> list[ET.Element]:
    return [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.S)]


def test_the_page_has_everything_and_needs_nothing() -> None:
    results = named(today=latency_table(), mask=accuracy_table())
    text = page(results, title="Pi 5")
    parsed = _Page(text)
    assert parsed.links == []
    assert not parsed.tags & {"script", "link", "img", "iframe", "object"}
    assert "default-src 'none'" in text
    assert "prefers-color-scheme:dark" in text
    said = " ".join(parsed.words)
    for wanted in ("p50", "p90", "p99", "pre-processing", "temperature", "Cortex-A76", "joules",
                   "accuracy", "tar_at_far.0.01", "2026-11-21 17:30 UTC"):  # fmt: skip
        assert wanted in said
    assert len(_svgs(text)) == 5
    assert "INVALID" not in said


def test_an_invalid_run_is_marked_wherever_it_stands() -> None:
    bad = latency_table(valid=False, invalid=["throttled: under-voltage"])
    results = named(good=latency_table(), bad=bad)
    text = page(results)
    assert "1 of 2 INVALID" in text
    assert "throttled: under-voltage" in text
    assert "not to be compared" in text
    drawn = ["".join(svg.itertext()) for svg in _svgs(text)]
    assert any("bad (INVALID)" in words for words in drawn)
    tables = markdown(results)
    assert re.search(r"^\| bad \|.*\| INVALID \|", tables, re.M)
    assert "**bad is invalid**: throttled: under-voltage." in tables


def test_whatever_a_file_says_stays_a_text() -> None:
    evil = latency_table(
        subject=EVIL,
        date=EVIL,
        valid=False,
        invalid=[EVIL],
        settings={"source": EVIL, "engine": EVIL},
        stages={EVIL[:60]: {"pre_ms": 1, "infer_ms": 2, "post_ms": 3, "runs": 1}},
        fingerprint={EVIL: EVIL},
        before={EVIL: 1},
    )
    judged = accuracy_table(task=EVIL, data=EVIL, **{EVIL: 0.5, f"{EVIL}_ci95": [0.4, 0.6]})
    results = [Named(EVIL, r.record) for r in named(a=evil, b=evil, c=judged)]
    text = page(results, title=EVIL)
    assert not _Page(text).tags & {"script", "b", "i"} - {"i"}
    assert "\x1b" not in text and "\u202e" not in text
    assert len(_svgs(text)) > 4
    tables = markdown(results)
    assert "<script" not in tables.replace("\\<script", "")
    assert "\x1b" not in tables
    columns = {
        line.replace("\\|", "").count("|") for line in tables.splitlines() if line[:1] == "|"
    }
    assert columns <= {11, 8, 7}


def test_a_result_with_nothing_but_figures_has_a_page() -> None:
    bare = latency_table(raw_ns=[], timeline=[], stages={}, fingerprint=None, energy=None)
    bare |= {"before": None, "after": None, "latency_ms_ci95": None, "fps_ci95": None}
    bare |= {"raw_ns": []}
    text = page(named(bare=bare, again=bare))
    _Page(text)
    assert _svgs(text) == []


def test_one_latency_is_enough_for_a_plot() -> None:
    (result,) = latencies(named(one=latency_table([10**7], timeline=[[0.0, 10.0, None]])))
    for svg in (histogram_plot(result.record), ecdf_plot([result]), timeline_plot(result.record)):
        assert "nan" not in svg and "inf" not in svg
        ET.fromstring(svg)


def test_a_histogram_counts_every_latency() -> None:
    raw = [*noisy(10.0, 500), 90_000_000]
    (result,) = latencies(named(run=latency_table(raw)))
    svg = histogram_plot(result.record)
    counts = re.findall(r"ms: (\d+)</title>", svg)
    assert sum(map(int, counts)) == 501
    assert "logarithmic" in svg, "the one that took nine times as long presses nothing together"


def test_stages_are_drawn_to_scale() -> None:
    text = page(named(run=latency_table()))
    widths = {
        title: float(width)
        for width, title in re.findall(r'width="([\d.]+)"[^>]*><title>(\w+, [\w-]+): ', text)
    }
    assert widths["detect, inference"] == pytest.approx(4 * widths["mask, inference"], rel=0.01)
    assert widths["detect, pre-processing"] == pytest.approx(
        widths["mask, inference"] / 2, rel=0.01
    )


def test_accuracy_is_set_against_the_time_of_the_same_networks() -> None:
    float_machine = {**MACHINE, "bundle": "cd" * 32}
    results = named(
        int8=latency_table(subject="engine:mask"),
        fp32=latency_table(noisy(30.0), subject="engine:mask", fingerprint=float_machine),
        a=accuracy_table(accuracy=0.94),
        b=accuracy_table(accuracy=0.95, fingerprint=float_machine),
        c=accuracy_table(accuracy=0.5, fingerprint={**MACHINE, "bundle": "ef" * 32}),
    )
    (title,) = plots = find_points(results, [])
    assert title == "accuracy of mask on mask3/test against time"
    assert [(p.name, p.value) for p in plots[title]] == [("int8", 0.94), ("fp32", 0.95)]
    assert plots[title][1].ms == pytest.approx(30, rel=0.1)
    assert "Accuracy against time" in page(results)


def test_evidence_is_set_against_the_time_of_its_own_bundle(tmp_path: Path) -> None:
    bundle = Bundle.open(write_bundle(tmp_path / "bundle"))
    mine = {**MACHINE, "bundle": bundle.digest, "engine": "null"}
    results = named(
        one=latency_table(fingerprint=mine),
        two=latency_table(fingerprint={**mine, "threads": 2}),
        other=latency_table(),
    )
    plots = find_points(results, [bundle])
    names = {title: [p.name for p in points] for title, points in plots.items()}
    assert any("of mask on" in title for title in names)
    assert all(found == ["one: int8 null", "two: int8 null"] for found in names.values())
    assert not any("emotion" in title for title in names), "its stage was not timed"


def test_the_command_writes_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [
        str(write(tmp_path / "latency.json", latency_table())),
        str(write(tmp_path / "accuracy.json", accuracy_table())),
    ]
    out, tables = tmp_path / "r.html", tmp_path / "r.md"
    assert run(*files, "--out", str(out), "--markdown", str(tables)) == 0
    assert capsys.readouterr().out.split() == [str(out), str(tables)]
    _Page(out.read_text(encoding="utf-8"))
    text = tables.read_text(encoding="utf-8")
    assert "| latency | pipeline, single-stream | yes | 1 |" in text
    assert "| mask | mask3/test | accuracy | 0.9500 | 0.9100 to 0.9700 | 200 |" in text
    assert "board Raspberry Pi 5 Model B Rev 1.0" in text


def test_nothing_is_written_if_one_result_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write(tmp_path / "good.json", latency_table())
    bad = write(tmp_path / "bad.json", {"schema": "other"})
    out = tmp_path / "r.html"
    assert run(str(good), str(bad), "--out", str(out)) == 65
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "bad.json" in captured.err and "[bench.result]" in captured.err
    assert not out.exists()


def test_a_report_for_nobody_is_refused(tmp_path: Path) -> None:
    assert run(str(write(tmp_path / "a.json", latency_table()))) == 64


def test_a_folder_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = write(tmp_path / "a.json", latency_table())
    assert run(str(result), "--out", str(tmp_path / "nowhere" / "r.html")) == 73
    assert "nowhere" in capsys.readouterr().err


def test_two_files_of_one_name_are_told_apart() -> None:
    paths = [Path("old/run.json"), Path("new/run.json"), Path("other.json")]
    records = [
        result.record for result in named(a=latency_table(), b=latency_table(), c=accuracy_table())
    ]
    assert [r.name for r in name_all(paths, records)] == ["old/run.json", "new/run.json", "other"]


# What plots stand on.

finite = st.floats(-1e15, 1e15)


@example(values=[5e-324], log=True, zero=False)
@given(values=st.lists(finite, min_size=1, max_size=9), log=st.booleans(), zero=st.booleans())
def test_an_axis_has_room_for_every_value(values: list[float], log: bool, zero: bool) -> None:
    axis = Axis.around(values, log=log, zero=zero)
    assert axis.low < axis.high
    shares = [axis.share(value) for value in sorted(values)]
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)
    ticks = axis.ticks()
    assert len(ticks) <= 30
    slack = 1e-9 * max(abs(axis.low), abs(axis.high))
    assert all(axis.low - slack <= tick <= axis.high + slack for tick in ticks)
    field = Field(axis, axis)
    svg = field.svg("t", [*field.grid(), *(field.line([(v, v)], "#000") for v in values)])
    assert "nan" not in svg.lower()
    ET.fromstring(svg)


@given(st.floats(allow_nan=True, allow_infinity=True) | st.none())
def test_a_number_is_written_to_four_digits(value: float | None) -> None:
    text = number_text(value)
    if value is None or not math.isfinite(value):
        assert text == "–"
    elif 1e-6 < abs(value) < 1e15:
        assert float(text) == pytest.approx(value, rel=6e-4)


@given(st.text())
def test_a_cell_of_markdown_shows_what_it_was_given(text: str) -> None:
    (_, _, line) = markdown_table(["a"], [[text]])
    inner = line[2:-2]
    assert re.sub(r"\\(.)", r"\1", inner) == clean(text)
    assert not re.search(r"(?<!\\)(?:\\\\)*[|<>`\[\]*_]", inner)


def test_words_for_what_is_not_known() -> None:
    assert interval_text(None) == "–"
    assert interval_text((0.12345, 1.0), digits=2) == "0.12 to 1.0"
    assert moment_text("2026-11-21T17:30:48Z") == "2026-11-21 17:30 UTC"
    assert moment_text("yesterday") == "yesterday"
