"""edge-doctor on the way to a TensorRT engine: each step that fails, with tests/trt's stand-in."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edge.board.system import System
from edge.bundle import Artefact, Bundle
from edge.doctor.built import BUILD_MIB, BUILD_WELL_MIB, check_built
from edge.doctor.case import Case, Interpreter
from edge.doctor.finding import Finding, severity
from edge.doctor.gpu import check_gpu
from edge.doctor.libraries import check_cuda_libraries
from edge.doctor.tensorrt import check_tensorrt
from edge.engines.cache import EngineCache, Target
from edge.errors import TransientError
from export.toolchains.tensorrt.memory import workspace_mib
from tests.boards import orin_nano, put
from tests.makers import write_bundle
from tests.trt.play import play

ORIN = Target("Orin (nvgpu)", "8.7", "10.3.0", "12.6", l4t="R36.4.3")
MODULE = "usr/lib/python3.10/dist-packages/tensorrt/__init__.py"
Play = Callable[..., Path]


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Play]:
    """Play a board until the test's end."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(play(monkeypatch, tmp_path, **settings))


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """An Orin Nano with a bundle of one ONNX file."""
    root = orin_nano(tmp_path / "board")
    return Case(
        bundle=onnx_bundle(tmp_path / "bundle"),
        gallery=root / "no-gallery",
        config=tmp_path / "config.toml",
        system=System(root),
        engines=tmp_path / "engines",
        key=tmp_path / "state" / "engine.key",
    )


def onnx_bundle(folder: Path) -> Path:
    """Write a bundle whose networks are said to be ONNX files; nobody opens them here."""
    path = write_bundle(folder, ("mask", "emotion")) / "bundle.json"
    table = json.loads(path.read_text())
    for network in table["networks"].values():
        (artefact,) = network["artefacts"]
        onnx = artefact["file"].replace(".null", ".onnx")
        (folder / artefact["file"]).rename(folder / onnx)
        artefact.update(file=onnx, engine="onnxruntime")
    path.write_text(json.dumps(table))
    return folder


def networks(case: Case) -> list[Artefact]:
    return [a for a in Bundle.open(case.bundle).artefacts if a.engine == "onnxruntime"]


def cache_of(case: Case) -> EngineCache:
    return EngineCache(case.engines, key=case.key, root=case.system.root)


def one(findings: list[Finding], subject: str) -> Finding:
    """Return what is said of a subject, which is one thing."""
    (found,) = [finding for finding in findings if finding.subject == subject]
    return found


def built(case: Case, subject: str = "cache") -> Finding:
    return one(check_built(case, ORIN, "warn"), subject)


def library(case: Case, driver: str = "12.6") -> Finding:
    return one(check_cuda_libraries(case, driver, "warn"), "cuda")


def tensorrt(case: Case, level: str = "warn") -> Finding:
    return check_tensorrt(case, level)[0]


def test_an_orin_nano_that_is_well(board: Play, case: Case) -> None:
    board(cuda="cuda-python")
    for artefact in networks(case):
        cache_of(case).put(artefact.sha256, ORIN, b"plan")
    findings = check_gpu(case)
    assert severity(findings) == 0
    said = {finding.subject: finding.what for finding in findings}
    assert list(said) == ["cuda", "gpu", "tensorrt", "cache", "memory"]
    assert said["cuda"].startswith("driver of CUDA 12.6; cuda-python")
    assert said["gpu"] == "Orin (nvgpu), compute capability 8.7, CUDA 12.6, through cuda-python"
    assert said["tensorrt"] == "TensorRT 10.3.0"
    assert said["cache"].startswith("2 of 2 networks have an engine for Orin (nvgpu) (8.7)")
    assert said["memory"].startswith("2000 MiB free; running takes about 812")


def test_no_driver(board: Play, case: Case, tmp_path: Path) -> None:
    board(driver=False)
    (finding,) = check_gpu(case)
    assert (finding.level, finding.subject) == ("warn", "cuda")
    assert "libcuda.so.1" in finding.what and "nvidia-l4t-cuda" in finding.mend
    elsewhere = dataclasses.replace(case, system=System(tmp_path / "elsewhere"))
    assert check_gpu(elsewhere) == []


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("", "warn"),
        ('engine = "tensorrt"\nfallback = ""\n', "fail"),
        ('engine = "tensorrt"\nfallback = "tflite"\n', "warn"),
    ],
)
def test_how_much_it_matters(board: Play, case: Case, text: str, level: str) -> None:
    board(driver=False)
    case.config.write_text(f'source = "v4l2:///dev/video0"\nsinks = ["jsonl:a"]\n{text}')
    (finding,) = check_gpu(case)
    assert finding.level == level


def test_both_libraries(board: Play, case: Case) -> None:
    board(cuda="pycuda,cuda-python")
    findings = check_gpu(case)
    cuda = one(findings, "cuda")
    assert "PyCUDA" in cuda.what and "is used, cuda-python" in cuda.what
    assert "pip uninstall --yes pycuda" in cuda.mend
    assert one(findings, "gpu").what.endswith("through pycuda")


