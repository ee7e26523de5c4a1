from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.metrics import (
    bootstrap_interval,
    cosine,
    psnr,
    sqnr_db,
    ssim,
    wilson_interval,
)

SHARES = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        # R: binom::binom.confint(hits, n, methods = "wilson")
        (0, 10, 0.0, 0.27753),
        (5, 10, 0.23659, 0.76341),
        (10, 10, 0.72247, 1.0),
        (81, 263, 0.25529, 0.36618),  # Newcombe (1998), table I: 0.2553 to 0.3662
        (15, 148, 0.06239, 0.16057),  # the same table: 0.0624 to 0.1605
    ],
)
def test_wilson_has_the_published_values(hits: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(hits, n) == pytest.approx((low, high), abs=2e-4)


def test_wilson_knows_nothing_without_trials() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(SHARES)
def test_wilson_holds_the_share_and_is_symmetric(share: tuple[int, int]) -> None:
    hits, n = share
    low, high = wilson_interval(hits, n)
    assert 0 <= low <= hits / n <= high <= 1
    mirrored = wilson_interval(n - hits, n)
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high), abs=1e-9)


def test_bootstrap_is_repeatable_and_near_the_normal_interval() -> None:
    values = np.random.default_rng(1).normal(3, 2, 400)
    low, high = bootstrap_interval(values)
    assert (low, high) == bootstrap_interval(values)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.05)
    assert high == pytest.approx(values.mean() + half, abs=0.05)


def test_bootstrap_of_nothing_is_nan() -> None:
    assert all(map(math.isnan, bootstrap_interval([])))


def test_psnr_by_hand() -> None:
    a = np.zeros((16, 16, 3), np.uint8)
    b = a + np.uint8(10)
    assert psnr(a, b) == pytest.approx(20 * math.log10(255 / 10))
    assert psnr(a, a) == 99.0


@pytest.mark.parametrize("shape", [(11, 11, 3), (40, 57, 3), (64, 64)])
def test_ssim_is_scikit_images(shape: tuple[int, ...]) -> None:
    metrics = pytest.importorskip(
        "skimage.metrics", reason="needs scikit-image: pip install .[test]"
    )
    rng = np.random.default_rng(2)
    a = rng.integers(0, 256, shape, dtype=np.uint8)
    b = np.clip(a + rng.normal(0, 25, shape), 0, 255).astype(np.uint8)
    expected = metrics.structural_similarity(
        a,
        b,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2 if len(shape) == 3 else None,
    )
    assert ssim(a, b) == pytest.approx(expected, abs=1e-9)
    assert ssim(a, a) == pytest.approx(1.0)


def test_cosine_and_sqnr_by_hand() -> None:
    assert cosine([1, 0], [1, 1]) == pytest.approx(math.sqrt(0.5))
    assert cosine([0, 0], [1, 1]) == 0.0
    assert sqnr_db([10, 0], [9, 0]) == pytest.approx(20.0)
    assert sqnr_db([1, 2], [1, 2]) == 99.0
