"""What the pictures show: each weather, lamps by their state, light cones, instances; nothing seen is left out."""

import itertools
import math
from dataclasses import fields, replace

import numpy as np
import pytest

from sim2real_bench.envs.carla.embedded.render.view import ActorLook, CameraView
from sim2real_bench.envs.carla.weather import WEATHERS, Weather
from sim2real_bench.envs.classes import CarlaClass
from sim2real_bench.errors import ConfigurationError, SimulatorError

pytestmark = pytest.mark.simulator
RGB = frozenset({"rgb"})
BASE = Weather(cloudiness=45, sun_altitude_angle=40, sun_azimuth_angle=30, fog_density=20, fog_distance=5)
NIGHT = WEATHERS["night"]


@pytest.fixture(scope="module")
def town(carla_embedded):
    from sim2real_bench.envs.carla.embedded.town import build_town

    return build_town("MiniTown01")


@pytest.fixture(scope="module")
def renderer(town):
    from sim2real_bench.envs.carla.embedded.render.renderer import Renderer

    with Renderer(town) as made:
        yield made


def view_at(spawn, width=192, height=80, **changes):
    values = {"x": spawn.x, "y": spawn.y, "z": spawn.z + 1.4, "yaw_deg": spawn.yaw_deg} | changes
    return CameraView(width, height, 90.0, **values)


def ahead(spawn, metres, body="sedan", **changes):
    yaw = math.radians(spawn.yaw_deg)
    x, y = spawn.x + metres * math.cos(yaw), spawn.y + metres * math.sin(yaw)
    values = {"yaw_deg": spawn.yaw_deg, "body": body, "colour": (90, 90, 90), "half_length": 2.3, "half_width": 0.92}
    return ActorLook(x, y, 0.0, **values | changes)


def picture(renderer, view, actors=(), **options):
    return renderer.render(view, list(actors), 5, want=RGB, **options).rgb[..., 2::-1].astype(float)


def test_presets_of_carla_look_different(renderer, town):
    import carla

    # SoftRainNight is left out: it is hardly to be told from WetCloudyNight.
    names = [f"{sky}{time}" for time in ("Noon", "Sunset") for sky in ("Clear", "Cloudy", "Wet", "WetCloudy")]
    names += ["SoftRainNoon", "MidRainyNoon", "HardRainNoon", "SoftRainSunset", "MidRainSunset", "HardRainSunset"]
    names += ["ClearNight", "CloudyNight", "WetNight", "WetCloudyNight", "MidRainyNight", "HardRainNight", "DustStorm"]
    pictures = {}
    for name in names:
        preset = getattr(carla.WeatherParameters, name)
        values = Weather(**{field.name: getattr(preset, field.name) for field in fields(Weather)})
        renderer.set_weather(replace(values, sun_azimuth_angle=values.sun_azimuth_angle % 360.0))
        pictures[name] = np.stack([picture(renderer, view_at(spawn)) for spawn in town.spawn_points[10::60]])
    for first, second in itertools.combinations(names, 2):
        least = 1.0 if first.endswith("Night") and second.endswith("Night") else 3.0
        assert np.abs(pictures[first] - pictures[second]).mean() > least, (first, second)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("cloudiness", 0, 90), ("precipitation", 0, 80), ("precipitation_deposits", 0, 80), ("wetness", 0, 80),
        ("wind_intensity", 0, 100), ("sun_azimuth_angle", 0, 120), ("sun_altitude_angle", 10, 60),
        ("fog_density", 0, 60), ("fog_distance", 0, 50), ("fog_falloff", 0, 4), ("scattering_intensity", 0, 2),
        ("mie_scattering_scale", 0, 1), ("rayleigh_scattering_scale", 0.0331, 0.1), ("dust_storm", 0, 60),
    ],
)  # fmt: skip
def test_every_free_parameter_of_the_weather_is_seen(renderer, town, name, low, high):
    shots = []
    for value in (low, low, high):
        renderer.set_weather(replace(BASE, **{name: value}))
        shots.append(picture(renderer, view_at(town.spawn_points[10])))
    assert (shots[0] == shots[1]).all()
    assert np.abs(shots[0] - shots[2]).mean() > 0.1


