"""The operators that the importer understands; whatever is not here is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["OPERATORS", "OPSETS", "Operator"]

#: Versions of the operator set that are read. What is understood is what an operator means in the
#: version that the file names; files older than 11 still are in use and differ in a few operators.
OPSETS = range(9, 22)

#: Inputs of an operator that takes any number.
_MANY = 4096


@dataclass(frozen=True, slots=True)
class Operator:
    """One row of the table.

    Attributes:
        name: in ONNX's own domain.
        inputs: the least and the greatest number of inputs.
        attributes: those that are understood; a node with another one is refused.
        constant: positions of inputs that must be known when the file is read.
        outputs: how many results may be read; 0 is any number.
        folds: understood only where the result is known when the file is read.
        limits: what is refused, in a few words.
    """

    name: str
    inputs: tuple[int, int]
    attributes: frozenset[str] = frozenset()
    constant: tuple[int, ...] = ()
    outputs: int = 1
    folds: bool = False
    limits: str = ""


def _row(
    names: str,
    inputs: tuple[int, int],
    attributes: str = "",
    *,
    constant: tuple[int, ...] = (),
    outputs: int = 1,
    folds: bool = False,
    limits: str = "",
) -> list[Operator]:
    known = frozenset(attributes.split())
    return [
        Operator(name, inputs, known, constant, outputs, folds, limits) for name in names.split()
    ]


_CONVOLUTION = "auto_pad dilations group kernel_shape pads strides"
_REDUCTION = "axes keepdims noop_with_empty_axes"

_ROWS = [
    *_row("Conv", (2, 3), _CONVOLUTION, constant=(1, 2), limits="1-D or 2-D"),
    *_row(
        "ConvTranspose", (2, 3), f"{_CONVOLUTION} output_padding output_shape",
        constant=(1, 2), limits="2-D",
    ),
    *_row(
        "BatchNormalization", (5, 5), "epsilon momentum training_mode",
        constant=(1, 2, 3, 4), limits="inference",
    ),
    *_row("InstanceNormalization", (3, 3), "epsilon", constant=(1, 2)),
    *_row("LayerNormalization", (2, 3), "axis epsilon stash_type", constant=(1, 2)),
    *_row("LpNormalization", (1, 1), "axis p"),
    *_row("GroupNormalization", (3, 3), "epsilon num_groups stash_type", constant=(1, 2)),
    *_row("LRN", (1, 1), "alpha beta bias size", limits="2-D"),
    *_row("Relu Sigmoid Tanh Softplus Softsign Mish Erf HardSwish", (1, 1)),
    *_row("Clip", (1, 3), "max min", constant=(1, 2)),
    *_row("PRelu", (2, 2), constant=(1,)),
    *_row("LeakyRelu Elu Celu ThresholdedRelu", (1, 1), "alpha"),
    *_row("Selu", (1, 1), "alpha gamma"),
    *_row("HardSigmoid", (1, 1), "alpha beta"),
    *_row("Gelu", (1, 1), "approximate"),
    *_row("Softmax LogSoftmax", (1, 1), "axis"),
    *_row("Add Sub Mul Div Pow", (2, 2)),
    *_row("Min Max Sum Mean", (1, _MANY)),
    *_row("Neg Abs Exp Log Sin Cos Sqrt Reciprocal", (1, 1)),
    *_row("MatMul", (2, 2)),
    *_row("Gemm", (2, 3), "alpha beta transA transB"),
    *_row(
        "MaxPool", (1, 1),
        "auto_pad ceil_mode dilations kernel_shape pads storage_order strides",
        limits="1-D or 2-D, dilations 1, no indices",
    ),
    *_row(
        "AveragePool", (1, 1),
        "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides",
        limits="1-D or 2-D, dilations 1",
    ),
    *_row("GlobalAveragePool GlobalMaxPool", (1, 1)),
    *_row(
        "Resize", (1, 4),
        "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside "
        "extrapolation_value keep_aspect_ratio_policy mode nearest_mode",
        constant=(1, 2, 3),
        limits="height and width; nearest, linear, cubic; not antialias, exclude_outside, "
        "tf_crop_and_resize",
    ),
    *_row("Upsample", (2, 2), "mode", constant=(1,), limits="as Resize"),
    *_row(
        "Pad", (1, 4), "mode pads value", constant=(1, 2, 3), limits="constant, reflect, edge"
    ),
    *_row("Concat", (1, _MANY), "axis"),
    *_row("Split", (1, 2), "axis num_outputs split", constant=(1,), outputs=0),
    *_row("Slice", (1, 5), "axes ends starts", constant=(1, 2, 3, 4)),
    *_row("Gather", (2, 2), "axis", constant=(1,)),
    *_row("GatherND", (2, 2), "batch_dims", constant=(1,), limits="batch_dims 0"),
    *_row("Reshape", (2, 2), "allowzero", constant=(1,)),
    *_row("Flatten", (1, 1), "axis"),
    *_row("Squeeze Unsqueeze", (1, 2), "axes", constant=(1,)),
    *_row("Transpose", (1, 1), "perm"),
    *_row("Expand Tile", (2, 2), constant=(1,), limits="Tile: at most 256 times an axis"),
    *_row(
        "ReduceMean ReduceSum ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum "
        "ReduceLogSumExp",
        (1, 2), _REDUCTION, constant=(1,),
    ),
    *_row("DepthToSpace", (1, 1), "blocksize mode"),
    *_row("SpaceToDepth", (1, 1), "blocksize"),
    *_row("Identity", (1, 1)),
    *_row("Dropout", (1, 3), "ratio seed", constant=(1, 2), limits="inference, no mask"),
    *_row("Cast", (1, 1), "saturate to", limits="of what is not constant: to float or bool"),
    *_row("Where", (3, 3)),
    *_row("Equal Greater GreaterOrEqual Less LessOrEqual And Or Xor", (2, 2)),
    *_row("Not IsNaN", (1, 1)),
    *_row("Constant", (0, 0), "value value_float value_floats value_int value_ints", folds=True),
    *_row("ConstantOfShape", (1, 1), "value", constant=(0,), folds=True),
    *_row("Shape", (1, 1), "end start", folds=True),
    *_row("Size", (1, 1), folds=True),
    *_row("Range", (3, 3), constant=(0, 1, 2), folds=True),
    *_row("Ceil Floor Round Sign", (1, 1), folds=True),
    *_row("Mod", (2, 2), "fmod", folds=True),
    *_row("CumSum", (2, 2), "exclusive reverse", constant=(1,), folds=True),
    *_row("Trilu", (1, 2), "upper", constant=(1,), folds=True),
    *_row("ScatterND", (3, 3), "reduction", constant=(1,), folds=True),
    *_row("ReduceProd", (1, 2), _REDUCTION, constant=(1,), folds=True),
]  # fmt: skip

#: By name, in the order in which the documentation prints them.
OPERATORS: Mapping[str, Operator] = MappingProxyType({row.name: row for row in _ROWS})
