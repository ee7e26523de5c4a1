"""The race itself: real networks, real engines, and the file that the device reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import Artefact, Bundle
from edge.choice import Choice, Chosen, race_file, read_choice
from edge.engines import open_engine
from edge.engines.base import Engine
from edge.errors import DataError, MissingInput, OutputError, UsageError
from export.cli import main
from export.race import ways as race_ways
from export.race.memory import memory_mib
from export.race.record import Race
from export.race.run import Plan, run_race
from export.race.scenes import draw_scenes
from export.race.ways import Way, find_ways
from tests.benchmarks.makers import flat_picture, write_pack
from tests.benchmarks.test_sweep import two_engines
from tests.makers import write_bundle

ROOT = Path(__file__).parents[2]
QUICK = Plan(threads=(1,), seconds=0.02, rounds=4)
ONNX_RUNTIME = pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install .[onnx]")


@pytest.fixture
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the memory of every network as known: a process of its own a way takes its time."""
    monkeypatch.setattr("export.race.run.memory_mib", lambda path, way: 4.0)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Return a bundle with one network: int8 TFLite at 0.90, float ONNX at 0.95."""
    return two_engines(tmp_path / "bundle")


def allow(bundle: Path, max_drop: float) -> None:
    """Say in the evidence how much may be lost."""
    path = bundle / "bundle.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for network in manifest["networks"].values():
        for artefact in network["artefacts"]:
            artefact["evidence"]["max_drop"] = max_drop
    path.write_text(json.dumps(manifest), encoding="utf-8")


def choice_of(bundle: Path, path: Path) -> Choice:
    """Read the choice as the device does."""
    faults: list[DataError] = []
    choice = read_choice(Bundle.open(bundle), path, report=faults.append)
    assert choice is not None, faults
    return choice


def test_the_command_writes_what_the_device_reads(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["race", str(bundle), "--threads", "1", "2", "--seconds", "0.05", "--json"]) == 0
    captured = capsys.readouterr()
    written = race_file(bundle)
    assert f"wrote {written}" in captured.err
    table = json.loads(captured.out)
    assert table == json.loads(written.read_text(encoding="utf-8"))
    assert table["bundle"]["digest"] == Bundle.open(bundle).digest
    ways = table["ways"]["identity"]
    assert [(w["engine"], w["precision"], w["threads"]) for w in ways] == [
        ("tflite", "int8", 1),
        ("tflite", "int8", 2),
        ("onnxruntime", "fp32", 1),
        ("onnxruntime", "fp32", 2),
    ]
    for way in ways:
        assert len(way["rounds_ms"]) == 10
        assert way["times"]["count"] >= 30
        assert way["times"]["p50_ci95"][0] <= way["times"]["p50_ms"] <= way["times"]["p50_ci95"][1]
        assert way["merit"]["metric"] == "accuracy" and way["reason"]
    assert [way["merit"]["value"] for way in ways] == [0.90, 0.90, 0.95, 0.95]
    (winner,) = [way for way in ways if way["chosen"]]
    assert winner["times_as_long"] == {"ratio": 1.0, "ci95": [1.0, 1.0]}
    chosen = choice_of(bundle, written).of("identity")
    assert chosen == Chosen(winner["engine"], winner["precision"], winner["threads"])
    assert Bundle.open(bundle).digest == table["bundle"]["digest"], "the bundle stays as it is"


@pytest.mark.usefixtures("no_children")
def test_the_packages_own_bundle_is_raced_into_the_state(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose folder nothing has made before on a fresh machine."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home" / "state"))
    for module in ("edge.bundle", "edge.choice"):
        monkeypatch.setattr(f"{module}.default_bundle", lambda: bundle)
    assert main(["race", "--threads", "1", "--seconds", "0.02"]) == 0
    written = tmp_path / "home" / "state" / "unveil-edge" / "bundle.race.json"
    assert written == race_file(bundle) and choice_of(bundle, written).of("identity")


@pytest.mark.usefixtures("no_children")
def test_the_table_says_what_was_chosen_and_why(
    bundle: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    allow(bundle, 0.01)
    out = tmp_path / "elsewhere.json"
    assert (
        main(["race", str(bundle), "--threads", "1", "--seconds", "0.05", "--out", str(out)]) == 0
    )
    said = capsys.readouterr().out
    assert "* fp32 onnxruntime, 1 thread" in said and "chosen: the fastest" in said
    assert "accuracy 0.9000 where another way has 0.9500; 0.01 may be lost" in said
    assert not race_file(bundle).exists()
    assert choice_of(bundle, out).of("identity") == Chosen("onnxruntime", "fp32", 1)


@pytest.mark.usefixtures("no_children")
def test_a_bundle_that_names_no_limit_is_told_of(bundle: Path) -> None:
    assert any("does not say how much may be lost" in r for r in run_race(bundle, QUICK).remarks)
    allow(bundle, 0.2)
    assert run_race(bundle, QUICK).remarks == ()


@pytest.mark.usefixtures("no_children")
def test_an_engine_that_is_not_installed_is_a_way_that_is_out(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    race = run_race(bundle, QUICK)
    assert race.choice == {"identity": Chosen("tflite", "int8", 1)}
    (_, missing), (_, reason) = race.heats[0].entries, race.heats[0].verdict.reasons
    assert missing.times is None and "onnxruntime" in reason
    assert json.dumps(race.to_json(), allow_nan=False)


@pytest.mark.usefixtures("no_children")
def test_nothing_that_runs_is_an_error_and_no_file(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for library in ("onnxruntime", "ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        monkeypatch.setitem(sys.modules, library, None)
    assert main(["race", str(bundle), "--threads", "1", "--seconds", "0.05"]) == 69
    assert "[race.nothing]" in capsys.readouterr().err
    assert not race_file(bundle).exists()


def test_a_place_that_cannot_be_written_to_is_found_out_before_the_race(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["race", str(bundle), "--out", str(tmp_path / "none" / "r.json")]) == 73
    error = capsys.readouterr().err
    assert "[race.out]" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["--threads", "0"], ["--threads", "257"], ["--threads"], ["--seconds", "0"], ["--limit", "x"]],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["race", str(bundle), *arguments]) == 64
    assert capsys.readouterr().err.count("\n") == 1


def test_no_bundle_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["race", str(tmp_path / "none")]) == 66
    assert "[bundle.folder]" in capsys.readouterr().err


# TensorRT runs only where there is a GPU; what the race makes of an engine that is not the one of
# the evidence is held by engines that are ONNX Runtime and say another name.


class Renamed:
    """ONNX Runtime under another name.

    Args:
        engine: that computes.
        name: that it says.
        spoil: what becomes of its first output.
    """

    def __init__(self, engine: Engine, name: str, spoil: Callable[[Any], Any]) -> None:
        self._engine, self.name, self._spoil = engine, name, spoil
        self.batch = engine.batch
        self.inputs, self.outputs = engine.inputs, engine.outputs

    def run(self, count: int = 1) -> None:
        self._engine.run(count)
        np.copyto(self.outputs[0], self._spoil(self.outputs[0]))

    def close(self) -> None:
        self._engine.close()

    def __enter__(self) -> Renamed:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def with_tensorrt(
    monkeypatch: pytest.MonkeyPatch,
    *,
    name: str = "tensorrt",
    spoil: Callable[[Any], Any] = lambda values: values,
) -> None:
    """Let TensorRT be there: ONNX Runtime, with a pause for all others so that it is fastest."""

    def opened(artefact: Artefact, *, threads: int = 1, engine: str | None = None) -> Engine:
        if engine == "tensorrt":
            return Renamed(open_engine(artefact, threads=1), name, spoil)
        honest = open_engine(artefact, threads=threads, engine=engine)

        def late(values: Any) -> Any:
            time.sleep(0.002)
            return values

        return Renamed(honest, honest.name, late)

    monkeypatch.setattr(race_ways, "open_engine", opened)
    monkeypatch.setattr("export.race.run.has_tensorrt", lambda system: True)


def reason_of(race: Race, engine: str) -> str:
    """Return what was said of the way on an engine."""
    (heat,) = race.heats
    pairs = zip(heat.entries, heat.verdict.reasons, strict=True)
    return next(reason for entry, reason in pairs if entry.engine == engine)


@pytest.mark.usefixtures("no_children")
def test_tensorrt_is_chosen_where_it_is_faster_and_says_the_same(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_tensorrt(monkeypatch)
    race = run_race(bundle, Plan(threads=(1, 2), seconds=0.02, rounds=4))
    assert race.choice == {"identity": Chosen("tensorrt", "fp32", 1)}
    (entry,) = [e for e in race.heats[0].entries if e.engine == "tensorrt"]
    assert entry.cosine == pytest.approx(1.0, abs=1e-4)
    assert entry.threads == 1, "threads are the processor's"


@pytest.mark.usefixtures("no_children")
@pytest.mark.parametrize(
    "spoil",
    [lambda v: -v, lambda v: 0 * v, lambda v: v * np.nan, lambda v: v[:, ::-1] + 1],
    ids=["turned", "dead", "no number", "other places"],
)
def test_an_engine_that_says_otherwise_is_out(
    spoil: Callable[[Any], Any], bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_tensorrt(monkeypatch, spoil=spoil)
    race = run_race(bundle, QUICK)
    assert race.choice["identity"].engine != "tensorrt"
    assert "unlike those that the bundle proves" in reason_of(race, "tensorrt")
    assert json.dumps(race.to_json(), allow_nan=False)


@pytest.mark.usefixtures("no_children")
def test_another_engine_in_its_place_is_not_taken_for_it(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_tensorrt(monkeypatch, name="onnxruntime")
    race = run_race(bundle, QUICK)
    assert race.choice["identity"].engine != "tensorrt"
    assert "onnxruntime opened in place of tensorrt" in reason_of(race, "tensorrt")


def test_tensorrt_takes_onnx_files_alone(bundle: Path) -> None:
    (ways,) = find_ways(Bundle.open(bundle), (1, 2, 4), tensorrt=True).values()
    assert [(w.engine, w.artefact.precision, w.threads) for w in ways if not w.proven] == [
        ("tensorrt", "fp32", 1)
    ]
    (ways,) = find_ways(Bundle.open(bundle), (1,), tensorrt=False).values()
    assert all(way.proven for way in ways)


def test_more_ways_than_the_device_reads_are_refused(bundle: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_ways(Bundle.open(bundle), range(1, 502), tensorrt=False)
    assert caught.value.code == "race.ways"


def masked_bundle(folder: Path, data: str) -> Path:
    """Write a bundle whose mask network calls everything unmasked, with evidence of such data."""
    write_bundle(folder, ["mask"])
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["networks"]["mask"]["artefacts"][0]["evidence"] |= {
        "metric": "accuracy", "data": data, "max_drop": 0.01,
    }  # fmt: skip
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return folder


@pytest.mark.usefixtures("no_children")
def test_accuracy_is_measured_on_data(tmp_path: Path) -> None:
    labels = ["masked", "masked", "masked", "unmasked"]
    write_pack(
        tmp_path / "data" / "tiny",
        {str(i): flat_picture(50 * i, 40) for i in range(4)},
        [{"file": str(i), "label": label, "split": "test"} for i, label in enumerate(labels)],
    )
    bundle = masked_bundle(tmp_path / "bundle", "tiny/test")
    plan = Plan(threads=(1,), seconds=0.02, rounds=2, data=tmp_path / "data")
    (heat,) = run_race(bundle, plan).heats
    assert heat.entries[0].measured
    merit = heat.entries[0].merit
    assert (merit.value, merit.n, merit.data) == (0.25, 4, "tiny/test")


@pytest.mark.usefixtures("no_children")
@pytest.mark.parametrize("data", ["tiny/test", "../../etc/passwd", ".", "/", "x", "\0/test"])
def test_data_without_the_packs_is_refused(data: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    bundle = masked_bundle(tmp_path / "bundle", data)
    plan = Plan(threads=(1,), seconds=0.02, rounds=2, data=tmp_path / "data")
    with pytest.raises(MissingInput) as caught:
        run_race(bundle, plan)
    assert caught.value.code == "race.data"


def test_memory_is_that_of_a_process_of_its_own(bundle: Path) -> None:
    artefacts = Bundle.open(bundle).artefacts
    for artefact in artefacts:
        taken = memory_mib(bundle, Way(artefact, artefact.engine, 1))
        assert taken is not None and 0 <= taken < 100
    assert memory_mib(bundle, Way(artefacts[0], "tensorrt", 1)) is None


def test_the_scenes_are_the_same_everywhere_and_show_a_face() -> None:
    first, again = draw_scenes(2), draw_scenes(2)
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.frame.image, other.frame.image)
        left, top, width, height = one.face.box_xywh
        x, y = one.face.points_5x2.T
        assert (x > left).all() and (x < left + width).all()
        assert (y > top).all() and (y < top + height).all()
    assert not np.array_equal(first[0].frame.image, first[1].frame.image)


def test_it_runs_with_what_a_device_has(bundle: Path) -> None:
    """Without any training library, and without ONNX Runtime, rich or onnx."""
    absent = [
        "torch",
        "onnx",
        "onnxruntime",
        "rich",
        "litert_torch",
        "ai_edge_quantizer",
        "tomllib",
    ]
    program = (
        f"import sys\nfor name in {absent}: sys.modules[name] = None\n"
        "from export.cli import main\n"
        f"sys.exit(main(['race', {str(bundle)!r}, '--threads', '1', '--seconds', '0.02']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert choice_of(bundle, race_file(bundle)).of("identity") == Chosen("tflite", "int8", 1)


@pytest.mark.usefixtures("no_children")
def test_a_full_disk_leaves_the_old_race(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    race = run_race(bundle, QUICK)
    race.write(race_file(bundle))
    before = race_file(bundle).read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.files.os.fsync", full)
    with pytest.raises(OutputError):
        race.write(race_file(bundle))
    assert race_file(bundle).read_bytes() == before
    assert sorted(p.name for p in bundle.parent.iterdir()) == ["bundle", "bundle.race.json"]
