"""The command as a user runs it, and one tiny network all the way through."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.faces import FaceFinder
from benchmarks.figures import Figures, Measure, share
from benchmarks.foreign.network import Feed, Network, Trial
from benchmarks.foreign.paired import Outcomes
from benchmarks.foreign.picture import Run
from benchmarks.metrics import sqnr_db
from benchmarks.packs import Pack
from edge.errors import DataError, MissingInput
from edge.frames import Frame
from export.cache import digest
from export.proof.__main__ import main
from export.proof.engines import open_original
from export.proof.judge import Settings
from export.proof.page import page
from export.proof.prove import WANTED, prove
from export.proof.record import record
from export.proof.row import ORIGINAL
from export.proof.subject import of_network
from tests.export.makers import write_data
from tests.export.test_proof_engines import FLOAT, PICTURE

WHOLE = FaceFinder(lambda frame: [])


def _prepare(frame: Frame) -> tuple:
    return (PICTURE.real(frame.image[:16, :16]),)


def _judge(run: Run, pack: Pack, finder: FaceFinder, limit: int | None) -> Figures:
    """Count how often the first label is likeliest for a bright picture."""
    hits = 0
    rows = pack.rows("test")
    for row in rows:
        (shares,) = run(_prepare(Frame(pack.image(row["file"]), 0, 0, row["file"])))
        hits += (shares.argmax() == 0) == (row["label"] == "masked")
    return Figures("tiny", "tiny/test", len(rows), {"accuracy": share(hits, len(rows))}, 0, 0.1)


def _network(weights: Path, **changes: object) -> Network:
    weights.mkdir(exist_ok=True)
    (weights / "small.tflite").write_bytes(FLOAT)
    return dataclasses.replace(
        Network(
            name="small",
            file="small.tflite",
            sha256=hashlib.sha256(FLOAT).hexdigest(),
            licence="Apache-2.0",
            picture=PICTURE,
            trials=(Trial("tiny", ("accuracy",), _judge),),
            feeds=(Feed("tiny", "train", lambda frame, pack, finder: _prepare(frame)),),
        ),
        **changes,
    )


def _settings(folder: Path, said: list[str]) -> Settings:
    return Settings(folder / "data", folder / "work", WHOLE, digest(""), None, said.append)


def test_a_network_goes_all_the_way_and_a_second_run_makes_nothing_again(tmp_path: Path) -> None:
    pytest.importorskip(
        "ai_edge_quantizer", reason="needs ai-edge-quantizer: pip install -e .[export]"
    )
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install -e .[export]")
    write_data(tmp_path / "data")
    network, said = _network(tmp_path / "weights"), []
    settings = _settings(tmp_path, said)
    row = prove(of_network(network, tmp_path / "weights", settings.data, WHOLE), settings)
    assert [(made.format, made.precision) for made in row.artefacts] == list(WANTED)
    assert [made.stopped for made in row.artefacts] == [""] * len(WANTED)
    exact, _, int8, _, _ = row.artefacts
    assert min(exact.sqnr_db) == 99
    assert min(int8.sqnr_db) > 25
    assert int8.label.startswith("int8")
    (tried,) = row.trials
    assert set(tried.figures) == {ORIGINAL, "tflite int8", "onnx int8"}
    assert abs(tried.loss("tflite int8")) < 20
    said.clear()
    again = prove(of_network(network, tmp_path / "weights", settings.data, WHOLE), settings)
    assert again.to_json() == row.to_json()
    assert said
    assert all(line.endswith("unchanged, skipped") for line in said)


def _strict(weights: Path) -> Trial:
    """Judge by how near the outputs are to the original's: 49 dB and more are perfect."""
    original = open_original(weights / "small.tflite")

    def judge(run: Run, pack: Pack, finder: FaceFinder, limit: int | None) -> Figures:
        made = [_prepare(Frame(pack.image(row["file"]), 0, 0, "")) for row in pack.rows("test")]
        wanted, found = ([opened(inputs)[0] for inputs in made] for opened in (original, run))
        near = min(sqnr_db(wanted, found) / 49, 1.0)
        return Figures("t", "tiny/test", len(made), {"near": Measure(near, (0, 1), 12)}, 0, 0.1)

    return Trial("tiny", ("near",), judge)


