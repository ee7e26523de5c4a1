"""What a capture process costs, measured over a few frames."""

from __future__ import annotations

import pytest

from benchmarks import capture


def test_every_part_of_the_way_is_measured() -> None:
    cost = capture.measure(64, 48, 5)
    assert (cost.width, cost.height, cost.ring_mib) == (64, 48, 12 * 4096 / 2**20)
    assert 0 < cost.write_ms < 100 and 0 < cost.read_ms < 100
    assert 0 < cost.handover_ms <= cost.handover_p99_ms < 10_000


def test_the_table_has_a_row_a_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(capture, "_SIZES", ((32, 24), (48, 32)))
    assert capture.main(["--frames", "2"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[0] == "size"
    assert [row.split()[0] for row in rows] == ["32x24", "48x32"]
    assert all(len(row.split()) == 6 for row in rows)
