"""What is wanted of a network, and the artefacts that are made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.errors import GateFailed
from edge.evidence import CalibrationRecord
from export.cache import digest
from export.calibration.ranges import Ranges
from export.cards.card import TensorCard
from export.gate.compare import likeness
from export.making.steps import OPSET, Say, Steps
from export.mixed import Trials, candidates_of, search
from export.program.lowered import Lowered, Sample, real_values
from export.quantisation.quantise import quantise

__all__ = ["Artefacts", "Inputs", "Request"]

#: SQNR of what is the same, see ``benchmarks.metrics.sqnr_db``.
_EQUAL_DB = 99.0


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of a network.

    Attributes:
        wanted: format and precision of each artefact.
        method: of calibration, see ``export.calibration.ranges.observe``.
        opset: of ONNX files.
        equalise: even out the channels of the float program first.
        correct: take the mean error of the weights out of the biases.
        min_db: layers of INT8 artefacts stay float until their outputs are so near; None lets all
            be INT8.
    """

    wanted: tuple[tuple[str, str], ...] = (("tflite", "fp32"),)
    method: str = "minmax"
    opset: int = OPSET
    equalise: bool = False
    correct: bool = False
    min_db: float | None = None

    @property
    def int8(self) -> bool:
        """Whether anything is to be quantised."""
        return any(precision == "int8" for _, precision in self.wanted)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of a network.

    Attributes:
        calibration: INT8 takes its ranges from these.
        held_back: others, on which artefacts are compared; random ones where there are none.
        pictures: of a bare file, what its inputs mean.
        record: what the calibration inputs are.
    """

    calibration: Sequence[Sample] = ()
    held_back: Sequence[Sample] = ()
    pictures: tuple[TensorCard, ...] = ()
    record: CalibrationRecord | None = None


class Artefacts:
    """Make the artefacts of one float program; what INT8 needs is made when it is first asked.

    Args:
        steps: of the network.
        exact: its float program.
        request: what is wanted.
        given: its inputs.
        compared: inputs on which artefacts are compared.
        say: takes one line a step of a search.

    Attributes:
        ranges: of the calibration; None before anything was quantised.
        means: what was done beside rounding.
    """

    def __init__(
        self,
        steps: Steps,
        exact: Lowered,
        request: Request,
        given: Inputs,
        compared: list[Sample],
        say: Say,
    ) -> None:
        self._say = say
        self._steps, self._exact, self._request = steps, exact, request
        self._given, self._compared = given, compared
        self._base: Lowered | None = None
        self._keep: frozenset[str] = frozenset()
        self.ranges: Ranges | None = None
        self.means: tuple[str, ...] = ()

    def artefact(self, format: str, precision: str) -> Lowered:
        """Return one artefact."""
        base, opset = self._exact, self._request.opset
        if precision == "int8":
            base = self._calibrated()
            return self._steps.artefact(
                base, format, precision, ranges=self.ranges, keep_float=self._keep, opset=opset
            )
        return self._steps.artefact(base, format, precision, opset=opset)

    def _calibrated(self) -> Lowered:
        """Return what is quantised: the float program after all means that were asked for."""
        if self._base is not None:
            return self._base
        request, steps, base = self._request, self._steps, self._exact
        samples = self._given.calibration
        key = digest(*(array.tobytes() for sample in samples for array in sample))
        if request.equalise:
            base = steps.equalise(base, lambda: samples, key)
            self.means += ("cross-layer equalisation",)
        self.ranges = steps.calibrate(base, lambda: samples, key, method=request.method)
        if request.correct:
            base = steps.correct(base, self.ranges, lambda: samples, key)
            self.means += ("bias correction",)
        self._base = base
        if request.min_db is not None:
            self._keep = self._search(base, request.min_db)
            self.means += (f"mixed precision: {len(self._keep)} layers in float",)
        return base

    def _search(self, base: Lowered, least: float) -> frozenset[str]:
        """Return the fewest layers that must stay float for the outputs to be so near.

        Raises:
            GateFailed: not even all of them are enough.
        """
        exact, where = self._exact, base.where

        def make(keep: frozenset[str]) -> bytes:
            return quantise(base.content, self._ranges(), keep_float=keep, where=where)

        def judge(keep: frozenset[str]) -> float:
            artefact = self._steps.describe("tflite", "int8", make(keep), keep)
            return likeness(exact, artefact, self._compared).sqnr_db

        reals = [real_values(exact.contract.inputs, sample) for sample in self._compared]
        plan = search(
            judge,
            candidates_of(base.content, where=where),
            baseline=_EQUAL_DB,
            budget=_EQUAL_DB - least,
            trial=Trials(exact.content, make, reals, where=where),
            say=self._say,
        )
        if not plan.reached:
            raise GateFailed(
                f"{where}: {plan.summary}",
                hint="calibrate on more or other pictures, or ask for less with --min-db",
                code="export.mixed",
            )
        return frozenset(plan.keep_float)

    def _ranges(self) -> Ranges:
        assert self.ranges is not None, "calibration comes before the search"
        return self.ranges
