"""A first card for a network: it parses, and says of every guess that it is one."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import DataError, EdgeError, MissingInput, UsageError
from export.cards.card import Card, read_card
from export.cards.guess import guess
from export.cards.init import card_text, write_card
from export.cards.look import End, Seen
from tests.export.tflite_maker import Maker, alter, make, ranges_of, samples_of, small, tensor

TORCH = importlib.util.find_spec("torch") is not None


def _card(folder: Path, inputs: list[tuple[int, ...]], **outputs: tuple[int, ...]) -> Card:
    """Return the card of a network with such inputs and outputs."""
    seen = Seen(
        "ONNX",
        (Path("net.onnx"),),
        tuple(End(f"in{i}", shape) for i, shape in enumerate(inputs)),
        tuple(End(name, shape) for name, shape in outputs.items()),
    )
    (folder / "model.toml").write_text(card_text(seen, guess(seen)))
    return read_card(folder / "model.toml", whole=False)


SHAPES: dict[str, tuple[list[tuple[int, ...]], dict[str, tuple[int, ...]], list[Any]]] = {
    # What a network is like: its inputs, its outputs, and task with (meaning, stride) of each.
    "embedding": ([(1, 112, 112, 3)], {"e": (1, 128)}, ["identity", ("embedding", 0)]),
    "emotions": ([(1, 64, 64, 1)], {"p": (1, 7)}, ["emotion", ("logits", 0)]),
    "mask states": ([(1, 96, 96, 3)], {"p": (1, 3)}, ["mask", ("logits", 0)]),
    "map": ([(1, 128, 128, 3)], {"m": (1, 128, 128, 1)}, ["map", ("map", 0)]),
    "editor": ([(1, 8, 8, 3), (1, 8, 8, 1)], {"y": (1, 8, 8, 3)}, ["edit", ("image", 0)]),
    "one grid": (
        [(1, 320, 320, 3)],
        {"cls": (1, 1600, 1), "bbox": (1, 400, 4), "kps": (1, 100, 10)},
        ["detect", ("scores", 8), ("boxes", 16), ("points5", 32)],
    ),
    "all grids in one": (
        [(1, 240, 320, 3)],
        {"boxes": (1, 4420, 4), "scores": (1, 4420, 2)},
        ["detect", ("boxes", 8), ("scores", 8)],
    ),
    "landmarks": ([(1, 112, 112, 3)], {"output": (1, 136)}, ["identity", ("embedding", 0)]),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_meanings_are_guessed_from_shapes(tmp_path: Path, kind: str) -> None:
    inputs, outputs, (task, *meanings) = SHAPES[kind]
    card = _card(tmp_path, inputs, **outputs)
    assert card.task == task
    assert [(o.meaning, o.stride) for o in card.outputs] == meanings
    assert [o.shape for o in card.outputs] == list(outputs.values())
    assert [i.shape for i in card.inputs] == inputs


def test_inputs_are_pictures_and_maps(tmp_path: Path) -> None:
    card = _card(tmp_path, [(1, 8, 8, 3), (1, 8, 8, 1)], y=(1, 8, 8, 3))
    assert [(i.meaning, i.colour) for i in card.inputs] == [("image", "RGB"), ("map", "")]
    assert _card(tmp_path, [(1, 8, 8, 1)], y=(1, 2)).inputs[0].colour == "GREY"
    assert card.inputs[0].mean == (127.5,)


def test_every_guess_is_marked(tmp_path: Path) -> None:
    _card(tmp_path, [(1, 320, 320, 3)], cls=(1, 1600, 1), p=(1, 7))
    for line in (tmp_path / "model.toml").read_text().splitlines():
        key = line.partition(" = ")[0]
        if key in ("task", "labels", "threshold", "kind", "meaning", "colour", "stride", "std"):
            assert "# guessed" in line, line
        if key in ("summary", "licence", "terms"):
            assert "# state" in line, line


def test_names_of_a_stranger_stay_comments(tmp_path: Path) -> None:
    name = 'x"\n[evidence]\npack = "\x00'
    card = _card(tmp_path, [(1, 8, 8, 3)], **{name: (1, 7)})
    assert card.evidence.pack == ""


def _write(folder: Path, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "Net 1.tflite").write_bytes(content)
    return folder / "Net 1.tflite"


def test_a_card_is_written_beside_its_network(tmp_path: Path) -> None:
    path = write_card(_write(tmp_path, make(small)), tmp_path)
    assert path == tmp_path / "model.toml"
    card = read_card(path, whole=False)
    assert (card.name, card.source, card.task) == ("net-1", "Net 1.tflite", "emotion")
    assert len(card.labels) == 4
    assert "its last operator is SOFTMAX" in path.read_text()


def test_a_network_is_copied_to_its_card(tmp_path: Path) -> None:
    network = _write(tmp_path / "old", make(small))
    write_card(network, tmp_path / "new" / "net")
    assert (tmp_path / "new" / "net" / network.name).read_bytes() == network.read_bytes()
    assert sorted(p.name for p in (tmp_path / "new" / "net").iterdir()) == [
        network.name, "model.toml",
    ]  # fmt: skip
    assert sorted(p.name for p in network.parent.iterdir()) == [network.name]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    network = _write(tmp_path / "old", make(small))
    (tmp_path / "old" / "model.toml").write_text("mine")
    with pytest.raises(UsageError, match=r"model\.toml: is there already"):
        write_card(network, network.parent)
    assert (tmp_path / "old" / "model.toml").read_text() == "mine"
    other = _write(tmp_path / "new", b"another")
    with pytest.raises(UsageError, match=r"Net 1\.tflite: is there already, and another"):
        write_card(network, other.parent)
    assert [p.name for p in other.parent.iterdir()] == [other.name]


def test_a_network_that_cannot_be_read_leaves_nothing_behind(tmp_path: Path) -> None:
    content = make(small)
    quantised = make(small, ranges_of(content, samples_of((1, 16, 16, 3))))
    for spoilt, why in ((quantised, "is quantised already"), (content[:99], "damaged")):
        network = _write(tmp_path / "old", spoilt)
        with pytest.raises(DataError, match=why):
            write_card(network, tmp_path / "new")
        assert not (tmp_path / "new").exists()
    with pytest.raises(MissingInput, match=r"none\.onnx"):
        write_card(tmp_path / "none.onnx", tmp_path)


def test_a_size_that_is_open_is_found_by_trying(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        tensor(model, "x").shapeSignature = np.array([1, -1, -1, 3], np.int32)

    network = _write(tmp_path / "old", alter(make(small), change))
    path = write_card(network, tmp_path / "new")
    assert "# guessed: the size is open; it runs at 320x320" in path.read_text()
    path = write_card(network, tmp_path / "given", input_hw=(16, 24))
    assert read_card(path, whole=False).inputs[0].shape == (1, 16, 24, 3)
    assert "the size is open" not in path.read_text()


def _scaled(m: Maker) -> None:
    """A network that scales the bytes itself."""
    x = m.input("x", (1, 8, 8, 3))
    gain = m.constant("gain", np.full((1, 8, 8, 3), 1 / 255, np.float32))
    y = m.mul("scaled", x, gain)
    m.output(m.conv("y", y, np.ones((1, 1, 1, 3)), np.zeros(1)))


def test_a_network_that_scales_its_input_takes_bytes_as_they_are(tmp_path: Path) -> None:
    card = read_card(write_card(_write(tmp_path, make(_scaled)), tmp_path), whole=False)
    assert (card.inputs[0].mean, card.inputs[0].std) == ((0.0,), (1.0,))


NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 3, 2, 1)
        self.head = nn.Linear(8 * 24 * 24, 7)

    def forward(self, picture, covered):
        x = torch.cat([picture, covered], 3).permute(0, 3, 1, 2)
        return self.head(self.conv(x).flatten(1))

def build():
    return Net()
"""


