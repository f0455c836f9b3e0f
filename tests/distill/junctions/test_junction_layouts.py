"""The rule of the road, and how the roads of a junction lie to each other."""

import itertools
import math

import pytest
import torch

from sim2real_bench.distill.junctions.bends import Bend
from sim2real_bench.distill.junctions.layouts import (
    LEFT,
    RIGHT,
    SIGN,
    STRAIGHT,
    JunctionRanges,
    Junctions,
    draw_junctions,
    rule,
)


def test_straight_on_else_right_else_left() -> None:
    kinds = [roads for roads in itertools.product((False, True), repeat=3) if any(roads)]
    expected = [
        STRAIGHT if roads[STRAIGHT] else RIGHT if roads[RIGHT] else LEFT for roads in kinds
    ]  # fmt: skip
    assert rule(torch.tensor(kinds)).tolist() == expected


def test_drawn_junctions_are_seeded_and_within_their_ranges() -> None:
    ranges = JunctionRanges()
    first, again = (draw_junctions(ranges, 500, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first.present, again.present) and torch.equal(first.centre, again.centre)
    assert bool(first.present.any(dim=1).all())
    assert torch.equal(first.taken, rule(first.present))
    assert {tuple(row) for row in first.present.tolist()} == {roads for roads, _ in ranges.layouts}
    assert ranges.centre_m[0] <= float(first.centre.min()) and float(first.centre.max()) <= ranges.centre_m[1]
    for side in (LEFT, RIGHT):
        assert ranges.radius_m[0] <= float(first.turns[side].radius.min())
        assert float(first.turns[side].radius.max()) <= ranges.radius_m[1]


@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_all_ways_into_a_side_road_end_on_its_line(side: int) -> None:
    junctions = draw_junctions(JunctionRanges(), 50, torch.Generator().manual_seed(2))
    far = torch.full((50, 1), 80.0)
    locate = junctions.leaving(side)
    turned, _ = junctions.turns[side].pose(far)
    _, beside = locate(turned)
    torch.testing.assert_close(beside, torch.zeros_like(beside), atol=1e-3, rtol=0.0)
    met, _ = junctions.opposite(side).pose(far)
    met = torch.stack([2.0 * junctions.centre[:, None] - met[..., 0], met[..., 1]], dim=-1)
    _, beside = locate(met)
    torch.testing.assert_close(beside, torch.zeros_like(beside), atol=1e-3, rtol=0.0)


def test_the_roads_to_both_sides_are_nearly_one_line() -> None:
    junctions = draw_junctions(JunctionRanges(), 200, torch.Generator().manual_seed(3))
    between = junctions.turns[LEFT].angle + junctions.turns[RIGHT].angle
    assert float((between - math.pi).abs().max()) <= JunctionRanges().skew_rad + 1e-5


def test_behind_the_centre_a_side_road_is_nowhere() -> None:
    right_angle = Bend(torch.tensor([5.0]), torch.tensor([5.0]), torch.tensor([math.pi / 2]))
    junctions = Junctions(
        torch.tensor([[True, False, True]]), torch.tensor([RIGHT]), torch.tensor([10.0]),
        {LEFT: right_angle, RIGHT: right_angle},
    )  # fmt: skip
    along, beside = junctions.leaving(RIGHT)(torch.tensor([[[11.0, 7.0], [11.0, -7.0]]]))
    assert along[0, 0].item() == pytest.approx(7.0, abs=1e-5)
    assert beside[0, 0].item() == pytest.approx(-1.0, abs=1e-5)
    assert math.isinf(beside[0, 1].item())
    assert SIGN == {LEFT: 1.0, RIGHT: -1.0}
