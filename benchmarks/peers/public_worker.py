"""A chain of public networks as people put it together, for ``benchmarks.peers.worker``.

Each call does what its user would do: fit the picture or the face, run the network in the runtime
that its authors name, decode. The face is the one that YuNet finds in the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks.foreign.aizoo import Aizoo
from benchmarks.foreign.mobilefacenet import MobileFaceNet
from benchmarks.foreign.picture import Arrays, Run
from benchmarks.foreign.xception import EMOTIONS, Xception
from edge.frames import Frame
from edge.results import Detection

__all__ = ["opener"]

_SIDE = 320


def opener(
    threads: int, arguments: Sequence[str]
) -> Callable[[str], tuple[int, Callable[[], object]]]:
    """Return what opens a network by its name: its bytes, and a call that runs it.

    Args:
        threads: of each runtime.
        arguments: folder of the weights, mini-XCEPTION as a TFLite file, and the picture.
    """
    weights, emotion, picture = (Path(argument) for argument in arguments)
    cv2.setNumThreads(threads)
    frame = Frame(np.asarray(cv2.imread(str(picture)), np.uint8), 0, 0, "rival")
    yunet = weights / "yunet" / "yunet_n_320_320.onnx"
    find = _yunet(yunet, frame.image)
    face = find()

    def open_network(name: str) -> tuple[int, Callable[[], object]]:
        if name == "yunet":
            return yunet.stat().st_size, find
        if name == "aizoo":
            path = weights / "aizoo-facemask" / "face_mask_detection.tflite"
            ssd = Aizoo(_litert(path, threads))
            return path.stat().st_size, lambda: ssd(frame)
        if name == "mobilefacenet":
            path = weights / "mobilefacenet-foamliu" / "MobileFaceNet.onnx"
            embed = MobileFaceNet(_onnx(path, threads))
            return path.stat().st_size, lambda: embed(frame, face)
        feel = Xception(_litert(emotion, threads), EMOTIONS)
        return emotion.stat().st_size, lambda: feel(frame, face)

    return open_network


def _yunet(path: Path, image: NDArray[np.uint8]) -> Callable[[], Detection]:
    """Return a call that finds the surest face as OpenCV's samples do."""
    detector = cv2.FaceDetectorYN.create(str(path), "", (_SIDE, _SIDE))
    zoom = _SIDE / max(image.shape[:2])

    def find() -> Detection:
        small = cv2.resize(image, None, fx=zoom, fy=zoom)
        detector.setInputSize((small.shape[1], small.shape[0]))
        row = np.asarray(detector.detect(small)[1], np.float32)[0]
        # Its points begin with the person's right eye, which is the viewer's left.
        return Detection(row[:4] / zoom, float(row[14]), row[4:14].reshape(5, 2) / zoom)

    return find


def _onnx(path: Path, threads: int) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in session.get_inputs()]

    def run(inputs: Arrays) -> Arrays:
        # The file wants its channels first.
        planes = [np.ascontiguousarray(values.transpose(0, 3, 1, 2)) for values in inputs]
        return tuple(session.run(None, dict(zip(names, planes, strict=True))))

    return run


def _litert(path: Path, threads: int) -> Run:
    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    into = [detail["index"] for detail in interpreter.get_input_details()]
    out = [detail["index"] for detail in interpreter.get_output_details()]

    def run(inputs: Arrays) -> Arrays:
        for index, values in zip(into, inputs, strict=True):
            interpreter.set_tensor(index, values)
        interpreter.invoke()
        return tuple(interpreter.get_tensor(index) for index in out)

    return run
