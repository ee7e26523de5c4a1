"""How near an artefact is to the original, and what it is made of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import numpy as np

from benchmarks.anatomy.graph import read_graph
from benchmarks.foreign.picture import Arrays, Run
from benchmarks.metrics import sqnr_db
from export.cache import digest, digest_code
from export.inspection.audit import audit, audit_onnx
from export.inspection.silent import silent
from export.making.steps import Steps
from export.program.lowered import Lowered, real_values
from export.proof.engines import open_artefact
from export.proof.row import Made
from export.proof.subject import Bytes, Subject

__all__ = ["EXACT_DB", "Likeness"]

#: Inputs on which silent failures are looked for: every tensor of both files is kept for each.
_WATCHED = 4
#: Signal to noise that is asked of float32; where there is less, double precision is asked.
EXACT_DB = 90.0


class Likeness:
    """Compare artefacts of one network with it.

    Args:
        subject: the network.
        exact: its float program.
        steps: keep the results.
        held_back: gives the inputs that calibration did not see.
        key: digest of what takes part in them.
    """

    def __init__(
        self,
        subject: Subject,
        exact: Lowered,
        steps: Steps,
        held_back: Callable[[], list[Bytes]],
        key: str,
    ) -> None:
        self._subject, self._exact, self._steps = subject, exact, steps
        self._held_back, self._key = held_back, key

    def made(self, artefact: Lowered, ms: float, precision: str) -> Made:
        """Return what there is to say about an artefact.

        Args:
            artefact: of the network.
            ms: of one run.
            precision: as the row calls it.

        Raises:
            UnavailableError: a runtime is not installed.
        """
        ops, label = _operators(artefact)
        name = f"{artefact.format}-{precision}"
        key = digest(artefact.content, self._exact.content, self._key)
        code = digest_code(
            "export/inspection/silent/*.py",
            "export/inspection/probe/*.py",
            "benchmarks/anatomy/*.py",
        )
        near = self._steps.cached(f"sqnr-{name}", key, lambda: self._sqnr(artefact))
        double = b"[]"
        short = artefact.precision == "fp32" and min(json.loads(near)) < EXACT_DB
        if short and self._subject.double is not None:
            double = self._steps.cached(f"double-{name}", key, lambda: self._double(artefact))
        found = self._steps.cached(
            f"silent-{name}", digest(key, code), lambda: self._findings(artefact)
        )
        return Made(
            format=artefact.format,
            precision=precision,
            size=len(artefact.content),
            label=label,
            sqnr_db=tuple(json.loads(near)),
            ms=ms,
            transposes=ops["TRANSPOSE"] + ops["Transpose"],
            quantizes=sum(ops[op] for op in ("QUANTIZE", "DEQUANTIZE", "QuantizeLinear")),
            findings=tuple(json.loads(found)),
            double_db=tuple(json.loads(double)),
        )

    def _sqnr(self, artefact: Lowered) -> bytes:
        """Return the signal to noise of each output, all held-back inputs together."""
        with open_artefact(artefact, self._subject.pictures) as ours:
            decibels = self._compare(self._subject.original(), ours)
        return json.dumps(decibels).encode()

    def _double(self, artefact: Lowered) -> bytes:
        """Compare the original and the artefact, both in float32, with double precision."""
        assert self._subject.double is not None, "there is one, or this is not asked"
        exact = self._subject.double()
        with open_artefact(artefact, self._subject.pictures) as ours:
            found = [min(self._compare(exact, run)) for run in (self._subject.original(), ours)]
        return json.dumps(found).encode()

    def _compare(self, wanted: Run, given: Run) -> list[float]:
        """Return the signal to noise of each output, all held-back inputs together."""
        rows = [
            list(zip(wanted(inputs), given(inputs), strict=True))
            for inputs in self._real(self._held_back())
        ]
        return [
            round(sqnr_db(np.stack([a for a, _ in column]),
                          np.stack([b.reshape(a.shape) for a, b in column])), 1)
            for column in zip(*rows, strict=True)
        ]  # fmt: skip

    def _findings(self, artefact: Lowered) -> bytes:
        samples = self._real(self._held_back()[:_WATCHED])
        found = silent(self._exact.content, artefact.content, samples, where=artefact.where)
        return json.dumps([str(finding) for finding in found]).encode()

    def _real(self, inputs: list[Bytes]) -> list[Arrays]:
        return [real_values(self._exact.contract.inputs, sample) for sample in inputs]


def _operators(artefact: Lowered) -> tuple[Counter[str], str]:
    """Count a file's operators, and say what it may be called."""
    if artefact.format == "tflite":
        nodes = read_graph(artefact.content, where=artefact.where).nodes
        label = audit(artefact.content, where=artefact.where).label
        return Counter(node.op for node in nodes), label
    import onnx

    graph = onnx.load_from_string(artefact.content).graph
    label = audit_onnx(artefact.content, where=artefact.where).label
    return Counter(node.op_type for node in graph.node), label
