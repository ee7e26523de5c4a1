"""What the tests on the stand-in share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trt.play import Play, play


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Play:
    """A board whose engines and key lie in the test's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("CACHE_DIRECTORY", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    return lambda **settings: play(monkeypatch, tmp_path, **settings)
