"""What an audit found, and what the file may be called by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from export.cards.names import clean, shorten

__all__ = ["Audit", "Operator"]

#: Precisions that are whole integers from input to output.
_INTEGER = ("int8", "uint8", "int16")
#: What a file without integer arithmetic is called, by its least exact precision.
_FLOAT_LABELS = {
    "dynamic": "dynamic range",
    "int8 weights": "weights-only int8",
    "float16 weights": "fp16 weights",
    "float16": "fp16",
    "float32": "fp32",
}
#: So many exceptions are spelled out in a label.
_SPELLED = 3
_WIDTH = 40


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of a file.

    Attributes:
        index: position in the order of execution.
        op: its name in the format's own words.
        name: of its first output tensor.
        role: ``computes``; ``moves`` values without changing them; ``converts`` between
            precisions; ``unpacks`` a stored constant; ``counts`` shapes and indices. Only those
            that compute decide what the file may be called.
        precision: ``int8``, ``uint8``, ``int16``, ``float32``, ``float16``; ``dynamic`` for int8
            weights and activations that are quantised while it runs; ``float16 weights`` and
            ``int8 weights`` for float arithmetic on constants that are stored small; ``int8 to
            float32`` and the like for what converts; ``integer`` for what counts; ``other``.
        reason: why it computes otherwise than in integers in a file where others do; else empty.
        leftover: it only carries values about (TRANSPOSE, QUANTIZE, ...), or no plain runtime
            has it (flex, custom).
    """

    index: int
    op: str
    name: str
    role: str
    precision: str
    reason: str = ""
    leftover: bool = False


@dataclass(frozen=True, slots=True)
class Audit:
    """What a file computes in.

    Attributes:
        where: the file's name.
        format: ``tflite`` or ``onnx``.
        inputs, outputs: dtypes of the network's own tensors.
        operators: all of them, in the order of execution.
        islands: groups of float operators in a file that computes in integers otherwise.
    """

    where: str
    format: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    operators: tuple[Operator, ...]
    islands: int = 0

    @property
    def counts(self) -> Mapping[str, int]:
        """How many computing operators are in which precision, the most frequent first."""
        found = Counter(o.precision for o in self.operators if o.role == "computes")
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))

    @property
    def integer(self) -> str:
        """The integer precision that most computing operators have; empty without one."""
        return next((p for p in self.counts if p in _INTEGER), "")

    @property
    def exceptions(self) -> tuple[Operator, ...]:
        """Computing operators outside the integers of a file that has some inside."""
        if not self.integer:
            return ()
        return tuple(
            o for o in self.operators if o.role == "computes" and o.precision != self.integer
        )

    @property
    def leftovers(self) -> tuple[Operator, ...]:
        """Operators that cost time and add nothing, and those that no plain runtime has."""
        return tuple(o for o in self.operators if o.leftover)

    @property
    def label(self) -> str:
        """What the file may be called.

        ``int8`` only if every computing operator is; else with the exceptions beside it, or what
        the file is in truth: ``weights-only int8``, ``dynamic range``, ``fp16 weights``, ``fp16``,
        ``fp32``.
        """
        counts = self.counts
        within, total = counts.get(self.integer, 0), sum(counts.values())
        if not within:
            return _float_label(counts)
        if within == total:
            edges = sorted({d for d in (*self.inputs, *self.outputs) if d.startswith("float")})
            return f"{self.integer}, {edges[0]} input or output" if edges else self.integer
        if 2 * within < total:
            return f"{_float_label(counts)}, {within} of {total} operators in {self.integer}"
        listed = [f"{clean(o.op)} {shorten(clean(o.name), _WIDTH)}" for o in self.exceptions]
        more = f" and {len(listed) - _SPELLED} more" if len(listed) > _SPELLED else ""
        return f"{self.integer} except {len(listed)}: {', '.join(listed[:_SPELLED])}{more}"

    def to_json(self) -> dict[str, Any]:
        """Return the findings; operators that are as they should be are only counted."""
        return {
            "label": self.label,
            "format": self.format,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "operators": len(self.operators),
            "computing": dict(self.counts),
            "exceptions": [asdict(o) for o in self.exceptions],
            "islands": self.islands,
            "leftovers": [asdict(o) for o in self.leftovers],
        }


def _float_label(counts: Mapping[str, int]) -> str:
    for precision, label in _FLOAT_LABELS.items():
        if counts.get(precision):
            return label
    return next(iter(counts), "nothing computes")
