"""edge-run as systemd runs it: a process, its manager's socket, signals, exit codes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.one_face import one_face_bundle
from tests.edge.service_kit import Manager, Process
from tests.hostile.process import assert_refused, names, run_edge

#: The bundle sees a face in anything.
SOURCE = "synthetic://?faces=0&width=64&height=64"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return one_face_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with Manager(str(tmp_path / "notify")) as made:
        yield made


def write(path: Path, bundle: Path, more: str = "", *, source: str = SOURCE) -> Path:
    path.write_text(
        f'source = "{source}"\nbundle = "{bundle}"\nsinks = ["jsonl:{path.parent}/a.jsonl"]\n{more}'
    )
    return path


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "a.jsonl").read_text().splitlines()]


def test_from_start_to_end(tmp_path: Path, bundle: Path, manager: Manager) -> None:
    config = write(tmp_path / "config.toml", bundle)
    with Process(
        "--config", config, home=tmp_path, manager=manager, watchdog_s=0.4
    ) as service:  # fmt: skip
        before = manager.until("READY=1")
        assert before[0] == "STATUS=starting"
        assert lines(tmp_path)  # ready is said when a frame has reached the sinks
        assert manager.until("WATCHDOG=1")
        status = manager.until("STATUS=1 face, ")[-1]
        assert status.endswith(", full service") and " fps, " in status

        write(config, bundle, "thread = 2\n[ladder]\nlow_fps = -1\n")
        service.send(signal.SIGHUP)
        assert [
            message.split("\n")[0]
            for message in manager.until("READY=1")
            if not message.startswith(("WATCHDOG", "STATUS"))
        ] == ["RELOADING=1", "READY=1"]
        assert service.said() == (
            f"edge-run: {config}:4: thread: unknown key; did you mean threads?  [config.value]"
        )
        assert service.said().startswith(f"edge-run: {config}:6: ladder.low_fps: -1, allowed: ")
        assert service.said() == "edge-run: the new configuration cannot be; the old one stays"

        write(config, bundle, "threads = 2\n")
        service.send(signal.SIGHUP)
        manager.until("READY=1")
        assert service.said() == "edge-run: the configuration was read again"
        manager.until("WATCHDOG=1")

        service.send(signal.SIGTERM)
        assert manager.until("STOPPING=1")
        assert service.end() == (0, [])
    assert manager.heard() == []  # nothing after STOPPING
    assert all(line["faces"] for line in lines(tmp_path))


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_signals_end_a_run_without_a_configuration(
    number: signal.Signals, status: int, tmp_path: Path, bundle: Path, manager: Manager
) -> None:
    with Process(
        "--source", SOURCE, "--bundle", bundle, "--sink", f"jsonl:{tmp_path}/a.jsonl",
        home=tmp_path, manager=manager, watchdog_s=60,
    ) as service:  # fmt: skip
        manager.until("READY=1")
        service.send(number)
        assert service.end() == (status, [])
    assert lines(tmp_path)


#: After some frames one face stage says where it is, and waits until it is let go.
WAITING_STAGE = """
import sys
from edge.cli.run import main
from edge.stages.emotion import EmotionStage
def decode(self, *outputs, whole=EmotionStage.decode, frames=[]):
    frames.append(1)
    if len(frames) == 10:
        open(sys.argv[1] + "/inside", "w").close()
        open(sys.argv[1] + "/go").close()
    return whole(self, *outputs)
EmotionStage.decode = decode
sys.exit(main(sys.argv[2:]))
"""


def test_the_frame_in_hand_is_finished(tmp_path: Path, bundle: Path, manager: Manager) -> None:
    os.mkfifo(tmp_path / "inside")
    os.mkfifo(tmp_path / "go")
    config = write(tmp_path / "config.toml", bundle, "live.emotion_every = 1\n")
    with Process(
        tmp_path, "--config", config, home=tmp_path, manager=manager, watchdog_s=60,
        code=WAITING_STAGE,
    ) as service:  # fmt: skip
        open(tmp_path / "inside").close()  # returns when the stage is there
        before = len(lines(tmp_path))
        service.send(signal.SIGTERM)
        open(tmp_path / "go", "w").close()
        assert service.end() == (0, [])
    assert len(lines(tmp_path)) == before + 1


#: After some frames the search for faces, in its thread, does not come back.
HANGING_SEARCH = """
import sys, threading
from edge.cli.run import main
from edge.stages.detect import DetectStage
def decode(self, *outputs, whole=DetectStage.decode, frames=[]):
    frames.append(1)
    if len(frames) > 20:
        threading.Event().wait()
    return whole(self, *outputs)
DetectStage.decode = decode
sys.exit(main())
"""


def test_a_hung_engine_is_not_fed(tmp_path: Path, bundle: Path, manager: Manager) -> None:
    config = write(tmp_path / "config.toml", bundle)
    with Process(
        "--config", config, home=tmp_path, manager=manager, watchdog_s=1.0, code=HANGING_SEARCH
    ) as service:  # fmt: skip
        manager.until("READY=1")
        # systemd would have killed it after its second; half of one is the last it was told.
        assert manager.falls_silent("WATCHDOG=1", silence_s=1.0)
        assert service.alive()


def test_a_hung_sink_is_not_fed(tmp_path: Path, bundle: Path, manager: Manager) -> None:
    """A pipe whose reader does not read holds 64 KiB, then writing to it never returns."""
    pipe = tmp_path / "a.jsonl"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    config = write(tmp_path / "config.toml", bundle)
    try:
        with Process(
            "--config", config, home=tmp_path, manager=manager, watchdog_s=1.0
        ) as service:  # fmt: skip
            manager.until("READY=1")
            assert manager.falls_silent("WATCHDOG=1", silence_s=1.0)
            assert service.alive()
    finally:
        os.close(reader)


def test_a_camera_that_is_not_there_is_awaited(
    tmp_path: Path, bundle: Path, manager: Manager
) -> None:
    config = write(tmp_path / "config.toml", bundle, source=f"v4l2://{tmp_path}/video9")
    with Process(
        "--config", config, home=tmp_path, manager=manager, watchdog_s=60
    ) as service:  # fmt: skip
        assert f"{tmp_path}/video9" in service.said()
        came = manager.until("STATUS=camera lost for ")
        assert "EXTEND_TIMEOUT_USEC=10000000" in came
        assert "READY=1" not in came
        service.send(signal.SIGTERM)
        assert service.end() == (0, [])
    assert "READY=1" not in manager.messages


def test_without_a_configuration_a_missing_camera_is_an_error(tmp_path: Path, bundle: Path) -> None:
    ended = run_edge(
        "edge-run", "--source", f"v4l2://{tmp_path}/video9", "--bundle", bundle, home=tmp_path
    )
    assert_refused(ended, 69, f"{tmp_path}/video9")


def test_a_sink_that_cannot_be_opened_is_an_error_at_the_start(
    tmp_path: Path, bundle: Path
) -> None:
    config = write(tmp_path / "config.toml", bundle)
    (tmp_path / "a.jsonl").mkdir()
    ended = run_edge("edge-run", "--config", config, home=tmp_path)
    assert_refused(ended, 73, "a.jsonl")


def test_the_limit_ends_a_live_source_too(tmp_path: Path, bundle: Path) -> None:
    config = write(tmp_path / "config.toml", bundle)
    ended = run_edge("edge-run", "--config", config, "--limit", 3, home=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(lines(tmp_path)) == 3
    assert names(tmp_path) == ["a.jsonl", "config.toml"]
