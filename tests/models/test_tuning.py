"""What layers are chosen on: validation pictures, masked where the network needs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.identity_masked.tuning import pack
from tests.benchmarks.makers import write_pack
from tests.models.packs import POINTS, write_packs


def test_every_second_face_wears_a_mask_and_the_same_one_every_time(tmp_path: Path) -> None:
    write_packs(tmp_path)
    rng = np.random.default_rng(0)
    pictures = {f"{i}": rng.integers(120, 180, (160, 160, 3)).astype(np.uint8) for i in range(4)}
    rows: list[dict[str, object]] = [
        {"file": name, "person": "ab"[int(name) // 2], "split": "val"} for name in pictures
    ]
    write_pack(tmp_path / "faces", pictures, rows, points5=np.stack([POINTS] * 4))
    worn, again = pack(tmp_path), pack(tmp_path)
    assert worn.splits == ("val",)
    for name, bare in pictures.items():
        drawn = worn.image(name)
        np.testing.assert_array_equal(drawn, again.image(name))
        x, y = POINTS[2].astype(int)
        covered = (drawn[y - 2 : y + 3, x - 2 : x + 3] != bare[y - 2 : y + 3, x - 2 : x + 3]).any()
        assert covered == (int(name) % 2 == 0)
