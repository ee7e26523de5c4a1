"""Convert one network file into artefacts and prove them on their outputs; no task is needed."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import edge
from edge.errors import OutputError, UsageError
from edge.evidence import CalibrationRecord
from edge.files import write_whole
from export.cache import Cache, tool_versions
from export.calibration.ranges import Ranges
from export.gate.compare import compare
from export.gate.original import fidelity_db
from export.importers.source import Source
from export.inspection.agreement import LayerAgreement, agreement
from export.inspection.timing import medians_ms
from export.making.artefacts import Artefacts, Inputs, Request
from export.making.steps import TOOLS, Say, Steps
from export.making.table import Row
from export.program.lowered import Lowered, Sample, random_inputs, real_values

__all__ = ["Conversion", "convert_source", "write_conversion"]

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
        means: what was done beside rounding.
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
    means: tuple[str, ...]
    agreement: tuple[LayerAgreement, ...]

    def to_json(self) -> dict[str, object]:
        """Return the record that stands beside the artefacts."""
        return {
            "network": self.source.name,
            "source": self.source.path.name,
            "fidelity_db": self.fidelity_db,
            "compared_on": self.compared_on,
            "calibration": self.record.to_json() if self.record else None,
            "ranges": self.ranges.to_json() if self.ranges else None,
            "means": list(self.means),
            "agreement": [layer.to_json() for layer in self.agreement],
            "artefacts": [
                {**row.to_json(), "audit": a.audit().to_json(), "kept_float": sorted(a.keep_float)}
                for row, a in zip(self.rows, self.artefacts, strict=True)
            ],
            "contract": self.exact.contract.to_json(),
            "tools": {"unveil-edge": edge.__version__, **tool_versions(*TOOLS)},
        }


def convert_source(
    source: Source,
    request: Request,
    *,
    inputs: Callable[[Lowered], Inputs] = lambda exact: Inputs(),
    work: Path | None = None,
    say: Say = lambda line: None,
) -> Conversion:
    """Convert a network and compare every artefact with the float program.

    Args:
        source: the network.
        request: what is wanted.
        inputs: gives the inputs of the float program.
        work: folder for what the steps made; None keeps nothing.
        say: takes one line a step.

    Raises:
        UsageError: INT8 is wanted and there is nothing to calibrate with.
        GateFailed: the float program is not what the original computes, or an artefact failed in
            silence; the layer is named.
        EdgeError: the network cannot be read or converted.
    """
    with _work(work) as folder:
        steps = Steps(source.name, source.card, Cache(folder / source.name), say)
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
        fidelity = fidelity_db(source, exact, compared)
        quantiser = Artefacts(steps, exact, request, given, compared, say)
        artefacts = [quantiser.artefact(format, precision) for format, precision in request.wanted]
    kind = "held-back inputs" if given.held_back else "random inputs"
    return Conversion(
        source=source,
        exact=exact,
        artefacts=tuple(artefacts),
        rows=_rows(exact, artefacts, compared),
        ranges=quantiser.ranges,
        record=given.record,
        fidelity_db=fidelity,
        compared_on=f"{len(compared)} {kind}",
        means=quantiser.means,
        agreement=_agreement(exact, artefacts, quantiser.ranges, compared),
    )


def _agreement(
    exact: Lowered,
    artefacts: Sequence[Lowered],
    ranges: Ranges | None,
    inputs: Sequence[Sample],
) -> tuple[LayerAgreement, ...]:
    """Compare the two INT8 artefacts of one calibration, the layer that differs most first."""
    int8 = {a.format: a.content for a in artefacts if a.precision == "int8"}
    if len(int8) < 2 or ranges is None:
        return ()
    reals = [real_values(exact.contract.inputs, sample) for sample in inputs[:_AGREED_ON]]
    return tuple(agreement(exact.content, int8["tflite"], int8["onnx"], reals, ranges))


def write_conversion(conversion: Conversion, out: Path) -> list[Path]:
    """Write the artefacts and their record into a folder, each file whole.

    Args:
        conversion: that passed.
        out: folder; made if it is not there.

    Returns:
        The files.

    Raises:
        OutputError: the disk is full or read-only.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be made: {error.strerror}",
            hint="name another folder with --out",
            code="output.write",
        ) from error
    record = (json.dumps(conversion.to_json(), indent=1) + "\n").encode()
    files = {
        row.file: a.content for row, a in zip(conversion.rows, conversion.artefacts, strict=True)
    }
    files[f"{conversion.source.name}.json"] = record
    for name, content in files.items():
        write_whole(out / name, content)
    return [out / name for name in files]


@contextlib.contextmanager
def _work(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


def _rows(
    exact: Lowered, artefacts: Sequence[Lowered], inputs: Sequence[Sample]
) -> tuple[Row, ...]:
    times = medians_ms(artefacts, inputs[0])
    rows = []
    for artefact, ms in zip(artefacts, times, strict=True):
        likeness = compare(exact, artefact, inputs)
        rows.append(
            Row(
                network=artefact.name,
                format=artefact.format,
                precision=artefact.precision,
                file=f"{artefact.name}.{artefact.precision}.{artefact.format}",
                size=len(artefact.content),
                label=artefact.audit().label,
                sqnr_db=likeness.sqnr_db,
                cosine_min=likeness.cosine_min,
                ms=ms,
            )
        )
    return tuple(rows)
