"""INT8 outputs of the package's own networks, stored once and equal on every processor.

    python -m tests.system.golden make      on x86-64, after a new bundle
    python -m tests.system.golden check     anywhere

Stored are drawn frames, what the pre-processing makes of them and what the networks make of that.
From equal inputs the outputs must be equal bit by bit. The pre-processing may differ by one step
of 255: OpenCV shrinks pictures on Arm with kernels of Arm's own (Carotene, KleidiCV), which round
otherwise than those of x86-64; its warp is the same on both.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle import Artefact, Bundle, default_bundle
from edge.engines import open_engine
from edge.files import write_whole
from edge.frames import Frame
from edge.geometry import iou_matrix
from edge.pipeline import Pipeline
from edge.results import Detection
from edge.sources.synthetic import SyntheticSource
from edge.stages.base import crop_matrix, fill_picture
from tests.system.claims import RESULTS, ROOT, Proof, run_proof

__all__ = ["STORED", "main"]

Array = NDArray[np.generic]
STORED = ROOT / "tests" / "system" / "golden.npz"
_SIZE = "synthetic://?frames=1&faces=1&width=400&height=300"
_SOURCES = (f"{_SIZE}&seed=4", f"{_SIZE}&masked=1&seed=5")
#: Greatest difference that OpenCV's kernels for Arm make, see above.
_STEPS = 1
#: Intersection over union: one step in the input may move a box by a step of its INT8 output.
_OVERLAP = 0.95
#: The box around the five points of an upright face, in distances between the eyes.
_BOX_OF_EYES = (2.6, 3.4)


@dataclass(frozen=True, slots=True)
class Sample:
    """A frame and where its face is, known without a network."""

    frame: Frame
    face: Detection


def samples(stored: Mapping[str, Array] | None = None) -> Iterator[Sample]:
    """Give the frames: drawn now, or the stored ones."""
    for number, uri in enumerate(_SOURCES):
        source = SyntheticSource(uri)
        frame = next(iter(source))
        if stored is not None:
            image = stored[f"frame.{number}"].astype(np.uint8)
            frame = dataclasses.replace(frame, image=image)
        points = source.points(0)[0].astype(np.float32)
        eyes = float(np.linalg.norm(points[1] - points[0]))
        width, height = (eyes * factor for factor in _BOX_OF_EYES)
        x, y = points.mean(0) - (width / 2, height / 2)
        yield Sample(frame, Detection(np.array([x, y, width, height], np.float32), 1.0, points))


def network_inputs(artefact: Artefact, sample: Sample) -> list[Array]:
    """Return the inputs of a network by the product's own pre-processing."""
    contract = artefact.contract
    matrix = crop_matrix(contract, sample.frame.image.shape[:2], sample.face)
    made: list[Array] = []
    for spec in contract.inputs:
        out = np.zeros(spec.shape, spec.dtype)
        if spec.meaning == "image":
            fill_picture(spec, sample.frame.image, matrix, out, replicate=contract.crop.replicate)
        else:  # the map of a mask: the lower half of the face
            out[0, out.shape[1] // 2 :] = 127
        made.append(out)
    return made


def run_network(artefact: Artefact, inputs: list[Array]) -> list[Array]:
    """Return a network's outputs."""
    with open_engine(artefact) as engine:
        for place, values in zip(engine.inputs, inputs, strict=True):
            np.copyto(place, values)
        engine.run()
        return [output.copy() for output in engine.outputs]


def make() -> None:
    """Write the file."""
    bundle = Bundle.open(default_bundle())
    kept: dict[str, Array] = {f"frame.{n}": one.frame.image for n, one in enumerate(samples())}
    for task in bundle.tasks:
        artefact = bundle.artefact(task)
        for number, sample in enumerate(samples()):
            inputs = network_inputs(artefact, sample)
            for kind, arrays in (("in", inputs), ("out", run_network(artefact, inputs))):
                for position, array in enumerate(arrays):
                    kept[f"{task}.{number}.{kind}.{position}"] = array
    kept["said"] = np.frombuffer(json.dumps(said(kept)).encode(), np.uint8)
    stream = io.BytesIO()
    np.savez_compressed(stream, **kept)  # type: ignore[arg-type]
    write_whole(STORED, stream.getvalue())
    print(f"{STORED}: {len(kept)} arrays, {len(stream.getvalue())} bytes")


def said(stored: Mapping[str, Array]) -> list[list[dict[str, object]]]:
    """Return what the whole pipeline says about the faces of the stored frames."""
    with Pipeline(Bundle.open(default_bundle())) as pipeline:
        return [
            [face.to_json() for face in pipeline.run(sample.frame).faces]
            for sample in samples(stored)
        ]


def check(proof: Proof) -> None:
    """Compare this machine with the file, two claims a network and one of the pipeline."""
    bundle = Bundle.open(default_bundle())
    with np.load(STORED, allow_pickle=False) as stored:
        kept = dict(stored)
    for task in bundle.tasks:
        artefact = bundle.artefact(task)
        inputs, outputs = Difference(), Difference()
        for number, sample in enumerate(samples(kept)):
            told = {
                kind: [kept[k] for k in sorted(kept) if k.startswith(f"{task}.{number}.{kind}.")]
                for kind in ("in", "out")
            }
            inputs.add(network_inputs(artefact, sample), told["in"])
            outputs.add(run_network(artefact, told["in"]), told["out"])
        proof.claim(f"{task}: pre-processing as on x86-64, within a step of 255",
                    inputs.greatest <= _STEPS, **inputs.figures())  # fmt: skip
        proof.claim(f"{task}: INT8 outputs equal to x86-64's", outputs.differing == 0,
                    **outputs.figures())  # fmt: skip
    here, there = said(kept), json.loads(kept["said"].tobytes())
    proof.claim(f"the pipeline says the same of the same frames, boxes overlap by {_OVERLAP}",
                _agree(here, there), faces=sum(map(len, there)), frames=len(there))  # fmt: skip


@dataclass(slots=True)
class Difference:
    """How far arrays are from the stored ones."""

    values: int = 0
    differing: int = 0
    greatest: int = 0

    def add(self, found: list[Array], told: list[Array]) -> None:
        """Compare; another shape or dtype differs in everything."""
        for a, b in zip(found, told, strict=True):
            off = np.abs(a.astype(int) - b) if a.shape == b.shape else np.full(a.shape, 255)
            self.values += a.size
            self.differing += int((off > 0).sum())
            self.greatest = max(self.greatest, int(off.max()))

    def figures(self) -> dict[str, int]:
        """Return them by name."""
        return dataclasses.asdict(self)


def _agree(here: list[list[dict[str, Any]]], there: list[list[dict[str, Any]]]) -> bool:
    """Tell whether the same faces, states and feelings were seen."""
    return [len(faces) for faces in here] == [len(faces) for faces in there] and all(
        iou_matrix([a["box"]], [b["box"]])[0, 0] >= _OVERLAP
        and a["mask"]["state"] == b["mask"]["state"]
        and a["reconstructed"] == b["reconstructed"]
        and a["emotion"]["label"] == b["emotion"]["label"]
        for mine, theirs in zip(here, there, strict=True)
        for a, b in zip(mine, theirs, strict=True)
    )


def main() -> int:
    """Make or check; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("verb", choices=("make", "check"))
    parser.add_argument("--name", default=f"golden-{platform.machine()}", help="of the JSON")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the JSON")
    options = parser.parse_args()
    if options.verb == "make":
        make()
        return 0
    with Proof(options.name, options.out) as proof:
        proof.fact(opencv=cv2.__version__, numpy=np.__version__)
        check(proof)
    return proof.exit_code


if __name__ == "__main__":
    run_proof(main)
