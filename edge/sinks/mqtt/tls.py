"""TLS to the broker: who may vouch for it."""

from __future__ import annotations

import ssl

from edge.errors import MissingInput

__all__ = ["tls_context"]


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return a context that checks the broker's certificate and name.

    Args:
        ca_file: PEM file of the only authorities; empty for those of the system.

    Raises:
        MissingInput: there are no certificates in it.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:  # ssl.SSLError is one
        raise MissingInput(
            f"{ca_file!r}: no certificates can be read from it",
            hint="name a PEM file with the certificate of the broker's authority",
            code="mqtt.ca_file",
        ) from error
    context.sslsocket_class = _Closing
    return context


class _Closing(ssl.SSLSocket):
    """Closed when its handshake fails, which paho leaves to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands."""
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise
