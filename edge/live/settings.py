"""What can be chosen about live work, and what the ladder may take from it."""

from __future__ import annotations

from dataclasses import dataclass

from edge.settings import setting

__all__ = ["LiveSettings", "Reduction"]


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How a live source is worked on; frames are those that are looked at, not those dropped."""

    budget_ms: float = setting(
        0.0, "milliseconds from a frame's capture to its result; 0 sets no limit", low=0, high=60000
    )
    detect_every: int = setting(
        1, "frames from one detection to the next; faces are carried on between", low=1, high=30
    )
    mask_every: int = setting(
        5, "frames from one look at a face's mask to the next", low=1, high=1000
    )
    identify_every: int = setting(
        30, "frames from one embedding of a face to the next", low=1, high=1000
    )
    emotion_every: int = setting(
        5, "frames from one look at a face's emotion to the next", low=1, high=1000
    )
    reconstruct_every: int = setting(
        10, "frames from one painting of a covered face to the next", low=1, high=1000
    )
    confirm: int = setting(
        2, "detections after which a face is given a track number", low=1, high=30
    )
    keep: int = setting(
        15, "detections that a face may miss before its track ends", low=0, high=1000
    )


@dataclass(frozen=True, slots=True)
class Reduction:
    """What is left out to spare the board; nothing by default.

    Attributes:
        detect_every: frames from one detection to the next, if more than the settings say.
        emotion: whether emotions are looked at.
        reconstruct: whether covered faces are painted.
        fps: frames a second that are looked at, at most; 0 is as many as come.
    """

    detect_every: int = 1
    emotion: bool = True
    reconstruct: bool = True
    fps: float = 0.0

    def names(self, settings: LiveSettings) -> tuple[str, ...]:
        """Return what is left out in a word each: of ``detect``, ``emotion``, ``reconstruct``,
        ``fps``.
        """
        left_out = {
            "detect": self.detect_every > settings.detect_every,
            "emotion": not self.emotion,
            "reconstruct": not self.reconstruct,
            "fps": self.fps > 0,
        }
        return tuple(name for name, is_so in left_out.items() if is_so)
