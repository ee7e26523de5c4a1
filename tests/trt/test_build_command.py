"""``edge-export build``: finds, builds, keeps, tells; each refusal is one line and an exit code."""

from __future__ import annotations

import hashlib
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install -e .[test]")

from edge.bundle import Bundle
from edge.engines import open_engine
from edge.engines.cache import EngineCache
from edge.engines.gpu import open_gpu
from edge.engines.plans import import_tensorrt, target_of
from edge.errors import UnavailableError
from export.cli import main
from export.toolchains import builds, rules
from export.toolchains.builds import LAYERS_SCHEMA
from export.toolchains.tensorrt import Built, Options, memory
from export.toolchains.tensorrt.builder import build_here
from tests.makers import write_bundle
from tests.trt.nets import network, write_onnx_bundle
from tests.trt.play import Play


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build in this process, for tests of what is done with engines, not of how they are made."""

    def build_quick(
        onnx: bytes, options: Options, *, timing: bytes, where: str, say: Callable[[str], None]
    ) -> Built:
        from edge.engines.plans import import_tensorrt

        return build_here(import_tensorrt(), onnx, options, timing=timing, where=where, say=say)

    monkeypatch.setattr(builds, "build", build_quick)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_onnx_bundle(tmp_path_factory.mktemp("build") / "bundle")


def _json(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    table = json.loads(capsys.readouterr().out)
    assert table["schema"] == "unveil-edge.build/1"
    rows: list[dict[str, Any]] = table["engines"]
    return rows


@pytest.mark.parametrize(
    ("asked", "batch"), [([], 4), (["--batch", "2"], 2), (["--batch", "1"], 1)]
)
def test_faces_at_once_are_asked_for_and_told(
    board: Play, bundle: Path, capsys: pytest.CaptureFixture[str], asked: list[str], batch: int
) -> None:
    with board():
        assert main(["build", str(bundle), "--json", *asked]) == 0
        (row,) = json.loads(capsys.readouterr().out)["engines"]
        assert row["batch"] == batch
        assert main(["build", str(bundle), "--force", *asked]) == 0
        assert (f"{batch} faces at once" in capsys.readouterr().out) == (batch > 1)
        with open_engine(Bundle.open(bundle).artefact("mask", precision="int8"),
                         engine="tensorrt") as engine:  # fmt: skip
            assert engine.batch == batch


def test_a_network_of_the_whole_frame_takes_one(
    board: Play, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = Path(shutil.copytree(bundle, tmp_path / "frames"))
    manifest = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    for artefact in manifest["networks"]["mask"]["artefacts"]:
        artefact["contract"]["crop"] = {"kind": "frame"}
    (bundle / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    with board():
        assert main(["build", str(bundle), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["engines"][0]["batch"] == 1


def test_what_is_built_runs_and_is_up_to_date(
    board: Play, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with board():
        assert main(["build", str(bundle)]) == 0
        built = capsys.readouterr()
        assert built.out.startswith("mask int8: built in ")
        assert "for Orin (nvgpu) (8.7), TensorRT 10.3.0, CUDA 12.6" in built.err
        assert main(["build", str(bundle)]) == 0
        assert capsys.readouterr().out == "mask int8: up to date\n"
        artefact = Bundle.open(bundle).artefact("mask", precision="int8")
        with open_engine(artefact, engine="tensorrt") as engine, open_engine(artefact) as other:
            for one in (engine, other):
                one.inputs[0][:] = 5
                one.run()
            assert engine.batch == 4
            assert np.abs(engine.outputs[0][:1] - other.outputs[0]).max() < 1e-6


@pytest.mark.usefixtures("quick")
def test_all_precisions_and_json(
    board: Play, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with board(tensorrt="10.12"):
        assert main(["build", str(bundle), "--precision", "fp16", "--json"]) == 0
        (row,) = _json(capsys)
        assert (row["task"], row["precision"], row["state"]) == ("mask", "fp16", "built")
        assert row["bytes"] > 0 and row["workspace_mib"] >= 64 and row["error"] is None
        assert main(["build", str(bundle), "--precision", "all", "--json"]) == 0
        assert [(r["precision"], r["state"]) for r in _json(capsys)] == [
            ("int8", "built"), ("fp16", "up to date"),
        ]  # fmt: skip
        assert main(["build", str(bundle), "--force", "--json"]) == 0
        assert [r["state"] for r in _json(capsys)] == ["built"]


@pytest.mark.usefixtures("quick")
def test_another_release_another_accelerator_another_engine(
    board: Play, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["build", str(bundle), "--json"]
    with board(tensorrt="8.6", DLA="2"):
        assert main(command) == 0 and _json(capsys)[0]["dla"] is None
        assert main([*command, "--dla", "1"]) == 0
        (row,) = _json(capsys)
        assert row["state"] == "built" and 0 < row["dla"]["fallen_share"] < 1
    with board(tensorrt="10.3", DLA="2"):
        assert main(command) == 0 and _json(capsys)[0]["state"] == "built"


@pytest.mark.usefixtures("quick")
def test_a_damaged_engine_is_built_again_and_never_woken(
    board: Play, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["build", str(bundle), "--cache", str(tmp_path / "engines")]
    with board():
        assert main(command) == 0
        for plan in (tmp_path / "engines").glob("*.plan"):
            content = bytearray(plan.read_bytes())
            content[-1] ^= 1
            plan.write_bytes(content)
        assert main(command) == 0
        done = capsys.readouterr()
    assert "not written by this device for this target, or damaged; it is built again" in done.err
    assert done.out.splitlines()[-1].startswith("mask int8: built in ")


@pytest.mark.usefixtures("quick")
def test_another_number_of_faces_is_another_engine(
    board: Play, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def states(*given: str) -> list[tuple[str, int | None]]:
        assert main(["build", str(bundle), "--json", *given]) == 0
        return [(row["state"], row["batch"]) for row in _json(capsys)]

    with board(DLA="1"):
        assert states() == [("built", 4)]
        assert states("--batch", "2") == [("built", 2)]
        assert states("--batch", "2") == [("up to date", None)]
        assert states() == [("built", 4)]
        assert states() == [("up to date", None)]
        # The accelerator takes one, whatever is asked for.
        assert states("--dla", "0") == [("built", 1)]
        assert states("--dla", "0", "--batch", "2") == [("up to date", None)]


@pytest.mark.usefixtures("quick")
def test_an_engine_without_its_own_record_is_built_again(
    board: Play, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a power cut leaves them: the engine is new, and the record the last one's."""
    engines = tmp_path / "engines"
    command = ["build", str(bundle), "--json", "--cache", str(engines)]
    with board():
        assert main([*command, "--batch", "2"]) == 0
        artefact = Bundle.open(bundle).artefact("mask", "onnxruntime", "int8")
        gpu = open_gpu()
        target = target_of(gpu, import_tensorrt())
        gpu.close()
        cache = EngineCache(engines)
        record = cache.find(builds._layers_key(artefact), target)
        assert record is not None and json.loads(record)["batch"] == 2
        assert main([*command, "--batch", "3"]) == 0
        cache.put(builds._layers_key(artefact), target, record)
        capsys.readouterr()
        assert main([*command, "--batch", "2"]) == 0
        assert [row["state"] for row in _json(capsys)] == ["built"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "--engine tensorrt, or race them: edge-export race "),
        (["--precision", "fp16"], "--engine tensorrt --precision fp16, or race them"),
        (["--precision", "fp16", "--dla", "0"], "--engine tensorrt --precision fp16 --dla 0"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_what_runs_the_engines_is_told(
    board: Play, bundle: Path, capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    with board(DLA="1", cuda="cuda-python"):
        assert main(["build", str(bundle), *given]) == 0
        told = capsys.readouterr().err
        assert ", through cuda-python" in told.splitlines()[0]
        assert f"to run them: edge-run --bundle {bundle} {said}" in told
        assert main(["build", str(bundle), *given]) == 0
        assert "to run them" not in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
def test_layers_are_written_also_of_what_was_there(
    board: Play, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with board():
        assert main(["build", str(bundle)]) == 0
        assert main(["build", str(bundle), "--layers", str(tmp_path / "layers")]) == 0
    assert capsys.readouterr().out.endswith("mask int8: up to date\n")
    written = json.loads((tmp_path / "layers" / "mask.int8.onnx.layers.json").read_text())
    assert written["schema"] == LAYERS_SCHEMA
    assert written["target"]["tensorrt"] == "10.3.0"
    assert written["onnx_sha256"] == hashlib.sha256(network("int8")).hexdigest()
    assert [layer["operators"] for layer in written["layers"] if "stem" in layer["operators"]]


def test_a_folder_for_layers_that_cannot_be_made(
    board: Play, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with board():
        assert main(["build", str(bundle), "--layers", str(tmp_path / "file" / "x")]) == 73
    _refused(capsys, "output.write")


@pytest.mark.usefixtures("quick")
def test_a_device_without_onnx_builds_without_the_rules(
    board: Play,
    bundle: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unavailable(*args: object, **settings: object) -> None:
        raise UnavailableError("writing ONNX needs onnx")

    monkeypatch.setattr(rules, "check_rules", unavailable)
    with board():
        assert main(["build", str(bundle)]) == 0


@pytest.mark.usefixtures("quick")
def test_rules_that_this_release_cannot_keep_are_told_before(
    board: Play, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_onnx_bundle(tmp_path / "later", ("int8",), {"int8": network("int8", 19)})
    with board(tensorrt="8.5"):
        assert main(["build", str(folder)]) == 0
    assert "opset 19; TensorRT 8.5 reads 9 to 17" in capsys.readouterr().err


def _refused(capsys: pytest.CaptureFixture[str], code: str) -> str:
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("edge-export: ") and last.endswith(f"[{code}]")
    return last


@pytest.mark.parametrize(
    ("settings", "exit_code", "code"),
    [
        ({"driver": False}, 69, "cuda.driver"),
        ({"gpu": ""}, 69, "cuda.device"),
        ({"cuda": ""}, 69, "cuda.library"),
        ({"tensorrt": ""}, 69, "tensorrt.library"),
        ({"TENSORRT_VERSION": "12.1.0"}, 69, "tensorrt.version"),
        ({"TENSORRT_VERSION": "8.4.1"}, 69, "tensorrt.version"),
        ({"UNREAD": "Conv"}, 69, "build.operator"),
        ({"BUILD": "crash"}, 69, "build.crashed"),
        ({"BUILD": "killed"}, 75, "build.killed"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_what_cannot_be_is_one_line(
    board: Play,
    bundle: Path,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, Any],
    exit_code: int,
    code: str,
) -> None:
    with board(**settings):
        assert main(["build", str(bundle)]) == exit_code
        _refused(capsys, code)


@pytest.mark.usefixtures("quick")
def test_too_little_memory_names_the_figure(
    board: Play,
    bundle: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "meminfo_mib", lambda system, key: 512.0)
    with board():
        assert main(["build", str(bundle)]) == 75
        assert "512 MiB of memory are free, and building takes 1152" in _refused(
            capsys, "build.memory"
        )
        assert main(["build", str(bundle), "--memory-mib", "600"]) == 75
        assert main(["build", str(bundle), "--memory-mib", "100"]) == 0


@pytest.mark.usefixtures("quick")
def test_one_network_that_cannot_be_built_leaves_the_others(
    board: Play, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with board(UNREAD="DequantizeLinear"):
        assert main(["build", str(bundle), "--precision", "all"]) == 69
        done = capsys.readouterr()
    assert done.out.splitlines()[0] == "mask int8: not built  [build.operator]"
    assert done.out.splitlines()[1].startswith("mask fp16: built in ")
    assert done.err.strip().endswith("[build.operator]")


@pytest.mark.usefixtures("quick")
def test_a_bundle_without_such_a_file(
    board: Play, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with board():
        assert main(["build", str(bundle), "--precision", "fp32"]) == 76
        assert "no network has an fp32 ONNX file" in _refused(capsys, "build.artefact")
        assert main(["build", str(write_bundle(tmp_path / "null"))]) == 76
        _refused(capsys, "build.artefact")
        assert main(["build", str(tmp_path / "none")]) == 66


def test_what_was_built_is_raced(
    board: Play, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real race with the real engine, whose library alone is the stand-in."""
    monkeypatch.setattr("export.race.run.memory_mib", lambda path, way: 4.0)
    out, asked = tmp_path / "race.json", ["--threads", "1", "--seconds", "0.02"]
    with board(cuda="cuda-python"):
        assert main(["build", str(bundle), "--precision", "fp16"]) == 0
        assert main(["race", str(bundle), "--out", str(out), *asked]) == 0
    ways = json.loads(out.read_text())["ways"]["mask"]
    raced = {(way["engine"], way["precision"]): way for way in ways}
    fp16, int8 = raced["tensorrt", "fp16"], raced["tensorrt", "int8"]
    assert fp16["times"] and fp16["cosine"] > 0.999 and not fp16["problem"]
    assert "none was built yet" in int8["problem"]


def test_two_at_once_build_once(board: Play, bundle: Path) -> None:
    with board(BUILD="slow"):
        command = [sys.executable, "-m", "export.cli", "build", str(bundle), "--json"]
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                for _ in range(2)]  # fmt: skip
        said = [json.loads(one.communicate()[0])["engines"][0]["state"] for one in both]
    assert sorted(said) == ["built", "up to date"]


def test_a_builder_ends_with_who_asked_for_it(
    board: Play, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with board(BUILD="hang"):
        command = [sys.executable, "-m", "export.cli", "build", str(bundle)]
        asking = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert asking.stderr is not None
        with asking.stderr:
            while b"building" not in (line := asking.stderr.readline()):
                assert line, "it ended by itself"
            building = os.pidfd_open(_child_of(asking.pid))
            try:
                asking.kill()
                asking.wait()
                ended, _, _ = select.select([building], [], [], 30)
            finally:
                os.close(building)
    assert ended
    assert list(tmp_path.glob("unveil-edge-build-*")) == []


def _child_of(pid: int) -> int:
    """Return the process that another one started; it is about to, or has."""
    while not (found := Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        os.sched_yield()
    return int(found[0])
