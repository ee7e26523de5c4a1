"""Every network is what its card says, and the trainer reads a detector as the device does."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch: make test-export")

from edge.frames import Frame  # noqa: E402
from edge.stages import DetectStage  # noqa: E402
from export.cards.card import Card, find_cards  # noqa: E402
from models.detect.train import assign, decode  # noqa: E402
from tests.edge.scripted import ScriptedEngine  # noqa: E402
from tests.makers import make_contract  # noqa: E402

MODELS = Path(__file__).resolve().parents[2] / "models"
CARDS = find_cards(MODELS)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_network_has_the_shapes_of_its_card(card: Card) -> None:
    net = importlib.import_module(f"models.{card.name}.net").build().eval()
    with torch.no_grad():
        result = net(*(torch.zeros(tensor.shape) for tensor in card.inputs))
    outputs = result if isinstance(result, tuple) else (result,)
    assert [tuple(o.shape) for o in outputs] == [t.shape for t in card.outputs]


def test_every_recipe_has_a_page_and_a_card() -> None:
    for recipe in MODELS.glob("*/train.py"):
        assert (recipe.parent / "README.md").is_file()
        assert (recipe.parent / "model.toml").is_file()


def test_trainer_and_device_read_the_same_boxes() -> None:
    """Random raw outputs, one sure cell: both sides must say the same box and points."""
    rng = np.random.default_rng(4)
    contract = make_contract("detect")
    flat, chosen = [], 1700  # a cell of stride 16
    for spec in contract.outputs:
        steps = rng.integers(-20, 20, spec.shape)  # whole steps: nothing is lost in INT8
        values = (steps * spec.scale).astype(np.float32)
        flat.append(np.zeros_like(values) if spec.meaning == "scores" else values)
    flat[3][0, chosen - 1600] = 0.9
    corners, points = decode(
        torch.cat([torch.from_numpy(b) for b in flat[1::3]], 1),
        torch.cat([torch.from_numpy(p) for p in flat[2::3]], 1),
    )
    engine = ScriptedEngine(contract, *flat)
    found = DetectStage(engine, contract)(Frame(np.zeros((320, 320, 3), np.uint8), 0, 0, "test"))
    assert len(found) == 1
    x0, y0, x1, y1 = corners[0, chosen].tolist()
    np.testing.assert_allclose(found[0].box_xywh, [x0, y0, x1 - x0, y1 - y0], rtol=1e-4)
    np.testing.assert_allclose(found[0].points_5x2, points[0, chosen].numpy(), rtol=1e-4)


def test_a_face_of_any_size_has_a_cell() -> None:
    for side in (8, 12, 20, 38, 60, 100, 180, 300):
        boxes = torch.tensor([[[10.0, 6.0, side * 0.8, side]]])
        index, counts = assign(boxes, torch.tensor([[1]]))
        assert (index == 0).any(), side
        assert counts.all()


def test_cells_within_an_ignored_box_do_not_count() -> None:
    boxes = torch.tensor([[[100.0, 100.0, 64.0, 64.0]]])
    index, counts = assign(boxes, torch.tensor([[2]]))
    assert (index < 0).all()
    assert 0 < int((~counts).sum()) < 200
