"""Coordinates along a bent road: hand-computed places, and there and back again."""

import math

import pytest
import torch

from sim2real_bench.distill.junctions.bends import Bend


def bend(start: float = 10.0, radius: float = 5.0, angle: float = math.pi / 2) -> Bend:
    return Bend(torch.tensor([start]), torch.tensor([radius]), torch.tensor([angle]))


@pytest.mark.parametrize(
    ("along", "point", "heading"),
    [
        (-3.0, (-3.0, 0.0), 0.0),
        (10.0, (10.0, 0.0), 0.0),
        (10.0 + 5.0 * math.pi / 4, (10.0 + 5.0 / math.sqrt(2), 5.0 - 5.0 / math.sqrt(2)), math.pi / 4),
        (10.0 + 5.0 * math.pi / 2, (15.0, 5.0), math.pi / 2),
        (13.0 + 5.0 * math.pi / 2, (15.0, 8.0), math.pi / 2),
    ],
)
def test_a_right_angle_by_hand(along: float, point: tuple[float, float], heading: float) -> None:
    points, headings = bend().pose(torch.tensor([[along]]))
    assert points[0, 0].tolist() == pytest.approx(point, abs=1e-5)
    assert headings.item() == pytest.approx(heading, abs=1e-6)


def test_what_lies_beside_the_line() -> None:
    # To the left of a left bend is inwards; 2 m out of the arc of 5 m is 7 m from its centre at (10, 5).
    middle = torch.tensor([[10.0 + 5.0 * math.pi / 4]])
    outside = bend().place(middle, torch.tensor([[-2.0]]))[0, 0]
    assert math.dist(outside.tolist(), (10.0, 5.0)) == pytest.approx(7.0, abs=1e-5)


def test_located_where_it_was_placed() -> None:
    generator = torch.Generator().manual_seed(0)
    bends = Bend(
        torch.tensor([-6.0, 4.0, 20.0]), torch.tensor([6.0, 9.0, 12.0]), torch.tensor([1.0, 1.5, 2.0])
    )  # fmt: skip
    along = 60.0 * torch.rand(3, 200, generator=generator) - 15.0
    beside = 8.0 * torch.rand(3, 200, generator=generator) - 4.0
    found_along, found_beside = bends.locate(bends.place(along, beside))
    torch.testing.assert_close(found_along, along, atol=1e-3, rtol=0.0)
    torch.testing.assert_close(found_beside, beside, atol=1e-3, rtol=0.0)


def test_the_nearest_part_of_the_line_counts() -> None:
    # Level with the end of the arc: 1 m from the straight part behind it, 16 m along and 6 m beside that before it.
    along, beside = bend().locate(torch.tensor([[[16.0, 6.0]]]))
    assert along.item() == pytest.approx(10.0 + 5.0 * math.pi / 2 + 1.0, abs=1e-4)
    assert beside.item() == pytest.approx(-1.0, abs=1e-4)
