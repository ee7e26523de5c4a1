"""Make trees of plain files that look like a board's /proc, /sys, /etc and commands.

What the files say follows what such boards print: Raspberry Pi OS on a Pi 4 and a Pi 5, JetPack 6
on an Orin Nano, and a virtual machine without any sensor.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "NVPMODEL",
    "NVPMODEL_SUPER",
    "PMIC",
    "TEGRASTATS",
    "orin_nano",
    "pi4",
    "pi5",
    "put",
    "script",
    "set_cpu_time",
    "virtual_machine",
]

#: ``vcgencmd pmic_read_adc`` of a Pi 5.
PMIC = """\
 3V7_WL_SW_A current(0)=0.10247270A
   3V3_SYS_A current(1)=0.10832820A
  VDD_CORE_A current(7)=1.50000000A
      HDMI_A current(22)=0.02002440A
 3V7_WL_SW_V volt(8)=3.71091200V
   3V3_SYS_V volt(9)=3.30910500V
  VDD_CORE_V volt(15)=0.90000000V
      HDMI_V volt(23)=5.07860000V
     EXT5V_V volt(24)=5.05716000V
      BATT_V volt(25)=0.00000000V
"""
#: /etc/nvpmodel.conf of an Orin Nano, of what is read here: Jetson Linux Developer Guide r36.3,
#: "Supported Modes and Power Efficiency".
NVPMODEL = """\
# < POWER_MODEL ID=id_num NAME=mode_name >
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online
< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
CPU_ONLINE CORE_4 1
CPU_A78_0 MAX_FREQ 1510400
GPU MAX_FREQ 624750000
< POWER_MODEL ID=1 NAME=7W >
CPU_ONLINE CORE_0 1
CPU_ONLINE CORE_4 0
CPU_A78_0 MAX_FREQ 960000
GPU MAX_FREQ 408000000
# mandatory section to configure the default power mode
< PM_CONFIG DEFAULT=0 >
"""
#: The same of the Super configuration of JetPack 6.2: r36.4.3, the mode of most power is not 0.
NVPMODEL_SUPER = """\
< POWER_MODEL ID=0 NAME=15W >
< POWER_MODEL ID=1 NAME=25W >
< POWER_MODEL ID=2 NAME=MAXN_SUPER >
< POWER_MODEL ID=3 NAME=7W >
< PM_CONFIG DEFAULT=1 >
"""
#: The part of dpkg's status file that tells of JetPack, as of JetPack 6.2.
_DPKG = """\
Package: nvidia-jetpack-dev
Status: install ok installed
Version: 6.2+b77

Package: nvidia-jetpack
Status: install ok installed
Priority: standard
Section: metapackages
Installed-Size: 194
Maintainer: NVIDIA Corporation
Architecture: arm64
Source: nvidia-jetpack (6.2)
Version: 6.2+b77
Depends: nvidia-jetpack-runtime (= 6.2+b77), nvidia-jetpack-dev (= 6.2+b77)

