"""Normals, optical flow and pixel events from small hand-made pictures."""

import math

import numpy as np
import pytest

from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.sensors import pixels
from sim2real_bench.envs.carla.embedded.sensors.catalogue import DVS, SENSOR_BLUEPRINTS
from sim2real_bench.envs.carla.embedded.sensors.dvs import EventPixels

WIDTH, HEIGHT, FOV = 64, 48, 90.0
NOBODY = np.zeros((HEIGHT, WIDTH), np.uint16)


def wall(metres=10.0):
    return np.full((HEIGHT, WIDTH), metres, np.float32)


def test_depth_is_decoded_to_metres():
    code = np.array([[[0, 0, 0, 255], [255, 255, 255, 255], [7, 5, 3, 255]]], np.uint8)
    expected = [0.0, 1000.0, (3 + 256 * 5 + 65536 * 7) / (2**24 - 1) * 1000.0]
    np.testing.assert_allclose(pixels.metres(code)[0], expected, rtol=1e-6)


# -- normals ----------------------------------------------------------------------------------------------------------


def world_normals(depth, pose):
    image = pixels.normals(depth, FOV, pose)
    assert (image[..., 3] == 255).all()
    return image[..., 2::-1].astype(float) / 127.5 - 1.0


@pytest.mark.parametrize("yaw", [0.0, 90.0, -30.0])
def test_a_wall_ahead_looks_back_at_the_camera(yaw):
    shown = world_normals(wall(), Transform(yaw=yaw))
    expected = [-math.cos(math.radians(yaw)), -math.sin(math.radians(yaw)), 0.0]
    np.testing.assert_allclose(shown, np.broadcast_to(expected, shown.shape), atol=0.01)


def test_the_ground_looks_up_whatever_way_the_camera_is_tilted():
    pose = Transform(z=2.0, pitch=-40.0, roll=10.0, yaw=70.0)
    seen = pixels.points(wall(1.0), FOV) @ pixels.pose_matrix(pose)[:3, :3].T
    depth = np.where(seen[..., 2] < -1e-3, -2.0 / np.minimum(seen[..., 2], -1e-3), 1000.0).astype(np.float32)
    shown = world_normals(depth, pose)[depth < 500.0]
    assert len(shown) > 1000
    assert np.median(shown[:, 2]) > 0.99
    np.testing.assert_allclose(np.median(np.abs(shown[:, :2]), axis=0), 0.0, atol=0.01)


def test_the_sky_has_no_normal_and_edges_stay_sharp():
    depth = wall(1000.0)
    depth[:, 32:] = 5.0
    shown = world_normals(depth, Transform())
    np.testing.assert_allclose(shown[:, :31], 0.0, atol=0.01)
    np.testing.assert_allclose(shown[:, 32:, 0], -1.0, atol=0.01)


# -- optical flow -----------------------------------------------------------------------------------------------------


def in_pixels(flow):
    return flow * (WIDTH / 2, -HEIGHT / 2)


def test_nothing_moves_for_a_camera_that_stands():
    moved = pixels.flow(wall(), FOV, Transform(z=1.0), Transform(z=1.0), NOBODY, {})
    np.testing.assert_allclose(moved, 0.0, atol=1e-6)


def test_a_step_to_the_right_moves_the_picture_to_the_left():
    # Focal length 32 pixels at 90 degrees: half a metre at 10 m is 1.6 pixels.
    moved = pixels.flow(wall(), FOV, Transform(y=0.5), Transform(), NOBODY, {})
    np.testing.assert_allclose(in_pixels(moved)[..., 0], -1.6, atol=1e-4)
    np.testing.assert_allclose(moved[..., 1], 0.0, atol=1e-6)


def test_a_step_up_moves_the_picture_down():
    moved = pixels.flow(wall(), FOV, Transform(z=0.5), Transform(), NOBODY, {})
    np.testing.assert_allclose(in_pixels(moved)[..., 1], 1.6, atol=1e-4)
    assert (moved[..., 1] < 0.0).all()


