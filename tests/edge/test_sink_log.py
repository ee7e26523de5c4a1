"""The log that grows for months: rotation, syncs, torn lines, a full disk, two writers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import OutputError, UsageError
from edge.events import Event
from edge.sinks import Sink, open_sink
from tests.edge.results_made import make_pair
from tests.full_disk import largest_file

ROOT = Path(__file__).resolve().parents[2]


def open_log(path: Path, query: str = "", heard: list[Event] | None = None) -> Sink:
    listener = None if heard is None else heard.append
    return open_sink(f"jsonl:{path}{query}", live=True, listener=listener)


def fill(sink: Sink, numbers: range) -> None:
    for number in numbers:
        sink.write(*make_pair(number))


def numbers_in(path: Path) -> list[int]:
    return [json.loads(line)["frame"] for line in path.read_text().splitlines()]


def test_a_file_that_is_full_is_numbered_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with open_log(path, "?rotate_mib=0.002&keep=3&fsync=second") as log:
        fill(log, range(60))
    assert sorted(os.listdir(tmp_path)) == ["a.jsonl", *(f"a.jsonl.{i}" for i in (1, 2, 3))]
    files = [tmp_path / f"a.jsonl.{i}" for i in (3, 2, 1)] + [path]
    assert all(file.stat().st_size <= 2097 for file in files)
    kept = [number for file in files for number in numbers_in(file)]
    assert kept == list(range(kept[0], 60)) and 0 < kept[0] < 50


def test_a_smaller_number_to_keep_takes_the_others_along(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with open_log(path, "?rotate_mib=0.001&keep=5") as log:
        fill(log, range(40))
    assert (tmp_path / "a.jsonl.5").exists()
    with open_log(path, "?rotate_mib=0.001&keep=2") as log:
        fill(log, range(40, 50))
    assert sorted(os.listdir(tmp_path)) == ["a.jsonl", "a.jsonl.1", "a.jsonl.2"]


def test_a_line_longer_than_the_bound_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with open_log(path, "?rotate_mib=0.00001") as log:
        fill(log, range(2))
    assert numbers_in(path) == [1]
    assert numbers_in(tmp_path / "a.jsonl.1") == [0]


def test_a_link_is_rotated_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "a.jsonl"
    link.symlink_to(tmp_path / "real" / "b.jsonl")
    with open_log(link, "?rotate_mib=0.001&keep=1") as log:
        fill(log, range(20))
    assert link.is_symlink()
    assert sorted(os.listdir(tmp_path / "real")) == ["b.jsonl", "b.jsonl.1"]


@pytest.mark.parametrize("policy", ["no", "line", "second"])
def test_lines_are_there_at_once_whatever_the_policy(policy: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with open_log(path, f"?fsync={policy}") as log:
        fill(log, range(3))
        assert numbers_in(path) == [0, 1, 2]


@pytest.mark.parametrize(
    ("tail", "kept", "said"),
    [
        ("", 2, ""),
        ('{"schema": "unveil-edge.fr', 2, "26 bytes of it were cut"),
        ("{", 2, "1 bytes of it were cut"),
        ('{"schema": "unveil-edge.frame/1", "frame": 2}', 3, "lacked its end, which was added"),
        ("\0" * 4096, 2, "4096 bytes of it were cut"),
    ],
)
def test_a_torn_line_is_mended_before_the_next(
    tail: str, kept: int, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    with open_log(path) as log:
        fill(log, range(2))
    with open(path, "a") as stream:
        stream.write(tail)
    heard: list[Event] = []
    with open_log(path, heard=heard) as log:
        fill(log, range(7, 8))
    assert numbers_in(path) == [*range(kept), 7]
    assert [said in event.text for event in heard] == ([True] if said else [])


@pytest.mark.parametrize("content", ["a note of mine", '{"schema": "other"}\nlast words'])
def test_a_file_of_somebody_else_is_not_cut(content: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(OutputError, match="no line of results"):
        open_log(path)
    assert path.read_text() == content


def test_an_endless_last_line_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\0" * (3 << 20))
    with pytest.raises(OutputError, match="no line of results"):
        open_log(path)


@settings(max_examples=40)
@given(cut=st.integers(0, 400))
def test_a_log_cut_anywhere_opens_and_has_whole_lines(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("log") / "a.jsonl"
    with open_log(path) as log:
        fill(log, range(2))
    os.truncate(path, max(0, path.stat().st_size - cut))
    with open_log(path) as log:
        fill(log, range(9, 10))
    assert numbers_in(path) in ([0, 1, 9], [0, 9], [9])


def test_a_line_that_finds_no_room_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with open_log(path) as log:
        fill(log, range(3))
        whole = path.read_bytes()
        with largest_file(len(whole) + 30), pytest.raises(OutputError) as caught:
            fill(log, range(3, 4))
        assert caught.value.exit_code == 73
        assert path.read_bytes() == whole
        fill(log, range(4, 5))
    assert numbers_in(path) == [0, 1, 2, 4]


def test_two_processes_do_not_write_one_log(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    program = (
        "import sys; from edge.sinks import open_sink\n"
        "with open_sink('jsonl:' + sys.argv[1], live=True):\n"
        "    print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "open\n"
        with pytest.raises(OutputError, match="being written already"):
            open_log(path)
        other.communicate("")
    open_log(path).close()


@pytest.mark.parametrize("query", ["?rotate_mib=1", "?fsync=line"])
def test_a_stream_is_neither_rotated_nor_synced(query: str) -> None:
    for place in ("-", "/dev/null"):
        with pytest.raises(UsageError, match="only a plain file"):
            open_sink(f"jsonl:{place}{query}", live=True)


def test_closing_twice_is_closing(tmp_path: Path) -> None:
    log = open_log(tmp_path / "a.jsonl", "?fsync=line")
    log.close()
    log.close()
    log.discard()


def test_a_full_device_is_told_once_closed_too() -> None:
    with open_log(Path("/dev/full")) as log, pytest.raises(OutputError, match="no space left"):
        fill(log, range(1))
