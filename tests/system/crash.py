"""SIGKILL at random moments while enrolling, forgetting and logging; what was told is still so.

    python -m tests.system.crash --kills 500

A template is acknowledged when ``enrol`` has returned (or the command has printed its line), a
line when ``write`` of ``jsonl:…?fsync=line`` has returned. SIGKILL leaves the kernel's buffers
as they are; what a power cut takes is the business of ``tests.system.power_cut``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.frames import Frame
from edge.gallery import Gallery
from edge.results import FrameResult
from edge.sinks import open_sink
from edge.stages.identify import unit
from tests.edge.one_face import one_face_bundle
from tests.system.claims import ROOT, Proof, run_proof

__all__ = ["main"]

_REVISION = "crash"
_LENGTH = 128
#: A gallery of more than some hundred templates makes the rounds slow, not harder.
_ROUNDS_A_FOLDER = 25
#: Of every hundred kills so many hit the real command instead of the forked worker.
_COMMANDS_IN_100 = 8


@dataclass(slots=True)
class Told:
    """What was acknowledged in one folder."""

    kept: dict[str, int] = field(default_factory=dict)
    forgotten: dict[str, int] = field(default_factory=dict)
    begun_to_forget: set[str] = field(default_factory=set)
    lines: set[int] = field(default_factory=set)
    commands: Counter[str] = field(default_factory=Counter)

    def hear(self, text: str) -> None:
        """Take the acknowledgements that a killed worker had written."""
        for line in text.splitlines():
            kind, name, number = line.split(" ")
            if kind == "enrolled":
                self.kept[name] = int(number)
            elif kind == "forgetting":
                self.begun_to_forget.add(name)
            elif kind == "forgotten":
                self.forgotten[name] = self.kept.pop(name)
            else:
                self.lines.add(int(number))


def embedding(number: int) -> NDArray[np.float32]:
    """Return float32 ``[128]`` of length 1, of its own for every number."""
    row = np.random.default_rng(number).standard_normal(_LENGTH)
    return unit(row.astype(np.float32))


def work(folder: Path, first: int, tell: int) -> None:
    """Enrol, forget and log until killed; every acknowledgement is one small write to a pipe."""
    frame = Frame(np.zeros((2, 2, 3), np.uint8), 0, 0, "crash")
    with (
        open_sink(f"jsonl:{folder}/log.jsonl?fsync=line", live=True) as sink,
        Gallery.open(folder / "people.gallery", _REVISION, create=True) as gallery,
    ):
        for number in range(first, first + 10_000):
            name = f"person-{number}"
            gallery.enrol(name, embedding(number), masked=bool(number % 2))
            os.write(tell, f"enrolled {name} {number}\n".encode())
            sink.write(frame, FrameResult(number, "crash", number))
            os.write(tell, f"logged - {number}\n".encode())
            if number % 5 == 0:
                os.write(tell, f"forgetting {name} {number}\n".encode())
                gallery.forget(name)
                os.write(tell, f"forgotten {name} {number}\n".encode())


def killed_worker(folder: Path, first: int, seconds: float, told: Told) -> None:
    """Fork a worker, kill it after some time, hear what it had told."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            work(folder, first, write)
        finally:
            os._exit(1)  # not reached unless something went wrong
    os.close(write)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with open(read, encoding="utf-8") as stream:
        told.hear(stream.read())
    if not os.WIFSIGNALED(status):
        raise RuntimeError("the worker ended by itself")


def killed_command(folder: Path, bundle: Path, picture: Path, seconds: float, told: Told) -> bool:
    """Run ``edge-gallery enrol`` and kill it; its printed line acknowledges.

    Returns:
        Whether it had come to its line.
    """
    name = f"by command {sum(told.commands.values())}"
    command = [sys.executable, "-m", "edge.cli.gallery", "enrol", name, str(picture),
               "--gallery", str(folder / "commands.gallery"), "--bundle", str(bundle)]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        time.sleep(seconds)
        process.kill()
        said = process.communicate()[0]
    if said.startswith(name):
        told.commands[name] += 1
    return bool(said)


@dataclass(slots=True)
class Losses:
    """What did not hold, over all folders."""

    unopened: list[str] = field(default_factory=list)
    templates: int = 0
    resurrected: int = 0
    bytes_of_forgotten: int = 0
    lines: int = 0
    torn: int = 0
    unacknowledged: int = 0


