"""The parts of the capture process: its ring, its messages, its pauses."""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.capture.messages import (
    Captured,
    Free,
    Lost,
    Message,
    Opened,
    Opening,
    Task,
    Waiting,
    decode,
    decode_free,
    decode_task,
    encode,
)
from edge.capture.pauses import Pauses
from edge.capture.presence import Presence
from edge.capture.ring import SLOTS, Layout, Ring
from edge.capture.worker import Worker
from edge.errors import TransientError, UnavailableError, UsageError
from edge.frames import Frame
from edge.sources import Source
from tests.edge.stand_ins.scene import scene

SIDES = st.integers(1, 40)
NUMBERS = st.integers(0, 2**32 - 1)


def frame(width: int, height: int, small: tuple[int, int] | None = None) -> Frame:
    return Frame(
        image=scene(width, height),
        index=0,
        captured_ns=1,
        source="x",
        small=None if small is None else scene(*small),
    )


@given(width=SIDES, height=SIDES, small=st.none() | st.tuples(SIDES, SIDES))
def test_what_is_written_is_read_in_every_slot(
    width: int, height: int, small: tuple[int, int] | None
) -> None:
    one = frame(width, height, small)
    layout = Layout.of(one)
    with Ring.make(layout) as ring:
        reader = Ring.attach(os.dup(ring.handle), layout)
        for slot in range(SLOTS):
            ring.write(slot, one)
        with reader:
            for slot in range(SLOTS):
                image, little = reader.read(slot)
                np.testing.assert_array_equal(image, one.image)
                assert (little is None) == (small is None)
                if little is not None and one.small is not None:
                    np.testing.assert_array_equal(little, one.small)


def test_what_was_read_stays_when_the_slot_is_filled_again() -> None:
    one = frame(8, 8)
    with Ring.make(Layout.of(one)) as ring:
        ring.write(0, one)
        image, _ = ring.read(0)
        ring.write(0, Frame(image=255 - one.image, index=1, captured_ns=1, source="x"))
    np.testing.assert_array_equal(image, one.image)


@pytest.mark.parametrize("fault", ["unsealed", "short", "pipe", "closed"])
def test_a_ring_that_is_not_what_it_says_is_refused(fault: str) -> None:
    layout = Layout(64, 48)
    handle = os.memfd_create("x", os.MFD_ALLOW_SEALING)
    handles = [handle]
    try:
        os.ftruncate(handle, layout.ring_bytes - (4096 if fault == "short" else 0))
        if fault == "short":
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(handle, fcntl.F_ADD_SEALS, seals)
        if fault == "pipe":
            handles += os.pipe()
            handle = handles[1]
        if fault == "closed":
            os.close(handles.pop())
        with pytest.raises(ValueError):
            Ring.attach(handle, layout)
    finally:
        for handle in handles:
            os.close(handle)


def test_the_memory_of_a_ring_goes_with_its_last_user() -> None:
    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count("unveil-edge-frames")

    before = mapped()
    with Ring.make(Layout(640, 480)) as ring:
        reader = Ring.attach(os.dup(ring.handle), ring.layout)
        reader.close()
        assert mapped() == before + 2
        del reader
        assert mapped() == before + 1
    del ring
    assert mapped() == before


@pytest.mark.parametrize("sides", [(0, 1), (1, 0), (16385, 1), (9000, 9000), (8, 8, 4, 0)])
def test_a_size_that_no_frame_has(sides: tuple[int, ...]) -> None:
    with pytest.raises(ValueError):
        Layout(*sides)


MESSAGES = st.one_of(
    st.just(Opening()),
    st.just(Waiting()),
    st.builds(
        Captured,
        NUMBERS,
        st.integers(0, SLOTS - 1),
        st.integers(0, 2**64 - 1),
        st.integers(0, 2**63 - 1),
    ),
    st.builds(Opened, NUMBERS, st.builds(Layout, SIDES, SIDES), st.sampled_from([0.0, 12.5, 30.0])),
)


@given(MESSAGES)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.text(max_size=600), st.text(max_size=300), st.booleans())
def test_an_error_arrives_as_one_line(what: str, hint: str, final: bool) -> None:
    sent = UsageError(what, hint=hint, code="a.b")
    got = decode(encode(Lost(sent, final)))
    assert isinstance(got, Lost) and isinstance(got.error, UsageError)
    assert (got.final, got.error.code) == (final, "a.b")
    assert str(got.error).isprintable()
    if what.isascii() and what.isprintable() and len(what) <= 512:
        assert got.error.what == sent.what


@given(st.binary(max_size=900))
def test_no_bytes_break_the_reader_of_messages(content: bytes) -> None:
    for read in (decode, decode_free, decode_task):
        try:
            read(content)
        except ValueError:
            pass


@given(st.integers(0, 255), st.binary(max_size=900))
def test_no_bytes_of_a_known_kind_break_it_either(kind: int, content: bytes) -> None:
    try:
        decode(bytes([kind % 8]) + content)
    except ValueError:
        pass


