"""The light a weather makes."""

from dataclasses import fields, replace

import numpy as np
import pytest

from sim2real_bench.envs.carla.embedded.render.atmosphere import atmosphere
from sim2real_bench.envs.carla.weather import WEATHERS, Weather


def numbers(weather):
    air = atmosphere(weather)
    return np.concatenate([np.atleast_1d(getattr(air, field.name)) for field in fields(air)]).astype(float)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("cloudiness", 0, 100), ("precipitation", 0, 100), ("precipitation_deposits", 0, 100), ("wetness", 0, 100),
        ("sun_azimuth_angle", 0, 360), ("sun_altitude_angle", -90, 90), ("fog_density", 0, 100),
        ("fog_distance", 0, 50), ("fog_falloff", 0, 5), ("wind_intensity", 0, 100), ("dust_storm", 0, 100),
        ("scattering_intensity", 0, 2),
        ("mie_scattering_scale", 0, 1), ("rayleigh_scattering_scale", 0, 0.1),
    ],
)  # fmt: skip
def test_light_is_finite_and_continuous_in_every_parameter(name, low, high):
    base = Weather(fog_density=20.0)
    values = np.stack([numbers(replace(base, **{name: value})) for value in np.linspace(low, high, 401)])
    assert np.isfinite(values).all()
    assert (values[:, 3:-1] >= 0).all()  # all but the direction of the sun
    steps = np.abs(np.diff(values, axis=0)).max(0)
    assert (steps < 0.06 + 0.07 * np.ptp(values, axis=0)).all()
    assert np.ptp(values, axis=0).max() > 0.0  # the parameter does something


def test_sun_direction_turns_clockwise_with_the_azimuth():
    east = atmosphere(Weather(sun_azimuth_angle=90.0, sun_altitude_angle=0.0)).sun
    assert east[1] == pytest.approx(-1.0, abs=0.01)  # CARLA's +y is -y in the right-handed frame
    assert atmosphere(Weather(sun_altitude_angle=90.0)).sun[2] == pytest.approx(1.0)


def test_named_weathers_have_their_traits():
    air = {name: atmosphere(weather) for name, weather in WEATHERS.items()}
    assert air["night"].night == 1.0 and air["night"].sun_colour == (0.0, 0.0, 0.0)
    assert air["noon"].night == 0.0 and max(air["noon"].sun_colour) > 2.0
    red, _, blue = air["sunset"].sun_colour
    assert red > 2.0 * blue
    assert air["fog"].fog_density > 5 * air["noon"].fog_density
    assert air["rain"].rain > 0.5 and air["rain"].wet > 0.9 and air["noon"].wet == 0.0
    assert air["wet"].puddles > 0.5 and air["wet"].rain == 0.0
