"""Weather drawn over images: each change against its formula, and what must hold for all of them."""

import math

import numpy as np
import pytest
import torch

from sim2real_bench.agents.inputs import DRIVING_CAMERA
from sim2real_bench.distill.augment import photometric
from sim2real_bench.distill.image_changes import (
    WEATHER_SHARES,
    dusk,
    fog,
    ground_depth,
    image_changes,
    night,
    rain,
    shade,
    weather,
)
from sim2real_bench.errors import UnknownNameError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_depth_of_a_row_is_that_of_the_ground_the_driving_camera_sees_there() -> None:
    depth = ground_depth(160, 384)
    for row in (100, 120, 159):
        ground = DRIVING_CAMERA.ground(np.array([192.0, row + 0.5]), 1000.0)
        np.testing.assert_allclose(depth[row], ground[0] - 2.0, rtol=1e-5)  # the camera sits 2 m ahead of the origin
    assert depth[0] == depth[79] == 35.0


def test_fog_keeps_the_share_of_contrast_that_koschmieder_says() -> None:
    black, white = torch.zeros(1, 3, 160, 384), torch.ones(1, 3, 160, 384)
    contrast = (fog(white, generator()) - fog(black, generator()))[0, 0, :, 0]
    depth = ground_depth(160, 384)
    visibility = -depth / torch.log(contrast)
    np.testing.assert_allclose(visibility, float(visibility[0]), rtol=1e-3)
    assert 12.0 <= float(visibility[0]) <= 60.0


def test_dusk_takes_most_from_green_and_some_from_all() -> None:
    light = dusk(torch.ones(50, 3, 2, 2), generator())
    assert float(light.max()) <= 0.9 and float(light.min()) >= 0.4 * 0.8
    np.testing.assert_allclose(light[:, 1] / light[:, 0], 0.8, rtol=1e-5)


def test_at_night_the_road_ahead_is_the_brightest() -> None:
    light = night(torch.ones(20, 3, 160, 384), generator()).mean((0, 1))
    row, column = divmod(int(torch.nn.functional.avg_pool2d(light[None], 9, 1, 4).argmax()), 384)
    assert abs(row - 0.8 * 159) < 8 and abs(column - 192) < 30
    assert float(light[:30].mean()) < 0.35


def test_rain_pales_and_its_streaks_only_brighten() -> None:
    red = torch.zeros(8, 3, 40, 60)
    red[:, 0] = 1.0
    wet = rain(red, generator())
    assert float((wet[:, 0] - wet[:, 1]).max()) < 0.7
    columns = wet[0, 0] - wet[0, 0].min()
    assert float(columns.max()) >= 0.05
    assert float((columns > 1e-4).float().mean()) < 0.1


def test_shade_darkens_one_side_of_a_line() -> None:
    shaded = shade(torch.ones(30, 3, 20, 30), generator())
    levels = [image.unique() for image in shaded]
    assert all(len(level) <= 2 for level in levels)
    assert sum(len(level) == 2 for level in levels) > 20
    assert float(shaded.min()) >= 0.35 and float(shaded.max()) == 1.0


def test_weather_changes_its_share_of_the_images_leaves_its_input_alone_and_is_seeded() -> None:
    images = torch.rand(200, 3, 16, 24, generator=generator(1))
    before = images.clone()
    first, second = weather(images, generator(2)), weather(images, generator(2))
    assert torch.equal(first, second) and torch.equal(images, before)
    assert first.min() >= 0.0 and first.max() <= 1.0
    share = sum(share for _, share in WEATHER_SHARES)
    untouched = float((first == images).flatten(1).all(1).float().mean())
    assert math.isclose(untouched, (1 - share) * 0.557, abs_tol=0.1)  # 0.557: see test_augment


def test_augmentations_have_names() -> None:
    assert (image_changes("paper"), image_changes("weather")) == (photometric, weather)
    with pytest.raises(UnknownNameError, match="'snow'; choose one of paper, weather"):
        image_changes("snow")
