"""The older systems' networks, rebuilt in PyTorch with random weights from their layer shapes.

What converts depends on the shapes and the operators, so random weights serve; they are scaled so
that every layer's output has unit variance (``scaled``), since a network whose activations vanish
or explode says nothing about INT8. All take channels last and compute channels first.
"""

from __future__ import annotations
