"""What the tensors of a network mean: the only source of truth for sizes and scales.

Export writes a contract from a card, the device reads it. Nothing else in the project knows the
size of a network's input.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.check import Check
from edge.errors import BundleError

__all__ = ["CROPS", "MEANINGS", "TASKS", "Contract", "Crop", "TensorSpec"]

#: Tasks a stage exists for; a bundle has at most one network for each. Whatever judges a person,
#: ``emotion`` and ``gender``, may be left out of a bundle, and so may ``landmarks``.
TASKS = (
    *("detect", "mask", "map", "edit", "identity", "identity-masked"),
    *("emotion", "gender", "landmarks"),
)
#: How the input lies in the frame: the whole of it, around the box, or aligned by five points.
CROPS = ("frame", "box", "points")
#: What a tensor can mean. ``scores``, ``boxes`` and ``points5`` carry a stride; ``points68`` are
#: the landmarks of one face, see ``stages.landmarks``.
MEANINGS = ("image", "map", "scores", "boxes", "points5", "points68", "logits", "embedding")

_DTYPES = ("int8", "uint8", "float32")
_MAX_ELEMENTS = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Crop:
    """Where the input lies in the frame.

    Attributes:
        kind: one of ``CROPS``.
        scale: for ``box`` the side against the box's longer side; for ``points`` the size of the
            face against the 112-pixel ArcFace template.
        shift_y: for ``points``, how far the face is moved down, as a share of the side.
        replicate: beyond the frame repeat its border (else black).
    """

    kind: str
    scale: float = 1.0
    shift_y: float = 0.0
    replicate: bool = False


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor of a network, in the order of the network's own signature.

    Attributes:
        name: in the artefact's signature.
        meaning: one of ``MEANINGS``.
        shape: with the batch first; NHWC for pictures.
        dtype: ``int8``, ``uint8`` or ``float32``.
        scale, zero_point: real value = ``(stored - zero_point) * scale``; a float tensor has 1, 0.
        colour: ``BGR``, ``RGB`` or ``GREY`` for a picture, else empty.
        stride: pixels a cell of a detector's grid, else 0.
        mean, std: of an input that takes bytes: its real value is ``(byte - mean) / std``.
    """

    name: str
    meaning: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 1.0
    zero_point: int = 0
    colour: str = ""
    stride: int = 0
    mean: float = 128.0
    std: float = 128.0

    def to_real(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Turn stored numbers into real values: float32 of the same shape, in new memory."""
        real: NDArray[np.float32] = stored.astype(np.float32)
        if self.dtype != "float32":
            real -= np.float32(self.zero_point)
            real *= np.float32(self.scale)
        return real

    def codes(self) -> NDArray[Any]:
        """Return all 256 numbers that an 8-bit tensor can store, in the order of their bytes."""
        return np.arange(256, dtype=np.uint8).view(self.dtype)

    def least_stored(self, real: float) -> float:
        """Return the least stored number whose real value is at least ``real``.

        Comparing what is stored with it decides as comparing real values does. Whole for 8 bits,
        so that NumPy compares bytes with a byte; infinite where no number is that large.
        """
        if self.dtype == "float32":
            return float(np.float32(real))
        codes = self.codes()
        reached = codes[self.to_real(codes) >= np.float32(real)]
        return int(reached.min()) if len(reached) else math.inf


@dataclass(frozen=True, slots=True)
class Contract:
    """The meaning of one network.

    Attributes:
        network: name of the recipe that made it.
        task: one of ``TASKS``.
        crop: where its picture lies in the frame.
        inputs, outputs: in the order of the network's signature.
        labels: of the ``logits``, in their order.
        revision: of the embedding space; two embeddings compare only within one revision.
        threshold: of the task: detection score, map value, or the cosine of a match.
        temperature: logits are divided by it before the softmax (Guo et al. 2017).
    """

    network: str
    task: str
    crop: Crop
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    labels: tuple[str, ...] = ()
    revision: str = ""
    threshold: float = 0.5
    temperature: float = 1.0

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the picture that goes in."""
        _, height, width, _ = self.inputs[0].shape
        return height, width

    def output(self, meaning: str, *, stride: int = 0) -> int:
        """Return the position of the output with this meaning (and stride).

        Raises:
            BundleError: there is none.
        """
        for position, spec in enumerate(self.outputs):
            if spec.meaning == meaning and spec.stride == stride:
                return position
        raise BundleError(
            f"contract of {self.network}: no output means {meaning!r} at stride {stride}",
            code="contract.output",
        )

    def to_json(self) -> dict[str, object]:
        """Return plain lists, numbers and strings."""
        table: dict[str, object] = json.loads(json.dumps(asdict(self)))
        return table

    @classmethod
    def from_json(cls, raw: object, *, where: str) -> Contract:
        """Check and build a contract from parsed JSON.

        Args:
            raw: what ``json.loads`` gave; untrusted.
            where: file and key, for messages.

        Raises:
            BundleError: a key is missing, unknown, or has a value that cannot be.
        """
        check = Check(where)
        fields = check.table(raw, cls)
        outputs = _tensors(check, fields["outputs"], "outputs")
        meanings = {spec.meaning for spec in outputs}
        contract = cls(
            network=check.text(fields, "network"),
            task=check.one_of(fields, "task", TASKS),
            crop=_crop(check, fields["crop"]),
            inputs=_tensors(check, fields["inputs"], "inputs"),
            outputs=outputs,
            labels=tuple(
                check.text({"labels": label}, "labels")
                for label in check.items(fields["labels"], "labels", 0, 1000)
            ),
            revision=check.text(fields, "revision", empty="embedding" not in meanings),
            threshold=check.number(fields, "threshold", -1.0, 1.0),
            temperature=check.number(fields, "temperature", 0.01, 100.0),
        )
        _check_picture(check, contract)
        return contract


def _crop(check: Check, raw: object) -> Crop:
    fields = check.table(raw, Crop)
    return Crop(
        kind=check.one_of(fields, "kind", CROPS),
        scale=check.number(fields, "scale", 0.1, 10.0),
        shift_y=check.number(fields, "shift_y", -1.0, 1.0),
        replicate=check.truth(fields, "replicate"),
    )


def _tensors(check: Check, raw: object, key: str) -> tuple[TensorSpec, ...]:
    return tuple(_tensor(check, item, key) for item in check.items(raw, key, 1, 64))


def _tensor(check: Check, raw: object, key: str) -> TensorSpec:
    fields = check.table(raw, TensorSpec)
    shape = [
        check.integer({f"{key}.shape": n}, f"{key}.shape", 1, _MAX_ELEMENTS)
        for n in check.items(fields["shape"], f"{key}.shape", 1, 6)
    ]
    if math.prod(shape) > _MAX_ELEMENTS:
        check.fail(f"{key}.shape", f"{shape} is more than {_MAX_ELEMENTS} numbers")
    spec = TensorSpec(
        name=check.text(fields, "name"),
        meaning=check.one_of(fields, "meaning", MEANINGS),
        shape=tuple(shape),
        dtype=check.one_of(fields, "dtype", _DTYPES),
        scale=check.number(fields, "scale", 1e-12, 1e12),
        zero_point=check.integer(fields, "zero_point", -128, 255),
        colour=check.one_of(fields, "colour", ("", "BGR", "RGB", "GREY")),
        stride=check.integer(fields, "stride", 0, 1024),
        mean=check.number(fields, "mean", 0.0, 255.0),
        std=check.number(fields, "std", 1e-3, 1e6),
    )
    low, high = {"int8": (-128, 127), "uint8": (0, 255)}.get(spec.dtype, (0, 0))
    if not low <= spec.zero_point <= high:
        check.fail(f"{key}.{spec.name}", f"zero_point {spec.zero_point} is no {spec.dtype}")
    if spec.dtype == "float32" and spec.scale != 1.0:
        check.fail(f"{key}.{spec.name}", "a float32 tensor has scale 1")
    return spec


def _check_picture(check: Check, contract: Contract) -> None:
    """Refuse inputs that raw bytes of a crop cannot fill."""
    spec = contract.inputs[0]
    channels = {"BGR": 3, "RGB": 3, "GREY": 1}.get(spec.colour, 0)
    if len(spec.shape) != 4 or spec.shape[0] != 1 or spec.shape[3] != channels:
        check.fail("inputs", "the first must be a picture [1, H, W, C] with its colour")
    if contract.crop.kind != "frame" and spec.shape[1] != spec.shape[2]:
        check.fail("inputs", f"a crop of kind {contract.crop.kind!r} is square")
    for spec in contract.inputs:
        # Raw bytes go in, so a step is a byte; the zero point is whole and the mean may not be.
        byte_zero = {"int8": spec.zero_point + 128, "uint8": spec.zero_point}.get(spec.dtype)
        if byte_zero is not None and (
            abs(spec.scale * spec.std - 1) > 1e-4 or abs(byte_zero - spec.mean) > 0.501
        ):
            check.fail(
                spec.name,
                f"scale {spec.scale:g} and zero_point {spec.zero_point} are not those of bytes "
                f"with mean {spec.mean:g} and std {spec.std:g}",
            )
