"""Sources and sinks that cannot be: one line, a documented code, nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.process import ROOT, assert_refused, names, run_edge
from tests.makers import write_bundle

THREE = "synthetic://?faces=1&frames=3&width=64&height=48"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.mark.parametrize(
    ("source", "code", "named"),
    [
        ("ftp://host/a.jpg", 64, "'ftp'"),  # unknown scheme
        ("gopher://host/a", 64, "'gopher'"),
        ("", 64, "names no source"),
        ("synthetic://?face=1", 64, "did you mean faces?"),  # unknown key
        ("synthetic://?faces=-1", 64, "faces=-1"),
        ("synthetic://?faces=1&masked=2", 64, "2 masked of 1"),
        ("synthetic://?width=99999999999999", 64, "16 to 8192"),
        ("synthetic://?faces=9" + "9" * 4000, 64, "0 to 16"),  # int() refuses this itself
        ("synthetic://?faces=9" + "9" * 5000, 64, "longer than 4096"),
        ("synthetic://here", 64, "'here'"),
        ("v4l2:///dev/video63", 69, "/dev/video63"),  # no such camera
        ("/dev/null", 65, "/dev/null"),
        ("shots/*.png", 66, "shots/*.png"),  # a pattern that matches nothing
        ("no-such\nfile.jpg", 66, "no-such"),  # a name of two lines gives one line
    ],
)
def test_a_source_that_cannot_be(
    source: str, code: int, named: str, tmp_path: Path, bundle: Path
) -> None:
    ended = run_edge("edge-run", "--source", source, "--bundle", bundle, home=tmp_path)
    assert_refused(ended, code, named)


@pytest.mark.parametrize(
    ("sink", "code"),
    [
        ("kafka:topic", 64),  # unknown scheme
        ("out.jsonl", 64),  # no scheme
        ("jsonl:", 64),  # no path
        ("video:{tmp}/clip.gif", 64),  # an ending that is not written
        ("jsonl:{tmp}/missing/a.jsonl", 73),  # no such folder
        ("jsonl:{tmp}/file/a.jsonl", 73),  # a file where a folder should be
        ("images:{tmp}/file/a", 73),
        ("video:{tmp}/file/a.mp4", 73),
        ("jsonl:/proc/a.jsonl", 73),  # a file system that takes no file, even from root
        ("images:/proc/a", 73),
        ("video:/proc/a.mp4", 73),
        ("jsonl:/dev/full", 73),  # a full disk
        ("jsonl:{tmp}", 73),  # a folder where a file should be
    ],
)
def test_a_sink_that_cannot_be(sink: str, code: int, tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "file").write_text("a plain file")
    uri = sink.format(tmp=tmp_path)
    before = names(tmp_path)
    ended = run_edge(
        "edge-run", "--source", THREE, "--bundle", bundle, "--sink", uri, home=tmp_path
    )
    assert_refused(ended, code, uri.partition(":")[2])
    assert names(tmp_path) == before


def test_a_full_disk_behind_standard_output(tmp_path: Path, bundle: Path) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "edge.cli.run", "--source", THREE, "--bundle", str(bundle)],
            cwd=ROOT,
            env={**os.environ, "HOME": str(tmp_path)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 73
    assert len(ended.stderr.splitlines()) == 1


def test_a_reader_that_goes_is_no_error(tmp_path: Path, bundle: Path) -> None:
    endless = "synthetic://?faces=0&width=64&height=48"
    with subprocess.Popen(
        [sys.executable, "-m", "edge.cli.run", "--source", endless, "--bundle", str(bundle)],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None and running.stderr is not None
        assert running.stdout.readline().startswith("{")
        running.stdout.close()
        assert running.wait(timeout=60) == 141
        assert running.stderr.read() == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],  # no source
        ["--source"],
        ["--source", THREE, "--threads", "0"],
        ["--source", THREE, "--limit", "many"],
        ["--source", THREE, "--what"],
        ["--source", THREE, "--engine", "steam"],
    ],
)
def test_arguments_that_cannot_be(arguments: list[str], tmp_path: Path, bundle: Path) -> None:
    ended = run_edge("edge-run", *arguments, "--bundle", bundle, home=tmp_path)
    assert_refused(ended, 64)


def test_the_pictures_that_are_read_are_never_overwritten(tmp_path: Path, bundle: Path) -> None:
    import cv2
    import numpy as np

    picture = tmp_path / "a.jpg"
    cv2.imwrite(str(picture), np.full((40, 40, 3), 128, np.uint8))
    before = picture.read_bytes()
    ended = run_edge(
        "edge-run", "--source", tmp_path, "--bundle", bundle, "--sink", f"images:{tmp_path}",
        home=tmp_path,
    )  # fmt: skip
    assert_refused(ended, 73, str(tmp_path))
    assert picture.read_bytes() == before
    assert names(tmp_path) == ["a.jpg"]
