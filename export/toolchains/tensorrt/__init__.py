"""Build TensorRT engines where they will run, and tell what became of every layer."""

from export.toolchains.tensorrt.build import Options, build
from export.toolchains.tensorrt.built import Built, DlaShare
from export.toolchains.tensorrt.layers import PlanLayer
from export.toolchains.tensorrt.memory import workspace_mib

__all__ = ["Built", "DlaShare", "Options", "PlanLayer", "build", "workspace_mib"]
