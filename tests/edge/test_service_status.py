"""The one line that says how the service is."""

from __future__ import annotations

import pytest

from edge.service.status import Pace, Report


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (Report(awaited=True), "waiting for the first frame"),
        (Report(faces=2, fps=14.83, age_ms=31.4), "2 faces, 14.8 fps, 31 ms old, full service"),
        (Report(faces=1), "1 face, 0.0 fps, 0 ms old, full service"),
        (
            Report(faces=0, fps=5, age_ms=9, service="reduced: no emotion (71 °C)"),
            "0 faces, 5.0 fps, 9 ms old, reduced: no emotion (71 °C)",
        ),
        (
            Report(awaited=True, lost_s=12.4, trouble="v4l2:///dev/video0: no such device"),
            "camera lost for 12 s: v4l2:///dev/video0: no such device",
        ),
        (
            Report(lost_s=3, failing=("jsonl:/a?fsync=line", "mqtt://me:pass@host/t")),
            "camera lost for 3 s; jsonl:/a fails; mqtt://me:***@host/t fails",
        ),
    ],
)
def test_the_line(report: Report, line: str) -> None:
    assert str(report) == line


def test_the_pace_is_that_of_the_last_seconds() -> None:
    pace = Pace()
    assert pace.per_second(0.0) == 0.0
    pace.step(0.0)
    assert pace.per_second(1.0) == 0.0
    for frame in range(1, 101):
        pace.step(frame / 10)
    assert pace.per_second(10.0) == pytest.approx(10.0)
    for frame in range(1, 26):
        pace.step(10 + frame / 5)
    assert pace.per_second(15.0) == pytest.approx(5.0)
    assert pace.per_second(20.5) == 0.0
