"""edge-doctor on a Jetson as its files show it: JetPack, accelerators, clocks, power, the race."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.board.dpkg import installed_version
from edge.board.identity import Board
from edge.board.jetson import dla_cores, gpu_clock, jetpack
from edge.board.power_modes import power_modes
from edge.board.system import System
from edge.bundle import Bundle
from edge.choice import SCHEMA, race_file
from edge.doctor.case import Case
from edge.doctor.finding import Finding, severity
from edge.doctor.heat import check_power
from edge.doctor.jetson import check_jetson
from edge.doctor.race import check_race
from edge.doctor.subjects import run_checks
from tests.boards import NVPMODEL_SUPER, orin_nano, pi5, put, virtual_machine
from tests.makers import write_bundle

DEVFREQ = "sys/class/devfreq/17000000.gpu"


def case_of(root: Path, bundle: Path | None = None) -> Case:
    return Case(
        bundle=bundle or root / "no-bundle",
        gallery=root / "no-gallery",
        config=root / "no-config",
        system=System(root),
        engines=root / "engines",
        key=root / "engine.key",
    )


def one(findings: list[Finding], subject: str) -> Finding:
    (found,) = [finding for finding in findings if finding.subject == subject]
    return found


def test_an_orin_nano(tmp_path: Path) -> None:
    findings = check_jetson(case_of(orin_nano(tmp_path)))
    assert severity(findings) == 0
    assert one(findings, "jetpack").what == "JetPack 6.2 (L4T R36.4.3), libraries of 6.2"
    assert one(findings, "dla").what.startswith("no deep-learning accelerator")
    clocks = one(findings, "clocks")
    assert clocks.what.startswith(
        "GPU 306 to 625 MHz by load, now 306; processors 730 to 1510 MHz by load"
    )
    assert "sudo jetson_clocks" in clocks.mend and "--restore" in clocks.mend


@pytest.mark.parametrize("make", [pi5, virtual_machine])
def test_another_board_gets_one_line(make: object, tmp_path: Path) -> None:
    case = case_of(make(tmp_path), write_bundle(tmp_path / "bundle"))  # type: ignore[operator]
    (finding,) = run_checks(case, ["jetson", "gpu", "race"])
    assert (finding.subject, finding.level, finding.what) == ("jetson", "ok", "not a Jetson")


def test_who_asks_for_a_subject_is_answered(tmp_path: Path) -> None:
    (finding,) = run_checks(case_of(tmp_path), ["race"])
    assert (finding.subject, finding.level) == ("race", "ok")


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64", "6.2"),
        ("# R36 (release), REVISION: 4.0, GCID: 37537400, BOARD: generic, EABI: aarch64", "6.1"),
        ("# R36 (release), REVISION: 4.7, GCID: 42132812, BOARD: generic, EABI: aarch64", "6"),
        ("# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64", "5.1.2"),
        ("# R38 (release), REVISION: 4.0, GCID: 43443517, BOARD: generic, EABI: aarch64", "7.1"),
        ("# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t186ref, EABI: aarch64", "4.6.1"),
        ("# R99 (release), REVISION: 1.0, GCID: 1", None),
        ("what is this", None),
    ],
)
def test_which_jetpack(release: str, said: str | None, tmp_path: Path) -> None:
    put(tmp_path, {"etc/nv_tegra_release": f"{release}\n"})
    assert jetpack(System(tmp_path)) == said
    assert one(check_jetson(case_of(tmp_path)), "jetpack").subject == "jetpack"


def test_a_jetpack_of_before_python_3_10(tmp_path: Path) -> None:
    orin_nano(tmp_path)
    put(tmp_path, {"etc/nv_tegra_release": "# R35 (release), REVISION: 5.0, GCID: 1, BOARD: g\n"})
    finding = one(check_jetson(case_of(tmp_path)), "jetpack")
    assert finding.level == "warn" and "JetPack 5.1.3" in finding.what
    assert "sdk-manager" in finding.mend


def test_libraries_of_another_jetpack_and_none(tmp_path: Path) -> None:
    orin_nano(tmp_path)
    status = (tmp_path / "var/lib/dpkg/status").read_text()
    put(tmp_path, {"var/lib/dpkg/status": status.replace("6.2+b77", "5.1.2-b104")})
    finding = one(check_jetson(case_of(tmp_path)), "jetpack")
    assert finding.level == "warn" and "libraries of JetPack 5.1.2" in finding.what
    (tmp_path / "var/lib/dpkg/status").unlink()
    finding = one(check_jetson(case_of(tmp_path)), "jetpack")
    assert finding.level == "ok" and finding.mend.endswith("apt install nvidia-jetpack")


def test_a_package_that_was_removed_is_not_installed(tmp_path: Path) -> None:
    system = System(orin_nano(tmp_path))
    assert installed_version(system, "nvidia-jetpack") == "6.2+b77"
    assert installed_version(system, "nvidia-jet") is None
    status = "Package: a\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: b\nVersion: 2\n"
    put(tmp_path, {"var/lib/dpkg/status": status})
    assert installed_version(system, "a") is None and installed_version(system, "b") is None
    status = "Package: a\nStatus: install ok installed\nVersion: 3-1"
    put(tmp_path, {"var/lib/dpkg/status": status})
    assert installed_version(system, "a") == "3-1"


def test_accelerators_that_are_switched_on(tmp_path: Path) -> None:
    orin_nano(tmp_path)
    host = "proc/device-tree/bus@0/host1x@13e00000"
    (tmp_path / host / "nvdla0@15880000/status").unlink()
    assert dla_cores(System(tmp_path)) == 1
    put(tmp_path, {f"{host}/nvdla1@158c0000/status": "okay\0"})
    assert dla_cores(System(tmp_path)) == 2
    # Of JetPack 5.
    put(tmp_path / "old", {"proc/device-tree/host1x@13e00000/nvdla0@15880000/status": "okay\0"})
    assert dla_cores(System(tmp_path / "old")) == 1
    assert "2 deep-learning accelerators" in one(check_jetson(case_of(tmp_path)), "dla").what


def test_clocks_that_are_held_and_a_mode_that_keeps_them_low(tmp_path: Path) -> None:
    orin_nano(tmp_path)
    put(tmp_path, {f"{DEVFREQ}/max_freq": "408000000\n"})
    assert (
        "power mode keeps it below 625 MHz" in one(check_jetson(case_of(tmp_path)), "clocks").what
    )
    put(tmp_path, {f"{DEVFREQ}/min_freq": "408000000\n"})
    clock = gpu_clock(System(tmp_path))
    assert clock is not None and clock.is_held
    for number in (0, 4):
        folder = f"sys/devices/system/cpu/cpufreq/policy{number}"
        put(tmp_path, {f"{folder}/scaling_min_freq": "1510400\n"})
    finding = one(check_jetson(case_of(tmp_path)), "clocks")
    assert "GPU held at 408 MHz" in finding.what and finding.mend == "sudo jetson_clocks --restore"


@pytest.mark.parametrize("name", ["17000000.ga10b", "17000000.gv11b", "57000000.gpu", "gpu-gpc-0"])
def test_the_gpus_of_other_boards(name: str, tmp_path: Path) -> None:
    put(tmp_path, {f"sys/class/devfreq/{name}/max_freq": "921600000\n"})
    clock = gpu_clock(System(tmp_path))
    assert clock is not None and clock.high == 921.6


def test_the_power_mode_that_allows_most(tmp_path: Path) -> None:
    root = orin_nano(tmp_path)
    finding = check_power(case_of(root))[0]
    assert finding.what == "mode 7W, of 15W, 7W; 15W takes up to 15 W instead of 7"
    assert finding.mend.startswith("sudo nvpmodel -m 0")
    put(root, {"etc/nvpmodel.conf": NVPMODEL_SUPER})
    finding = check_power(case_of(root))[0]
    assert "mode 25W" in finding.what and "MAXN_SUPER has no limit" in finding.what
    assert finding.mend.startswith("sudo nvpmodel -m 2")
    put(root, {"var/lib/nvpmodel/status": "pmode:0002"})
    finding = check_power(case_of(root))[0]
    assert (finding.what, finding.mend) == ("mode MAXN_SUPER, the one that allows most", "")


def test_of_modes_with_as_many_watts_that_with_most_cores(tmp_path: Path) -> None:
    text = (
        "< POWER_MODEL ID=0 NAME=MODE_15W_2CORE >\nCPU_ONLINE CORE_0 1\nCPU_ONLINE CORE_1 1\n"
        "CPU_ONLINE CORE_2 0\n< POWER_MODEL NAME=MODE_15W_6CORE ID=2 >\n"
        + "".join(f"CPU_ONLINE CORE_{n} 1\n" for n in range(6))
        + "< POWER_MODEL ID=4 NAME=MODE_10W_4CORE >\nCPU_ONLINE CORE_0 1\n"
    )
    put(tmp_path, {"etc/nvpmodel.conf": text})
    modes = power_modes(System(tmp_path))
    assert [(mode.number, mode.watts, mode.cores) for mode in modes] == [
        (0, 15, 2), (2, 15, 6), (4, 10, 1),
    ]  # fmt: skip
    assert max(modes, key=lambda mode: mode.rank).name == "MODE_15W_6CORE"


@given(st.text())
def test_any_text_is_a_configuration_of_modes(text: str) -> None:
    class Said(System):
        def text(self, path: str) -> str:
            return f"< POWER_MODEL ID=1 NAME=a >\n{text}"

    assert power_modes(Said())[0].number in range(10_000)


def test_damaged_files_raise_nothing(tmp_path: Path) -> None:
    orin_nano(tmp_path)
    for path in [p for p in tmp_path.rglob("*") if p.is_file()]:
        path.write_bytes(
            b"\xff\xfe \0 < POWER_MODEL ID=9 NAME=\xff > Package: nvidia-jetpack\n" * 9
        )
    for subject in ("jetson", "race", "power"):
        assert run_checks(case_of(tmp_path), [subject])


@pytest.fixture
def raced(tmp_path: Path) -> tuple[Case, Path, dict[str, object]]:
    """An Orin Nano with a bundle, the file of its race and what that would hold."""
    root = orin_nano(tmp_path / "board")
    bundle = write_bundle(tmp_path / "bundle", ("detect", "mask"))
    table: dict[str, object] = {
        "schema": SCHEMA,
        "bundle": {"name": "b", "digest": Bundle.open(bundle).digest},
        "board": Board.here(root).to_json(),
        "choice": {"mask": {"engine": "null", "precision": "int8", "threads": 2}},
        "date": "2026-11-21T20:00:00+00:00",
        "invalid": [],
    }
    return case_of(root, bundle), race_file(bundle), table


def test_the_race(raced: tuple[Case, Path, dict[str, object]]) -> None:
    case, path, table = raced
    (finding,) = check_race(case)
    assert finding.level == "ok" and finding.mend.startswith("edge-export race ")
    path.write_text(json.dumps(table))
    (finding,) = check_race(case)
    assert (finding.level, finding.what) == ("ok", "of 2026-11-21: mask int8 by null on 2")
    path.write_text(json.dumps({**table, "invalid": ["busy"]}))
    put(case.system.root, {"var/lib/nvpmodel/status": "pmode:0000"})
    first, *remarks = check_race(case)
    assert first.level == "ok" and [finding.level for finding in remarks] == ["warn", "warn"]
    assert "busy" in remarks[0].what and "15W now" in remarks[1].what


def test_a_race_on_a_board_that_is_no_jetson_is_told(tmp_path: Path) -> None:
    case = case_of(pi5(tmp_path / "pi"), write_bundle(tmp_path / "bundle", ("mask",)))
    assert check_race(case) == []
    race_file(case.bundle).write_text("{}")
    assert check_race(case)[0].level == "warn"


def test_a_race_that_does_not_hold_here(raced: tuple[Case, Path, dict[str, object]]) -> None:
    case, path, table = raced
    path.write_text(json.dumps({**table, "bundle": {"digest": "0" * 64}}))
    (finding,) = check_race(case)
    assert finding.level == "warn" and "another bundle" in finding.what
    assert finding.mend == f"edge-export race {case.bundle}"
    path.write_bytes(b"[" * 1000)
    assert check_race(case)[0].level == "warn"
