"""Files are written whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import OutputError
from edge.files import write_whole


def test_replaces_a_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    write_whole(target, b"old and long")
    write_whole(target, b"new")
    assert target.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.parametrize(
    "target",
    [
        "missing/result.json",  # no such folder
        "file/result.json",  # its folder is a file
        "folder",  # it is a folder itself
        "x" * 300,  # longer than a name can be
    ],
)
def test_refuses_in_one_line_and_leaves_nothing(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError) as caught:
        write_whole(tmp_path / target, b"content")
    assert str(tmp_path / target) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]


def test_refuses_where_the_system_forbids_writing() -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_whole("/proc/unveil-edge-result", b"content")


def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "result.bin"
    target.write_bytes(b"old")
    # A limit on the size of files stands for the full disk: write() fails in the middle.
    code = (
        "import resource, sys\n"
        "from edge.errors import OutputError\n"
        "from edge.files import write_whole\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    write_whole(sys.argv[1], bytes(100_000))\n"
        "except OutputError as error:\n"
        "    sys.exit(error.exit_code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert done.returncode == 73
    assert target.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.bin"]
