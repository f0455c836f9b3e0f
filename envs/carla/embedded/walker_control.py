"""What a client or a controller asks of a walker."""

from dataclasses import dataclass

from sim2real_bench.envs.carla.embedded.geometry import Vector


@dataclass(frozen=True, slots=True)
class WalkerControl:
    """``carla.WalkerControl``.

    Attributes:
        direction: in world axes; only where it points counts.
        speed: m/s along it.
        jump: leave the ground.
    """

    direction: Vector = (1.0, 0.0, 0.0)
    speed: float = 0.0
    jump: bool = False
