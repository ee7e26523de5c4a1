"""The runtime tests and the golden INT8 outputs on arm64: Debian 12 and 13, Pi 4 and Pi 5.

    sudo -E python -m tests.system.arm64 [--suite 12] [--cpu cortex-a72] [-- TEST...]

qemu's user mode runs the programs; times say nothing about a board.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.system.claims import Proof, run_proof
from tests.system.lab.host import (
    CACHE,
    build_wheel,
    copy_checkout,
    requirements_of,
    site_packages,
    wheels,
)
from tests.system.lab.roots import PYTHON, SUITES, Recipe, unpack
from tests.system.lab.user_mode import CPUS, arm64_command

__all__ = ["PACKAGES", "main"]

PACKAGES = ("python3", "python3-venv", "python3-pip", "ca-certificates", "procps", "libgomp1")
#: What the tests use beyond the install.
_TESTING = ("pytest>=8.2", "pytest-randomly>=3.15", "hypothesis>=6.100", "onnxruntime>=1.17",
            "onnx>=1.17", "setuptools>=65", "typing_extensions")  # fmt: skip
#: The runtime's part of ``make test``.
_TESTS = ("tests/edge", "tests/hostile", "tests/test_layers.py", "tests/test_lightness.py")
_CHECKOUT = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "docs", "edge",
             "export", "benchmarks", "models", "systemd", "tests")  # fmt: skip
#: Where the tests run unless a processor is named; the outputs are compared on both everywhere.
_BOARDS = {"12": "cortex-a72", "13": "cortex-a76"}
_SUMMARY = re.compile(r"(\d+) (passed|failed|errors?|skipped|deselected|xfailed)")


def prove(
    proof: Proof, suite: str, cpu: str, *, tests: Sequence[str], needs: Sequence[str], scratch: Path
) -> None:
    """Run the tests and compare the outputs on one Debian and one processor.

    Args:
        proof: takes the claims.
        suite: ``12`` or ``13``.
        cpu: one of ``CPUS``.
        tests: that are run; none leaves it at the outputs.
        needs: requirements of the tests.
        scratch: the checkout that is tested.
    """
    where = f"Debian {suite}, {cpu}"
    name = SUITES[suite]
    root = unpack(Recipe("arm64", name, PACKAGES), CACHE / f"arm64-{name}")
    house = wheels("tests", "aarch64", PYTHON[name], needs)
    site = site_packages(house, "aarch64", PYTHON[name])
    out = root / "root" / "out"
    out.mkdir(exist_ok=True)

    def inside(*command: str) -> subprocess.CompletedProcess[str]:
        line = arm64_command(
            root, ["/usr/bin/env", "-C", "/project", "python3", "-m", *command], cpu=cpu,
            binds={"/project": scratch, "/opt/site": site},
            environment={"PYTHONPATH": "/opt/site", "PYTHONDONTWRITEBYTECODE": "1",
                         "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis"},
        )  # fmt: skip
        return subprocess.run(line, capture_output=True, text=True, check=False)

    golden = f"golden-{name}-{cpu}"
    (out / f"{golden}.json").unlink(missing_ok=True)
    done = inside("tests.system.golden", "check", "--name", golden, "--out", "/root/out")
    try:
        claims = json.loads((out / f"{golden}.json").read_text())["claims"]
    except (OSError, ValueError):
        claims = []
    values = sum(claim["values"] for claim in claims if "INT8 outputs" in claim["claim"])
    networks = sum("INT8 outputs" in claim["claim"] for claim in claims)
    proof.claim(f"{where}: INT8 outputs of {networks} networks equal to x86-64's",
                _greatest(claims, "INT8 outputs") == 0, values=values)  # fmt: skip
    proof.claim(f"{where}: pre-processing within a step of 255, the pipeline says the same",
                done.returncode == 0, greatest=_greatest(claims, "pre-processing"))  # fmt: skip
    if not tests:
        return
    started = time.monotonic()
    done = inside("pytest", "-p", "no:cacheprovider", "--tb=short", *tests)
    last = done.stdout.strip().rpartition("\n")[2]
    counts = {kind: int(n) for n, kind in _SUMMARY.findall(last)}
    (CACHE / f"pytest-{name}-{cpu}.log").write_text(done.stdout + done.stderr)
    proof.claim(f"{where}: the runtime's tests pass", done.returncode == 0,
                **counts, minutes=round((time.monotonic() - started) / 60, 1))  # fmt: skip


def _greatest(claims: list[dict[str, Any]], subject: str) -> int:
    return max((claim["greatest"] for claim in claims if subject in claim["claim"]), default=-1)


def main() -> int:
    """Run the asked ones; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--suite", choices=sorted(SUITES), action="append")
    parser.add_argument("--cpu", choices=sorted(CPUS), action="append")
    parser.add_argument("tests", nargs="*", default=_TESTS)
    options = parser.parse_args()
    with Proof("arm64") as proof:
        proof.fact(python=sys.version.split()[0], tests=list(options.tests))
        needs = (*requirements_of(build_wheel(CACHE / "wheel-arm64")), *_TESTING)
        scratch = copy_checkout(CACHE / "checkout", _CHECKOUT)
        for suite in options.suite or sorted(SUITES):
            for cpu in options.cpu or sorted(CPUS):
                asked = options.cpu is not None or _BOARDS[suite] == cpu
                tests = options.tests if asked else ()
                prove(proof, suite, cpu, tests=tests, needs=needs, scratch=scratch)
    return proof.exit_code


if __name__ == "__main__":
    run_proof(main)
