"""edge-doctor on Python, environments and compiled libraries, each import in a real process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge.board.system import System
from edge.doctor.case import Case, Interpreter
from edge.doctor.configuration import check_configuration
from edge.doctor.install.running import ServiceState, how_it_fares
from edge.doctor.python import (
    check_engines,
    check_environment,
    check_library,
    check_picamera2,
    check_python,
)
from edge.doctor.service import check_service, judge_state
from tests.boards import pi5, put, script
from tests.hostile.process import run_edge
from tests.makers import write_bundle


def case_of(root: Path, python: Interpreter | None = None, **more: Path) -> Case:
    return Case(
        bundle=more.get("bundle", root / "none"),
        gallery=root / "none",
        config=more.get("config", root / "none.toml"),
        system=System(root),
        python=python or Interpreter(),
    )


def virtual(root: Path, *, sees_system: bool, base: str = "/usr") -> Interpreter:
    """Return an interpreter of an environment that lies in a tree."""
    text = f"home = /usr/bin\ninclude-system-site-packages = {str(sees_system).lower()}\n"
    put(root, {"opt/v/pyvenv.cfg": text})
    return Interpreter(prefix="/opt/v", base_prefix=base)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder whose modules every new Python finds."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 9), "fail"), ((3, 10), "ok"), ((3, 13), "ok"), ((3, 14), "warn"), ((4, 0), "warn")],
)
def test_python(version: tuple[int, int], level: str, tmp_path: Path) -> None:
    (finding,) = check_python(case_of(tmp_path, Interpreter(version=version)))
    assert finding.level == level


def test_a_library_that_is_there_and_one_that_is_not() -> None:
    assert check_library(Interpreter(), "numpy", "numpy").level == "ok"
    missing = check_library(Interpreter(), "no_such_library_anywhere", "no-such-library")
    assert (missing.level, missing.what) == ("fail", "is not installed")
    assert missing.mend == f"{sys.executable} -m pip install no-such-library"


@pytest.mark.parametrize(
    ("source", "said", "mend"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "SIGILL", "--force-reinstall"),
        (
            "raise ValueError('numpy.dtype size changed, may indicate binary incompatibility')",
            "compiled for another NumPy",
            "--upgrade numpy",
        ),
        (
            "import sys; print('A module that was compiled using NumPy 1.x cannot be run in NumPy "
            "2.2.6', file=sys.stderr); raise ImportError('numpy.core.multiarray failed to import')",
            "compiled for another NumPy",
            "--upgrade numpy",
        ),
        (
            "raise ImportError('libGL.so.1: cannot open shared object file')",
            "a desktop's libraries",
            "uninstall --yes opencv-python",
        ),
        ("raise RuntimeError('of its own')", "of its own", "--force-reinstall"),
    ],
)
def test_a_library_that_does_not_load(source: str, said: str, mend: str, module: Path) -> None:
    (module / "fragile.py").write_text(source)
    finding = check_library(Interpreter(), "fragile", "fragile")
    assert finding.level == "fail" and said in finding.what and mend in finding.mend


def test_engines_are_tried_with_a_network_of_the_bundle(tmp_path: Path) -> None:
    (finding,) = check_engines(case_of(tmp_path))
    assert finding.level == "fail" and "runs no network" in finding.what
    without_tflite = write_bundle(tmp_path / "bundle")
    (finding,) = check_engines(case_of(tmp_path, bundle=without_tflite))
    assert finding.level == "fail"


def test_environments(tmp_path: Path) -> None:
    (finding,) = check_environment(case_of(tmp_path, virtual(tmp_path, sees_system=True)))
    assert finding.level == "ok" and finding.what.endswith(", sees the system's packages")
    lone = Interpreter(prefix="/usr", base_prefix="/usr", standard_library=str(tmp_path))
    assert check_environment(case_of(tmp_path, lone))[0].level == "ok"
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    (finding,) = check_environment(case_of(tmp_path, lone))
    assert finding.level == "warn" and "PEP 668" in finding.what
    assert "-m venv ~/unveil" in finding.mend
    (finding,) = check_environment(case_of(pi5(tmp_path), lone))
    assert "-m venv --system-site-packages ~/unveil" in finding.mend


def test_picamera2_out_of_reach(tmp_path: Path) -> None:
    assert check_picamera2(case_of(tmp_path))[0].what == "not needed: no Raspberry Pi"
    pi5(tmp_path)
    alone = virtual(tmp_path, sees_system=False)
    (finding,) = check_picamera2(case_of(tmp_path, alone))
    assert finding.mend == "sudo apt install --no-install-recommends python3-picamera2"
    put(tmp_path, {"usr/lib/python3/dist-packages/picamera2/__init__.py": ""})
    (finding,) = check_picamera2(case_of(tmp_path, alone))
    assert finding.mend == "/usr/bin/python3 -m venv --system-site-packages /opt/v"
    other = virtual(tmp_path, sees_system=True, base="/home/ada/.pyenv/versions/3.12.1")
    (finding,) = check_picamera2(case_of(tmp_path, other))
    assert "pyenv" in finding.what and finding.level == "warn"


def test_picamera2_and_the_cameras_it_finds(tmp_path: Path, module: Path) -> None:
    root = pi5(tmp_path / "root")
    (module / "picamera2.py").write_text("__version__ = '0.3.38'")
    said = "Available cameras\n-----------------\n0 : imx708_wide [4608x2592 10-bit RGGB] (/base)\n"
    put(root, {"cameras": said})
    script(root, "rpicam-hello", f"[ \"$1\" = --list-cameras ] && cat '{root}/cameras'")
    what = [finding.what for finding in check_picamera2(case_of(root))]
    assert what == ["0.3.38", "cameras: imx708_wide"]
    put(root, {"cameras": "No cameras available!\n"})
    assert "ribbon" in check_picamera2(case_of(root))[1].mend
    (module / "picamera2.py").write_text("raise ValueError('numpy.dtype size changed')")
    (finding,) = check_picamera2(case_of(root))
    assert finding.mend.endswith("-m pip install 'numpy<2'")


def test_the_command_without_numpy(tmp_path: Path, module: Path) -> None:
    (module / "numpy.py").write_text("raise ImportError('no NumPy today')")
    ended = run_edge("edge-doctor", home=tmp_path)
    assert (ended.returncode, ended.stderr) == (2, "")
    assert ended.stdout.startswith("fail  numpy") and "mend it with: " in ended.stdout


def test_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    assert check_configuration(case_of(tmp_path, config=path))[0].level == "ok"
    path.write_text('source = "v4l2:///dev/video0"\nsinks = ["jsonl:a", "mqtt://h/t"]\n')
    (finding,) = check_configuration(case_of(tmp_path, config=path))
    assert (finding.level, finding.what) == ("ok", f"{path}: v4l2 to jsonl, mqtt")
    path.write_text('sauce = "x"\n')
    missing, unknown = check_configuration(case_of(tmp_path, config=path))
    assert missing.level == unknown.level == "fail" and missing.mend and unknown.mend
    assert "source: is missing" in missing.what and "did you mean source?" in unknown.what


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('source = "v4l2:///dev/video0?widht=3"', ["did you mean width?"]),
        ('source = "rtsp://ada@h/x?password_file=/none"', ["password file cannot be read"]),
        ('source = "synthetic://?frames=3"', ["has an end"]),
        ('source = "/none.mp4"', ["/none.mp4: no such file"]),
        (
            'source = "csi://0"\nsinks = ["kafka:x", "mqtt://h/a?qos=5", "video:a.mkv", '
            '"prometheus:h:x", "jsonl:a?keep=0", "images:a"]',
            ["'kafka:x' names no sink", "qos=5", "ending", "neither a port", "keep=0"],
        ),
        (
            'source = "csi://0"\nbundle = "/none/b"\ngallery = "/none/g"\ntrust = ["/none/k"]',
            ["bundle = '/none/b'", "gallery = '/none/g'", "trust = '/none/k'"],
        ),
    ],
)
def test_what_the_service_would_refuse_is_found(text: str, said: list[str], tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text + "\n")
    found = check_configuration(case_of(tmp_path, config=path))
    assert [finding.level for finding in found] == ["fail"] * len(said)
    assert all(part in f.what + f.mend and f.mend for part, f in zip(said, found, strict=True))
    assert {entry.name for entry in tmp_path.iterdir()} == {"c.toml"}  # nothing was opened


def test_a_library_that_a_sink_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.toml"
    path.write_text('source = "csi://0"\nsinks = ["mqtt://h/t"]\n')
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (finding,) = check_configuration(case_of(tmp_path, config=path))
    assert finding.level == "fail" and finding.mend.endswith("'unveil-edge[mqtt]'")


def test_who_waits_for_a_camera_is_told_how_another_one_is_named() -> None:
    """A reload would wait for the first frame, and so for ever."""
    waiting = ServiceState(active="activating", text="camera lost for 3 s: no such camera")
    said = how_it_fares(waiting, Path("/etc/c.toml"))
    assert "camera lost" in said and "/etc/c.toml" in said and "systemctl restart" in said
    assert how_it_fares(ServiceState("active", text="2 faces"), Path("/etc/c.toml")) == (
        "the service is active: 2 faces"
    )


def test_the_installed_service(tmp_path: Path) -> None:
    import edge
    from edge.doctor.files import UNIT, service_file

    case = case_of(tmp_path)
    assert "not installed" in check_service(case)[0].what
    unit = tmp_path / "etc/systemd/system/unveil-edge.service"
    put(tmp_path, {"etc/systemd/system/unveil-edge.service": "[Service]\nExecStart=/bin/true\n"})
    assert "not one that this command wrote" in check_service(case)[0].what
    unit.write_bytes(service_file(UNIT))
    assert [f.level for f in check_service(case)] == ["fail"]  # no environment
    packages = tmp_path / "opt/unveil-edge/venv/lib/python3.11/site-packages"
    (packages / f"unveil_edge-{edge.__version__}.dist-info").mkdir(parents=True)
    assert [f.level for f in check_service(case)] == ["ok"]
    unit.write_bytes(service_file(UNIT) + b"# mine\n")
    assert "drop-in" in check_service(case)[0].what
    (packages / f"unveil_edge-{edge.__version__}.dist-info").rename(
        packages / "unveil_edge-0.0.1.dist-info"
    )
    assert "has version 0.0.1" in check_service(case)[0].what


@pytest.mark.parametrize(
    ("state", "level", "said"),
    [
        (ServiceState("active", text="1 face, 15 fps"), "ok", "1 face"),
        (ServiceState("active", text="1 face", restarts=4), "warn", "4 times"),
        (ServiceState("activating", text="camera awaited"), "warn", "camera awaited"),
        (ServiceState("failed", "exit-code", "78"), "fail", "exit status 78"),
        (ServiceState("inactive"), "warn", "does not run"),
    ],
)
def test_how_the_service_fares(state: ServiceState, level: str, said: str) -> None:
    finding = judge_state(state)
    assert finding.level == level and said in finding.what
    assert bool(finding.mend) == (level != "ok")
