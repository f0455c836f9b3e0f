"""Everything in a world that acts without a client: one object per episode."""

from collections.abc import Sequence
from typing import Protocol

from sim2real_bench.envs.carla.embedded.traffic.signals import Light, TrafficLights


class RoadSignActor(Light, Protocol):
    """A traffic light or sign of the world."""

    @property
    def is_light(self) -> bool:
        """It has lamps."""
        ...


class WorldView(Protocol):
    """What traffic sees of a world."""

    def traffic_signals(self) -> Sequence[RoadSignActor]:
        """The lights and signs, in the town's order."""
        ...


class Traffic:
    """The traffic of one episode.

    Args:
        world: it is read at every advance; actors may come and go.
        seed: of everything drawn at random here.

    Attributes:
        lights: the traffic lights.
    """

    def __init__(self, world: WorldView, seed: int = 0) -> None:
        self._world = world
        self.lights = TrafficLights([signal for signal in world.traffic_signals() if signal.is_light])
        self.set_seed(seed)

    def set_seed(self, seed: int) -> None:
        """Draw from ``seed`` from now on."""
        self._seed = seed

    def advance(self, delta: float) -> None:
        """Let the lights change and set the controls of whoever is driven here, before a tick of ``delta`` seconds."""
        self.lights.advance(delta)
