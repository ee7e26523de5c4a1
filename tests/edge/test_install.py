"""The install of the service into a tree: every part made, made again, and taken away.

The tree's Python and pip are this machine's, run with paths into the tree; users are made by the
real systemd-sysusers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import zipfile
from pathlib import Path

import pytest

from edge.doctor.files import DROP_IN, EXAMPLE, RULES, SHARE, UNIT, USER, service_file
from edge.doctor.install import Machine, Step, Target, install, read_package, uninstall
from edge.doctor.install.environment import Environment, system_libraries
from edge.doctor.install.package import Package
from edge.errors import EdgeError, MissingInput, OutputError, UsageError
from tests.boards import orin_nano, put

NEEDS = ("systemd-sysusers", "userdel")
PARTS = 6
EXAMPLE_TEXT = b'source = "v4l2:///dev/video0"\n'

needs_commands = pytest.mark.skipif(
    any(Machine().system.command(name) is None for name in NEEDS),
    reason=f"makes a user with {' and '.join(NEEDS)}: apt install systemd passwd",
)


class TreeMachine(Machine):
    """A tree whose programs are this machine's: they see the tree's folders where they lie."""

    def inside(self, *command: str | Path) -> list[str]:
        seen = str(self.at("/opt"))
        return [str(part).replace("/opt", seen, 1) if str(part).startswith("/opt") else str(part)
                for part in command]  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wheel(tmp_path_factory.mktemp("wheel"), b"# its own rules\n")


def write_wheel(folder: Path, rules: bytes) -> Path:
    """Write a wheel of this name that needs nothing, with the service's files in it."""
    name = "unveil_edge-9.9.9"
    content = {f"{name}.data/data/{SHARE}/{part}": service_file(part) for part in (UNIT, USER)}
    content |= {
        f"{name}.data/data/{SHARE}/{RULES}": rules,
        f"{name}.data/data/{SHARE}/{DROP_IN}": service_file(DROP_IN),
        f"{name}.data/data/{SHARE}/{EXAMPLE}": EXAMPLE_TEXT,
        f"{name}.dist-info/METADATA": b"Metadata-Version: 2.1\nName: unveil-edge\nVersion: 9.9.9\n"
        b"Provides-Extra: mqtt\nProvides-Extra: metrics\nProvides-Extra: signed\n",
        f"{name}.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\n"
        b"Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in content.items()] + [
        f"{name}.dist-info/RECORD,,"
    ]
    content[f"{name}.dist-info/RECORD"] = "\n".join([*rows, ""]).encode()
    path = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for entry, text in content.items():
            archive.writestr(entry, text)
    return path


