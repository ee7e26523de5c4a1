"""Which operators, opsets and types each release reads.

After the tables of onnx-tensorrt: docs/operators.md of the branches release/8.5-GA and 10.15-GA
("Supported ONNX Operators"), and docs/Changelog.md for what came between. An operator of the later
table whose release the changelog does not name counts from 10.15 on, and so does the opset: better
a warning too many than an operator that is missing on the board.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from export.onnx_writer.view import Call, View
from export.toolchains.rules.finding import Fault, Release, Rule

__all__ = ["SUPPORT", "first_release", "spelled"]

_TABLE = "onnx-tensorrt, docs/operators.md"
_OLDEST: Release = (8, 5)
_NEWEST: Release = (11, 99)
#: The last opset, from this release on.
_OPSETS: Mapping[Release, int] = {(8, 5): 17, (10, 0): 20, (10, 15): 24}
_FIRST_OPSET = 9
#: Read by 8.5.
_EARLY = frozenset(
    "Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization "
    "Cast Ceil Celu Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum "
    "DepthToSpace DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten "
    "Floor Gather GatherElements GatherND Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool "
    "Greater GreaterOrEqual GridSample GRU HardSigmoid HardSwish Identity If ImageScaler "
    "InstanceNormalization IsNaN LRN LSTM LeakyRelu Less LessOrEqual Log LogSoftmax Loop "
    "LpNormalization LpPool MatMul Max MaxPool Mean MeanVarianceNormalization Min Mod Mul Neg "
    "NonMaxSuppression NonZero Not OneHot Or PRelu Pad ParametricSoftplus Pow QuantizeLinear RNN "
    "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range Reciprocal ReduceL1 "
    "ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "ReduceSumSquare Relu Reshape Resize ReverseSequence RoiAlign Round ScaledTanh Scan Scatter "
    "ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus "
    "Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose "
    "Trilu Unsqueeze Upsample Where Xor".split()
)
#: Read from this release on.
_LATER: Mapping[str, Release] = {
    **dict.fromkeys(("GroupNormalization", "IsInf", "LayerNormalization"), (8, 6)),
    "Hardmax": (9, 2),
    "DeformConv": (10, 1),
    **dict.fromkeys(("BlackmanWindow", "HammingWindow", "HannWindow"), (10, 4)),
    "STFT": (10, 5),
    "Attention": (10, 14),
    **dict.fromkeys(("CastLike", "Gelu", "Mish", "RMSNormalization", "RotaryEmbedding"), (10, 15)),
}
#: Inputs that have to be constants, until the release that reads others.
_CONSTANTS: Mapping[str, tuple[int, Release]] = {
    "Slice": (3, (10, 3)),
    "Pad": (3, (10, 4)),
    "Squeeze": (1, (10, 7)),
    "Unsqueeze": (1, (10, 7)),
    **{f"Reduce{kind}": (1, _NEWEST) for kind in
       ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")},
}  # fmt: skip
_RESIZES = (b"align_corners", b"asymmetric", b"half_pixel", b"pytorch_half_pixel",
            b"tf_half_pixel_for_nn")  # fmt: skip
_POOLS = ("AveragePool", "MaxPool")
_DTYPES = ("bool", "float16", "float32", "int32", "int64", "int8")


def spelled(release: Release) -> str:
    """Return a release as people write it."""
    return ".".join(map(str, release))


def first_release(view: View) -> str | None:
    """Return the first release that reads all of a file; None if none is known to."""
    later = set(_LATER.values()) | {when for _, when in _CONSTANTS.values()}
    for release in sorted({*_OPSETS, *later} - {_NEWEST}):
        if not any(list(rule.check(view, release)) for rule in SUPPORT.values()):
            return spelled(release)
    return None


def _operator(view: View, release: Release) -> Iterator[Fault]:
    for call in view.calls:
        since = _OLDEST if call.op in _EARLY else _LATER.get(call.op)
        if call.domain not in ("", "ai.onnx") or since is None:
            yield call, f"{call.op} is not read by TensorRT's parser"
        elif release < since:
            yield call, f"{call.op} is read from TensorRT {spelled(since)} on"
        elif problem := _restriction(view, call, release):
            yield call, problem


def _restriction(view: View, call: Call, release: Release) -> str:
    """Return what of an operator is not read, empty if all is."""
    place, since = _CONSTANTS.get(call.op, (0, _OLDEST))
    name = call.input(place) if release < since else ""
    if name and view.constant(name) is None:
        return f"{call.op} with a computed input {place} is not read"
    if call.op == "Resize":
        return _resize(call)
    if call.op in _POOLS:
        if len(call.attribute("kernel_shape", (1, 1))) not in (2, 3):
            return f"{call.op} is read in 2 or 3 dimensions"
        if any(step != 1 for step in call.attribute("dilations", ())):
            return f"{call.op} with dilations is not read"
        if len(call.outputs) > 1 and call.outputs[1]:
            return "the indices of MaxPool are not read"
    return ""


def _resize(call: Call) -> str:
    mode = call.attribute("mode", b"nearest")
    where = call.attribute("coordinate_transformation_mode", b"half_pixel")
    if mode not in (b"nearest", b"linear"):
        return f"Resize of mode {_spoken(mode)} is not read"
    if where not in _RESIZES:
        return f"Resize with coordinates {_spoken(where)} is not read"
    kept = call.attribute("keep_aspect_ratio_policy", b"stretch") != b"stretch"
    if call.attribute("antialias", 0) or kept:
        return "Resize with antialiasing or a kept aspect is not read"
    return ""


def _spoken(text: bytes) -> str:
    return text.decode("utf-8", "replace")[:40]


def _opset(view: View, release: Release) -> Iterator[Fault]:
    last = max(opset for since, opset in _OPSETS.items() if since <= release)
    if not _FIRST_OPSET <= view.opset <= last:
        said = f"TensorRT {spelled(release)} reads {_FIRST_OPSET} to {last}"
        yield view.calls[0], f"opset {view.opset}; {said}"


def _shape(view: View, release: Release) -> Iterator[Fault]:
    """Sizes are fixed: nobody here gives the builder a profile of others."""
    for name in sorted(view.inputs):
        if any(size <= 0 for size in view.shape(name)):
            for call in view.readers(name)[:1]:
                yield call, f"the input {name} has a size that is not fixed"


def _dtype(view: View, release: Release) -> Iterator[Fault]:
    for call in view.calls:
        for name in call.inputs:
            kind = view.dtype(name) if name else ""
            ends = (*_DTYPES, "uint8") if name in view.inputs else _DTYPES
            # Numbers of a pair have rules of their own.
            if kind and kind not in ends and call.op not in ("QuantizeLinear", "DequantizeLinear"):
                yield call, f"{name} is {kind}, which is not read"


SUPPORT: Mapping[str, Rule] = {
    "operator": Rule(_operator, _TABLE),
    "opset": Rule(_opset, _TABLE),
    "shape": Rule(_shape, "TensorRT developer guide, Working with Dynamic Shapes"),
    "dtype": Rule(_dtype, f"{_TABLE}, data types"),
}
