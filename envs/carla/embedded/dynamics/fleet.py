"""Many vehicles at once: the same equations of motion on arrays."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from sim2real_bench.envs.carla.embedded.dynamics.ground import stances
from sim2real_bench.envs.carla.embedded.dynamics.motion import Chassis, Drive, step
from sim2real_bench.envs.carla.embedded.dynamics.operations import ARRAY, Float
from sim2real_bench.envs.carla.embedded.town.relief import Relief
from sim2real_bench.envs.carla.embedded.vehicles import SUBSTEP_S, VehicleDynamics

SMALLEST_FLEET = 14
"""From this many vehicles on, arrays are faster than one vehicle after the other."""

_CHASSIS_FIELDS = tuple(Chassis.__dataclass_fields__)


class Fleet:
    """The states of vehicles that stand on the ground, as arrays with one element per vehicle.

    The arrays are a copy: ``store`` writes them back to the vehicles, ``load`` reads what has changed there.
    """

    def __init__(self, members: Sequence[VehicleDynamics], drives: Sequence[Drive[float]]) -> None:
        """Take vehicles, none of them in the air, and what each is asked to do."""
        self.members = members
        self._drive: Drive[Float] = Drive(*np.array(drives).T.copy())
        self._chassis = _stack(tuple(member.chassis for member in members))
        self.load()

    def load(self) -> None:
        """Read the states of all members."""
        rows = [
            (v.x, v.y, v.yaw, v.forward, v.side, v.yaw_rate, v.wheel_angle, v.throttle, v.transfer)
            for v in self.members
        ]
        columns = np.array(rows).T.copy()
        self.x, self.y, self.yaw, self.forward, self.side, self.yaw_rate = columns[:6]
        self.wheel_angle, self.throttle, self.transfer = columns[6:]

    def store(self) -> None:
        """Write the states of all members back."""
        columns = (
            self.x, self.y, self.yaw, self.forward, self.side, self.yaw_rate, self.wheel_angle, self.throttle,
            self.transfer,
        )  # fmt: skip
        for v, row in zip(self.members, np.array(columns).T.tolist(), strict=True):
            v.x, v.y, v.yaw, v.forward, v.side, v.yaw_rate, v.wheel_angle, v.throttle, v.transfer = row

    def move(self, seconds: float) -> None:
        """Integrate over ``seconds`` in short steps."""
        count = max(1, math.ceil(seconds / SUBSTEP_S - 1e-9))
        for _ in range(count):
            step(ARRAY, self, self._drive, self._chassis, seconds / count)

    def settle(self, relief: Relief) -> None:
        """Write the states back and stand on the ground."""
        self.yaw = self.yaw - np.round(self.yaw / math.tau) * math.tau
        self.store()
        if relief.flat:  # they stood on it before
            return
        half_bases = self._chassis.wheelbase / 2.0
        half_tracks = self._chassis.track_ratio * self._chassis.wheelbase
        ground = stances(relief, self.x, self.y, self.yaw, half_bases, half_tracks)
        for member, (height, along, across) in zip(self.members, ground.tolist(), strict=True):
            member.stand(height, along, across)


@lru_cache(maxsize=4)
def _stack(chassis: tuple[Chassis[float], ...]) -> Chassis[Float]:
    """One array per field; the fleet of one tick is mostly that of the tick before."""
    return Chassis(*(np.array([getattr(one, name) for one in chassis]) for name in _CHASSIS_FIELDS))
