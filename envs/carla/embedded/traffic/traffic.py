"""Everything in a world that acts without a client: one object per episode."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from sim2real_bench.envs.carla.embedded.actors import Prop, Vehicle, Walker
from sim2real_bench.envs.carla.embedded.traffic.autopilot import Autopilot
from sim2real_bench.envs.carla.embedded.traffic.network import RoadNetwork, road_network
from sim2real_bench.envs.carla.embedded.traffic.posted import PostedRules
from sim2real_bench.envs.carla.embedded.traffic.signals import TrafficLights

if TYPE_CHECKING:
    from sim2real_bench.envs.carla.embedded.town.model import Town
    from sim2real_bench.envs.carla.embedded.traffic_signals import TrafficSignal


_TELL_S = 0.1  # between two looks at lights and limits


class SceneryView(Protocol):
    """What traffic sees of a scenery."""

    @property
    def map(self) -> Any:
        """The ``carla.Map``."""
        ...

    @property
    def town(self) -> "Town":
        """The town."""
        ...


class WorldView(Protocol):
    """What traffic sees of a world; lists are in the order of the actors' ids."""

    @property
    def scenery(self) -> SceneryView:
        """The present one."""
        ...

    def traffic_signals(self) -> "list[TrafficSignal]":
        """The lights and signs, in the town's order."""
        ...

    def vehicles(self) -> list[Vehicle]:
        """All vehicles."""
        ...

    def walkers(self) -> list[Walker]:
        """All walkers."""
        ...

    def props(self) -> list[Prop]:
        """All things that stand around."""
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
        self._signals = world.traffic_signals()
        self._seed = seed
        self._now = 0.0
        self._untold = _TELL_S
        self.lights = TrafficLights([signal for signal in self._signals if signal.is_light])

    def set_seed(self, seed: int) -> None:
        """Draw from ``seed`` from now on: routes of drivers and walkers that start from now on."""
        self._seed = seed
        if "autopilot" in self.__dict__:
            self.autopilot.set_seed(seed)

    def advance(self, delta: float) -> None:
        """Let the lights change and set the controls of whoever is driven here, before a tick of ``delta`` seconds."""
        self._now += delta
        self.lights.advance(delta)
        vehicles = self._world.vehicles()
        if "autopilot" in self.__dict__ or any(vehicle.autopilot for vehicle in vehicles):
            states = [signal.state for signal in self._signals]
            self.autopilot.drive(vehicles, self._world.walkers(), self._world.props(), states, self._now, delta)
        self._untold += delta
        if vehicles and self._untold > _TELL_S - 1e-6:
            self.posted.tell(vehicles)
            self._untold = 0.0

    @cached_property
    def network(self) -> RoadNetwork:
        """The lanes and junctions, read from the map at the first use."""
        scenery = self._world.scenery
        return road_network(scenery.map, scenery.town.xodr)

    @cached_property
    def posted(self) -> PostedRules:
        """Lights and limits for whoever drives."""
        return PostedRules(self.network.graph, self._signals)

    @cached_property
    def autopilot(self) -> Autopilot:
        """The drivers, made when the first vehicle wants one."""
        network = self.network
        signals: Sequence[Any] = [signal.signal for signal in self._signals]
        return Autopilot(network.graph, network.conflicts, signals, self._seed)
