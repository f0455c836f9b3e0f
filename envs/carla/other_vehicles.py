"""The boxes of all vehicles but the ego: moving actors tick by tick, and the parked ones of the town."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.frames import box_on_plane, pose_2d
from sim2real_bench.envs.carla.session import Session
from sim2real_bench.envs.map_view import EgoPose2D

Float = npt.NDArray[np.float64]

_WORLD = EgoPose2D(0.0, 0.0, 0.0)


class OtherVehicles:
    """Vehicles of one episode; the box of each actor is asked for once.

    Args:
        session: a connected session with a town.
        ego_id: the actor to leave out.
        parked: (4, 2) corners of the town's parked vehicles, world plane, metres.
    """

    def __init__(self, session: Session, ego_id: int, parked: list[Float]) -> None:
        self._session = session
        self._parked = parked
        self._boxes: dict[int, Any] = {ego_id: None}  # None: nothing to draw

    def corners(self, snapshot: Any) -> list[Float]:
        """(4, 2) corners of every other vehicle of a ``carla.WorldSnapshot``, world plane, metres."""
        states = {state.id: state for state in snapshot}
        self._learn([identifier for identifier in states if identifier not in self._boxes])
        seen = [(states[identifier], box) for identifier, box in self._boxes.items() if box and identifier in states]
        return self._parked + [box_on_plane(box, pose_2d(state.get_transform())) for state, box in seen]

    def _learn(self, identifiers: list[int]) -> None:
        if not identifiers:
            return
        self._boxes |= dict.fromkeys(identifiers)
        for actor in self._session.actors(identifiers):
            if actor.type_id.startswith("vehicle."):
                self._boxes[actor.id] = self._session.bounding_box(actor)


def parked_vehicles(session: Session) -> list[Float]:
    """(4, 2) corners of the vehicles that are part of the town, world plane, metres."""
    return [box_on_plane(box, _WORLD) for box in session.town_vehicle_boxes()]
