"""What systemd hears: datagrams at a socket of our own that stands for its."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import UsageError
from edge.service.notify import Notifier
from tests.edge.service_kit import Manager


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = (
        str(tmp_path / "notify") if request.param == "path" else f"@unveil-{secrets.token_hex(8)}"
    )
    with Manager(name) as made:
        yield made


def test_messages_are_those_of_the_manual(manager: Manager) -> None:
    before_us = time.monotonic_ns() // 1000
    with Notifier(manager.address) as notifier:
        assert notifier.ready()
        notifier.extend(10)
        notifier.reloading()
        notifier.stopping()
    ready, extend, reloading, stopping = manager.heard()
    assert (ready, extend, stopping) == ("READY=1", "EXTEND_TIMEOUT_USEC=10000000", "STOPPING=1")
    first, second = reloading.split("\n")
    assert first == "RELOADING=1"
    key, _, value = second.partition("=")
    assert key == "MONOTONIC_USEC"
    assert before_us <= int(value) <= time.monotonic_ns() // 1000


def test_the_status_is_one_line_and_only_what_is_new(manager: Manager) -> None:
    with Notifier(manager.address) as notifier:
        notifier.status("2 faces\nREADY=1")
        notifier.status("3 faces")  # within a second
    with Notifier(manager.address) as notifier:
        notifier.status("x" * 10_000)
        notifier.status("x" * 10_000)
    assert manager.heard() == ["STATUS=2 faces READY=1", "STATUS=" + "x" * 250]


def test_the_watchdog_is_fed_no_more_than_it_needs(manager: Manager) -> None:
    with Notifier(manager.address, watchdog_s=3600) as notifier:
        for _ in range(5):
            notifier.alive()
    assert manager.heard() == ["WATCHDOG=1"]
    with Notifier(manager.address) as notifier:  # none is set
        notifier.alive()
    assert manager.heard() == []


def test_without_a_manager_nothing_is_sent_and_nothing_fails() -> None:
    with Notifier(None, watchdog_s=1) as notifier:
        assert notifier.ready()
        notifier.alive()
        notifier.status("well")
        notifier.stopping()


def test_a_manager_that_has_gone_stops_nothing(tmp_path: Path) -> None:
    with Notifier(str(tmp_path / "gone"), watchdog_s=1) as notifier:
        assert not notifier.ready()
        notifier.alive()
        notifier.stopping()


def test_the_environment_is_read_and_taken_out(manager: Manager) -> None:
    environment = {
        "NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "20000000",
        "WATCHDOG_PID": str(os.getpid()), "HOME": "/root",
    }  # fmt: skip
    with Notifier.from_environment(environment) as notifier:
        assert notifier.watchdog_s == 20.0
        assert notifier.ready()
    assert manager.heard() == ["READY=1"]
    assert environment == {"HOME": "/root"}


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "1000000"}, 1.0),
        ({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, None),  # meant for another process
        ({"WATCHDOG_USEC": "0"}, None),
        ({}, None),
        ({"NOTIFY_SOCKET": ""}, None),
    ],
)
def test_a_watchdog_is_ours_or_is_not(
    environment: dict[str, str], watchdog_s: float | None
) -> None:
    with Notifier.from_environment(environment) as notifier:
        assert notifier.watchdog_s == watchdog_s


@pytest.mark.parametrize(
    "environment",
    [
        {"NOTIFY_SOCKET": "relative/path"},
        {"NOTIFY_SOCKET": "vsock:2:1234"},
        {"NOTIFY_SOCKET": "@"},
        {"NOTIFY_SOCKET": "/" + "x" * 200},
        {"NOTIFY_SOCKET": "/a\0b"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "-5"},
        {"WATCHDOG_USEC": "9" * 30},
    ],
)
def test_what_names_no_socket_and_no_time_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        Notifier.from_environment(dict(environment))
    assert caught.value.code in ("notify.socket", "notify.watchdog")


@pytest.mark.skipif(
    subprocess.run(["which", "systemd-notify"], capture_output=True, check=False).returncode != 0,
    reason="needs systemd-notify: apt-get install systemd",
)
def test_systemd_s_own_command_says_the_same(manager: Manager) -> None:
    """The datagram of systemd's implementation and ours are the same bytes."""
    subprocess.run(
        ["systemd-notify", "--no-block", "--ready", "--status=well"],
        env={**os.environ, "NOTIFY_SOCKET": manager.address},
        check=True,
    )
    theirs = [line for message in manager.heard() for line in message.split("\n")]
    with Notifier(manager.address) as notifier:
        notifier.ready()
        notifier.status("well")
    assert set(manager.heard()) <= set(theirs)