@pytest.mark.parametrize("weather", ["noon", "night"])
def test_the_lit_lamp_of_a_traffic_light_has_its_colour(renderer, town, weather):
    renderer.set_weather(WEATHERS[weather])
    index, signal = next((i, s) for i, s in enumerate(town.signals) if s.lamps and s.stop_poses)
    yaw = math.radians(signal.lamp_yaw_deg)
    x, y, z = signal.lamps[1]
    view = CameraView(
        96, 96, 40.0, x + 4.0 * math.cos(yaw), y + 4.0 * math.sin(yaw), z, 0.0, signal.lamp_yaw_deg + 180.0
    )
    dark = renderer.render(view, [], 0, [3] * len(town.signals))
    for state in (0, 1, 2):
        lit = renderer.render(view, [], 0, [state if i == index else 3 for i in range(len(town.signals))])
        change = lit.rgb[..., 2::-1].astype(int) - dark.rgb[..., 2::-1]
        spot = change.max(-1) > 40
        assert 10 < spot.sum() < 400
        assert (lit.semantic[..., 2][spot] == CarlaClass.TRAFFIC_LIGHT).mean() > 0.8
        red, green, blue = lit.rgb[..., 2::-1][spot].astype(float).mean(0)
        is_colour = (red > 1.5 * max(green, blue), min(red, green) > 1.5 * blue, green > max(1.3 * red, blue))
        assert [shown for shown in (0, 1, 2) if is_colour[shown]] == [state]
    with pytest.raises(ConfigurationError, match="one state per signal"):
        renderer.render(view, [], 0, [0])


@pytest.mark.parametrize(("flags", "channel"), [(8, 0), (1, 0), (32, 0), (64, 2)])
def test_lamps_of_a_vehicle_shine_by_its_flags(renderer, town, flags, channel):
    spawn = town.spawn_points[0]
    renderer.set_weather(NIGHT)
    shots = [picture(renderer, view_at(spawn), [ahead(spawn, 8.0, lights=lights)]) for lights in (0, flags)]
    brighter = shots[1] - shots[0]
    assert brighter[..., channel].max() > 60
    assert (np.abs(brighter).max(-1) > 20).mean() < 0.05


def test_head_lamps_light_the_road_even_when_the_camera_is_inside(renderer, town):
    spawn = town.spawn_points[0]
    renderer.set_weather(NIGHT)
    dark, low, high = (
        picture(renderer, view_at(spawn), [ahead(spawn, -2.0, lights=lights, visible=False)])[50:].mean()
        for lights in (0, 3, 7)
    )
    assert low > 1.15 * dark and high > 1.05 * low


def test_instances_carry_class_and_id(renderer, town):
    spawn = town.spawn_points[0]
    actors = [ahead(spawn, 9.0, actor_id=0x1234), ahead(spawn, 6.0, "man", half_length=0.2, half_width=0.2, actor_id=7)]
    images = renderer.render(view_at(spawn), actors, 0, want=frozenset({"semantic", "instance"}))
    blue, green, red = (images.instance[..., k].astype(int) for k in range(3))
    number = 256 * blue + green
    assert set(np.unique(number)) == {0, 7, 0x1234}
    assert (red == images.semantic[..., 2]).all()
    assert set(np.unique(red[number == 0x1234])) == {int(CarlaClass.CAR)}
    assert set(np.unique(red[number == 7])) == {int(CarlaClass.PEDESTRIANS)}
    with pytest.raises(SimulatorError, match="depth image was not drawn"):
        images.depth  # noqa: B018
    with pytest.raises(ConfigurationError, match="lidar"):
        renderer.render(view_at(spawn), [], 0, want=frozenset({"lidar"}))


def test_two_hundred_actors_are_drawn(renderer, town):
    spawn = town.spawn_points[0]
    person = ahead(spawn, 0.0, "man", half_length=0.2, half_width=0.2)
    crowd = [
        replace(person, x=spawn.x + row - 4.5, y=spawn.y + column - 9.5, z=40.0, actor_id=1 + 20 * row + column)
        for row in range(10)
        for column in range(20)
    ]
    view = view_at(spawn, 400, 400, z=60.0, pitch_deg=-90.0)
    image = renderer.render(view, crowd, 0, want=frozenset({"instance"})).instance.astype(int)
    assert set(np.unique(256 * image[..., 0] + image[..., 1])) == set(range(201))


@pytest.mark.parametrize("tilt", [{}, {"pitch_deg": -8.0, "roll_deg": 4.0}, {"z": 25.0, "pitch_deg": -30.0}])
def test_what_the_horizon_hides_could_not_be_seen(renderer, town, monkeypatch, tilt):
    from sim2real_bench.envs.carla.embedded.render.occlusion import Horizon

    renderer.set_weather(WEATHERS["noon"])
    labels = frozenset({"semantic", "depth"})
    views = [view_at(spawn, **tilt) for spawn in town.spawn_points[3::9]]
    culled = [renderer.render(view, [], 0, want=labels) for view in views]
    with monkeypatch.context() as patch:
        patch.setattr(Horizon, "hides", lambda self, centres, radii, tops: np.zeros(len(centres), bool))
        whole = [renderer.render(view, [], 0, want=labels) for view in views]
    wrong = [
        (a.semantic != b.semantic).any(-1) | (a.depth != b.depth).any(-1) for a, b in zip(culled, whole, strict=True)
    ]
    assert np.mean(wrong) < 2e-4
