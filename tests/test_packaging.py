"""The distribution: what setup.py names is there, and what is there is named."""

from __future__ import annotations

import ast
import importlib
import inspect
import runpy
from pathlib import Path
from typing import Any

import pytest
import setuptools

import edge
from edge.doctor.files import DROP_IN, EXAMPLE, RULES, SHARE, UNIT, USER

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = ("edge-run", "edge-gallery", "edge-doctor", "edge-export", "edge-bench", "edge-train")


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what setup.py hands to setuptools."""
    caught: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", caught.update)
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT / "setup.py"), run_name="__main__")
    return caught


def test_version_is_the_package_own(metadata: dict[str, Any]) -> None:
    assert metadata["version"] == edge.__version__


def test_a_bare_install_pulls_three_libraries(metadata: dict[str, Any]) -> None:
    wanted = metadata["install_requires"]
    always = [requirement.split(">=")[0] for requirement in wanted if ";" not in requirement]
    assert always == ["numpy", "opencv-python-headless", "ai-edge-litert"]
    assert [r for r in wanted if ";" in r] == ['tomli>=2.0; python_version < "3.11"']


def test_no_device_or_test_extra_pulls_torch(metadata: dict[str, Any]) -> None:
    for extra in ("onnx", "demo", "test"):
        assert not [r for r in metadata["extras_require"][extra] if "torch" in r], extra


def test_every_command_has_a_main_without_required_arguments(metadata: dict[str, Any]) -> None:
    scripts = dict(line.split(" = ") for line in _scripts(metadata))
    assert tuple(sorted(scripts)) == tuple(sorted(COMMANDS))
    for target in scripts.values():
        module, _, function = target.partition(":")
        assert _defines(module, function), target


def _scripts(metadata: dict[str, Any]) -> list[str]:
    scripts: list[str] = metadata["entry_points"]["console_scripts"]
    return scripts


def _defines(module: str, function: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    arguments = functions[function].args
    required = len(arguments.posonlyargs + arguments.args) - len(arguments.defaults)
    return required == 0


@pytest.mark.parametrize("module", ["edge.cli.run", "edge.cli.gallery", "benchmarks.cli"])
def test_a_command_of_the_bare_install_can_be_called(module: str) -> None:
    main = importlib.import_module(module).main
    assert inspect.signature(main).return_annotation in (int, "int")


def test_every_module_travels_in_the_wheel(metadata: dict[str, Any]) -> None:
    packages = {package.replace(".", "/") for package in metadata["packages"]}
    recipes = {path.parent.relative_to(ROOT) for path in ROOT.glob("models/*/net.py")}
    left_out = [
        str(path.relative_to(ROOT))
        for room in ("edge", "benchmarks", "export", "models")
        for path in sorted((ROOT / room).rglob("*.py"))
        if str(path.parent.relative_to(ROOT)) not in packages
        and path.parent.relative_to(ROOT) not in recipes
    ]
    assert left_out == []


def test_the_files_of_the_service_travel_in_the_wheel(metadata: dict[str, Any]) -> None:
    ((place, files),) = metadata["data_files"]
    assert place == str(SHARE)
    for name in (UNIT, EXAMPLE, RULES, DROP_IN, USER):
        assert f"systemd/{name}" in files and (ROOT / "systemd" / name).is_file()


def test_the_default_bundle_travels_in_the_wheel(metadata: dict[str, Any]) -> None:
    patterns = metadata["package_data"]["edge"]
    travelling = {path for pattern in patterns for path in (ROOT / "edge").glob(pattern)}
    assert ROOT / "edge" / "bundles" / "default" / "bundle.json" in travelling
