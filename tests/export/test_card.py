from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError, EdgeError, MissingInput
from export.cards.card import find_cards, read_card
from tests.export.makers import write_recipe


@pytest.fixture
def card_file(tmp_path: Path) -> Path:
    return write_recipe(tmp_path / "models", "mask") / "model.toml"


def test_a_card_is_read(card_file: Path) -> None:
    card = read_card(card_file)
    assert (card.name, card.task, card.folder) == ("mask", "mask", card_file.parent)
    assert card.inputs[0].shape == (1, 32, 32, 3)
    assert card.labels == ("masked", "unmasked", "incorrect")
    assert (card.threshold, card.temperature) == (0.9, 1.0)
    assert (card.calibration.count, card.evidence.metric) == (300, "accuracy")


def test_tuning_is_no_evidence_and_makes_its_own_pictures(tmp_path: Path) -> None:
    card = read_card(write_recipe(tmp_path, "mask", tuning="val") / "model.toml")
    assert card.tuning is not None
    assert (card.tuning.split, card.tuning.function) == ("val", "tuning")
    assert (card.evidence.split, card.evidence.function) == ("test", "evidence")
    assert card.training == ""


def test_our_own_cards_are_tuned_on_what_does_not_prove_them() -> None:
    cards = find_cards(Path(__file__).resolve().parents[2] / "models")
    for card in cards:
        assert card.tuning is not None, card.name
        assert card.tuning.split == "val", "a test split is never chosen on"
        assert card.tuning.metric == card.evidence.metric


WRONG = [
    (
        'licence = "Apache-2.0"',
        'licence = "x"\n[source]\ntraining = "hard"',
        "source.training: 'hard'",
    ),
    # what stands in the card, what is put there, what the message says
    ('task = "mask"', 'task = "paint"', "task: 'paint' is none of 'detect'"),
    ('task = "mask"', "", "task: is missing"),
    ('name = "mask"', "name = 3", "name: 3 is no text"),
    ("threshold = 0.9", "threshold = 2", r"contract.threshold: 2 is not between -1 and 1"),
    ("threshold = 0.9", "threshold = nan", r"contract.threshold: nan is not between"),
    ("threshold = 0.9", "treshold = 0.9", r"contract.treshold: is unknown; known are"),
    ('kind = "box"', 'kind = "round"', r"contract.crop.kind: 'round' is none of"),
    ("shape = [1, 32, 32, 3]", "shape = [1, 0]", r"contract.inputs\[0\].shape: \[1, 0\] is no"),
    ("shape = [1, 32, 32, 3]", "shape = 7", r"contract.inputs\[0\].shape: 7 is no shape"),
    ('colour = "BGR"', 'colour = "CMYK"', r"contract.inputs\[0\].colour: 'CMYK' is none of"),
    ("stride = 0", "stride = 8", r"contract.outputs\[0\].stride: 8 does not fit meaning 'logits'"),
    ("labels = ['masked', 'unmasked', 'incorrect']", "", "contract.labels: are missing"),
    ('meaning = "logits"', 'meaning = "embedding"', "contract.revision: is missing"),
    ("count = 300", "count = 12", "calibration.count: 12 is not between 300"),
    ("count = 300", "count = 300.5", "calibration.count: 300.5 is no whole number"),
    ("max_drop = 1.0", "max_drop = -1", "evidence.max_drop: -1 is not between 0"),
    ("max_drop = 1.0", "max_drop = true", "evidence.max_drop: True is not between 0"),
    ('packs = ["tiny"]', "packs = [1]", r"data.packs: \[1\] is no list of texts"),
    ("[data]", "data = 3\n[other]", "other: is unknown"),
    ("[calibration]", "[calibration", "no TOML"),
]


@pytest.mark.parametrize(
    ("old", "new", "message"), WRONG, ids=[new or old for old, new, _ in WRONG]
)
def test_a_wrong_card_is_refused(card_file: Path, old: str, new: str, message: str) -> None:
    text = card_file.read_text()
    assert old in text
    card_file.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message) as caught:
        read_card(card_file)
    assert "model.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_problem_is_named_at_once(card_file: Path) -> None:
    text = card_file.read_text()
    card_file.write_text(
        text.replace("threshold = 0.9", "threshold = 9").replace("count = 300", "count = 1")
    )
    with pytest.raises(ConfigError, match=r"contract\.threshold: .*; calibration\.count: "):
        read_card(card_file)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cut_or_altered_card_never_crashes(card_file: Path, data: st.DataObject) -> None:
    content = card_file.read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    card_file.write_bytes(content[:start] + data.draw(st.binary(max_size=4)) + content[end:])
    try:
        read_card(card_file)
    except EdgeError:
        pass
    finally:
        card_file.write_bytes(content)


def test_cards_come_in_the_order_of_the_river(tmp_path: Path) -> None:
    for task in ("mask", "detect"):
        write_recipe(tmp_path, task)
    assert [card.task for card in find_cards(tmp_path)] == ["detect", "mask"]
    assert [card.name for card in find_cards(tmp_path, ("mask",))] == ["mask"]
    with pytest.raises(MissingInput, match="no recipe 'nose'"):
        find_cards(tmp_path, ("nose",))
    (tmp_path / "mask").rename(tmp_path / "other")
    write_recipe(tmp_path, "mask")
    with pytest.raises(ConfigError, match="two recipes have task 'mask'"):
        find_cards(tmp_path)
    with pytest.raises(MissingInput, match=r"no folder with a model\.toml"):
        find_cards(tmp_path / "nowhere")