def test_a_step_forward_opens_the_picture():
    moved = in_pixels(pixels.flow(wall(), FOV, Transform(x=1.0), Transform(), NOBODY, {}))
    column = np.arange(WIDTH) + 0.5 - WIDTH / 2
    # What is now at u and 10 m was at u * 10 / 11.
    np.testing.assert_allclose(moved[HEIGHT // 2, :, 0], column * (1.0 - 10.0 / 11.0), atol=1e-3)
    assert moved[0, 0, 1] < 0.0 < moved[-1, 0, 1]


def test_a_turn_to_the_right_moves_everything_alike():
    near = pixels.flow(wall(2.0), FOV, Transform(yaw=2.0), Transform(), NOBODY, {})
    far = pixels.flow(wall(1000.0), FOV, Transform(yaw=2.0), Transform(), NOBODY, {})
    np.testing.assert_allclose(near, far, atol=1e-4)
    middle = in_pixels(far)[HEIGHT // 2, WIDTH // 2, 0]
    assert middle == pytest.approx(-32.0 * math.tan(math.radians(2.0)), abs=0.1)


def test_actors_carry_their_own_pixels_along():
    owners = NOBODY.copy()
    owners[20:30, 10:20] = 7
    motions = {7: (Transform(x=10.0, y=1.0), Transform(x=10.0))}
    moved = in_pixels(pixels.flow(wall(), FOV, Transform(), Transform(), owners, motions))
    np.testing.assert_allclose(moved[20:30, 10:20, 0], 3.2, atol=1e-3)
    moved[20:30, 10:20] = 0.0
    np.testing.assert_allclose(moved, 0.0, atol=1e-5)


def test_flow_is_clipped_when_the_point_was_behind_the_camera():
    moved = pixels.flow(wall(0.5), FOV, Transform(), Transform(x=1.0), NOBODY, {})
    assert np.abs(moved).max() <= 2.0
    assert np.isfinite(moved).all()


# -- pixel events -----------------------------------------------------------------------------------------------------


def event_pixels(**changes):
    defaults = {attribute.name: attribute.recommended[0] for attribute in SENSOR_BLUEPRINTS[DVS]}
    return EventPixels(defaults | {name: str(value) for name, value in changes.items()})


def grey(value):
    return np.full((1, 1, 4), value, np.uint8)


def run(device, *levels):
    random = np.random.default_rng(0)
    return [device.events(grey(level), 0.1 * number, random) for number, level in enumerate(levels)]


def test_the_first_picture_makes_no_events_and_neither_does_an_equal_one():
    assert [len(events) for events in run(event_pixels(), 100, 100, 100)] == [0, 0, 0]


def test_a_linear_change_crosses_each_threshold_in_its_time():
    # From 100 to 150 in steps of 20, without logarithm: 120 and 140, after 0.4 and 0.8 of the time.
    device = event_pixels(use_log="false", positive_threshold=20.0, negative_threshold=20.0)
    _, rising, falling = run(device, 100, 150, 105)
    white = 0.2989 + 0.587 + 0.114  # the weights of the grey value do not quite add up to one
    times = [(20.0 * step / white) / 50.0 * 1e8 for step in (1, 2)]
    np.testing.assert_allclose(rising["t"], times, atol=2)
    assert rising["brighter"].all()
    # The reference stayed at 140: falling to 105 crosses 120 alone.
    assert falling["brighter"].tolist() == [False]


def test_logarithmic_events_follow_the_ratio():
    _, events = run(event_pixels(positive_threshold=0.3), 50, 100)
    assert len(events) == math.floor(math.log(100 / 50) / 0.3)


def test_a_resting_pixel_drops_events():
    settings = {"use_log": "false", "positive_threshold": 1.0}
    _, everything = run(event_pixels(**settings), 0, 100)
    _, few = run(event_pixels(**settings, refractory_period_ns=int(5e7)), 0, 100)
    assert len(everything) in (99, 100)
    assert len(few) == 2
    assert np.diff(few["t"])[0] >= 5e7


def test_events_come_in_the_order_of_their_time():
    random = np.random.default_rng(1)
    device = event_pixels(sigma_positive_threshold=0.05)
    first, second = (random.integers(0, 256, (20, 30, 4), dtype=np.uint8) for _ in range(2))
    device.events(first, 0.0, random)
    events = device.events(second, 0.05, random)
    assert (np.diff(events["t"]) >= 0).all()
    assert set(events["brighter"].tolist()) == {True, False}
    assert events["x"].max() < 30
    assert events["y"].max() < 20
