"""Facts and conditions, read from trees that look like boards and from this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.fingerprint import (
    Fingerprint,
    Watch,
    machine,
    read_conditions,
    take_fingerprint,
)
from benchmarks.fingerprint.checkout import revision
from edge.board.system import System
from tests.boards import orin_nano, pi4, pi5, put, script, set_cpu_time, virtual_machine


def _taken(root: Path) -> Fingerprint:
    return take_fingerprint(engine="tflite", threads=2, bundle="ab" * 32, root=root)


def test_a_pi_4(tmp_path: Path) -> None:
    found = _taken(pi4(tmp_path))
    assert found.board == "Raspberry Pi 4 Model B Rev 1.5"
    assert found.processor == "Cortex-A72"
    assert (found.cores, found.cores_allowed) == (4, 4)
    assert found.memory_mib == 3793
    assert (found.kernel, found.os) == ("6.6.31+rpt-rpi-v8", "Debian GNU/Linux 12 (bookworm)")
    assert (found.governor, found.min_mhz, found.max_mhz) == ("ondemand", 600.0, 1800.0)
    assert found.power_mode is None
    assert (found.engine, found.threads, found.bundle) == ("tflite", 2, "ab" * 32)
    assert "numpy" in found.versions and "ai-edge-litert" in found.versions


def test_an_orin_nano(tmp_path: Path) -> None:
    found = _taken(orin_nano(tmp_path))
    assert found.processor == "Cortex-A78AE"
    assert found.os == "Ubuntu 22.04.5 LTS, L4T R36.4.3"
    assert found.power_mode == "7W"  # number 1, by its name in the table


def test_nvpmodel_itself_goes_first(tmp_path: Path) -> None:
    orin_nano(tmp_path)
    script(tmp_path, "nvpmodel", "printf 'NV Fan Mode:cool\\nNV Power Mode: 15W\\n0\\n'")
    assert _taken(tmp_path).power_mode == "15W"


def test_a_virtual_machine_leaves_out_what_it_has_not(tmp_path: Path) -> None:
    found = _taken(virtual_machine(tmp_path)).to_json()
    assert found["board"] == "QEMU Standard PC (Q35 + ICH9, 2009)"
    assert found["processor"] == "Some CPU @ 2.60GHz"
    assert {"governor", "min_mhz", "max_mhz", "power_mode"}.isdisjoint(found)


def test_an_empty_root_is_no_error(tmp_path: Path) -> None:
    found = _taken(tmp_path).to_json()
    assert found["cores"] == 1
    assert read_conditions(root=tmp_path).load is None


def test_cores_that_this_process_may_not_use(tmp_path: Path) -> None:
    pi4(tmp_path)
    put(tmp_path, {"proc/self/status": "Cpus_allowed_list:\t2-3\n"})
    found = _taken(tmp_path)
    assert (found.cores, found.cores_allowed) == (4, 2)


@pytest.mark.parametrize("make", [pi4, pi5, orin_nano, virtual_machine])
def test_nobody_is_named(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    root = make(tmp_path / "root")
    text = json.dumps([_taken(root).to_json(), read_conditions(root=root).to_json(), machine(root)])
    for private in ("kitchen", "abcdef01", "secret-serial", str(tmp_path)):
        assert private not in text


def test_this_machine(tmp_path: Path) -> None:
    found = _taken(Path("/"))
    text = json.dumps(found.to_json())
    assert found.cores >= found.cores_allowed >= 1
    assert found.memory_mib is not None and found.memory_mib > 64
    assert found.kernel == os.uname().release
    assert socket.gethostname() not in text.split('"') and str(Path.home()) not in text


def test_the_revision_of_a_checkout(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        named = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *named, *arguments],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip

    assert revision(tmp_path) is None
    git("init", "-q", "-b", "main")
    put(tmp_path, {"a.txt": "1\n"})
    git("add", "a.txt")
    git("commit", "-qm", "a")
    git("tag", "-am", "a", "v1")
    commit = git("rev-parse", "--short=12", "HEAD")
    assert revision(tmp_path) == commit
    put(tmp_path, {"b.txt": "not tracked\n"})
    assert revision(tmp_path) == commit
    put(tmp_path, {"a.txt": "2\n"})
    assert revision(tmp_path) == f"{commit} dirty"


def test_conditions_of_a_pi_5(tmp_path: Path) -> None:
    found = read_conditions(root=pi5(tmp_path, throttled="0x50005"))
    assert found.zone is not None
    assert (found.zone.name, found.zone.celsius, found.zone.trip_celsius) == (
        "cpu-thermal", 56.485, 110.0
    )  # fmt: skip
    assert found.clocks_mhz == (2400.0,)
    assert found.firmware_mhz == pytest.approx(2400.03, abs=0.01)
    assert found.throttling.now == ("under-voltage", "throttled")
    assert found.throttling.since_boot == ("under-voltage", "throttled")
    assert (found.available_mib, found.swap_mib) == (2000.0, 1.0)


BITS = {
    "0": ((), ()),
    "1": (("under-voltage",), ()),
    "2": (("frequency capped",), ()),
    "4": (("throttled",), ()),
    "8": (("soft temperature limit",), ()),
    "10000": ((), ("under-voltage",)),
    "20000": ((), ("frequency capped",)),
    "40000": ((), ("throttled",)),
    "80000": ((), ("soft temperature limit",)),
    "c0009": (
        ("under-voltage", "soft temperature limit"),
        ("throttled", "soft temperature limit"),
    ),
}


@pytest.mark.parametrize(("bits", "meant"), BITS.items())
def test_every_bit_of_the_firmware(
    bits: str, meant: tuple[tuple[str, ...], tuple[str, ...]], tmp_path: Path
) -> None:
    found = read_conditions(root=pi4(tmp_path, throttled=bits)).throttling
    assert (found.now, found.since_boot) == meant


def test_an_orin_counts_its_alarms(tmp_path: Path) -> None:
    found = read_conditions(root=orin_nano(tmp_path, events=3))
    assert found.throttling.events == {
        "under-voltage": 0, "average over-current": 3, "instantaneous over-current": 37,
    }  # fmt: skip
    assert found.throttling.now == ()  # a fan is no lowered clock
    assert found.zone is not None and found.zone.name == "tj-thermal"


def test_alarms_of_an_unknown_jetson_keep_their_numbers(tmp_path: Path) -> None:
    orin_nano(tmp_path, events=3)
    put(tmp_path, {"proc/device-tree/compatible": "nvidia,p3668\0nvidia,tegra194\0"})
    assert "over-current alarm 2" in read_conditions(root=tmp_path).throttling.events


def test_a_lowered_clock_is_named(tmp_path: Path) -> None:
    orin_nano(tmp_path)
    put(tmp_path, {"sys/class/thermal/cooling_device0/cur_state": "4\n"})
    found = read_conditions(root=tmp_path).throttling.now
    assert found == ("clock lowered for heat (cpufreq-cpu0)",)


def test_an_x86_counts_its_heat(tmp_path: Path) -> None:
    virtual_machine(tmp_path)
    cpus = "sys/devices/system/cpu"
    put(
        tmp_path,
        {
            f"{cpus}/cpu0/thermal_throttle/core_throttle_count": "2\n",
            f"{cpus}/cpu1/thermal_throttle/core_throttle_count": "3\n",
            "sys/class/hwmon/hwmon0/name": "k10temp\n",
            "sys/class/hwmon/hwmon0/temp1_input": "61250\n",
        },
    )
    found = read_conditions(root=tmp_path)
    assert found.throttling.events == {"core at its heat limit": 5}
    assert found.zone is not None and found.zone.celsius == 61.25


@pytest.mark.parametrize("group", ["/", "/system.slice/bench.service"])
def test_a_quota_that_stopped_us(group: str, tmp_path: Path) -> None:
    virtual_machine(tmp_path)
    stat = f"sys/fs/cgroup{group.rstrip('/')}/cpu.stat"
    put(tmp_path, {"proc/self/cgroup": f"0::{group}\n", stat: "usage_usec 5\nnr_throttled 7\n"})
    events = read_conditions(root=tmp_path).throttling.events
    assert list(events.values()) == [7]
    put(tmp_path, {"proc/self/cgroup": "0::/../../etc\n"})
    assert read_conditions(root=tmp_path).throttling.events == {}


def test_others_work_is_what_is_not_ours(tmp_path: Path) -> None:
    pi4(tmp_path)
    before = read_conditions(root=tmp_path)
    # 10 s later: 18 s of processor time, 9 of them ours (a process and its child), 2 s stolen.
    set_cpu_time(tmp_path, at_s=110.0, busy_s=68.0, own_s=11.0, steal_s=2.0)
    load = read_conditions(before, root=tmp_path).load
    assert load is not None
    assert (load.seconds, load.own_cores) == (pytest.approx(10), pytest.approx(0.9))
    assert (load.others_cores, load.steal_cores) == (pytest.approx(0.9), pytest.approx(0.2))


def test_our_own_work_is_found_on_this_machine() -> None:
    before = read_conditions()
    end = time.monotonic() + 0.6
    busy = subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"])
    try:
        while time.monotonic() < end:
            pass
        load = read_conditions(before).load
    finally:
        busy.kill()
        busy.wait()
    assert load is not None
    # Two processes compute; a busy machine may give them less than a core each.
    assert 0.05 < load.own_cores < 2.3


def test_a_watch_follows_the_temperature(tmp_path: Path) -> None:
    pi4(tmp_path)
    with Watch(tmp_path, every_s=0.01) as watch:
        time.sleep(0.05)
        put(tmp_path, {"sys/class/thermal/thermal_zone0/temp": "81000\n"})
    samples = watch.samples
    assert len(samples) >= 2
    assert (samples[0].celsius, samples[-1].celsius) == (56.485, 81.0)
    assert samples[0].mhz == 1800.0
    assert watch.celsius_at(0.0) == 56.485 and watch.celsius_at(1e9) == 81.0
    watch.close()
    assert watch.samples == samples


def test_a_long_watch_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.fingerprint.watch._MOST", 8)
    with Watch(tmp_path, every_s=0.0005) as watch:
        deadline = time.monotonic() + 5
        while watch._every_s == 0.0005 and time.monotonic() < deadline:
            time.sleep(0.01)
    times = [sample.at_s for sample in watch.samples]
    assert 4 <= len(times) <= 9
    assert times == sorted(times) and times[0] < 0.05  # the begin is kept
    assert watch._every_s > 0.0005


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    # The shell's child holds the pipe; both go.
    script(tmp_path, "vcgencmd", "sleep 60")
    started = time.monotonic()
    assert System(tmp_path).ask("vcgencmd", "get_throttled", patience_s=0.2) is None
    assert time.monotonic() - started < 5


ANSWERS = {
    "fails": "exit 1",
    "says nothing": ":",
    "says no number": "echo throttled=0xzz",
    "not registered": "echo 'error=1 error_msg=\"Command not registered\"'",
    "bytes": "printf '\\377\\376\\000'",
}


@pytest.mark.parametrize("body", ANSWERS.values(), ids=ANSWERS)
def test_a_command_that_says_nothing_sensible(body: str, tmp_path: Path) -> None:
    pi5(tmp_path)
    script(tmp_path, "vcgencmd", body)
    found = read_conditions(root=tmp_path)
    assert found.throttling.now == () and found.firmware_mhz is None


def test_a_command_that_cannot_be_run(tmp_path: Path) -> None:
    script(tmp_path, "vcgencmd", "")
    (tmp_path / "usr/bin/vcgencmd").write_bytes(b"\x7fELF no program")
    assert System(tmp_path).ask("vcgencmd") is None


@given(text=st.text(max_size=200))
def test_files_that_say_anything(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("any")
    path = [
        *("proc/stat", "proc/uptime", "proc/meminfo", "proc/cpuinfo", "proc/self/stat"),
        *("proc/7/stat", "proc/self/status", "etc/os-release", "etc/nv_tegra_release"),
        *("etc/nvpmodel.conf", "var/lib/nvpmodel/status", "sys/devices/system/cpu/online"),
        "sys/class/thermal/thermal_zone0/temp",
        "sys/class/thermal/thermal_zone0/type",
        "sys/class/thermal/cooling_device0/cur_state",
        "sys/class/hwmon/hwmon0/oc1_event_cnt",
        "sys/devices/platform/soc/soc:firmware/get_throttled",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq",
    ]
    for name in path:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    json.dumps(_taken(root).to_json())
    json.dumps(read_conditions(read_conditions(root=root), root=root).to_json())