Package: python3-libnvinfer
Status: install ok installed
Version: 10.3.0.30-1+cuda12.5
"""
#: A line of ``tegrastats`` on an Orin Nano.
TEGRASTATS = (
    "11-30-2025 13:26:01 RAM 2461/7620MB (lfb 3x2MB) SWAP 1243/3810MB (cached 5MB) "
    "CPU [19%@729,14%@729,22%@729,8%@729,off,off] EMC_FREQ 4%@2133 GR3D_FREQ 0%@[305] NVDEC off "
    "APE 200 cpu@46.531C soc2@47.312C cv0@-256C tj@48.843C VDD_IN 5704mW/5611mW "
    "VDD_CPU_GPU_CV 831mW/820mW VDD_SOC 1624mW/1600mW"
)


def put(root: Path, files: dict[str, str]) -> None:
    """Write files below a root."""
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def script(root: Path, name: str, body: str) -> None:
    """Write a command: a shell script in usr/bin."""
    put(root, {f"usr/bin/{name}": f"#!/bin/sh\n{body}\n"})
    (root / "usr/bin" / name).chmod(0o755)


def _common(root: Path, *, cores: int, memory_kb: int) -> None:
    put(
        root,
        {
            "sys/devices/system/cpu/online": f"0-{cores - 1}\n",
            "proc/self/status": f"Name:\tpython3\nCpus_allowed_list:\t0-{cores - 1}\n",
            "proc/meminfo": (
                f"MemTotal:       {memory_kb} kB\nMemFree:         1000000 kB\n"
                "MemAvailable:    2048000 kB\nSwapTotal:        524288 kB\n"
                "SwapFree:         523264 kB\n"
            ),
            "proc/sys/kernel/osrelease": "6.6.31+rpt-rpi-v8\n",
            "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
        },
    )
    set_cpu_time(root, at_s=100.0, busy_s=50.0, own_s=2.0)


def set_cpu_time(
    root: Path, *, at_s: float, busy_s: float, own_s: float, steal_s: float = 0.0
) -> None:
    """Write the counters of /proc, in seconds: of all, and of two processes of ours."""
    busy, own, steal = round(busy_s * 100), round(own_s * 100), round(steal_s * 100)
    parent = f"42 (a (strange) name) R 1 42 42 0 -1 0 9 9 9 9 {own // 2} 0 0 0 20 0 1 0 5 0 0\n"
    child = f"43 (worker) R 42 42 42 0 -1 0 9 9 9 9 {own - own // 2} 0 0 0 20 0 1 0 5 0 0\n"
    put(
        root,
        {
            "proc/uptime": f"{at_s:.2f} 400.00\n",
            "proc/stat": f"cpu  {busy} 0 0 90000 50 0 0 {steal} 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n",
            "proc/self/stat": parent,
            "proc/42/stat": parent,
            "proc/43/stat": child,
            "proc/44/stat": "44 (stranger) R 1 1 1 0 -1 0 9 9 9 9 777 0 0 0 20 0 1 0 5 0 0\n",
        },
    )


def _arm_cpus(part: str, count: int) -> str:
    return "".join(
        f"processor\t: {n}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd crc32\n"
        f"CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n"
        f"CPU part\t: {part}\nCPU revision\t: 3\n\n"
        for n in range(count)
    )


def _policy(root: Path, name: str, low_khz: int, high_khz: int, now_khz: int) -> None:
    folder = f"sys/devices/system/cpu/cpufreq/{name}"
    put(
        root,
        {
            f"{folder}/scaling_governor": "ondemand\n",
            f"{folder}/scaling_min_freq": f"{low_khz}\n",
            f"{folder}/scaling_max_freq": f"{high_khz}\n",
            f"{folder}/scaling_cur_freq": f"{now_khz}\n",
        },
    )


def pi4(root: Path, *, throttled: str = "0") -> Path:
    """Make a Raspberry Pi 4; ``throttled`` is the kernel's hexadecimal number."""
    _common(root, cores=4, memory_kb=3884348)
    put(
        root,
        {
            "proc/cpuinfo": _arm_cpus("0xd08", 4)
            + "Revision\t: c03115\nSerial\t\t: 10000000abcdef01\nModel\t\t: Raspberry Pi 4\n",
            "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.5\0",
            "proc/device-tree/serial-number": "10000000abcdef01\0",
            "etc/hostname": "kitchen\n",
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "56485\n",
            "sys/class/thermal/thermal_zone0/trip_point_0_type": "critical\n",
            "sys/class/thermal/thermal_zone0/trip_point_0_temp": "110000\n",
            "sys/class/thermal/thermal_zone0/trip_point_1_type": "active\n",
            "sys/class/thermal/thermal_zone0/trip_point_1_temp": "50000\n",
            "sys/devices/platform/soc/soc:firmware/get_throttled": f"{throttled}\n",
        },
    )
    _policy(root, "policy0", 600000, 1800000, 1800000)
    return root


def pi5(root: Path, *, throttled: str = "0x0") -> Path:
    """Make a Raspberry Pi 5, whose firmware is asked by ``vcgencmd``."""
    pi4(root)
    (root / "sys/devices/platform/soc/soc:firmware/get_throttled").unlink()
    put(
        root,
        {
            "proc/cpuinfo": _arm_cpus("0xd0b", 4),
            "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
            "pmic": PMIC,
        },
    )
    _policy(root, "policy0", 1500000, 2400000, 2400000)
    script(
        root,
        "vcgencmd",
        'case "$*" in\n'
        f"get_throttled) echo throttled={throttled};;\n"
        "'measure_clock arm') echo 'frequency(0)=2400033792';;\n"
        f"pmic_read_adc) cat '{root}/pmic';;\n"
        "*) exit 1;; esac",
    )
    return root


