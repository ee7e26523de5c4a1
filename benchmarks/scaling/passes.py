"""How little a pipeline could take: its engines, and nothing else but passes over the picture.

A network's picture has to be cut from the frame, whoever writes the loop round it. What that costs
is told by a pipeline's own engines, once alone and once behind their crops, which OpenCV warps with
matrices that are known beforehand: no box is decoded, no matrix fitted, nothing painted.
"""

from __future__ import annotations

from edge.engines.base import Engine
from edge.errors import DataError
from edge.frames import Frame
from edge.pipeline import Pipeline, is_covered
from edge.stages.reconstruct import ReconstructStage

__all__ = ["Passes"]


class Passes:
    """The engines that one face goes through, and what fills them.

    Args:
        pipeline: opened by the caller, who closes it.
        frame: with one face; the pipeline runs on it once, so that the place of every crop is
            known.

    Raises:
        DataError: the frame has no face, or several.
    """

    def __init__(self, pipeline: Pipeline, frame: Frame) -> None:
        faces = pipeline.run(frame).faces
        if len(faces) != 1:
            raise DataError(
                f"the first frame has {len(faces)} faces",
                hint="give a source whose first frame has one large face",
                code="bench.faces",
            )
        self._frame = frame
        stages = dict(pipeline.stages)
        if "identify-masked" in stages:
            del stages["identify" if is_covered(faces[0].mask.state) else "identify-masked"]
        if faces[0].painting is None:
            stages.pop("reconstruct", None)
        self._detect = stages.pop("detect")
        self._others = list(stages.values())
        self._behind: list[Engine] = []
        for stage in self._others:
            self._behind.append(stage.engine)
            if isinstance(stage, ReconstructStage):
                self._behind.append(stage.edit_engine)

    @property
    def count(self) -> int:
        """How many pictures are cut from the frame."""
        return 1 + len(self._others)

    def engines(self) -> None:
        """Run the engines on what is in them."""
        for engine in (self._detect.engine, *self._behind):
            engine.run()

    def filled(self) -> None:
        """Run them on pictures cut anew: the detector's, then those of the face in one go."""
        for stages, engines in (
            ([self._detect], [self._detect.engine]),
            (self._others, self._behind),
        ):
            for stage in stages:
                stage.fill(self._frame.image, stage.matrices[0])
            for engine in engines:
                engine.run()
