"""What the values of a running network show: dead layers, collapsed and clipped ranges."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from export.inspection.nearness import aligned, pairs_of
from export.inspection.probe import Grid, Probe, Sample, Step
from export.inspection.silent.finding import Finding, spelled
from export.inspection.silent.order import Outputs

__all__ = ["STILL", "Watch", "check_values"]

#: Operators whose kernels ask for one scale, which is coarse where they say little.
_FIXED = frozenset(
    "L2_NORMALIZATION LOGISTIC LOG_SOFTMAX SOFTMAX TANH LogSoftmax Sigmoid Softmax Tanh".split()
)
#: Operators that hand on what they get in its own scale.
_HAND_ON = frozenset(
    "CONCATENATION PAD RESHAPE RESIZE_NEAREST_NEIGHBOR SLICE SPLIT SQUEEZE STRIDED_SLICE TRANSPOSE "
    "Concat Flatten Reshape Slice Split Squeeze Transpose".split()
)
#: Float has to move by more than so many steps before a layer that does not counts as dead.
_STEPS = 2.0
#: The same without steps: a share of the layer's largest value.
STILL = 1e-5
#: A spread (standard deviation) below one step leaves under 10.8 dB: 10 log10(12).
_COARSE = 1.0
#: A range is too narrow if so much of the power lies beyond it, which leaves under 13 dB, or a
#: fifth of that in more than one value of a hundred. A calibration by percentile cuts off a
#: thousandth on purpose, and rare large values may do without their ends.
_POWER_BEYOND = 0.05
_POWER_OF_MANY, _MANY = 0.01, 0.01


class Watch:
    """What is kept of every tensor of two networks while samples run through both.

    Args:
        exact: the float network.
        other: the artefact.
        where: its name, for messages.

    Attributes:
        outputs: the networks' own outputs, for their order.
    """

    def __init__(self, exact: Probe, other: Probe, *, where: str) -> None:
        self.exact, self.other = exact, other
        self._names = pairs_of(exact, other, where=where)
        self.floats: dict[str, Seen] = {}
        self.found: dict[str, Seen] = {}
        self.outputs = Outputs([name for _, name in exact.outputs], other.outputs)

    def add(self, sample: Sample) -> None:
        """Run one sample through both."""
        wanted, found = self.exact.run(sample), self.other.run(sample)
        for name, values in wanted.items():
            self.floats.setdefault(name, Seen()).add(values)
        for name, values in found.items():
            partner = wanted.get(self._names.get(name, name))
            seen = self.found.setdefault(name, Seen(self.other.grids.get(name)))
            seen.add(values)
            if partner is not None and aligned(partner, values) is not None:
                seen.add_partner(partner)
        self.outputs.add(wanted, found)

    def partner(self, name: str) -> Seen | None:
        """Return what float did with a tensor of the artefact."""
        return self.floats.get(self._names.get(name, name))


class Seen:
    """What one tensor did over the samples.

    Attributes:
        finite: all values were numbers.
        travel: the most that any value moved from its first one.
        largest: largest size of any value.
        count, total, squares: of float's values, and their sums, for the spread.
        beyond, beyond_squares: how many of float's values lie past the grid, and by how much.
    """

    def __init__(self, grid: Grid | None = None) -> None:
        self.grid = grid
        self.finite = True
        self.travel = self.largest = 0.0
        self.count = self.total = self.squares = 0.0
        self.beyond = self.beyond_squares = 0.0
        self._first: NDArray[np.float32] | None = None

    def add(self, values: NDArray[np.float32]) -> None:
        """See the tensor's own values."""
        if not np.isfinite(values).all():
            self.finite = False
            return
        if self._first is None:
            self._first = values
        self.largest = max(self.largest, float(np.abs(values).max(initial=0.0)))
        if values.shape == self._first.shape:
            moved = float(np.abs(values - self._first).max(initial=0.0))
            self.travel = max(self.travel, moved)

    def add_partner(self, values: NDArray[np.float32]) -> None:
        """See float's values of the same tensor."""
        real = values.astype(np.float64)
        if self.grid is None or not np.isfinite(real).all():
            return
        self.count += real.size
        self.total += float(real.sum())
        self.squares += float((real**2).sum())
        least, greatest = self.grid.ends
        past = np.maximum(np.maximum(real - greatest, least - real), 0.0)
        self.beyond += float((past > self.grid.scale).sum())
        self.beyond_squares += float((past**2).sum())

    @property
    def spread(self) -> float:
        """Standard deviation of float's values, over samples and places together."""
        if not self.count:
            return 0.0
        mean = self.total / self.count
        return float(np.sqrt(max(0.0, self.squares / self.count - mean * mean)))


def check_values(watch: Watch) -> list[Finding]:
    """Find what went wrong while the samples ran through."""
    return [
        *_not_finite(watch),
        *_constant(watch),
        *_collapsed(watch),
        *_clipped(watch),
    ]


