"""The renderer against geometry worked out by hand, CARLA's own map and CARLA's own matrices."""

import math

import numpy as np
import pytest

from sim2real_bench.envs.carla.embedded.render.view import ActorLook, CameraView
from sim2real_bench.envs.carla.weather import WEATHERS
from sim2real_bench.envs.classes import CarlaClass
from sim2real_bench.errors import ConfigurationError, MissingDependencyError, SimulatorError

pytestmark = pytest.mark.simulator
WIDTH, HEIGHT, CAMERA_Z = 384, 160, 1.4
FOCAL = WIDTH / 2  # 90 degrees


@pytest.fixture(scope="module")
def town(carla_embedded):
    from sim2real_bench.envs.carla.embedded.town import build_town

    return build_town("MiniTown01")


@pytest.fixture(scope="module")
def renderer(town):
    from sim2real_bench.envs.carla.embedded.render.renderer import Renderer

    with Renderer(town) as made:
        yield made


def view_at(spawn, **changes):
    values = {"x": spawn.x, "y": spawn.y, "z": CAMERA_Z, "yaw_deg": spawn.yaw_deg} | changes
    return CameraView(WIDTH, HEIGHT, 90.0, **values)


def tags(images):
    return images.semantic[..., 2]


def metres(images):
    """As the CARLA documentation decodes a depth image."""
    packed = images.depth.astype(np.float64)
    return 1000.0 * (packed[..., 2] + packed[..., 1] * 256 + packed[..., 0] * 65536) / (256**3 - 1)


def ground_depth():
    """(H, W) depth of the plane z = 0 for a level camera; very large at and above the horizon."""
    below = np.arange(HEIGHT) + 0.5 - HEIGHT / 2
    with np.errstate(divide="ignore"):
        depth = np.where(below > 0, CAMERA_Z * FOCAL / below, 1e6)
    return np.repeat(depth[:, None], WIDTH, axis=1)


def ground_points(view):
    """(H, W, 2) where the rays of a level camera meet z = 0, CARLA's frame."""
    depth = ground_depth()
    right = (np.arange(WIDTH) + 0.5 - WIDTH / 2) / FOCAL * depth
    yaw = math.radians(view.yaw_deg)
    x = view.x + depth * math.cos(yaw) - right * math.sin(yaw)
    y = view.y + depth * math.sin(yaw) + right * math.cos(yaw)
    return np.stack([x, y], -1)


def test_images_have_the_wire_shape_and_known_classes(renderer, town):
    seen = set()
    for spawn in town.spawn_points[::25]:
        images = renderer.render(view_at(spawn), [], 0)
        for image in (images.rgb, images.semantic, images.depth):
            assert image.shape == (HEIGHT, WIDTH, 4) and image.dtype == np.uint8
            assert (image[..., 3] == 255).all()
        assert not images.semantic[..., :2].any()
        seen |= set(np.unique(tags(images)).tolist())
    common = {CarlaClass.ROADS, CarlaClass.SIDEWALKS, CarlaClass.BUILDINGS, CarlaClass.SKY, CarlaClass.ROAD_LINES}
    assert common | {CarlaClass.VEGETATION, CarlaClass.POLES, CarlaClass.CAR} <= seen <= set(map(int, CarlaClass))
    assert 0 not in seen


@pytest.mark.parametrize("supersample", [1, 2, 3])
def test_depth_of_the_road_is_the_analytic_depth(town, supersample):
    from sim2real_bench.envs.carla.embedded.render.renderer import Renderer

    with Renderer(town, supersample) as renderer:
        errors = []
        for spawn in town.spawn_points[::40]:
            images = renderer.render(view_at(spawn), [], 0)
            road = (tags(images) == CarlaClass.ROADS) & (ground_depth() < 80.0)
            errors.append(np.abs(metres(images) - ground_depth())[road])
    error = np.concatenate(errors)
    assert len(error) > 20_000
    assert np.median(error) < 0.002
    assert np.quantile(error, 0.99) < 0.02


def test_sky_is_at_the_end_of_the_depth_range(renderer, town):
    images = renderer.render(view_at(town.spawn_points[0]), [], 0)
    sky = tags(images) == CarlaClass.SKY
    assert sky.sum() > 500
    assert metres(images)[sky] == pytest.approx(1000.0)
    assert metres(images)[~sky].max() < 899.0


