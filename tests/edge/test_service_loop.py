"""The loop in a program: what it gives, what it takes over, what it leaves out."""

from __future__ import annotations

import dataclasses
import doctest
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest

from edge.capture import CaptureSettings
from edge.errors import EdgeError, UnavailableError, UsageError
from edge.frames import Frame
from edge.gallery import Gallery
from edge.live import LiveSettings, Seen
from edge.owned import Owned
from edge.pipeline import Pipeline
from edge.places import open_bundle
from edge.service import Config, Service, loop, works
from edge.service.ladder import LadderSettings, Level
from edge.service.notify import Notifier
from edge.sinks.callback import CallbackSink
from edge.sources import open_source
from tests.boards import pi4, put
from tests.edge.one_face import one_face_bundle
from tests.edge.service_kit import Manager
from tests.makers import make_frame

#: The bundle sees a face in anything.
SOURCE = "synthetic://?faces=0&width=64&height=64"
OTHER = "synthetic://?faces=0&width=48&height=48"
_PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return one_face_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def config(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "board").mkdir()
    return Config(
        source=SOURCE,
        sinks=(f"jsonl:{tmp_path}/a.jsonl",),
        bundle=str(bundle),
        ladder=LadderSettings(every_s=0.1, calm_s=0.3),
        live=LiveSettings(identify_every=1),
    )


def until(frames: Iterator[Seen], is_so: Callable[[Seen], bool]) -> Seen:
    """Go on until a frame is as wanted."""
    end = time.monotonic() + _PATIENCE_S
    for seen in frames:
        if is_so(seen):
            return seen
        assert time.monotonic() < end
    raise AssertionError("it ended")


def count_lines(path: Path) -> int:
    lines = path.read_text().splitlines()
    assert all(json.loads(line)["schema"] for line in lines)
    return len(lines)


def test_a_program_gets_every_frame_after_its_sinks(config: Config, tmp_path: Path) -> None:
    with Service(config) as service:
        for count, seen in enumerate(service, 1):
            assert count_lines(tmp_path / "a.jsonl") == count
            assert seen.result.source == SOURCE and len(seen.result.faces) == 1
            service.orders.stop = count == 3
    assert count == 3
    service.close()  # a second time


def test_the_example_of_its_page_runs() -> None:
    assert doctest.testmod(loop) == (0, 2)


def test_sinks_of_the_program_stand_beside_those_of_the_configuration(
    config: Config, tmp_path: Path
) -> None:
    called, log = [], []

    def function(frame: object, result: object) -> None:
        called.append(result)
        if len(called) == 2:
            raise ZeroDivisionError("mine")

    with Service(config, sinks=[CallbackSink(function)], log=log.append) as service:
        seen = list(itertools.islice(service, 4))
    assert [each.result.frame for each in seen] == [0, 1, 2, 3]
    assert len(called) == 2  # the function is left alone for a moment, the frames go on
    assert count_lines(tmp_path / "a.jsonl") == 4
    (line,) = log
    assert line.startswith("CallbackSink fails: ") and "mine" in line


def test_a_source_with_an_end_is_not_for_it(config: Config) -> None:
    with pytest.raises(UsageError, match="has an end"):
        Service(dataclasses.replace(config, source=SOURCE + "&frames=5"))


def test_nothing_is_left_open_when_a_part_does_not_open(config: Config, tmp_path: Path) -> None:
    """The tests fail by a warning where something stays open."""
    for wrong in (
        {"source": "v4l2:///dev/video0?widht=5"},
        {"sinks": (*config.sinks, f"jsonl:{tmp_path}/none/b.jsonl")},
        {"bundle": str(tmp_path)},
        {"gallery": str(tmp_path / "none.sqlite")},
    ):
        with pytest.raises(EdgeError):
            Service(dataclasses.replace(config, **wrong))


def test_a_lost_camera_is_told_and_awaited(config: Config, tmp_path: Path) -> None:
    heard: list[str] = []
    with Manager(str(tmp_path / "notify")) as manager, Notifier(manager.address) as notifier:
        config = dataclasses.replace(config, source=f"v4l2://{tmp_path}/video9")

        def log(line: str) -> None:
            heard.append(line)
            service.orders.stop = True

        with Service(config, notifier=notifier, log=log) as service:
            assert list(service) == []
        assert "video9" in heard[0]
        sent = manager.heard()
        assert "READY=1" not in sent and sent[-1] == "STOPPING=1"
        with pytest.raises(UnavailableError, match="video9"), Service(
            config, patient=False
        ) as service:  # fmt: skip
            list(service)


class OneFrame(Owned):
    """A capture at the seam: it gives one frame, and then only says how it is."""

    live, fps, dropped, ended = True, 25.0, 0, False

    def __init__(self, state: str) -> None:
        self.state = "opening"
        self._then = state

    def __call__(self, uri: str, **settings: object) -> OneFrame:
        return self

    def take(self, timeout_s: float) -> Frame | None:
        if self.state == self._then:
            threading.Event().wait(timeout_s)
            return None
        self.state = self._then
        return make_frame()