def test_one_library_and_none(board: Play, case: Case) -> None:
    board(cuda="pycuda")
    finding = library(case)
    assert "no CUDA graphs" in finding.what and "'cuda-python<13'" in finding.mend
    board(cuda="cuda-python-old")
    finding = library(case, "11.4")
    assert "cuda-python" in finding.what and "pip install pycuda" in finding.mend
    board(cuda="")
    finding = library(case, "11.4")
    assert finding.level == "warn" and "'cuda-python<12'" in finding.mend
    assert "pip install pycuda" in finding.mend


def test_a_library_that_crashes_does_not_take_the_doctor_along(
    board: Play, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board(cuda="cuda-python")
    broken = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)\n"
    put(tmp_path / "broken", {"pycuda/__init__.py": "", "pycuda/driver.py": broken})
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'broken'}{os.pathsep}{os.environ['PYTHONPATH']}")
    findings = check_gpu(case)
    crash = next(f for f in findings if f.subject == "cuda" and f.level == "warn")
    assert "PyCUDA cannot be imported: ends Python by SIGSEGV" in crash.what
    assert crash.mend.endswith("pip install pycuda --force-reinstall")
    (gpu,) = [f for f in findings if f.subject == "gpu"]
    assert gpu.level == "warn" and "SIGSEGV" in gpu.what


def test_no_gpu(board: Play, case: Case) -> None:
    board(gpu="")
    finding = one(check_gpu(case), "gpu")
    assert finding.level == "warn" and "CUDA_ERROR_NO_DEVICE" in finding.what
    assert "dmesg" in finding.mend


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open anything; run as another user")
def test_a_gpu_for_others_only(board: Play, case: Case) -> None:
    board(gpu="")
    put(case.system.root, {"dev/nvmap": "", "dev/nvgpu/igpu0/ctrl": ""})
    (case.system.root / "dev/nvgpu/igpu0/ctrl").chmod(0)
    finding = one(check_gpu(case), "gpu")
    assert "/dev/nvgpu/igpu0/ctrl is shut" in finding.what and "video,render" in finding.mend


def in_environment(case: Case, *, version: tuple[int, int], base: str = "/usr") -> Case:
    """Put the case into an environment that does not see the system's packages."""
    text = "home = /usr/bin\ninclude-system-site-packages = false\n"
    put(case.system.root, {"opt/v/pyvenv.cfg": text})
    python = Interpreter(
        version=version, prefix="/opt/v", base_prefix=base, executable=sys.executable
    )
    return dataclasses.replace(case, python=python)


def test_tensorrt_that_is_not_there(board: Play, case: Case, tmp_path: Path) -> None:
    board(tensorrt="")
    finding = tensorrt(case)
    assert (finding.level, finding.what) == ("warn", "TensorRT is not installed")
    assert finding.mend.endswith("apt install python3-libnvinfer")
    elsewhere = dataclasses.replace(case, system=System(tmp_path / "elsewhere"))
    finding = tensorrt(elsewhere, "ok")
    assert (finding.level, finding.mend) == (
        "ok",
        f"{sys.executable} -m pip install 'tensorrt>=8.5,<12'",
    )


def test_tensorrt_that_this_environment_does_not_see(board: Play, case: Case) -> None:
    board(tensorrt="")
    put(case.system.root, {MODULE: ""})
    finding = tensorrt(in_environment(case, version=(3, 10)))
    assert finding.what == (
        "TensorRT 10.3.0.30 is the system's, and this environment does not see it"
    )
    assert finding.mend == "/usr/bin/python3 -m venv --system-site-packages /opt/v"
    finding = tensorrt(in_environment(case, version=(3, 10), base="/home/a/.pyenv/v"))
    assert "/home/a/.pyenv/v" in finding.what and "~/unveil" in finding.mend
    finding = tensorrt(in_environment(case, version=(3, 12)))
    assert finding.what == "TensorRT 10.3.0.30 is for Python 3.10, and this is 3.12"
    assert "--system-site-packages ~/unveil" in finding.mend


def test_tensorrt_of_a_jetpack_that_is_too_old(board: Play, case: Case) -> None:
    board(tensorrt="")
    put(case.system.root, {MODULE.replace("3.10", "3.8"): ""})
    finding = tensorrt(in_environment(case, version=(3, 10)))
    assert "for Python 3.8, and this is 3.10" in finding.what and "sdk-manager" in finding.mend


def test_tensorrt_of_another_generation(board: Play, case: Case) -> None:
    board(TENSORRT_VERSION="12.0.0")
    findings = check_gpu(case)
    finding = one(findings, "tensorrt")
    assert finding.level == "warn" and "TensorRT 12.0.0 is not served" in finding.what
    assert "pip install --upgrade unveil-edge" in finding.mend
    assert "cache" not in {finding.subject for finding in findings}
    board(TENSORRT_VERSION="8.2.1")
    assert "sdk-manager" in tensorrt(case).mend


