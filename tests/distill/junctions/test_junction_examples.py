"""Junctions made of straight roads: where road is, where the path leads, and that a network can learn it."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sim2real_bench.agents.checkpoints import load_checkpoint, read_card
from sim2real_bench.agents.waypoints import MapGeometry
from sim2real_bench.distill.examples import PackedMasks, map_examples
from sim2real_bench.distill.fitting import FitSettings
from sim2real_bench.distill.junctions.examples import JunctionExamples, at_distances, with_junctions
from sim2real_bench.distill.junctions.fitting import fit_junction_proxy
from sim2real_bench.distill.junctions.layouts import JunctionRanges
from sim2real_bench.distill.junctions.straight_roads import StraightRoads, straight_ahead
from sim2real_bench.distill.task_distillation import MASK_CHANGES, mirrored_targets, teacher_targets
from sim2real_bench.distill.training import TrainingConfig
from sim2real_bench.envs.map_view import draw_polygons, ego_to_map_pixels
from sim2real_bench.envs.observation import WAYPOINT_DISTANCES_M

T_ENDING = (True, False, True)
STILL = JunctionRanges(
    (((True, True, True), 1.0),),
    centre_m=(20.0, 20.0),
    radius_m=(8.0, 8.0),
    angle_rad=(math.pi / 2, math.pi / 2),
    skew_rad=0.0,
    road_width_m=(8.0, 8.0),
    rotation_rad=0.0,
    shift_m=0.0,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def straight_road(width_m: float = 8.0, centre_m: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A (1, 1, 192, 192) map of a road along x, its centre ``centre_m`` to the left, and a path straight ahead."""
    image = np.zeros((192, 192), np.uint8)
    left, right = centre_m + width_m / 2, centre_m - width_m / 2
    draw_polygons(image, [np.array([[0.0, left], [60.0, left], [60.0, right], [0.0, right]])])
    path = np.column_stack([WAYPOINT_DISTANCES_M, np.zeros((5, 2))]).astype(np.float32)
    return torch.from_numpy(image > 0).float()[None, None], torch.from_numpy(path)[None]


def is_road(masks: torch.Tensor, x: float, y: float) -> bool:
    column, row = ego_to_map_pixels([x, y])
    return bool(masks[0, 0, int(row), int(column)] > 0.5)


def made(roads: tuple[bool, bool, bool], **changes: object) -> tuple[torch.Tensor, np.ndarray]:
    """One junction of an 8 m road, and its waypoints in metres."""
    ranges = replace(STILL, layouts=((roads, 1.0),), **changes)
    masks, targets = with_junctions(*straight_road(), ranges, generator())
    return masks, MapGeometry().to_ego(targets[0].numpy())


def test_only_straight_paths_on_straight_roads_count(make_dataset) -> None:
    examples = map_examples(make_dataset("stk"), MASK_CHANGES["map"])  # curvatures from -0.06 to 0.06
    found = straight_ahead(examples.masks.batch(np.arange(12)), examples.waypoints)
    assert np.flatnonzero(found).tolist() == [5, 6]  # radius 183 m: 3.8 degrees between first and last waypoint
    masks, waypoints = straight_road()
    assert straight_ahead(masks, waypoints.numpy()).tolist() == [True]
    ends = masks.clone()
    ends[..., :60, :] = 0.0  # the road ends 29 m ahead
    assert straight_ahead(ends, waypoints.numpy()).tolist() == [False]


@pytest.mark.parametrize("centre_m", [0.0, 2.0, -3.0])
def test_the_centre_line_is_found_and_the_path_kept_beside_it(centre_m: float) -> None:
    road = StraightRoads.found(*straight_road(10.0, centre_m))
    assert road.width.item() == pytest.approx(10.0, abs=0.61)
    assert road.offset.item() == pytest.approx(centre_m, abs=0.21)
    narrow = road.as_wide_as(torch.tensor([5.0]))
    _, beside = narrow.path()
    assert beside[0].tolist() == pytest.approx([-centre_m / 2] * beside.shape[1], abs=0.15)
    across = torch.tensor([[[-3.2, -2.0, 0.0, 2.0, 3.2]]])
    seen = narrow.at(torch.full_like(across, 20.0), across)
    assert seen.flatten().tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


def test_a_t_ending_has_two_arms_and_is_left_to_the_right() -> None:
    masks, path = made(T_ENDING)
    assert is_road(masks, 8.0, 0.0) and is_road(masks, 20.0, 15.0) and is_road(masks, 20.0, -15.0)
    assert not is_road(masks, 30.0, 0.0) and not is_road(masks, 8.0, 10.0)
    # The arc of 8 m begins at 20 - 8 = 12 m: 18 m of way are 12 m straight on and 6 m of the arc.
    turned = 6.0 / 8.0
    expected = [
        [6.0, 0.0], [9.0, 0.0], [12.0, 0.0],
        [12.0 + 8.0 * math.sin(turned / 2), -8.0 * (1.0 - math.cos(turned / 2))],
        [12.0 + 8.0 * math.sin(turned), -8.0 * (1.0 - math.cos(turned))],
    ]  # fmt: skip
    np.testing.assert_allclose(path, expected, atol=0.1)


