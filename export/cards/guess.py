"""Guess what a network's tensors mean from their shapes and names; every guess says so."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from export.cards.look import End, Seen

__all__ = ["Guess", "Meaning", "guess"]

_STRIDES = (8, 16, 32, 64)
#: Lengths that embeddings of faces have.
_EMBEDDINGS = (64, 128, 192, 256, 384, 512, 1024)
_POINTS = {10: 5, 136: 68, 196: 98, 212: 106}
_MOST_CLASSES = 50
_MASK_STATES = 3
#: FER-2013's order, in the words of the runtime.
_EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
_NAMES = {
    "scores": re.compile(r"score|cls|conf|prob|obj"),
    "boxes": re.compile(r"box|loc|reg"),
    "points5": re.compile(r"kps|landm|lmk|point"),
}
_WIDTHS = {"scores": (1, 2, 3), "boxes": (4,), "points5": (10,)}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one tensor may mean.

    Attributes:
        meaning, colour, stride: as a card says them.
        why: what the guess goes by, or what is not known.
    """

    meaning: str
    why: str
    colour: str = ""
    stride: int = 0


@dataclass(frozen=True, slots=True)
class Guess:
    """What a network may be.

    Attributes:
        task, crop: as a card says them.
        labels: of logits; made up unless there are seven.
        inputs, outputs: in the order of the network's.
        normalises: the first operator scales or shifts the picture.
    """

    task: str
    crop: str
    labels: tuple[str, ...]
    inputs: tuple[Meaning, ...]
    outputs: tuple[Meaning, ...]
    normalises: bool


def guess(seen: Seen) -> Guess:
    """Guess the meaning of a network and of all its tensors."""
    inputs = tuple(_input(end, i) for i, end in enumerate(seen.inputs))
    outputs = tuple(_output(end, seen.inputs[0].shape) for end in seen.outputs)
    classes = [
        end.shape[-1]
        for end, output in zip(seen.outputs, outputs, strict=True)
        if output.meaning == "logits"
    ]
    labels = tuple(f"class{i}" for i in range(classes[0])) if classes else ()
    if len(labels) == len(_EMOTIONS):
        labels = _EMOTIONS
    task, crop = _task(outputs, len(labels))
    return Guess(
        task=task,
        crop=crop,
        labels=labels,
        inputs=inputs,
        outputs=outputs,
        normalises=seen.inputs[0].operator in ("MUL", "SUB", "ADD", "DIV"),
    )


def _input(end: End, position: int) -> Meaning:
    channels = end.shape[-1] if len(end.shape) == 4 else 0
    if channels == 1 and position > 0:
        return Meaning("map", "one channel beside a picture")
    if channels == 1:
        return Meaning("image", "one channel", "GREY")
    if channels == 3:
        return Meaning("image", "RGB; BGR if it was trained on OpenCV's pictures", "RGB")
    return Meaning("image", f"shape {list(end.shape)} is no picture of 1 or 3 channels", "RGB")


def _output(end: End, picture: tuple[int, ...]) -> Meaning:
    ends_in = f"; its last operator is {end.operator}" if end.operator else ""
    if len(end.shape) == 4:
        if 3 in (end.shape[1], end.shape[3]):
            return Meaning("image", f"three channels{ends_in}", "RGB")
        return Meaning("map", f"a plane{ends_in}")
    if len(end.shape) == 3:
        return _grid(end, picture)
    count = math.prod(end.shape[1:])
    if count in _POINTS:
        what = f"{_POINTS[count]} points (x, y), for which the runtime has no word yet"
        return Meaning("embedding", what)
    if count in _EMBEDDINGS:
        return Meaning("embedding", f"{count} numbers{ends_in}")
    if 1 < count <= _MOST_CLASSES:
        return Meaning("logits", f"{count} classes{ends_in}")
    return Meaning("embedding", f"a vector of {count}{ends_in}")


def _grid(end: End, picture: tuple[int, ...]) -> Meaning:
    """Guess what a detector's table of cells holds, by its name and then by its width."""
    _, cells, width = end.shape
    fitting = [meaning for meaning, widths in _WIDTHS.items() if width in widths]
    named = [meaning for meaning, words in _NAMES.items() if words.search(end.name.lower())]
    meaning = next((m for m in named if m in fitting), (fitting or ["scores"])[0])
    if len(picture) == 4:
        for stride in _STRIDES:
            each = math.ceil(picture[1] / stride) * math.ceil(picture[2] / stride)
            if cells == each or (cells % each == 0 and cells // each <= 3):
                return Meaning(meaning, f"{cells} cells of {width}", stride=stride)
    why = f"{cells} rows of {width}, which is no single grid; stride of the finest one"
    return Meaning(meaning, why, stride=_STRIDES[0])


def _task(outputs: tuple[Meaning, ...], classes: int) -> tuple[str, str]:
    """Return the task and the crop that go with the outputs' meanings."""
    meanings = {output.meaning for output in outputs}
    if meanings & {"scores", "boxes"}:
        return "detect", "frame"
    if "image" in meanings:
        return "edit", "points"
    if "map" in meanings:
        return "map", "points"
    if "embedding" in meanings:
        return "identity", "points"
    return ("mask" if classes <= _MASK_STATES else "emotion"), "box"
