"""Energy: sensors of fake boards, their commands run for real, and hostile lines."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.fingerprint import Meter, open_meter
from benchmarks.fingerprint.sensors import Ina, Rapl, TegrastatsSensor, board_watts, pmic_watts
from edge.board.system import System
from edge.board.tegrastats import parse_tegrastats
from tests.boards import (
    PMIC,
    TEGRASTATS,
    orin_nano,
    pi4,
    pi5,
    put,
    script,
    virtual_machine,
)


class _Constant:
    """A sensor that tells 3 J whenever it is asked."""

    name, every_s = "constant", 60.0

    def __init__(self) -> None:
        self.closed = 0

    def joules(self, now_s: float) -> float | None:
        return 3.0

    def close(self) -> None:
        self.closed += 1


def test_boards_without_a_sensor_have_no_meter(tmp_path: Path) -> None:
    assert open_meter(pi4(tmp_path / "pi")) is None
    assert open_meter(virtual_machine(tmp_path / "vm")) is None
    assert open_meter(tmp_path) is None


def test_an_orin_nano_is_measured_at_its_input(tmp_path: Path) -> None:
    meter = open_meter(orin_nano(tmp_path))
    assert meter is not None
    with meter:
        time.sleep(0.05)
    energy = meter.energy
    assert energy is not None
    assert energy.sensor == "INA VDD_IN"
    assert energy.watts == pytest.approx(6.0)  # 5 V at 1.2 A; the parts behind it do not count
    assert energy.joules == pytest.approx(6.0 * energy.seconds)
    assert energy.to_json(10)["joules_per_frame"] == pytest.approx(energy.joules / 10, abs=1e-6)


def test_a_pi_5_adds_up_its_rails(tmp_path: Path) -> None:
    meter = open_meter(pi5(tmp_path))
    assert meter is not None
    with meter:
        time.sleep(0.02)
    assert meter.energy is not None
    assert meter.energy.sensor == "PMIC, sum of rails"
    # By hand: 3.710912 x 0.1024727 + 3.309105 x 0.1083282 + 0.9 x 1.5 + 5.0786 x 0.0200244
    assert meter.energy.watts == pytest.approx(2.19044, abs=1e-4)


def test_a_meter_adds_up(tmp_path: Path) -> None:
    sensor = _Constant()
    with Meter(sensor) as meter:
        assert meter.energy is None
        time.sleep(0.01)
    assert meter.energy is not None
    assert (meter.energy.readings, meter.energy.joules) == (2, 6.0)
    meter.close()
    assert sensor.closed == 1


def test_power_becomes_energy_by_the_trapezoid_rule(tmp_path: Path) -> None:
    sensor = Ina(System(orin_nano(tmp_path)))
    current = tmp_path / "sys/class/hwmon/hwmon1/curr1_input"
    assert sensor.joules(10.0) == 0.0
    current.write_text("2000\n")
    assert sensor.joules(12.0) == pytest.approx(2 * (6.0 + 10.0) / 2)
    current.write_text("gone\n")
    current.unlink()
    (tmp_path / "sys/class/hwmon/hwmon1/curr2_input").unlink()
    assert sensor.joules(13.0) is None
    current.write_text("2000\n")
    assert sensor.joules(14.0) == pytest.approx(20.0)  # nothing of the gap is lost


def test_a_board_without_an_input_rail_adds_up(tmp_path: Path) -> None:
    assert board_watts({"VDD_GPU_SOC": 2.0, "VDD_CPU_CV": 1.0}) == ("VDD_GPU_SOC + VDD_CPU_CV", 3.0)
    assert board_watts({}) is None


def test_an_ina_that_tells_watts(tmp_path: Path) -> None:
    hwmon = "sys/class/hwmon/hwmon0"
    put(tmp_path, {f"{hwmon}/name": "ina219\n", f"{hwmon}/power1_input": "2500000\n"})
    assert Ina(System(tmp_path)).watts() == pytest.approx(2.5)


def _rapl(root: Path, package: int, core: int, dram: int) -> None:
    top = "sys/class/powercap/intel-rapl:0"
    for folder, name, count in (
        (top, "package-0", package),
        (f"{top}:0", "core", core),
        (f"{top}:1", "dram", dram),
        ("sys/class/powercap/intel-rapl:1", "psys", 9),
    ):
        put(
            root,
            {
                f"{folder}/name": f"{name}\n",
                f"{folder}/energy_uj": f"{count}\n",
                f"{folder}/max_energy_range_uj": "1000000\n",
            },
        )


def test_rapl_counts_packages_and_memory_and_begins_anew(tmp_path: Path) -> None:
    _rapl(tmp_path, 900_000, 5, 100)
    sensor = Rapl(System(tmp_path))
    assert sensor.joules(0.0) == 0.0
    _rapl(tmp_path, 100_000, 700_000, 50_100)
    assert sensor.joules(1.0) == pytest.approx(0.2 + 0.05)


def test_rapl_that_may_not_be_read_is_no_sensor(tmp_path: Path) -> None:
    _rapl(tmp_path, 1, 1, 1)
    for path in tmp_path.rglob("energy_uj"):
        path.unlink()
        path.mkdir()  # root may read everything, a folder nobody
    assert open_meter(tmp_path) is None


def test_tegrastats_is_run_and_ended(tmp_path: Path) -> None:
    script(tmp_path, "tegrastats", f"while :; do echo '{TEGRASTATS}'; sleep 0.02; done")
    meter = open_meter(tmp_path)
    assert meter is not None
    with meter:
        time.sleep(0.05)
    assert meter.energy is not None
    assert (meter.energy.sensor, meter.energy.watts) == ("tegrastats VDD_IN", pytest.approx(5.704))


def test_a_tegrastats_that_says_nothing_is_no_meter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.fingerprint.sensors._FIRST_LINE_S", 0.1)
    script(tmp_path, "tegrastats", "sleep 60")
    assert open_meter(tmp_path) is None
    script(tmp_path, "tegrastats", "echo 'needs root' >&2; exit 1")
    sensor = TegrastatsSensor(System(tmp_path))
    assert sensor.name == ""
    sensor.close()
    sensor.close()


def test_a_line_of_an_orin() -> None:
    read = parse_tegrastats(TEGRASTATS)
    assert read is not None
    assert read.rails_mw == {"VDD_IN": 5704, "VDD_CPU_GPU_CV": 831, "VDD_SOC": 1624}
    assert read.celsius == {"cpu": 46.531, "soc2": 47.312, "tj": 48.843}
    assert read.ram_mb == (2461, 7620)


def test_a_line_of_a_nano() -> None:
    read = parse_tegrastats(
        "RAM 1655/3956MB (lfb 311x4MB) SWAP 0/1978MB (cached 0MB) IRAM 0/252kB(lfb 252kB) "
        "CPU [12%@102,10%@102,off,off] EMC_FREQ 3%@1600 GR3D_FREQ 0%@76 APE 25 PLL@36.5C "
        "iwlwifi@44C thermal@38C POM_5V_IN 2132/2132 POM_5V_GPU 78/78 POM_5V_CPU 275/275"
    )
    assert read is not None
    assert read.rails_mw == {"POM_5V_IN": 2132, "POM_5V_GPU": 78, "POM_5V_CPU": 275}
    assert read.celsius["iwlwifi"] == 44.0


@given(st.text(max_size=400) | st.from_regex(r"([A-Z_]{1,9} ?[0-9]{1,9}(mW)?/[0-9]{1,9}@?C? ?)*"))
def test_any_line(line: str) -> None:
    read = parse_tegrastats(line)
    assert read is None or all(mw >= 0 for mw in read.rails_mw.values())


@given(st.integers(0, len(TEGRASTATS)), st.characters(codec="utf-8"))
def test_a_line_that_is_cut_or_altered(at: int, letter: str) -> None:
    for line in (TEGRASTATS[:at], TEGRASTATS[:at] + letter + TEGRASTATS[at + 1 :]):
        read = parse_tegrastats(line)
        assert read is None or read.rails_mw.get("VDD_SOC", 1624) < 10_000_000


@given(st.text(max_size=300) | st.integers(0, len(PMIC)).map(lambda at: PMIC[:at]))
def test_any_answer_of_the_pmic(printed: str) -> None:
    watts = pmic_watts(printed)
    assert watts is None or 0 <= watts < 1e13
