"""Which operators compute in INT8 under TensorRT, and which values need a Q/DQ pair for that.

After NVIDIA's placement rules ("Q/DQ Layer-Placement Recommendations" in the TensorRT developer
guide):

- all inputs of convolutions and matrix products with constant weights, not their outputs: so a
  pair stands behind the activation, never between it and its convolution;
- an Add of two activations, if what it gives is wanted in INT8 again. TensorRT fuses it with the
  convolution right before it only if no pair stands between the two, and the fused operator gives
  INT8 only if the other input is INT8: so the shortcut has a pair, and the convolution's direct
  output none;
- pools, and operators that only pick numbers (Concat, nearest Resize, Slice, ...), if what they
  give is wanted in INT8: a pair on either side. The pickers and MaxPool have one scale throughout,
  so that both pairs vanish into an INT8 operator;
- Reshape and Transpose commute with a pair: it stands in front of them;
- everything else stays float.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from export.onnx_writer.values import Draft, Operator

__all__ = ["ACTIVATIONS", "SHUFFLES", "WEIGHTED", "Placement", "place"]

#: Computed in INT8 if their second input is a constant.
WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
#: Part of the operator before them, as TensorRT fuses it.
ACTIVATIONS = ("Clip", "Elu", "HardSigmoid", "LeakyRelu", "PRelu", "Relu", "Sigmoid", "Tanh")
#: Change neither the numbers nor, in INT8, their scale.
SHUFFLES = ("Reshape", "Transpose")
#: Activations behind which an operator that is not weighted still gives INT8.
_KEPT = ("Clip", "Relu")
#: Pick numbers; Resize and Pad only in some modes.
_PICKERS = (
    "Concat", "DepthToSpace", "Expand", "Gather", "MaxPool", "Pad", "Resize", "Slice",
    "SpaceToDepth", "Split", "Tile",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Placement:
    """Where Q/DQ goes.

    Attributes:
        weighted: operators whose weights are stored in INT8.
        targets: values that get a pair, in the order in which they are made.
        alike: sets of values that have one scale.
    """

    weighted: tuple[Operator, ...]
    targets: tuple[str, ...]
    alike: tuple[frozenset[str], ...]


def place(draft: Draft, keep_float: frozenset[str]) -> Placement:
    """Decide where Q/DQ goes.

    Args:
        draft: float, its int8 inputs already dequantised.
        keep_float: origins of operators that stay float.
    """
    return _Placer(draft, keep_float).run()


class _Placer:
    def __init__(self, draft: Draft, keep_float: frozenset[str]) -> None:
        self._draft, self._keep = draft, keep_float
        self._makers, self._readers = draft.makers(), draft.readers()
        self._order = {name: i for i, o in enumerate(draft.operators) for name in o.outputs}
        self._wanted: set[str] = set()

    def run(self) -> Placement:
        """Go from the outputs to the inputs: what an operator wants decides about those before."""
        chosen = []
        for operator in reversed(self._draft.operators):
            if self._in_int8(operator):
                chosen.append(operator)
                self._wanted.update(self._paired(operator))
            elif operator.op in (*SHUFFLES, *_KEPT) and operator.outputs[0] in self._wanted:
                self._wanted.add(operator.inputs[0])
        chosen.reverse()
        targets = {self._source(name) for operator in chosen for name in self._paired(operator)}
        alike = [
            frozenset([*map(self._source, self._data(operator)), *operator.outputs])
            for operator in chosen
            if operator.op in _PICKERS
        ]
        return Placement(
            tuple(operator for operator in chosen if operator.op in WEIGHTED),
            tuple(sorted(targets, key=lambda name: self._order.get(name, -1))),
            tuple(_joined(alike)),
        )

    def _in_int8(self, operator: Operator) -> bool:
        values = self._draft.values
        if operator.origin in self._keep:
            return False
        if operator.op in WEIGHTED:
            data, weight = (values[name] for name in operator.inputs[:2])
            return data.data is None and weight.data is not None and _is_real(weight.dtype)
        if not self._wanted.intersection(operator.outputs):
            return False
        inputs = [values[name] for name in self._data(operator)]
        if not all(value.data is None and _is_real(value.dtype) for value in inputs):
            return False
        if operator.op == "Add":
            return inputs[0].shape == inputs[1].shape
        return operator.op == "AveragePool" or self._picks(operator)

    def _picks(self, operator: Operator) -> bool:
        attributes = operator.attributes
        if operator.op == "Resize":
            return attributes["mode"] == "nearest"
        if operator.op == "Pad" and attributes["mode"] == "constant":
            # Only zero is the same number whatever the scale.
            filling = self._draft.values[operator.inputs[2]].data
            return filling is not None and not filling.any()
        return operator.op in _PICKERS

    def _data(self, operator: Operator) -> tuple[str, ...]:
        """Return the inputs that are numbers to compute with, without weights and settings."""
        if operator.op == "Concat":
            return operator.inputs
        return operator.inputs[:2] if operator.op == "Add" else operator.inputs[:1]

    def _paired(self, operator: Operator) -> tuple[str, ...]:
        """Return the inputs of an INT8 operator that need a pair."""
        data = self._data(operator)
        if operator.op != "Add":
            return data
        direct = [name for name in data if self._is_direct(name)]
        # Of two convolutions TensorRT can fuse one; the nearer has its sum at hand.
        fused = max(direct, key=lambda name: self._order[name], default="")
        return tuple(name for name in data if name != fused)

    def _is_direct(self, name: str) -> bool:
        maker = self._makers.get(name)
        return (
            maker is not None
            and maker.op == "Conv"
            and maker.origin not in self._keep
            and len(self._readers[name]) == 1
            and name not in self._draft.outputs
        )

    def _source(self, name: str) -> str:
        """Go back over shuffles to where a pair is put."""
        maker = self._makers.get(name)
        while maker is not None and maker.op in SHUFFLES:
            name = maker.inputs[0]
            maker = self._makers.get(name)
        return name


def _is_real(dtype: str) -> bool:
    return dtype in ("float32", "float16")


def _joined(groups: list[frozenset[str]]) -> Iterator[frozenset[str]]:
    """Join groups that share a member."""
    left = list(groups)
    while left:
        group = left.pop(0)
        touching = [other for other in left if group & other]
        if touching:
            left = [other for other in left if not group & other]
            left.insert(0, group.union(*touching))
        else:
            yield group