def orin_nano(root: Path, *, events: int = 0) -> Path:
    """Make an Orin Nano of JetPack 6; ``events`` is its count of average over-current."""
    _common(root, cores=6, memory_kb=7802880)
    put(
        root,
        {
            "proc/cpuinfo": _arm_cpus("0xd42", 6),
            "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
            "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0",
            "etc/os-release": 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\n',
            "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: g\n",
            "var/lib/nvpmodel/status": "pmode:0001",
            "etc/nvpmodel.conf": NVPMODEL,
            "var/lib/dpkg/status": _DPKG,
            # What jetson_clocks --show prints comes from here; in the mode 15W.
            "sys/class/devfreq/17000000.gpu/min_freq": "306000000\n",
            "sys/class/devfreq/17000000.gpu/max_freq": "624750000\n",
            "sys/class/devfreq/17000000.gpu/cur_freq": "306000000\n",
            "sys/class/devfreq/17000000.gpu/available_frequencies": "306000000 408000000 510000000 "
            "612000000 624750000\n",
            "sys/class/devfreq/15340000.vic/max_freq": "435200000\n",
            # tegra234 has two; the firmware of an Orin Nano switches them off.
            "proc/device-tree/bus@0/host1x@13e00000/nvdla0@15880000/status": "disabled\0",
            "proc/device-tree/bus@0/host1x@13e00000/nvdla1@158c0000/status": "disabled\0",
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "48500\n",
            "sys/class/thermal/thermal_zone1/type": "cv0-thermal\n",
            "sys/class/thermal/thermal_zone1/temp": "-256000\n",
            "sys/class/thermal/thermal_zone2/type": "tj-thermal\n",
            "sys/class/thermal/thermal_zone2/temp": "49250\n",
            "sys/class/thermal/thermal_zone2/trip_point_0_type": "passive\n",
            "sys/class/thermal/thermal_zone2/trip_point_0_temp": "99000\n",
            "sys/class/thermal/cooling_device0/type": "cpufreq-cpu0\n",
            "sys/class/thermal/cooling_device0/cur_state": "0\n",
            "sys/class/thermal/cooling_device1/type": "pwm-fan\n",
            "sys/class/thermal/cooling_device1/cur_state": "2\n",
            "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
            "sys/class/hwmon/hwmon1/name": "ina3221\n",
            "sys/class/hwmon/hwmon1/in1_label": "VDD_IN\n",
            "sys/class/hwmon/hwmon1/in1_input": "5000\n",
            "sys/class/hwmon/hwmon1/curr1_input": "1200\n",
            "sys/class/hwmon/hwmon1/in2_label": "VDD_CPU_GPU_CV\n",
            "sys/class/hwmon/hwmon1/in2_input": "5000\n",
            "sys/class/hwmon/hwmon1/curr2_input": "400\n",
            "sys/class/hwmon/hwmon1/in7_label": "sum of shunt voltages\n",
            "sys/class/hwmon/hwmon1/in7_input": "7\n",
            "sys/class/hwmon/hwmon3/name": "soctherm_oc\n",
            "sys/class/hwmon/hwmon3/oc1_event_cnt": "0\n",
            "sys/class/hwmon/hwmon3/oc2_event_cnt": f"{events}\n",
            "sys/class/hwmon/hwmon3/oc3_event_cnt": "37\n",
        },
    )
    _policy(root, "policy0", 729600, 1510400, 1510400)
    _policy(root, "policy4", 729600, 1510400, 729600)
    return root


def virtual_machine(root: Path) -> Path:
    """Make a virtual machine: no clock that can be chosen, no temperature, no power."""
    _common(root, cores=2, memory_kb=8000000)
    put(
        root,
        {
            "proc/cpuinfo": 2 * "model name\t: Some CPU @ 2.60GHz\ncpu MHz\t\t: 2596.1\n\n",
            "sys/class/dmi/id/sys_vendor": "QEMU\n",
            "sys/class/dmi/id/product_name": "Standard PC (Q35 + ICH9, 2009)\n",
            "sys/class/dmi/id/product_serial": "secret-serial\n",
        },
    )
    return root
