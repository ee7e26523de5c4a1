"""The engines that this device has built of a bundle, and the memory that building takes."""

from __future__ import annotations

import dataclasses
import shlex
import stat
from pathlib import Path

from edge.board.hardware import meminfo_mib
from edge.bundle import Artefact, Bundle
from edge.doctor.case import Case
from edge.doctor.finding import Finding
from edge.doctor.wanted import tensorrt_service
from edge.engines.cache import EngineCache, Target, built_for
from edge.errors import EdgeError

__all__ = ["BUILD_MIB", "BUILD_WELL_MIB", "check_built"]

#: What ``edge-export build`` asks for at least: 1024 for CUDA and the builder, and two pools of 64;
#: with 3072 its pool is as large as it ever takes it. Estimates: nothing was measured on a Jetson.
BUILD_MIB, BUILD_WELL_MIB = 1152, 3072
#: The service with a camera of 1080 lines takes less than 300. CUDA's context, TensorRT and its
#: kernels in memory: an estimate. An engine has about the size of its ONNX file, once as it was
#: read and once on the GPU, and its activations about that again.
_SERVICE_MIB, _CUDA_MIB, _TIMES = 300, 512, 3
_LIGHTER = (
    "stop what else takes it: sudo systemctl stop unveil-edge; "
    "the desktop, until the next start: sudo systemctl isolate multi-user.target"
)
_MAX_CHARACTERS = 200
_MAKE = "edge-export make --out BUNDLE --format tflite onnx --int8 --half"


def check_built(case: Case, target: Target | None, level: str) -> list[Finding]:
    """Say which networks of the bundle have an engine, which engines nobody needs, and the key.

    Args:
        case: what is looked at.
        target: this device; None where engines cannot run.
        level: of a finding that keeps engines from running.
    """
    try:
        bundle = Bundle.open(case.bundle)
    except EdgeError:
        return []
    service = tensorrt_service(case)
    precision, dla = (service.precision, service.dla) if service else ("", "")
    networks = [
        a for a in bundle.artefacts if a.engine == "onnxruntime" and precision in ("", a.precision)
    ]
    if not networks:
        kind = f"{precision} " if precision else ""
        what = f"{bundle.name} has no {kind}ONNX file for TensorRT to build an engine of"
        # Its other files serve a Jetson's processor well.
        return [Finding("cache", "fail" if level == "fail" else "ok", what, _MAKE)]
    tasks = dict.fromkeys(artefact.task for artefact in networks)
    wanted = [bundle.artefact(task, "onnxruntime", precision or None) for task in tasks]
    build = f"edge-export build {shlex.quote(str(case.bundle))}"
    build += f" --precision {precision}" if precision else ""
    build += f" --dla {dla}" if dla else ""
    key = _key(case, build, level)
    if key is not None:
        return [key, *_memory(case, wanted, must_build=True)]
    if target is None:
        return _memory(case, wanted, must_build=True)
    target = dataclasses.replace(target, dla=dla)
    try:
        missing = _missing(case, wanted, target)
    except EdgeError as error:
        return [Finding("cache", "warn" if level == "ok" else level, error.what, error.hint)]
    # The service builds what it lacks at its first start.
    level = "warn" if level == "fail" else level
    by_itself = service is not None and service.build
    found = [_there(case, wanted, missing, target, level, build, by_itself=by_itself)]
    found += _stale(case, target, build if missing else "")
    return [*found, *_memory(case, wanted, must_build=bool(missing))]


def _key(case: Case, build: str, level: str) -> Finding | None:
    """Look at the key without making one: that is the builder's."""
    again = f"rm {shlex.quote(str(case.key))} && {build}"
    try:
        facts = case.key.lstat()
    except FileNotFoundError:
        if not any(case.engines.glob("*.plan")):
            return None
        what = f"{case.engines}: the key of its engines is gone ({case.key}); none is believed"
        return Finding("cache", "warn", what, build)
    except OSError as error:
        what = f"{case.key}: {(error.strerror or str(error)).lower()}"
        return Finding("cache", "warn", what, "look as its owner: sudo -u unveil-edge")
    mode = stat.S_IMODE(facts.st_mode)
    if not stat.S_ISREG(facts.st_mode) or mode & 0o077:
        # Who may read it may have written engines, which are executable code.
        what = f"{case.key}: others may read the key of the engines (mode {mode:04o})"
        return Finding("cache", "warn" if level == "ok" else level, what, again)
    return None


def _missing(case: Case, wanted: list[Artefact], target: Target) -> dict[str, str]:
    """Return the networks without an engine, each with the reason: it was refused, or is not there.

    Raises:
        ConfigError: the key cannot be used.
    """
    cache = EngineCache(case.engines, key=case.key, root=case.system.root)
    missing = {}
    for artefact in wanted:
        # Without a key nothing is there, and a look would make one.
        if not case.key.exists() or cache.find(artefact.sha256, target) is None:
            missing[f"{artefact.task} {artefact.precision}"] = cache.refused
    return missing


def _there(
    case: Case,
    wanted: list[Artefact],
    missing: dict[str, str],
    target: Target,
    level: str,
    build: str,
    *,
    by_itself: bool,
) -> Finding:
    count = f"{len(wanted) - len(missing)} of {len(wanted)} networks have an engine for {target}"
    what = f"{count}, in {case.engines}"
    if not missing:
        return Finding("cache", "ok", what)
    refused = [name for name, why in missing.items() if why]
    what += f"; missing: {', '.join(missing)}"
    if refused:
        what += f" (there, but damaged or another device's: {', '.join(refused)})"
    if by_itself:
        mend = f"{build}, or let the service do it at its start: minutes"
    else:
        # Nothing takes them unasked: a race chooses, or --engine names TensorRT.
        mend = f"{build} (minutes), then: edge-export race {shlex.quote(str(case.bundle))}"
    return Finding("cache", level, what, mend)


def _stale(case: Case, target: Target, build: str) -> list[Finding]:
    """Tell of engines for another system: after an update of JetPack, or on a copied disk."""
    others: dict[str, list[Path]] = {}
    for path in sorted(case.engines.glob("*.plan")):
        made = built_for(path)
        if made is None or dataclasses.replace(made, dla=target.dla) != target:
            said = "nothing that can be read" if made is None else str(made)[:_MAX_CHARACTERS]
            others.setdefault(said, []).append(path)
    if not others:
        return []
    paths = [path for group in others.values() for path in group]
    what = f"{len(paths)} of no use here, built for {'; for '.join(others)}"
    mend = build or f"rm {shlex.join(map(str, paths))}"
    return [Finding("cache", "warn" if build else "ok", what, mend)]


def _memory(case: Case, wanted: list[Artefact], *, must_build: bool) -> list[Finding]:
    """Hold what is free against what building and running take; a Jetson's GPU has no other."""
    free = meminfo_mib(case.system, "MemAvailable")
    if free is None or not case.is_jetson:
        return []
    networks = sum(artefact.size for artefact in wanted) / 2**20
    run = _SERVICE_MIB + _CUDA_MIB + _TIMES * networks
    what = f"{free:.0f} MiB free; running takes about {run:.0f} (estimated: service, CUDA, engines)"
    if must_build:
        what += f", building {BUILD_MIB} to {BUILD_WELL_MIB}"
    is_short = free < (max(run, BUILD_MIB) if must_build else run)
    return [Finding("memory", "warn" if is_short else "ok", what, _LIGHTER if is_short else "")]
