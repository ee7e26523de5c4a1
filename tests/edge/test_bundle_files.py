"""A bundle as one file: the same checks, and an archive that can do nothing else."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.bundle import Bundle
from edge.bundle_files import is_plain, open_files, pack_files
from edge.errors import BundleError, MissingInput
from tests.makers import write_bundle

TASKS = ("detect", "mask", "identity")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return contents(write_bundle(tmp_path_factory.mktemp("bundle"), TASKS))


@pytest.fixture
def packed(tmp_path: Path, files: dict[str, bytes]) -> Path:
    path = tmp_path / "small.bundle"
    path.write_bytes(pack_files(files))
    return path


def test_one_file_is_the_same_bundle(packed: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    one = Bundle.open(packed)
    folder = Bundle.open(write_bundle(tmp_path / "folder", TASKS))
    assert (one.digest, one.networks) == (folder.digest, folder.networks)
    artefact = one.artefact("mask")
    assert artefact.content == files["mask.null"]
    assert artefact.where == f"{packed}: mask.null"
    assert open_files(packed).names() == sorted(files)


def test_equal_files_give_equal_bytes_that_other_programs_read(files: dict[str, bytes]) -> None:
    packed = pack_files(files)
    assert packed == pack_files(dict(reversed(files.items())))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files


def test_a_file_that_is_replaced_after_the_check_does_not_run(
    packed: Path, files: dict[str, bytes]
) -> None:
    artefact = Bundle.open(packed).artefact("mask")
    packed.write_bytes(pack_files({**files, "mask.null": b"nothing computes musk"}))
    with pytest.raises(BundleError, match=r"small\.bundle: mask\.null: is not the file"):
        _ = artefact.content


def archive(entries: list[tuple[str, bytes]], **settings: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **settings) as made:
        for name, content in entries:
            made.writestr(name, content)
    return stream.getvalue()


def with_byte(packed: bytes, record: bytes, offset: int, value: int) -> bytes:
    """Change one byte of every record of a kind."""
    changed, at = bytearray(packed), -1
    while (at := packed.find(record, at + 1)) >= 0:
        changed[at + offset] = value
    return bytes(changed)


HOSTILE: dict[str, tuple[Callable[[dict[str, bytes]], bytes], str]] = {
    "compressed": (
        lambda f: archive(list(f.items()), compression=zipfile.ZIP_DEFLATED), "not stored",
    ),
    "twice": (
        lambda f: pack_files({**f, "musk.null": b"another"}).replace(b"musk.null", b"mask.null"),
        "there twice",
    ),
    "a path": (lambda f: archive([*f.items(), ("../mask.null", b"x")]), "no plain name"),
    "a folder": (lambda f: archive([*f.items(), ("folder/", b"")]), "no plain name"),
    "an absolute path": (lambda f: archive([("/etc/passwd", b"x")]), "no plain name"),
    "a foreign file": (lambda f: pack_files({**f, "stray": b""}), "does not name this file"),
    "no manifest": (
        lambda f: pack_files({n: c for n, c in f.items() if n != "bundle.json"}), "is missing",
    ),
    "an artefact is missing": (
        lambda f: pack_files({n: c for n, c in f.items() if n != "mask.null"}),
        "mask.null: is missing",
    ),
    "encrypted": (lambda f: with_byte(pack_files(f), b"PK\1\2", 8, 1), "not stored"),
    "of another method": (lambda f: with_byte(pack_files(f), b"PK\1\2", 10, 8), "not stored"),
    "a comment": (lambda f: pack_files(f)[:-2] + b"\1\0!", "neither"),
    "cut": (lambda f: pack_files(f)[:-30], "neither"),
    "without its head": (lambda f: pack_files(f)[100:], "neither"),
    "empty": (lambda f: b"", "neither"),
    "no archive": (lambda f: b"\x1c\0\0\0TFL3" * 100, "neither"),
    "more files than a bundle has": (
        lambda f: archive([(f"{i:04}", b"") for i in range(2000)]), "names 2000 files",
    ),
    "Zip64": (
        lambda f: pack_files(f)[:-22] + b"PK\6\7" + bytes(16) + pack_files(f)[-22:], "neither",
    ),
    "something in front": (lambda f: b"#!/bin/sh\n" + pack_files(f), "neither"),
    "a directory beyond the end": (
        lambda f: pack_files(f)[:-6] + struct.pack("<L", 2**31) + b"\0\0", "neither",
    ),
    "an entry beyond the end": (
        lambda f: with_byte(pack_files(f), b"PK\1\2", 45, 0x7F), "damaged",
    ),
    "an altered byte": (
        lambda f: pack_files(f).replace(b"computes mask", b"computes musk"), "damaged",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_refuses_what_is_no_plain_archive(
    case: str, tmp_path: Path, files: dict[str, bytes]
) -> None:
    make, said = HOSTILE[case]
    path = tmp_path / "bad.bundle"
    path.write_bytes(make(files))
    with pytest.raises(BundleError) as caught:
        Bundle.open(path)
    assert str(path) in str(caught.value) and said in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_byte_can_be_altered(data: st.DataObject, packed: Path, files: dict[str, bytes]) -> None:
    """Whatever is changed: it is refused, or the bundle is the same one."""
    whole = pack_files(files)
    at = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.integers(0, 40))
    put = data.draw(st.binary(max_size=40))
    packed.write_bytes(whole[:at] + put + whole[at + cut :])
    try:
        bundle = Bundle.open(packed)
        assert {a.file: a.content for a in bundle.artefacts} == {
            name: content for name, content in files.items() if name != "bundle.json"
        }
    except BundleError:
        pass


def test_a_pipe_is_no_bundle(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MissingInput):
        Bundle.open(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b", "/a"])
def test_names_that_mean_another_place(name: str) -> None:
    assert not is_plain(name) and is_plain("mask.int8.tflite")
