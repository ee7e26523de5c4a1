"""Bring an INT8 artefact that lost too much back by leaving some layers in float.

The trial says that it lost too much, and afterwards what it loses now. Which layers stay float is
chosen by their outputs on held-back training inputs: what proves an artefact must not choose it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.metrics import sqnr_db
from export.cache import Cache, digest, digest_code
from export.calibration.ranges import Ranges
from export.inspection.timing import medians_ms
from export.making.steps import Steps
from export.mixed import Trial, candidates_of, search
from export.program.lowered import Lowered, run
from export.proof.judge import Settings
from export.proof.row import MIXED, Mended, Tried
from export.proof.subject import Bytes, Subject

__all__ = ["BUDGET_POINTS", "Mender"]

#: Of a hundred, that INT8 may cost on a trial's worst metric.
BUDGET_POINTS = 1.0
#: Signal to noise that a mended artefact's outputs must have. Networks that lost more than the
#: budget had 11 to 16 dB, those that did not had 17 and more.
ENOUGH_DB = 25.0
#: Of what is the same, see ``benchmarks.metrics.sqnr_db``.
_EQUAL_DB = 99.0
#: Inputs on which layers are ranked; each is run once for every layer of the network.
_RANKED_ON = 8
#: Metric evaluations of a search.
_EVALUATIONS = 16
#: Seconds to time one artefact.
_SECONDS = 0.2


class Mender:
    """Search which layers of one network stay float.

    Args:
        subject: the network.
        settings: on what it is proven.
        exact: its float program.
        ranges: of its calibration.
        held_back: gives inputs that calibration did not see.
    """

    def __init__(
        self,
        subject: Subject,
        settings: Settings,
        exact: Lowered,
        ranges: Ranges,
        held_back: Callable[[], list[Bytes]],
    ) -> None:
        self._subject, self._settings = subject, settings
        self._exact, self._ranges, self._held_back = exact, ranges, held_back
        # What is tried is kept apart from the artefacts of the table, and the search says enough.
        cache = Cache(settings.work / subject.name / MIXED)
        self._steps = Steps(subject.name, None, cache, lambda line: None, subject.cards)

    def mend(self, tried: Sequence[Tried], format: str) -> Mended | None:
        """Search for the layers that must stay float; None where no trial lost too much.

        Args:
            tried: of the network.
            format: of the INT8 artefact that is mended.
        """
        key = f"{format} int8"
        losses = [trial.loss(key) for trial in tried if key in trial.figures]
        if not losses or max(losses) <= BUDGET_POINTS:
            return None
        whole = digest(
            self._exact.content,
            self._ranges.to_json(),
            ENOUGH_DB,
            digest_code("export/mixed/*.py", "export/quantisation/*.py", "export/onnx_writer/*.py"),
        )

        def look() -> bytes:
            return json.dumps(self._search(format)).encode()

        found = json.loads(self._steps.cached(f"plan-{format}", whole, look))
        return Mended(format, found["summary"], tuple(found["keep_float"]), found["reached"])

    def artefact(self, mended: Mended) -> Lowered:
        """Return the mended artefact."""
        return self._made(mended.format, frozenset(mended.keep_float))

    def _made(self, format: str, keep: frozenset[str]) -> Lowered:
        return self._steps.artefact(
            self._exact, format, "int8", ranges=self._ranges, keep_float=keep
        )

    def _search(self, format: str) -> dict[str, object]:
        exact, inputs = self._exact, self._held_back()[:_RANKED_ON]
        wanted = run(exact, list(inputs))

        def decibel(keep: frozenset[str]) -> float:
            pairs = zip(wanted, run(self._made(format, keep), list(inputs)), strict=True)
            return min(sqnr_db(a, np.asarray(b).reshape(a.shape)) for a, b in pairs)

        def cheap(keep: frozenset[str]) -> Trial:
            artefact = self._made(format, keep)
            (ms,) = medians_ms([artefact], inputs[0], seconds=_SECONDS)
            return Trial(decibel(keep), ms, len(artefact.content))

        plan = search(
            decibel,
            candidates_of(exact.content, where=exact.where),
            baseline=_EQUAL_DB,
            budget=_EQUAL_DB - ENOUGH_DB,
            trial=cheap,
            most=_EVALUATIONS,
            say=lambda line: self._settings.say(f"{self._subject.name} {format}: {line}"),
        )
        return plan.to_json()
