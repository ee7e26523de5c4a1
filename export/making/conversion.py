"""Convert one network file and prove its artefacts: on outputs, and on a task if it has one."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import edge
from edge.errors import OutputError, UsageError
from edge.evidence import CalibrationRecord, Evidence
from edge.files import write_whole
from export.cache import Cache, tool_versions
from export.calibration.ranges import Ranges
from export.gate.compare import Outputs, Similarity, compare, still
from export.gate.original import fidelity_db, original_outputs
from export.gate.peers import Peers
from export.importers.source import Source
from export.inspection.agreement import LayerAgreement, agreement
from export.inspection.timing import medians_ms
from export.making.artefacts import Artefacts, Inputs, Request
from export.making.kept import Kept
from export.making.mixing import near_enough, within_points
from export.making.steps import TOOLS, Steps
from export.making.table import Row
from export.making.task import Task, open_peers, prove_all
from export.program.lowered import Lowered, Sample, random_inputs, real_values, run
from export.progress import Progress, Say

__all__ = ["Conversion", "convert_source", "steps_of", "write_conversion"]

#: Inputs on which every layer of two artefacts is compared.
_AGREED_ON = 8


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a network.

    Attributes:
        source: where it came from.
        exact: the float program, from which all others are made.
        artefacts: in the order of the request.
        rows: one an artefact, for the table.
        ranges: of the calibration; None where nothing was quantised.
        record: what was calibrated with.
        fidelity_db: the float program's outputs against those of the network's own framework;
            None where that framework is not at hand.
        compared_on: how many inputs, and what they were.
        compared_with: the original in its own framework; the float program where that is not to
            be had.
        means: what was done for INT8 beside rounding.
        kept: layers of INT8 artefacts that stay float, if any were searched.
        agreement: of the INT8 TFLite and the Q/DQ ONNX file, where both were wanted.
    """

    source: Source
    exact: Lowered
    artefacts: tuple[Lowered, ...]
    rows: tuple[Row, ...]
    ranges: Ranges | None
    record: CalibrationRecord | None
    fidelity_db: float | None
    compared_on: str
    compared_with: str
    means: tuple[str, ...]
    kept: Kept | None
    agreement: tuple[LayerAgreement, ...]

    def to_json(self) -> dict[str, object]:
        """Return the record that stands beside the artefacts."""
        return {
            "network": self.source.name,
            "source": self.source.path.name,
            "fidelity_db": self.fidelity_db,
            "compared_on": self.compared_on,
            "compared_with": self.compared_with,
            "calibration": self.record.to_json() if self.record else None,
            "ranges": self.ranges.to_json() if self.ranges else None,
            "means": list(self.means),
            "mixed": self.kept.to_json() if self.kept else None,
            "agreement": [layer.to_json() for layer in self.agreement],
            "artefacts": [
                {**row.to_json(), "audit": a.audit().to_json(), "kept_float": sorted(a.keep_float)}
                for row, a in zip(self.rows, self.artefacts, strict=True)
            ],
            "contract": self.exact.contract.to_json(),
            "tools": {"unveil-edge": edge.__version__, **tool_versions(*TOOLS)},
        }


def steps_of(request: Request, task: Task | None) -> int:
    """Return how many steps a conversion takes, for a bar."""
    # The float program before, comparing and timing behind.
    return 1 + request.steps + 1 + (task is not None)


