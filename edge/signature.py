"""Ed25519 signatures (RFC 8032) of a bundle's manifest, checked against keys that are trusted.

The manifest holds the digest of every other file, so a signature of its bytes covers them all. A
signature file is the 64 bytes themselves and a key file is what OpenSSL writes, so that neither
needs this program:

    openssl pkeyutl -verify -pubin -inkey KEY.pub -rawin -in bundle.json -sigfile bundle.json.sig

An older bundle keeps its good signature: whoever fears that it is put back compares the date.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import BundleError, ConfigError, MissingInput, UnavailableError

__all__ = ["SIGNATURE", "SIGNATURE_BYTES", "PublicKey", "read_public_key", "signer"]

#: Name of the signature's file beside the manifest.
SIGNATURE = "bundle.json.sig"
SIGNATURE_BYTES = 64

_MAX_KEY_BYTES = 4096
#: What stands before the 32 bytes of every Ed25519 key in the format of ``PUBLIC KEY`` (RFC 8410).
_DER_PREFIX = bytes.fromhex("302a300506032b6570032100")
_BEGIN, _END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures are checked with.

    Attributes:
        content: its 32 bytes.
    """

    content: bytes

    @property
    def name(self) -> str:
        """What people tell keys apart by: the first 16 digits of the key's sha256."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    def to_pem(self) -> str:
        """Return the text of a key file."""
        return f"{_BEGIN}\n{base64.b64encode(_DER_PREFIX + self.content).decode()}\n{_END}\n"


def read_public_key(path: str | os.PathLike[str]) -> PublicKey:
    """Read a public key's file.

    Raises:
        MissingInput: it cannot be opened.
        ConfigError: it holds no public Ed25519 key.
    """
    try:
        with open(path, "rb") as stream:
            content = stream.read(_MAX_KEY_BYTES + 1)
    except OSError as error:
        raise MissingInput(
            f"public key {Path(path)}: {error.strerror or error}", code="key.missing"
        ) from error
    lines = content.decode("ascii", "replace").split()
    text = " ".join(lines)
    if "PRIVATE KEY" in text:
        raise ConfigError(
            f"{Path(path)}: is a private key",
            hint="it belongs on no device; give the public key beside it",
            code="key.private",
        )
    inner = text.removeprefix(_BEGIN).removesuffix(_END).replace(" ", "")
    try:
        der = base64.b64decode(inner, validate=True) if text == f"{_BEGIN} {inner} {_END}" else b""
    except binascii.Error:
        der = b""
    if len(der) != len(_DER_PREFIX) + 32 or not der.startswith(_DER_PREFIX):
        raise ConfigError(
            f"{Path(path)}: is no public Ed25519 key",
            hint="make a pair of keys with: edge-export bundle keygen KEY",
            code="key.format",
        )
    return PublicKey(der[len(_DER_PREFIX) :])


def signer(keys: Sequence[PublicKey], message: bytes, signature: bytes, *, where: str) -> PublicKey:
    """Return the key that made a signature.

    Args:
        keys: that are trusted.
        message: the signed bytes.
        signature: what the signature's file holds; untrusted.
        where: that file, for messages.

    Raises:
        BundleError: none of the keys made it.
        UnavailableError: cryptography is not installed.
    """
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as error:
        raise UnavailableError(
            "checking a signature needs cryptography, which is not installed",
            hint="pip install unveil-edge[signed]",
            code="signature.library",
        ) from error
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(key.content).verify(signature, message)
        except (InvalidSignature, ValueError):
            continue
        return key
    raise BundleError(
        f"{where}: no trusted key made this signature of the manifest as it stands; trusted are "
        f"{', '.join(key.name for key in keys) or 'none'}",
        hint="copy the bundle again from a source that you trust, or trust its maker's key",
        code="bundle.signature",
    )
