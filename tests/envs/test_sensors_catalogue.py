"""The sensor blueprints: names, defaults, ranges, and what is refused."""

import pytest

from sim2real_bench.envs.carla.embedded.blueprints import BLUEPRINTS, resolve
from sim2real_bench.envs.carla.embedded.sensors.capture import DEVICES
from sim2real_bench.envs.carla.embedded.sensors.catalogue import (
    ACCEPTED_WITHOUT_EFFECT,
    CAMERAS,
    LANE_INVASION,
    REMARKS,
    RGB,
    SENSOR_BLUEPRINTS,
    UNSUPPORTED_SENSORS,
)
from sim2real_bench.envs.carla.embedded.wire import AttributeValue, Description
from sim2real_bench.errors import ConfigurationError


def described(type_id, **attributes):
    return Description(1, type_id, tuple(AttributeValue(name, 4, value) for name, value in attributes.items()))


def test_every_blueprint_can_capture():
    assert set(SENSOR_BLUEPRINTS) == {*CAMERAS, *DEVICES, LANE_INVASION}
    assert set(SENSOR_BLUEPRINTS) <= set(BLUEPRINTS)
    assert set(REMARKS) <= set(SENSOR_BLUEPRINTS)


@pytest.mark.parametrize("type_id", SENSOR_BLUEPRINTS)
def test_defaults_pass_their_own_check(type_id):
    for attribute in SENSOR_BLUEPRINTS[type_id]:
        for value in attribute.recommended:
            attribute.check(value)
    names = [attribute.name for attribute in SENSOR_BLUEPRINTS[type_id]]
    assert len(names) == len(set(names))


def test_what_has_no_effect_is_still_an_attribute_and_is_checked():
    everything = {attribute.name for attributes in SENSOR_BLUEPRINTS.values() for attribute in attributes}
    assert set(ACCEPTED_WITHOUT_EFFECT) <= everything
    assert resolve(described(RGB, gamma="1.8", exposure_mode="manual"))["gamma"] == "1.8"
    with pytest.raises(ConfigurationError, match="gamma='bright' is not a float"):
        resolve(described(RGB, gamma="bright"))
    with pytest.raises(ConfigurationError, match="choose one of histogram, manual"):
        resolve(described(RGB, exposure_mode="auto"))


@pytest.mark.parametrize(
    ("type_id", "name", "value"),
    [
        (RGB, "fov", "180.0"),
        (RGB, "fov", "nan"),
        ("sensor.lidar.ray_cast", "channels", "0"),
        ("sensor.lidar.ray_cast", "points_per_second", "100000000"),
        ("sensor.lidar.ray_cast", "range", "inf"),
        ("sensor.lidar.ray_cast", "dropoff_general_rate", "1.5"),
        ("sensor.other.imu", "noise_gyro_stddev_x", "-0.1"),
        ("sensor.other.gnss", "noise_seed", "1e3"),
        ("sensor.other.obstacle", "only_dynamics", "2"),
    ],
)
def test_values_that_cannot_be_used_are_named(type_id, name, value):
    with pytest.raises(ConfigurationError, match=f"attribute {name}='"):
        resolve(described(type_id, **{name: value}))


@pytest.mark.parametrize("type_id", UNSUPPORTED_SENSORS)
def test_sensors_that_are_not_supported_are_listed_and_refused_by_name(type_id):
    assert type_id in BLUEPRINTS
    with pytest.raises(ConfigurationError, match=f"{type_id} is not supported"):
        resolve(described(type_id))


def test_an_integer_may_be_written_with_a_fraction_of_zero():
    assert resolve(described("sensor.lidar.ray_cast", channels="64.0"))["channels"] == "64"
    assert resolve(described(RGB, image_size_x="800"))["image_size_x"] == "800"
    for wrong in ("64.5", "nan", "inf", "1e400", ""):
        with pytest.raises(ConfigurationError, match="is not a int"):
            resolve(described("sensor.lidar.ray_cast", channels=wrong))
