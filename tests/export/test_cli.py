from __future__ import annotations

from pathlib import Path

import pytest

from export.cli import main
from tests.export.makers import write_recipe


def test_without_recipes_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    assert main(["make", "--out", str(out), "--models", str(tmp_path / "none")]) == 66
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "--models" in captured.err
    assert not out.exists()


def test_a_wrong_card_ends_with_its_own_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = write_recipe(tmp_path / "models", "detect") / "model.toml"
    card.write_text(card.read_text().replace('kind = "frame"', 'kind = "round"'))
    out = tmp_path / "bundle"
    assert main(["make", "--out", str(out), "--models", str(tmp_path / "models")]) == 78
    assert "contract.crop.kind" in capsys.readouterr().err
    assert not out.exists()


def test_verify_needs_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path / "none")]) == 66
    assert "no such folder" in capsys.readouterr().err
