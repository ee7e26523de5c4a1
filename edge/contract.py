"""What the tensors of a network mean: the only source of truth for sizes and scales.

Export writes a contract from a card, the device reads it. Nothing else in the project knows the
size of a network's input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError

__all__ = ["CROPS", "MEANINGS", "TASKS", "Contract", "Crop", "TensorSpec"]

#: Tasks a stage exists for; a bundle has at most one network for each.
TASKS = ("detect", "mask", "map", "edit", "identity", "identity-masked", "emotion")
#: How the input lies in the frame: the whole of it, around the box, or aligned by five points.
CROPS = ("frame", "box", "points")
#: What a tensor can mean. ``scores``, ``boxes`` and ``points5`` carry a stride.
MEANINGS = ("image", "map", "scores", "boxes", "points5", "logits", "embedding")

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
    """

    name: str
    meaning: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 1.0
    zero_point: int = 0
    colour: str = ""
    stride: int = 0

    def to_real(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Turn stored numbers into real values, float32 of the same shape."""
        if self.dtype == "float32":
            return stored.astype(np.float32, copy=False)
        return (stored.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)


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
        return asdict(self)

    @classmethod
    def from_json(cls, raw: object, *, where: str) -> Contract:
        """Check and build a contract from parsed JSON.

        Args:
            raw: what ``json.loads`` gave; untrusted.
            where: file and key, for messages.

        Raises:
            BundleError: a key is missing, unknown, or has a value that cannot be.
        """
        check = _Check(where)
        fields = check.table(raw, cls)
        contract = cls(
            network=check.text(fields, "network"),
            task=check.one_of(fields, "task", TASKS),
            crop=_crop(check, fields.get("crop")),
            inputs=_tensors(check, fields.get("inputs"), "inputs"),
            outputs=_tensors(check, fields.get("outputs"), "outputs"),
            labels=tuple(check.texts(fields, "labels")),
            revision=check.text(fields, "revision", empty=True),
            threshold=check.number(fields, "threshold", -1.0, 1.0),
            temperature=check.number(fields, "temperature", 0.01, 100.0),
        )
        if len(contract.inputs[0].shape) != 4:
            check.fail("inputs", "the first input must be [N, H, W, C]")
        return contract


def _crop(check: _Check, raw: object) -> Crop:
    fields = check.table(raw, Crop)
    return Crop(
        kind=check.one_of(fields, "kind", CROPS),
        scale=check.number(fields, "scale", 0.1, 10.0),
        shift_y=check.number(fields, "shift_y", -1.0, 1.0),
        replicate=bool(fields.get("replicate", False)),
    )


def _tensors(check: _Check, raw: object, key: str) -> tuple[TensorSpec, ...]:
    if not isinstance(raw, list) or not 1 <= len(raw) <= 64:
        check.fail(key, "must be a list of 1 to 64 tensors")
    specs = []
    for item in raw:
        fields = check.table(item, TensorSpec)
        shape = fields.get("shape")
        if (
            not isinstance(shape, list)
            or not 1 <= len(shape) <= 6
            or not all(type(n) is int and 1 <= n <= _MAX_ELEMENTS for n in shape)
            or int(np.prod(shape, dtype=object)) > _MAX_ELEMENTS
        ):
            check.fail(f"{key}.shape", f"{shape!r} is no shape")
        specs.append(
            TensorSpec(
                name=check.text(fields, "name"),
                meaning=check.one_of(fields, "meaning", MEANINGS),
                shape=tuple(shape),
                dtype=check.one_of(fields, "dtype", _DTYPES),
                scale=check.number(fields, "scale", 1e-12, 1e12),
                zero_point=int(check.number(fields, "zero_point", -128, 255)),
                colour=check.one_of(fields, "colour", ("", "BGR", "RGB", "GREY")),
                stride=int(check.number(fields, "stride", 0, 1024)),
            )
        )
    return tuple(specs)


class _Check:
    """Read untrusted values; every refusal names the place."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, key: str, problem: str) -> Any:
        raise BundleError(
            f"{self.where}: {key}: {problem}",
            hint="make the bundle again with: edge-export make --out BUNDLE",
            code="contract.value",
        )

    def table(self, raw: object, kind: type) -> Mapping[str, Any]:
        known = tuple(kind.__dataclass_fields__)
        if not isinstance(raw, dict):
            self.fail(kind.__name__, "must be a table")
        table: Mapping[str, Any] = raw  # type: ignore[assignment]
        for key in table:
            if key not in known:
                self.fail(str(key), f"unknown; {kind.__name__} has {', '.join(known)}")
        for name, info in kind.__dataclass_fields__.items():
            if name not in table and not _has_default(info):
                self.fail(name, "is missing")
        defaults = {n: f.default for n, f in kind.__dataclass_fields__.items() if _has_default(f)}
        return {**defaults, **table}

    def text(self, fields: Mapping[str, Any], key: str, *, empty: bool = False) -> str:
        value = fields[key]
        if not isinstance(value, str) or len(value) > 200 or (not value and not empty):
            self.fail(key, f"{value!r} is no name")
        return str(value)

    def texts(self, fields: Mapping[str, Any], key: str) -> list[str]:
        value = fields[key]
        if not isinstance(value, (list, tuple)) or len(value) > 1000:
            self.fail(key, "must be a list of names")
        return [self.text({key: item}, key) for item in value]

    def one_of(self, fields: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> str:
        value = fields[key]
        if value not in allowed:
            self.fail(key, f"{value!r} is none of {', '.join(map(repr, allowed))}")
        return str(value)

    def number(self, fields: Mapping[str, Any], key: str, low: float, high: float) -> float:
        value = fields[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            self.fail(key, f"{value!r} is not between {low:g} and {high:g}")
        return float(value)


def _has_default(info: Any) -> bool:
    from dataclasses import MISSING

    return info.default is not MISSING
