"""What a comparison of two times found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from benchmarks.race import Ratio

__all__ = ["Contest", "Side", "StageContest", "verdict"]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two.

    Attributes:
        name: as the user wrote it.
        count: timed runs.
        p50_ms, p90_ms: of a run.
        faces_per_frame: that it looked at; None where that makes no sense.
    """

    name: str
    count: int
    p50_ms: float
    p90_ms: float
    faces_per_frame: float | None


@dataclass(frozen=True, slots=True)
class StageContest:
    """One stage of both.

    Attributes:
        a_ms, b_ms: of a frame.
        ratio: how many times as fast A is; None where the files do not tell single runs.
    """

    a_ms: float
    b_ms: float
    ratio: Ratio | None

    def to_json(self) -> dict[str, object]:
        """Return both times and the ratio."""
        ratio = {} if self.ratio is None else self.ratio.to_json()
        return {"a_ms": round(self.a_ms, 4), "b_ms": round(self.b_ms, 4), **ratio}


@dataclass(frozen=True, slots=True)
class Contest:
    """Both, and how they compare.

    Attributes:
        a, b: the two.
        what: that was timed, such as ``pipeline``.
        figure: whose ratio it is: the median over the blocks of two that ran in turn, ``p50`` of
            two files, ``fps`` of two offline ones.
        ratio: how many times as fast A is: 2 where B takes twice as long.
        p90: the same of the 90th percentiles; None without single runs.
        stages: by name.
        paired: whether both ran in turn; two files cannot.
        remarks: what should be known before the figure is believed.
    """

    a: Side
    b: Side
    what: str
    figure: str
    ratio: Ratio
    p90: Ratio | None
    stages: Mapping[str, StageContest]
    paired: bool
    remarks: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return the object that ``edge-bench compare --json`` prints."""
        return {
            "kind": "comparison",
            "what": self.what,
            "paired": self.paired,
            "a": asdict(self.a),
            "b": asdict(self.b),
            "figure": self.figure,
            **self.ratio.to_json(),
            "told_apart": self.ratio.told_apart,
            "p90": None if self.p90 is None else self.p90.to_json(),
            "stages": {name: stage.to_json() for name, stage in self.stages.items()},
            "remarks": list(self.remarks),
            "verdict": verdict(self.ratio),
        }


def verdict(ratio: Ratio) -> str:
    """Say in one sentence who is faster.

    Args:
        ratio: how many times as fast A is.
    """
    if not ratio.told_apart:
        low, high = ratio.ci95
        return (
            "A and B cannot be told apart: A is between "
            f"{low:.3f} and {high:.3f} times as fast (95 %)"
        )
    faster, shown = ("A", ratio) if ratio.value > 1 else ("B", ratio.inverse())
    low, high = shown.ci95
    digits = 3 if shown.value < 1.1 else 2
    return (
        f"{faster} is {shown.value:.{digits}f} times as fast "
        f"(95 %: {low:.{digits}f} to {high:.{digits}f})"
    )
