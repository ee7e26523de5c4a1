"""Hold a result to an older one: has it become slower?"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass

from benchmarks.compare.latency import refuse_different, slow_down
from benchmarks.compare.machine import Difference, differences, same_machine
from benchmarks.race import Ratio
from benchmarks.records import LatencyRecord
from edge.errors import DataError, GateFailed, TransientError

__all__ = ["Held", "hold_to", "percent"]

_PERCENT = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,4})?) ?%")


@dataclass(frozen=True, slots=True)
class Held:
    """What became of the promise not to be slower.

    Attributes:
        slow_down: how many times as long it takes as in the baseline.
        figure: that decided: ``p50``, or ``fps`` of offline runs.
        fail_over: the slow-down that is let pass, 0.05 for 5 %.
        differing: fields of the fingerprints that differ.
    """

    slow_down: Ratio
    figure: str
    fail_over: float
    differing: tuple[Difference, ...]

    @property
    def failed(self) -> bool:
        """Whether even the lower end of the interval lies above what is let pass."""
        return self.slow_down.ci95[0] > 1 + self.fail_over

    @property
    def sure(self) -> bool:
        """Whether the whole interval lies on one side of what is let pass."""
        low, high = self.slow_down.ci95
        return not low <= 1 + self.fail_over <= high

    def __str__(self) -> str:
        low, high = (100 * (end - 1) for end in self.slow_down.ci95)
        told = (
            f"{self.figure} takes {100 * (self.slow_down.value - 1):+.1f} % against the baseline "
            f"(95 %: {low:+.1f} to {high:+.1f})"
        )
        allowed = f"{100 * self.fail_over:g} %"
        if self.failed:
            return f"slower: {told}, more than the {allowed} that are let pass"
        if self.sure:
            return f"held: {told}, within the {allowed} that are let pass"
        return f"not failed, not sure: {told}, and {allowed} lie in between; measure longer"

    def to_json(self) -> dict[str, object]:
        """Return the verdict as it stands in a result."""
        return {
            "figure": self.figure,
            "slow_down": self.slow_down.to_json(),
            "fail_over": self.fail_over,
            "failed": self.failed,
            "sure": self.sure,
            "differing": [str(difference) for difference in self.differing],
            "verdict": str(self),
        }

    def check(self) -> None:
        """Let a promise that was not kept end the command.

        Raises:
            GateFailed: it has become slower (exit code 3: no crash, and nothing to try again).
        """
        if self.failed:
            raise GateFailed(str(self), code="bench.slower")


def hold_to(
    baseline: LatencyRecord,
    result: LatencyRecord,
    fail_over: float,
    *,
    any_machine: bool = False,
    name: str = "the baseline",
) -> Held:
    """Judge a result by an older one of the same measurement.

    The interval decides: only a slow-down whose lower end lies above ``fail_over`` fails. It knows
    what varies within the two runs. What varies from one run to the next (where memory came to
    lie, who else was there) no single run can show: ``fail_over`` has to leave room for that, and
    where both versions are at hand ``compare_choices`` is the better judge.

    Args:
        baseline: the older result.
        result: of the run that has just ended.
        fail_over: the slow-down that is let pass, 0.05 for 5 %.
        any_machine: compare with another machine's baseline all the same.
        name: of the baseline's file, for messages.

    Raises:
        DataError: the baseline is invalid, of other options or of another machine.
        TransientError: the run that has just ended is invalid: it may work in a moment.
    """
    if not baseline.valid:
        raise DataError(
            f"{name}: is marked invalid: {'; '.join(baseline.invalid)}",
            hint="measure a new baseline on a quiet machine",
            code="bench.baseline",
        )
    if not result.valid:
        raise TransientError(
            f"this run is invalid and says nothing: {'; '.join(result.invalid)}",
            hint="try again when the machine is quiet and cool",
            code="bench.invalid",
        )
    names = (name, "this run")
    refuse_different(baseline, result, names=names)
    _refuse_threads(baseline, result, name)
    found = differences(baseline.fingerprint, result.fingerprint)
    machines = same_machine(found)
    if machines and not any_machine:
        raise DataError(
            f"{name}: is of another machine: {'; '.join(map(str, machines))}",
            hint="measure a baseline here, or compare all the same with --any-machine",
            code="bench.machine",
        )
    ratio, figure = slow_down(baseline, result, names=names)
    return Held(ratio, figure, fail_over, found)


def _refuse_threads(baseline: LatencyRecord, result: LatencyRecord, name: str) -> None:
    """Refuse what would not be the same measurement again."""
    pairs = {
        "threads": (baseline.settings.threads, result.settings.threads),
        "source": (baseline.settings.source, result.settings.source),
        "frames": (baseline.frames, result.frames),
    }
    wrong = [f"{what} {x} and {y}" for what, (x, y) in pairs.items() if x != y]
    if wrong:
        raise DataError(
            f"{name} and this run do not compare: {', '.join(wrong)}",
            hint="measure with the options of the baseline, or a new baseline",
            code="bench.apart",
        )


def percent(text: str) -> float:
    """Read an argument such as ``5%`` as a share; the sign is not left out, ``5`` says too little.

    Returns:
        0.05 for ``5%``.
    """
    match = _PERCENT.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage such as 5%")
    return float(match[1]) / 100