def convert_source(
    source: Source,
    request: Request,
    *,
    inputs: Callable[[Lowered], Inputs] = lambda exact: Inputs(),
    task: Task | None = None,
    work: Path | None = None,
    say: Say = lambda line: None,
) -> Conversion:
    """Convert a network and compare every artefact with it.

    Args:
        source: the network.
        request: what is wanted.
        inputs: gives the inputs of the float program.
        task: of a network with a card, what its artefacts are proven on as well.
        work: folder for what the steps made; None keeps nothing.
        say: takes one line a step.

    Raises:
        UsageError: INT8 is wanted and there is nothing to calibrate with.
        GateFailed: the float program is not what the original computes, an artefact failed in
            silence or lost more than the card allows; the layer is named.
        EdgeError: the network cannot be read or converted.
    """
    progress = Progress.of(say)
    with _work(work) as folder, open_peers(source, task) as peers:
        steps = Steps(source.name, source.card, Cache(folder / source.name), progress)
        exact = steps.lower(source.load, source.key)
        given = inputs(exact)
        if request.int8 and not given.calibration:
            raise UsageError(
                f"{source.path}: INT8 takes its ranges from real inputs, and there are none",
                hint="give pictures with --data",
                code="convert.calibration",
            )
        if source.card is None:
            steps, exact = steps.told(given.pictures), exact.told(given.pictures)
        compared = list(given.held_back) or random_inputs(exact)
        found = run(exact, compared)
        for place in still(found):
            progress(
                f"{source.name}: {exact.contract.outputs[place].name} is the same for every input "
                "in the float network already: that it is near says nothing"
            )
        original = original_outputs(source, found, exact.contract, compared)
        quantiser = Artefacts(steps, exact, request, given.drawn, training=source.training)
        kept = _kept(quantiser, source, compared, found, task, peers, progress)
        artefacts = [quantiser.artefact(format, precision) for format, precision in request.wanted]
        with progress.step(f"{source.name}: compare and time"):
            near = [
                compare(exact, artefact, compared, found if original is None else original)
                for artefact in artefacts
            ]
            times = medians_ms(artefacts, compared[0])
        proofs = prove_all(source, exact, artefacts, near, task, peers, progress)
    kind = "held-back inputs" if given.held_back else "random inputs"
    return Conversion(
        source=source,
        exact=exact,
        artefacts=tuple(artefacts),
        rows=tuple(
            _row(artefact, likeness, ms, proof, quantiser.means)
            for artefact, likeness, ms, proof in zip(artefacts, near, times, proofs, strict=True)
        ),
        ranges=quantiser.ranges if request.int8 else None,
        record=given.record,
        fidelity_db=None if original is None else fidelity_db(original, found),
        compared_on=f"{len(compared)} {kind}",
        compared_with="float program" if original is None else "original",
        means=quantiser.means if request.int8 else (),
        kept=kept,
        agreement=_agreement(exact, artefacts, quantiser, compared),
    )


def _kept(
    artefacts: Artefacts,
    source: Source,
    compared: list[Sample],
    wanted: Outputs,
    task: Task | None,
    peers: Peers,
    say: Progress,
) -> Kept | None:
    """Search layers that stay float, if that was asked for, and leave them so."""
    request, card = artefacts.request, source.card
    if not request.int8 or not request.mixed:
        return None
    if request.min_db is not None:
        kept = near_enough(artefacts, request.min_db, compared, wanted, say=say)
    elif card is None or task is None or request.max_points is None:
        raise UsageError(
            f"{source.path}: a drop is one of a task's metric, and this network has no task",
            hint="give --min-db instead, or a card and the folder of its data packs with --data",
            code="convert.drop",
        )
    else:
        kept = within_points(
            artefacts,
            card,
            request.max_points,
            peers,
            task.data,
            lambda: compared,
            limit=task.limit,
            say=say,
        )
    artefacts.keep(kept)
    return kept


def _row(
    artefact: Lowered, near: Similarity, ms: float, proof: Evidence | None, means: tuple[str, ...]
) -> Row:
    return Row(
        network=artefact.name,
        format=artefact.format,
        precision=artefact.precision,
        file=f"{artefact.name}.{artefact.precision}.{artefact.format}",
        size=len(artefact.content),
        label=artefact.audit().label,
        sqnr_db=near.sqnr_db,
        cosine_min=near.cosine_min,
        ms=ms,
        evidence=proof,
        means=means if artefact.precision == "int8" else (),
    )


def _agreement(
    exact: Lowered, artefacts: Sequence[Lowered], quantiser: Artefacts, inputs: Sequence[Sample]
) -> tuple[LayerAgreement, ...]:
    """Compare the two INT8 artefacts of one calibration, the layer that differs most first."""
    int8 = {a.format: a.content for a in artefacts if a.precision == "int8"}
    if len(int8) < 2:
        return ()
    reals = [real_values(exact.contract.inputs, sample) for sample in inputs[:_AGREED_ON]]
    return tuple(agreement(exact.content, int8["tflite"], int8["onnx"], reals, quantiser.ranges))


def write_conversion(conversion: Conversion, out: Path) -> list[Path]:
    """Write the artefacts and their record into a folder: all of them, or none.

    Args:
        conversion: that passed.
        out: folder; made if it is not there.

    Returns:
        The files.

    Raises:
        OutputError: the disk is full or read-only.
    """
    record = (json.dumps(conversion.to_json(), indent=1) + "\n").encode()
    files = {
        row.file: a.content for row, a in zip(conversion.rows, conversion.artefacts, strict=True)
    }
    files[f"{conversion.source.name}.json"] = record
    new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        # Beside their places, so that what may fail for want of room has failed before any moves.
        with tempfile.TemporaryDirectory(dir=out, prefix=".") as folder:
            for name, content in files.items():
                write_whole(Path(folder) / name, content)
            for name in files:
                os.replace(Path(folder) / name, out / name)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written: {error.strerror}",
            hint="free some space or name another folder with --out",
            code="output.write",
        ) from error
    finally:
        if new:
            with contextlib.suppress(OSError):  # It is left alone as soon as it holds anything.
                out.rmdir()
    return [out / name for name in files]


@contextlib.contextmanager
def _work(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)
