"""Engines that a device built for itself: what holds is given back, all else is passed over."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.engines.cache import EngineCache, Target
from edge.errors import ConfigError, OutputError
from tests.boards import put

ONNX = "ab" * 32
ORIN = Target("Orin", "8.7", "10.3.0", "12.6", l4t="R36.4.3")
PLAN = bytes(range(256)) * 8


def _cache(folder: Path, *, root: Path | None = None) -> EngineCache:
    board = root or folder / "board"
    put(board, {"proc/device-tree/serial-number": "1420921055981\0"})
    return EngineCache(folder / "engines", key=folder / "state" / "engine.key", root=board)


def test_what_was_put_is_found_again(tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    assert cache.find(ONNX, ORIN) is None and cache.refused == ""
    path = cache.put(ONNX, ORIN, PLAN)
    assert _cache(tmp_path).find(ONNX, ORIN) == PLAN
    assert path.stat().st_mode & 0o777 == 0o600 or path.parent.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "engine.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "change",
    [
        {"gpu": "Orin NX"},
        {"compute": "8.9"},
        {"tensorrt": "10.7.0"},
        {"cuda": "12.8"},
        {"l4t": "R36.5.0"},
        {"dla": "0"},
    ],
)
def test_another_target_wants_another_engine(change: dict[str, str], tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    cache.put(ONNX, ORIN, PLAN)
    assert cache.find(ONNX, dataclasses.replace(ORIN, **change)) is None
    assert cache.find("cd" * 32, ORIN) is None
    assert cache.find(ONNX, ORIN) == PLAN


def test_an_engine_under_anothers_name_is_refused(tmp_path: Path) -> None:
    cache, other = _cache(tmp_path), dataclasses.replace(ORIN, tensorrt="10.7.0")
    made = cache.put(ONNX, ORIN, PLAN)
    wanted = tmp_path / "wanted"
    elsewhere = EngineCache(wanted, key=tmp_path / "state" / "engine.key", root=tmp_path / "board")
    elsewhere.put(ONNX, other, b"other").write_bytes(made.read_bytes())
    assert elsewhere.find(ONNX, other) is None
    assert "not written by this device for this target" in elsewhere.refused


def test_the_file_of_another_device_is_refused(tmp_path: Path) -> None:
    """A copied file has another key; a copied disk has the key and another serial number."""
    path = _cache(tmp_path).put(ONNX, ORIN, PLAN)
    stranger = EngineCache(path.parent, key=tmp_path / "other.key", root=tmp_path / "board")
    assert stranger.find(ONNX, ORIN) is None and stranger.refused
    put(tmp_path / "clone", {"proc/device-tree/serial-number": "1420921055982\0"})
    clone = EngineCache(path.parent, key=tmp_path / "state" / "engine.key", root=tmp_path / "clone")
    assert clone.find(ONNX, ORIN) is None and clone.refused


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_altered_byte_and_no_cut_goes_unseen(data: st.DataObject, tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    path = cache.put(ONNX, ORIN, PLAN)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path.write_bytes(content)
    assert cache.find(ONNX, ORIN) is None and cache.refused


@given(content=st.binary(max_size=300))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused(content: bytes, tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    cache.put(ONNX, ORIN, PLAN).write_bytes(b"UEPLAN1\n" + content)
    assert cache.find(ONNX, ORIN) is None and cache.refused


def test_a_link_and_a_folder_are_not_followed(tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    path = cache.put(ONNX, ORIN, PLAN)
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    assert cache.find(ONNX, ORIN) is None and cache.refused
    path.unlink()
    path.mkdir()
    assert cache.find(ONNX, ORIN) is None and cache.refused


def test_engines_of_a_system_that_is_gone_are_removed(tmp_path: Path) -> None:
    cache, newer = _cache(tmp_path), dataclasses.replace(ORIN, tensorrt="10.7.0", cuda="12.8")
    old = cache.put(ONNX, ORIN, PLAN)
    foreign = cache.put(ONNX, dataclasses.replace(ORIN, gpu="H200"), PLAN)
    second = cache.put("cd" * 32, newer, PLAN)
    assert not old.exists() and foreign.exists() and second.exists()
    assert cache.find("cd" * 32, newer) == PLAN


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_key_that_is_none_is_refused(content: bytes, tmp_path: Path) -> None:
    cache, key = _cache(tmp_path), tmp_path / "state" / "engine.key"
    key.parent.mkdir()
    key.write_bytes(content)
    key.chmod(0o600)
    with pytest.raises(ConfigError, match="is no key") as refusal:
        cache.put(ONNX, ORIN, PLAN)
    assert "rm " in refusal.value.hint


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    cache, key = _cache(tmp_path), tmp_path / "state" / "engine.key"
    cache.put(ONNX, ORIN, PLAN)
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read it"):
        cache.find(ONNX, ORIN)


def test_the_key_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root in another user's environment: what that user wrote would run as root."""
    cache, key = _cache(tmp_path), tmp_path / "state" / "engine.key"
    cache.put(ONNX, ORIN, PLAN)
    if os.geteuid() == 0:
        os.chown(key, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(ConfigError, match="is another user's"):
        cache.find(ONNX, ORIN)


def test_who_is_killed_in_mid_write_leaves_a_whole_engine_or_none(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from edge.engines.cache import EngineCache, Target\n"
        "folder = Path(sys.argv[1])\n"
        "key = folder / 'state' / 'engine.key'\n"
        "cache = EngineCache(folder / 'engines', key=key, root=folder / 'board')\n"
        f"target = {ORIN!r}\n"
        "for number in range(1000):\n"
        f"    cache.put({ONNX!r}, target, bytes([number % 256]) * 3_000_000)\n"
        "    print(number, flush=True)\n"
    )
    cache = _cache(tmp_path)
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"0\n"
            writer.kill()
        plan = cache.find(ONNX, ORIN)
        assert plan is not None and len(plan) == 3_000_000 and plan.count(plan[:1]) == 3_000_000


def test_what_is_dropped_is_gone(tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    cache.put(ONNX, ORIN, PLAN)
    for _ in range(2):
        cache.drop(ONNX, ORIN)
        assert cache.find(ONNX, ORIN) is None and cache.refused == ""


def test_a_key_is_not_read_through_a_link(tmp_path: Path) -> None:
    cache, key = _cache(tmp_path), tmp_path / "state" / "engine.key"
    key.parent.mkdir()
    key.symlink_to("/dev/zero")
    with pytest.raises(ConfigError):
        cache.put(ONNX, ORIN, PLAN)


def test_two_first_starts_at_once_have_one_key(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from edge.board.system import System\n"
        "from edge.engines.device_key import device_key\n"
        "sys.stdin.read(1)\n"
        "print(device_key(Path(sys.argv[1]), System(Path('/nowhere'))).hex())"
    )
    key = tmp_path / "state" / "engine.key"
    starts = [
        subprocess.Popen([sys.executable, "-c", program, key], stdin=-1, stdout=-1, text=True)
        for _ in range(4)
    ]
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("x")
        start.stdin.flush()
    said = {start.communicate()[0] for start in starts}
    assert len(said) == 1 and len(said.pop()) == 65
    assert [path.name for path in key.parent.iterdir()] == ["engine.key"]


def test_only_one_builds_at_a_time(tmp_path: Path) -> None:
    cache, seen = _cache(tmp_path), []
    inside, waits = threading.Event(), threading.Event()

    def second() -> None:
        inside.wait()
        with _cache(tmp_path).building(ONNX, ORIN, waits=waits.set):
            seen.append(_cache(tmp_path).find(ONNX, ORIN))

    waiting = threading.Thread(target=second)
    waiting.start()
    with cache.building(ONNX, ORIN):
        inside.set()
        assert waits.wait(10) and waiting.is_alive() and seen == []
        cache.put(ONNX, ORIN, PLAN)
    waiting.join()
    assert seen == [PLAN]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = EngineCache(tmp_path / "file" / "engines", key=tmp_path / "key", root=tmp_path)
    with pytest.raises(OutputError, match="cannot be written"):
        cache.put(ONNX, ORIN, PLAN)
    with pytest.raises(OutputError), cache.building(ONNX, ORIN):
        pass
