"""Weather: CARLA's fourteen parameters and the named settings of the benchmark."""

from dataclasses import astuple, dataclass, fields

from sim2real_bench.errors import ConfigurationError


@dataclass(frozen=True)
class Weather:
    """``carla.WeatherParameters``, same order and units (percent, degrees, metres)."""

    cloudiness: float = 0.0
    precipitation: float = 0.0
    precipitation_deposits: float = 0.0
    wind_intensity: float = 0.0
    sun_azimuth_angle: float = 0.0
    sun_altitude_angle: float = 75.0
    fog_density: float = 0.0
    fog_distance: float = 0.0
    fog_falloff: float = 0.0
    wetness: float = 0.0
    scattering_intensity: float = 0.0
    mie_scattering_scale: float = 0.0
    rayleigh_scattering_scale: float = 0.0331
    dust_storm: float = 0.0

    def values(self) -> tuple[float, ...]:
        """The fourteen numbers in wire order."""
        return astuple(self)


WEATHERS: dict[str, Weather] = {
    "noon": Weather(cloudiness=15, sun_azimuth_angle=35, sun_altitude_angle=65),
    "sunset": Weather(cloudiness=45, sun_azimuth_angle=155, sun_altitude_angle=7, fog_density=2),
    "wet": Weather(
        cloudiness=55, precipitation_deposits=70, sun_azimuth_angle=200, sun_altitude_angle=42, wetness=80
    ),
    "rain": Weather(
        cloudiness=95, precipitation=80, precipitation_deposits=90, wind_intensity=40, sun_azimuth_angle=200,
        sun_altitude_angle=50, fog_density=12, wetness=100,
    ),
    "fog": Weather(
        cloudiness=85, sun_azimuth_angle=90, sun_altitude_angle=35, fog_density=60, fog_distance=5, wetness=25,
    ),
    "night": Weather(cloudiness=60, sun_azimuth_angle=155, sun_altitude_angle=-30, fog_density=2, wetness=30),
}  # fmt: skip
"""The weathers of ``stk-carla-v1``; an episode draws one of them."""


def weather_named(name: str) -> Weather:
    """The weather of a name.

    Raises:
        ConfigurationError: an unknown name.
    """
    if name not in WEATHERS:
        raise ConfigurationError(f"weather {name!r} is unknown; choose one of {', '.join(WEATHERS)}")
    return WEATHERS[name]


WEATHER_FIELDS = tuple(field.name for field in fields(Weather))
