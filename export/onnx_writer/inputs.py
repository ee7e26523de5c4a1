"""Read from a Q/DQ file how its int8 inputs are stored."""

from __future__ import annotations

from export.onnx_writer.view import View
from export.quantisation.scales import Steps

__all__ = ["input_steps"]


def input_steps(content: bytes, *, where: str = "the ONNX file") -> dict[str, Steps]:
    """Return scale and zero point of each input that goes into a DequantizeLinear.

    ONNX says nowhere what an input's numbers mean, and TensorRT knows no zero points: where an
    input has one, ``write_onnx`` adds its real value behind the DequantizeLinear.

    Args:
        content: an ONNX file.
        where: its name, for messages.

    Returns:
        By the input's name; inputs of real numbers are left out.

    Raises:
        DataError: it is no ONNX file.
        UnavailableError: onnx is not installed.
    """
    view = View.read(content, where=where)
    found = {}
    for call in view.of("DequantizeLinear"):
        scale = view.constant(call.input(1))
        if call.input(0) not in view.inputs or scale is None or scale.size != 1:
            continue
        step = float(scale.reshape(-1)[0])
        found[call.input(0)] = step, round(-_shift(view, call.outputs[0]) / step)
    return found


def _shift(view: View, real: str) -> float:
    readers = view.readers(real)
    if len(readers) != 1 or readers[0].op != "Add" or readers[0].input(0) != real:
        return 0.0
    shift = view.constant(readers[0].input(1))
    return float(shift.reshape(-1)[0]) if shift is not None and shift.size == 1 else 0.0
