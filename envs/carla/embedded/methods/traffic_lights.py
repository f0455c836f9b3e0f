"""Remote methods of traffic lights."""

from collections.abc import Callable
from typing import Any

from sim2real_bench.envs.carla.embedded import wire
from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply, flag, integer
from sim2real_bench.envs.carla.embedded.refusal import RefusedError
from sim2real_bench.envs.carla.embedded.traffic_signals import LightState, TrafficSignal
from sim2real_bench.envs.carla.embedded.world import World

_LONGEST_S = 86400.0
_LAMP_HALF_M = 0.15


def traffic_light_methods(world: World) -> dict[str, Method]:
    """States, times and turns of the lights."""

    def light(actor: int) -> TrafficSignal:
        found = world.find(actor)
        if not isinstance(found, TrafficSignal) or not found.is_light:
            raise RefusedError(f"actor {actor} is a {found.type_id}, not a traffic light")
        return found

    def set_time(name: str) -> Callable[[int, float], None]:
        return lambda actor, seconds: world.traffic.lights.set_times(light(actor), **{name: seconds})

    def freeze_all(frozen: bool) -> None:
        world.traffic.lights.freeze_all(frozen)  # looked up at each call: every load makes new traffic

    def reset_all() -> None:
        world.traffic.lights.reset_all()

    def reset_group(actor: int) -> None:
        world.traffic.lights.reset_group(light(actor))

    def group(actor: int) -> list[int]:
        members = {id(member) for member in world.traffic.lights.group(light(actor))}
        return [other.actor_id for other in world.traffic_signals() if id(other) in members]

    actor, void = wire.actor_id, Reply.VOID
    return {
        "set_traffic_light_state": Method(
            lambda actor, state: world.traffic.lights.set_state(light(actor), LightState(state)),
            (actor, integer("traffic light state", max(LightState))), void,
        ),
        "set_traffic_light_green_time": Method(set_time("green"), (actor, _seconds), void),
        "set_traffic_light_yellow_time": Method(set_time("yellow"), (actor, _seconds), void),
        "set_traffic_light_red_time": Method(set_time("red"), (actor, _seconds), void),
        "freeze_traffic_light": Method(
            lambda actor, frozen: world.traffic.lights.freeze(light(actor), frozen), (actor, flag("frozen")), void
        ),
        "freeze_all_traffic_lights": Method(freeze_all, (flag("frozen"),), void),
        "reset_traffic_light_group": Method(reset_group, (actor,), void),
        "reset_all_traffic_lights": Method(reset_all, (), void),
        "get_group_traffic_lights": Method(group, (actor,)),
        "get_light_boxes": Method(lambda actor: [light_box(light(actor))], (actor,)),
    }  # fmt: skip


def light_box(light: TrafficSignal) -> list[Any]:
    """The box around the lamps in the world: ``[centre, half sizes, rotation, actor id]``."""
    x, y, z = ([lamp[axis] for lamp in light.signal.lamps] for axis in range(3))
    centre = [(min(values) + max(values)) / 2.0 for values in (x, y, z)]
    half = [_LAMP_HALF_M, _LAMP_HALF_M, (max(z) - min(z)) / 2.0 + _LAMP_HALF_M]
    return [centre, half, [0.0, light.signal.lamp_yaw_deg, 0.0], light.actor_id]


def _seconds(value: object) -> float:
    return wire.number(value, "time", 0.0, _LONGEST_S)