@pytest.mark.skipif(not TORCH, reason="needs PyTorch: pip install -e .[export]")
def test_a_recipe_is_built_and_its_size_found(tmp_path: Path) -> None:
    import torch

    from export.importers.load import build_network

    folder = tmp_path / "my_net"
    folder.mkdir()
    with pytest.raises(MissingInput, match=r"net\.py is not there to say of which network"):
        (folder / "best.pth").touch()
        write_card(folder / "best.pth", folder)
    (folder / "net.py").write_text(NET)
    torch.save(build_network(folder / "net.py").state_dict(), folder / "best.pth")
    card = read_card(write_card(folder / "best.pth", folder), whole=False)
    assert (card.name, card.source) == ("my-net", "net.py")
    assert [i.shape for i in card.inputs] == [(1, 48, 48, 3), (1, 48, 48, 1)]
    assert [i.mean for i in card.inputs] == [(128.0,), (128.0,)]
    assert [(o.meaning, o.shape) for o in card.outputs] == [("logits", (1, 7))]


@pytest.mark.skipif(not TORCH, reason="needs PyTorch: pip install -e .[export]")
def test_a_recipe_whose_weights_do_not_fit_is_told(tmp_path: Path) -> None:
    import torch

    (tmp_path / "net.py").write_text(NET)
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "best.pth")
    with pytest.raises(EdgeError, match=r"head\.weight is missing"):
        write_card(tmp_path / "net.py", tmp_path)
    assert not (tmp_path / "model.toml").exists()