def _not_finite(watch: Watch) -> Iterator[Finding]:
    """Name the layers whose inputs are numbers and whose output is not."""
    floats = {name for name, seen in watch.floats.items() if not seen.finite}
    for steps, seen, addition in (
        (watch.exact.steps, watch.floats, ", in the float network already"),
        (watch.other.steps, watch.found, ""),
    ):
        wrong = {name for name, values in seen.items() if not values.finite}
        for step in steps:
            began = wrong.intersection(step.outputs) and not wrong.intersection(step.inputs)
            if began and (addition or not floats.intersection(step.outputs)):
                yield _finding("finite", step, f"its output is not finite{addition}")


def _constant(watch: Watch) -> Iterator[Finding]:
    """Name the layers that stand still first, and the outputs that do so in float already."""
    still = {name for name, seen in watch.found.items() if seen.finite and seen.travel == 0}
    dead = {name for name in still if _moves(watch, name)}
    ends = {name for _, name in watch.other.outputs}
    for step in watch.other.steps:
        flowing = [name for name in step.inputs if name in watch.found]
        if not dead.intersection(step.outputs) or all(name in still for name in flowing):
            continue
        behind = sorted(ends & dead & _reached(watch.other.steps, step))
        said = f"; so {', '.join(map(spelled, behind))} says nothing" if behind else ""
        yield _finding(
            "constant",
            step,
            f"its output is the same for every sample and in float it is not{said}",
        )
    alive = _depends_on_input(watch.exact)
    for _, name in watch.exact.outputs:
        seen = watch.floats[name]
        if name in alive and seen.finite and seen.travel <= STILL * seen.largest:
            op = next((s.op for s in watch.exact.steps if name in s.outputs), "")
            what = "is the same for every sample in the float network already"
            yield Finding("constant", name, op, what, inherited=True)


def _moves(watch: Watch, name: str) -> bool:
    """Tell whether float moves by more than the tensor's steps could hide."""
    partner, grid = watch.partner(name), watch.found[name].grid
    if partner is None or not partner.finite:
        return False
    least = _STEPS * grid.scale if grid else 0.0
    return partner.travel > max(least, STILL * partner.largest)


def _collapsed(watch: Watch) -> Iterator[Finding]:
    """Name the layers whose values differ by less than one step of their scale."""
    fixed = _fixed(watch.other.steps)
    for step, name, seen, grid in _graded(watch):
        if name in fixed or not 0 < seen.spread < _COARSE * grid.scale:
            continue
        partner = watch.partner(name)
        if partner is None or partner.travel <= STILL * partner.largest:
            continue
        yield _finding(
            "collapsed",
            step,
            f"one step is {grid.scale:.3g} and its values spread by {seen.spread:.3g} in float",
        )


def _clipped(watch: Watch) -> Iterator[Finding]:
    """Name the layers whose range is too narrow for what float says there."""
    for step, _, seen, grid in _graded(watch):
        share = seen.beyond / seen.count
        power = seen.beyond_squares / seen.squares if seen.squares > 0 else 0.0
        if power > _POWER_BEYOND or (power > _POWER_OF_MANY and share > _MANY):
            least, greatest = grid.ends
            yield _finding(
                "clipped",
                step,
                f"{share:.1%} of its values in float, {power:.1%} of their power, lie beyond its "
                f"range {least:.3g} to {greatest:.3g}",
            )


def _graded(watch: Watch) -> Iterator[tuple[Step, str, Seen, Grid]]:
    """Go through the quantised tensors that float has as well."""
    for step in watch.other.steps:
        for name in step.outputs:
            seen = watch.found.get(name)
            if seen is not None and seen.grid is not None and seen.count:
                yield step, name, seen, seen.grid


def _fixed(steps: tuple[Step, ...]) -> set[str]:
    """Return the tensors whose scale the runtime prescribes."""
    fixed: set[str] = set()
    for step in steps:
        if step.op in _FIXED or (step.op in _HAND_ON and fixed.intersection(step.inputs)):
            fixed.update(step.outputs)
    return fixed


def _reached(steps: tuple[Step, ...], start: Step) -> set[str]:
    """Return the tensors that depend on a step."""
    reached = set(start.outputs)
    for step in steps:
        if reached.intersection(step.inputs):
            reached.update(step.outputs)
    return reached


def _depends_on_input(probe: Probe) -> set[str]:
    """Return the tensors that depend on the values, not only the sizes, of an input."""
    reached = set(probe.inputs)
    for step in probe.steps:
        if step.op not in ("RANK", "SHAPE") and reached.intersection(step.inputs):
            reached.update(step.outputs)
    return reached


def _finding(kind: str, step: Step, what: str) -> Finding:
    return Finding(kind, step.outputs[0], step.op, what)
