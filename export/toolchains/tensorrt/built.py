"""What building gave."""

from __future__ import annotations

from dataclasses import dataclass

from export.toolchains.tensorrt.layers import PlanLayer

__all__ = ["Built", "DlaShare"]


@dataclass(frozen=True, slots=True)
class DlaShare:
    """How much of a network the deep-learning accelerator takes, as the builder was asked.

    Attributes:
        layers: of TensorRT's network.
        fallen: names of those that the GPU computes instead.
    """

    layers: int
    fallen: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of the layers that fell back to the GPU, 0 to 1."""
        return len(self.fallen) / self.layers if self.layers else 0.0

    def to_json(self) -> dict[str, object]:
        """Return the figures."""
        return {
            "layers": self.layers,
            "fallen": list(self.fallen),
            "fallen_share": round(self.share, 4),
        }


@dataclass(frozen=True, slots=True)
class Built:
    """One engine.

    Attributes:
        plan: executable code for this GPU and this release alone.
        timing: the builder's timing cache, with what it measured now.
        layers: kernels, in the order of execution.
        dla: None where the GPU computes all of it.
        batch: faces that it takes at once.
        seconds: that it took.
        workspace_mib: that the builder could try kernels in.
        warnings: of TensorRT, a few.
    """

    plan: bytes
    timing: bytes
    layers: tuple[PlanLayer, ...]
    dla: DlaShare | None
    batch: int
    seconds: float
    workspace_mib: int
    warnings: tuple[str, ...]
