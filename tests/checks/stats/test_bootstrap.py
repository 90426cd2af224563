"""Resamples are drawn with replacement, the same for the same seed, whatever the memory."""

import numpy as np
import pytest

from tunegate_checks.stats import bootstrap


def test_each_resample_has_as_many_examples_as_there_are() -> None:
    ones = np.ones((50, 1))
    assert set(bootstrap.resampled_sums(ones)[:, 0]) == {50.0}


def test_two_models_are_resampled_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(40.0).reshape(20, 2)
    one = bootstrap.resampled_sums(values)
    assert (bootstrap.resampled_sums(values) == one).all()
    assert (bootstrap.resampled_sums(values[:, :1])[:, 0] == one[:, 0]).all()
    monkeypatch.setattr(bootstrap, "_MAX_COUNTS", 70)
    assert (bootstrap.resampled_sums(values) == one).all()


def test_the_interval_of_a_mean_is_that_of_scipy() -> None:
    from scipy.stats import bootstrap as known

    values = np.random.default_rng(1).exponential(size=300)
    drawn = bootstrap.resampled_sums(values[:, None], 10_000)[:, 0] / 300
    wanted = known((values,), np.mean, method="percentile", rng=np.random.default_rng(2))
    ours = np.quantile(drawn, [0.025, 0.975])
    assert ours == pytest.approx(list(wanted.confidence_interval), abs=0.005)
