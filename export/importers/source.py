"""Open a trained network of any format and turn it into the float program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import ConfigError, MissingInput, UsageError
from export.cache import digest, digest_code, digest_files
from export.cards.card import Card, TensorCard
from export.importers.shapes import turns
from export.importers.weights import KINDS as WEIGHTS
from export.importers.weights import find_weights, training_of
from export.program.lower import lower_module

if TYPE_CHECKING:
    from torch import nn

__all__ = ["KINDS", "Source", "find_source"]

#: What a network file may be, by the end of its name; a SavedModel is a folder.
KINDS = {
    ".py": "recipe",
    ".pt2": "program",
    ".onnx": "onnx",
    ".keras": "keras",
    ".h5": "keras",
    ".hdf5": "keras",
    ".tflite": "tflite",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A network file and how it is to be read.

    Attributes:
        path: of the file, or of a SavedModel's folder.
        kind: a value of ``KINDS``.
        size_hw: height and width for a network that leaves them open.
        card: what its tensors mean; None for a bare file.
    """

    path: Path
    kind: str
    size_hw: tuple[int, int] | None
    card: Card | None

    @property
    def name(self) -> str:
        """Name of the network: its card's, or its file's."""
        return self.card.name if self.card else self.path.stem

    @property
    def key(self) -> str:
        """Digest of everything that takes part in the float program."""
        card = self.card
        return digest(
            self.kind,
            self.size_hw,
            _content_digest(self.path),
            (card.inputs, card.outputs) if card else None,
            # A recipe is built of its own file and of what recipes share; its weights lie there.
            digest_files(card.folder.parent, "*.py", "*/net.py") if card else "",
            digest_files(card.folder, "weights.*") if card else "",
            digest_code("export/importers/*.py", "export/importers/*/*.py"),
        )

    @property
    def training(self) -> str:
        """How the weights were trained, where that was for INT8: by their file, or their card.

        Raises:
            DataError: the file of weights is damaged.
        """
        if self.card is None:
            return ""
        stored = training_of(find_weights(self.card.folder)) if self.kind == "recipe" else ""
        return stored or self.card.training

    def load(self) -> bytes:
        """Return the float program: a float TFLite file with the signature ``serving_default``.

        Raises:
            MissingInput: there is no such file.
            DataError: it is damaged, or not what its name says.
            ConfigError: an operator is not supported, or a size is missing.
            UnavailableError: the library that reads it is not installed.
        """
        return _LOADERS[self.kind](self)


def find_source(
    path: Path, *, card: Card | None = None, size_hw: tuple[int, int] | None = None
) -> Source:
    """Say what kind of network a path holds, by its name.

    Args:
        path: a network file or a SavedModel; with a card also the recipe's folder, or its weights.
        card: what its tensors mean.
        size_hw: height and width for a network that leaves them open.

    Raises:
        MissingInput: there is nothing.
        UsageError: it is no network file.
    """
    if not path.exists():
        raise MissingInput(f"{path}: there is no such file", code="source.missing")
    if card is not None and (path == card.folder or _is_weights_of(path, card)):
        return find_source(card.folder / card.source, card=card, size_hw=size_hw)
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return Source(path, "keras", size_hw, card)
        raise UsageError(
            f"{path}: is a folder and no SavedModel",
            hint="name a network file, or a recipe's folder with its model.toml",
            code="source.kind",
        )
    kind = KINDS.get(path.suffix.lower())
    if kind is None or (kind == "recipe" and card is None):
        raise UsageError(
            f"{path}: is no network file; known are {', '.join(k for k in KINDS if k != '.py')} "
            "and the folder of a SavedModel",
            hint="for weights alone (.pt, .pth, .safetensors) write net.py and a card beside them",
            code="source.kind",
        )
    return Source(path, kind, size_hw, card)


def _is_weights_of(path: Path, card: Card) -> bool:
    """Tell whether a file holds the weights that a recipe is exported with.

    Raises:
        UsageError: the recipe is exported with others.
    """
    if path.suffix not in WEIGHTS or KINDS.get(Path(card.source).suffix) != "recipe":
        return False
    used = find_weights(card.folder)
    if not path.samefile(used):
        raise UsageError(
            f"{path}: the recipe beside it is exported with {used.name}",
            hint=f"name it weights{path.suffix}, and keep no other there",
            code="source.kind",
        )
    return True


def _from_recipe(source: Source) -> bytes:
    from export.importers.load import load_network

    card = source.card
    assert card is not None, "find_source gives every recipe its card"
    shapes = [tensor.shape for tensor in card.inputs]
    return lower_module(_normalised(load_network(card), card), shapes, where=str(source.path))


def _from_onnx(source: Source) -> bytes:
    from export.importers.onnx import open_onnx

    network = open_onnx(source.path, input_hw=source.size_hw)
    module = _as_said(network.module, [o.shape for o in network.outputs], source.card)
    return lower_module(module, [i.shape for i in network.inputs], where=str(source.path))


def _from_program(source: Source) -> bytes:
    from export.importers.program import open_program

    network = open_program(source.path, input_hw=source.size_hw)
    module = _as_said(network.module, [o.shape for o in network.outputs], source.card)
    return lower_module(module, network.shapes, where=str(source.path))


def _from_keras(source: Source) -> bytes:
    from export.importers.keras import open_keras

    _refuse_channels(source)
    return open_keras(source.path, input_hw=source.size_hw)


def _from_tflite(source: Source) -> bytes:
    from export.importers.tflite import open_tflite

    _refuse_channels(source)
    return open_tflite(source.path, input_hw=source.size_hw)


_LOADERS: dict[str, Callable[[Source], bytes]] = {
    "recipe": _from_recipe,
    "onnx": _from_onnx,
    "program": _from_program,
    "keras": _from_keras,
    "tflite": _from_tflite,
}


def _as_said(
    network: nn.Module, outputs: Sequence[tuple[int, ...]], card: Card | None
) -> nn.Module:
    """Make a network take and give what its card says; see ``export.importers.shapes``."""
    if card is None:
        return network
    turned = [turns(shape, said) for shape, said in zip(outputs, card.outputs, strict=False)]
    if any(turned) and len(outputs) == len(card.outputs):
        from export.importers.layout import ChannelsLast

        network = ChannelsLast(network, [False] * len(card.inputs), turned)
    return _normalised(network, card)


def _normalised(network: nn.Module, card: Card) -> nn.Module:
    """Put an operator in front of a network whose means differ from channel to channel."""
    if not any(map(_apart, card.inputs)):
        return network
    from export.importers.channels import Channels

    return Channels(network, [(t.mean, t.std) if _apart(t) else None for t in card.inputs])


def _apart(tensor: TensorCard) -> bool:
    return len(tensor.mean) > 1 or len(tensor.std) > 1


def _refuse_channels(source: Source) -> None:
    card = source.card
    if card and any(map(_apart, card.inputs)):
        raise ConfigError(
            f"{card.folder / 'model.toml'}: one mean a channel needs an operator in front of the "
            f"network, and none can be put in front of {source.path.name}",
            hint="give one mean and one std, or normalise within the network",
            code="card.mean",
        )


def _content_digest(path: Path) -> str:
    """Digest a file and, for an ONNX file, what its folder holds for it; or a whole folder."""
    if path.is_dir():
        return digest_files(path, "**/*")
    return digest_files(
        path.parent, path.name, *(("*.data", "*.bin") if path.suffix == ".onnx" else ())
    )