def judge(folder: Path, revision: str, told: Told, losses: Losses) -> None:
    """Open what the kills left and compare it with what was acknowledged.

    Args:
        folder: of the kills.
        revision: of the embeddings that the real command enrolled.
        told: what was acknowledged.
        losses: what did not hold is added.
    """
    try:
        with Gallery.open(folder / "people.gallery", _REVISION, create=True) as gallery:
            there = {person.name for person in gallery.people()}
            losses.templates += sum(
                gallery.match(embedding(number), 0.9999).person != name
                for name, number in told.kept.items()
                if name not in told.begun_to_forget
            )
        losses.resurrected += sum(name in there for name in told.forgotten)
        unsure = told.begun_to_forget - set(told.forgotten)
        losses.unacknowledged += len(there - set(told.kept) - unsure)
        content = (folder / "people.gallery").read_bytes()
        losses.bytes_of_forgotten += sum(
            embedding(number).tobytes()[:64] in content for number in told.forgotten.values()
        )
        if told.commands:
            with Gallery.open(folder / "commands.gallery", revision) as gallery:
                there = {person.name for person in gallery.people()}
                losses.templates += len(set(told.commands) - there)
        open_sink(f"jsonl:{folder}/log.jsonl?fsync=line", live=True).close()
    except Exception as error:
        losses.unopened.append(str(error))
        return
    found = set()
    for line in (folder / "log.jsonl").read_bytes().splitlines(keepends=True):
        try:
            found.add(json.loads(line)["frame"])
            losses.torn += not line.endswith(b"\n")
        except (ValueError, KeyError, TypeError):
            losses.torn += 1
    losses.lines += len(told.lines - found)


def main() -> int:
    """Kill, judge, write ``crash.json``; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: the time")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    losses, totals = Losses(), Counter[str]()
    with Proof("crash") as proof, tempfile.TemporaryDirectory(prefix="unveil-crash-") as name:
        root = Path(name)
        bundle, picture = one_face_bundle(root / "bundle"), root / "face.png"
        cv2.imwrite(str(picture), np.full((120, 120, 3), 128, np.uint8))
        revision = Bundle.open(bundle).artefact("identity").contract.revision
        longest = 0.5
        for done in range(0, options.kills, _ROUNDS_A_FOLDER):
            folder = root / f"{done}"
            folder.mkdir()
            told = Told()
            for kill in range(done, min(done + _ROUNDS_A_FOLDER, options.kills)):
                if chance.random() * 100 < _COMMANDS_IN_100:
                    finished = killed_command(
                        folder, bundle, picture, chance.uniform(0.3, 1) * longest, told
                    )
                    # Aim at the moment of writing, however fast the machine is.
                    longest *= 0.95 if finished else 1.15
                    totals["command"] += 1
                else:
                    killed_worker(folder, kill * 10_000, chance.uniform(0, 0.3), told)
                    totals["worker"] += 1
            judge(folder, revision, told, losses)
            totals["templates"] += len(told.kept) + len(told.commands)
            totals["forgotten"] += len(told.forgotten)
            totals["lines"] += len(told.lines)
        proof.fact(seed=options.seed, kills=dict(totals))
        proof.claim("gallery and log open after every kill", not losses.unopened,
                    kills=totals["command"] + totals["worker"],
                    refused=losses.unopened[:3])  # fmt: skip
        proof.claim("every acknowledged template is there", losses.templates == 0,
                    acknowledged=totals["templates"], lost=losses.templates)  # fmt: skip
        proof.claim("whoever was forgotten stays forgotten", losses.resurrected == 0,
                    forgotten=totals["forgotten"], back=losses.resurrected)  # fmt: skip
        proof.claim("no byte of theirs is in the file", losses.bytes_of_forgotten == 0,
                    found=losses.bytes_of_forgotten)  # fmt: skip
        proof.claim("every acknowledged line is in the log", losses.lines == 0,
                    acknowledged=totals["lines"], lost=losses.lines)  # fmt: skip
        proof.claim("every line of the log is whole", losses.torn == 0, torn=losses.torn)
        proof.claim("the kills came at all moments: some work was stored and not yet told",
                    losses.unacknowledged > 0, templates=losses.unacknowledged)  # fmt: skip
    return proof.exit_code


if __name__ == "__main__":
    run_proof(main)
