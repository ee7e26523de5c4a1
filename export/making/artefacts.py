"""What is wanted of a network, and the artefacts that are made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from edge.evidence import CalibrationRecord
from export.cache import digest
from export.calibration.ranges import Ranges
from export.cards.card import TensorCard
from export.making.kept import Kept
from export.making.steps import OPSET, Steps
from export.program.lowered import Lowered, Sample
from export.quantisation.quantise import quantise

__all__ = ["Artefacts", "Drawn", "Inputs", "Request"]


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
        max_points: layers stay float until INT8 loses no more of the task's metric than so many
            hundredths (of a metric in dB: dB); None leaves that to the card's own limit.
    """

    wanted: tuple[tuple[str, str], ...] = (("tflite", "fp32"),)
    method: str = "minmax"
    opset: int = OPSET
    equalise: bool = False
    correct: bool = False
    min_db: float | None = None
    max_points: float | None = None

    @property
    def int8(self) -> bool:
        """Whether anything is to be quantised."""
        return any(precision == "int8" for _, precision in self.wanted)

    @property
    def mixed(self) -> bool:
        """Whether layers are to be searched that stay float."""
        return self.min_db is not None or self.max_points is not None

    @property
    def steps(self) -> int:
        """How many steps the artefacts take; the float program is there before."""
        made = sum(pair != ("tflite", "fp32") for pair in self.wanted)
        if not self.int8:
            return made
        return made + 1 + self.equalise + self.correct + self.mixed


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

    @property
    def drawn(self) -> Drawn:
        """The same as inputs that are there already."""
        key = digest(*(array.tobytes() for sample in self.calibration for array in sample))
        return Drawn(lambda: self.calibration, key)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Inputs that are drawn when a step needs them.

    Attributes:
        calibration: gives them.
        key: digest of everything that takes part in them.
    """

    calibration: Callable[[], Sequence[Sample]]
    key: str


class Artefacts:
    """Make the artefacts of one float program; what INT8 needs is made when it is first asked.

    Args:
        steps: of the network.
        exact: its float program.
        request: what is wanted.
        drawn: its calibration inputs.
        training: how the weights were trained, where that was for INT8.
    """

    def __init__(
        self, steps: Steps, exact: Lowered, request: Request, drawn: Drawn, *, training: str = ""
    ) -> None:
        self.steps, self.exact, self.request = steps, exact, request
        self._drawn, self._training = drawn, training
        self._kept = Kept()

    @cached_property
    def _calibrated(self) -> tuple[Lowered, Ranges]:
        """What is quantised, the float program after all means that were asked for, and ranges."""
        request, steps, base = self.request, self.steps, self.exact
        inputs, key = self._drawn.calibration, self._drawn.key
        if request.equalise:
            base = steps.equalise(base, inputs, key)
        ranges = steps.calibrate(base, inputs, key, method=request.method)
        if request.correct:
            base = steps.correct(base, ranges, inputs, key)
        return base, ranges

    @property
    def base(self) -> Lowered:
        """The float program that INT8 is made of."""
        return self._calibrated[0]

    @property
    def ranges(self) -> Ranges:
        """Of the calibration."""
        return self._calibrated[1]

    @property
    def key(self) -> str:
        """Digest of what INT8 is made of."""
        return digest(self.base.content, self.ranges.to_json())

    @property
    def means(self) -> tuple[str, ...]:
        """What was done for INT8 beside rounding."""
        request = self.request
        said = (
            (bool(self._training), f"{self._training} training"),
            (request.equalise, "cross-layer equalisation"),
            (request.correct, "bias correction"),
            (request.mixed, f"mixed precision: {len(self._kept.layers)} layers in float"),
        )
        return tuple(what for used, what in said if used)

    def keep(self, kept: Kept) -> None:
        """Leave layers of all INT8 artefacts from now on in float."""
        self._kept = kept

    def artefact(self, format: str, precision: str) -> Lowered:
        """Return one artefact."""
        opset = self.request.opset
        if precision != "int8":
            return self.steps.artefact(self.exact, format, precision, opset=opset)
        return self.steps.artefact(
            self.base,
            format,
            precision,
            ranges=self.ranges,
            keep_float=frozenset(self._kept.layers),
            opset=opset,
        )

    def tried(self, keep: frozenset[str]) -> Lowered:
        """Return the INT8 TFLite file with these layers in float; nothing of it is kept."""
        content = quantise(self.base.content, self.ranges, keep_float=keep, where=self.base.where)
        return self.steps.describe("tflite", "int8", content, keep)