@pytest.mark.parametrize(
    ("roads", "sideways"),
    [((True, True, True), 0), ((True, True, False), 0), ((False, True, True), 0), ((True, False, False), 1)],
)
def test_the_rule_decides_where_the_path_leads(roads: tuple[bool, bool, bool], sideways: int) -> None:
    masks, path = made(roads, centre_m=(14.0, 14.0))
    assert [is_road(masks, 14.0, 14.0), is_road(masks, 34.0, 0.0), is_road(masks, 14.0, -14.0)] == list(roads)
    assert np.sign(np.round(path[-1, 1])) == sideways


def test_in_the_middle_of_the_turn_the_rest_of_it_lies_ahead() -> None:
    # The centre 8 - 4 pi / 2 m ahead puts the vehicle at half the arc, turned by 45 degrees.
    start = -8.0 * math.pi / 4
    masks, path = made(T_ENDING, centre_m=(start + 8.0, start + 8.0))
    rest = 6.0 / 8.0
    np.testing.assert_allclose(path[0], [8.0 * math.sin(rest), -8.0 * (1.0 - math.cos(rest))], atol=0.1)
    far = path[-1] - path[-2]
    assert math.degrees(math.atan2(far[1], far[0])) == pytest.approx(-45.0, abs=1.0)
    assert all(is_road(masks, x, y) for x, y in path)


def test_paths_stay_on_the_road_whatever_is_drawn() -> None:
    masks, waypoints = (value.repeat(60, *[1] * (value.dim() - 1)) for value in straight_road())
    images, targets = with_junctions(masks, waypoints, JunctionRanges(), generator(4))
    on_road = [
        is_road(image[None], x, y)
        for image, path in zip(images, MapGeometry().to_ego(targets.numpy()), strict=True)
        for x, y in path
        if 2.5 < x < 40.0 and abs(y) < 19.0
    ]
    assert len(on_road) > 250
    assert np.mean(on_road) > 0.99


def test_points_at_arc_lengths() -> None:
    corner = torch.tensor([[[0.0, 0.0], [10.0, 0.0], [10.0, 30.0]]])
    np.testing.assert_allclose(
        at_distances(corner)[0], [[6.0, 0.0], [9.0, 0.0], [10.0, 2.0], [10.0, 5.0], [10.0, 8.0]], atol=1e-5
    )


def examples_of_straight_roads(make_dataset, share: float) -> JunctionExamples:
    base = map_examples(make_dataset("stk"), replace(MASK_CHANGES["map"], edge_px=0))
    masks, waypoints = straight_road()
    packed = np.packbits(masks[:, 0].numpy().astype(np.uint8), axis=-1)
    return JunctionExamples(
        replace(
            base,
            masks=PackedMasks(np.repeat(packed, 12, axis=0)),
            waypoints=np.repeat(waypoints.numpy(), 12, axis=0),
        ),
        share,
        replace(STILL, layouts=((T_ENDING, 1.0),)),
    )


def test_a_share_of_training_batches_and_no_others_become_junctions(make_dataset) -> None:
    examples = examples_of_straight_roads(make_dataset, share=0.5)
    rows = np.arange(12)
    for kept in (examples.batch(rows, None), replace(examples, share=0.0).batch(rows, generator())):
        assert kept[0].shape == (12, 1, 192, 192)
        assert not (kept[0][:, 0, 104 - 50, 10] > 0).any()  # no arm to the left at 30 m
    images, targets = examples.batch(rows, generator(1))
    arms = images[:, 0, 104, 5] > 0  # 20 m ahead, 18 m to the left
    assert 2 <= int(arms.sum()) <= 10
    assert bool((targets[arms, -1, 0] > 0.05).all())  # to the right, never mirrored
    again, _ = examples.batch(rows, generator(1))
    assert torch.equal(images, again)


def test_the_proxy_learns_to_turn_right_at_t_endings(make_dataset, tmp_path: Path, monkeypatch) -> None:
    examples = examples_of_straight_roads(make_dataset, share=1.0)
    monkeypatch.setattr(
        "sim2real_bench.distill.junctions.fitting.JunctionExamples", lambda base: examples
    )  # fmt: skip
    training = TrainingConfig(80, 4, 8e-3, schedule="cosine", seed=1, validation_share=0.0, validate_every=80)
    settings = FitSettings(tmp_path, 0.25, training, "transfer", device="cpu")
    path = fit_junction_proxy(make_dataset("stk"), "junctions", settings)
    network, card = load_checkpoint(path)
    assert card.observation == "map_view" and card.data == {"source": make_dataset("stk").hash}
    images, targets = examples.batch(np.arange(4), generator())
    with torch.inference_mode():
        answers = network(images)
    assert float((answers - targets).abs().sum((1, 2)).mean()) < 1.2  # untrained: about 3
    assert bool((answers[:, -1, 0] > 0.05).all())  # to the right
    assert "made into junctions" in read_card(path).notes


class _KeepsRight(torch.nn.Module):
    """Answers every map alike: a little to the right."""

    def forward(self, masks: torch.Tensor) -> torch.Tensor:
        return torch.tensor([0.1, 0.3]).expand(len(masks), 5, 2)


def test_a_teacher_that_keeps_right_keeps_right_in_the_mirror(make_dataset) -> None:
    target = make_dataset("carla")
    plain, _ = teacher_targets(_KeepsRight(), target, "map")  # type: ignore[arg-type]
    mirrored = mirrored_targets(_KeepsRight(), target, "map")  # type: ignore[arg-type]
    np.testing.assert_allclose(mirrored, plain, atol=1e-6)  # not plain with its x negated
    assert (plain[..., 0] > 0.05).all()
