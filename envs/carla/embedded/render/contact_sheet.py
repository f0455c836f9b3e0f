"""A sheet of pictures to look at: spawn points by weathers, each as picture, classes and depth.

``python -m sim2real_bench.envs.carla.embedded.render.contact_sheet --town MiniTown01 --out sheet.png``
"""

from __future__ import annotations

import argparse
import logging
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from sim2real_bench.envs.carla.embedded.render.renderer import Renderer
from sim2real_bench.envs.carla.embedded.render.view import ActorLook, CameraView, Image, Images
from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES, SpawnPoint, Town, build_town
from sim2real_bench.envs.carla.embedded.town.spawning import SPAWN_HEIGHT_M
from sim2real_bench.envs.carla.weather import WEATHER_FIELDS, WEATHERS, Weather
from sim2real_bench.envs.classes import CARLA_PALETTE
from sim2real_bench.errors import UnknownNameError

_log = logging.getLogger(__name__)

_LOW_BEAM = 3  # with the position lamps; see carla.VehicleLightState
CAMERA_ABOVE_SPAWN_M = 1.1
"""A camera on the bonnet is 1.4 m above the road, and spawn points lie 0.3 m above it."""


def view_from(spawn: SpawnPoint, width: int = 384, height: int = 160, forward_m: float = 2.0) -> CameraView:
    """The driving camera of a car at a spawn point."""
    yaw = math.radians(spawn.yaw_deg)
    x, y = spawn.x + forward_m * math.cos(yaw), spawn.y + forward_m * math.sin(yaw)
    z = spawn.z + CAMERA_ABOVE_SPAWN_M
    return CameraView(width, height, 90.0, x, y, z, pitch_deg=spawn.pitch_deg, yaw_deg=spawn.yaw_deg)


def car_ahead(spawn: SpawnPoint, distance_m: float, body: str, colour: tuple[int, int, int]) -> ActorLook:
    """A car in the same lane, further on."""
    yaw = math.radians(spawn.yaw_deg)
    x, y = spawn.x + distance_m * math.cos(yaw), spawn.y + distance_m * math.sin(yaw)
    z = spawn.z - SPAWN_HEIGHT_M + distance_m * math.tan(math.radians(spawn.pitch_deg))
    return ActorLook(x, y, z, spawn.yaw_deg, body, colour, 2.3, 0.92, pitch_deg=spawn.pitch_deg)


def classes_in_colour(images: Images) -> Image:
    """(H, W, 3) BGR: the classes in CARLA's palette."""
    return np.ascontiguousarray(CARLA_PALETTE[images.semantic[..., 2]][..., ::-1])


def depth_in_grey(images: Images) -> Image:
    """(H, W, 3): logarithm of the depth, near is bright."""
    packed = images.depth.astype(np.float64)
    metres = (packed[..., 2] + 256.0 * packed[..., 1] + 65536.0 * packed[..., 0]) * (1000.0 / 16777215.0)
    grey = 255.0 * (1.0 - np.log1p(np.clip(metres, 0.0, 300.0)) / math.log1p(300.0))
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def sheet(town: Town, weathers: list[str], spawns: list[int], with_labels: bool = True) -> Image:
    """One row per spawn point and weather (with labels), or one row per spawn point with all weathers."""
    rows: dict[tuple[int, str], Image] = {}
    with Renderer(town) as renderer:
        for weather in weathers:
            light = weather_of(weather)
            renderer.set_weather(light)
            lights = _LOW_BEAM if light.sun_altitude_angle < 0.0 else 0
            for order, index in enumerate(spawns):
                spawn = town.spawn_points[index % len(town.spawn_points)]
                bodies = (("sedan", (160, 38, 34)), ("hatchback", (70, 120, 176)), ("van", (226, 226, 226)))
                body, colour = bodies[order % len(bodies)]
                cars = [car_ahead(spawn, 11.0 + 3.0 * order, body, colour)] if order % 2 == 0 else []
                ego = replace(car_ahead(spawn, 0.0, body, colour), visible=False)
                actors = [replace(car, lights=lights) for car in (ego, *cars)]
                images = renderer.render(view_from(spawn), actors, frame=index)
                parts = [images.rgb[..., :3]]
                if with_labels:
                    parts += [classes_in_colour(images), depth_in_grey(images)]
                rows[index, weather] = np.hstack(parts)
    if with_labels:
        return np.vstack([rows[index, weather] for weather in weathers for index in spawns])
    return np.vstack([np.hstack([rows[index, weather] for weather in weathers]) for index in spawns])


def weather_of(name: str) -> Weather:
    """A weather of the benchmark, or a preset of ``carla.WeatherParameters`` such as ``HardRainSunset``.

    Raises:
        UnknownNameError: neither has it.
    """
    import carla

    if name in WEATHERS:
        return WEATHERS[name]
    preset = getattr(carla.WeatherParameters, name, None)
    if not isinstance(preset, carla.WeatherParameters):
        raise UnknownNameError(
            f"weather {name!r} is unknown; choose one of {', '.join(WEATHERS)} or a preset of carla.WeatherParameters"
        )
    values = {field: float(getattr(preset, field)) for field in WEATHER_FIELDS}
    return Weather(**values | {"sun_azimuth_angle": values["sun_azimuth_angle"] % 360.0})


def main() -> None:
    """Write a contact sheet of towns, one below the other."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--town", choices=TOWN_NAMES, action="append", help="may be repeated; the first one by default")
    parser.add_argument("--weathers", default=",".join(WEATHERS), help="names, also presets of CARLA, with commas")
    parser.add_argument("--spawns", default="0,23,41,77", help="comma-separated indices")
    parser.add_argument("--rgb-only", action="store_true", help="one column per weather, pictures only")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    spawns = [int(index) for index in arguments.spawns.split(",")]
    weathers = arguments.weathers.split(",")
    towns = arguments.town or TOWN_NAMES[:1]
    image = np.vstack([sheet(build_town(town), weathers, spawns, not arguments.rgb_only) for town in towns])
    cv2.imwrite(str(arguments.out), image)
    _log.info("%s: %d x %d pixels", arguments.out, image.shape[1], image.shape[0])


if __name__ == "__main__":
    main()