def test_road_pixels_lie_on_lanes_of_the_map(renderer, town):
    import carla

    town_map = carla.Map(town.name, town.xodr)
    kinds = (carla.LaneType.Driving, carla.LaneType.Parking)
    agree, count = 0, 0
    for spawn in town.spawn_points[::20]:
        view = view_at(spawn)
        images = renderer.render(view, [], 0)
        found, points, depth = tags(images), ground_points(view), metres(images)
        for row in range(HEIGHT // 2 + 12, HEIGHT, 9):
            for column in range(4, WIDTH, 15):
                if abs(depth[row, column] - ground_depth()[row, column]) > 0.02 * depth[row, column]:
                    continue  # something stands before the ground
                x, y = points[row, column]
                here = carla.Location(float(x), float(y), 0.0)
                on_lane = any(town_map.get_waypoint(here, project_to_road=False, lane_type=kind) for kind in kinds)
                on_road = found[row, column] in (CarlaClass.ROADS, CarlaClass.ROAD_LINES)
                agree += on_lane == on_road
                count += 1
    assert count > 800
    assert agree / count > 0.96


def changed(renderer, view, vehicle):
    """Where a vehicle is seen: class car with it, and another depth than without it."""
    before, after = renderer.render(view, [], 0), renderer.render(view, [vehicle], 0)
    return (tags(after) == CarlaClass.CAR) & (np.abs(metres(before) - metres(after)) > 0.01), metres(after)


def place(spawn, forward, right):
    yaw = math.radians(spawn.yaw_deg)
    x = spawn.x + forward * math.cos(yaw) - right * math.sin(yaw)
    return x, spawn.y + forward * math.sin(yaw) + right * math.cos(yaw)


@pytest.mark.parametrize("right", [-1.5, 0.0, 1.5])
def test_a_vehicle_appears_where_it_is(renderer, town, right):
    spawn = town.spawn_points[0]
    x, y = place(spawn, 9.0, right)
    half_length, half_width = 2.32, 0.92
    car = ActorLook(x, y, 0.0, spawn.yaw_deg, "sedan", (200, 30, 30), half_length, half_width)
    mask, depth = changed(renderer, view_at(spawn), car)
    rows, columns = np.nonzero(mask)
    rear, front = 9.0 - half_length, 9.0 + half_length
    corners = [WIDTH / 2 + FOCAL * (right + side * half_width) / x for side in (-1, 1) for x in (rear, front)]
    assert columns.min() == pytest.approx(min(corners), abs=5)
    assert columns.max() == pytest.approx(max(corners), abs=5)
    assert np.sign(columns.mean() - WIDTH / 2) == np.sign(right) or right == 0.0
    assert rows.max() < HEIGHT / 2 + FOCAL * CAMERA_Z / rear
    assert depth[mask].min() == pytest.approx(rear, abs=0.25)


def test_camera_rotation_is_that_of_carla(renderer, town):
    """A car seen by a tilted, rolled and turned camera lies where CARLA's own matrix puts it."""
    import carla

    spawn = town.spawn_points[0]
    x, y = place(spawn, 10.0, 0.0)
    car = ActorLook(x, y, 0.0, spawn.yaw_deg, "van", (230, 230, 230), 2.5, 0.97)
    for pitch, turn, roll in ((-12.0, 9.0, 14.0), (8.0, -14.0, -20.0)):
        yaw = spawn.yaw_deg + turn
        view = view_at(spawn, z=2.0, pitch_deg=pitch, yaw_deg=yaw, roll_deg=roll)
        rotation = carla.Rotation(pitch=pitch, yaw=yaw, roll=roll)
        inverse = np.array(carla.Transform(carla.Location(spawn.x, spawn.y, 2.0), rotation).get_inverse_matrix())
        corners = [(*place(spawn, 10.0 + i * 2.5, j * 0.97), z) for i in (-1, 1) for j in (-1, 1) for z in (0.3, 2.0)]
        seen = (inverse @ np.c_[corners, np.ones(8)].T)[:3]
        columns, rows = WIDTH / 2 + FOCAL * seen[1] / seen[0], HEIGHT / 2 - FOCAL * seen[2] / seen[0]
        columns, rows = columns.clip(0, WIDTH - 1), rows.clip(0, HEIGHT - 1)
        found_rows, found_columns = np.nonzero(changed(renderer, view, car)[0])
        assert found_columns.min() == pytest.approx(columns.min(), abs=7)
        assert found_columns.max() == pytest.approx(columns.max(), abs=7)
        assert found_rows.min() == pytest.approx(rows.min(), abs=7)
        assert found_rows.max() == pytest.approx(rows.max(), abs=7)


def test_same_input_gives_the_same_bytes(town):
    from sim2real_bench.envs.carla.embedded.render.renderer import Renderer

    spawn = town.spawn_points[3]
    x, y = place(spawn, 12.0, 0.0)
    car = ActorLook(x, y, 0.0, spawn.yaw_deg, "hatchback", (60, 90, 160), 2.0, 0.9)
    shots = []
    for _ in range(2):
        with Renderer(town) as renderer:
            renderer.set_weather(WEATHERS["night"])
            renderer.render(view_at(spawn), [], 4)
            renderer.set_weather(WEATHERS["rain"])
            images = [renderer.render(view_at(spawn), [car], frame) for frame in (7, 8, 7)]
            shots.append([(i.rgb.tobytes(), i.semantic.tobytes(), i.depth.tobytes()) for i in images])
    assert shots[0] == shots[1]
    seven, eight, again = shots[0]
    assert seven == again
    assert seven[0] != eight[0] and seven[1:] == eight[1:]  # rain and noise move, the world does not


def test_weathers_look_different_and_change_no_label(renderer, town):
    pictures, labels = {}, {}
    for name, weather in WEATHERS.items():
        renderer.set_weather(weather)
        shots = [renderer.render(view_at(spawn), [], 0) for spawn in town.spawn_points[10::60]]
        pictures[name] = np.stack([shot.rgb[..., :3].astype(float) for shot in shots])
        labels[name] = [shot.semantic.tobytes() for shot in shots]
    names = list(WEATHERS)
    for i, first in enumerate(names):
        for second in names[:i]:
            assert np.abs(pictures[first] - pictures[second]).mean() > 8.0, (first, second)
    upper = {name: picture[:, : HEIGHT // 3].mean() for name, picture in pictures.items()}
    assert upper["night"] < 0.5 * upper["sunset"] < 0.5 * upper["noon"]
    far = np.stack([(tags(shot) == CarlaClass.BUILDINGS) & (metres(shot) > 60.0) for shot in shots])
    assert far.sum() > 100
    assert pictures["fog"][far].std() < 0.6 * pictures["noon"][far].std()
    assert labels["noon"] == labels["wet"] == labels["night"]


def test_any_size_and_field_of_view(renderer, town):
    spawn = town.spawn_points[0]
    for width, height, fov in ((64, 48, 60.0), (333, 77, 120.0), (96, 40, 90.0), (200, 200, 45.0)):
        images = renderer.render(CameraView(width, height, fov, spawn.x, spawn.y, 1.4, yaw_deg=spawn.yaw_deg), [], 0)
        assert images.rgb.shape == (height, width, 4)
        bottom = tags(images)[-1]
        assert np.isin(bottom, (CarlaClass.ROADS, CarlaClass.ROAD_LINES)).mean() > 0.2


def test_memory_stays_flat(renderer, town):
    import psutil

    process = psutil.Process()
    views = [CameraView(96, 40, 90.0, s.x, s.y, 1.4, yaw_deg=s.yaw_deg) for s in town.spawn_points[:40]]
    for view in views:
        renderer.render(view, [], 0)
    before = process.memory_info().rss
    for frame in range(3):
        for view in views:
            renderer.render(view, [], frame)
    assert process.memory_info().rss - before < 12e6


def test_bad_requests_are_refused(town, renderer):
    from sim2real_bench.envs.carla.embedded.render.renderer import Renderer

    spawn = town.spawn_points[0]
    with pytest.raises(ConfigurationError, match="field of view"):
        CameraView(64, 48, 200.0, 0.0, 0.0, 1.0)
    with pytest.raises(ConfigurationError, match="0x48"):
        CameraView(0, 48, 90.0, 0.0, 0.0, 1.0)
    with pytest.raises(ConfigurationError, match="supersample"):
        Renderer(town, 9)
    zeppelin = ActorLook(spawn.x, spawn.y, 0.0, 0.0, "zeppelin", (1, 2, 3), 2.0, 1.0)
    with pytest.raises(ConfigurationError, match=r"zeppelin.*sedan"):
        renderer.render(view_at(spawn), [zeppelin], 0)


def test_missing_driver_names_the_packages(monkeypatch):
    import moderngl

    from sim2real_bench.envs.carla.embedded.render.context import create_context

    def refuse(**_):
        raise Exception("libEGL.so not loaded")  # what glcontext raises

    monkeypatch.setattr(moderngl, "create_context", refuse)
    with pytest.raises(MissingDependencyError, match="libegl1 libgl1 libgl1-mesa-dri"):
        create_context()


def test_closing_twice_is_safe_and_rendering_after_it_is_an_error(town):
    from sim2real_bench.envs.carla.embedded.render.renderer import Renderer

    renderer = Renderer(town, 1)
    renderer.close()
    renderer.close()
    with pytest.raises(SimulatorError, match="closed"):
        renderer.render(view_at(town.spawn_points[0]), [], 0)
