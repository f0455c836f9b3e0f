"""Intersection over union against hand-counted pixels and an independent implementation."""

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassJaccardIndex

from sim2real_bench.distill.modular.road_iou import RoadConfusion


def test_hand_counted_pixels() -> None:
    predicted = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool)
    true = np.array([[1, 0, 0, 1], [1, 0, 0, 0]], bool)
    counted = RoadConfusion.between(predicted, true)
    assert counted == RoadConfusion(hits=2, misses=1, false_alarms=1, rejections=4)
    assert counted.metrics() == {
        "mean_iou": (2 / 4 + 4 / 6) / 2,
        "road_iou": 2 / 4,
        "rest_iou": 4 / 6,
        "pixel_accuracy": 6 / 8,
    }


def test_it_agrees_with_torchmetrics_over_several_batches() -> None:
    random = np.random.default_rng(0)
    theirs = MulticlassJaccardIndex(num_classes=2, average=None)
    ours = RoadConfusion()
    for share in (0.1, 0.5, 0.9):
        predicted, true = random.random((3, 8, 9)) < share, random.random((3, 8, 9)) < 0.4
        theirs.update(torch.from_numpy(predicted).int(), torch.from_numpy(true).int())
        ours += RoadConfusion.between(predicted, true)
    rest, road = theirs.compute().tolist()
    assert (ours.rest_iou, ours.road_iou) == pytest.approx((rest, road))
    assert ours.mean_iou == pytest.approx((rest + road) / 2)


def test_nothing_to_find_and_nothing_found_is_right() -> None:
    nothing = np.zeros((4, 4), bool)
    assert RoadConfusion.between(nothing, nothing).mean_iou == 1.0
    assert RoadConfusion.between(~nothing, nothing).mean_iou == 0.0
