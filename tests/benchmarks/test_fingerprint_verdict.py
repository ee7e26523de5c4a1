"""Whether a run counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fingerprint import Conditions, Sample, read_conditions, remarks, verdict
from tests.boards import orin_nano, pi4, put, set_cpu_time


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return pi4(tmp_path)


def _after(root: Path, before: Conditions, *, others_s: float = 0.05) -> Conditions:
    """Read again after 10 s in which we had one core, and others so much."""
    set_cpu_time(root, at_s=110.0, busy_s=60.0 + others_s, own_s=12.0)
    return read_conditions(before, root=root)


def _samples(*clocks: float) -> list[Sample]:
    return [Sample(0.5 * i, 50.0, mhz, (), ()) for i, mhz in enumerate(clocks)]


def test_a_quiet_board_counts(root: Path) -> None:
    before = read_conditions(root=root)
    assert verdict(before, _after(root, before), _samples(*[1800.0] * 20)) == ()


def test_under_voltage_is_named_once(root: Path) -> None:
    before = read_conditions(root=root)
    put(root, {"sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n"})
    (voltage, throttled) = verdict(before, _after(root, before))
    assert "under-voltage" in voltage and "supply" in voltage
    assert "throttled" in throttled


def test_what_happened_before_the_run_is_a_remark(tmp_path: Path) -> None:
    root = pi4(tmp_path, throttled="50000")
    before = read_conditions(root=root)
    after = _after(root, before)
    assert verdict(before, after) == ()
    assert [line.rpartition(": ")[2] for line in remarks(before, after)] == [
        "under-voltage", "throttled",
    ]  # fmt: skip


def test_what_happened_in_between_is_a_reason(root: Path) -> None:
    before = read_conditions(root=root)
    put(root, {"sys/devices/platform/soc/soc:firmware/get_throttled": "80000\n"})
    after = _after(root, before)
    assert verdict(before, after) == ("throttled: soft temperature limit during the run",)
    assert remarks(before, after) == ()


def test_a_watch_sees_what_is_over_at_the_end(root: Path) -> None:
    before = read_conditions(root=root)
    seen = Sample(7.0, 80.0, 1500.0, ("cpu-thermal",), ("clock lowered for heat (cpufreq-cpu0)",))
    reasons = verdict(before, _after(root, before), [seen])
    assert len(reasons) == 2
    assert "7 s into the run" in reasons[0] and "trip point" in reasons[1]


def test_alarms_that_grew(tmp_path: Path) -> None:
    before = read_conditions(root=orin_nano(tmp_path, events=2))
    put(tmp_path, {"sys/class/hwmon/hwmon3/oc2_event_cnt": "5\n"})
    reasons = verdict(before, read_conditions(before, root=tmp_path))
    assert reasons == ("throttled: average over-current 3 times during the run",)


def test_too_hot(tmp_path: Path) -> None:
    before = read_conditions(root=orin_nano(tmp_path))
    put(tmp_path, {"sys/class/thermal/thermal_zone2/temp": "99000\n"})
    assert verdict(before, read_conditions(before, root=tmp_path)) == (
        "too hot: tj-thermal reached its trip point",
    )


#: Seconds of others' work in 10 s on 4 cores, cores that the run needs, whether it counts.
LOADS = [(3.9, 1, True), (4.1, 1, False), (1.9, 2, True), (2.1, 2, False), (1.1, 4, False)]


@pytest.mark.parametrize(("others_s", "needed", "counts"), LOADS)
def test_others_work(others_s: float, needed: int, counts: bool, root: Path) -> None:
    before = read_conditions(root=root)
    reasons = verdict(before, _after(root, before, others_s=others_s), needed=needed)
    assert (reasons == ()) is counts
    assert counts or "other processes" in reasons[0]


def test_a_host_that_takes_its_share(root: Path) -> None:
    before = read_conditions(root=root)
    set_cpu_time(root, at_s=110.0, busy_s=60.0, own_s=12.0, steal_s=5.0)
    (reason,) = verdict(before, read_conditions(before, root=root))
    assert "host" in reason


def test_a_clock_that_falls(root: Path) -> None:
    before = read_conditions(root=root)
    after = _after(root, before)
    assert verdict(before, after, _samples(*[1800.0] * 10, *[1500.0] * 10)) == (
        "the clock went from 1800 to 1500 MHz during the run",
    )
    # Before the run the governor lets the clock rest; that is no change of the run.
    assert verdict(replace(before, clocks_mhz=(600.0,)), after, _samples(*[1800.0] * 10)) == ()


def test_swap_and_power_mode(root: Path) -> None:
    before = read_conditions(root=root)
    after = replace(_after(root, before), swap_mib=33.0, power_mode="7W")
    swap, mode = verdict(before, after)
    assert "32 MiB" in swap
    assert "7W" in mode


def test_a_machine_without_sensors_is_not_blamed_for_it(tmp_path: Path) -> None:
    before = read_conditions(root=tmp_path)
    assert verdict(before, read_conditions(before, root=tmp_path), _samples()) == ()
