"""Everything that is watched along a run, in one ``with``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from benchmarks.fingerprint.conditions import Conditions, read_conditions
from benchmarks.fingerprint.energy import Energy, open_meter
from benchmarks.fingerprint.verdict import remarks, verdict
from benchmarks.fingerprint.watch import Sample, Watch
from edge.owned import Owned

__all__ = ["Witness"]


class Witness(Owned):
    """Sees the machine before, during and after a run; closed, it says whether the run counts.

    Args:
        needed: cores that the run keeps busy: threads times workers.
        root: of the system that is looked at.
    """

    def __init__(self, *, needed: int = 1, root: Path = Path("/")) -> None:
        self._needed, self._root = needed, root
        self._watching = ExitStack()
        self.before = read_conditions(root=root)
        meter = open_meter(root)
        self._meter = None if meter is None else self._watching.enter_context(meter)
        self._watch = self._watching.enter_context(Watch(root))
        self._after: Conditions | None = None

    def close(self) -> None:
        """Look once more and stop; a second call does nothing."""
        self._watching.close()
        if self._after is None:
            self._after = read_conditions(since=self.before, root=self._root)

    @property
    def after(self) -> Conditions:
        """The state after the run; reading it ends the watch."""
        self.close()
        assert self._after is not None
        return self._after

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Looks along the run."""
        return self._watch.samples

    @property
    def invalid(self) -> tuple[str, ...]:
        """Why the run does not count; nothing if it does."""
        return verdict(self.before, self.after, self.samples, needed=self._needed)

    @property
    def energy(self) -> Energy | None:
        """What the run took; None where the board cannot tell."""
        return None if self._meter is None else self._meter.energy

    def to_json(self, frames: int) -> dict[str, object]:
        """Return the parts of a result by name: ``before``, ``after`` and what else is known.

        Args:
            frames: that the energy was spent on.
        """
        report: dict[str, object] = {
            "before": self.before.to_json(),
            "after": self.after.to_json(),
        }
        energy, said = self.energy, remarks(self.before, self.after)
        if energy is not None and frames:
            report["energy"] = energy.to_json(frames)
        if said:
            report["remarks"] = list(said)
        return report
