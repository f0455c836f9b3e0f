"""What a client or a controller asks of a vehicle."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VehicleControl:
    """``carla.VehicleControl``: pedals in [0, 1], steer in [-1, 1] (positive to the right)."""

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False
    manual_gear_shift: bool = False
    gear: int = 0
