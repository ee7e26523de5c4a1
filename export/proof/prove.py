"""Prove one network: convert it, compare its outputs, judge it on its task.

Every step is kept under a digest of what went into it, so that a run that was stopped goes on
where it was, and new code of one step leaves the others alone.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.anatomy.quiet import quiet
from edge.errors import EdgeError
from export.cache import Cache, digest, tool_versions
from export.calibration.ranges import Ranges
from export.inspection.timing import medians_ms
from export.making.steps import TOOLS, Steps
from export.program.lowered import Lowered
from export.proof.judge import Judge, Settings
from export.proof.likeness import Likeness
from export.proof.mend import Mender
from export.proof.row import MIXED, Made, Mended, Row, Tried
from export.proof.subject import Bytes, Subject

__all__ = ["WANTED", "prove"]

#: Artefacts of every network.
WANTED = (
    ("tflite", "fp32"),
    ("tflite", "fp16"),
    ("tflite", "int8"),
    ("onnx", "fp32"),
    ("onnx", "int8"),
)
#: What is loaded before the clock of a conversion runs: one load serves all networks.
_LIBRARIES = {
    "keras": ("tensorflow",),
    "onnx": ("onnx", "torch", "litert_torch"),
    "torch": ("torch", "litert_torch"),
    "tflite": (),
}

#: What there is to say of an artefact, and the artefact, where there is one.
_Artefact = tuple[Made, Lowered | None]


def prove(subject: Subject, settings: Settings) -> Row:
    """Prove one network; what does not convert is told in its row.

    Raises:
        MissingInput, DataError: a data pack cannot be read.
        UnavailableError: a library is missing.
    """
    return _Proof(subject, settings).row()


class _Proof:
    def __init__(self, subject: Subject, settings: Settings) -> None:
        self._subject, self._settings = subject, settings
        self._cache = Cache(settings.work / subject.name)
        self._steps = Steps(subject.name, None, self._cache, settings.say, subject.cards)
        self._judge = Judge(subject, settings, self._steps)
        self._inputs: list[Bytes] | None = None

    def row(self) -> Row:
        subject = self._subject
        row = Row(
            name=subject.name,
            summary=subject.summary,
            licence=subject.licence,
            kind=subject.kind,
            absent=subject.stays,
        )
        if subject.stays:
            return replace(row, trials=self._tried([]))
        try:
            exact, seconds = self._float_program()
        except EdgeError as error:
            stopped = tuple(Made(f, p, stopped=str(error)) for f, p in WANTED)
            return replace(row, artefacts=stopped, trials=self._tried([]))
        made = self._artefacts(exact)
        tried = self._tried(made)
        mended = self._mended(exact, made, tried)
        if mended:
            made += self._measured(exact, [artefact for _, artefact in mended], precision=MIXED)
            tried = self._tried(made, paired=True)
        return replace(
            row,
            converts_s=seconds,
            artefacts=tuple(there for there, _ in made),
            trials=tried,
            mended=tuple(there for there, _ in mended),
        )

    def _tried(self, made: Sequence[_Artefact], *, paired: bool = False) -> tuple[Tried, ...]:
        judged = [
            (there.key, lowered)
            for there, lowered in made
            if lowered is not None and there.precision in ("int8", MIXED)
        ]
        return tuple(
            self._judge.trial(trial, judged, paired=paired) for trial in self._subject.trials
        )

    def _mended(
        self, exact: Lowered, made: Sequence[_Artefact], tried: Sequence[Tried]
    ) -> list[tuple[Mended, Lowered]]:
        """Mend each INT8 artefact that lost too much."""
        there = [said for said, lowered in made if lowered and lowered.precision == "int8"]
        if not there:
            return []
        ranges = self._ranges(exact)
        mender = Mender(self._subject, self._judge, self._settings, exact, ranges, self._held_back)
        found = [mender.mend(tried, said) for said in there]
        return [(mended, mender.artefact(mended)) for mended in found if mended is not None]

    def _float_program(self) -> tuple[Lowered, float]:
        """Return the float program, and the seconds that making it took when it was made."""

        def load() -> bytes:
            with quiet():
                for library in _LIBRARIES[self._subject.kind]:
                    importlib.import_module(library)
            started = time.monotonic()
            content = self._subject.load()
            taken = json.dumps(time.monotonic() - started).encode()
            self._cache.put("seconds", digest(content), taken)
            return content

        exact = self._steps.lower(load, self._subject.key)
        kept = self._cache.get("seconds", digest(exact.content))
        return exact, round(float(json.loads(kept or b"0")), 2)

    def _artefacts(self, exact: Lowered) -> list[_Artefact]:
        lowered: list[Lowered] = []
        stopped: dict[tuple[str, str], str] = {}
        for format, precision in WANTED:
            try:
                ranges = self._ranges(exact) if precision == "int8" else None
                lowered.append(self._steps.artefact(exact, format, precision, ranges=ranges))
            except EdgeError as error:
                stopped[format, precision] = str(error)
        made = {(there.format, there.precision): (there, artefact)
                for there, artefact in self._measured(exact, lowered)}  # fmt: skip
        return [made.get(key) or (Made(*key, stopped=stopped[key]), None) for key in WANTED]

    def _measured(
        self, exact: Lowered, artefacts: Sequence[Lowered], *, precision: str = ""
    ) -> list[_Artefact]:
        """Measure artefacts; they are called by another precision if one is given."""
        likeness = Likeness(self._subject, exact, self._steps, self._held_back, self._key())
        times = self._times(artefacts, precision)
        return [
            (likeness.made(artefact, ms, precision or artefact.precision), artefact)
            for artefact, ms in zip(artefacts, times, strict=True)
        ]

    def _ranges(self, exact: Lowered) -> Ranges:
        def calibration() -> list[Bytes]:
            return self._samples()[: -self._subject.held_back]

        method = self._subject.method
        return self._steps.calibrate(exact, calibration, self._key(), method=method)

    def _held_back(self) -> list[Bytes]:
        return self._samples()[-self._subject.held_back :]

    def _samples(self) -> list[Bytes]:
        """Make the inputs once, when they are first needed."""
        if self._inputs is None:
            started = time.monotonic()
            self._inputs = list(self._subject.inputs())
            self._settings.say(
                f"{self._subject.name}: {len(self._inputs)} inputs: "
                f"{time.monotonic() - started:.1f} s"
            )
        return self._inputs

    def _key(self) -> str:
        """Digest what takes part in the inputs."""
        return digest(self._subject.inputs_key, self._judge.key)

    def _times(self, artefacts: Sequence[Lowered], name: str) -> list[float]:
        if not artefacts:
            return []
        key = digest(*(artefact.content for artefact in artefacts), tool_versions(*TOOLS))

        def run() -> bytes:
            return json.dumps(medians_ms(artefacts, self._held_back()[0])).encode()

        step = "-".join(("times", name)) if name else "times"
        return [round(ms, 3) for ms in json.loads(self._steps.cached(step, key, run))]
