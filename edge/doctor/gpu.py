"""The GPU as TensorRT's engines need it: driver, library, device, TensorRT, engines."""

from __future__ import annotations

import os
from dataclasses import dataclass

from edge.board.hardware import l4t
from edge.doctor.built import check_built
from edge.doctor.case import Case
from edge.doctor.finding import Finding
from edge.doctor.libraries import check_cuda_libraries
from edge.doctor.tensorrt import check_tensorrt
from edge.doctor.trial import Trial, try_gpu
from edge.doctor.wanted import tensorrt_level
from edge.engines.cache import Target

__all__ = ["check_gpu"]

#: Of a Jetson with JetPack 5, with JetPack 6 and later, and of a card in a PC.
_NODES = ("dev/nvmap", "dev/nvhost-ctrl-gpu", "dev/nvgpu/igpu0/*", "dev/nvidia*")
_GROUPS = 'sudo usermod -aG video,render "$USER", then log in again'


@dataclass(frozen=True, slots=True)
class _Gpu:
    """What ``gpu_trial`` prints of a device."""

    name: str
    compute: str
    cuda: str
    library: str


def check_gpu(case: Case) -> list[Finding]:
    """Go towards a TensorRT engine step by step; without a driver nothing follows.

    Nothing is said of a machine without an NVIDIA driver, unless it is a Jetson.
    """
    level = tensorrt_level(case)
    driver = try_gpu("driver", python=case.python.executable)
    if not driver.good:
        absent = driver.said.startswith("cuda.driver")
        if absent and not case.is_jetson and level == "ok":
            return []
        return [_no_driver(case, driver, level)]
    device = try_gpu("device", python=case.python.executable)
    findings = [*check_cuda_libraries(case, driver.said, level)]
    gpu = _read_gpu(device)
    if gpu is not None:
        what = f"{gpu.name}, compute capability {gpu.compute}, CUDA {gpu.cuda}"
        findings.append(Finding("gpu", "ok", f"{what}, through {gpu.library}"))
    elif not device.said.startswith("cuda.library"):
        findings.append(_no_gpu(case, device, level))
    tensorrt, version = check_tensorrt(case, level)
    findings.append(tensorrt)
    target = None if gpu is None or version is None else _target(case, gpu, version)
    return [*findings, *check_built(case, target, level)]


def _no_driver(case: Case, driver: Trial, level: str) -> Finding:
    what = f"the NVIDIA driver cannot be loaded: {driver.said}"
    if driver.said.startswith("cuda.driver"):
        what = f"no NVIDIA driver: {driver.said.partition(': ')[2]}"
    mend = "install NVIDIA's driver, then start again; on Ubuntu: sudo ubuntu-drivers install"
    if case.is_jetson:
        # There the driver is part of L4T, and libcuda of this package.
        mend = "sudo apt update && sudo apt install --reinstall nvidia-l4t-cuda"
    return Finding("cuda", level, what, mend)


def _read_gpu(device: Trial) -> _Gpu | None:
    """Return what the trial printed; None where it came to no GPU."""
    parts = device.said.split("\t")
    return _Gpu(*parts) if device.good and len(parts) == 4 else None


def _no_gpu(case: Case, device: Trial, level: str) -> Finding:
    """Say why this user sees no GPU."""
    found = [case.system.root / path for pattern in _NODES for path in case.system.paths(pattern)]
    nodes = [node for node in found if not node.is_dir()]
    shut = [node for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if shut:
        what = f"no GPU that this user may use: /{shut[0].relative_to(case.system.root)} is shut"
        return Finding("gpu", level, what, _GROUPS)
    look = "sudo dmesg | grep -iE 'nvgpu|nvrm'" if case.is_jetson else "nvidia-smi"
    code, _, refusal = device.said.partition(": ")
    said = refusal if code.startswith("cuda.") else f"no GPU can be opened: {device.said}"
    return Finding("gpu", level, said, f"see what its driver says: {look}")


def _target(case: Case, gpu: _Gpu, version: str) -> Target:
    """Return what ``edge.engines.plans`` would look for."""
    release = l4t(case.system) or ""
    return Target(gpu.name, gpu.compute, tensorrt=version, cuda=gpu.cuda, l4t=release)
