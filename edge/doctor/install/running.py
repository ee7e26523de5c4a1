"""The service of a running machine: started, started anew after a change, stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.doctor.install.machine import Machine
from edge.doctor.install.target import SERVICE
from edge.errors import UnavailableError

__all__ = ["Running", "ServiceState", "how_it_fares", "read_state"]

_LOG = f"journalctl -u {SERVICE.removesuffix('.service')} -n 20 --no-pager"


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What systemd says of the service; its own words, see systemd.service(5).

    Attributes:
        active: ``active``, ``activating``, ``failed``, ``inactive`` ...
        result: why it ended, such as ``exit-code`` or ``watchdog``.
        exit_status: of its process, once that ended.
        text: its own line about itself.
        restarts: how often systemd has started it again by itself.
    """

    active: str = ""
    result: str = ""
    exit_status: str = ""
    text: str = ""
    restarts: int = 0


#: Asked of systemctl; systemd.service(5) and the D-Bus interface name them.
_PROPERTIES = ("ActiveState", "Result", "ExecMainStatus", "StatusText", "NRestarts")


def read_state(machine: Machine) -> ServiceState:
    """Ask systemd for the service's state.

    Raises:
        EdgeError: systemd does not answer.
    """
    asked = [f"--property={name}" for name in _PROPERTIES]
    said = machine.run(["systemctl", "show", SERVICE, *asked])
    pairs = (line.partition("=") for line in said.splitlines())
    active, result, exit_status, text, restarts = map({k: v for k, _, v in pairs}.get, _PROPERTIES)
    return ServiceState(
        active=active or "",
        result=result or "",
        exit_status=exit_status or "",
        text=text or "",
        restarts=int(restarts) if restarts and restarts.isdigit() else 0,
    )


def how_it_fares(state: ServiceState, config: Path) -> str:
    """Say how the service is; and, while its camera is awaited, how another one is named.

    Until the first frame systemd counts the service as being started, and lets ``systemctl reload``
    wait for that.
    """
    said = f"the service is {state.active}: {state.text or 'it says nothing yet'}"
    if state.active != "activating":
        return said
    return f"{said}; after a change of {config}: sudo systemctl restart {SERVICE}"


class Running:
    """The service runs, with all that was written before.

    Args:
        machine: a running one.
        has_changed: whether anything was written since it may have started.
        patience_s: how long its start is watched; a camera may be awaited for ever.
        look_every_s: how often systemd is asked meanwhile.
    """

    name = "service"
    takes_long = False
    stays = False

    def __init__(
        self,
        machine: Machine,
        has_changed: Callable[[], bool],
        *,
        patience_s: float = 20.0,
        look_every_s: float = 0.5,
    ) -> None:
        self._machine = machine
        self._has_changed = has_changed
        self._patience_s = patience_s
        self._look_every_s = look_every_s

    def lacks(self) -> str:
        """Tell whether it does not run, or runs with what was there before."""
        state = read_state(self._machine)
        if state.active in ("inactive", "failed", "deactivating"):
            return "start the service"
        fails = state.active == "activating" and state.restarts
        return "start the service again" if fails or self._has_changed() else ""

    def do(self) -> None:
        """Start it, and wait until it is ready, has failed, or patience is at its end.

        Raises:
            UnavailableError: it ended.
        """
        self._machine.run(["systemctl", "restart", "--no-block", SERVICE], mend=f"see {_LOG}")
        until = time.monotonic() + self._patience_s
        while time.monotonic() < until:
            time.sleep(self._look_every_s)
            state = read_state(self._machine)
            if state.active == "active":
                return
            if state.active == "failed" or state.restarts:
                how = f"{state.result} {state.exit_status}" if state.active == "failed" else "ends"
                raise UnavailableError(
                    f"the service does not start: {how}",
                    hint=f"see why with: {_LOG}",
                    code="install.start",
                )

    def is_there(self) -> bool:
        """Tell whether it runs, or tries to."""
        return read_state(self._machine).active not in ("inactive", "")

    def undo(self) -> None:
        """Stop it."""
        # systemd forgets a stopped unit that nothing refers to, but remembers that one failed.
        verb = "reset-failed" if read_state(self._machine).active == "failed" else "stop"
        self._machine.run(["systemctl", verb, SERVICE], mend=f"see {_LOG}")
