"""What the generations of TensorRT want to be told when a network is built."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Generation", "generation_of"]

_ALWAYS_STRONG = 11


@dataclass(frozen=True, slots=True)
class Generation:
    """How precision and batch are told; NVIDIA, "Migrating from TensorRT 10.x to 11.x".

    Attributes:
        explicit_batch: the network flag of this name is there: TensorRT 8 demands it, 10 ignores
            it, 11 has none.
        precision_flags: the builder takes what the graph says only if flags allow it. From 10.12
            on these flags are deprecated, in 11 they are gone.
        strongly_typed: the network flag of this name makes the builder take the graph's types as
            they are. It is there from 10.0 on; in 11 there is nothing else.
    """

    explicit_batch: bool
    precision_flags: bool
    strongly_typed: bool


def generation_of(version: str) -> Generation:
    """Return the generation of a release.

    Args:
        version: such as ``10.3.0``, from 8.5 on.
    """
    numbers = re.findall(r"\d+", version)
    release = int(numbers[0]), int(numbers[1])
    flags = release < (10, 12)
    return Generation(
        explicit_batch=release[0] < _ALWAYS_STRONG,
        precision_flags=flags,
        strongly_typed=not flags and release[0] < _ALWAYS_STRONG,
    )
