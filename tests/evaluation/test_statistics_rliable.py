"""The numbers of rliable 1.2.0 (Agarwal et al. 2021) on two fixed tables, computed once with its own functions.

rliable is no dependency, as it does not import beside pandas 3; in an environment of its own it printed what stands
here, after ``numpy.random.seed(0)``: ``get_interval_estimates`` with ``aggregate_iqm`` (50,000 resamples) and
``probability_of_improvement`` (20,000), and ``create_performance_profile`` (20,000).
"""

import numpy as np
import pytest

from sim2real_bench.evaluation.statistics import (
    improvement_interval,
    interquartile_mean,
    iqm_interval,
    performance_profile,
    probability_of_improvement,
)

RUN, TASK = np.mgrid[0:25, 0:5]
OURS = ((37 * RUN + 11 * TASK + RUN * RUN * TASK) % 101 * 3.0 + 2.0 * TASK).ravel()
THEIRS = ((53 * RUN + 29 * TASK + RUN * TASK * TASK) % 97 * 2.5 + 1.0 * TASK).ravel()
CONTROLLERS = TASK.ravel()


def test_the_interquartile_mean():
    assert interquartile_mean(OURS) == pytest.approx(143.34920635)
    interval = iqm_interval(OURS, CONTROLLERS, replicates=50_000)
    assert interval == pytest.approx((121.6984127, 165.58730159), abs=0.6)  # of 44 m width; resampling noise


def test_the_probability_of_improvement():
    assert probability_of_improvement(OURS, THEIRS, CONTROLLERS, CONTROLLERS) == pytest.approx(0.58592)
    interval = improvement_interval(OURS, THEIRS, CONTROLLERS, CONTROLLERS)
    assert interval == pytest.approx((0.51456, 0.6552), abs=0.005)


def test_the_performance_profile():
    curve = performance_profile(OURS, CONTROLLERS, [50.0, 100.0, 200.0])
    assert curve.share == pytest.approx([0.816, 0.64, 0.32])
    assert curve.low == pytest.approx([0.744, 0.552, 0.24], abs=0.02)
    assert curve.high == pytest.approx([0.88, 0.72, 0.4], abs=0.02)
