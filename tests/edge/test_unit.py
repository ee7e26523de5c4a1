"""The unit and what lies beside it: what systemd itself says of it, and what it promises."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edge.doctor.files import DROP_IN, RULES, UNIT, USER, service_file
from edge.errors import BundleError, ConfigError, DataError, MissingInput, UsageError

ROOT = Path(__file__).resolve().parents[2]
#: Of systemd-analyze, in tenths: an exposure of 2.0.
EXPOSURE = "20"

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="asks systemd-analyze: apt install systemd"
)


def settings(name: str) -> dict[str, list[str]]:
    """Return every value that a unit gives to a key, in order."""
    found: dict[str, list[str]] = {}
    for line in service_file(name).decode().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@needs_systemd
def test_systemd_knows_every_key(tmp_path: Path) -> None:
    text = service_file(UNIT).decode().replace("/opt/unveil-edge/venv/bin/edge-run", "/bin/true")
    unit = tmp_path / UNIT
    unit.write_text(text)
    ended = analyze("verify", "--man=no", unit)
    complaints = [line for line in ended.stderr.splitlines() if UNIT in line]
    assert complaints == []
    # It does complain of a key that there is not.
    unit.write_text(text.replace("[Service]", "[Service]\nNoSuchKey=1"))
    assert "NoSuchKey" in analyze("verify", "--man=no", unit).stderr


@needs_systemd
@pytest.mark.parametrize("drop_in", [None, DROP_IN], ids=["unit", "jetson"])
def test_it_is_exposed_to_little(drop_in: str | None, tmp_path: Path) -> None:
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    (folder / UNIT).write_bytes(service_file(UNIT))
    # Targets that the unit is ordered by itself against.
    for name in ("sysinit", "basic", "shutdown", "multi-user"):
        (folder / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    if drop_in is not None:
        (folder / f"{UNIT}.d").mkdir()
        (folder / f"{UNIT}.d" / drop_in).write_bytes(service_file(drop_in))
    ended = analyze(
        "security", "--offline=true", f"--root={tmp_path}", f"--threshold={EXPOSURE}", UNIT
    )
    if "unrecognized option" in ended.stderr:
        pytest.skip("needs systemd 250 or later, whose systemd-analyze judges unit files")
    assert "Overall exposure level" in ended.stdout, ended.stderr
    assert ended.returncode == 0, ended.stdout.splitlines()[-1]


def test_what_a_person_must_mend_is_not_tried_again() -> None:
    (codes,) = settings(UNIT)["RestartPreventExitStatus"]
    permanent = (UsageError, DataError, MissingInput, BundleError, ConfigError)
    assert codes.split() == [str(error.exit_code) for error in permanent]
    assert settings(UNIT)["Restart"] == ["on-failure"]


def test_the_promises_of_the_unit() -> None:
    said = settings(UNIT)
    assert said["Type"] == ["notify"] and said["NotifyAccess"] == ["main"]
    assert said["CapabilityBoundingSet"] == [""] and said["LimitCORE"] == ["0"]
    assert said["ProtectSystem"] == ["strict"] and said["UMask"] == ["0077"]
    assert said["StandardOutput"] == said["StandardError"] == ["journal"]
    # systemd would give the configuration's folder to the service, which could then change it.
    assert "ConfigurationDirectory" not in said
    groups = service_file(USER).decode()
    for group in said["SupplementaryGroups"][0].split():
        assert f"m {said['User'][0]} {group}\n" in groups


def test_cameras_are_reachable() -> None:
    allowed = settings(UNIT)["DeviceAllow"]
    for device in ("char-81", "char-media", "char-dma_heap", "char-226"):
        assert f"{device} rw" in allowed
    for line in service_file(RULES).decode().splitlines():
        assert line.startswith("#") or line.endswith('GROUP="video", MODE="0660"')


def test_every_file_of_the_folder_is_one_that_the_install_knows() -> None:
    known = {UNIT, DROP_IN, RULES, USER, "README.md", "unveil-edge.toml"}
    assert {path.name for path in (ROOT / "systemd").iterdir()} <= known
