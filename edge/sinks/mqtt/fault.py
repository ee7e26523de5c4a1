"""Why there is no connection, in words and as a code."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

__all__ = ["Fault", "fault_of"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no connection.

    Attributes:
        code: stable, such as ``mqtt.away``.
        reason: one clause.
    """

    code: str
    reason: str


def fault_of(error: Exception) -> Fault:
    """Return what an exception of a connection means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Fault("mqtt.certificate", f"its certificate is not valid: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return Fault("mqtt.tls", f"it talks no TLS that fits: {error.reason or error}")
    if isinstance(error, OSError):
        return Fault("mqtt.away", (error.strerror or str(error)).lower() or "no answer")
    return Fault("mqtt.protocol", f"it talks no MQTT: {type(error).__name__}")
