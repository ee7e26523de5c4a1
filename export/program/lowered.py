"""One artefact in memory: its bytes, what its tensors mean, and how inputs go into it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.graph import Quantisation, read_graph
from edge.contract import Contract, Crop, TensorSpec
from edge.engines.base import Engine
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.engines.tflite import TFLiteEngine
from edge.errors import ConfigError
from edge.stages.base import store_bytes
from export.cards.card import Card, TensorCard
from export.inspection.audit import Audit, audit, audit_onnx
from export.inspection.onnx_file import parse_onnx
from export.onnx_writer import input_steps
from export.quantisation.scales import Steps

__all__ = [
    "ENGINES",
    "FORMATS",
    "Lowered",
    "Sample",
    "contract_of",
    "feed",
    "random_inputs",
    "real_values",
    "run",
]

#: Precisions that each format is made in.
FORMATS = {"tflite": ("fp32", "fp16", "dynamic", "int8"), "onnx": ("fp32", "fp16", "int8")}
#: Engine of the device that runs a format; it is the one that proves it.
ENGINES = {"tflite": "tflite", "onnx": "onnxruntime"}
#: One input of a network each: bytes (uint8), or real values (float32).
Sample = tuple[NDArray[Any], ...]

_RANDOM_INPUTS = 16
_ONNX_DTYPES = {1: "float32", 3: "int8", 2: "uint8"}


@dataclass(frozen=True, slots=True)
class Lowered:
    """A file of one format and precision, and its contract.

    Attributes:
        name: of the network.
        format: ``tflite`` or ``onnx``.
        precision: one of ``FORMATS[format]``.
        content: the file.
        contract: what its tensors mean; of a bare file only their names, shapes and scales.
        keep_float: output tensors of the operators that were left in float on purpose.
    """

    name: str
    format: str
    precision: str
    content: bytes
    contract: Contract
    keep_float: frozenset[str] = frozenset()

    @property
    def where(self) -> str:
        """The artefact's name in messages."""
        return f"{self.name} ({self.format} {self.precision})"

    def told(self, pictures: tuple[TensorCard, ...]) -> Lowered:
        """Return the same bare file with what its inputs mean."""
        contract = contract_of(
            self.content, self.format, card=None, name=self.name, pictures=pictures
        )
        return replace(self, contract=contract)

    def audit(self) -> Audit:
        """Say what the file really computes in."""
        look = audit if self.format == "tflite" else audit_onnx
        return look(self.content, self.where, keep_float=self.keep_float)

    def open(self, threads: int = 1) -> Engine:
        """Open it in the engine that a device would run it in.

        Raises:
            BundleError: the engine does not take the file.
            UnavailableError: the engine is not installed.
        """
        kind = TFLiteEngine if self.format == "tflite" else OnnxRuntimeEngine
        return kind(self.content, self.contract, threads=threads, where=self.where)


def contract_of(
    content: bytes,
    format: str,
    *,
    card: Card | None,
    name: str,
    pictures: tuple[TensorCard, ...] = (),
) -> Contract:
    """Write the contract of an artefact: meanings from the card, numbers from the file.

    Args:
        content: the file.
        format: ``tflite`` or ``onnx``.
        card: what the tensors mean, in the order of the network's arguments and results; None for
            a bare file.
        name: of the network.
        pictures: of a bare file, what its inputs mean; nothing of them where it is empty.

    Raises:
        ConfigError: the file has other tensors than the card says.
        DataError: the file cannot be read.
    """
    tensors = _tflite_tensors(content, name) if format == "tflite" else _onnx_tensors(content, name)
    specs = []
    for key, found in zip(("inputs", "outputs"), tensors, strict=True):
        bare = pictures if key == "inputs" and pictures else (TensorCard("", ()),) * len(found)
        wanted = getattr(card, key) if card else bare
        shapes, said = [t.shape for t in found], [t.shape for t in wanted]
        if card and shapes != said:
            raise ConfigError(
                f"{card.folder / 'model.toml'}: contract.{key}: the card says "
                f"{[list(s) for s in said]} and the network has {[list(s) for s in shapes]}",
                code="card.shape",
            )
        specs.append(tuple(_spec(t, w) for t, w in zip(found, wanted, strict=True)))
    return Contract(
        network=name,
        task=card.task if card else "",
        crop=card.crop if card else Crop("frame"),
        inputs=specs[0],
        outputs=specs[1],
        labels=card.labels if card else (),
        revision=card.revision if card else "",
        threshold=card.threshold if card else 0.5,
        temperature=card.temperature if card else 1.0,
    )


