"""What the proofs are judged by: lines, slopes, processes, stored outputs. Quick, and no proof."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.system.claims import SCHEMA, Proof
from tests.system.crash import Told
from tests.system.golden import Difference, check
from tests.system.lab.host import requirements_of
from tests.system.plot import draw
from tests.system.service import family
from tests.system.soak import frames_of, slope

HOURS = np.arange(360) / 360


def rough(seed: int) -> np.ndarray:
    """Return noise of a minute's length: every value resembles the one before it."""
    steps = np.random.default_rng(seed).standard_normal(360)
    return np.convolve(steps, np.ones(6) / 6, mode="same")


def test_a_proof_prints_a_line_a_claim_and_writes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Proof("one", tmp_path / "new") as proof:
        proof.fact(kills=3)
        assert proof.claim("it holds", True, worst_s=0.123456)
        assert not proof.claim("it does not", False)
    assert proof.exit_code == 1
    assert capsys.readouterr().out == "ok   it holds: worst_s 0.1235\nFAIL it does not\n"
    said = json.loads((tmp_path / "new" / "one.json").read_text())
    assert (said["schema"], said["held"], said["kills"]) == (SCHEMA, False, 3)
    assert [claim["held"] for claim in said["claims"]] == [True, False]


def test_a_proof_of_nothing_and_one_that_breaks_off_fail(tmp_path: Path) -> None:
    with Proof("nothing", tmp_path) as proof:
        pass
    assert proof.exit_code == 1
    with pytest.raises(OSError), Proof("broken", tmp_path) as proof:
        proof.claim("so far", True)
        raise OSError("no disk")
    assert proof.exit_code == 1
    assert json.loads((tmp_path / "broken.json").read_text())["held"] is False


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rate", [0.0, 5.0, -5.0])
def test_the_slope_lies_in_its_interval(rate: float, seed: int) -> None:
    found = slope(HOURS, 100 + rate * HOURS + rough(seed))
    assert found.low < found.value < found.high
    assert abs(found.value - rate) < 1
    assert found.low - 0.3 < rate < found.high + 0.3


def test_frames_are_read_from_the_metrics(tmp_path: Path) -> None:
    path = tmp_path / "edge.prom"
    assert frames_of(path) == 0
    path.write_text("# HELP x\nunveil_edge_frames_total 1.2e+02\nunveil_edge_faces_total 7\n")
    assert frames_of(path) == 120


def test_a_family_has_its_children() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as parent:
        while len(found := family(parent.pid)) < 2:
            assert parent.poll() is None
        parent.communicate(b"\n")
    assert found[0] == parent.pid and os.getpid() not in found


def test_what_was_told_is_kept_apart() -> None:
    told = Told()
    told.hear("enrolled a 1\nenrolled b 2\nlogged - 7\nforgetting a 1\n")
    told.hear("forgotten a 1\nforgetting b 2\n")
    assert (told.kept, told.forgotten, told.lines) == ({"b": 2}, {"a": 1}, {7})
    assert told.begun_to_forget == {"a", "b"}


def test_a_difference_is_seen_in_both_directions() -> None:
    off = Difference()
    off.add([np.array([1, -128, 5], np.int8)], [np.array([1, 127, 4], np.int8)])
    assert (off.values, off.differing, off.greatest) == (3, 2, 255)
    off.add([np.zeros(2, np.int8)], [np.zeros(3, np.int8)])
    assert off.differing == 4


def test_a_plot_has_its_curves(tmp_path: Path) -> None:
    minutes = np.arange(10.0)
    draw(tmp_path / "x.svg", minutes, {"memory": minutes, "threads": minutes * 0}, shaded=2.0)
    text = (tmp_path / "x.svg").read_text()
    assert text.count("<polyline") == 2 and "nan" not in text and "memory" in text


def test_the_lab_installs_what_a_wheel_requires(tmp_path: Path) -> None:
    said = (
        "Name: x\nRequires-Dist: numpy>=1.24\nRequires-Dist: tomli>=2; python_version < '3.11'\n"
        'Provides-Extra: mqtt\nRequires-Dist: paho-mqtt<3,>=2; extra == "mqtt"\n'
        'Requires-Dist: torch; python_version > "3" and extra == "export"\n\nRequires-Dist: text\n'
    )
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
        archive.writestr("x-1.dist-info/METADATA", said)
    assert requirements_of(tmp_path / "x.whl") == [
        *("numpy>=1.24", "tomli>=2; python_version < '3.11'", "paho-mqtt<3,>=2"),
    ]


def test_the_stored_outputs_are_those_of_the_bundle(tmp_path: Path) -> None:
    """After a new bundle: python -m tests.system.golden make."""
    with Proof("golden", tmp_path) as proof:
        check(proof)
    assert proof.exit_code == 0
