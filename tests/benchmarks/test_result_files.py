"""Result files are read back as hostile input."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cli import main
from benchmarks.figures import better_when_smaller
from benchmarks.records import (
    AccuracyRecord,
    Facts,
    Figure,
    LatencyRecord,
    ResultCheck,
    parse_record,
    read_record,
    write_record,
)
from edge.errors import DataError, MissingInput
from tests.benchmarks.results import accuracy_table, as_latency, latency_table, write
from tests.makers import write_bundle

SOURCE = "synthetic://?faces=1&frames=2"


def test_what_latency_writes_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, out = write_bundle(tmp_path / "bundle"), tmp_path / "run.json"
    arguments = ["--source", SOURCE, "--bundle", str(bundle), "--seconds", "0.1", "--count", "70"]
    assert main(["latency", *arguments, "--json", "--out", str(out)]) == 0
    printed = json.loads(capsys.readouterr().out)
    record = read_record(out)
    assert isinstance(record, LatencyRecord)
    assert (record.scenario, record.subject, record.frames) == ("single-stream", "pipeline", 2)
    assert list(record.raw_ns) == printed["raw_ns"]
    assert record.latency_ms["p90"] == printed["latency_ms"]["p90"]
    assert set(record.stages) == set(printed["stages"])


def test_a_latency_result_comes_through_a_file(tmp_path: Path) -> None:
    record = as_latency(latency_table())
    write_record(tmp_path / "again.json", "latency", record.to_json())
    again = read_record(tmp_path / "again.json")
    assert again == record
    assert record.joules_per_frame == 0.05
    assert record.fingerprint.leaves["versions.numpy"] == "2.4.6"
    assert record.timeline[3].celsius == pytest.approx(44.03)
    assert record.stages["detect"].total_ms == pytest.approx(4.9)


def test_an_accuracy_result_has_every_figure_with_an_interval(tmp_path: Path) -> None:
    record = read_record(write(tmp_path / "accuracy.json", accuracy_table()))
    assert isinstance(record, AccuracyRecord)
    assert record.figures == {
        "accuracy": Figure(0.95, (0.91, 0.97), 200),
        "tar_at_far.0.01": Figure(0.9, (0.88, 0.92), 0),
        "nme": Figure(0.04, (0.035, 0.045), 0),
    }
    assert better_when_smaller("nme")
    assert not better_when_smaller("accuracy")


def _without(key: str) -> dict[str, Any]:
    table = latency_table()
    del table[key]
    return table


DAMAGED: dict[str, tuple[Any, str]] = {
    "a list": ([], "table"),
    "another schema": (latency_table(schema="unveil-edge.bench/1"), "bench/1"),
    "another kind": (latency_table(kind="wishes"), "kind"),
    "no verdict": (_without("valid"), "valid"),
    "no latencies": (_without("latency_ms"), "latency_ms"),
    "a percentile is missing": (latency_table(latency_ms={"p50": 1}), "p90"),
    "a time below zero": (latency_table(latency_ms={"p50": -1}), "p50"),
    "a true for a number": (latency_table(count=True), "count"),
    "another scenario": (latency_table(scenario="\x1b[31mred"), "scenario"),
    "an interval upside down": (latency_table(fps_ci95=[2, 1]), "fps_ci95"),
    "an interval of three": (latency_table(fps_ci95=[1, 2, 3]), "fps_ci95"),
    "raw latencies of zero": ({**latency_table(), "raw_ns": [5, 0]}, "raw_ns"),
    "raw latencies in words": ({**latency_table(), "raw_ns": ["5"]}, "raw_ns"),
    "raw latencies with a fraction": ({**latency_table(), "raw_ns": [5.5]}, "raw_ns"),
    "a timeline of pairs": (latency_table(timeline=[[1, 2]]), "timeline"),
    "a reason of a megabyte": (latency_table(valid=False, invalid=["x" * 10**6]), "invalid"),
    "stages as a list": (latency_table(stages=[1]), "stages"),
    "a stage without its parts": (latency_table(stages={"mask": {"pre_ms": 1}}), "infer_ms"),
    "a fingerprint of a thousand facts": (
        latency_table(fingerprint={str(i): i for i in range(2000)}),
        "fingerprint",
    ),
    "a fingerprint without a floor": (
        latency_table(fingerprint={"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}),
        "fingerprint",
    ),
    "an accuracy above all": (accuracy_table(accuracy=1e300), "accuracy"),
    "an accuracy in words": (accuracy_table(accuracy="good"), "accuracy"),
    "intervals of a table as a list": (accuracy_table(tar_at_far_ci95=[1, 2]), "tar_at_far"),
}


@pytest.mark.parametrize(("table", "named"), DAMAGED.values(), ids=DAMAGED)
def test_what_cannot_be_is_refused_in_one_line(table: Any, named: str, tmp_path: Path) -> None:
    path = write(tmp_path / "damaged.json", table)
    with pytest.raises(DataError) as caught:
        read_record(path)
    assert caught.value.code == "bench.result"
    assert named in str(caught.value)
    assert "damaged.json" in str(caught.value)
    assert "\n" not in str(caught.value)


BYTES = {
    "nothing": b"",
    "no text": b"\xff\xfe\x00",
    "cut off": json.dumps(latency_table()).encode()[:700],
    "nested without an end": b"[" * 5000,
    "more lists than any result": b"[" + b"[]," * 100_000 + b"[]]",
    "no number": b'{"schema": "unveil-edge.bench/2", "kind": "latency", "fps": NaN}',
    "a number of many digits": b'{"schema": ' + b"9" * 10_000 + b"}",
    "a bundle": b"PK\x03\x04",
}


@pytest.mark.parametrize("content", BYTES.values(), ids=BYTES)
def test_what_is_no_json_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "damaged.json"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_record(path)
    assert caught.value.code == "bench.result"


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(40 * 1024 * 1024)
    with pytest.raises(DataError, match="larger than"):
        read_record(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"nowhere\.json"):
        read_record(tmp_path / "nowhere.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
_KEYS = {"latency": list(latency_table()), "accuracy": list(accuracy_table())}


@given(data=st.data(), value=JSON)
def test_any_value_in_any_place_is_read_or_refused(data: st.DataObject, value: Any) -> None:
    kind = data.draw(st.sampled_from(sorted(_KEYS)))
    table = copy.deepcopy(latency_table([10**7] * 3) if kind == "latency" else accuracy_table())
    key = data.draw(st.sampled_from(_KEYS[kind]))
    if isinstance(table[key], dict) and data.draw(st.booleans()):
        table[key][data.draw(st.sampled_from(sorted(table[key])))] = value
    else:
        table[key] = value
    try:
        parse_record(table, where="test")
    except DataError as error:
        assert error.code == "bench.result"


def test_facts_tell_what_differs() -> None:
    check = ResultCheck("test")
    a = Facts.from_json(check, {"board": "Pi 4", "versions": {"numpy": "1"}, "cores": 4}, "a")
    b = Facts.from_json(check, {"board": "Pi 5", "versions": {"numpy": "1"}}, "b")
    assert a.differing(b) == {"board": ("Pi 4", "Pi 5"), "cores": (4, None)}
