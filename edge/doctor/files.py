"""Where the unit, the example configuration and the rules lie: in a checkout or in an install."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from edge.errors import MissingInput

__all__ = [
    "DISTRIBUTION",
    "DROP_IN",
    "EXAMPLE",
    "RULES",
    "SHARE",
    "UNIT",
    "USER",
    "service_file",
]

DISTRIBUTION = "unveil-edge"
#: Below the prefix of an environment: where a wheel puts the files of ``systemd/``.
SHARE = Path("share") / DISTRIBUTION / "systemd"

UNIT = "unveil-edge.service"
EXAMPLE = "unveil-edge.toml"
RULES = "99-unveil-edge.rules"
#: What a Jetson's cameras need beside the unit.
DROP_IN = "jetson.conf"
#: Who the service is: sysusers.d(5).
USER = "unveil-edge.sysusers"

_CHECKOUT = Path(__file__).resolve().parents[2] / "systemd"


def service_file(name: str, *, prefix: Path | None = None) -> bytes:
    """Return what one of the service's files says.

    Args:
        name: one of the constants above.
        prefix: of an environment whose files go before this one's; it need not be there.

    Raises:
        MissingInput: neither has it.
    """
    for path in _places(name, prefix):
        try:
            return path.read_bytes()
        except OSError:
            continue
    raise MissingInput(
        f"{name}: this install of {DISTRIBUTION} has no such file",
        hint=f"install it again: pip install --force-reinstall --no-deps {DISTRIBUTION}",
        code="install.file",
    )


def _places(name: str, prefix: Path | None) -> list[Path]:
    """Return where the file may lie, the best first."""
    places = [] if prefix is None else [prefix / SHARE / name]
    places.append(_CHECKOUT / name)
    try:
        recorded = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        recorded = []
    return places + [
        Path(str(path.locate())) for path in recorded if path.match(f"*/{SHARE}/{name}")
    ]
