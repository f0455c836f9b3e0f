"""What sensors may read in a tick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sim2real_bench.envs.carla.embedded.actors import Prop, Sensor, Vehicle, Walker
from sim2real_bench.envs.carla.embedded.messages import Stamp
from sim2real_bench.envs.carla.embedded.physics import Hit
from sim2real_bench.envs.carla.embedded.scenery import Scenery
from sim2real_bench.envs.carla.embedded.sensors.solids import Solids
from sim2real_bench.envs.carla.embedded.vehicles import GRAVITY

Delivery = tuple[int, bytes]
"""A stream id and the message for it."""


@dataclass(frozen=True)
class Scene:
    """What sensors may read in a tick.

    Attributes:
        stamp: frame number and elapsed seconds.
        scenery: the town.
        vehicles: all of them.
        hits: who was hit in this tick.
        walkers: all of them.
        props: things put up by clients.
        signals: state of each of the town's signals (see ``Renderer.render``).
        seconds: duration of the tick.
        gravity: that inertial sensors feel, m/s².
    """

    stamp: Stamp
    scenery: Scenery
    vehicles: Sequence[Vehicle]
    hits: Sequence[Hit]
    walkers: Sequence[Walker] = ()
    props: Sequence[Prop] = ()
    signals: Sequence[int] = ()
    seconds: float = 0.05
    gravity: float = GRAVITY

    @cached_property
    def solids(self) -> Solids:
        """Everything a ray can meet, but the ground."""
        return self.scenery.solids.with_bodies((*self.vehicles, *self.walkers, *self.props))


def carrier_id(sensor: Sensor) -> int:
    """The id of whoever carries a sensor; 0 = nobody."""
    return sensor.parent.actor_id if sensor.parent else 0
