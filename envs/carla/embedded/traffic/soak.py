"""Lets traffic drive by itself for a while, without cameras or clients, and reports how it went."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import process_time

from sim2real_bench.envs.carla.embedded import physics, wire
from sim2real_bench.envs.carla.embedded.actors import Solid, Vehicle
from sim2real_bench.envs.carla.embedded.physics import Hit
from sim2real_bench.envs.carla.embedded.refusal import RefusedError
from sim2real_bench.envs.carla.embedded.render.renderer import Renderer
from sim2real_bench.envs.carla.embedded.scenery import SceneryLibrary
from sim2real_bench.envs.carla.embedded.streams import StreamHub
from sim2real_bench.envs.carla.embedded.town import Town
from sim2real_bench.envs.carla.embedded.traffic.right_of_way import Approach
from sim2real_bench.envs.carla.embedded.traffic.routes import Crossing
from sim2real_bench.envs.carla.embedded.traffic_signals import LightState
from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS
from sim2real_bench.envs.carla.embedded.world import World
from sim2real_bench.errors import MissingDependencyError

_STANDING_MPS = 0.2
_NEAR_LINE_M = 8.0
_LONGEST_HALF_M = 3.4  # two lorries cannot pass each other in the tight bends of the small towns


@dataclass
class SoakReport:
    """What happened.

    Attributes:
        town: name of the map.
        vehicles: how many drove.
        seconds: simulated.
        collisions: one line per pair that touched: when, who, whom.
        mean_speed: of all vehicles over the whole time, m/s.
        last_speed: likewise over the last minute.
        longest_stop: longest time that a vehicle stood still, seconds.
        longest_block: likewise, not counting those that wait for a light or behind somebody who does.
        crossings: how many times a vehicle went through a junction.
        red_lights: how many times a vehicle passed its stop line at red.
        traffic_ms: processor time of the traffic per tick, milliseconds.
        tick_ms: processor time of a whole tick of traffic and physics, this report's own bookkeeping included.
    """

    town: str
    vehicles: int
    seconds: float
    collisions: list[str] = field(default_factory=list)
    mean_speed: float = 0.0
    last_speed: float = 0.0
    longest_stop: float = 0.0
    longest_block: float = 0.0
    crossings: int = 0
    red_lights: int = 0
    traffic_ms: float = 0.0
    tick_ms: float = 0.0


def headless_world(town: str, delta: float) -> World:
    """A synchronous world without cameras and clients."""

    def no_renderer(_: Town) -> Renderer:
        raise MissingDependencyError("this world has no cameras")

    world = World(SceneryLibrary(make_renderer=no_renderer), StreamHub(), town)
    world.apply_settings(wire.EpisodeSettings(synchronous=True, fixed_delta=delta))
    return world


def populate(world: World, count: int, seed: int, models: Sequence[str] | None = None) -> list[Vehicle]:
    """Put vehicles of all kinds at seeded spawn points and let the server drive them.

    Args:
        world: where.
        count: how many at the most; a town may have fewer free spawn points.
        seed: draws places and kinds.
        models: type ids to draw from; absent, all but lorries and buses.
    """
    draw = random.Random(seed)
    known = [name for name, model in sorted(VEHICLE_MODELS.items()) if model.half_length < _LONGEST_HALF_M]
    points = world.scenery.spawn_points
    draw.shuffle(points)
    found: list[Vehicle] = []
    for point in points:
        if len(found) == count:
            break
        try:
            vehicle = world.spawn(wire.Description(0, draw.choice(models or known)), point)
        except RefusedError:
            continue  # another vehicle stands too near
        assert isinstance(vehicle, Vehicle)
        vehicle.autopilot = True
        found.append(vehicle)
    return found


def soak(
    town: str,
    vehicles: int = 50,
    minutes: float = 10.0,
    seed: int = 0,
    delta: float = 0.05,
    tell: Callable[[str], None] = lambda line: None,
) -> SoakReport:
    """Let traffic drive.

    Args:
        town: name of a map.
        vehicles: how many.
        minutes: simulated.
        seed: of places, kinds and routes.
        delta: seconds per tick.
        tell: gets a line about every simulated minute.
    """
    world = headless_world(town, delta)
    world.traffic.set_seed(seed)
    driven = populate(world, vehicles, seed)
    ticks = round(minutes * 60.0 / delta)
    watch = _Watch(world, driven, SoakReport(town, len(driven), ticks * delta))
    began = process_time()
    for number in range(1, ticks + 1):
        watch.tick(delta)
        if number % round(60.0 / delta) == 0:
            tell(watch.minute())
    watch.report.tick_ms = (process_time() - began) / ticks * 1000.0
    return watch.finish()


class _Watch:
    """Collects a report tick by tick."""

    def __init__(self, world: World, driven: Sequence[Vehicle], report: SoakReport) -> None:
        self.world, self.driven, self.report = world, driven, report
        self._still: defaultdict[int, float] = defaultdict(float)
        self._blocked: defaultdict[int, float] = defaultdict(float)
        self._touched: set[tuple[int, int]] = set()
        self._speeds: list[float] = []
        self._before: dict[int, tuple[Crossing, float]] = {}
        self._seconds = 0.0
        self._traffic_s = 0.0

    def tick(self, delta: float) -> None:
        """Advance traffic and physics, and look at everybody."""
        world = self.world
        began = process_time()
        world.traffic.advance(delta)
        self._traffic_s += process_time() - began
        self._seconds += delta
        vehicles, walkers, props = world.vehicles(), world.walkers(), world.props()
        for hit in physics.advance(vehicles, walkers, world.scenery.field, world.relief, delta, props):
            self._note(hit)
        lights = [signal.state for signal in world.traffic_signals()]
        for vehicle in self.driven:
            self._watch(vehicle.actor_id, abs(vehicle.dynamics.forward), lights, delta)
        self._speeds.append(sum(abs(vehicle.dynamics.forward) for vehicle in self.driven) / len(self.driven))

    def _note(self, hit: Hit) -> None:
        other = -1 - hit.other if isinstance(hit.other, int) else hit.other.actor_id
        pair = min(hit.actor.actor_id, other), max(hit.actor.actor_id, other)
        if pair not in self._touched:
            self._touched.add(pair)
            what = f"obstacle {hit.other}" if isinstance(hit.other, int) else _name(hit.other)
            x, y, _ = hit.actor.transform.location
            self.report.collisions.append(
                f"{self._seconds:.1f} s: {_name(hit.actor)} and {what} at ({x:.0f}, {y:.0f}), "
                f"{math.hypot(*hit.impulse):.0f} N s"
            )

    def _watch(self, identifier: int, speed: float, lights: Sequence[LightState], delta: float) -> None:
        report = self.report
        driver = self.world.traffic.autopilot.drivers[identifier]
        if speed > _STANDING_MPS:
            self._still[identifier] = self._blocked[identifier] = 0.0
        else:
            self._still[identifier] += delta
            self._blocked[identifier] += 0.0 if _waits_for_light(driver.approach, lights) else delta
        report.longest_stop = max(report.longest_stop, self._still[identifier])
        report.longest_block = max(report.longest_block, self._blocked[identifier])
        for crossing in driver.route.crossings:
            distance = crossing.line - driver.approach.front
            if id(crossing) in self._before and self._before[id(crossing)][1] > 0.0 >= distance:
                report.crossings += 1
                report.red_lights += crossing.light is not None and lights[crossing.light] is LightState.RED
            self._before[id(crossing)] = crossing, distance  # kept, so that no other one gets the same id

    def minute(self) -> str:
        """A line about the last minute."""
        report = self.report
        return (
            f"{self._seconds:5.0f} s: {self._last_minute():.2f} m/s, {len(report.collisions)} collisions, "
            f"{report.crossings} crossings, {report.red_lights} at red, longest block {report.longest_block:.0f} s"
        )

    def _last_minute(self) -> float:
        latest = self._speeds[-max(1, round(60.0 * len(self._speeds) / self._seconds)) :]
        return sum(latest) / len(latest)

    def finish(self) -> SoakReport:
        """The report."""
        self.report.mean_speed = sum(self._speeds) / len(self._speeds)
        self.report.last_speed = self._last_minute()
        self.report.traffic_ms = self._traffic_s / len(self._speeds) * 1000.0
        return self.report


def _name(actor: Solid) -> str:
    return f"{actor.type_id} {actor.actor_id}"


def _waits_for_light(approach: Approach, lights: Sequence[LightState]) -> bool:
    """It stands before a light that is not green, or in the queue before one."""
    seen = {id(approach)}
    while approach.leader is not None and id(approach.leader) not in seen:
        approach = approach.leader
        seen.add(id(approach))
    crossing = approach.next_refused()
    if crossing is None or crossing.light is None or crossing.line - approach.front > _NEAR_LINE_M:
        return False
    return lights[crossing.light] is not LightState.GREEN
