"""The install's last part, and the command: a manager that enforces systemd's rules."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge.doctor.install import Machine, check_machine
from edge.doctor.install.running import Running, read_state
from edge.errors import UnavailableError, UsageError
from tests.hostile.process import assert_refused, run_edge


class Manager(Machine):
    """A machine whose systemd goes through the states that it is told.

    Args:
        states: each what ``systemctl show`` prints next; the last stays.
    """

    def __init__(self, *states: str) -> None:
        super().__init__()
        self.states = list(states)
        self.jobs: list[str] = []

    def run(self, command: Sequence[str], *, mend: str = "") -> str:
        program, verb, *rest = command
        assert program == "systemctl"
        assert "unveil-edge.service" in rest
        if verb == "show":
            return self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if verb == "reset-failed" and "failed" not in self.states[0]:
            raise AssertionError("Unit unveil-edge.service not loaded.")
        self.jobs.append(verb)
        return ""


def state(active: str, *, result: str = "success", status: int = 0, restarts: int = 0,
          text: str = "") -> str:  # fmt: skip
    return (
        f"NRestarts={restarts}\nResult={result}\nExecMainStatus={status}\n"
        f"StatusText={text}\nActiveState={active}\n"
    )


def running(machine: Machine, *, has_changed: bool = False, patience_s: float = 20) -> Running:
    return Running(machine, lambda: has_changed, patience_s=patience_s, look_every_s=0)


@pytest.mark.parametrize(
    ("now", "has_changed", "lacking"),
    [
        (state("inactive"), False, "start the service"),
        (state("failed"), False, "start the service"),
        (state("active"), False, ""),
        (state("active"), True, "start the service again"),
        (state("activating", text="camera awaited"), False, ""),
        (state("activating", restarts=3), False, "start the service again"),
    ],
)
def test_what_is_to_be_done(now: str, has_changed: bool, lacking: str) -> None:
    assert running(Manager(now), has_changed=has_changed).lacks() == lacking


def test_it_is_started_and_awaited() -> None:
    ready = state("active", text="1 face")
    manager = Manager(state("activating"), state("activating", text="starting"), ready)
    running(manager).do()
    assert manager.jobs == ["restart"]
    assert manager.states == [ready]


def test_a_camera_that_does_not_come_is_not_awaited_for_ever() -> None:
    manager = Manager(state("activating", text="waiting for the first frame"))
    running(manager, patience_s=0.05).do()
    assert manager.jobs == ["restart"]


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([state("activating"), state("failed", result="exit-code", status=78)], "exit-code 78"),
        ([state("activating"), state("activating", restarts=1)], "ends"),
    ],
)
def test_it_does_not_start(states: list[str], said: str) -> None:
    with pytest.raises(UnavailableError, match=said) as refused:
        running(Manager(*states)).do()
    assert "journalctl -u unveil-edge" in refused.value.hint


def test_it_is_stopped() -> None:
    for now, verb in ((state("active"), "stop"), (state("failed"), "reset-failed")):
        manager = Manager(now)
        assert running(manager).is_there()
        running(manager).undo()
        assert manager.jobs == [verb]
    assert not running(Manager(state("inactive"))).is_there()


def test_a_line_that_systemd_never_wrote() -> None:
    said = read_state(Manager("NRestarts=many\nnonsense\nActiveState=active\nStatusText=a=b\n"))
    assert (said.active, said.restarts, said.text) == ("active", 0, "a=b")


def test_only_root_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="needs root") as refused:
        check_machine(Machine(), changes=True)
    assert refused.value.hint.startswith("run: sudo ")


@pytest.mark.skipif(
    Path("/run/systemd/system").is_dir(),
    reason="needs a machine that systemd did not start, such as a container",
)
def test_a_machine_without_systemd() -> None:
    with pytest.raises(UnavailableError, match="not started by systemd"):
        check_machine(Machine(), changes=False)


def test_the_command(tmp_path: Path) -> None:
    run = ("edge-doctor", "install")
    ended = run_edge(*run, "--root", tmp_path, "--dry-run", home=tmp_path)
    assert ended.returncode == 0
    lines = ended.stdout.splitlines()
    assert len(lines) == 6 and all(line.startswith("would    ") for line in lines)
    assert list(tmp_path.iterdir()) == []
    assert_refused(run_edge(*run, "--purge", home=tmp_path), 64, "--uninstall")
    assert_refused(run_edge(*run, "--root", tmp_path / "no", home=tmp_path), 64, "no folder")
    assert_refused(
        run_edge(*run, "--root", tmp_path, "--env", "/home/ada/v", home=tmp_path), 64, "/home"
    )
    assert_refused(
        run_edge(*run, "--root", tmp_path, "--package", "x.whl", home=tmp_path), 66, "x.whl"
    )
