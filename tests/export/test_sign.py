"""Keys that only their owner reads, and signatures that others can check."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="needs cryptography: pip install -e .[signed]")

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from edge.bundle import Bundle
from edge.errors import BundleError, ConfigError, MissingInput, OutputError
from edge.signature import read_public_key
from export.bundles.pack import pack
from export.bundles.sign import make_key, sign
from tests.makers import write_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", ["mask"])


def test_what_is_signed_opens_for_those_who_demand_it(tmp_path: Path, folder: Path) -> None:
    key = make_key(tmp_path / "maker")
    assert read_public_key(tmp_path / "maker.pub") == key
    digest = Bundle.open(folder).digest
    assert sign(folder, tmp_path / "maker") == key
    assert sorted(os.listdir(folder)) == ["bundle.json", "bundle.json.sig", "mask.null"]
    bundle = Bundle.open(folder, keys=[key])
    assert (bundle.signed_by, bundle.digest) == (key, digest)
    other = make_key(tmp_path / "other")
    with pytest.raises(BundleError, match="no trusted key"):
        Bundle.open(folder, keys=[other])
    sign(folder, tmp_path / "other")  # in the place of the older one
    assert Bundle.open(folder, keys=[key, other]).signed_by == other


def test_one_file_is_signed_as_well(tmp_path: Path, folder: Path) -> None:
    key = make_key(tmp_path / "maker")
    pack(folder, tmp_path / "one.bundle")
    sign(tmp_path / "one.bundle", tmp_path / "maker")
    assert Bundle.open(tmp_path / "one.bundle", keys=[key]).signed_by == key
    sign(tmp_path / "one.bundle", tmp_path / "maker")
    assert Bundle.open(tmp_path / "one.bundle", keys=[key]).signed_by == key


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl: apt install openssl")
def test_openssl_checks_it_too(tmp_path: Path, folder: Path) -> None:
    make_key(tmp_path / "maker")
    sign(folder, tmp_path / "maker")
    command = [
        "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", tmp_path / "maker.pub", "-rawin",
        "-in", folder / "bundle.json", "-sigfile", folder / "bundle.json.sig",
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.strip()) == (0, "Signature Verified Successfully")


def test_nobody_else_reads_a_private_key(tmp_path: Path, folder: Path) -> None:
    before = os.umask(0)
    try:
        make_key(tmp_path / "maker")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "maker").stat().st_mode) == 0o600
    for mode in (0o640, 0o604, 0o644, 0o620):
        (tmp_path / "maker").chmod(mode)
        with pytest.raises(ConfigError, match=f"mode {mode:04o}") as caught:
            sign(folder, tmp_path / "maker")
        assert caught.value.code == "key.mode"
    (tmp_path / "maker").chmod(0o400)
    sign(folder, tmp_path / "maker")


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    make_key(tmp_path / "maker")
    kept = (tmp_path / "maker").read_bytes()
    with pytest.raises(OutputError, match="maker: is there already"):
        make_key(tmp_path / "maker")
    (tmp_path / "maker").rename(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=r"maker\.pub: is there already"):
        make_key(tmp_path / "maker")
    assert (tmp_path / "elsewhere").read_bytes() == kept
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "maker.pub"]
    with pytest.raises(OutputError, match="cannot be written"):
        make_key(tmp_path / "nowhere" / "maker")


def _pem(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: bytes) -> bytes:
    hidden = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "key.format"),
        (b"\xff" * 10**5, "key.format"),
        (_pem(ed25519.Ed25519PrivateKey.generate(), b"")[:-40], "key.format"),
        (_pem(ec.generate_private_key(ec.SECP256R1()), b""), "key.format"),
        (_pem(ed25519.Ed25519PrivateKey.generate(), b"secret"), "key.encrypted"),
    ],
    ids=["empty", "bytes", "cut", "of another kind", "encrypted"],
)
def test_a_file_that_is_no_private_key_is_refused(
    tmp_path: Path, folder: Path, content: bytes, code: str
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        sign(folder, path)
    assert caught.value.code == code and str(path) in str(caught.value)
    assert not Bundle.open(folder).is_signed


def test_the_public_key_does_not_sign(tmp_path: Path, folder: Path) -> None:
    make_key(tmp_path / "maker")
    (tmp_path / "maker.pub").chmod(0o600)
    with pytest.raises(ConfigError, match="no private Ed25519 key"):
        sign(folder, tmp_path / "maker.pub")
    with pytest.raises(MissingInput, match=r"private key .*nowhere: No such file"):
        sign(folder, tmp_path / "nowhere")


def test_a_broken_bundle_is_not_signed(tmp_path: Path, folder: Path) -> None:
    make_key(tmp_path / "maker")
    (folder / "mask.null").write_bytes(b"nothing computes musk")
    with pytest.raises(BundleError, match=r"mask\.null"):
        sign(folder, tmp_path / "maker")
    assert sorted(os.listdir(folder)) == ["bundle.json", "mask.null"]