def feed(specs: tuple[TensorSpec, ...], sample: Sample, engine: Engine) -> None:
    """Put one sample into an engine's inputs, bytes as a device would, real values rounded.

    Args:
        specs: of the engine's inputs.
        sample: one array an input.
        engine: its inputs are overwritten.
    """
    for spec, array, out in zip(specs, sample, engine.inputs, strict=True):
        if array.dtype == np.uint8:
            store_bytes(spec, array, out)
        elif spec.dtype == "float32":
            np.copyto(out, array.reshape(out.shape))
        else:
            ends = np.iinfo(spec.dtype)
            stored = np.rint(array.reshape(out.shape) / spec.scale) + spec.zero_point
            np.copyto(out, np.clip(stored, ends.min, ends.max), casting="unsafe")


def real_values(specs: tuple[TensorSpec, ...], sample: Sample) -> tuple[NDArray[np.float32], ...]:
    """Return what a float network reads for a sample: float32 in the specs' shapes."""
    values = []
    for spec, array in zip(specs, sample, strict=True):
        real = array.astype(np.float32)
        if array.dtype == np.uint8:
            real = (real - np.float32(spec.mean)) * np.float32(1 / spec.std)
        values.append(real.reshape(spec.shape))
    return tuple(values)


def run(lowered: Lowered, samples: list[Sample]) -> list[NDArray[np.float32]]:
    """Return the real values of each output over all samples, float32 ``[len(samples), ...]``."""
    contract, rows = lowered.contract, []
    with lowered.open() as engine:
        for sample in samples:
            feed(contract.inputs, sample, engine)
            engine.run()
            rows.append(
                [s.to_real(o).copy() for s, o in zip(contract.outputs, engine.outputs, strict=True)]
            )
    return [np.stack(column) for column in zip(*rows, strict=True)]


def random_inputs(exact: Lowered) -> list[Sample]:
    """Return inputs for a network that nobody gave pictures for: every byte is as likely."""
    rng = np.random.default_rng(0)
    specs = exact.contract.inputs
    return [
        tuple(rng.integers(0, 256, spec.shape).astype(np.uint8) for spec in specs)
        for _ in range(_RANDOM_INPUTS)
    ]


@dataclass(frozen=True, slots=True)
class _Found:
    """A tensor as the file has it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    steps: Steps | None


def _tflite_tensors(content: bytes, name: str) -> tuple[list[_Found], list[_Found]]:
    graph = read_graph(content, where=name)

    def found(pairs: tuple[tuple[str, int], ...]) -> list[_Found]:
        tensors = [(label, graph.tensors[index]) for label, index in pairs]
        return [_Found(label, t.shape, t.dtype, _steps(t.quantisation)) for label, t in tensors]

    return found(graph.inputs), found(graph.outputs)


def _steps(stored: Quantisation | None) -> Steps | None:
    return None if stored is None else (float(stored.scale[0]), int(stored.zero_point[0]))


def _onnx_tensors(content: bytes, name: str) -> tuple[list[_Found], list[_Found]]:
    graph = parse_onnx(content, where=name).graph
    steps = input_steps(content)

    def found(values: Any) -> list[_Found]:
        return [
            _Found(
                value.name,
                tuple(d.dim_value for d in value.type.tensor_type.shape.dim),
                _ONNX_DTYPES.get(value.type.tensor_type.elem_type, "other"),
                steps.get(value.name),
            )
            for value in values
        ]

    return found(graph.input), found(graph.output)


def _spec(found: _Found, card: TensorCard) -> TensorSpec:
    # More than one mean is an operator in the graph, and in front of it are our own bytes.
    mean, std = (card.mean[0], card.std[0]) if _folded(card) else (128.0, 128.0)
    scale, zero_point = found.steps or (1.0, 0)
    return TensorSpec(
        name=found.name,
        meaning=card.meaning,
        shape=found.shape,
        dtype=found.dtype,
        scale=scale,
        zero_point=zero_point,
        colour=card.colour,
        stride=card.stride,
        mean=mean,
        std=std,
    )


def _folded(card: TensorCard) -> bool:
    """Say whether bytes with this mean and scale need no operator."""
    return len(card.mean) == 1 and len(card.std) == 1
