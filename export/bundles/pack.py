"""Write a bundle's files as a folder or as one file, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from edge.bundle import MANIFEST, Bundle
from edge.bundle_files import open_files, pack_files, read
from edge.errors import BundleError, OutputError
from edge.files import write_whole
from edge.manifest import MAX_MANIFEST_BYTES
from edge.signature import SIGNATURE, SIGNATURE_BYTES

__all__ = ["contents", "pack", "replace_folder", "unpack"]

#: Of all artefacts together; below what ``bundle_files`` reads, and in memory while it is packed.
_MAX_BYTES = 1000 * 1024 * 1024


def pack(bundle: Path, out: Path) -> Bundle:
    """Write a bundle's folder as one file.

    Args:
        bundle: its folder; a signature beside the manifest goes along.
        out: the file, such as ``NAME.bundle``; an older one is replaced.

    Returns:
        The bundle as the device will read it from the file.

    Raises:
        MissingInput, BundleError: the folder is no bundle that opens.
        OutputError: ``out`` is no file, or the disk is full or read-only.
    """
    files = contents(bundle)
    if out.is_dir():
        raise OutputError(
            f"{out}: is a folder", hint="name a file with --out", code="output.exists"
        )
    write_whole(out, pack_files(files))
    return Bundle.open(out)


def unpack(bundle: Path, out: Path) -> Bundle:
    """Write a bundle's one file as a folder.

    Args:
        bundle: the file.
        out: the folder; an older bundle there is replaced, anything else is left alone.

    Returns:
        The bundle as the device will read it from the folder.

    Raises:
        MissingInput, BundleError: the file is no bundle that opens.
        OutputError: ``out`` is there and no bundle, or the disk is full or read-only.
    """
    return replace_folder(out, iter(contents(bundle).items()))


def contents(path: Path) -> dict[str, bytes]:
    """Read every file of a bundle that opens, each as it was when it was checked.

    Raises:
        MissingInput, BundleError: it does not open, or was altered meanwhile.
        OutputError: it is larger than one file may be.
    """
    bundle, files = Bundle.open(path), open_files(path)
    if sum(artefact.size for artefact in bundle.artefacts) > _MAX_BYTES:
        raise OutputError(
            f"{path}: is larger than {_MAX_BYTES} bytes, which is too much for one file",
            hint="copy the folder, or leave out artefacts that the device does not run",
            code="output.large",
        )
    manifest = read(files, MANIFEST, MAX_MANIFEST_BYTES)
    if hashlib.sha256(manifest).hexdigest() != bundle.digest:
        raise BundleError(f"{files.where(MANIFEST)}: was altered meanwhile", code="bundle.altered")
    signature = {SIGNATURE: read(files, SIGNATURE, SIGNATURE_BYTES)} if bundle.is_signed else {}
    return {MANIFEST: manifest, **signature, **{a.file: a.content for a in bundle.artefacts}}


def replace_folder(out: Path, files: Iterator[tuple[str, bytes]]) -> Bundle:
    """Write a bundle's folder beside its target, read it back, and rename it.

    Args:
        out: the folder; an older bundle there is replaced, anything else is left alone.
        files: name and content of each.

    Returns:
        The bundle as the device will read it.

    Raises:
        OutputError: ``out`` is there and no bundle, or the disk is full or read-only.
        BundleError: what was written does not open.
    """
    _check_target(out)
    part = out.with_name(f".{secrets.token_hex(8)}.part")
    old = out.with_name(f".{secrets.token_hex(8)}.old")
    try:
        part.mkdir(parents=True)
        for name, content in files:
            write_whole(part / name, content)
        Bundle.open(part)
        if out.exists():
            out.rename(old)
        part.rename(out)
        _sync(out.parent)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written: {error.strerror}",
            hint="free some space or name another folder with --out",
            code="output.write",
        ) from error
    finally:
        if old.exists() and not out.exists():
            old.rename(out)
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return Bundle.open(out)


def _check_target(out: Path) -> None:
    """Refuse to replace a folder that is no bundle: it may be somebody's home."""
    taken = out.exists() or out.is_symlink()
    if taken and not (out.is_dir() and ((out / MANIFEST).is_file() or not any(out.iterdir()))):
        raise OutputError(
            f"{out}: is there already and is no bundle",
            hint="name another folder with --out, or remove this one",
            code="output.exists",
        )


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
