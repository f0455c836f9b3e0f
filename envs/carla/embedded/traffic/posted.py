"""What the road says to each vehicle, whoever drives it: the traffic light it is at, the speed limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sim2real_bench.envs.carla.embedded.actors import Vehicle
from sim2real_bench.envs.carla.embedded.traffic.lane_graph import LaneGraph

if TYPE_CHECKING:
    from sim2real_bench.envs.carla.embedded.traffic_signals import TrafficSignal

_LIMIT_EVERY = 5  # ticks between two looks at the speed limit of a vehicle


class PostedRules:
    """Tells vehicles about lights and limits.

    Args:
        graph: the lanes of the map.
        signals: the town's signals.
    """

    def __init__(self, graph: LaneGraph, signals: Sequence[TrafficSignal]) -> None:
        self._graph = graph
        self._lights = [signal for signal in signals if signal.is_light]
        triggers = np.array([light.signal.trigger for light in self._lights], np.float64).reshape(-1, 5)
        self._x, self._y, yaw_deg, self._half_length, self._half_width = triggers.T
        self._cosine, self._sine = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
        self._tick = 0

    def tell(self, vehicles: Sequence[Vehicle]) -> None:
        """Set the light and, in turn, the speed limit of every vehicle."""
        if not vehicles:
            return
        self._tell_lights(vehicles)
        turn = [vehicle for row, vehicle in enumerate(vehicles) if (row + self._tick) % _LIMIT_EVERY == 0]
        self._tick += 1
        if turn:
            places = np.array([(vehicle.dynamics.x, vehicle.dynamics.y) for vehicle in turn])
            for vehicle, limit in zip(turn, self._graph.limits_kmh(places).tolist(), strict=True):
                vehicle.speed_limit_kmh = round(limit, 3)

    def _tell_lights(self, vehicles: Sequence[Vehicle]) -> None:
        """A vehicle is at a light when its centre or its front bumper lies in the light's trigger area."""
        for vehicle in vehicles:
            vehicle.traffic_light = None
        if not self._lights:
            return
        places = np.array([_centre_and_front(vehicle) for vehicle in vehicles])
        dx, dy = places[:, :, :1] - self._x, places[:, :, 1:] - self._y
        along, across = dx * self._cosine + dy * self._sine, dy * self._cosine - dx * self._sine
        inside = ((np.abs(along) <= self._half_length) & (np.abs(across) <= self._half_width)).any(axis=1)
        for row, light in zip(*(index.tolist() for index in np.nonzero(inside)), strict=True):
            vehicles[row].traffic_light = self._lights[light]


def _centre_and_front(vehicle: Vehicle) -> tuple[tuple[float, float], tuple[float, float]]:
    dynamics = vehicle.dynamics
    reach = dynamics.model.half_length
    front = dynamics.x + reach * math.cos(dynamics.yaw), dynamics.y + reach * math.sin(dynamics.yaw)
    return (dynamics.x, dynamics.y), front
