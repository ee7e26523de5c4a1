"""Whether the clock tells the time: a Raspberry Pi up to 4 has none that runs without power."""

from __future__ import annotations

from datetime import datetime, timezone

from edge.bundle import Bundle
from edge.doctor.case import Case
from edge.doctor.finding import Finding
from edge.errors import EdgeError

__all__ = ["check_clock"]

_MEND = "sudo timedatectl set-ntp true"
#: systemd-timesyncd makes it; others answer through timedatectl.
_SYNCHRONISED = "run/systemd/timesync/synchronized"


def check_clock(case: Case, now: datetime | None = None) -> list[Finding]:
    """Hold the clock against the bundle's date, and ask whether somebody sets it.

    Args:
        case: what is looked at.
        now: the time; None takes the clock's.
    """
    time = now or datetime.now(timezone.utc)
    made = _bundle_made(case)
    if made is not None and time < made:
        what = f"the clock says {time:%Y-%m-%d}, and the bundle was made on {made:%Y-%m-%d}"
        mend = f"{_MEND}, or set it: sudo timedatectl set-time '2026-01-31 12:00'"
        return [Finding("clock", "fail", f"{what}: TLS and dates will be wrong", mend)]
    if (case.system.root / _SYNCHRONISED).exists():
        return [Finding("clock", "ok", f"{time:%Y-%m-%d %H:%M} UTC, synchronised")]
    said = case.system.ask("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if said is not None and said.strip() == "yes":
        return [Finding("clock", "ok", f"{time:%Y-%m-%d %H:%M} UTC, synchronised")]
    if said is None:
        return [Finding("clock", "ok", f"{time:%Y-%m-%d %H:%M} UTC; nobody says whether it is set")]
    return [Finding("clock", "warn", f"{time:%Y-%m-%d %H:%M} UTC, not synchronised", _MEND)]


def _bundle_made(case: Case) -> datetime | None:
    try:
        made = datetime.fromisoformat(Bundle.open(case.bundle).created.replace("Z", "+00:00"))
    except (EdgeError, ValueError):
        return None
    return made if made.tzinfo else made.replace(tzinfo=timezone.utc)
