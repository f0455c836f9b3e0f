"""The server's own drivers: they hold their lane, keep their distance, obey the rules and turn where they like."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sim2real_bench.envs.carla.embedded.actors import Prop, Vehicle, Walker
from sim2real_bench.envs.carla.embedded.traffic import pedals
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
from sim2real_bench.envs.carla.embedded.traffic.routes import POINTS, Body, Route
from sim2real_bench.envs.carla.embedded.traffic.stop_lines import RoadSignal, stop_lines
from sim2real_bench.envs.carla.embedded.vehicles import STEERING_CURVE, VehicleControl

_SEARCH_BACK, _SEARCH_AHEAD = 3, 9  # points around the last position
_LOST_M = 4.0
_PREVIEW_S = 0.1
_PACE = (0.82, 1.0)
_LEARNING_RATE = 0.5  # per second
_MOST_CORRECTION = 1.5  # m/s²
_RESISTANCE = 0.3  # m/s² that rolling and air take at town speeds
_STANDING_MPS = 0.25
_HOLD_BRAKE = 0.5
_SQUEEZE_AFTER_S, _SQUEEZE_FOR_S, _PRESS_AFTER_S = 4.0, 5.0, 15.0
_SQUEEZE_MARGIN_M, _SQUEEZE_MPS = 0.02, 2.0
_PRESS_SWING = 0.3
_CURVE_KMH, _CURVE_SHARE = np.array(STEERING_CURVE).T


@dataclass(eq=False)
class Driver:
    """One vehicle the server drives, its route and how the rules see it."""

    vehicle: Vehicle
    route: Route
    approach: Approach
    turns: random.Random


@dataclass(eq=False)
class _Fleet:
    """What is known of all drivers, as arrays with one row each; see ``Route`` and ``VehicleModel``."""

    points: Float
    yaw: Float
    bend: Float
    swing: Float
    speed: Float
    half_length: Float
    half_width: Float
    wheelbase: Float
    rear_axle: Float
    track: Float
    largest_angle: Float
    peak_acceleration: Float
    power_to_mass: Float
    position: Float
    correction: Float
    standing: Float
    squeezing: Float
    last_wish: Float
    last_speed: Float


class Autopilot:
    """Drives every vehicle whose ``autopilot`` is set.

    Args:
        graph: the lanes of the map.
        conflicts: its junctions.
        signals: the town's signals, in order.
        seed: of routes and tempers.
    """

    def __init__(self, graph: LaneGraph, conflicts: Conflicts, signals: Sequence[RoadSignal], seed: int) -> None:
        self._graph = graph
        self._lines = stop_lines(graph, signals)
        self._rules = RightOfWay(graph, conflicts)
        self._foreign = ForeignTraffic(graph, conflicts, self._lines)
        self._seed = seed
        self._hired = 0
        self.drivers: dict[int, Driver] = {}
        self._fleet: _Fleet | None = None

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
        """Set the controls of the vehicles driven here for the next ``delta`` seconds."""
        self._enrol(vehicles)
        if not self.drivers:
            return
        boxes = gather(vehicles, walkers, props)
        rows = {vehicle.actor_id: row for row, vehicle in enumerate(vehicles)}
        own = np.array([rows[identifier] for identifier in self.drivers])
        fleet = self._follow(boxes, own)
        speed = boxes.velocity_x[own] * np.cos(boxes.yaw[own]) + boxes.velocity_y[own] * np.sin(boxes.yaw[own])
        meetings = self._look(fleet, boxes, own, speed)
        self._inform(meetings, speed, own)
        approaches = [driver.approach for driver in self.drivers.values()]
        occupants = self._foreign.occupants(vehicles, self.drivers, lights)
        self._rules.decide(approaches, lights, occupants, now, delta)
        _squeeze(fleet, approaches, delta)
        wish = self._accelerate(fleet, meetings, speed)
        self._press(fleet, boxes, own, wish, speed, delta)

    # -- who drives ----------------------------------------------------------------------------------------------

    def _enrol(self, vehicles: Sequence[Vehicle]) -> None:
        wanted = {vehicle.actor_id: vehicle for vehicle in vehicles if vehicle.autopilot and vehicle.physics}
        if wanted.keys() == self.drivers.keys():
            return
        before = {identifier: row for row, identifier in enumerate(self.drivers)}
        kept = {identifier: driver for identifier, driver in self.drivers.items() if identifier in wanted}
        for identifier, vehicle in wanted.items():
            if identifier not in kept:
                driver = self._hire(vehicle)
                if driver is not None:
                    kept[identifier] = driver
        learnt = self._fleet.correction if self._fleet else np.zeros(0)
        correction = [float(learnt[before[identifier]]) if identifier in before else 0.0 for identifier in kept]
        self.drivers = kept
        self._fleet = _fleet_of(list(kept.values()), correction) if kept else None

    def _hire(self, vehicle: Vehicle) -> Driver | None:
        turns = random.Random(f"{self._seed}/{self._hired}")
        route = self._plan(vehicle, turns, turns.uniform(*_PACE))
        if route is None:
            vehicle.autopilot = False
            return None
        self._hired += 1
        return Driver(vehicle, route, Approach(self._hired, route, vehicle.dynamics.model.half_length), turns)

    def _plan(self, vehicle: Vehicle, turns: random.Random, pace: float) -> Route | None:
        dynamics = vehicle.dynamics
        found = self._graph.nearest(dynamics.x, dynamics.y, dynamics.yaw)
        if found is None:
            return None
        lane, arc, _ = found
        model = dynamics.model
        body = Body(model.half_length, model.half_width, model.rear_axle)
        return Route(self._graph, self._lines, lane, arc, turns, body, pace)

    # -- where everybody is ----------------------------------------------------------------------------------------

    def _follow(self, boxes: Boxes, own: Int) -> _Fleet:
        """Project the vehicles onto their routes; extend routes, and plan anew for who has been pushed off."""
        fleet = self._fleet
        assert fleet is not None
        rows = np.arange(len(own))
        first = np.clip(fleet.position.astype(np.intp) - _SEARCH_BACK, 0, POINTS - _SEARCH_AHEAD - _SEARCH_BACK)
        index = first[:, None] + np.arange(_SEARCH_BACK + _SEARCH_AHEAD)
        dx = boxes.x[own, None] - fleet.points[rows[:, None], index, 0]
        dy = boxes.y[own, None] - fleet.points[rows[:, None], index, 1]
        best = (dx * dx + dy * dy).argmin(axis=1)
        nearest = index[rows, best]
        along = dx[rows, best] * np.cos(fleet.yaw[rows, nearest]) + dy[rows, best] * np.sin(fleet.yaw[rows, nearest])
        fleet.position = nearest + np.clip(along, -1.0, 1.0)
        lost = np.hypot(dx[rows, best], dy[rows, best]) > _LOST_M
        for row, driver in enumerate(self.drivers.values()):
            driver.route.position = float(fleet.position[row])
            if lost[row]:
                route = self._plan(driver.vehicle, driver.turns, driver.route.pace)
                if route is not None:
                    driver.route = driver.approach.route = route
                    _show(fleet, row, route)
            elif driver.route.renew():
                _show(fleet, row, driver.route)
        return fleet

    def _look(self, fleet: _Fleet, boxes: Boxes, own: Int, speed: Float) -> Meetings:
        reach = 12.0 + fleet.half_length + 1.5 * speed + pedals.braking_distance(speed, 2.0)
        columns = columns_within(reach)
        start = fleet.position.astype(np.intp)
        index = np.minimum(start[:, None] + AHEAD_M[:columns].astype(np.intp), POINTS - 1)
        rows = np.arange(len(own))[:, None]
        points, yaw = fleet.points[rows, index], fleet.yaw[rows, index]
        margin = np.where(fleet.squeezing > 0.0, _SQUEEZE_MARGIN_M, SIDE_MARGIN_M)
        swing = np.where(fleet.squeezing > _SQUEEZE_FOR_S, _PRESS_SWING, 1.0)
        width = (fleet.half_width + margin)[:, None] + swing[:, None] * fleet.swing[rows, index]
        return meet(points, yaw, width, fleet.half_length, fleet.position - start, reach, boxes, own)

    def _inform(self, meetings: Meetings, speed: Float, own: Int) -> None:
        """Tell the rules what each driver sees: the nearest thing on its way."""
        drivers = list(self.drivers.values())
        driver_of = {int(box): driver for box, driver in zip(own, drivers, strict=True)}
        for driver, own_speed in zip(drivers, speed.tolist(), strict=True):
            approach = driver.approach
            approach.speed, approach.gap, approach.gap_speed, approach.leader = own_speed, 1e9, 0.0, None
        for row, box, gap, other in zip(
            meetings.driver.tolist(), meetings.box.tolist(), meetings.gap.tolist(), meetings.speed.tolist(), strict=True
        ):
            approach = drivers[row].approach
            if gap < approach.gap:
                leader = driver_of.get(box)
                approach.gap, approach.gap_speed = gap, other
                approach.leader = leader.approach if leader else None

    # -- what they do ----------------------------------------------------------------------------------------------

    def _accelerate(self, fleet: _Fleet, meetings: Meetings, speed: Float) -> Float:
        """m/s² for every driver: the least of what its wish, the others and the next stop line allow."""
        start = fleet.position.astype(np.intp)
        columns = columns_within(20.0 + pedals.braking_distance(speed, 1.5))
        index = np.minimum(start[:, None] + AHEAD_M[:columns].astype(np.intp), POINTS - 1)
        limits = fleet.speed[np.arange(len(start))[:, None], index]
        fastest = np.where(fleet.squeezing > 0.0, _SQUEEZE_MPS, np.inf)
        wish = pedals.free_acceleration(speed, np.minimum(pedals.wished_speed(limits, AHEAD_M[:columns]), fastest))
        follow = pedals.following_acceleration(
            speed[meetings.driver], meetings.gap, meetings.speed, pedals.STANDSTILL_GAP_M
        )
        np.minimum.at(wish, meetings.driver, follow)
        gaps = [_line_gap(driver.approach) for driver in self.drivers.values()]
        stop = pedals.following_acceleration(speed, np.array(gaps), np.zeros(len(gaps)), pedals.LINE_GAP_M, 0.5)
        return np.clip(np.minimum(wish, stop), -pedals.HARDEST_BRAKING, pedals.COMFORT_ACCELERATION)

    def _press(self, fleet: _Fleet, boxes: Boxes, own: Int, wish: Float, speed: Float, delta: float) -> None:
        """Turn accelerations and routes into controls."""
        standing = (speed < _STANDING_MPS) & (wish <= 0.1)
        missed = np.where(standing, 0.0, fleet.last_wish - (speed - fleet.last_speed) / delta)
        fleet.correction = np.clip(
            0.999 * fleet.correction + _LEARNING_RATE * delta * np.clip(missed, -2.0, 2.0),
            -_MOST_CORRECTION, _MOST_CORRECTION,
        )  # fmt: skip
        fleet.last_wish, fleet.last_speed = wish, speed
        strongest = np.minimum(fleet.peak_acceleration, fleet.power_to_mass / np.maximum(speed, 1.0))
        throttle, brake = pedals.pedals(wish, fleet.correction + _RESISTANCE, strongest)
        throttle, brake = np.where(standing, 0.0, throttle), np.where(standing, _HOLD_BRAKE, brake)
        steer = _steer(fleet, boxes, own, speed)
        for driver, values in zip(self.drivers.values(), zip(throttle, steer, brake, strict=True), strict=True):
            driver.vehicle.control = VehicleControl(*map(float, values))


def _squeeze(fleet: _Fleet, approaches: Sequence[Approach], delta: float) -> None:
    """Who has stood long before somebody else than a queue passes more closely, and slowly; in the end very closely."""
    held = np.array([approach.speed < _STANDING_MPS and approach.blocked_aside for approach in approaches])
    fleet.standing = np.where(held, fleet.standing + delta, 0.0)
    patience = _SQUEEZE_AFTER_S * np.array([4.0 if approach.yields_aside else 1.0 for approach in approaches])
    fleet.squeezing = np.where(fleet.standing > patience, _SQUEEZE_FOR_S, fleet.squeezing - delta)
    fleet.squeezing = np.where(fleet.standing > patience + _PRESS_AFTER_S, 2.0 * _SQUEEZE_FOR_S, fleet.squeezing)


def _line_gap(approach: Approach) -> float:
    crossing = approach.next_refused()
    return 1e9 if crossing is None else crossing.line - approach.front


def _steer(fleet: _Fleet, boxes: Boxes, own: Int, speed: Float) -> Float:
    """(V,) steering in [-1, 1] along the routes."""
    rows = np.arange(len(own))
    now = np.minimum(fleet.position.astype(np.intp), POINTS - 2)
    share = fleet.position - now
    heading = _between(fleet.yaw, rows, now, share)
    x = _between(fleet.points[:, :, 0], rows, now, share) - boxes.x[own]
    y = _between(fleet.points[:, :, 1], rows, now, share) - boxes.y[own]
    offset = y * np.cos(heading) - x * np.sin(heading)
    soon = np.minimum(fleet.position + _PREVIEW_S * speed, POINTS - 2.0)
    index = soon.astype(np.intp)
    bend = _between(fleet.bend, rows, index, soon - index)
    here = _between(fleet.bend, rows, now, share)
    wanted = heading - pedals.body_angle(here, fleet.rear_axle)
    error = (wanted - boxes.yaw[own] + np.pi) % (2.0 * np.pi) - np.pi
    angle = pedals.wheel_angle(bend, error, offset, speed, fleet.wheelbase)
    inner = pedals.inner_wheel_angle(angle, fleet.wheelbase, fleet.track)
    largest = fleet.largest_angle * np.interp(np.abs(speed) * 3.6, _CURVE_KMH, _CURVE_SHARE)
    return np.clip(inner / largest, -1.0, 1.0)


def _between(table: Float, rows: Int, index: Int, share: Float) -> Float:
    """(V,) values between two columns of each row."""
    return (1.0 - share) * table[rows, index] + share * table[rows, index + 1]


def _fleet_of(drivers: Sequence[Driver], correction: Sequence[float]) -> _Fleet:
    models = [driver.vehicle.dynamics.model for driver in drivers]

    def column(read: Callable[[int], float]) -> Float:
        return np.array([read(number) for number in range(len(drivers))], np.float64)

    fleet = _Fleet(
        points=np.empty((len(drivers), POINTS, 2)),
        yaw=np.empty((len(drivers), POINTS)),
        bend=np.empty((len(drivers), POINTS)),
        swing=np.empty((len(drivers), POINTS)),
        speed=np.empty((len(drivers), POINTS)),
        half_length=column(lambda i: models[i].half_length),
        half_width=column(lambda i: models[i].half_width),
        wheelbase=column(lambda i: models[i].wheelbase),
        rear_axle=column(lambda i: models[i].rear_axle),
        track=column(lambda i: models[i].track),
        largest_angle=np.radians(column(lambda i: models[i].max_steer_deg)),
        peak_acceleration=column(lambda i: models[i].peak_acceleration),
        power_to_mass=column(lambda i: models[i].power / models[i].mass),
        position=column(lambda i: drivers[i].route.position),
        correction=np.array(correction, np.float64),
        standing=np.zeros(len(drivers)),
        squeezing=np.zeros(len(drivers)),
        last_wish=np.zeros(len(drivers)),
        last_speed=column(lambda i: drivers[i].vehicle.dynamics.forward),
    )
    for row, driver in enumerate(drivers):
        _show(fleet, row, driver.route)
    return fleet


def _show(fleet: _Fleet, row: int, route: Route) -> None:
    """Copy a route that has changed into its row."""
    fleet.points[row], fleet.yaw[row] = route.points, route.yaw
    fleet.bend[row], fleet.swing[row], fleet.speed[row] = route.bend, route.swing, route.speed
    fleet.position[row] = route.position