def test_pauses_double_up_to_the_longest_and_begin_anew_after_a_good_run() -> None:
    pauses = Pauses(0.2, 1.0)
    assert [pauses.next() for _ in range(5)] == [0.2, 0.4, 0.8, 1.0, 1.0]
    assert pauses.next(ran_s=0.9) == 1.0
    assert pauses.next(ran_s=1.1) == 0.2
    pauses.next()
    pauses.reset()
    assert pauses.next() == 0.2
    assert Pauses(5.0, 1.0).next() == 1.0


def test_a_device_file_that_came_changed_or_went(tmp_path: Path) -> None:
    path = tmp_path / "video0"
    presence = Presence(str(path))
    assert not presence.came()
    path.touch()
    assert presence.came() and not presence.came()
    path.unlink()
    assert not presence.came()
    path.touch()
    assert presence.came()
    path.chmod(0o600)  # udev comes a moment after the kernel
    assert presence.came() and not presence.came()
    assert not Presence(None).came()


def hear(link: socket.socket) -> Message:
    content, handles, _, _ = socket.recv_fds(link, 16384, 1)
    for handle in handles:
        os.close(handle)
    return decode(content)


def test_a_device_file_that_appears_ends_the_pause_at_once(tmp_path: Path) -> None:
    """A plain file is no camera; the second reason shows that it was looked at."""
    device = tmp_path / "video0"
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(10)
    worker = Worker(theirs, Task(f"v4l2://{device}", os.getpid(), 60.0, 60.0))
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        assert hear(ours) == Opening()
        first = hear(ours)
        assert isinstance(first, Lost) and first.error.code == "v4l2.missing" and not first.final
        assert hear(ours) == Waiting()
        device.touch()
        began = time.monotonic()
        while isinstance(message := hear(ours), Waiting):
            pass
        assert message == Opening() and time.monotonic() - began < 1
        second = hear(ours)
        assert isinstance(second, Lost) and second.error.code == "v4l2.busy"
        assert isinstance(second.error, TransientError)
    finally:
        ours.close()
        thread.join(10)
        theirs.close()
    assert not thread.is_alive()


def test_a_device_file_that_appears_during_a_failing_attempt_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "video0"
    opened: list[str] = []

    def open_late(uri: str) -> Source:
        opened.append(uri)
        if len(opened) == 1:
            device.touch()  # just after the attempt had looked
        raise UnavailableError("not there", code="v4l2.missing")

    monkeypatch.setattr("edge.capture.worker.open_source", open_late)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(10)
    worker = Worker(theirs, Task(f"v4l2://{device}", os.getpid(), 60.0, 60.0))
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        for expected in (Opening, Lost, Waiting, Opening, Lost):
            assert isinstance(hear(ours), expected)
        assert len(opened) == 2
    finally:
        ours.close()
        thread.join(10)
        theirs.close()
    assert not thread.is_alive()


def test_a_slow_refusal_is_no_good_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera in the network may take seconds to say no; the pauses grow all the same."""
    ran_s: list[float] = []

    class Noted(Pauses):
        def next(self, ran: float = 0.0) -> float:
            ran_s.append(ran)
            return super().next(ran)

    def open_slowly(uri: str) -> Source:
        time.sleep(0.05)
        raise UnavailableError("no answer", code="rtsp.unreachable")

    monkeypatch.setattr("edge.capture.worker.open_source", open_slowly)
    monkeypatch.setattr("edge.capture.worker.Pauses", Noted)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(10)
    worker = Worker(theirs, Task("rtsp://camera/a", os.getpid(), 0.01, 0.02))
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        while len(ran_s) < 3:
            hear(ours)
        assert ran_s == [0.0] * len(ran_s)
    finally:
        ours.close()
        thread.join(10)
        theirs.close()
    assert not thread.is_alive()


def test_a_worker_gives_frames_only_while_it_has_slots() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(10)
    worker = Worker(theirs, Task("synthetic://?faces=0&width=16&height=16", 0, 1.0, 1.0))
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        assert hear(ours) == Opening()
        opened = hear(ours)
        assert isinstance(opened, Opened) and opened.layout == Layout(16, 16)
        given = [hear(ours) for _ in range(SLOTS)]
        assert [m.index for m in given if isinstance(m, Captured)] == list(range(SLOTS))
        assert sorted(m.slot for m in given if isinstance(m, Captured)) == list(range(SLOTS))
        ours.settimeout(0.05)
        with pytest.raises(TimeoutError):
            hear(ours)
        ours.settimeout(10)
        for generation in (opened.generation + 1, opened.generation):  # the first means nothing
            ours.send(encode(Free(generation, 2)))
        after = hear(ours)
        assert isinstance(after, Captured) and after.slot == 2 and after.index > SLOTS
    finally:
        ours.close()
        thread.join(10)
        theirs.close()
    assert not thread.is_alive()
