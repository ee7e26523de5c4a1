"""From a recipe to a bundle with the real toolchain; only where it is installed."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.metrics import cosine
from edge.bundle import Bundle
from edge.errors import ConfigError, DataError, GateFailed, MissingInput
from tests.export.makers import write_data, write_recipe

if any(
    importlib.util.find_spec(name) is None
    for name in ("torch", "litert_torch", "ai_edge_quantizer", "safetensors")
):
    pytest.skip("needs the export toolchain: make test-export", allow_module_level=True)

# Everything below needs it; the modules themselves import it only when they run.
from benchmarks.anatomy.quiet import quiet
from export import verify
from export.calibration.ranges import byte_spans, observe
from export.cards.card import Card, read_card
from export.gate.compare import blamed, compare, prove
from export.gate.metric import figures_of
from export.gate.peers import Peers
from export.importers.load import load_module, load_network
from export.importers.weights import QUANTISATION_AWARE, TRAINING, WEIGHTS
from export.making.recipe import Settings
from export.making.recipes import Made, make
from export.making.steps import SKIPPED
from export.program.lower import lower_module
from export.program.lowered import Lowered, contract_of, real_values
from export.progress import Progress
from export.quantisation.quantise import quantise

with quiet():
    import torch
    from safetensors.torch import load_file, save, save_file


def _save_weights(folder: Path, **changes: Any) -> None:
    """Store a recipe's initial values, with some tensors changed or (None) left out."""
    tensors = {**load_module(folder / "net.py").build().state_dict(), **changes}
    save_file({n: t for n, t in tensors.items() if t is not None}, folder / WEIGHTS)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two recipes in ``models`` and their pictures in ``data``."""
    home = tmp_path_factory.mktemp("home")
    write_data(home / "data")
    for task in ("detect", "mask"):
        _save_weights(write_recipe(home / "models", task))
    return home


def _settings(home: Path, **changes: Any) -> Settings:
    settings = Settings(models=home / "models", data=home / "data", work=home / "work")
    return replace(settings, **changes)


@pytest.fixture(scope="module")
def made(home: Path) -> Made:
    return make(home / "bundle", _settings(home))


@pytest.fixture(scope="module")
def card(home: Path) -> Card:
    return read_card(home / "models" / "mask" / "model.toml")


@pytest.fixture(scope="module")
def exact(card: Card) -> Lowered:
    return _lowered(load_network(card), card)


def _lowered(network: Any, card: Card) -> Lowered:
    content = lower_module(network, [t.shape for t in card.inputs], where="net.py")
    contract = contract_of(content, "tflite", card=card, name=card.name)
    return Lowered(card.name, "tflite", "fp32", content, contract)


def _inputs(count: int, seed: int = 0) -> list[tuple[Any, ...]]:
    """Return pictures from dark to bright as the network's input."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(20, 235, count)
    noise = rng.integers(-20, 20, (count, 1, 32, 32, 3))
    return [((level + n).astype(np.uint8),) for level, n in zip(levels, noise, strict=True)]


def _quantised(exact: Lowered, card: Card, *, narrow: float = 1.0) -> Lowered:
    """Return the INT8 file; with ranges that are too narrow where ``narrow`` is below 1."""
    specs = exact.contract.inputs
    samples = (real_values(specs, sample) for sample in _inputs(50))
    ranges = observe(exact.content, samples, spans=byte_spans(specs), where=exact.name)
    if narrow < 1:
        ranges = ranges.replaced({n: (a * narrow, b * narrow) for n, (a, b) in ranges.items()})
    content = quantise(exact.content, ranges)
    contract = contract_of(content, "tflite", card=card, name=card.name)
    return Lowered(card.name, "tflite", "int8", content, contract)


def test_the_bundle_opens_with_its_evidence(made: Made, home: Path) -> None:
    bundle = Bundle.open(home / "bundle")
    assert bundle.tasks == ("detect", "mask")
    evidence = bundle.artefact("mask").evidence
    assert (evidence.metric, evidence.n, evidence.data) == ("accuracy", 12, "tiny/test")
    assert (evidence.float_value, evidence.artefact_value) == (1.0, 1.0)
    assert evidence.cosine_min is not None and evidence.cosine_min > 0.99
    assert len(evidence.data_sha256) == 64
    assert evidence.max_drop == 1.0, "what the card allows, for the race on the device"


def test_an_int8_picture_is_the_cameras_bytes(made: Made) -> None:
    for task in ("detect", "mask"):
        spec = made.bundle.artefact(task).contract.inputs[0]
        assert (spec.dtype, spec.scale, spec.zero_point) == ("int8", 1 / 128, 0)
    scores = made.bundle.artefact("detect").contract.outputs[0]
    assert (scores.scale, scores.zero_point) == (1 / 256, -128)


