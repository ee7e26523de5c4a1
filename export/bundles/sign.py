"""Make Ed25519 keys, and sign the manifest of a bundle with them."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.bundle import MANIFEST
from edge.bundle_files import pack_files
from edge.errors import ConfigError, MissingInput, OutputError, UnavailableError
from edge.files import write_whole
from edge.signature import SIGNATURE, PublicKey
from export.bundles.pack import contents

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["make_key", "sign"]

_MAX_KEY_BYTES = 4096


def make_key(path: Path) -> PublicKey:
    """Write a new pair of keys: the private one here, the public one beside it.

    Args:
        path: file of the private key, mode 0600 and not encrypted; the public one is called the
            same with ``.pub`` at its end.

    Returns:
        The public key.

    Raises:
        UnavailableError: cryptography is not installed.
        OutputError: one of the files is there already, or the disk is full or read-only.
    """
    library = _library()
    beside = path.with_name(path.name + ".pub")
    for target in (path, beside):
        if target.exists() or target.is_symlink():
            raise OutputError(
                f"{target}: is there already, and a lost key cannot be made again",
                hint="name another file",
                code="key.exists",
            )
    private = library.Ed25519PrivateKey.generate()
    public = _public(private)
    _write_private(path, private)
    write_whole(beside, public.to_pem().encode())
    return public


def sign(bundle: Path, key: Path) -> PublicKey:
    """Sign a bundle's manifest; an older signature is replaced.

    Args:
        bundle: its folder, which gets a file ``bundle.json.sig``, or its one file, which is
            written anew.
        key: file of the private key.

    Returns:
        The public key that the signature can be checked with.

    Raises:
        MissingInput, BundleError: the bundle does not open, or there is no such key.
        ConfigError: it is no private Ed25519 key, is encrypted, or others may read it.
        UnavailableError: cryptography is not installed.
        OutputError: the disk is full or read-only.
    """
    private = _read_private(key)
    files = contents(bundle)
    signature = private.sign(files[MANIFEST])
    if bundle.is_dir():
        write_whole(bundle / SIGNATURE, signature)
    else:
        write_whole(bundle, pack_files({**files, SIGNATURE: signature}))
    return _public(private)


def _public(private: Ed25519PrivateKey) -> PublicKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return PublicKey(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def _write_private(path: Path, private: Ed25519PrivateKey) -> None:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    content = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        # Never readable by others, not even for a moment.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with open(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(handle)
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written: {error.strerror or error}",
            hint="free some space or name a folder that can be written to",
            code="output.write",
        ) from error


def _read_private(path: Path) -> Ed25519PrivateKey:
    library = _library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        with open(path, "rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(_MAX_KEY_BYTES + 1)
    except OSError as error:
        raise MissingInput(
            f"private key {path}: {error.strerror or error}",
            hint="make one with: edge-export bundle keygen KEY",
            code="key.missing",
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(
            f"{path}: others may read this private key (mode {stat.S_IMODE(mode):04o})",
            hint=f"chmod 600 '{path}', and make another key if somebody may have seen it",
            code="key.mode",
        )
    try:
        private = load_pem_private_key(content, password=None)
    except TypeError as error:
        raise ConfigError(
            f"{path}: is encrypted, and nobody is here to be asked for the password",
            hint="decrypt it with: openssl pkey -in KEY -out PLAIN",
            code="key.encrypted",
        ) from error
    except (ValueError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, library.Ed25519PrivateKey):
        raise ConfigError(
            f"{path}: is no private Ed25519 key",
            hint="make one with: edge-export bundle keygen KEY",
            code="key.format",
        )
    return private


def _library() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise UnavailableError(
            "signing needs cryptography, which is not installed",
            hint="pip install unveil-edge[signed]",
            code="signature.library",
        ) from error
    return ed25519
