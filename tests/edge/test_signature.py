"""A device that demands a signature runs nothing without a good one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("cryptography", reason="needs cryptography: pip install -e .[signed]")

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from edge.bundle import Bundle
from edge.bundle_files import pack_files
from edge.errors import BundleError, ConfigError, EdgeError, MissingInput
from edge.signature import PublicKey, read_public_key
from tests.hostile.process import assert_refused, run_edge
from tests.makers import write_bundle

ONE = "synthetic://?faces=0&frames=1&width=64&height=48"


def pair(seed: int) -> tuple[Any, PublicKey]:
    """Return a private key and its public one, always the same for a seed."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32))
    return private, PublicKey(private.public_key().public_bytes_raw())


MAKER, TRUSTED = pair(1)
STRANGER, OTHER = pair(2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", ["detect", "mask", "identity"])


def sign(folder: Path, private: Any = MAKER) -> None:
    signature = private.sign((folder / "bundle.json").read_bytes())
    (folder / "bundle.json.sig").write_bytes(signature)


def key_file(folder: Path, key: PublicKey = TRUSTED) -> Path:
    path = folder / f"{key.name}.pub"
    path.write_text(key.to_pem())
    return path


def test_a_good_signature_by_a_trusted_key_opens(folder: Path, tmp_path: Path) -> None:
    sign(folder)
    bundle = Bundle.open(folder, keys=[OTHER, TRUSTED])
    assert (bundle.is_signed, bundle.signed_by) == (True, TRUSTED)
    one = tmp_path / "one.bundle"
    one.write_bytes(pack_files({p.name: p.read_bytes() for p in folder.iterdir()}))
    assert Bundle.open(one, keys=[TRUSTED]).signed_by == TRUSTED


def test_without_a_demand_a_signature_is_passed_over(folder: Path) -> None:
    assert not Bundle.open(folder).is_signed
    (folder / "bundle.json.sig").write_bytes(b"whatever")
    bundle = Bundle.open(folder)
    assert (bundle.is_signed, bundle.signed_by) == (True, None)


def test_a_signature_cannot_be_left_away(folder: Path) -> None:
    for keys in ([TRUSTED], []):
        with pytest.raises(BundleError) as caught:
            Bundle.open(folder, keys=keys)
        assert caught.value.code == "bundle.unsigned"
        assert f"{folder / 'bundle.json.sig'}: is missing" in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 64, b"\xff" * 64, b"x" * 63, b"x" * 65, b"x" * 10**6]
)
def test_a_signature_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    (folder / "bundle.json.sig").write_bytes(content)
    with pytest.raises(BundleError, match=r"bundle\.json\.sig"):
        Bundle.open(folder, keys=[TRUSTED])


def test_a_strangers_signature_is_refused_with_the_keys_that_are_trusted(folder: Path) -> None:
    sign(folder, STRANGER)
    with pytest.raises(BundleError, match=f"trusted are {TRUSTED.name}") as caught:
        Bundle.open(folder, keys=[TRUSTED])
    assert caught.value.code == "bundle.signature"
    with pytest.raises(BundleError, match="trusted are none"):
        Bundle.open(folder, keys=[])


def test_a_manifest_that_was_altered_is_refused_before_it_is_read(folder: Path) -> None:
    sign(folder)
    path = folder / "bundle.json"
    for content in (path.read_bytes() + b"\n", b"{ no JSON", b""):
        path.write_bytes(content)
        with pytest.raises(BundleError) as caught:
            Bundle.open(folder, keys=[TRUSTED])
        assert caught.value.code == "bundle.signature"


def test_an_altered_network_is_refused_under_a_good_signature(folder: Path) -> None:
    sign(folder)
    (folder / "mask.null").write_bytes(b"nothing computes musk")
    with pytest.raises(BundleError) as caught:
        Bundle.open(folder, keys=[TRUSTED])
    assert caught.value.code == "bundle.altered"


def test_a_key_file_is_the_one_of_openssl(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    assert read_public_key(path) == TRUSTED
    same = load_pem_public_key(path.read_bytes())
    assert same.public_bytes_raw() == TRUSTED.content  # type: ignore[union-attr]
    assert len(TRUSTED.name) == 16


PEM = TRUSTED.to_pem().encode()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "key.format"),
        (PEM[:-30], "key.format"),
        (PEM.replace(b"PUBLIC", b"PRIVATE"), "key.private"),
        (PEM.replace(b"MCow", b"MCow!"), "key.format"),
        (PEM.replace(b"MCow", b"MCox"), "key.format"),  # of another kind of key
        (PEM + PEM, "key.format"),
        (b"\xff\xfe" * 100, "key.format"),
        (b"x" * 10**6, "key.format"),
    ],
)
def test_a_file_that_is_no_public_key_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "key.pub"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_public_key(path)
    assert caught.value.code == code and str(path) in str(caught.value)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        with pytest.raises(EdgeError):
            read_public_key(file.name)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"key\.pub: No such file"):
        read_public_key(tmp_path / "key.pub")
    with pytest.raises(MissingInput, match="Is a directory"):
        read_public_key(tmp_path)


def test_without_the_library_a_demand_is_refused(folder: Path) -> None:
    sign(folder)
    program = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from edge.bundle import Bundle\n"
        "from edge.signature import PublicKey\n"
        "Bundle.open(sys.argv[1])\n"
        "Bundle.open(sys.argv[1], keys=[PublicKey(bytes(32))])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False
    )
    assert "UnavailableError: checking a signature needs cryptography" in ended.stderr
    assert "pip install unveil-edge[signed]" in ended.stderr


def test_edge_run_demands_a_signature(tmp_path: Path, folder: Path) -> None:
    key, other = key_file(tmp_path), key_file(tmp_path, OTHER)
    run = ("edge-run", "--source", ONE, "--bundle", folder)
    assert_refused(run_edge(*run, "--trust", key, home=tmp_path), 76, "bundle.json.sig: is missing")
    assert run_edge(*run, home=tmp_path).returncode == 0
    sign(folder)
    assert run_edge(*run, "--trust", other, "--trust", key, home=tmp_path).returncode == 0
    assert_refused(run_edge(*run, "--trust", other, home=tmp_path), 76, "bundle.signature")
    assert_refused(run_edge(*run, "--trust", folder, home=tmp_path), 66, str(folder))


def test_edge_gallery_demands_a_signature(tmp_path: Path, folder: Path) -> None:
    key = key_file(tmp_path)
    for words in (("--trust", key, "enrol"), ("enrol", "--trust", key)):
        ended = run_edge("edge-gallery", "--bundle", folder, *words, "A", "a.jpg", home=tmp_path)
        assert_refused(ended, 76, "bundle.unsigned")


def test_edge_doctor_says_who_signed(tmp_path: Path, folder: Path) -> None:
    key = key_file(tmp_path)

    def found(*trust: object) -> tuple[str, str]:
        ended = run_edge("edge-doctor", "--json", "--bundle", folder, *trust, home=tmp_path)
        findings = {f["subject"]: f for f in json.loads(ended.stdout)["findings"]}
        return findings["bundle"]["level"], findings["bundle"]["what"]

    assert found()[1].endswith("; not signed")
    level, what = found("--trust", key)
    assert level == "fail" and "bundle.json.sig: is missing" in what
    sign(folder)
    assert found()[1].endswith("; its signature was not checked")
    assert found("--trust", key)[1].endswith(f"; signed by {TRUSTED.name}")
