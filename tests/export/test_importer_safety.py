"""Archives, JSON and pickles of strangers: bounded, and looked at without being run."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import DataError, MissingInput
from export.importers.pickles import pickled_imports
from export.importers.safety import MAX_BYTES, Archive, parse_json, read_bounded


def _zip(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _claim(content: bytes, size: int) -> bytes:
    """Return a zip file whose list of members says that the first unpacks to ``size``."""
    at = content.index(b"PK\x01\x02")
    return content[: at + 24] + struct.pack("<I", size) + content[at + 28 :]


def test_members_are_read() -> None:
    with Archive(_zip(a=b"one", b=b"two" * 1000), where="net") as archive:
        assert archive.names == ("a", "b")
        assert archive.read("b") == b"two" * 1000


def test_a_member_that_unpacks_to_more_than_it_says_is_damaged() -> None:
    with Archive(_claim(_zip(a=bytes(100_000)), 10), where="net") as archive:
        with pytest.raises(DataError, match="net: a is damaged"):
            archive.read("a")


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(DataError, match="net: unpacks to more than"):
        Archive(_claim(_zip(a=b"small"), MAX_BYTES + 1), where="net")


def test_a_list_of_members_that_is_too_long_is_not_read() -> None:
    content = _zip(a=b"one")
    at = content.index(b"PK\x05\x06") + 12
    with pytest.raises(DataError, match="too many members"):
        Archive(content[:at] + struct.pack("<I", 2**30) + content[at + 4 :], where="net")


def test_a_member_that_is_there_twice_is_refused() -> None:
    content = _zip(aa=b"one", ab=b"two").replace(b"ab", b"aa")
    with pytest.raises(DataError, match="names a member twice"):
        Archive(content, where="net")


def test_a_member_that_is_missing_is_named() -> None:
    with Archive(_zip(a=b"one"), where="net") as archive:
        with pytest.raises(DataError, match="net: config is missing"):
            archive.read("config")


@settings(max_examples=200)
@given(st.data())
def test_damage_of_an_archive_is_told(data: Any) -> None:
    content = bytearray(_zip(a=b"one" * 50, b=b"two"))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        with Archive(bytes(content), where="net") as archive:
            for name in archive.names:
                assert len(archive.read(name)) <= MAX_BYTES
    except DataError as error:
        assert "net" in str(error)


def test_a_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    (tmp_path / "net").write_bytes(bytes(11))
    assert read_bounded(tmp_path / "net", limit=11) == bytes(11)
    with pytest.raises(DataError, match="larger than 10 bytes"):
        read_bounded(tmp_path / "net", limit=10)
    with pytest.raises(MissingInput, match="none"):
        read_bounded(tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000, b'{"a": 1e999'])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"net: is no JSON"):
        parse_json(content, where="net")


class _Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("exit 1",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_says_what_it_would_import(protocol: int) -> None:
    content = pickle.dumps([1, {"a": "posix"}, _Trap(), _Trap()], protocol)
    assert pickled_imports(content) == [f"{os.system.__module__}.system"]


def test_pickles_in_a_row_are_all_looked_at() -> None:
    content = pickle.dumps(1) + pickle.dumps(_Trap()) + b"rest"
    assert pickled_imports(content) == [f"{os.system.__module__}.system"]


@given(st.binary(max_size=200))
def test_looking_at_a_pickle_raises_nothing(content: bytes) -> None:
    assert isinstance(pickled_imports(content), list)
