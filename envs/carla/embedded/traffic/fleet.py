"""All drivers as arrays with one row each: where they are on their routes, and how they steer and press the pedals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim2real_bench.envs.carla.embedded.traffic import pedals
from sim2real_bench.envs.carla.embedded.traffic.obstacles import AHEAD_M, Boxes, Float, Int
from sim2real_bench.envs.carla.embedded.traffic.routes import POINTS, Route
from sim2real_bench.envs.carla.embedded.vehicle_models import VehicleModel
from sim2real_bench.envs.carla.embedded.vehicles import STEERING_CURVE, VehicleControl

_SEARCH_BACK, _SEARCH_AHEAD = 3, 12  # points around the last position
_PREVIEW_S = 0.1
_LEARNING_RATE = 0.5  # per second
_MOST_CORRECTION = 1.5  # m/s²
_FORGETTING = 0.02  # per second
_RESISTANCE = 0.3  # m/s² that rolling and air take at town speeds
_STANDING_MPS = 0.25
_HOLD_BRAKE = 0.5
_CURVE_KMH, _CURVE_SHARE = np.array(STEERING_CURVE).T
_MODEL_FIELDS = ("half_length", "half_width", "wheelbase", "rear_axle", "track", "peak_acceleration", "mass", "power")


@dataclass(frozen=True, eq=False)
class _Bodies:
    """Properties of the vehicles, (V,) each; see ``VehicleModel``."""

    half_length: Float
    half_width: Float
    wheelbase: Float
    rear_axle: Float
    track: Float
    peak_acceleration: Float
    mass: Float
    power: Float
    largest_angle: Float

    @classmethod
    def of(cls, models: Sequence[VehicleModel]) -> _Bodies:
        columns = [np.array([getattr(model, name) for model in models], np.float64) for name in _MODEL_FIELDS]
        angles = np.radians(np.array([model.max_steer_deg for model in models], np.float64))
        return cls(*[*columns, angles])


@dataclass(eq=False)
class _State:
    """What changes from tick to tick, (V,) each.

    Attributes:
        position: metres along the route's buffer.
        wish: acceleration asked for, m/s².
        speed: at the last tick, m/s.
        correction: m/s² to add to what is asked for, learnt from what became of it.
        standing: seconds it has been held by something beside its way.
        squeezing: seconds for which it may still pass closely.
    """

    position: Float
    wish: Float
    speed: Float
    correction: Float
    standing: Float
    squeezing: Float


class Fleet:
    """The rows of all drivers.

    Args:
        models: of the vehicles.
        routes: of the drivers.

    Attributes:
        bodies: properties of the vehicles.
        state: what changes.
    """

    def __init__(self, models: Sequence[VehicleModel], routes: Sequence[Route]) -> None:
        count = len(models)
        self.bodies = _Bodies.of(models)
        self.state = _State(*(np.zeros(count) for _ in range(6)))
        self._rows = np.arange(count)
        self._points = np.empty((count, POINTS, 2))
        self._yaw, self._bend, self._swing, self._speed = (np.empty((count, POINTS)) for _ in range(4))
        for row, route in enumerate(routes):
            self.show(row, route)

    def adopt(self, before: Fleet, pairs: Sequence[tuple[int, int]]) -> None:
        """Take over the state of rows of an earlier fleet: (row here, row there)."""
        if pairs:
            here, there = (list(rows) for rows in zip(*pairs, strict=True))
            for name, values in vars(self.state).items():
                values[here] = vars(before.state)[name][there]

    def show(self, row: int, route: Route) -> None:
        """Copy a route that has changed into its row."""
        self._points[row], self._yaw[row] = route.points, route.yaw
        self._bend[row], self._swing[row], self._speed[row] = route.bend, route.swing, route.speed
        self.state.position[row] = route.position

    def locate(self, boxes: Boxes, own: Int) -> Float:
        """Project the vehicles onto their routes; returns the distance of each from its route, metres."""
        state, rows = self.state, self._rows
        first = np.clip(state.position.astype(np.intp) - _SEARCH_BACK, 0, POINTS - _SEARCH_AHEAD - _SEARCH_BACK)
        index = first[:, None] + np.arange(_SEARCH_BACK + _SEARCH_AHEAD)
        near = self._points[rows[:, None], index]
        dx, dy = boxes.x[own, None] - near[:, :, 0], boxes.y[own, None] - near[:, :, 1]
        square = dx * dx + dy * dy
        best = square.argmin(axis=1)
        nearest = index[rows, best]
        yaw = self._yaw[rows, nearest]
        along = dx[rows, best] * np.cos(yaw) + dy[rows, best] * np.sin(yaw)
        state.position = nearest + np.clip(along, -1.0, 1.0)
        return np.sqrt(square[rows, best])

    def ahead(self, columns: int) -> Int:
        """(V, columns) indices of the route points ``AHEAD_M`` metres ahead of the last one passed."""
        start = self.state.position.astype(np.intp)
        return np.minimum(start[:, None] + AHEAD_M[:columns].astype(np.intp), POINTS - 1)

    def path(self, index: Int) -> tuple[Float, Float, Float]:
        """(V, C, 2) points, (V, C) directions and (V, C) half widths that the vehicles need there."""
        rows = self._rows[:, None]
        return self._points[rows, index], self._yaw[rows, index], self._swing[rows, index]

    def limits(self, index: Int) -> Float:
        """(V, C) m/s that the drivers wish at route points."""
        return self._speed[self._rows[:, None], index]

    def press(self, boxes: Boxes, own: Int, speed: Float, delta: float) -> list[VehicleControl]:
        """The controls that fulfil the wishes."""
        state, bodies = self.state, self.bodies
        standing = (speed < _STANDING_MPS) & (state.wish <= 0.1)
        missed = np.where(standing, 0.0, np.clip(state.wish - (speed - state.speed) / delta, -2.0, 2.0))
        correction = (1.0 - _FORGETTING * delta) * state.correction + _LEARNING_RATE * delta * missed
        state.correction = np.clip(correction, -_MOST_CORRECTION, _MOST_CORRECTION)
        state.speed = speed
        strongest = np.minimum(bodies.peak_acceleration, bodies.power / (bodies.mass * np.maximum(speed, 1.0)))
        throttle, brake = pedals.pedals(state.wish, state.correction + _RESISTANCE, strongest)
        throttle, brake = np.where(standing, 0.0, throttle), np.where(standing, _HOLD_BRAKE, brake)
        values = zip(throttle.tolist(), self._steer(boxes, own, speed).tolist(), brake.tolist(), strict=True)
        return [VehicleControl(*three) for three in values]

    def _steer(self, boxes: Boxes, own: Int, speed: Float) -> Float:
        """(V,) steering in [-1, 1] along the routes."""
        position, bodies = self.state.position, self.bodies
        now = np.minimum(position.astype(np.intp), POINTS - 2)
        share = position - now
        heading = self._between(self._yaw, now, share)
        x = self._between(self._points[:, :, 0], now, share) - boxes.x[own]
        y = self._between(self._points[:, :, 1], now, share) - boxes.y[own]
        offset = y * np.cos(heading) - x * np.sin(heading)
        error = (heading - boxes.yaw[own] + np.pi) % (2.0 * np.pi) - np.pi
        soon = np.clip(position + _PREVIEW_S * speed, 0.0, POINTS - 2.0)
        index = soon.astype(np.intp)
        bend = self._between(self._bend, index, soon - index)
        angle = pedals.wheel_angle(bend, error, offset, speed, bodies.wheelbase, bodies.rear_axle)
        inner = pedals.inner_wheel_angle(angle, bodies.wheelbase, bodies.track)
        largest = bodies.largest_angle * np.interp(np.abs(speed) * 3.6, _CURVE_KMH, _CURVE_SHARE)
        return np.clip(inner / largest, -1.0, 1.0)

    def _between(self, table: Float, index: Int, share: Float) -> Float:
        """(V,) values between two columns of each row."""
        return (1.0 - share) * table[self._rows, index] + share * table[self._rows, index + 1]
