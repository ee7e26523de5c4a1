"""Stages that are run for a frame, each adding its time to the frame's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.frames import Frame
from edge.results import Detection, StageTime
from edge.stages.base import Stage
from edge.stages.identify import IdentifyStage

__all__ = ["Routes", "Spent", "answers", "asked", "embedded", "timed"]

#: The time of each stage in one frame; whoever runs one adds to it.
Spent = dict[str, StageTime]
#: Who embeds which faces, by their places among all.
Routes = dict[IdentifyStage, list[int]]
_Value = TypeVar("_Value")


def timed(
    name: str,
    stage: Stage[_Value],
    frame: Frame,
    faces: Sequence[Detection | None],
    spent: Spent,
) -> list[_Value]:
    """Run a stage and add its time."""
    stage.ready(frame, faces)
    return answers(name, stage, spent)


def answers(name: str, stage: Stage[_Value], spent: Spent) -> list[_Value]:
    """Run a stage that was made ready, and add its time."""
    values = stage.answer()
    spent[name] += stage.time
    return values


def asked(
    name: str, stage: Stage[_Value] | None, frame: Frame, faces: Sequence[Detection], spent: Spent
) -> Sequence[_Value | None]:
    """Run a stage, if there is one and anybody for it, and add its time."""
    if stage is None or not faces:
        return [None] * len(faces)
    return timed(name, stage, frame, faces, spent)


def embedded(routes: Routes, spent: Spent) -> dict[int, NDArray[np.float32]]:
    """Run the stages that were made ready; return the embeddings by the faces' places."""
    return {
        i: embedding
        for stage, places in routes.items()
        for i, embedding in zip(places, answers("identify", stage, spent), strict=True)
    }