def _digest(text: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()


def make_tree(root: Path) -> Machine:
    """Make the few files of a system that an install looks at."""
    put(
        root,
        {
            "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
            "etc/group": "root:x:0:\nvideo:x:44:\n",
            "etc/shadow": "root:*:19000:0:99999:7:::\n",
            "etc/gshadow": "root:*::\nvideo:!::\n",
        },
    )
    # Only looked for: what runs is this machine's.
    (root / "usr/bin").mkdir(parents=True, exist_ok=True)
    (root / "usr/bin/python3").symlink_to("/usr/bin/python3")
    return TreeMachine(root)


def verbs(steps: list[Step]) -> list[str]:
    return [step.verb for step in steps if step.verb != "doing"]


@needs_commands
def test_an_install_from_first_to_last(tmp_path: Path, wheel: Path) -> None:
    machine, target, package = make_tree(tmp_path), Target(), read_package(str(wheel))

    would = list(install(machine, target, package, dry=True))
    assert verbs(would) == ["would"] * PARTS
    assert not (tmp_path / "opt").exists()

    assert verbs(list(install(machine, target, package))) == ["done"] * PARTS
    assert "unveil-edge:x:" in (tmp_path / "etc/passwd").read_text()
    groups = (tmp_path / "etc/group").read_text()
    assert "video:x:44:unveil-edge" in groups and "render:x:" in groups
    venv = tmp_path / "opt/unveil-edge/venv"
    assert list(venv.glob("lib/python3*/site-packages/unveil_edge-9.9.9.dist-info"))
    config = tmp_path / "etc/unveil-edge/config.toml"
    assert config.read_bytes() == EXAMPLE_TEXT
    assert stat.S_IMODE(config.stat().st_mode) == 0o644
    # From the environment, which may be of a newer version than this one.
    assert (tmp_path / "etc/udev/rules.d" / RULES).read_bytes() == b"# its own rules\n"
    wanted = tmp_path / "etc/systemd/system/multi-user.target.wants/unveil-edge.service"
    assert wanted.readlink() == Path("/etc/systemd/system/unveil-edge.service")

    assert verbs(list(install(machine, target, package))) == ["already"] * PARTS

    config.write_bytes(b"# mine\n")
    steps = list(install(machine, target, package))
    assert verbs(steps).count("done") == 1
    assert config.read_bytes() == b"# mine\n"
    assert config.with_name("config.toml.new").read_bytes() == EXAMPLE_TEXT
    assert verbs(list(install(machine, target, package))) == ["already"] * PARTS

    # The same version with other files in it is another wheel.
    other = read_package(str(write_wheel(tmp_path, b"# other rules\n")))
    assert verbs(list(install(machine, target, other))).count("done") == 2
    assert (tmp_path / "etc/udev/rules.d" / RULES).read_bytes() == b"# other rules\n"

    assert verbs(list(uninstall(machine, target, package, dry=True))).count("would") == 4
    state = tmp_path / "var/lib/unveil-edge/gallery.sqlite"
    put(tmp_path, {"var/lib/unveil-edge/gallery.sqlite": "people"})
    kept = list(uninstall(machine, target, package))
    assert verbs(kept).count("removed") == 4 and verbs(kept).count("kept") == 3
    assert state.exists() and config.exists()
    assert not venv.exists() and not wanted.is_symlink()

    purged = list(uninstall(machine, target, package, purge=True))
    assert verbs(purged) == ["removed"] * 3
    assert not state.exists() and not config.parent.exists()
    assert "unveil-edge" not in (tmp_path / "etc/passwd").read_text()
    (last,) = uninstall(machine, target, package, purge=True)
    assert last.verb == "already" and "nothing" in last.what


def test_a_jetson_gets_its_drop_in(tmp_path: Path) -> None:
    make_tree(orin_nano(tmp_path))
    steps = list(install(TreeMachine(tmp_path), Target(), read_package(None), dry=True))
    assert any("unveil-edge.service.d/jetson.conf" in step.what for step in steps)


def test_a_unit_names_the_places_that_were_chosen(tmp_path: Path) -> None:
    from edge.doctor.install import read_target

    target = Target(Path("/srv/faces/venv"), Path("/srv/faces/config.toml"))
    text = target.unit(service_file(UNIT)).decode()
    assert "ExecStart=/srv/faces/venv/bin/edge-run --config /srv/faces/config.toml\n" in text
    put(tmp_path, {"etc/systemd/system/unveil-edge.service": text})
    assert read_target(Machine(tmp_path)) == target
    put(tmp_path, {"etc/systemd/system/unveil-edge.service": "[Service]\nExecStart=/bin/true\n"})
    assert read_target(Machine(tmp_path)) is None


@pytest.mark.parametrize(
    "path",
    ["/home/ada/venv", "/root/v", "/tmp/v", "venv", "/opt/a b", "/opt/%i", '/opt/"', "/opt/../etc"],
)
def test_places_that_the_service_cannot_see_or_name(path: str) -> None:
    with pytest.raises(UsageError) as refused:
        Target(environment=Path(path))
    assert path in str(refused.value)


@pytest.mark.parametrize("said", ["--no-deps", "-e .", "", "  ", "a\nb"])
def test_what_is_no_package(said: str) -> None:
    if said:
        with pytest.raises(UsageError):
            read_package(said)
    else:
        import edge

        assert read_package(said).requirement.endswith(f"=={edge.__version__}")


def test_a_file_that_no_install_has(tmp_path: Path) -> None:
    put(tmp_path, {f"{SHARE}/{UNIT}": "newer"})
    assert service_file(UNIT, prefix=tmp_path) == b"newer"
    assert service_file(RULES, prefix=tmp_path) == service_file(RULES)
    with pytest.raises(MissingInput, match=r"nothing\.conf"):
        service_file("nothing.conf")


def test_a_wheel_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"none\.whl"):
        read_package(str(tmp_path / "none.whl"))


def test_the_extras_go_with_a_wheel(wheel: Path) -> None:
    package = read_package(str(wheel))
    assert package.argument(wheel) == f"{wheel}[mqtt,metrics,signed]"
    assert package.identity.startswith("sha256:")


