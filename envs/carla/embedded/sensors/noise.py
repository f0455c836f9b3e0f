"""Random numbers of sensors: the same seed, sensor age and attributes give the same noise, byte for byte."""

import numpy as np

from sim2real_bench.envs.carla.embedded.actors import Sensor


def generator(sensor: Sensor, frame: int) -> np.random.Generator:
    """The generator of one capture: it depends on the sensor's seed and on its age in frames, not on who listened."""
    seed = int(sensor.attributes.get("noise_seed", "0"))
    return np.random.default_rng((seed % 2**32, max(0, frame - sensor.born)))
