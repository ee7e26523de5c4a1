"""edge-doctor: each check on a machine that is well and on one that is not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edge.doctor import Finding, severity
from edge.doctor.checks import (
    check_bundle,
    check_cameras,
    check_disk,
    check_gallery,
    check_library,
    check_python,
    check_temperature,
    check_throttling,
)
from edge.gallery import Gallery
from tests.hostile.process import run_edge
from tests.makers import REVISION, write_bundle


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 9), "fail"), ((3, 10), "ok"), ((3, 13), "ok"), ((3, 14), "warn"), ((4, 0), "warn")],
)
def test_python(version: tuple[int, int], level: str) -> None:
    assert check_python(version).level == level


def test_a_library_that_is_not_there() -> None:
    assert check_library("numpy", "numpy").level == "ok"
    missing = check_library("no_such_library_anywhere", "no-such-library")
    assert missing.level == "fail"
    assert missing.mend.endswith("-m pip install no-such-library")


def test_bundle(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    assert check_bundle(bundle).level == "ok"
    (bundle / "edit.null").unlink()
    finding = check_bundle(bundle)
    assert finding.level == "fail" and "edit.null" in finding.what and finding.mend


def test_gallery(tmp_path: Path) -> None:
    bundle, path = write_bundle(tmp_path / "bundle"), tmp_path / "g.sqlite"
    assert check_gallery(path, bundle).level == "ok"
    Gallery.open(path, REVISION, create=True).close()
    assert check_gallery(path, bundle).level == "ok"
    path.chmod(0o644)
    finding = check_gallery(path, bundle)
    assert (finding.level, finding.mend) == ("warn", f"chmod 600 '{path}'")
    assert check_gallery(path, tmp_path / "no-bundle").level == "warn"
    path.write_bytes(b"what is this")
    assert check_gallery(path, bundle).level == "fail"


def test_cameras(tmp_path: Path) -> None:
    assert check_cameras(tmp_path).level == "ok"
    (tmp_path / "video0").touch()
    assert "video0" in check_cameras(tmp_path).what
    (tmp_path / "video0").chmod(0)
    if os.geteuid() != 0:  # root may open anything
        finding = check_cameras(tmp_path)
        assert finding.level == "warn" and "usermod" in finding.mend


def test_disk(tmp_path: Path) -> None:
    finding = check_disk(tmp_path / "not" / "yet" / "there")
    assert str(tmp_path) in finding.what and "MiB free" in finding.what
    assert check_disk(Path("/proc")).level == "fail"  # a file system without room


@pytest.mark.parametrize(
    ("millidegrees", "level"),
    [("41000\n", "ok"), ("79000\n", "warn"), ("90000\n", "fail"), ("hot", "ok"), ("", "ok")],
)
def test_temperature(millidegrees: str, level: str, tmp_path: Path) -> None:
    zone = tmp_path / "class" / "thermal" / "thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text(millidegrees)
    assert check_temperature(tmp_path).level == level


@pytest.mark.parametrize(
    ("bits", "level", "said"),
    [("0", "ok", "none"), ("50000", "ok", "none"), ("50005", "warn", "under-voltage, throttled")],
)
def test_throttling(bits: str, level: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "devices" / "platform" / "soc" / "soc:firmware" / "get_throttled"
    file.parent.mkdir(parents=True)
    file.write_text(f"{bits}\n")
    finding = check_throttling(tmp_path)
    assert finding.level == level and said in finding.what
    assert bool(finding.mend) == (level != "ok")


def test_the_worst_decides() -> None:
    ok, warn, fail = (Finding("a", level, "b") for level in ("ok", "warn", "fail"))
    assert [severity(x) for x in ([], [ok], [ok, warn, ok], [warn, fail])] == [0, 0, 1, 2]


def test_the_command(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    ended = run_edge("edge-doctor", "--bundle", bundle, "--json", home=tmp_path)
    said = json.loads(ended.stdout)
    assert said["schema"] == "unveil-edge.doctor/1"
    levels = {finding["subject"]: finding["level"] for finding in said["findings"]}
    assert levels["bundle"] == levels["engine"] == levels["cv2"] == "ok"
    assert ended.returncode == severity([Finding(s, level, "") for s, level in levels.items()])
    ended = run_edge("edge-doctor", "--bundle", tmp_path / "none", home=tmp_path)
    assert ended.returncode == 2
    assert "mend it with: " in ended.stdout
