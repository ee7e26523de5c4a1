"""Where a frame's time goes: a bar a stage, or a bar a result, stacked from its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.page import Axis, Field, colour, legend, number_text, safe
from benchmarks.records import LatencyRecord
from benchmarks.report.named import Named

__all__ = ["results_legend", "results_plot", "stage_legend", "stage_plot"]

_PARTS = ("pre-processing", "inference", "post-processing")
_ROW, _BAR = 30, 18
_LEFT = 168


@dataclass(frozen=True, slots=True)
class _Stack:
    """One bar: (milliseconds, colour, what it is) from left to right."""

    name: str
    pieces: tuple[tuple[float, str, str], ...]

    @property
    def total(self) -> float:
        return sum(ms for ms, _, _ in self.pieces)


def stage_plot(record: LatencyRecord) -> str:
    """Draw a bar a stage: pre-processing, inference, post-processing.

    Returns:
        One ``<svg>`` element; empty without stages.
    """
    stacks = [
        _Stack(
            name,
            tuple(
                (ms, colour(i), part)
                for i, (ms, part) in enumerate(
                    zip((stage.pre_ms, stage.infer_ms, stage.post_ms), _PARTS, strict=True)
                )
            ),
        )
        for name, stage in record.stages.items()
    ]
    return _bars(stacks, "Milliseconds a frame, stage by stage")


def stage_legend() -> str:
    """Return what the colours of ``stage_plot`` mean."""
    return legend((colour(i), part) for i, part in enumerate(_PARTS))


def results_plot(records: Sequence[Named[LatencyRecord]]) -> str:
    """Draw a bar a result, stacked from its stages.

    Returns:
        One ``<svg>`` element; empty without stages.
    """
    names = _stage_names(records)
    stacks = [
        _Stack(
            named.label,
            tuple(
                (stage.total_ms, colour(names.index(name)), name)
                for name, stage in named.record.stages.items()
            ),
        )
        for named in records
        if named.record.stages
    ]
    return _bars(stacks, "Milliseconds a frame, result by result")


def results_legend(records: Sequence[Named[LatencyRecord]]) -> str:
    """Return what the colours of ``results_plot`` mean."""
    return legend((colour(i), name) for i, name in enumerate(_stage_names(records)))


def _stage_names(records: Sequence[Named[LatencyRecord]]) -> list[str]:
    return list(dict.fromkeys(name for named in records for name in named.record.stages))


def _bars(stacks: Sequence[_Stack], title: str) -> str:
    if not stacks:
        return ""
    widest = max(stack.total for stack in stacks) or 1.0
    height = _ROW * len(stacks) + 62
    # Room at the right for the words behind the longest bar.
    x = Axis(0.0, 1.1 * widest, "ms a frame, mean")
    field = Field(x, Axis(0.0, float(len(stacks))), width=1100, height=height, left=_LEFT)
    parts = list(field.grid(across=False))
    for number, stack in enumerate(stacks):
        parts.append(_bar(field, number, stack))
    return field.svg(title, parts)


def _bar(field: Field, number: int, stack: _Stack) -> str:
    top = field.top + 4 + _ROW * number
    middle = top + _BAR / 2 + 4
    pieces, at = [], 0.0
    for ms, shade, what in stack.pieces:
        left, right = field.at(at), field.at(at + ms)
        at += ms
        said = f"{stack.name}, {what}: {number_text(ms)} ms"
        pieces.append(
            f'<rect class="hit" x="{left:.2f}" y="{top}" width="{max(right - left, 0.0):.2f}" '
            f'height="{_BAR}" fill="{shade}"><title>{safe(said)}</title></rect>'
        )
    name = field.text(field.left - 8, middle, stack.name[-26:], "end strong")
    total = field.text(field.at(at) + 6, middle, f"{number_text(stack.total, digits=3)} ms")
    return f"{name}{''.join(pieces)}{total}"
