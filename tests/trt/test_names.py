"""Every name of TensorRT's that our code uses is there in the real bindings of each release.

The names were collected from the bindings themselves, see ``collect_names``. A name that some
releases lack has to be listed here with those that have it, so that it is used knowingly: the
builds and runs on the stand-in, which has exactly each release's names, show that it is used there
alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.trt.collect_names import RELEASES, names_of

ROOT = Path(__file__).resolve().parents[2]
#: Those that are handed the module, or a builder of its, by the name that it has in all of them.
FILES = [
    file
    for folder in ("edge/engines", "export/toolchains")
    for file in sorted((ROOT / folder).rglob("*.py"))
    if {"trt", "tensorrt", "builder"}
    & {
        word
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for word in (getattr(node, "arg", None), getattr(node, "name", None))
    }
]
#: The class of what has this name, in all of these files; an underscore in front is passed over.
OBJECTS = {
    "builder": "Builder",
    "config": "IBuilderConfig",
    "context": "IExecutionContext",
    "engine": "ICudaEngine",
    "error": "ParserError",
    "inspector": "EngineInspector",
    "layer": "ILayer",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "profile": "IOptimizationProfile",
    "runtime": "Runtime",
    "timing_cache": "ITimingCache",
}
_EIGHT, _FROM_10, _UP_TO_10 = RELEASES[:2], RELEASES[2:], RELEASES[:6]
#: Names that not every release has: those that have them.
PARTLY: Mapping[str, tuple[str, ...]] = {
    "BuilderFlag.FP16": _UP_TO_10,
    "BuilderFlag.INT8": _UP_TO_10,
    "ExecutionContextAllocationStrategy": _FROM_10,
    "ExecutionContextAllocationStrategy.USER_MANAGED": _FROM_10,
    "ICudaEngine.binding_is_input": _EIGHT,
    "ICudaEngine.get_binding_dtype": _EIGHT,
    "ICudaEngine.get_binding_index": _EIGHT,
    "ICudaEngine.get_binding_name": _EIGHT,
    "ICudaEngine.get_binding_shape": _EIGHT,
    "ICudaEngine.device_memory_size_v2": _FROM_10,
    "ICudaEngine.get_profile_shape": _EIGHT,
    "ICudaEngine.num_bindings": _EIGHT,
    "IBuilderConfig.progress_monitor": _FROM_10,
    "IExecutionContext.execute_async_v2": _EIGHT,
    "IExecutionContext.set_binding_shape": _EIGHT,
    "IExecutionContext.set_device_memory": _FROM_10,
    "IProgressMonitor": _FROM_10,
    "NetworkDefinitionCreationFlag.EXPLICIT_BATCH": _UP_TO_10,
    "NetworkDefinitionCreationFlag.STRONGLY_TYPED": _FROM_10,
    "ParserError.node_name": _FROM_10,
    "ParserError.node_operator": _FROM_10,
}
#: Of the module's own ``__init__``, not of a class.
MODULE = {"__version__"}
#: Members of TensorRT's that are also names of ours, or of Python's.
COMMON = {"dtype", "name", "nbytes", "precision", "shape", "type", "value"}


def test_every_name_is_there_in_every_release_that_it_is_used_in() -> None:
    wrong = [
        f"{place}: TensorRT {release} has no {name}"
        for name, place in sorted(_used().items())
        for release in PARTLY.get(name, RELEASES)
        if not _has(release, name)
    ]
    assert wrong == []


def test_what_is_said_to_be_missing_is_missing() -> None:
    assert PARTLY.keys() <= _used().keys(), "no longer used"
    wrong = [
        f"TensorRT {release} has {name}"
        for name, releases in PARTLY.items()
        for release in RELEASES
        if release not in releases and _has(release, name)
    ]
    assert wrong == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_module_is_called_trt(file: Path) -> None:
    """So that the walk sees every use of it."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imports = [a.asname for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names
               if a.name == "tensorrt"]  # fmt: skip
    assert imports in ([], ["trt"], [None])
    if imports == [None]:
        used = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)
                and isinstance(n.value, ast.Name) and n.value.id == "tensorrt"}  # fmt: skip
        assert used <= MODULE


def test_the_walk_sees_every_class() -> None:
    """The tests above cannot pass for want of anything to look at."""
    assert {name.partition(".")[0] for name in _used()} >= set(OBJECTS.values())
    assert len(_used()) > 50


@pytest.mark.parametrize("release", RELEASES)
def test_the_names_of_a_release_are_its_own(release: str) -> None:
    assert names_of(release)["version"].startswith(f"{release}.")
    assert {"Builder", "ICudaEngine", "OnnxParser"} <= names_of(release)["classes"].keys()


def _has(release: str, name: str) -> bool:
    classes = names_of(release)["classes"]
    kind, _, member = name.partition(".")
    if kind == "?":
        return any(member in members for members in classes.values())
    return kind in classes and (not member or member in classes[kind])


def _used() -> dict[str, str]:
    """Return every name that is used, with one place."""
    found: dict[str, str] = {}
    for file in FILES:
        for name, line in _names_in(ast.parse(file.read_text(encoding="utf-8"))):
            found.setdefault(name, f"{file.relative_to(ROOT)}:{line}")
    return found


def _names_in(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "hasattr":
            owner, member = node.args[0], ast.literal_eval(node.args[1])
        elif isinstance(node, ast.Attribute):
            owner, member = node.value, node.attr
        else:
            continue
        if member.startswith("__") and member not in MODULE:
            continue
        path = ast.unparse(owner).split(".")
        if path == ["trt"]:
            if member not in MODULE:
                yield member, node.lineno
        elif path[0] == "trt" and len(path) == 2:
            yield f"{path[1]}.{member}", node.lineno
        elif kind := OBJECTS.get(path[-1].lstrip("_")):
            yield f"{kind}.{member}", node.lineno
        elif member in MEMBERS - COMMON:
            yield f"?.{member}", node.lineno


#: Of any class in any release: what an object without one of the names above may be asked for.
MEMBERS = {
    member
    for release in RELEASES
    for members in names_of(release)["classes"].values()
    for member in members
}
