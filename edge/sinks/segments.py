"""Annotated video of a live source: pieces of some minutes, of which the newest are kept."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from dataclasses import dataclass

from edge.draw import annotate
from edge.errors import OutputError
from edge.frames import Frame
from edge.results import FrameResult
from edge.settings import setting
from edge.sinks.base import Sink, not_written
from edge.sinks.numbered import Numbered, remove_torn
from edge.sinks.video import VideoSink

__all__ = ["SegmentsSink", "VideoOptions"]

#: OpenCV does not tell that a disk is full: the video is given up while others can still write.
_ROOM_BYTES = 16 << 20
#: A longer pause between two results is not shown: the video goes on at once.
_PAUSE_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """What may stand behind the ``?`` of ``video:PATH``; all of it is for a live source."""

    minutes: float = setting(10.0, "length of a piece", low=0.01, high=1440)
    keep: int = setting(6, "how many pieces stay, the newest", low=1, high=100_000)
    fps: float = setting(10.0, "frames a second of the video", low=0.1, high=120)


class SegmentsSink(Sink):
    """``PATH-000001.mp4``, ``PATH-000002.mp4``, ...: each appears when it is whole.

    The video runs at its own rate whatever the pipeline's is: a picture is shown until the next
    one, and one that comes too early is left out.

    Args:
        path: ends in ``.mp4`` or ``.avi``; the number goes before the ending.
        options: length, number and rate.

    Raises:
        UsageError: another ending.
        OutputError: the place cannot be written to.
    """

    def __init__(self, path: str, options: VideoOptions) -> None:
        self._stem, self._suffix = os.path.splitext(path)
        self._options = options
        self._folder, name = os.path.split(os.path.abspath(self._stem))
        self._video: VideoSink | None = None
        self._name = ""
        self._begun_ns = self._ended_ns = 0
        self._shown = 0
        self._first_ns = 0
        VideoSink(path, fps=options.fps).discard()  # refuses what no piece could be written to
        # An ending is matched as the user wrote it: VideoSink takes .MP4, too.
        stem, suffix = re.escape(name), re.escape(self._suffix)
        try:
            remove_torn(self._folder, re.compile(rf"\.{stem}-[0-9]+\.[0-9a-f]+\.part{suffix}"))
            pattern = re.compile(rf"{stem}-([0-9]{{6,12}}){suffix}")
            self._pieces = Numbered(self._folder, pattern, keep=options.keep)
        except OSError as error:
            raise not_written(path, error) from error

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write one frame as often as its time asks for.

        Raises:
            OutputError: the video cannot be begun or ended, or the disk is nearly full.
        """
        now_ns = frame.captured_ns
        if self._video is not None and now_ns - self._begun_ns >= self._options.minutes * 60e9:
            self.close()
        if self._video is None:
            self._begin(now_ns)
        if now_ns - self._ended_ns > _PAUSE_NS:
            self._first_ns, self._shown = now_ns, 0
        self._ended_ns = now_ns
        due = int((now_ns - self._first_ns) * self._options.fps / 1e9) + 1
        if due > self._shown:
            self._check_room()
            assert self._video is not None
            self._video.write_image(annotate(frame, result), times=due - self._shown)
            self._shown = due

    def close(self) -> None:
        """Put the piece in its place.

        Raises:
            OutputError: it is not whole.
        """
        video, self._video = self._video, None
        if video is None:
            return
        video.close()
        try:
            self._pieces.add(self._name)
        except OSError as error:
            raise not_written(self._folder, error) from error

    def discard(self) -> None:
        """Keep the piece in hand, too, if it is whole: a live source has no better end."""
        with contextlib.suppress(OutputError):  # the error that led here is the one to tell
            self.close()

    def _begin(self, now_ns: int) -> None:
        path = f"{self._stem}-{self._pieces.next:06d}{self._suffix}"
        self._name = os.path.basename(path)
        self._video = VideoSink(path, fps=self._options.fps)
        self._begun_ns = self._first_ns = self._ended_ns = now_ns
        self._shown = 0

    def _check_room(self) -> None:
        room = os.statvfs(self._folder)
        if room.f_bavail * room.f_frsize < _ROOM_BYTES:
            video, self._video = self._video, None
            if video is not None:
                video.discard()
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise not_written(f"{self._stem}{self._suffix}", full)
