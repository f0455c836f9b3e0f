"""GNSS and IMU: where a sensor is on the globe, what it feels, how it turns and where north is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from sim2real_bench.envs.carla.embedded.actors import ZERO, Sensor
from sim2real_bench.envs.carla.embedded.geometry import Transform, Vector, rotate, rotation_matrix, transpose
from sim2real_bench.envs.carla.embedded.messages import SensorType, event
from sim2real_bench.envs.carla.embedded.sensors.motion import CarrierMotion, cross, plus, turning_between
from sim2real_bench.envs.carla.embedded.sensors.noise import generator
from sim2real_bench.envs.carla.embedded.sensors.scene import Delivery, Scene
from sim2real_bench.envs.carla.embedded.vehicles import GRAVITY

EARTH_RADIUS_M = 6378137.0
MERCATOR_SCALE = 0.9996
_LONGEST_GAP_S = 1.0  # between captures that belong together
_FASTEST_TILT = 20.0  # rad/s


class Gnss:
    """A GNSS receiver with bias and noise per axis."""

    def __init__(self, sensor: Sensor) -> None:
        numbers = sensor.attributes
        self._bias = tuple(float(numbers[f"noise_{axis}_bias"]) for axis in ("lat", "lon", "alt"))
        self._stddev = tuple(float(numbers[f"noise_{axis}_stddev"]) for axis in ("lat", "lon", "alt"))

    def capture(self, sensor: Sensor, scene: Scene) -> Iterator[Delivery]:
        """Latitude and longitude in degrees, altitude in metres."""
        position = geodetic(sensor.transform.location, scene.scenery.town.xodr)
        if any(self._stddev):
            noise = generator(sensor, scene.stamp.frame).normal(0.0, self._stddev).tolist()
            position = [value + error for value, error in zip(position, noise, strict=True)]
        position = [value + bias for value, bias in zip(position, self._bias, strict=True)]
        yield sensor.stream, event(SensorType.GNSS, scene.stamp, sensor.transform, position)


@dataclass(frozen=True, slots=True)
class _Instant:
    """When a carrier was where, and how it turned."""

    elapsed: float
    pose: Transform
    turning: Vector


class Imu:
    """An inertial measurement unit with noise per axis."""

    def __init__(self, sensor: Sensor) -> None:
        self._accel_stddev, self._gyro_stddev, self._gyro_bias = (
            tuple(float(sensor.attributes[f"noise_{kind}_{axis}"]) for axis in ("x", "y", "z"))
            for kind in ("accel_stddev", "gyro_stddev", "gyro_bias")
        )
        self._before: _Instant | None = None

    def capture(self, sensor: Sensor, scene: Scene) -> Iterator[Delivery]:
        """Accelerometer (m/s²), gyroscope (rad/s) and compass (radians from north)."""
        motion, swing = self._motion(sensor, scene.stamp.elapsed)
        felt, turning, compass = inertial(sensor, motion, swing, scene.gravity)
        if any((*self._accel_stddev, *self._gyro_stddev)):
            random = generator(sensor, scene.stamp.frame)
            felt = [value + error for value, error in zip(felt, random.normal(0.0, self._accel_stddev), strict=True)]
            turning = [
                value + error for value, error in zip(turning, random.normal(0.0, self._gyro_stddev), strict=True)
            ]
        turning = [value + bias for value, bias in zip(turning, self._gyro_bias, strict=True)]
        value = [[float(entry) for entry in felt], [float(entry) for entry in turning], compass]
        yield sensor.stream, event(SensorType.IMU, scene.stamp, sensor.transform, value)

    def _motion(self, sensor: Sensor, elapsed: float) -> tuple[CarrierMotion, Vector]:
        """The carrier's motion, and the acceleration of the mounting from a change of its turning, m/s².

        The ground sets a vehicle's pitch and roll, so their rates are those between the last capture and this one.
        """
        motion, before = CarrierMotion.of(sensor), self._before
        pose = sensor.parent.transform if sensor.parent else Transform()
        self._before = _Instant(elapsed, pose, motion.turning)
        if before is None or not 0.0 < elapsed - before.elapsed <= _LONGEST_GAP_S:
            return motion, ZERO
        seconds = elapsed - before.elapsed
        x, y, _ = turning_between(before.pose, pose, seconds)
        if math.hypot(x, y) < _FASTEST_TILT:  # else it was put there
            motion = replace(motion, turning=(x, y, motion.turning[2]))
        spin = (motion.turning[2] - before.turning[2]) / seconds
        return motion, cross((0.0, 0.0, spin), motion.arm)


def inertial(
    sensor: Sensor, motion: CarrierMotion, swing: Vector = ZERO, gravity: float = GRAVITY
) -> tuple[list[float], list[float], float]:
    """(accelerometer m/s², gyroscope rad/s, compass) in the sensor's axes; compass 0 = north (-y), east = pi / 2.

    At rest the accelerometer shows the ground's push against gravity: +9.81 along the axis that points up.

    Args:
        sensor: whose axes and direction count.
        motion: of its carrier.
        swing: acceleration of the mounting from a change of the turning, m/s² in world axes.
        gravity: m/s².
    """
    inward = cross(motion.turning, cross(motion.turning, motion.arm))
    pose = sensor.transform
    to_sensor = transpose(rotation_matrix(pose.pitch, pose.yaw, pose.roll))
    felt = plus(motion.acceleration, inward, swing, (0.0, 0.0, gravity))
    compass = math.radians(pose.yaw + 90.0) % math.tau
    return list(rotate(to_sensor, felt)), list(rotate(to_sensor, motion.turning)), compass


def geodetic(place: Vector, xodr: str) -> list[float]:
    """``[latitude, longitude, altitude]`` in degrees and metres, equal to ``carla.Map.transform_to_geolocation``.

    The client's library projects by a spherical transverse Mercator (Snyder, 1987, equations 8-6 and 8-7) of scale
    0.9996 about the map's geo-reference, with y, which points right, counted as northing.
    """
    latitude, longitude = _reference(xodr)
    east = place[0] / (EARTH_RADIUS_M * MERCATOR_SCALE)
    north = place[1] / (EARTH_RADIUS_M * MERCATOR_SCALE) + math.radians(latitude)
    return [
        math.degrees(math.asin(math.sin(north) / math.cosh(east))),
        longitude + math.degrees(math.atan2(math.sinh(east), math.cos(north))),
        place[2],
    ]


@lru_cache(maxsize=8)
def _reference(xodr: str) -> tuple[float, float]:
    """Latitude and longitude of the map's origin, degrees; zero where the map gives none."""
    head = xodr[:4096]
    found = [re.search(rf"\+{name}=([-+0-9.eE]+)", head) for name in ("lat_0", "lon_0")]
    latitude, longitude = (float(match.group(1)) if match else 0.0 for match in found)
    return latitude, longitude