class Recording(TreeMachine):
    """A tree in which nothing runs: what would be run is noted."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.commands: list[list[str]] = []

    def run(self, command: object, *, mend: str = "") -> str:
        self.commands.append([str(part) for part in command])  # type: ignore[attr-defined]
        return ""


@pytest.mark.parametrize(
    ("files", "sees_system", "numpy"),
    [
        ([], False, False),
        (["python3/dist-packages/numpy-1.24.2.egg-info"], False, False),
        (["python3/dist-packages/picamera2/__init__.py"], True, False),
        (
            [
                "python3/dist-packages/picamera2/__init__.py",
                "python3/dist-packages/numpy-1.24.2.egg-info",
            ],
            True,
            True,
        ),
        (
            [
                "python3/dist-packages/picamera2/__init__.py",
                "python3/dist-packages/numpy-2.2.4.dist-info",
            ],
            True,
            False,
        ),
        (["python3.10/dist-packages/tensorrt/__init__.py"], True, False),
    ],
)
def test_the_environment_sees_what_only_the_system_has(
    files: list[str], sees_system: bool, numpy: bool, tmp_path: Path
) -> None:
    make_tree(tmp_path)
    put(tmp_path, {f"usr/lib/{path}": "" for path in files})
    machine = Recording(tmp_path)
    assert bool(system_libraries(machine)) == sees_system
    environment = Environment(machine, Path("/opt/v"), Package("unveil-edge==1", None, "x"))
    assert ("with the system's libraries" in environment.lacks()) == sees_system
    environment.do()
    _, venv, pip = machine.commands
    assert ("--system-site-packages" in venv) == sees_system
    assert ("numpy<2" in pip) == numpy
    assert "unveil-edge==1" in pip
    assert environment.lacks() == ""


def test_an_environment_that_somebody_else_made_is_left(tmp_path: Path) -> None:
    make_tree(tmp_path)
    put(tmp_path, {"opt/v/bin/python": "precious"})
    machine = Recording(tmp_path)
    environment = Environment(machine, Path("/opt/v"), Package("unveil-edge==1", None, "x"))
    with pytest.raises(UsageError, match="was not made by this command"):
        environment.do()
    assert not environment.is_there()
    assert machine.commands == []


class Failing(TreeMachine):
    """A tree in which pip fails."""

    def run(self, command: object, *, mend: str = "") -> str:
        if "pip" in list(command):  # type: ignore[call-overload]
            raise OutputError("no index", hint=mend)
        return ""


def test_an_environment_that_was_not_finished_is_made_again(tmp_path: Path) -> None:
    make_tree(tmp_path)
    package = Package("unveil-edge==1", None, "x")
    with pytest.raises(OutputError):
        Environment(Failing(tmp_path), Path("/opt/v"), package).do()
    after = Environment(Recording(tmp_path), Path("/opt/v"), package)
    assert after.lacks().startswith("change environment")
    after.do()
    assert json.loads((tmp_path / "opt/v.json").read_text())["package"] == "x"
    (tmp_path / "opt/v.json").write_text("torn {")
    assert after.lacks() and after.is_there()


def test_an_upgrade_that_fails_leaves_the_environment(tmp_path: Path) -> None:
    make_tree(tmp_path)
    old, new = (Package(f"unveil-edge=={n}", None, n) for n in "12")
    Environment(Recording(tmp_path), Path("/opt/v"), old).do()
    put(tmp_path, {"opt/v/bin/python": "the old one"})
    with pytest.raises(OutputError):
        Environment(Failing(tmp_path), Path("/opt/v"), new).do()
    assert (tmp_path / "opt/v/bin/python").read_text() == "the old one"
    assert Environment(Recording(tmp_path), Path("/opt/v"), old).lacks() == ""
    assert Environment(Recording(tmp_path), Path("/opt/v"), new).lacks()
    # Another Python of the system, and it is made anew.
    (tmp_path / "usr/bin/python3").unlink()
    (tmp_path / "usr/bin/python3.99").touch()
    (tmp_path / "usr/bin/python3").symlink_to("python3.99")
    newer = Environment(Recording(tmp_path), Path("/opt/v"), old)
    assert newer.lacks().startswith("change environment")
    newer.do()
    assert not (tmp_path / "opt/v/bin/python").exists()


def test_a_tree_without_python(tmp_path: Path) -> None:
    environment = Environment(
        Machine(tmp_path), Path("/opt/v"), Package("unveil-edge==1", None, "x")
    )
    with pytest.raises(OutputError, match=r"has no /usr/bin/python3"):
        environment.do()


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with pytest.raises(OutputError, match="no-such-file"):
        machine.run(["ls", "/no-such-file"], mend="make it")
    with pytest.raises(EdgeError, match="this system has no such command"):
        machine.run(["no-such-command-anywhere"])


def test_nothing_is_written_into_a_tree_that_is_read_only(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match="etc"):
        Machine(tmp_path).write("/etc/unveil-edge/config.toml", b"x")
