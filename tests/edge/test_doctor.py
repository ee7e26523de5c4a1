"""edge-doctor: each check on a machine that is well and on one that is not."""

from __future__ import annotations

import json
import os
import struct
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.board.system import System
from edge.doctor.bundles import check_bundle, check_gallery
from edge.doctor.cameras import Capabilities, check_cameras, query, read_capabilities
from edge.doctor.case import Case
from edge.doctor.clock import check_clock
from edge.doctor.finding import Finding, severity
from edge.doctor.heat import check_power, check_temperature, check_throttling
from edge.doctor.storage import check_disk, check_memory
from edge.doctor.subjects import SUBJECTS, run_checks
from edge.errors import UsageError
from edge.gallery import Gallery
from tests.boards import orin_nano, pi4, pi5, put, script, virtual_machine
from tests.hostile.process import ROOT, assert_refused, run_edge
from tests.makers import REVISION, write_bundle


def case_of(root: Path, **more: Path) -> Case:
    """Return a case on a tree of files, with no bundle and no gallery unless told."""
    asked = {"bundle": root / "no-bundle", "gallery": root / "no-gallery", **more}
    return Case(system=System(root), **asked)  # type: ignore[arg-type]


def test_bundle(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    (finding,) = check_bundle(case_of(tmp_path, bundle=bundle))
    assert finding.level == "ok"
    (bundle / "edit.null").unlink()
    (finding,) = check_bundle(case_of(tmp_path, bundle=bundle))
    assert finding.level == "fail" and "edit.null" in finding.what and finding.mend


def test_gallery(tmp_path: Path) -> None:
    bundle, path = write_bundle(tmp_path / "bundle"), tmp_path / "g.sqlite"

    def look(bundle: Path = bundle) -> Finding:
        (finding,) = check_gallery(case_of(tmp_path, bundle=bundle, gallery=path))
        return finding

    assert look().level == "ok"
    Gallery.open(path, REVISION, create=True).close()
    assert look().level == "ok"
    path.chmod(0o644)
    assert (look().level, look().mend) == ("warn", f"chmod 600 {path}")
    assert look(tmp_path / "none").level == "warn"
    path.write_bytes(b"what is this")
    assert look().level == "fail"


WEBCAM = Capabilities("uvcvideo", "USB Camera", True)


def test_cameras_and_the_nodes_that_are_none(tmp_path: Path) -> None:
    case = case_of(tmp_path)
    (finding,) = check_cameras(case, lambda _: None)
    assert (finding.level, finding.what) == ("ok", "no camera that V4L2 shows")
    nodes = {
        "video0": WEBCAM,
        "video1": Capabilities("uvcvideo", "USB Camera", False),  # its metadata
        "video10": Capabilities("bcm2835-codec", "bcm2835-codec-decode", True),
        "video2": None,
    }
    put(tmp_path, {f"dev/{name}": "" for name in nodes})
    (finding,) = check_cameras(case, lambda device: nodes[device.name])
    assert finding.what == "/dev/video0: USB Camera, as v4l2:///dev/video0"
    (tmp_path / "dev/video0").unlink()
    (finding,) = check_cameras(case, lambda device: nodes[device.name])
    assert "picamera://" in finding.what


def test_who_has_a_camera(tmp_path: Path) -> None:
    put(tmp_path, {"dev/video0": "", "proc/77/comm": "cheese\n", "proc/78/comm": "other\n"})
    for number, target in (("77", tmp_path / "dev/video0"), ("78", tmp_path / "dev/null")):
        (tmp_path / "proc" / number / "fd").mkdir()
        (tmp_path / "proc" / number / "fd" / "5").symlink_to(target)
    (finding,) = check_cameras(case_of(tmp_path), lambda _: WEBCAM)
    assert finding.what.endswith("in use by cheese (77)")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open anything; run as another user")
def test_a_camera_for_others_only(tmp_path: Path) -> None:
    put(tmp_path, {"dev/video0": ""})
    (tmp_path / "dev/video0").chmod(0)
    (finding,) = check_cameras(case_of(tmp_path), lambda _: WEBCAM)
    assert finding.level == "warn" and "usermod -aG video" in finding.mend


def test_a_raspberry_pi_needs_memory_for_its_pictures(tmp_path: Path) -> None:
    case = case_of(pi4(tmp_path))
    assert "/dev/dma_heap" in check_cameras(case, lambda _: None)[-1].what
    put(tmp_path, {"dev/dma_heap/linux,cma": ""})
    assert severity(check_cameras(case, lambda _: None)) == 0


def test_a_device_that_is_no_camera_is_asked_and_left(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert query(Path("/dev/null")) is None
    assert query(tmp_path / "file") is None
    assert query(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("all_bits", "own_bits", "captures"),
    [
        (0x85200001, 0x05200001, True),  # uvcvideo, its pictures
        (0x85200001, 0x04A00000, False),  # uvcvideo, its metadata
        (0x84204000, 0x04204000, False),  # a codec: V4L2_CAP_VIDEO_M2M_MPLANE
        (0x00000001, 0, True),  # a driver from before device_caps
        (0x84201000, 0x04201000, True),  # pictures of several planes
    ],
)
def test_what_a_device_says_of_itself(all_bits: int, own_bits: int, captures: bool) -> None:
    said = struct.pack(
        "16s32s32sIII12x", b"vivid", b"Cam\x01era\0rest", b"usb-1", 0x60103, all_bits, own_bits
    )
    assert read_capabilities(said) == Capabilities("vivid", "Camera", captures)


@given(st.binary(min_size=104, max_size=104))
def test_whatever_a_device_says_is_printable(said: bytes) -> None:
    found = read_capabilities(said)
    assert (found.driver + found.card).isprintable()


def test_disk(tmp_path: Path) -> None:
    (finding,) = check_disk(case_of(tmp_path, gallery=tmp_path / "not" / "yet" / "there"))
    assert str(tmp_path) in finding.what and "MiB free" in finding.what
    (finding,) = check_disk(case_of(tmp_path, gallery=Path("/proc/g")))
    assert finding.level == "fail"  # a file system without room


def test_a_disk_that_nears_its_end(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "sys/fs/ext4/mmcblk0p2/errors_count": "3\n",
            "sys/fs/ext4/sda1/errors_count": "0\n",
            "sys/block/mmcblk0/device/life_time": "0x0b 0x02\n",
            "sys/block/mmcblk0/device/pre_eol_info": "0x01\n",
            "sys/block/mmcblk1/device/life_time": "0x02 0x02\n",
            "sys/block/mmcblk1/device/pre_eol_info": "0x03\n",
            "sys/block/mmcblk2/device/life_time": "0x09 0x00\n",
        },
    )
    _, *findings = check_disk(case_of(tmp_path, gallery=tmp_path / "g"))
    assert [finding.level for finding in findings] == ["warn"] * 3
    said = " ".join(finding.what for finding in findings)
    assert "mmcblk0p2 has met 3 errors" in said
    assert "mmcblk0 has lived more than 100 %" in said
    assert "mmcblk1 has used 90 %" in said


def test_memory(tmp_path: Path) -> None:
    assert severity(check_memory(case_of(pi4(tmp_path)))) == 0
    put(
        tmp_path, {"proc/meminfo": "MemAvailable: 80000 kB\nSwapTotal: 100000 kB\nSwapFree: 0 kB\n"}
    )
    findings = check_memory(case_of(tmp_path))
    assert [finding.level for finding in findings] == ["warn", "warn"]
    assert "78 MiB" in findings[0].what and "100%" in findings[1].what


def test_a_kernel_that_holds_no_limit_of_memory(tmp_path: Path) -> None:
    put(pi4(tmp_path), {"sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n"})
    finding = check_memory(case_of(tmp_path))[-1]
    assert finding.level == "warn" and "/boot/firmware/cmdline.txt" in finding.mend
    put(tmp_path, {"sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n"})
    assert severity(check_memory(case_of(tmp_path))) == 0


@pytest.mark.parametrize(
    ("millidegrees", "level"),
    [("41000\n", "ok"), ("79000\n", "warn"), ("90000\n", "fail"), ("hot", "ok"), ("", "ok")],
)
def test_temperature(millidegrees: str, level: str, tmp_path: Path) -> None:
    put(pi4(tmp_path), {"sys/class/thermal/thermal_zone0/temp": millidegrees})
    (finding,) = check_temperature(case_of(tmp_path))
    assert finding.level == level


@pytest.mark.parametrize(
    ("bits", "said"),
    [
        ("0", []),
        ("50000", ["since the start: under-voltage", "since the start: throttled"]),
        ("20002", ["now: frequency capped", "since the start: frequency capped"]),
    ],
)
def test_throttling(bits: str, said: list[str], tmp_path: Path) -> None:
    findings = check_throttling(case_of(pi4(tmp_path, throttled=bits)))
    if not said:
        assert [finding.level for finding in findings] == ["ok"]
        return
    assert [finding.what for finding in findings] == said
    for finding in findings:
        assert ("5.1 V and 3 A" in finding.mend) == ("voltage" in finding.what)


def test_each_board_has_its_power_supply(tmp_path: Path) -> None:
    finding = check_throttling(case_of(pi5(tmp_path, throttled="0x1")))[0]
    assert finding.what == "now: under-voltage" and "5 A (27 W)" in finding.mend


def test_power(tmp_path: Path) -> None:
    what = [finding.what for finding in check_power(case_of(orin_nano(tmp_path / "orin")))]
    assert what[0].startswith("mode 7W") and what[1] == "governor ondemand"
    slow = pi4(tmp_path / "pi")
    put(slow, {"sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "powersave\n"})
    (finding,) = check_power(case_of(slow))
    assert finding.level == "warn" and "scaling_governor" in finding.mend
    (finding,) = check_power(case_of(virtual_machine(tmp_path / "vm")))
    assert finding.level == "ok"


NOON = datetime(2027, 3, 1, 12, tzinfo=timezone.utc)


def test_a_clock_that_somebody_sets(tmp_path: Path) -> None:
    (finding,) = check_clock(case_of(tmp_path), NOON)
    assert finding.level == "ok" and "nobody says" in finding.what
    script(tmp_path, "timedatectl", "echo no")
    (finding,) = check_clock(case_of(tmp_path), NOON)
    assert (finding.level, finding.mend) == ("warn", "sudo timedatectl set-ntp true")
    script(tmp_path, "timedatectl", "echo yes")
    assert check_clock(case_of(tmp_path), NOON)[0].what.endswith("synchronised")
    script(tmp_path, "timedatectl", "exit 1")
    put(tmp_path, {"run/systemd/timesync/synchronized": ""})
    assert check_clock(case_of(tmp_path), NOON)[0].what.endswith("synchronised")


def test_a_clock_before_the_bundle(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    put(tmp_path, {"run/systemd/timesync/synchronized": ""})
    (finding,) = check_clock(
        case_of(tmp_path, bundle=bundle), datetime(1970, 1, 2, tzinfo=timezone.utc)
    )
    assert finding.level == "fail" and "1970-01-02" in finding.what


def test_a_damaged_machine_raises_nothing(tmp_path: Path) -> None:
    """Every file that is read holds bytes that mean nothing."""
    pi5(tmp_path)
    for path in [p for p in tmp_path.rglob("*") if p.is_file()]:
        path.write_bytes(b"\xff\xfe \0 nonsense \n" * 40)
    case = case_of(tmp_path)
    for name in ("cameras", "memory", "temperature", "throttling", "power", "clock", "service"):
        assert SUBJECTS[name](case), name


def test_the_worst_decides() -> None:
    ok, warn, fail = (Finding("a", level, "b") for level in ("ok", "warn", "fail"))
    assert [severity(x) for x in ([], [ok], [ok, warn, ok], [warn, fail])] == [0, 0, 1, 2]


def test_a_subject_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean cameras"):
        run_checks(case_of(tmp_path), ["camras"])
    with pytest.raises(UsageError, match="there are python"):
        run_checks(case_of(tmp_path), ["zzz"])
    assert {f.subject for f in run_checks(case_of(tmp_path), ["disk", "memory"])} == {
        "disk",
        "memory",
    }


def test_the_command(tmp_path: Path) -> None:
    # The package's own bundle: the engine is tried with one of its networks.
    ended = run_edge("edge-doctor", "--json", home=tmp_path)
    said = json.loads(ended.stdout)
    assert said["schema"] == "unveil-edge.doctor/2"
    levels = [(finding["subject"], finding["level"]) for finding in said["findings"]]
    assert {("bundle", "ok"), ("engines", "ok"), ("cv2", "ok"), ("numpy", "ok")} <= set(levels)
    assert ended.returncode == severity([Finding(s, level, "") for s, level in levels])
    assert all(finding["mend"] for finding in said["findings"] if finding["level"] != "ok")


def test_the_command_on_one_subject(tmp_path: Path) -> None:
    ended = run_edge("edge-doctor", "bundle", "--bundle", tmp_path / "none", home=tmp_path)
    assert ended.returncode == 2
    first, second = ended.stdout.splitlines()
    assert first.startswith("fail  bundle") and second.strip().startswith("mend it with: ")
    assert_refused(run_edge("edge-doctor", "bundel", home=tmp_path), 64, "bundle")


def test_the_command_looks_at_what_the_configuration_names(tmp_path: Path) -> None:
    bundle, config = write_bundle(tmp_path / "bundle"), tmp_path / "c.toml"
    names = {"source": "csi://0", "bundle": str(bundle), "gallery": str(tmp_path / "people.db")}
    config.write_text("".join(f"{key} = {json.dumps(text)}\n" for key, text in names.items()))
    asked = ("edge-doctor", "bundle", "gallery", "--config", config)
    ended = run_edge(*asked, home=tmp_path)
    assert "ok    bundle" in ended.stdout and f"{tmp_path}/people.db: none yet" in ended.stdout
    (bundle / "edit.null").unlink()
    assert run_edge(*asked, home=tmp_path).stdout.startswith("fail  bundle")


def test_help_names_every_subject(tmp_path: Path) -> None:
    said = run_edge("edge-doctor", "--help", home=tmp_path).stdout
    _, _, after = said.partition("\nsubjects:\n")
    listed, _, _ = after.partition("\n\n")
    assert listed.split() == list(SUBJECTS)
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert rows == list(SUBJECTS)