def test_tensorrt_without_its_libraries(
    board: Play, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board(tensorrt="10.3")
    why = "raise ImportError('libnvinfer.so.10: cannot open shared object file')\n"
    put(tmp_path / "broken", {"tensorrt/__init__.py": why})
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'broken'}{os.pathsep}{os.environ['PYTHONPATH']}")
    finding = tensorrt(case)
    assert "libnvinfer.so.10" in finding.what and "--reinstall nvidia-tensorrt" in finding.mend


def test_engines_that_are_missing_stale_and_damaged(case: Case) -> None:
    finding = built(case)
    assert finding.level == "warn" and finding.what.startswith("0 of 2 networks have an engine")
    assert finding.mend.startswith(f"edge-export build {case.bundle}")
    assert not case.key.exists(), "the doctor makes no key"
    mask, emotion = networks(case)
    path = cache_of(case).put(mask.sha256, ORIN, b"plan")
    cache_of(case).put(emotion.sha256, dataclasses.replace(ORIN, gpu="H200"), b"plan")
    path.write_bytes(path.read_bytes() + b"more")
    there, others = [f for f in check_built(case, ORIN, "warn") if f.subject == "cache"]
    assert f"damaged or another device's: {mask.task} int8" in there.what
    assert others.level == "warn" and "built for H200 (8.7)" in others.what
    for artefact in (mask, emotion):
        cache_of(case).put(artefact.sha256, ORIN, b"plan")
    (case.engines / "x.plan").write_bytes(b"UEPLAN1\n" + b"\xff" * 9)
    there, others = [f for f in check_built(case, ORIN, "warn") if f.subject == "cache"]
    assert there.level == others.level == "ok" and others.mend.startswith("rm ")
    assert "nothing that can be read" in others.what and str(case.engines / "x.plan") in others.mend


def test_engines_are_looked_for_as_the_service_wants_them(case: Case) -> None:
    mask, emotion = networks(case)
    finding = built(case)
    # Nothing takes them unasked.
    assert finding.mend.endswith(f"then: edge-export race {case.bundle}")
    text = 'source = "v4l2:///dev/video0"\nengine = "tensorrt"\nprecision = "int8"\ndla = "1"\n'
    case.config.write_text(text)
    finding = built(case)
    assert finding.what.startswith(f"0 of 2 networks have an engine for {ORIN}, DLA 1")
    asked = f"edge-export build {case.bundle} --precision int8 --dla 1"
    assert finding.mend == f"{asked}, or let the service do it at its start: minutes"
    for artefact in (mask, emotion):
        cache_of(case).put(artefact.sha256, dataclasses.replace(ORIN, dla="1"), b"plan")
    assert built(case).level == "ok"
    case.config.write_text(text.replace("int8", "fp16"))
    assert "has no fp16 ONNX file" in built(case).what


def test_a_key_that_others_may_read_and_one_that_is_gone(case: Case) -> None:
    cache_of(case).put(networks(case)[0].sha256, ORIN, b"plan")
    case.key.chmod(0o644)
    finding = built(case)
    assert finding.level == "warn" and "mode 0644" in finding.what
    assert finding.mend.startswith(f"rm {case.key} && edge-export build")
    case.key.chmod(0o600)
    case.key.write_bytes(b"short")
    finding = built(case)
    assert finding.level == "warn" and "is no key" in finding.what and "rm " in finding.mend
    case.key.unlink()
    finding = built(case)
    assert "is gone" in finding.what and not case.key.exists()


def test_a_bundle_without_onnx(case: Case, tmp_path: Path) -> None:
    finding = built(dataclasses.replace(case, bundle=write_bundle(tmp_path / "other")))
    assert "no ONNX file" in finding.what and "--format tflite onnx" in finding.mend
    assert finding.level == "ok"


def test_too_little_memory(case: Case) -> None:
    put(case.system.root, {"proc/meminfo": "MemAvailable: 1000000 kB\n"})
    finding = built(case, "memory")
    assert finding.level == "warn" and "977 MiB free" in finding.what
    assert "multi-user.target" in finding.mend
    for artefact in networks(case):
        cache_of(case).put(artefact.sha256, ORIN, b"plan")
    # Nothing is left to build.
    assert built(case, "memory").level == "ok"


def test_the_estimate_is_the_builders_own(tmp_path: Path) -> None:
    def pool(free_mib: int) -> int:
        put(tmp_path, {"proc/meminfo": f"MemAvailable: {free_mib * 1024} kB\n"})
        return workspace_mib(System(tmp_path))

    with pytest.raises(TransientError, match=f"takes {BUILD_MIB}"):
        pool(BUILD_MIB - 1)
    assert pool(BUILD_MIB) < pool(BUILD_WELL_MIB) == pool(2 * BUILD_WELL_MIB)