@pytest.mark.parametrize(("state", "is_fed"), [("lost", True), ("running", False)])
def test_the_watchdog_is_fed_while_there_is_a_reason_to_wait(
    state: str, is_fed: bool, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost camera is one; a camera that runs and gives nothing is none."""
    monkeypatch.setattr(works, "Capture", OneFrame(state))
    config = dataclasses.replace(config, capture=CaptureSettings(stall_s=1.0))
    with (
        Manager(str(tmp_path / "notify")) as manager,
        Notifier(manager.address, watchdog_s=0.4) as notifier,
        Service(config, notifier=notifier) as service,
    ):
        running = threading.Thread(target=list, args=(service,))
        running.start()
        manager.until("READY=1")
        try:
            assert manager.falls_silent("WATCHDOG=1", 1.0, within_s=2.5) is not is_fed
        finally:
            service.orders.stop = True
            running.join(_PATIENCE_S)


def test_a_sink_gets_other_options_where_it_is(config: Config, tmp_path: Path) -> None:
    """A file has one owner: the old sink lets go before the new one takes it."""
    (sink,) = config.sinks
    wanted = [config]
    with Service(config, reread=lambda: wanted[-1], log=lambda line: None) as service:
        frames = iter(service)
        next(frames)
        before = count_lines(tmp_path / "a.jsonl")
        wanted.append(dataclasses.replace(config, sinks=(f"{sink}?fsync=line",)))
        service.orders.reload = True
        next(frames), next(frames)
        assert service.config.sinks == wanted[-1].sinks
        assert count_lines(tmp_path / "a.jsonl") > before
        # One that cannot be opened leaves all as it was, and the old sink delivers again.
        wanted.append(dataclasses.replace(config, sinks=(sink, f"jsonl:{tmp_path}/none/b.jsonl")))
        service.orders.reload = True
        seen = [next(frames) for _ in range(3)][-1]
        assert service.config.sinks == wanted[1].sinks
    assert f'"frame": {seen.result.frame},' in (tmp_path / "a.jsonl").read_text().splitlines()[-1]


def test_a_spool_goes_on_to_another_topic(config: Config, tmp_path: Path) -> None:
    """What holds a file, a port or a spool lets go of it, wherever its URI names it."""
    sinks = [f"mqtt://127.0.0.1:1/{topic}?spool={tmp_path}/spool" for topic in ("a", "b")]
    wanted, log = [dataclasses.replace(config, sinks=(sinks[0],))], []
    with Service(wanted[0], reread=lambda: wanted[-1], log=log.append) as service:
        frames = iter(service)
        next(frames)
        wanted.append(dataclasses.replace(config, sinks=(sinks[1],)))
        service.orders.reload = True
        next(frames)
        assert service.config.sinks == (sinks[1],)
    assert "the configuration was read again" in log


def test_a_reload_is_no_pressure(config: Config) -> None:
    """The frame that waited meanwhile is old, and the board has nothing to do with it."""

    def reread() -> Config:
        time.sleep(0.8)
        raise UsageError("no")

    live = LiveSettings(budget_ms=500)
    ladder = LadderSettings(every_s=0.1, calm_s=3600, longest_calm_s=3600)
    wanted = dataclasses.replace(config, live=live, ladder=ladder)
    with Service(wanted, reread=reread, log=lambda line: None) as service:
        frames = iter(service)
        next(frames)
        service.orders.reload = True
        late = next(frames)
        assert late.result.live is not None and late.result.live.age_ns > 0.5e9
        end = time.monotonic() + 0.3  # two looks at the board
        until(frames, lambda seen: time.monotonic() > end)
        assert service.level is Level.FULL


def test_another_configuration_is_taken_over(config: Config, tmp_path: Path) -> None:
    wanted, log = [config], []
    with Service(config, reread=lambda: wanted[-1], log=log.append) as service:
        frames = iter(service)
        next(frames)
        wanted.append(dataclasses.replace(config, source=OTHER))
        service.orders.reload = True
        assert until(frames, lambda seen: seen.result.source == OTHER).frame.image.shape[0] == 48
        before = count_lines(tmp_path / "a.jsonl")
        wanted.append(dataclasses.replace(config, sinks=(f"jsonl:{tmp_path}/b.jsonl",)))
        service.orders.reload = True
        until(frames, lambda seen: seen.result.source == SOURCE)
        assert count_lines(tmp_path / "a.jsonl") == before
        assert count_lines(tmp_path / "b.jsonl") == 1
        assert service.config == wanted[-1]
    assert log == ["the configuration was read again"] * 2


def test_a_camera_that_is_not_there_can_be_taken_over_and_given_up(
    config: Config, tmp_path: Path
) -> None:
    wanted = [dataclasses.replace(config, source=f"v4l2://{tmp_path}/video9")]
    log: list[str] = []

    def note(line: str) -> None:
        log.append(line)
        if "video9" in line:  # the second camera is told as lost: back to the first
            wanted.append(config)
            service.orders.reload = True

    with Service(config, reread=lambda: wanted[-1], log=note) as service:
        frames = iter(service)
        next(frames)
        service.orders.reload = True
        until(frames, lambda seen: service.config == config and len(log) == 3)
    assert [line for line in log if "video9" not in line] == [
        "the configuration was read again"
    ] * 2


def test_people_enrolled_meanwhile_are_known_after_a_reload(
    config: Config, tmp_path: Path, bundle: Path
) -> None:
    def name(seen: Seen) -> str | None:
        identity = seen.result.faces[0].identity
        return None if identity is None else identity.person

    with Service(config) as service:
        frames = iter(service)
        assert name(next(frames)) is None
        picture = next(iter(open_source(SOURCE)))
        with Pipeline(open_bundle(bundle, None), embeddings=True) as pipeline:
            (face,) = pipeline.run(picture).faces
        path = tmp_path / "data" / "unveil-edge" / "gallery.sqlite"
        path.parent.mkdir(parents=True)
        revision = open_bundle(bundle, None).artefact("identity").contract.revision
        with Gallery.open(path, revision, create=True) as gallery:
            assert face.embedding is not None
            gallery.enrol("Ada", face.embedding, masked=False)
        service.orders.reload = True
        until(frames, lambda seen: name(seen) == "Ada")


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "v4l2:///dev/video0?widht=5"},
        {"source": "clip.none"},
        {"source": SOURCE + "&frames=5"},
        {"sinks": ("jsonl:/none/b.jsonl",)},
        {"bundle": "/none"},
        {"gallery": "/none/gallery.sqlite"},
    ],
)
def test_a_configuration_that_cannot_be_changes_nothing(
    wrong: dict[str, object], config: Config, tmp_path: Path
) -> None:
    log: list[str] = []
    new = dataclasses.replace(config, **wrong)
    with Service(config, reread=lambda: new, log=log.append) as service:
        frames = iter(service)
        first = next(frames)
        service.orders.reload = True
        for seen in itertools.islice(frames, 3):
            assert seen.result.source == SOURCE and seen.frame.index > first.frame.index
        assert service.config == config
        assert count_lines(tmp_path / "a.jsonl") == 4
    assert len(log) == 2
    assert log[1] == "the new configuration cannot be; the old one stays"


def test_heat_leaves_something_out_until_it_is_cool_again(config: Config, tmp_path: Path) -> None:
    root, log = pi4(tmp_path / "board"), []
    heat = "sys/class/thermal/thermal_zone0/temp"
    put(root, {heat: "81000\n"})
    config = dataclasses.replace(config, board=dataclasses.replace(config.board, root=str(root)))
    with Service(config, log=log.append) as service:
        frames = iter(service)

        def reduced(seen: Seen) -> tuple[str, ...]:
            assert seen.result.live is not None
            return seen.result.live.reduced

        until(frames, lambda seen: reduced(seen) == ("detect", "emotion"))
        assert service.level is Level.NO_EMOTION
        put(root, {heat: "60000\n"})
        until(frames, lambda seen: reduced(seen) == ())
        assert service.level is Level.FULL
    assert log == [
        "reduced: faces looked for in 1 of 3 frames (81 °C)",
        "reduced: no emotion (81 °C)",
        "reduced: faces looked for in 1 of 3 frames (81 °C)",
        "full service",
    ]


def test_a_missed_budget_is_pressure(config: Config) -> None:
    config = dataclasses.replace(config, live=LiveSettings(budget_ms=0.001))
    log: list[str] = []
    with Service(config, log=log.append) as service:
        until(iter(service), lambda seen: service.level is not Level.FULL)
    assert log == [
        "reduced: faces looked for in 1 of 3 frames (100% of the frames past the budget)"
    ]


def test_a_full_disk_costs_no_frame(config: Config, tmp_path: Path) -> None:
    config = dataclasses.replace(config, sinks=("jsonl:/dev/full", *config.sinks))
    log: list[str] = []
    with Service(config, log=log.append) as service:
        for _ in itertools.islice(service, 20):
            pass
    assert count_lines(tmp_path / "a.jsonl") == 20
    (line,) = log
    assert line.startswith("jsonl:/dev/full fails: ") and "no space left" in line


def test_a_looped_picture_is_a_source_for_it(config: Config, tmp_path: Path) -> None:
    picture = tmp_path / "face.png"
    cv2.imwrite(str(picture), next(iter(open_source(SOURCE))).image)
    config = dataclasses.replace(config, source=f"file://{picture}?loop=1&pace=1")
    with Service(config) as service:
        seen = list(itertools.islice(service, 2))
    assert [len(each.result.faces) for each in seen] == [1, 1]
