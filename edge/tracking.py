"""Which face of this frame is which face of the frames before."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.geometry import iou_matrix
from edge.results import Detection

__all__ = ["Track", "Tracker"]

#: Least likeness of a face and a track. A face that moved by four fifths of its width unforeseen
#: has 0.15, and the face of a neighbour, a whole width away, nothing.
_LEAST = 0.15
#: Longer than this nothing is foreseen: people stop and turn.
_HORIZON_S = 0.5
#: Share of the newest velocity; the rest is what was believed before. A detector's boxes tremble.
_SHARE = 0.5
#: Frames closer together say nothing of a velocity.
_SOON_S = 1e-3
#: Largest growth of a face, natural logarithm a second: e-fold is a head that lunges at the lens.
_GROWTH = 2.0
#: A track that nobody saw for so long ends, however few frames there were: a camera that was
#: lost comes back to other people.
_FORGET_S = 3.0


class Track:
    """One face, as long as it is followed.

    Attributes:
        number: 1, 2, ... in the order of confirmation, never given twice; None until then.
        face: where it is in the frame of now, seen or foreseen.
        age: frames since it was seen; 0 when it was seen in this one.
        seen: how often a detector saw it.
        missed: detections in a row that did not see it.
        gap: how many those were before it was seen again in this frame.
        ended: whether it will not come back.
    """

    __slots__ = (
        "_at_ns", "_growth", "_last", "_velocity", "age", "ended", "face", "gap", "missed",
        "number", "seen",
    )  # fmt: skip

    def __init__(self, face: Detection, at_ns: int) -> None:
        self.number: int | None = None
        self.face = self._last = face
        self._at_ns = at_ns
        self._velocity = np.zeros(2)
        self._growth = 0.0
        self.age = self.missed = self.gap = 0
        self.seen = 1
        self.ended = False

    def foresee(self, at_ns: int) -> Detection:
        """Return where the face should be: at the velocity and growth that it had."""
        past_s = min(max(at_ns - self._at_ns, 0) / 1e9, _HORIZON_S)
        return _moved(self._last, self._velocity * past_s, math.exp(self._growth * past_s))

    def see(self, face: Detection, at_ns: int) -> None:
        """Take a detection for this face."""
        past_s = (at_ns - self._at_ns) / 1e9
        if past_s >= _SOON_S:
            velocity = (_centre(face) - _centre(self._last)) / past_s
            growth = math.log(_side(face) / _side(self._last)) / past_s
            share = _SHARE if self.seen > 1 else 1.0
            self._velocity += share * (velocity - self._velocity)
            self._growth += share * (growth - self._growth)
            self._growth = min(max(self._growth, -_GROWTH), _GROWTH)
        self.face = self._last = face
        self._at_ns = at_ns
        self.gap = self.missed
        self.age = self.missed = 0
        self.seen += 1

    def carry(self, at_ns: int) -> None:
        """Go on to a frame in which nobody looked for faces."""
        self.face = self.foresee(at_ns)
        self.age += 1

    def miss(self, at_ns: int, keep: int) -> None:
        """Note that a detector did not see the face; one without a number ends at once."""
        self.missed += 1
        self.age += 1
        if self.number is None or self.missed > keep or at_ns - self._at_ns > _FORGET_S * 1e9:
            self.ended = True


class Tracker:
    """Follows faces by where they are: boxes that overlap and points that lie together.

    Pairs are taken greedily, the likest first. That differs from the least total cost (Kuhn 1955)
    only where two faces lie over each other, and there the sum trades one sure pair for two
    doubtful ones; docs/live.md has the comparison.

    Args:
        confirm: detections after which a track gets its number.
        keep: detections that a numbered track may miss in a row.
    """

    def __init__(self, *, confirm: int = 2, keep: int = 15) -> None:
        self._confirm, self._keep = confirm, keep
        self._tracks: list[Track] = []
        self._numbered = 0

    @property
    def tracks(self) -> tuple[Track, ...]:
        """All that have not ended, seen or not."""
        return tuple(self._tracks)

    def see(self, found: Sequence[Detection], at_ns: int) -> list[Track]:
        """Take the faces of a frame.

        Args:
            found: in frame pixels.
            at_ns: when the frame was captured, never earlier than the last one.

        Returns:
            The track of each face, in their order.
        """
        tracks, pairs = self._tracks, self._pairs(found, at_ns)
        for track in (track for i, track in enumerate(tracks) if i not in pairs.values()):
            track.miss(at_ns, self._keep)
        seen = []
        for j, face in enumerate(found):
            if j in pairs:
                track = tracks[pairs[j]]
                track.see(face, at_ns)
            else:
                track = Track(face, at_ns)
            if track.number is None and track.seen >= self._confirm:
                self._numbered += 1
                track.number = self._numbered
            seen.append(track)
        new = [track for j, track in enumerate(seen) if j not in pairs]
        self._tracks = [track for track in tracks if not track.ended] + new
        return seen

    def carry(self, at_ns: int) -> list[Track]:
        """Go on to a frame in which nobody looked for faces.

        Returns:
            The tracks that were seen when somebody last looked, from the largest to the smallest.
        """
        carried = [track for track in self._tracks if track.missed == 0]
        for track in carried:
            track.carry(at_ns)
        return sorted(carried, key=lambda track: _side(track.face), reverse=True)

    def _pairs(self, found: Sequence[Detection], at_ns: int) -> dict[int, int]:
        """Return the position of a track for that of each face which has one."""
        if not found or not self._tracks:
            return {}
        likeness = _likeness([track.foresee(at_ns) for track in self._tracks], found)
        pairs: dict[int, int] = {}
        for flat in np.argsort(-likeness, axis=None, kind="stable"):
            i, j = divmod(int(flat), len(found))
            if likeness[i, j] < _LEAST:
                break
            if j not in pairs and i not in pairs.values():
                pairs[j] = i
        return pairs


def _likeness(foreseen: Sequence[Detection], found: Sequence[Detection]) -> NDArray[np.float64]:
    """Return ``[N, M]``, 0..1: the mean of what boxes and points say of each pair.

    Boxes give their intersection over union. Points give 1 less their mean distance as a share of
    the faces' size, and tell two heads in one box apart.
    """
    a, b = _boxes(foreseen), _boxes(found)
    overlap = iou_matrix(a, b)
    points = [np.stack([face.points_5x2 for face in faces]) for faces in (foreseen, found)]
    distance = np.linalg.norm(points[0][:, None] - points[1][None], axis=-1).mean(-1)
    side = (np.sqrt(a[:, 2:].prod(1))[:, None] + np.sqrt(b[:, 2:].prod(1))[None]) / 2
    return np.asarray((overlap + np.clip(1 - distance / side, 0, 1)) / 2)


def _boxes(faces: Sequence[Detection]) -> NDArray[np.float64]:
    return np.stack([face.box_xywh for face in faces]).astype(np.float64)


def _moved(face: Detection, shift: NDArray[np.float64], zoom: float) -> Detection:
    """Return a face moved and enlarged about its centre, rigidly: points stay in their box."""
    centre = _centre(face)
    x, y = centre + shift - (zoom / 2) * face.box_xywh[2:].astype(np.float64)
    w, h = zoom * face.box_xywh[2:].astype(np.float64)
    points = (face.points_5x2 - centre) * zoom + centre + shift
    box = np.array([x, y, w, h], np.float32)
    return Detection(box, face.score, points.astype(np.float32))


def _centre(face: Detection) -> NDArray[np.float64]:
    box = face.box_xywh.astype(np.float64)
    return box[:2] + box[2:] / 2


def _side(face: Detection) -> float:
    return math.sqrt(max(float(face.box_xywh[2]) * float(face.box_xywh[3]), 1e-6))
