"""What a race chose is read as hostile input, and only where it can hold."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.board.identity import Board
from edge.bundle import Bundle
from edge.choice import SCHEMA, Choice, Chosen, race_file, read_choice
from edge.errors import DataError
from tests.boards import orin_nano, pi4, pi5, put
from tests.makers import write_bundle

TASKS = ("detect", "mask", "identity")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.open(write_bundle(tmp_path_factory.mktemp("choice") / "bundle", TASKS))


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return orin_nano(tmp_path_factory.mktemp("orin"))


def table(bundle: Bundle, root: Path) -> dict[str, Any]:
    """Return what a race on this board would have written."""
    return {
        "schema": SCHEMA,
        "bundle": {"name": bundle.name, "digest": bundle.digest},
        "board": Board.here(root).to_json(),
        "choice": {
            "detect": {"engine": "null", "precision": "int8", "threads": 4},
            "mask": {"engine": "null", "precision": "int8", "threads": 1},
        },
        "date": "2026-11-21T20:00:00+00:00",
        "valid": True,
        "invalid": [],
        "ways": {"mask": [{"whatever": "people read"}]},
    }


def read(bundle: Bundle, path: Path, root: Path) -> tuple[Choice | None, list[DataError]]:
    """Return the choice, and what was reported."""
    faults: list[DataError] = []
    return read_choice(bundle, path, report=faults.append, root=root), faults


def write(path: Path, content: object) -> Path:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes(text)
    return path


def test_what_was_chosen_is_read(bundle: Bundle, board: Path, tmp_path: Path) -> None:
    choice, faults = read(bundle, write(tmp_path / "r.json", table(bundle, board)), board)
    assert not faults
    assert choice is not None
    assert choice.of("detect") == Chosen("null", "int8", 4)
    assert choice.of("mask") == Chosen("null", "int8", 1)
    assert choice.of("identity") is None, "the bundle's own choice holds"
    assert choice.remarks == ()
    assert choice.date == "2026-11-21T20:00:00+00:00"


def test_tensorrt_runs_what_a_bundle_has_for_onnx_runtime() -> None:
    assert Chosen("tensorrt", "fp16", 1).made_for == "onnxruntime"
    assert Chosen("tflite", "int8", 1).made_for == "tflite"


def test_no_race_is_no_news(bundle: Bundle, tmp_path: Path) -> None:
    assert read(bundle, tmp_path / "none.json", Path("/")) == (None, [])


@pytest.mark.parametrize("name", ["doors", "doors/", "./doors", "shop/../doors"])
def test_a_race_lies_beside_its_bundle(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert race_file(name) == tmp_path / "doors.race.json"


def test_a_race_of_the_folder_one_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert race_file(".") == tmp_path.with_name(tmp_path.name + ".race.json")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda t: t["bundle"].update(digest="0" * 64), "choice.bundle"),
        (lambda t: t["board"].update(name="Raspberry Pi 5 Model B Rev 1.0"), "choice.board"),
        (lambda t: t["board"].update(processor="Cortex-A76"), "choice.board"),
        (lambda t: t["board"].update(architecture="riscv64"), "choice.board"),
        (lambda t: t.update(schema="unveil-edge.race/2"), "choice.file"),
        (lambda t: t.update(schema=["a"]), "choice.file"),
        (lambda t: t.pop("bundle"), "choice.file"),
        (lambda t: t.update(bundle=[]), "choice.file"),
        (lambda t: t["bundle"].update(digest=7), "choice.file"),
        (lambda t: t.pop("board"), "choice.file"),
        (lambda t: t["board"].pop("cores"), "choice.file"),
        (lambda t: t["board"].update(cores=True), "choice.file"),
        (lambda t: t["board"].update(name="x" * 10_000), "choice.file"),
        (lambda t: t.pop("choice"), "choice.file"),
        (lambda t: t.update(choice=["mask"]), "choice.file"),
        (lambda t: t["choice"].update(nobody={}), "choice.file"),
        (lambda t: t["choice"].update({"../mask": t["choice"]["mask"]}), "choice.file"),
        # The bundle has no such network, no such precision, nothing for this engine.
        (lambda t: t["choice"].update(emotion=t["choice"]["mask"]), "choice.file"),
        (lambda t: t["choice"]["mask"].update(precision="fp16"), "choice.file"),
        (lambda t: t["choice"]["mask"].update(engine="tensorrt"), "choice.file"),
        (lambda t: t["choice"]["mask"].update(engine="os.system"), "choice.file"),
        (lambda t: t["choice"]["mask"].update(engine=["tflite"]), "choice.file"),
        (lambda t: t["choice"]["mask"].update(precision="int4"), "choice.file"),
        (lambda t: t["choice"]["mask"].update(threads=0), "choice.file"),
        (lambda t: t["choice"]["mask"].update(threads=-1), "choice.file"),
        (lambda t: t["choice"]["mask"].update(threads=10**9), "choice.file"),
        (lambda t: t["choice"]["mask"].update(threads=1.5), "choice.file"),
        (lambda t: t["choice"]["mask"].update(threads=True), "choice.file"),
        (lambda t: t["choice"]["mask"].update(threads="1"), "choice.file"),
        (lambda t: t["choice"]["mask"].pop("threads"), "choice.file"),
        (lambda t: t.update(invalid=["x"] * 1000), "choice.file"),
        (lambda t: t.update(invalid=[{}]), "choice.file"),
        (lambda t: t.update(date=[1]), "choice.file"),
    ],
)
def test_what_cannot_hold_here_is_not_used(
    change: Callable[[dict[str, Any]], object],
    code: str,
    bundle: Bundle,
    board: Path,
    tmp_path: Path,
) -> None:
    content = copy.deepcopy(table(bundle, board))
    change(content)
    path = write(tmp_path / "r.json", content)
    choice, faults = read(bundle, path, board)
    assert choice is None
    assert [fault.code for fault in faults] == [code]
    assert str(path) in faults[0].what and "\n" not in str(faults[0])
    assert len(str(faults[0])) < 1000
    assert "edge-export race" in faults[0].hint


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"7",
        b"[]",
        b"\xff\xfe",
        b'"' * 300_000,
        b"[" * 100_000,
        b"{}" + b" " * 5_000_000,
        b'{"schema": ' + b"9" * 10_000 + b"}",
    ],
    ids=["empty", "cut", "null", "number", "list", "bytes", "marks", "deep", "large", "digits"],
)
def test_what_is_no_race_is_not_used(
    content: bytes, bundle: Bundle, board: Path, tmp_path: Path
) -> None:
    choice, faults = read(bundle, write(tmp_path / "r.json", content), board)
    assert choice is None
    assert [fault.code for fault in faults] == ["choice.file"]


def test_a_pipe_is_not_waited_for(bundle: Bundle, board: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    choice, faults = read(bundle, tmp_path / "pipe", board)
    assert choice is None and "no plain file" in faults[0].what


def test_a_folder_is_no_race(bundle: Bundle, board: Path, tmp_path: Path) -> None:
    choice, faults = read(bundle, tmp_path, board)
    assert choice is None and faults[0].code == "choice.file"


def test_a_pi_5_does_not_take_the_race_of_a_pi_4(bundle: Bundle, tmp_path: Path) -> None:
    four, five = pi4(tmp_path / "four"), pi5(tmp_path / "five")
    path = write(tmp_path / "r.json", table(bundle, four))
    assert read(bundle, path, four)[0] is not None
    choice, faults = read(bundle, path, five)
    assert choice is None
    assert "Raspberry Pi 4" in faults[0].what and "Raspberry Pi 5" in faults[0].what


def test_another_power_mode_is_said_and_the_choice_stays(bundle: Bundle, tmp_path: Path) -> None:
    root = orin_nano(tmp_path / "orin")
    path = write(tmp_path / "r.json", table(bundle, root))
    put(root, {"var/lib/nvpmodel/status": "pmode:0000", "sys/devices/system/cpu/online": "0-3\n"})
    choice, faults = read(bundle, path, root)
    assert choice is not None and not faults
    assert any("7W, and it is 15W now" in remark for remark in choice.remarks)
    assert any("6 cores, and 4 are on" in remark for remark in choice.remarks)


def test_threads_never_outnumber_the_cores_that_are_allowed(bundle: Bundle, tmp_path: Path) -> None:
    root = orin_nano(tmp_path / "orin")
    path = write(tmp_path / "r.json", table(bundle, root))
    put(root, {"proc/self/status": "Name:\tpython3\nCpus_allowed_list:\t0-1\n"})
    choice, _ = read(bundle, path, root)
    assert choice is not None
    assert choice.of("detect") == Chosen("null", "int8", 2)
    assert choice.of("mask") == Chosen("null", "int8", 1)
    assert any("2 cores" in remark for remark in choice.remarks)


def test_a_race_on_a_busy_board_says_so(bundle: Bundle, board: Path, tmp_path: Path) -> None:
    content = {**table(bundle, board), "valid": False, "invalid": ["throttled: under-voltage"]}
    choice, faults = read(bundle, write(tmp_path / "r.json", content), board)
    assert choice is not None and not faults
    assert "throttled: under-voltage" in choice.remarks[0]


_PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_KEY = st.text(max_size=9)
_JSON = st.recursive(
    _PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEY, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200)
@given(data=st.data())
def test_nothing_in_the_file_raises(data: st.DataObject, bundle: Bundle, board: Path) -> None:
    content = table(bundle, board)
    inner: Any = content
    for _ in range(data.draw(st.integers(0, 3))):
        keys = [key for key in inner if isinstance(inner[key], dict)]
        if keys:
            inner = inner[data.draw(st.sampled_from(keys))]
    inner[data.draw(st.sampled_from(list(inner)) | _KEY)] = data.draw(_JSON)
    path = write(board / "fuzz.json", content)
    choice, faults = read(bundle, path, board)
    assert (choice is None) is (len(faults) == 1)
    if choice is not None:
        for task, chosen in choice.chosen.items():
            assert bundle.artefact(task, chosen.made_for, chosen.precision)
            assert 1 <= chosen.threads <= 6
