"""The gate: an artefact against the float network, in the runtime that will run it.

Two looks: the task's own metric on held-back data, and the outputs themselves on the same inputs.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figures
from benchmarks.metrics import cosine, sqnr_db
from benchmarks.packs import Pack
from edge.errors import GateFailed
from edge.evidence import Evidence
from export.cards.card import Card
from export.cards.names import shorten
from export.gate.metric import figures_of, loss
from export.gate.peers import Peers
from export.inspection.layers import costliest, layers
from export.inspection.silent import STILL, silent
from export.program.lowered import ENGINES, Lowered, Sample, real_values, run

__all__ = ["Outputs", "Similarity", "blamed", "compare", "likeness", "prove", "still"]

#: Real values of each output over all inputs, float32 ``[n, ...]``.
Outputs = Sequence[NDArray[np.float32]]

#: Inputs on which every layer is looked at.
_LOOKED_AT = 16
#: Precisions that compute in floating point throughout.
_FLOATS = ("fp32", "fp16")
#: Layers that a failure names, and how much of a name.
_NAMED, _NAME = 3, 60
_LIBRARIES = {"tflite": "ai-edge-litert", "onnxruntime": "onnxruntime"}


@dataclass(frozen=True, slots=True)
class Similarity:
    """How near an artefact's outputs are to the float ones on the same inputs.

    Attributes:
        cosine_min: of the output that differs most, all inputs together.
        sqnr_db: likewise.
        max_abs: largest difference of any value.
        n: inputs.
    """

    cosine_min: float
    sqnr_db: float
    max_abs: float
    n: int

    def to_json(self) -> dict[str, float]:
        """Return the fields."""
        return asdict(self)


def compare(
    exact: Lowered,
    artefact: Lowered,
    inputs: Sequence[Sample],
    wanted: Outputs | None = None,
) -> Similarity:
    """Run both networks on the same inputs and compare every output and every layer.

    Args:
        exact: the float program.
        artefact: made of it.
        inputs: that the calibration did not see.
        wanted: what the outputs are held to; those of the float program where it is None.

    Raises:
        GateFailed: the artefact failed in silence: an output is dead or not finite, a bias ran
            over, a range collapsed, outputs changed places; the layer is named.
    """
    if artefact is not exact:
        _refuse_silent(exact, artefact, inputs)
    return likeness(run(exact, list(inputs)) if wanted is None else wanted, artefact, inputs)


def likeness(wanted: Outputs, artefact: Lowered, inputs: Sequence[Sample]) -> Similarity:
    """Run a network and compare every output.

    Args:
        wanted: real values of each output over all inputs, see ``export.program.lowered.run``.
        artefact: to run.
        inputs: that gave them.
    """
    stored = run(artefact, list(inputs))
    return Similarity(
        cosine_min=min(cosine(a, b) for a, b in zip(wanted, stored, strict=True)),
        sqnr_db=min(sqnr_db(a, b) for a, b in zip(wanted, stored, strict=True)),
        max_abs=max(float(np.abs(a - b).max()) for a, b in zip(wanted, stored, strict=True)),
        n=len(inputs),
    )


def still(wanted: Outputs) -> list[int]:
    """Return the places of the outputs that are the same for every input."""
    return [
        place
        for place, values in enumerate(wanted)
        if len(values) > 1 and np.ptp(values, axis=0).max() <= STILL * np.abs(values).max()
    ]


def _refuse_silent(exact: Lowered, artefact: Lowered, samples: Sequence[Sample]) -> None:
    reals = [real_values(exact.contract.inputs, sample) for sample in samples[:_LOOKED_AT]]
    found = silent(exact.content, artefact.content, reals, where=artefact.where)
    if artefact.precision in _FLOATS:
        # A float artefact of a network that says nothing is true to it: see ``still``.
        found = [finding for finding in found if not finding.inherited]
    if found:
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        raise GateFailed(
            f"{artefact.where}: {found[0]}{more}",
            hint="a network must be trained before it is quantised, and calibrated on what it "
            "will see; look at every layer with: edge-export inspect",
            code=f"export.{found[0].kind}",
        )


def prove(
    card: Card,
    exact: Figures,
    artefact: Lowered,
    near: Similarity,
    peers: Peers,
    data: Path,
    *,
    limit: int | None = None,
) -> Evidence:
    """Measure an artefact on the card's evidence data and refuse it if it lost too much.

    Args:
        card: says data, metric and how much may be lost.
        exact: figures of the float network on the same data.
        artefact: under test.
        near: how near its outputs are to the float ones.
        peers: INT8 networks that the task needs beside it.
        data: folder of the data packs.
        limit: at most so many pictures or pairs; the evidence says how many.

    Raises:
        GateFailed: the metric fell by more than ``max_drop``, or the outputs are less alike than
            the card allows.
        ConfigError: the task has no such metric.
    """
    plan, metric = card.evidence, card.evidence.metric
    after = figures_of(card, artefact, peers, data, limit)
    wanted, measure = exact.measures[metric].value, after.measures[metric]
    if not loss(metric, wanted, measure.value) <= plan.max_drop:
        raise GateFailed(
            f"{artefact.where}: {metric} on {after.data} is {measure.value:.4f} and "
            f"{wanted:.4f} in float, a loss of more than {plan.max_drop:g}",
            hint="keep layers float with --max-drop, train with --qat, calibrate on other "
            "pictures, or allow more in evidence.max_drop",
            code="export.drop",
        )
    for name, seen, least in (
        ("cosine", near.cosine_min, plan.min_cosine),
        ("SQNR in dB", near.sqnr_db, plan.min_sqnr_db),
    ):
        if not seen >= least:
            raise GateFailed(
                f"{artefact.where}: {name} of its outputs is {seen:.4g}, the card wants {least:g}",
                hint="see which layers cost it: edge-export inspect",
                code="export.likeness",
            )
    engine = ENGINES[artefact.format]
    return Evidence(
        metric=metric,
        float_value=wanted,
        artefact_value=measure.value,
        n=measure.n,
        data=after.data,
        ci95=measure.ci95,
        data_sha256=Pack.open(data / plan.pack).digest(),
        date=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        engine=f"{engine} {version(_LIBRARIES[engine])}",
        cosine_min=round(near.cosine_min, 6),
        sqnr_db=round(near.sqnr_db, 3),
        max_drop=plan.max_drop,
    )


def blamed(
    error: GateFailed, exact: Lowered, artefact: Lowered, samples: Sequence[Sample]
) -> GateFailed:
    """Return the same failure with the layers that cost most.

    Args:
        error: of ``prove``.
        exact, artefact: float and under test.
        samples: inputs that the calibration did not see.
    """
    reals = [real_values(exact.contract.inputs, sample) for sample in samples[:_LOOKED_AT]]
    found = layers(exact.content, artefact.content, reals, where=artefact.where, seconds=0)
    worst = ", ".join(shorten(layer.name, _NAME) for layer in costliest(found, _NAMED))
    what = f"{error.what}; most noise comes from {worst}" if worst else error.what
    return GateFailed(what, hint=error.hint, code=error.code)
