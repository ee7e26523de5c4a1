"""Bring an INT8 artefact that lost too much back by leaving some layers in float.

The trial says that it lost too much, and afterwards what it loses now. Which layers stay float is
chosen by their outputs on held-back training inputs, and where those are near already, by the
task's own metric on training data: what proves an artefact must not choose it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.foreign.network import Trial as Judgement
from benchmarks.metrics import sqnr_db
from benchmarks.packs import Pack
from export.cache import Cache, digest, digest_code
from export.calibration.ranges import Ranges
from export.inspection.timing import medians_ms
from export.making.steps import Steps
from export.mixed import MixedPlan, Trial, expanded, groups_of, search
from export.program.lowered import Lowered, run
from export.proof.judge import Judge, Settings
from export.proof.row import MIXED, Made, Mended, Tried, points_lost
from export.proof.subject import Bytes, Subject

__all__ = ["BUDGET_POINTS", "ENOUGH_DB", "TUNED_POINTS", "Mender"]

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
#: Of a hundred, that a search by the task's own metric may lose on training data: half of the
#: budget, for what only just keeps it there need not keep it elsewhere.
TUNED_POINTS = BUDGET_POINTS / 2
#: Training pictures on which such a search judges, at most.
_TUNED_ON = 2400


class Mender:
    """Search which layers of one network stay float.

    Args:
        subject: the network.
        judge: of that network.
        settings: on what it is proven.
        exact: its float program.
        ranges: of its calibration.
        held_back: gives inputs that calibration did not see.
    """

    def __init__(
        self,
        subject: Subject,
        judge: Judge,
        settings: Settings,
        exact: Lowered,
        ranges: Ranges,
        held_back: Callable[[], list[Bytes]],
    ) -> None:
        self._subject, self._judge, self._settings = subject, judge, settings
        self._exact, self._ranges, self._held_back = exact, ranges, held_back
        self._groups = groups_of(exact.content, where=exact.where)
        # What is tried is kept apart from the artefacts of the table, and the search says enough.
        cache = Cache(settings.work / subject.name / MIXED)
        self._steps = Steps(subject.name, None, cache, lambda line: None, subject.cards)

    def mend(self, tried: Sequence[Tried], made: Made) -> Mended | None:
        """Search for the layers that must stay float; None where nothing lost too much.

        Args:
            tried: of the network.
            made: what there is to say of the INT8 artefact.
        """
        losses = [trial.loss(made.key) for trial in tried if made.key in trial.figures]
        worst = losses.index(max(losses)) if losses else 0
        lost = bool(losses) and losses[worst] > BUDGET_POINTS
        least = max(self._subject.least_db, ENOUGH_DB if lost else 0.0)
        if not lost and min(made.sqnr_db) >= least:
            return None
        tuning = self._subject.trials[worst].tuning if lost else None
        key = digest(
            self._exact.content,
            self._ranges.to_json(),
            least,
            TUNED_POINTS,
            self._settings.limit,
            Pack.open(self._settings.data / tuning.pack).digest() if tuning else "",
            self._judge.key,
            digest_code(
                "export/proof/mend.py",
                "export/mixed/*.py",
                "export/quantisation/*.py",
                "export/onnx_writer/*.py",
            ),
        )

        def look() -> bytes:
            return json.dumps(self._search(made.format, least, tuning)).encode()

        found = json.loads(self._steps.cached(f"plan-{made.format}", key, look))
        return Mended(
            format=made.format,
            summary=found["summary"],
            keep_float=tuple(found["layers"]),
            reached=found["reached"],
            layers=sum(len(layers) for layers in self._groups.values()),
            least_db=least,
            tuned=found["tuned"],
        )

    def artefact(self, mended: Mended) -> Lowered:
        """Return the mended artefact."""
        return self._made(mended.format, frozenset(mended.keep_float))

    def _made(self, format: str, keep: frozenset[str]) -> Lowered:
        return self._steps.artefact(
            self._exact, format, "int8", ranges=self._ranges, keep_float=keep
        )

    def _of(self, format: str, names: frozenset[str]) -> Lowered:
        """Return the artefact with the groups of these names in float."""
        return self._made(format, expanded(self._groups, names))

    def _search(self, format: str, least: float, tuning: Judgement | None) -> dict[str, Any]:
        """Search by the outputs; where they are near already, by the task on training data."""
        inputs = self._held_back()[:_RANKED_ON]
        wanted = run(self._exact, list(inputs))

        def decibel(names: frozenset[str]) -> float:
            pairs = zip(wanted, run(self._of(format, names), list(inputs)), strict=True)
            return min(sqnr_db(a, np.asarray(b).reshape(a.shape)) for a, b in pairs)

        def cheap(names: frozenset[str]) -> Trial:
            artefact = self._of(format, names)
            (ms,) = medians_ms([artefact], inputs[0], seconds=_SECONDS)
            return Trial(decibel(names), ms, len(artefact.content))

        plan = self._plan(decibel, cheap, format, baseline=_EQUAL_DB, budget=_EQUAL_DB - least)
        tuned = None
        if tuning is not None and not plan.keep_float:
            plan, tuned = self._by_task(format, tuning, cheap)
        return {
            "summary": plan.summary,
            "reached": plan.reached,
            "layers": sorted(expanded(self._groups, plan.keep_float)),
            "tuned": tuned,
        }

    def _by_task(
        self, format: str, tuning: Judgement, cheap: Callable[[frozenset[str]], Trial]
    ) -> tuple[MixedPlan, dict[str, Any]]:
        """Search by the task's own metric; the points that are lost take the place of decibels."""
        before = self._judge.measure(tuning, self._exact, limit=_TUNED_ON)
        seen: dict[frozenset[str], Mapping[str, Any]] = {}

        def won(names: frozenset[str]) -> float:
            seen[names] = self._judge.measure(tuning, self._of(format, names), limit=_TUNED_ON)
            return -points_lost(tuning.metrics, before, seen[names])

        plan = self._plan(won, cheap, format, baseline=0.0, budget=TUNED_POINTS)
        after = {"int8": seen[frozenset()], "mixed": seen[frozenset(plan.keep_float)]}
        return plan, {
            "data": before["data"],
            "n": before["n"],
            "float": {metric: before[metric] for metric in tuning.metrics},
            **{name: {m: found[m] for m in tuning.metrics} for name, found in after.items()},
            "loss_points": {
                name: round(points_lost(tuning.metrics, before, found), 3)
                for name, found in after.items()
            },
        }

    def _plan(
        self,
        evaluate: Callable[[frozenset[str]], float],
        cheap: Callable[[frozenset[str]], Trial],
        format: str,
        *,
        baseline: float,
        budget: float,
    ) -> MixedPlan:
        return search(
            evaluate,
            list(self._groups),
            baseline=baseline,
            budget=budget,
            trial=cheap,
            most=_EVALUATIONS,
            say=lambda line: self._settings.say(f"{self._subject.name} {format}: {line}"),
        )
