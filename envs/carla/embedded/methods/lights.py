"""Remote methods of the light manager: the street lights."""

from typing import Any

from sim2real_bench.envs.carla.embedded import wire
from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply, flag, text
from sim2real_bench.envs.carla.embedded.street_lights import MAX_GROUP, StreetLight
from sim2real_bench.envs.carla.embedded.world import World

_MAX_INTENSITY = 1e9


def _colour(value: object) -> tuple[int, int, int]:
    red, green, blue = (wire.integer(channel, "colour", 0, 255) for channel in wire.array(value, "colour", 3))
    return red, green, blue


def _light(value: object) -> StreetLight:
    number, location, intensity, group, colour, on = wire.array(value, "light", 6)
    return StreetLight(
        wire.integer(number, "light id"),
        wire.location(location),
        wire.number(intensity, "intensity", 0.0, _MAX_INTENSITY),
        wire.integer(group, "light group", 0, MAX_GROUP),
        _colour(colour),
        wire.flag(on, "active"),
    )


def _lights(value: object) -> list[StreetLight]:
    return wire.sequence(value, "lights", _light)


def light_methods(world: World) -> dict[str, Method]:
    """Asking and switching street lights."""

    def query(client: str) -> list[Any]:
        del client
        return [light.wire() for light in world.street_lights.all()]

    def update(client: str, lights: list[StreetLight], discard_client: bool) -> None:
        del client, discard_client  # every client is told, the sender too
        world.street_lights.update(lights)

    def cycle(client: str, active: bool) -> None:
        del client
        world.street_lights.set_cycle(active)

    client = text("client")
    return {
        "query_lights_state": Method(query, (client,)),
        "update_lights_state": Method(update, (client, _lights, flag("discard_client")), Reply.VOID),
        "update_day_night_cycle": Method(cycle, (client, flag("active")), Reply.VOID),
    }
