"""The spool: what was appended is there until it is confirmed, whatever happens between."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import OutputError
from edge.sinks.mqtt.spool import Spool
from edge.sinks.mqtt.waiting import MemoryWaiting, Waiting
from tests.full_disk import largest_file

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 1 << 20


def open_spool(folder: Path, limit: int = LIMIT) -> Spool:
    return Spool(str(folder), limit_bytes=limit)


def payloads(waiting: Waiting, number: int = 0) -> list[int]:
    found = []
    while (record := waiting.after(number)) is not None:
        assert record.number > number and record.topic == "faces"
        number = record.number
        found.append(int(record.payload.rstrip(b".")))
    return found


def fill(waiting: Waiting, numbers: range, size: int = 0) -> None:
    for number in numbers:
        waiting.append("faces", str(number).encode().ljust(size, b"."))


def test_records_outlive_the_process_until_they_are_confirmed(tmp_path: Path) -> None:
    with closing(open_spool(tmp_path / "spool")) as spool:
        fill(spool, range(10))
        spool.sync()
        assert payloads(spool) == list(range(10))
        spool.confirm(4)
        assert len(spool) == 6
    with closing(open_spool(tmp_path / "spool")) as spool:
        assert payloads(spool) == [4, 5, 6, 7, 8, 9]
        fill(spool, range(10, 12))
        assert payloads(spool) == list(range(4, 12))
        spool.confirm(12)
        assert (payloads(spool), len(spool), spool.dropped) == ([], 0, 0)


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    with closing(open_spool(folder)) as spool:
        fill(spool, range(1))
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_the_oldest_go_when_there_is_no_room_and_are_counted(tmp_path: Path) -> None:
    with closing(open_spool(tmp_path)) as spool:
        fill(spool, range(3000), size=1000)
        kept = payloads(spool)
        assert kept == list(range(kept[0], 3000))
        assert spool.dropped == kept[0] == 3000 - len(spool)
        size = sum(file.stat().st_size for file in tmp_path.iterdir())
        assert 0.9 * LIMIT < size <= LIMIT + 20
        assert len(os.listdir(tmp_path)) <= 18


def test_what_is_confirmed_leaves_the_disk(tmp_path: Path) -> None:
    with closing(open_spool(tmp_path)) as spool:
        for number in range(1, 2001):
            fill(spool, range(1), size=1000)
            spool.confirm(number)
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= LIMIT // 16 + 20
        assert spool.dropped == 0


def test_little_stays_of_what_the_broker_has_and_nothing_after_the_end(tmp_path: Path) -> None:
    """Records tell of people."""
    with closing(open_spool(tmp_path)) as spool:
        for number in range(1, 101):
            fill(spool, range(1), size=1000)
            spool.confirm(number)
            left = sum(file.stat().st_size for file in tmp_path.glob("records-*"))
            assert left <= (16 << 10) + 1100
        fill(spool, range(7, 8))
        assert payloads(spool, 100) == [7]  # the numbers go on
        spool.confirm(101)
    assert list(tmp_path.glob("records-*")) == []
    with closing(open_spool(tmp_path)) as spool:
        fill(spool, range(8, 9))
        assert payloads(spool) == [8]


def test_two_processes_do_not_hold_one_spool(tmp_path: Path) -> None:
    with closing(open_spool(tmp_path)), pytest.raises(OutputError, match="another process holds"):
        open_spool(tmp_path)


def test_a_process_killed_at_any_moment_loses_nothing_that_it_was_given(tmp_path: Path) -> None:
    program = (
        "import sys; from edge.sinks.mqtt.spool import Spool\n"
        "spool = Spool(sys.argv[1], limit_bytes=1 << 20)\n"
        "for n in range(10**9):\n"
        "    spool.append('faces', b'%d' % n); print(n, flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= 500:
                break
        child.kill()
        rest = child.stdout.read().split()
    last = max([500, *(int(word) for word in rest[:-1])])  # the last line may be torn itself
    with closing(open_spool(tmp_path)) as spool:
        found = payloads(spool)
        assert found == list(range(len(found))) and len(found) > last


@settings(max_examples=60)
@given(cut=st.integers(0, 200), confirmed=st.integers(0, 10))
def test_a_torn_end_costs_the_torn_record_alone(
    cut: int, confirmed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    with closing(open_spool(folder)) as spool:
        fill(spool, range(10), size=10)
        spool.confirm(confirmed)
        (segment,) = folder.glob("records-*")
        content = segment.read_bytes()
    size = len(content)
    segment.write_bytes(content[: max(0, size - cut)])  # as a crash leaves it, before the close
    with closing(open_spool(folder)) as spool:
        whole = max(0, size - cut) // (size // 10)
        assert spool.cut == max(0, size - cut) % (size // 10)
        assert payloads(spool) == list(range(confirmed, whole))
        fill(spool, range(20, 23))  # even where the note is ahead of what the disk kept
        assert payloads(spool) == [*range(confirmed, whole), 20, 21, 22]


@settings(max_examples=100)
@given(content=st.binary(max_size=300), note=st.binary(max_size=20))
def test_any_bytes_are_opened_and_records_follow(
    content: bytes, note: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    (folder / "records-000000000007.spool").write_bytes(content)
    (folder / "confirmed").write_bytes(note)
    with closing(open_spool(folder)) as spool:
        fill(spool, range(3))
        assert payloads(spool) == [0, 1, 2]


@settings(max_examples=50)
@given(place=st.integers(0, 1999), mask=st.integers(1, 255))
def test_a_flipped_bit_costs_what_stands_behind_it_in_its_segment(
    place: int, mask: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    with closing(open_spool(folder)) as spool:
        fill(spool, range(200), size=1000)
        first = sorted(folder.glob("records-*"))[0]
        with open(first, "r+b") as stream:
            stream.seek(place)
            byte = stream.read(1)[0]
            stream.seek(place)
            stream.write(bytes([byte ^ mask]))
        found = payloads(spool)
        assert found == sorted(found) and found[-1] == 199
        assert len(found) + spool.dropped == 200
        fill(spool, range(200, 201))
        assert payloads(spool)[-1] == 200


def test_a_damaged_last_segment_does_not_stop_the_numbers(tmp_path: Path) -> None:
    with closing(open_spool(tmp_path)) as spool:
        fill(spool, range(5))
        (segment,) = tmp_path.glob("records-*")
        segment.write_bytes(b"")
        assert (payloads(spool), spool.dropped) == ([], 5)
        fill(spool, range(5, 7))
        assert payloads(spool, 5) == [5, 6]  # to whoever was given the first five already


def test_a_record_that_finds_no_room_is_taken_back(tmp_path: Path) -> None:
    with closing(open_spool(tmp_path)) as spool:
        fill(spool, range(3), size=100)
        (segment,) = tmp_path.glob("records-*")
        size = segment.stat().st_size
        with largest_file(size + 30), pytest.raises(OSError):
            fill(spool, range(3, 4), size=100)
        assert segment.stat().st_size == size
        fill(spool, range(4, 5), size=100)
        assert payloads(spool) == [0, 1, 2, 4]


def test_a_record_has_a_largest_size(tmp_path: Path) -> None:
    with closing(open_spool(tmp_path)) as spool, pytest.raises(ValueError, match="at most"):
        spool.append("faces", bytes(1 << 20))


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.write_text("keep")
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "records-000000000001.spool").symlink_to(target)
    with pytest.raises(OSError):
        open_spool(tmp_path / "spool")
    assert target.read_text() == "keep"


def test_memory_keeps_the_newest_in_order() -> None:
    waiting = MemoryWaiting(limit=5)
    fill(waiting, range(8))
    assert (payloads(waiting), waiting.dropped, len(waiting)) == ([3, 4, 5, 6, 7], 3, 5)
    waiting.confirm(6)
    assert payloads(waiting) == [6, 7]
    assert payloads(waiting, 7) == [7]
    waiting.confirm(99)
    assert payloads(waiting) == []
