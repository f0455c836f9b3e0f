"""Traffic lights and signs as actors: the signals of a town, which exist from the load of a map on."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sim2real_bench.envs.carla.embedded.actors import Actor
from sim2real_bench.envs.carla.embedded.geometry import Transform, wrap_degrees
from sim2real_bench.envs.carla.embedded.messages import ActorState, traffic_light_union, traffic_sign_union
from sim2real_bench.envs.carla.embedded.town.signals import SPEED_LIMIT, STOP, YIELD, RoadSignal
from sim2real_bench.envs.carla.embedded.wire import Description
from sim2real_bench.envs.classes import CarlaClass

TRAFFIC_LIGHT = "traffic.traffic_light"
_SIGN_NAMES = {YIELD: "traffic.yield", STOP: "traffic.stop"}


class LightState(IntEnum):
    """``carla.TrafficLightState``."""

    RED = 0
    YELLOW = 1
    GREEN = 2
    OFF = 3
    UNKNOWN = 4


def type_id_of(signal: RoadSignal) -> str:
    """The actor type of a signal, for example ``traffic.speed_limit.30``."""
    if signal.is_light:
        return TRAFFIC_LIGHT
    if signal.type_code == SPEED_LIMIT:
        return f"traffic.speed_limit.{signal.value:.0f}"
    return _SIGN_NAMES.get(signal.type_code, "traffic.unknown")


@dataclass(eq=False, kw_only=True)
class TrafficSignal(Actor):
    """A traffic light or sign.

    Attributes:
        signal: the town's description of it.
        pole: number of a light within its junction.
        state: the lit lamp; off for signs.
        elapsed: seconds in the present state.
        green_time: seconds (likewise ``yellow_time`` and ``red_time``).
        frozen: a light that does not change by itself.
    """

    signal: RoadSignal
    pole: int = 0
    state: LightState = LightState.OFF
    elapsed: float = 0.0
    green_time: float = 10.0
    yellow_time: float = 3.0
    red_time: float = 2.0
    frozen: bool = False

    @property
    def is_light(self) -> bool:
        """A traffic light, not a sign."""
        return self.signal.is_light

    def bounding_box(self) -> list[Any]:
        """The volume in which a vehicle is at the signal, in the axes of the pole."""
        centre, half = self.signal.trigger_box()
        return [list(centre), list(half), [0.0, 0.0, 0.0], self.actor_id]

    def semantic_tags(self) -> bytes:
        """Traffic light or traffic sign."""
        return bytes([CarlaClass.TRAFFIC_LIGHT if self.is_light else CarlaClass.TRAFFIC_SIGNS])

    def union(self) -> bytes:
        """The state's bytes that are particular to the kind."""
        if not self.is_light:
            return traffic_sign_union(self.signal.signal_id)
        times = (self.green_time, self.yellow_time, self.red_time)
        return traffic_light_union(self.signal.signal_id, times, self.elapsed, self.pole, self.frozen, int(self.state))

    def record(self) -> ActorState:
        """The record of the world state."""
        return ActorState(self.actor_id, self.pose, union=self.union())


def make_signals(signals: Sequence[RoadSignal], next_id: Callable[[], int]) -> list[TrafficSignal]:
    """The actors of a town's signals, in the same order; lights start red."""
    poles: defaultdict[int, int] = defaultdict(int)
    actors = []
    for signal in signals:
        pose = Transform(signal.x, signal.y, signal.z, 0.0, wrap_degrees(signal.yaw_deg), 0.0)
        actor = TrafficSignal(next_id(), Description(0, type_id_of(signal)), pose, signal=signal)
        if actor.is_light:
            actor.state = LightState.RED
            actor.pole = poles[signal.junction_id]
            poles[signal.junction_id] += 1
        actors.append(actor)
    return actors
