"""Write a first card for a network by looking at it: ``edge-export init FILE``."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from edge.errors import OutputError, UsageError
from edge.files import write_whole
from export.cards.beside import CARD
from export.cards.guess import Guess, Meaning, guess
from export.cards.look import End, Seen, look
from export.importers.safety import read_bounded
from export.importers.shapes import PLANES, is_picture, turned

__all__ = ["write_card"]

_PROOF = """\
# Before "edge-export make": on what it is calibrated and proven.
# [calibration]
# pack = "a data pack of training pictures"
# split = "train"
# count = 400
#
# [evidence]
# pack = "a data pack of held-back pictures"
# split = "test"
# metric = "{metric}"
# max_drop = 0.01
"""
_METRICS = {
    "detect": "recall",
    "mask": "accuracy",
    "emotion": "accuracy",
    "identity": "accuracy",
    "edit": "psnr",
    "map": "iou",
}


def write_card(file: Path, out: Path, *, input_hw: tuple[int, int] | None = None) -> Path:
    """Look at a network and write ``model.toml`` for it; every guess is marked in it.

    The network is copied beside the card where it does not lie there yet.

    Args:
        file: the network; weights alone need their ``net.py`` beside them.
        out: folder of the card; made if need be.
        input_hw: height and width for a network that leaves them open.

    Returns:
        The card.

    Raises:
        UsageError: there is a card already, or another file of the network's name.
        OutputError: the folder cannot be written to.
        EdgeError: what the network's reader raises; nothing is written then.
    """
    card = out / CARD
    if card.exists():
        raise UsageError(
            f"{card}: is there already", hint="remove it or name another --out", code="card.exists"
        )
    seen = look(file, input_hw=input_hw)
    text = card_text(seen, guess(seen))
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in seen.files:
            _bring(path, out)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written: {error.strerror or error}", code="output.write"
        ) from error
    write_whole(card, text.encode())
    return card


def card_text(seen: Seen, guessed: Guess) -> str:
    """Return the card's text, one that ``export.cards.card.read_card`` takes without proof."""
    network = seen.files[0]
    name = network.resolve().parent.name if network.name == "net.py" else network.stem
    lines = [
        f"# Written by edge-export init, which looked at {_plain(network.name)} ({seen.kind}).",
        '# What follows a "guessed:" is to be checked, what follows a "state:" to be said.',
        f"name = {_quoted(_slug(name))}",
        f"task = {_quoted(guessed.task)}  # guessed: by what the outputs look like",
        'summary = "unknown"  # state: what it is for, in a sentence',
        'licence = "unknown"  # state: of the code and of the weights',
    ]
    if network.name != "net.py":
        lines += ["", "[source]", f"file = {_quoted(network.name)}"]
    lines += ["", "[contract]"]
    if guessed.labels:
        lines.append(f"labels = {json.dumps(guessed.labels)}  # guessed: state them in their order")
    if any(output.meaning == "embedding" for output in guessed.outputs):
        lines.append(f"revision = {_quoted(_slug(name) + '-1')}  # of the space of its embeddings")
    lines += [
        "threshold = 0.5  # guessed: the usual",
        "",
        "[contract.crop]",
        f"kind = {_quoted(guessed.crop)}  # guessed: by the task",
    ]
    for end, meaning in zip(seen.inputs, guessed.inputs, strict=True):
        lines += _table("inputs", end, meaning, _sizes(seen))
        lines += _scale(seen, guessed)
    for end, meaning in zip(seen.outputs, guessed.outputs, strict=True):
        lines += _table("outputs", _placed(seen, end, meaning), meaning, "")
    lines += ["", "[data]", "packs = []", 'terms = "unknown"  # state: of the training data', ""]
    return "\n".join(lines) + "\n" + _PROOF.format(metric=_METRICS[guessed.task])


def _table(key: str, end: End, meaning: Meaning, sizes: str) -> list[str]:
    lines = [
        "",
        f"[[contract.{key}]]  # {_plain(end.name)}",
        f"meaning = {_quoted(meaning.meaning)}  # guessed: {_plain(meaning.why)}",
        f"shape = {list(end.shape)}{sizes}",
    ]
    if meaning.colour:
        lines.append(f"colour = {_quoted(meaning.colour)}  # guessed")
    if meaning.stride:
        lines.append(f"stride = {meaning.stride}  # guessed")
    return lines


def _placed(seen: Seen, end: End, meaning: Meaning) -> End:
    """Give an output that is an image or a map its channels last, where they can be turned."""
    if seen.turns and meaning.meaning in PLANES and is_picture(end.shape):
        return replace(end, shape=turned(end.shape))
    return end


def _scale(seen: Seen, guessed: Guess) -> list[str]:
    """Say how a byte becomes the number that the network reads."""
    if seen.files[0].name == "net.py":
        mean, why = 128.0, "(byte - 128) / 128, as our own recipes are trained"
        return [f"mean = {mean}", f"std = {mean}  # guessed: {why}"]
    if guessed.normalises:
        return ["mean = 0.0", "std = 1.0  # guessed: bytes as they are; the network scales them"]
    why = "-1 to 1, the usual; 0.0 and 255.0 for 0 to 1, 0.0 and 1.0 for bytes as they are"
    return ["mean = 127.5", f"std = 127.5  # guessed: {why}"]


def _sizes(seen: Seen) -> str:
    if not seen.sizes:
        return ""
    return f"  # guessed: the size is open; it runs at {', '.join(seen.sizes)}"


def _bring(path: Path, out: Path) -> None:
    """Copy a network to the card, whole; one that is there already stays."""
    goal = out / path.name
    if goal.exists() and goal.samefile(path):
        return
    if goal.exists() and (path.is_dir() or read_bounded(goal) != read_bounded(path)):
        raise UsageError(
            f"{goal}: is there already, and another", hint="name another --out", code="card.exists"
        )
    if path.is_dir():
        with tempfile.TemporaryDirectory(dir=out) as folder:
            shutil.copytree(path, Path(folder) / path.name).rename(goal)
    elif not goal.exists():
        write_whole(goal, read_bounded(path))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "network"


def _quoted(text: str) -> str:
    """Return a TOML string; JSON's spelling is one."""
    return json.dumps(text)


def _plain(text: str) -> str:
    """Return a stranger's name as part of a comment: printable, on one line, not long."""
    return "".join(c if c.isprintable() else "?" for c in text)[:80]
