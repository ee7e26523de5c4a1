"""Run a TFLite file on the real runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["run"]


def run(
    content: bytes, samples: Sequence[tuple[NDArray[np.float32], ...]], *, plain: bool = False
) -> NDArray[Any]:
    """Return the real values of the first output for each sample; ``plain`` is without XNNPACK."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if plain else OpResolverType.AUTO
    interpreter = Interpreter(
        model_content=content, num_threads=1, experimental_op_resolver_type=kind
    )
    interpreter.allocate_tensors()
    out = interpreter.get_output_details()[0]
    rows = []
    for sample in samples:
        for detail, real in zip(interpreter.get_input_details(), sample, strict=True):
            interpreter.set_tensor(detail["index"], _stored(detail, real))
        interpreter.invoke()
        stored, (scale, zero) = interpreter.get_tensor(out["index"]), out["quantization"]
        real_out = stored.astype(np.float32)
        rows.append((real_out - zero) * scale if scale else real_out)
    return np.stack(rows)


def _stored(detail: dict[str, Any], real: NDArray[np.float32]) -> NDArray[Any]:
    scale, zero = detail["quantization"]
    if not scale:
        return real
    ends = np.iinfo(detail["dtype"])
    return np.clip(np.rint(real / scale + zero), ends.min, ends.max).astype(detail["dtype"])
