"""The rivals: which networks one masked face goes through in each, and what they need."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KINDS", "Kind"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One rival system.

    Attributes:
        name: of the kind.
        says: what is timed, for people.
        module: has ``opener(threads, arguments)``; it alone imports the rival's libraries.
        chain: what one masked face goes through, one after the other.
        apart: timed beside the chain.
        threads: of its libraries.
        weights: whether it needs the folder of strangers' weights.
        random: whether its weights are random: time depends on shapes alone.
    """

    name: str
    says: str
    module: str
    chain: tuple[str, ...]
    apart: tuple[str, ...] = ()
    threads: int = 2
    weights: bool = False
    random: bool = True


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "seeds",
            "the seeds' float networks in TensorFlow, without finding or aligning the face",
            "benchmarks.peers.seeds_worker",
            chain=("A1", "B1", "B2", "C2", "A4"),
            apart=("A2",),
        ),
        Kind(
            "public",
            "YuNet (OpenCV), AIZOO (LiteRT), MobileFaceNet (ONNX Runtime) and mini-XCEPTION "
            "(LiteRT), float, from picture to answer; nothing is reconstructed",
            "benchmarks.peers.public_worker",
            chain=("yunet", "aizoo", "mobilefacenet", "mini-xception"),
            threads=1,
            weights=True,
            random=False,
        ),
        Kind(
            "deepface",
            "deepface's default networks for one face, VGG-Face and emotion",
            "benchmarks.peers.deepface_worker",
            chain=("VGG-Face", "Emotion"),
            apart=("Facenet512",),
        ),
        Kind(
            "insightface",
            "insightface's recogniser on the shape of its embedding network IResNet-50",
            "benchmarks.peers.insightface_worker",
            chain=("iresnet50",),
        ),
    )
}