def test_unchanged_steps_are_skipped_and_the_bytes_are_the_same(made: Made, home: Path) -> None:
    lines: list[str] = []
    progress = Progress(lines.append)
    again = make(home / "again", _settings(home), say=progress)
    assert progress.done == progress.expected, "what is skipped is a step as well"
    steps = ("lower", "calibrate", "tflite-int8", "verify-tflite-int8", "record")
    for task in ("detect", "mask"):
        assert [f"{task}: {step}: {SKIPPED}" in lines for step in steps] == [True] * len(steps)
    for task in ("detect", "mask"):
        assert again.bundle.artefact(task).content == made.bundle.artefact(task).content
    lines.clear()
    make(home / "again", _settings(home, limit=8, only=("mask",)), say=lines.append)
    assert f"mask: record: {SKIPPED}" in lines
    assert f"mask: verify-tflite-int8: {SKIPPED}" not in lines
    assert Bundle.open(home / "again").artefact("mask").evidence.n == 8


def test_lowering_twice_gives_the_same_bytes(card: Card, exact: Lowered) -> None:
    assert _lowered(load_network(card), card).content == exact.content


def test_float_and_torch_agree(card: Card, exact: Lowered) -> None:
    pixels = _inputs(1)[0][0]
    with torch.no_grad():
        wanted = load_network(card)(torch.from_numpy(pixels.astype(np.float32) / 128 - 1))
    with exact.open() as engine:
        engine.inputs[0][...] = pixels.astype(np.float32) / 128 - 1
        engine.run()
        np.testing.assert_allclose(engine.outputs[0], wanted.numpy(), atol=1e-6)


def test_int8_stays_near_float(card: Card, exact: Lowered) -> None:
    likeness = compare(exact, _quantised(exact, card), _inputs(20, seed=1))
    assert likeness.cosine_min > 0.999
    assert likeness.sqnr_db > 25


def test_a_dead_output_is_caught(card: Card, exact: Lowered) -> None:
    network = load_network(card)
    with torch.no_grad():  # the logits move by less than a step around a large constant
        network.gain.weight.mul_(1e-3)
        network.gain.bias.fill_(5.0)
    dying = _lowered(network, card)
    with pytest.raises(GateFailed, match=r"output_0|gain") as caught:
        compare(dying, _quantised(dying, card), _inputs(20, seed=1))
    assert caught.value.exit_code == 3


def test_a_loss_beyond_the_card_is_refused_with_both_figures(
    home: Path, made: Made, card: Card, exact: Lowered
) -> None:
    network = load_network(card)
    with torch.no_grad():
        network.gain.weight.neg_()  # takes every bright picture for a dark one
    wrong = _quantised(_lowered(network, card), card)
    strict = replace(card, evidence=replace(card.evidence, max_drop=0.015))
    with _peers(made) as peers:
        figures = figures_of(strict, exact, peers, home / "data", None)
        likeness = compare(exact, exact, _inputs(2))
        with pytest.raises(GateFailed, match=r"is 0\.0000 and 1\.0000 in float") as caught:
            prove(strict, figures, wrong, likeness, peers, home / "data")
        assert caught.value.exit_code == 3
        near = replace(strict, evidence=replace(strict.evidence, min_sqnr_db=98.0))
        poor = replace(likeness, sqnr_db=20.0)
        with pytest.raises(GateFailed, match="SQNR in dB of its outputs is 20"):
            prove(near, figures, exact, poor, peers, home / "data")


def test_a_failure_names_the_layers_that_cost_most(card: Card, exact: Lowered) -> None:
    error = GateFailed("too much is lost", hint="train", code="export.drop")
    told = blamed(error, exact, _quantised(exact, card, narrow=0.3), _inputs(6, seed=1))
    assert told.what.startswith("too much is lost; most noise comes from ")
    assert (told.hint, told.code) == ("train", "export.drop")


def test_a_folder_without_a_detector_is_proven_with_the_one_that_ships(home: Path) -> None:
    alone = home / "alone"
    alone.mkdir()
    (alone / "mask").symlink_to(home / "models" / "mask")
    bundle = make(home / "lone", _settings(home, models=alone, work=home / "lone-work")).bundle
    assert bundle.tasks == ("mask",)
    (line,) = verify(home / "lone", models=alone, data=home / "data")
    assert line.startswith("mask.int8.tflite: accuracy ")


def _peers(made: Made) -> Peers:
    (detector,) = made.networks[0].artefacts
    lowered = Lowered("detect", "tflite", "int8", detector.content, detector.contract)
    return Peers({"detect": lowered})


