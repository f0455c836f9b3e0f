"""The server's own drivers: they hold their lane, keep their distance, obey the rules and turn where they like."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim2real_bench.envs.carla.embedded.actors import Prop, Vehicle, Walker
from sim2real_bench.envs.carla.embedded.traffic import pedals
from sim2real_bench.envs.carla.embedded.traffic.fleet import Fleet
from sim2real_bench.envs.carla.embedded.traffic.foreign import ForeignTraffic
from sim2real_bench.envs.carla.embedded.traffic.junctions import Conflicts
from sim2real_bench.envs.carla.embedded.traffic.lane_graph import LaneGraph
from sim2real_bench.envs.carla.embedded.traffic.obstacles import (
    AHEAD_M,
    SIDE_MARGIN_M,
    Boxes,
    Float,
    Int,
    Meetings,
    columns_within,
    meet,
)
from sim2real_bench.envs.carla.embedded.traffic.right_of_way import Approach, LightStates, RightOfWay
from sim2real_bench.envs.carla.embedded.traffic.road_users import gather
from sim2real_bench.envs.carla.embedded.traffic.routes import Body, Route
from sim2real_bench.envs.carla.embedded.traffic.stop_lines import RoadSignal, stop_lines

_THINK_S = 0.1  # a driver decides ten times a second at the most, and steers at every tick
_LOST_M = 4.0
_SIGHT_M = 12.0  # at rest
_PACE = (0.82, 1.0)
_STANDING_MPS = 0.25
_SQUEEZE_AFTER_S, _SQUEEZE_FOR_S, _PRESS_AFTER_S = 4.0, 5.0, 15.0
_SQUEEZE_MARGIN_M, _SQUEEZE_MPS = 0.02, 2.0
_PRESS_SWING = 0.3
_POLITE = 4.0  # times as patient is the one of two that stand in each other's way who lets the other go first
_FREE_M = 1e9


@dataclass(eq=False)
class Driver:
    """One vehicle the server drives, its route, how the rules see it, and what draws its way."""

    vehicle: Vehicle
    route: Route
    approach: Approach
    turns: random.Random


class Autopilot:
    """Drives every vehicle whose ``autopilot`` is set.

    Args:
        graph: the lanes of the map.
        conflicts: its junctions.
        signals: the town's signals, in order.
        seed: of routes and tempers.

    Attributes:
        drivers: by actor id.
    """

    def __init__(self, graph: LaneGraph, conflicts: Conflicts, signals: Sequence[RoadSignal], seed: int) -> None:
        self._graph = graph
        self._lines = stop_lines(graph, signals)
        self._rules = RightOfWay(graph, conflicts)
        self._foreign = ForeignTraffic(graph, conflicts, self._lines)
        self._seed = seed
        self._hired = 0
        self._fleet = Fleet([], [])
        self._unthought = _THINK_S
        self.drivers: dict[int, Driver] = {}

    def set_seed(self, seed: int) -> None:
        """Drivers that start from now on draw from ``seed``."""
        self._seed, self._hired = seed, 0

    def drive(
        self,
        vehicles: Sequence[Vehicle],
        walkers: Sequence[Walker],
        props: Sequence[Prop],
        lights: LightStates,
        now: float,
        delta: float,
    ) -> None:
        """Set the controls of the vehicles driven here for the next ``delta`` seconds.

        Args:
            vehicles: all, in a fixed order.
            walkers: all.
            props: all.
            lights: state of each of the town's signals.
            now: seconds of the episode.
            delta: length of the coming tick, seconds.
        """
        self._enrol(vehicles)
        self._unthought += delta
        if not self.drivers:
            return
        rows = {vehicle.actor_id: row for row, vehicle in enumerate(vehicles)}
        own = np.array([rows[identifier] for identifier in self.drivers])
        boxes = gather(vehicles, walkers, props)
        speed = boxes.velocity_x[own] * np.cos(boxes.yaw[own]) + boxes.velocity_y[own] * np.sin(boxes.yaw[own])
        distance = self._fleet.locate(boxes, own)
        if self._unthought > _THINK_S - 1e-6:
            self._keep_to_routes(distance)
            meetings = self._look(boxes, own, speed)
            self._inform(meetings, speed, own)
            approaches = [driver.approach for driver in self.drivers.values()]
            occupants = self._foreign.occupants(vehicles, self.drivers, lights)
            self._rules.decide(approaches, lights, occupants, now, self._unthought)
            self._lose_patience(approaches, self._unthought)
            self._fleet.state.wish = self._wish(meetings, speed)
            self._unthought = 0.0
        controls = self._fleet.press(boxes, own, speed, delta)
        for driver, control in zip(self.drivers.values(), controls, strict=True):
            driver.vehicle.control = control

    # -- who drives ----------------------------------------------------------------------------------------------

    def _enrol(self, vehicles: Sequence[Vehicle]) -> None:
        wanted = {vehicle.actor_id: vehicle for vehicle in vehicles if vehicle.autopilot and vehicle.physics}
        if wanted.keys() == self.drivers.keys():
            return
        before = {identifier: row for row, identifier in enumerate(self.drivers)}
        self.drivers = {identifier: driver for identifier, driver in self.drivers.items() if identifier in wanted}
        for identifier, vehicle in wanted.items():
            if identifier not in self.drivers:
                self._hire(vehicle)
        drivers = list(self.drivers.values())
        fleet = Fleet([driver.vehicle.dynamics.model for driver in drivers], [driver.route for driver in drivers])
        fleet.adopt(self._fleet, [(row, before[key]) for row, key in enumerate(self.drivers) if key in before])
        self._fleet = fleet
        self._unthought = _THINK_S

    def _hire(self, vehicle: Vehicle) -> None:
        turns = random.Random(f"{self._seed}/{self._hired}")
        route = self._plan(vehicle, turns, turns.uniform(*_PACE))
        if route is None:
            vehicle.autopilot = False  # a map without lanes
            return
        self._hired += 1
        approach = Approach(self._hired, route, vehicle.dynamics.model.half_length)
        self.drivers[vehicle.actor_id] = Driver(vehicle, route, approach, turns)

    def _plan(self, vehicle: Vehicle, turns: random.Random, pace: float) -> Route | None:
        dynamics = vehicle.dynamics
        found = self._graph.nearest(dynamics.x, dynamics.y, dynamics.yaw)
        if found is None:
            return None
        lane, arc, _ = found
        model = dynamics.model
        body = Body(model.half_length, model.half_width, model.rear_axle)
        return Route(self._graph, self._lines, lane, arc, turns, body, pace)

    # -- what they see ---------------------------------------------------------------------------------------------

    def _keep_to_routes(self, distance: Float) -> None:
        """Extend routes, and plan anew for who has been pushed off."""
        positions, lost = self._fleet.state.position.tolist(), distance > _LOST_M
        for row, driver in enumerate(self.drivers.values()):
            driver.route.position = positions[row]
            changed = driver.route.renew()
            if lost[row]:
                route = self._plan(driver.vehicle, driver.turns, driver.route.pace)
                driver.route = driver.approach.route = route or driver.route
            if changed or lost[row]:
                self._fleet.show(row, driver.route)

    def _look(self, boxes: Boxes, own: Int, speed: Float) -> Meetings:
        fleet, state, bodies = self._fleet, self._fleet.state, self._fleet.bodies
        reach = _SIGHT_M + 1.5 * speed + pedals.braking_distance(speed, 2.0)
        sight = np.array([driver.approach.sight for driver in self.drivers.values()])
        reach = np.maximum(reach, sight) + bodies.half_length
        points, yaw, swing = fleet.path(fleet.ahead(columns_within(reach)))
        margin = np.where(state.squeezing > 0.0, _SQUEEZE_MARGIN_M, SIDE_MARGIN_M)
        share = np.where(state.squeezing > _SQUEEZE_FOR_S, _PRESS_SWING, 1.0)
        width = (bodies.half_width + margin)[:, None] + share[:, None] * swing
        passed = state.position - np.floor(state.position)
        return meet(points, yaw, width, bodies.half_length, passed, reach, boxes, own)

    def _inform(self, meetings: Meetings, speed: Float, own: Int) -> None:
        """Tell the rules what each driver sees: the nearest thing on its way."""
        drivers = list(self.drivers.values())
        approach_of = {box: driver.approach for box, driver in zip(own.tolist(), drivers, strict=True)}
        for driver, own_speed in zip(drivers, speed.tolist(), strict=True):
            approach = driver.approach
            approach.speed, approach.gap, approach.gap_speed, approach.leader = own_speed, _FREE_M, 0.0, None
        order = np.argsort(-meetings.gap, kind="stable")  # the nearest comes last and stays
        for row, box, gap, other in zip(
            meetings.driver[order].tolist(), meetings.box[order].tolist(), meetings.gap[order].tolist(),
            meetings.speed[order].tolist(), strict=True,
        ):  # fmt: skip
            approach = drivers[row].approach
            approach.gap, approach.gap_speed, approach.leader = gap, other, approach_of.get(box)

    # -- what they want --------------------------------------------------------------------------------------------

    def _lose_patience(self, approaches: Sequence[Approach], seconds: float) -> None:
        """Who has long been held by something beside its way passes more closely and slowly, at last very closely."""
        state = self._fleet.state
        held = np.array([approach.speed < _STANDING_MPS and approach.blocked_aside for approach in approaches])
        state.standing = np.where(held, state.standing + seconds, 0.0)
        patience = _SQUEEZE_AFTER_S * np.where([approach.yields_aside for approach in approaches], _POLITE, 1.0)
        state.squeezing = np.where(state.standing > patience, _SQUEEZE_FOR_S, state.squeezing - seconds)
        state.squeezing = np.where(state.standing > patience + _PRESS_AFTER_S, 2.0 * _SQUEEZE_FOR_S, state.squeezing)

    def _wish(self, meetings: Meetings, speed: Float) -> Float:
        """m/s² for every driver: the least of what its pace, the others and the next stop line allow."""
        columns = columns_within(20.0 + pedals.braking_distance(speed, 1.5))
        limits = self._fleet.limits(self._fleet.ahead(columns))
        fastest = np.where(self._fleet.state.squeezing > 0.0, _SQUEEZE_MPS, np.inf)
        wish = pedals.free_acceleration(speed, np.minimum(pedals.wished_speed(limits, AHEAD_M[:columns]), fastest))
        follow = pedals.following_acceleration(
            speed[meetings.driver], meetings.gap, meetings.speed, pedals.STANDSTILL_GAP_M
        )
        np.minimum.at(wish, meetings.driver, follow)
        gaps = np.array([_line_gap(driver.approach) for driver in self.drivers.values()])
        stop = pedals.following_acceleration(speed, gaps, np.zeros_like(gaps), pedals.LINE_GAP_M, 0.5)
        return np.clip(np.minimum(wish, stop), -pedals.HARDEST_BRAKING, pedals.COMFORT_ACCELERATION)


def _line_gap(approach: Approach) -> float:
    """Metres to the line before which it must stop."""
    crossing = approach.next_refused()
    return _FREE_M if crossing is None else crossing.line - approach.front
