"""One stage a task: a crop goes in, a value comes out. No stage knows its engine."""

from __future__ import annotations

from edge.stages.detect import DetectStage
from edge.stages.emotion import EmotionStage
from edge.stages.gender import GenderStage
from edge.stages.identify import IdentifyStage
from edge.stages.landmarks import LandmarksStage
from edge.stages.mask import MaskStage
from edge.stages.reconstruct import ReconstructStage

__all__ = [
    "DetectStage",
    "EmotionStage",
    "GenderStage",
    "IdentifyStage",
    "LandmarksStage",
    "MaskStage",
    "ReconstructStage",
]
