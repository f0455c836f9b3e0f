"""Cameras of the embedded server, through the genuine CARLA client."""

import numpy as np
import pytest
from embedded_client import HEIGHT, WIDTH, camera, free_road, metres, pixels, rigged, spawn

from sim2real_bench.envs.classes import CarlaClass

pytestmark = pytest.mark.simulator


def test_three_cameras_of_one_tick_agree_with_the_ground_plane(world):
    """Depth of flat ground follows from the camera's height alone; sky is at the far end; alpha is opaque."""
    import carla

    point = free_road(world)
    vehicle = spawn(world, point)
    mount = carla.Transform(carla.Location(2.0, 0.0, 1.4))
    kinds = ("rgb", "depth", "semantic_segmentation")
    rigs = [camera(world, kind, parent=vehicle, transform=mount) for kind in kinds]
    with rigged(*rigs):
        for _ in range(3):
            frame = world.tick()
            rgb, depth, semantic = (rig.at(frame) for rig in rigs)
        assert {(image.width, image.height) for image in (rgb, depth, semantic)} == {(WIDTH, HEIGHT)}
        assert {round(image.fov) for image in (rgb, depth, semantic)} == {90}
        assert all((pixels(image)[..., 3] == 255).all() for image in (rgb, depth, semantic))
        assert rgb.transform.location.z == pytest.approx(1.4, abs=1e-3)
        assert pixels(rgb)[..., :3].std() > 10
        labels = pixels(semantic)[..., 2]
        assert (pixels(semantic)[..., :2] == 0).all()
        assert set(np.unique(labels)) <= {int(label) for label in CarlaClass}
        rows = np.arange(HEIGHT) + 0.5 - HEIGHT / 2
        with np.errstate(divide="ignore"):
            plane = np.broadcast_to((1.4 * (WIDTH / 2) / rows)[:, None], (HEIGHT, WIDTH))
        road = np.isin(labels, (CarlaClass.ROADS, CarlaClass.ROAD_LINES)) & (plane > 0) & (plane < 25)
        assert road.sum() > 0.1 * WIDTH * HEIGHT
        error = np.abs(metres(depth)[road] - plane[road]) / plane[road]
        assert np.percentile(error, 95) < 0.03
        assert labels[-1, WIDTH // 2] in (CarlaClass.ROADS, CarlaClass.ROAD_LINES)
        sky = labels == CarlaClass.SKY
        assert sky.any()
        assert metres(depth)[sky].min() > 900


def test_the_vehicle_ahead_is_where_it_was_put(world):
    import carla

    point = free_road(world)
    vehicle = spawn(world, point)
    forward = point.get_forward_vector()
    ahead = carla.Transform(point.location + 14.0 * forward, point.rotation)
    other = spawn(world, ahead, "vehicle.tesla.model3")
    mount = carla.Transform(carla.Location(2.0, 0.0, 1.0))
    rigs = [camera(world, kind, parent=vehicle, transform=mount) for kind in ("depth", "semantic_segmentation")]
    with rigged(*rigs):
        frame = world.tick()
        depth, semantic = (rig.at(frame) for rig in rigs)
        labels = pixels(semantic)[..., 2]
        distance = 14.0 - 2.0 - other.bounding_box.extent.x
        centre = (slice(HEIGHT // 2, HEIGHT // 2 + 6), slice(WIDTH // 2 - 5, WIDTH // 2 + 5))
        assert (labels[centre] == CarlaClass.CAR).all()
        assert metres(depth)[centre].mean() == pytest.approx(distance, abs=0.6)
        row = HEIGHT // 2 + 4
        rear = (labels[row] == CarlaClass.CAR) & (np.abs(metres(depth)[row] - distance) < 0.8)
        edges = np.flatnonzero(~rear)
        width = (edges[edges > WIDTH // 2].min() - edges[edges < WIDTH // 2].max() - 1) * distance / (WIDTH / 2)
        assert width == pytest.approx(2 * other.bounding_box.extent.y, abs=0.35)


def test_the_own_vehicle_is_drawn_for_a_camera_outside_it_only(world):
    import carla

    vehicle = spawn(world, free_road(world))
    behind = carla.Transform(carla.Location(-7.0, 0.0, 2.5), carla.Rotation(pitch=-10))
    inside = carla.Transform(carla.Location(0.0, 0.0, 1.2))
    rigs = [camera(world, "semantic_segmentation", parent=vehicle, transform=mount) for mount in (behind, inside)]
    with rigged(*rigs):
        frame = world.tick()
        outer, inner = (pixels(rig.at(frame))[..., 2] for rig in rigs)
        assert outer[HEIGHT // 2 + 10, WIDTH // 2] == CarlaClass.CAR
        assert inner[-1, WIDTH // 2] != CarlaClass.CAR


def test_sensor_tick_spaces_the_images(world):
    import carla

    rig = camera(world, transform=carla.Transform(carla.Location(z=5.0)), sensor_tick=0.3)
    with rigged(rig):
        frames = [world.tick() for _ in range(10)]
        wanted = frames[::3]
        assert [rig.at(frame).frame for frame in wanted] == wanted
        assert rig.queue.empty()


def test_size_and_field_of_view_are_honoured(world):
    import carla

    point = free_road(world)
    high = carla.Transform(carla.Location(point.location.x, point.location.y, 8.0), carla.Rotation(pitch=-90))
    rig = camera(world, "depth", transform=high, image_size_x=97, image_size_y=61, fov=40)
    with rigged(rig):
        image = rig.at(world.tick())
        assert pixels(image).shape == (61, 97, 4)
        assert image.fov == pytest.approx(40)
        assert metres(image)[30, 48] == pytest.approx(8.0, abs=0.2)