def test_a_metric_that_the_task_does_not_have_is_named(
    home: Path, made: Made, card: Card, exact: Lowered
) -> None:
    odd = replace(card, evidence=replace(card.evidence, metric="beauty"))
    with _peers(made) as peers, pytest.raises(ConfigError, match="'beauty' is none of accuracy"):
        figures_of(odd, exact, peers, home / "data", None)


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_other_artefacts_are_proven_in_their_own_runtime(home: Path, format: str) -> None:
    precisions = ("fp16", "int8")
    wanted = tuple((format, precision) for precision in precisions)
    settings = _settings(home, only=("mask",), wanted=wanted)
    bundle = make(home / f"both-{format}", settings).bundle
    engine = {"tflite": "tflite", "onnx": "onnxruntime"}[format]
    for precision in precisions:
        artefact = bundle.artefact("mask", engine, precision)
        assert artefact.evidence.engine.startswith(engine)
        assert artefact.audit is not None
        assert ("int8" in artefact.audit.label) == (precision == "int8")
    calibration = bundle.networks["mask"].calibration
    assert calibration is not None and calibration.count >= 300


def test_layers_are_not_chosen_on_the_data_that_proves_them(home: Path) -> None:
    settings = _settings(home, only=("mask",), max_points=0.5, work=home / "other")
    with pytest.raises(ConfigError, match="tuning: is missing"):
        make(home / "mixed", settings)
    assert not (home / "mixed").exists()


def test_a_drop_is_held_on_the_tuning_data_and_all_means_are_told(home: Path) -> None:
    folder = write_recipe(home / "tuned", "mask", tuning="val")
    network = load_module(folder / "net.py").build()
    tensors = {name: tensor.half() for name, tensor in network.state_dict().items()}
    (folder / WEIGHTS).write_bytes(save(tensors, {TRAINING: QUANTISATION_AWARE}))
    lines: list[str] = []
    progress = Progress(lines.append)
    settings = _settings(
        home, models=home / "tuned", work=home / "tuned-work", max_points=0.5, equalise=True,
        correct=True, wanted=(("tflite", "fp32"), ("tflite", "int8")),
    )  # fmt: skip
    made = make(home / "tuned-bundle", settings, say=progress)
    assert progress.done == progress.expected
    assert "mask: layers are chosen on tiny/val, accuracy" in lines
    means = (
        "quantisation-aware training", "cross-layer equalisation", "bias correction",
        "mixed precision: 0 layers in float",
    )  # fmt: skip
    audits = {a.precision: a.audit for a in made.bundle.artefacts}
    assert audits["int8"] is not None and audits["int8"].means == means
    assert audits["fp32"] is not None and audits["fp32"].means == ()
    assert [row.means for row in made.rows] == [(), means]


def test_a_card_of_another_shape_is_refused(card: Card, exact: Lowered) -> None:
    wider = replace(card, outputs=(replace(card.outputs[0], shape=(1, 4)),))
    with pytest.raises(ConfigError, match=r"says \[\[1, 4\]\] and the network has \[\[1, 3\]\]"):
        contract_of(exact.content, "tflite", card=wider, name="mask")


WEIGHT = torch.zeros(3, 3)
BAD_WEIGHTS = {
    "is missing": {"gain.bias": None},
    "is not in the network": {"nose": WEIGHT},
    r"has shape \[2, 2\] and the network \[3, 3\]": {"gain.weight": torch.zeros(2, 2)},
    "not finite": {"gain.weight": WEIGHT + float("nan")},
}


@pytest.mark.parametrize(("message", "changes"), BAD_WEIGHTS.items())
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, message: str, changes: dict[str, Any]
) -> None:
    folder = write_recipe(tmp_path, "mask")
    card = read_card(folder / "model.toml")
    with pytest.raises(MissingInput, match="edge-train mask"):
        load_network(card)
    _save_weights(folder, **changes)
    with pytest.raises(DataError, match=message):
        load_network(card)
    (folder / WEIGHTS).write_bytes(b"\xff" * 40)
    with pytest.raises(DataError, match="no safetensors file"):
        load_network(card)


def test_half_precision_weights_are_read(tmp_path: Path) -> None:
    folder = write_recipe(tmp_path, "mask")
    _save_weights(folder, **{"gain.weight": WEIGHT.half() + 0.5})
    assert load_file(folder / WEIGHTS)["gain.weight"].dtype == torch.float16
    network = load_network(read_card(folder / "model.toml"))
    assert network.gain.weight.dtype == torch.float32
    assert cosine(network.gain.weight.detach().numpy(), np.ones((3, 3))) == pytest.approx(1)


def test_a_recipe_that_breaks_is_named(tmp_path: Path) -> None:
    folder = write_recipe(tmp_path, "mask")
    card = read_card(folder / "model.toml")
    (folder / "net.py").write_text("import nothing_of_this_name")
    with pytest.raises(ConfigError, match=r"net\.py: ModuleNotFoundError"):
        load_network(card)
    (folder / "net.py").write_text("x = 1")
    with pytest.raises(ConfigError, match=r"no function build\(\)"):
        load_network(card)
