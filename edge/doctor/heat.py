"""Temperature, what holds the clock down, and how much power the board may take."""

from __future__ import annotations

from edge.board.hardware import governor, power_mode
from edge.board.power_modes import PowerMode, power_modes
from edge.board.thermal import Thermometer
from edge.board.throttling import UNDER_VOLTAGE, read_throttling
from edge.doctor.case import Case
from edge.doctor.finding import Finding

__all__ = ["check_power", "check_temperature", "check_throttling"]

#: A Raspberry Pi lowers its clock from 80 °C on and stops at 85; raspberrypi.com, "Frequency
#: management and thermal control".
_HOT_CELSIUS, _TOO_HOT_CELSIUS = 75.0, 85.0
_COOL = "give it a heat sink, a fan, or air"
#: raspberrypi.com, "Power supplies".
_SUPPLIES = {"5": "5.1 V and 5 A (27 W)", "4": "5.1 V and 3 A (15 W)"}


def check_temperature(case: Case) -> list[Finding]:
    """Read the hottest zone."""
    zones = Thermometer(case.system).read()
    if not zones:
        return [Finding("temperature", "ok", "not to be read on this machine")]
    hottest = zones[0]
    what = f"{hottest.celsius:.0f} °C ({hottest.name})"
    if hottest.celsius >= _TOO_HOT_CELSIUS or hottest.at_trip:
        return [Finding("temperature", "fail", what, _COOL)]
    if hottest.celsius >= _HOT_CELSIUS:
        return [Finding("temperature", "warn", what, _COOL)]
    return [Finding("temperature", "ok", what)]


def check_throttling(case: Case) -> list[Finding]:
    """Say what holds the clock down now, and what has since the start."""
    said = read_throttling(case.system)
    findings = []
    for when, names in (("now", said.now), ("since the start", said.since_boot)):
        for name in names:
            mend = _supply(case) if name == UNDER_VOLTAGE else _COOL
            findings.append(Finding("throttling", "warn", f"{when}: {name}", mend))
    if findings:
        return findings
    counted = [f"{count} times {name}" for name, count in said.events.items() if count]
    return [Finding("throttling", "ok", f"none now; {', '.join(counted) or 'none counted'}")]


def _supply(case: Case) -> str:
    """Name the power supply of this board."""
    model = (case.system.text("proc/device-tree/model") or "").removeprefix("Raspberry Pi ")
    supply = _SUPPLIES.get(model[:1])
    if supply is None:
        return "use the power supply that the board's maker names, and a short cable"
    return f"use Raspberry Pi's own power supply of {supply} and its own cable, no hub, no phone's"


def check_power(case: Case) -> list[Finding]:
    """Name a Jetson's power mode, and a governor that keeps the clock low."""
    mode = power_mode(case.system)
    findings = []
    if mode is not None:
        findings.append(_mode(mode, power_modes(case.system)))
    said = governor(case.system)
    if said is not None and "powersave" in said:
        mend = "echo schedutil | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
        findings.append(Finding("power", "warn", f"governor {said} keeps the clock low", mend))
    elif said is not None:
        findings.append(Finding("power", "ok", f"governor {said}"))
    return findings or [Finding("power", "ok", "nothing to choose on this machine")]


def _mode(name: str, modes: tuple[PowerMode, ...]) -> Finding:
    """Hold a Jetson's power mode against the one that allows most: whoever set it chose to."""
    strongest = max(modes, key=lambda mode: mode.rank, default=None)
    if strongest is None:
        return Finding("power", "ok", f"mode {name}; others: sudo nvpmodel -q --verbose")
    if name == strongest.name:
        return Finding("power", "ok", f"mode {name}, the one that allows most")
    own = next((mode for mode in modes if mode.name == name), None)
    if strongest.watts is None:
        # Jetson Linux Developer Guide, "Supported Modes and Power Efficiency".
        cost = "has no limit: more heat, and lower clocks where supply or cooling fall short"
    else:
        less = f" instead of {own.watts}" if own is not None and own.watts else ""
        cost = f"takes up to {strongest.watts} W{less}"
    what = f"mode {name}, of {', '.join(mode.name for mode in modes)}; {strongest.name} {cost}"
    mend = f"sudo nvpmodel -m {strongest.number}, which may start the board again; then race again"
    return Finding("power", "ok", what, mend)
