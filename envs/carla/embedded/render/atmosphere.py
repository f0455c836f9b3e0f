"""From CARLA's fourteen weather parameters to light, sky, fog and wetness."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.weather import Weather

Colour = tuple[float, float, float]
Float = npt.NDArray[np.float64]

SUN_LIGHT = 3.3
_EXTINCTION = np.array([0.045, 0.105, 0.215])  # per air mass: red passes, blue is scattered away
_EARTH_RAYLEIGH = 0.0331


@dataclass(frozen=True)
class Atmosphere:
    """What the shaders are told about the weather (linear light; unit vectors in the right-handed frame).

    Attributes:
        sun: towards the sun (above the horizon also at night, where its colour is black).
        sun_colour: direct light.
        sky_top: zenith.
        sky_horizon: horizon.
        bounce: light from below.
        fog: colour.
        fog_density: 1/metres.
        fog_start_m: metres without fog.
        wet: 0 to 1.
        puddles: 0 to 1.
        night: 0 to 1, how far street and head lights are turned up.
        cloud: 0 to 1.
        rain: 0 to 1.
        wind: slant of the rain.
        saturation: of the picture.
        exposure: of the picture.
        noise: strength of the sensor noise.
    """

    sun: Colour
    sun_colour: Colour
    sky_top: Colour
    sky_horizon: Colour
    bounce: Colour
    fog: Colour
    fog_density: float
    fog_start_m: float
    wet: float
    puddles: float
    night: float
    cloud: float
    rain: float
    wind: float
    saturation: float
    exposure: float
    noise: float


def _smooth(low: float, high: float, value: float) -> float:
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return share * share * (3.0 - 2.0 * share)


def _mix(a: npt.ArrayLike, b: npt.ArrayLike, share: float) -> Float:
    return np.asarray(a, float) * (1.0 - share) + np.asarray(b, float) * share


def _rgb(colour: Float) -> Colour:
    red, green, blue = (float(value) for value in np.maximum(colour, 0.0))
    return red, green, blue


def _share(percent: float) -> float:
    return min(max(percent / 100.0, 0.0), 1.0)


def _direct_light(altitude: float, cover: float) -> Float:
    """Sun light after the air (Kasten and Young's air mass) and the clouds."""
    height = max(altitude, -2.0)
    air_mass = 1.0 / (math.sin(math.radians(max(height, 0.0))) + 0.50572 * (height + 6.07995) ** -1.6364)
    clear = SUN_LIGHT * np.exp(-_EXTINCTION * air_mass) * _smooth(-2.5, 4.0, altitude)
    return np.asarray(clear * (1.0 - 0.95 * cover))


def _sky(altitude: float, cover: float, weather: Weather) -> tuple[Float, Float, float]:
    """Zenith, horizon, and the share of daylight."""
    daylight = _smooth(-12.0, 25.0, altitude)
    low_sun = (1.0 - _smooth(1.0, 24.0, altitude)) * _smooth(-10.0, 0.0, altitude) * (1.0 - 0.5 * cover)
    blue = min(max(weather.rayleigh_scattering_scale / _EARTH_RAYLEIGH, 0.0), 3.0)
    top = _mix(np.array([0.17, 0.33, 0.74]) * (0.6 + 0.4 * blue), (0.45, 0.48, 0.53), cover)
    horizon = _mix((0.58, 0.71, 0.89), (0.61, 0.63, 0.66), cover)
    horizon = _mix(horizon, (0.80, 0.76, 0.70), min(weather.mie_scattering_scale, 1.0) * 0.6)
    horizon = _mix(horizon, (1.15, 0.55, 0.28), 0.9 * low_sun)
    top = _mix(top, (0.20, 0.21, 0.42), 0.6 * low_sun)
    night_top, night_horizon = np.array([0.010, 0.014, 0.032]), np.array([0.030, 0.031, 0.044])
    return top * daylight + night_top, horizon * daylight + night_horizon, daylight


def _fog(weather: Weather, horizon: Float, daylight: float, cover: float) -> tuple[Float, float]:
    """Colour and density."""
    dust = _share(weather.dust_storm)
    thick = _share(weather.fog_density)
    falloff = math.exp(-0.15 * max(weather.fog_falloff, 0.0))  # steeper falloff leaves less fog at eye level
    density = 0.0011 + 0.0007 * cover + 0.05 * thick**1.5 * falloff + 0.0045 * _share(weather.precipitation)
    density += 0.03 * dust + 0.0006 * min(weather.mie_scattering_scale, 5.0)
    grey = np.array([0.70, 0.72, 0.735]) * daylight + np.array([0.028, 0.030, 0.042])
    colour = _mix(horizon * 0.96, grey, _smooth(0.02, 0.4, thick + 0.3 * cover * _share(weather.precipitation)))
    colour = colour * (1.0 - 0.12 * _share(weather.precipitation))
    colour = _mix(colour, np.array([0.62, 0.47, 0.30]) * (daylight + 0.04), dust)
    return colour * (1.0 + 0.25 * min(weather.scattering_intensity, 2.0) * thick), density


def atmosphere(weather: Weather) -> Atmosphere:
    """The light of a weather; continuous in every parameter."""
    altitude = min(max(weather.sun_altitude_angle, -90.0), 90.0)
    cover = _smooth(0.2, 1.0, _share(weather.cloudiness))
    cover = max(cover, 0.9 * _smooth(0.2, 0.9, _share(weather.fog_density)))
    direct = _direct_light(altitude, cover)
    top, horizon, daylight = _sky(altitude, cover, weather)
    fog, density = _fog(weather, horizon, daylight, cover)
    night = 1.0 - _smooth(-7.0, 10.0, altitude)
    dusk = (1.0 - _smooth(5.0, 20.0, altitude)) * (1.0 - night)
    azimuth, height = math.radians(weather.sun_azimuth_angle), math.radians(max(altitude, 2.5))
    bounce = np.array([0.21, 0.195, 0.175]) * daylight * (0.55 + 0.45 * (1.0 - cover)) + 0.010
    wet = max(_share(weather.wetness), 0.9 * _share(weather.precipitation_deposits))
    rain = _share(weather.precipitation)
    return Atmosphere(
        # CARLA's azimuth is clockwise from +x; y changes its sign in the right-handed frame.
        sun=(math.cos(height) * math.cos(azimuth), -math.cos(height) * math.sin(azimuth), math.sin(height)),
        sun_colour=_rgb(direct), sky_top=_rgb(top), sky_horizon=_rgb(horizon), bounce=_rgb(bounce), fog=_rgb(fog),
        fog_density=density, fog_start_m=max(weather.fog_distance, 0.0), wet=wet,
        puddles=_share(weather.precipitation_deposits), night=night, cloud=_share(weather.cloudiness), rain=rain,
        wind=0.02 + 0.10 * _share(weather.wind_intensity),
        saturation=1.04 - 0.20 * cover - 0.04 * rain, exposure=1.0 + 0.5 * night + 0.15 * dusk,
        noise=0.030 + 0.025 * night,
    )  # fmt: skip