def test_a_network_that_lost_too_much_is_brought_back_with_layers_in_float(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A network as small as this one is nearer to float than any real one.
    monkeypatch.setattr("export.proof.mend.ENOUGH_DB", 49.0)
    pytest.importorskip(
        "ai_edge_quantizer", reason="needs ai-edge-quantizer: pip install -e .[export]"
    )
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install -e .[export]")
    write_data(tmp_path / "data")
    weights, said = tmp_path / "weights", []
    network = _network(weights)
    network = dataclasses.replace(network, trials=(_strict(weights),))
    settings = _settings(tmp_path, said)
    row = prove(of_network(network, weights, settings.data, WHOLE), settings)
    (tried,) = row.trials
    assert row.mended[0].format == "tflite"
    for mended, made in zip(row.mended, row.artefacts[len(WANTED) :], strict=True):
        assert made.key == f"{mended.format} mixed"
        assert mended.reached
        assert mended.keep_float
        assert tried.loss(f"{mended.format} int8") > 1 >= tried.loss(made.key)
        assert made.label != "int8"  # it is not plainly called INT8 any more
    text = page(record(["small"], {"small": row}, {}, limit=None))
    kept = f"| {len(row.mended[0].keep_float)} of {row.mended[0].layers} |"
    assert kept in text.partition("What mixed precision")[2]
    said.clear()
    again = prove(of_network(network, weights, settings.data, WHOLE), settings)
    assert again.to_json() == row.to_json()
    assert all(line.endswith("unchanged, skipped") for line in said)


def _moving(weights: Path, *, tuned_loss: float) -> Trial:
    """Lose points at the trial, and so many on training data, by more than the output's rounding.

    A network that is float but for its output is off by half a step of 1/256 at most.
    """
    original = open_original(weights / "small.tflite")
    pictures = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
    inputs = [(PICTURE.real(pixels),) for pixels in pictures]

    def judged(data: str, lost: float) -> Callable[..., Figures]:
        def judge(run: Run, pack: Pack, finder: FaceFinder, limit: int | None) -> Figures:
            off = max(float(np.abs(run(x)[0] - original(x)[0]).max()) for x in inputs)
            measure = Measure(0.9 - (off > 0.55 / 256) * lost / 100, (0, 1), 12)
            return Figures("t", data, 12, {"near": measure}, 0, 0.1)

        return judge

    def outcomes(run: Run, pack: Pack, limit: int | None) -> Outcomes:
        return {"near": np.array([[9, 10], [8, 10]], float)}

    tuning = Trial("tiny", ("near",), judged("tiny/train", tuned_loss))
    return Trial("tiny", ("near",), judged("tiny/test", 2.0), outcomes, tuning)


@pytest.mark.parametrize("tuned_loss", [2.0, 0.4])
def test_outputs_that_are_near_are_searched_by_the_task_on_training_data(
    tmp_path: Path, tuned_loss: float
) -> None:
    pytest.importorskip(
        "ai_edge_quantizer", reason="needs ai-edge-quantizer: pip install -e .[export]"
    )
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install -e .[export]")
    write_data(tmp_path / "data")
    weights, said = tmp_path / "weights", []
    network = dataclasses.replace(
        _network(weights), trials=(_moving(weights, tuned_loss=tuned_loss),)
    )
    settings = _settings(tmp_path, said)
    row = prove(of_network(network, weights, settings.data, WHOLE), settings)
    tflite = row.mended[0]
    assert tflite.tuned is not None
    assert tflite.tuned["data"] == "tiny/train"
    assert tflite.tuned["loss_points"]["int8"] == tuned_loss
    if tuned_loss > 1:
        assert tflite.reached
        assert tflite.keep_float
        assert tflite.tuned["loss_points"]["mixed"] == 0
        assert row.trials[0].loss("tflite mixed") == 0
    else:
        assert tflite.keep_float == ()
        assert row.trials[0].loss("tflite mixed") == pytest.approx(2)
    assert row.trials[0].paired["tflite int8"] == {"near": [0, 0, 0]}
    text = page(record(["small"], {"small": row}, {}, limit=None))
    note = next(line for line in text.splitlines() if line.startswith("- small, tflite, on 12"))
    assert ("become 0.00" if tuned_loss > 1 else "nothing to search for") in note
    assert "| +0.00 to +0.00 / +0.00 to +0.00 |" in text


def test_a_network_that_paints_is_brought_as_near_as_it_must_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.proof.mend._RANKED_ON", 32)  # all that are held back
    pytest.importorskip(
        "ai_edge_quantizer", reason="needs ai-edge-quantizer: pip install -e .[export]"
    )
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install -e .[export]")
    write_data(tmp_path / "data")
    weights, said = tmp_path / "weights", []
    network, settings = _network(weights), _settings(tmp_path, said)
    subject = of_network(network, weights, settings.data, WHOLE)
    subject = dataclasses.replace(subject, trials=(), least_db=47.5)
    row = prove(subject, settings)
    for mended, made in zip(row.mended, row.artefacts[len(WANTED) :], strict=True):
        assert mended.reached
        assert 0 < len(mended.keep_float) <= mended.layers
        assert min(made.sqnr_db) >= 47.5
    text = page(record(["small"], {"small": row}, {}, limit=None))
    assert "asked to be 48 dB near" in text
    assert f"| small | tflite | {len(row.mended[0].keep_float)} of {row.mended[0].layers} |" in text
    assert "What mixed precision brings back" not in text


def test_what_does_not_convert_is_told_in_every_artefact(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    network, said = _network(tmp_path / "weights"), []
    settings = _settings(tmp_path, said)
    subject = of_network(network, tmp_path / "weights", settings.data, WHOLE)

    def load() -> bytes:
        raise DataError("small.tflite: operator TOPK_V2 is not supported")

    row = prove(dataclasses.replace(subject, load=load), settings)
    assert len(row.artefacts) == len(WANTED)
    assert all("TOPK_V2" in made.stopped for made in row.artefacts)
    assert row.converts_s is None
    assert set(row.trials[0].figures) == {ORIGINAL}  # its float figure stands all the same


def test_a_network_that_stays_as_it_is_is_judged_and_not_converted(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    network, said = _network(tmp_path / "weights", stays="it is INT8 already"), []
    settings = _settings(tmp_path, said)
    row = prove(of_network(network, tmp_path / "weights", settings.data, WHOLE), settings)
    assert row.absent == "it is INT8 already"
    assert row.artefacts == ()
    assert set(row.trials[0].figures) == {ORIGINAL}


def test_another_file_of_that_name_is_not_that_network(tmp_path: Path) -> None:
    network = _network(tmp_path)
    (tmp_path / "small.tflite").write_bytes(FLOAT + b"\0")
    with pytest.raises(DataError, match="not the file that the catalogue speaks of"):
        of_network(network, tmp_path, tmp_path, WHOLE)
    (tmp_path / "small.tflite").unlink()
    with pytest.raises(MissingInput, match="not at hand"):
        of_network(network, tmp_path, tmp_path, WHOLE)


def _run(folder: Path, *more: str) -> int:
    folders = ["--weights", str(folder), "--data", str(folder), "--work", str(folder / "work")]
    return main([*folders, "--out", str(folder / "out.json"), *more])


def test_networks_that_are_not_at_hand_keep_their_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    assert _run(tmp_path, "--only", "aizoo", "w600k-mbf", "--page", str(page)) == 0
    rows = json.loads((tmp_path / "out.json").read_bytes())["rows"]
    assert [row["name"] for row in rows] == ["aizoo", "w600k-mbf"]
    assert all(row["absent"] for row in rows)
    assert page.read_text() == capsys.readouterr().out.rstrip("\n") + "\n"
    assert _run(tmp_path, "--only", "pfld", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in printed["rows"]] == ["aizoo", "pfld", "w600k-mbf"]


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--only", "nobody"), 64, "there is no network 'nobody'"),
        (("--limit", "0"), 64, "--limit"),
    ],
)
def test_a_wrong_argument_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], code: int, said: str
) -> None:
    assert _run(tmp_path, *more) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()
