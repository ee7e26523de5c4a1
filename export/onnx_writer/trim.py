"""Take out of a draft what nobody reads, and pads that a convolution can do itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from export.onnx_writer.values import Draft, Operator, Value

__all__ = ["trim"]


def trim(draft: Draft) -> Draft:
    """Return the draft without unread operators and without pads in front of convolutions."""
    return _without_unread(_without_pads(draft))


def _without_pads(draft: Draft) -> Draft:
    """Give pads of zeros to the convolutions that read them, where nothing else does."""
    readers = draft.readers()
    pads: dict[str, tuple[str, list[int]]] = {}
    operators = []
    for operator in draft.operators:
        target = operator.outputs[0]
        around = _zeros_around(operator, draft.values)
        only_convs = all(
            reader.op == "Conv" and target not in reader.inputs[1:]
            for reader in readers.get(target, [])
        )
        if around is not None and only_convs and target not in draft.outputs:
            pads[target] = (operator.inputs[0], around)
            continue
        if operator.op == "Conv" and operator.inputs[0] in pads:
            source, more = pads[operator.inputs[0]]
            own = operator.attributes["pads"]
            assert isinstance(own, list)
            operator = dataclasses.replace(
                operator,
                inputs=(source, *operator.inputs[1:]),
                attributes={
                    **operator.attributes,
                    "pads": [a + b for a, b in zip(own, more, strict=True)],
                },
            )
        operators.append(operator)
    return dataclasses.replace(draft, operators=tuple(operators))


def _zeros_around(operator: Operator, values: Mapping[str, Value]) -> list[int] | None:
    """Return the pixels above, left, below and right that a Pad adds; None if it does other."""
    if operator.op != "Pad" or operator.attributes.get("mode") != "constant":
        return None
    amounts, filling = (values[name].data for name in operator.inputs[1:3])
    if amounts is None or filling is None or filling.any() or amounts.size != 8:
        return None
    pads = [int(n) for n in amounts]
    return None if any(pads[i] for i in (0, 1, 4, 5)) else [*pads[2:4], *pads[6:8]]


def _without_unread(draft: Draft) -> Draft:
    wanted = set(draft.outputs)
    kept = []
    for operator in reversed(draft.operators):
        if wanted.intersection(operator.outputs):
            kept.append(operator)
            wanted.update(operator.inputs)
    used = wanted.union(draft.inputs, *(operator.outputs for operator in kept))
    return dataclasses.replace(
        draft,
        operators=tuple(reversed(kept)),
        values={name: value for name, value in draft.values.items() if name in used},
    )
