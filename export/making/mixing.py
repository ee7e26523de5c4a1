"""Which layers of a network stay float: by the nearness of its outputs, or by its task's metric.

A search tries dozens of artefacts, so each is looked at on few inputs and none is timed. The one
that is chosen is: what each of its layers costs is said at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.packs import Pack
from edge.errors import ConfigError, GateFailed
from export.cache import digest, digest_code, digest_files
from export.cards.card import Card
from export.gate.compare import Outputs, likeness
from export.gate.metric import figures_of, loss
from export.gate.peers import Peers
from export.inspection.timing import medians_ms
from export.making.kept import Kept, LayerCost
from export.mixed import MixedPlan, Trial, candidates_of, search
from export.program.lowered import Lowered, Sample, run
from export.progress import Say

if TYPE_CHECKING:
    from export.making.artefacts import Artefacts

__all__ = ["near_enough", "within_points"]

#: SQNR of what is the same, see ``benchmarks.metrics.sqnr_db``.
_EQUAL_DB = 99.0
#: Inputs on which layers are ranked by how much each alone loses.
_FEW = 4
#: Layers whose cost is measured, the most sensitive first.
_MOST_TIMED = 8
#: What a point of a metric is, where it is no share.
_POINT = {"psnr": 1.0}


def near_enough(
    artefacts: Artefacts, least_db: float, inputs: Sequence[Sample], wanted: Outputs, *, say: Say
) -> Kept:
    """Return the fewest layers that must stay float for the outputs to be so near.

    Args:
        artefacts: of the network.
        least_db: SQNR of the output that differs most.
        inputs: that the calibration did not see.
        wanted: the outputs that they give in float, see ``export.gate.compare.Outputs``.
        say: takes one line a step.

    Raises:
        GateFailed: not even all of them are enough.
    """

    def judge(lowered: Lowered) -> float:
        return likeness(wanted, lowered, inputs).sqnr_db

    find = partial(
        _find,
        judge,
        baseline=_EQUAL_DB,
        budget=_EQUAL_DB - least_db,
        hint="calibrate on more or other pictures, or ask for less with --min-db",
    )
    key = digest(least_db, *(array.tobytes() for sample in inputs for array in sample))
    return _cached(artefacts, find, key, inputs, say)


def within_points(
    artefacts: Artefacts,
    card: Card,
    points: float,
    peers: Peers,
    data: Path,
    inputs: Callable[[], Sequence[Sample]],
    *,
    limit: int | None,
    say: Say,
) -> Kept:
    """Return the fewest layers that must stay float, by the card's tuning data.

    Args:
        artefacts: of the network.
        card: names the tuning data.
        points: hundredths of the metric that may be lost; of a metric in dB, so many dB.
        peers: INT8 networks that the task needs beside it.
        data: folder of the data packs.
        inputs: give those that the calibration did not see.
        limit: at most so many pictures or pairs.
        say: takes one line a step.

    Raises:
        ConfigError: the card names none: evidence data may not be searched on.
        GateFailed: not even all layers are enough.
    """
    plan = card.tuning
    if plan is None:
        raise ConfigError(
            f"{card.folder / 'model.toml'}: tuning: is missing, and layers are not chosen on "
            "the data that proves them",
            hint='name other held-back pictures: [tuning] pack = "..." split = "val" '
            'metric = "..."',
            code="card.tuning",
        )
    tuning = replace(card, evidence=plan)

    def judge(lowered: Lowered) -> float:
        return figures_of(tuning, lowered, peers, data, limit).measures[plan.metric].value

    def find(artefacts: Artefacts, few: Sequence[Sample], say: Say) -> MixedPlan:
        say(f"{card.name}: layers are chosen on {plan.pack}/{plan.split or 'all'}, {plan.metric}")
        return _find(
            judge,
            artefacts,
            few,
            say,
            baseline=judge(artefacts.exact),
            budget=points * _POINT.get(plan.metric, 0.01),
            loss=partial(loss, plan.metric),
            hint="train with --qat, or allow more with --max-drop",
        )

    made = digest_files(card.folder.parent, "training/*.py", f"{card.folder.name}/*.py")
    key = digest(plan, points, limit, Pack.open(data / plan.pack).digest(), made)
    return _cached(artefacts, find, key, inputs, say)


_Find = Callable[["Artefacts", Sequence[Sample], Say], MixedPlan]


def _cached(
    artefacts: Artefacts,
    find: _Find,
    key: str,
    inputs: Sequence[Sample] | Callable[[], Sequence[Sample]],
    say: Say,
) -> Kept:
    """Search, unless the same search was made before."""

    def run_search() -> bytes:
        few = list(inputs() if callable(inputs) else inputs)[:_FEW]
        plan = find(artefacts, few, say)
        costs = _costs(artefacts, plan.keep_float, few[0])
        return json.dumps(Kept(plan.keep_float, plan.summary, costs).to_json()).encode()

    code = digest_code("export/mixed/*.py", "export/making/mixing.py", "export/gate/*.py")
    stored = artefacts.steps.cached("mixed", digest(artefacts.key, key, code), run_search)
    kept = Kept.from_json(json.loads(stored))
    for line in (kept.summary, *map(str, kept.costs)):
        say(f"{artefacts.steps.name}: {line}")
    return kept


def _find(
    judge: Callable[[Lowered], float],
    artefacts: Artefacts,
    few: Sequence[Sample],
    say: Say,
    *,
    baseline: float,
    budget: float,
    hint: str,
    loss: Callable[[float, float], float] = lambda before, after: before - after,
) -> MixedPlan:
    wanted = run(artefacts.exact, list(few))
    where = artefacts.base.where
    last: dict[frozenset[str], Lowered] = {}

    def made(keep: frozenset[str]) -> Lowered:
        """Make an artefact once for both looks at it."""
        if keep not in last:
            last.clear()
            last[keep] = artefacts.tried(keep)
        return last[keep]

    def trial(keep: frozenset[str]) -> Trial:
        near = likeness(wanted, made(keep), few)
        return Trial(near.sqnr_db, None, len(made(keep).content))

    plan = search(
        lambda keep: judge(made(keep)),
        candidates_of(artefacts.base.content, where=where),
        baseline=baseline,
        budget=budget,
        trial=trial,
        loss=loss,
        say=say,
    )
    if not plan.reached:
        raise GateFailed(f"{where}: {plan.summary}", hint=hint, code="export.mixed")
    return plan


def _costs(artefacts: Artefacts, layers: tuple[str, ...], sample: Sample) -> tuple[LayerCost, ...]:
    """Time the artefact with each layer given back to the integers, all in turns."""
    timed = layers[:_MOST_TIMED]
    if not timed:
        return ()
    every = frozenset(layers)
    chosen = artefacts.tried(every)
    without = [artefacts.tried(every - {layer}) for layer in timed]
    ms, *others = medians_ms([chosen, *without], sample)
    return tuple(
        LayerCost(layer, round(ms - other, 4), len(chosen.content) - len(lowered.content))
        for layer, other, lowered in zip(timed, others, without, strict=True)
    )
