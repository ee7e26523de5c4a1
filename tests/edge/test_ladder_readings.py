"""What the ladder reads of a board: trees of files, and one of the commands."""

from __future__ import annotations

from pathlib import Path

from edge.board.system import System
from edge.service.readings import Gauges, Readings
from tests.boards import TEGRASTATS, orin_nano, pi4, pi5, put, script, virtual_machine


def read(root: Path, missed_share: float = 0.0, now_s: float = 0.0) -> Readings:
    return Gauges(System(root)).read(missed_share, now_s)


def test_a_raspberry_pi(tmp_path: Path) -> None:
    seen = read(pi4(tmp_path, throttled="50005"), missed_share=0.25)
    assert seen == Readings(56.485, ("under-voltage", "throttled"), 2000.0, 0.25)


def test_a_jetson_reads_its_zones_and_clocks(tmp_path: Path) -> None:
    root = orin_nano(tmp_path)
    put(root, {"sys/class/thermal/cooling_device0/cur_state": "2\n"})
    seen = read(root)
    assert seen.celsius == 49.25
    assert seen.throttled == ("clock lowered for heat (cpufreq-cpu0)",)


def test_a_jetson_that_shows_no_zones_is_followed_by_its_command(tmp_path: Path) -> None:
    """As in a container that has the command and not the kernel's files."""
    script(tmp_path, "tegrastats", f"echo '{TEGRASTATS}'; echo nonsense; exec sleep 60")
    with Gauges(System(tmp_path)) as gauges:
        assert gauges.read(0.0, 0.0).celsius == 48.843
    gauges.close()  # a second time does nothing
    script(tmp_path, "tegrastats", "echo 'needs root' >&2; exit 1")
    with Gauges(System(tmp_path)) as gauges:
        assert gauges.read(0.0, 0.0).celsius is None


def test_a_virtual_machine_says_little(tmp_path: Path) -> None:
    assert read(virtual_machine(tmp_path)) == Readings(available_mib=2000.0)


def test_nothing_to_read_is_nothing_said(tmp_path: Path) -> None:
    assert read(tmp_path) == Readings()


def test_the_firmware_is_not_asked_more_often_than_each_ten_seconds(tmp_path: Path) -> None:
    root = pi5(tmp_path)
    asked = root / "asked"
    script(root, "vcgencmd", f"echo x >>'{asked}'; echo throttled=0x4")
    gauges = Gauges(System(root))
    for now_s in (0.0, 2.0, 9.9):
        assert gauges.read(0.0, now_s).throttled == ("throttled",)
    assert asked.read_text() == "x\n"
    script(root, "vcgencmd", f"echo x >>'{asked}'; echo throttled=0x0")
    assert gauges.read(0.0, 10.0).throttled == ()
    assert asked.read_text() == "x\nx\n"


def test_heat_is_read_anew_each_time(tmp_path: Path) -> None:
    root = pi4(tmp_path)
    gauges = Gauges(System(root))
    gauges.read(0.0, 0.0)
    put(root, {"sys/class/thermal/thermal_zone0/temp": "81000\n"})
    assert gauges.read(0.0, 1.0).celsius == 81.0


def test_the_bound_of_the_service_counts_when_it_is_nearer(tmp_path: Path) -> None:
    root, own = virtual_machine(tmp_path), "sys/fs/cgroup/system.slice/unveil-edge.service"
    mib = 1 << 20
    put(
        root,
        {
            "proc/self/cgroup": "0::/system.slice/unveil-edge.service\n",
            f"{own}/memory.current": f"{600 * mib}\n",
            f"{own}/memory.high": f"{640 * mib}\n",
            f"{own}/memory.max": f"{768 * mib}\n",
            f"{own}/memory.stat": f"anon 5\ninactive_file {30 * mib}\nactive_file 7\n",
        },
    )
    assert read(root).available_mib == 70.0
    put(root, {f"{own}/memory.high": "max\n"})
    assert read(root).available_mib == 198.0
    put(root, {f"{own}/memory.max": "max\n"})
    assert read(root).available_mib == 2000.0


def test_a_strange_control_group_is_not_followed(tmp_path: Path) -> None:
    root = virtual_machine(tmp_path)
    put(
        root,
        {"proc/self/cgroup": "0::/../../etc\n", "etc/memory.current": "1", "etc/memory.max": "2"},
    )
    assert read(root).available_mib == 2000.0
