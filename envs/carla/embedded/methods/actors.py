"""Remote methods of all actors: spawning, finding, placing, destroying, and their sensor streams."""

from typing import Any

from sim2real_bench.envs.carla.embedded import blueprints, wire
from sim2real_bench.envs.carla.embedded.actors import Actor
from sim2real_bench.envs.carla.embedded.attachments import Attachment
from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply, integer, text
from sim2real_bench.envs.carla.embedded.streams import WORLD_STREAM
from sim2real_bench.envs.carla.embedded.world import RefusedError, World


def _ids(value: object) -> list[int]:
    return wire.sequence(value, "actor ids", wire.actor_id)


def _gravity(value: object) -> float:
    return wire.number(value, "gravity", -1000.0, 1000.0)


def actor_methods(world: World) -> dict[str, Method]:
    """Spawning, finding, placing and destroying."""

    def describe(actor: Actor) -> list[Any]:
        return actor.wire(world.hub.token(actor.stream) if actor.stream else b"")

    def spawn_attached(
        description: wire.Description, pose: Transform, parent: int, attachment: int, socket: str
    ) -> list[Any]:
        if socket:
            raise RefusedError(f"attaching to the bone {socket!r} is not supported by the embedded server")
        return describe(world.spawn(description, pose, parent, Attachment(attachment)))

    def destroy(actor: int) -> bool:
        world.destroy(actor)
        return True

    def token(stream: int) -> list[bytes]:
        if stream != WORLD_STREAM and all(other.stream != stream for other in world.actors.values()):
            raise RefusedError(f"stream {stream} belongs to no living sensor")
        world.hub.expect(stream)
        return [world.hub.token(stream)]

    def set_gravity(gravity: float) -> None:
        world.imu_gravity = gravity

    def known(ids: list[int]) -> list[Any]:
        return [describe(world.actors[actor]) for actor in ids if actor in world.actors]

    actor = wire.actor_id
    return {
        "get_actor_definitions": Method(lambda: [blueprint.wire() for blueprint in blueprints.BLUEPRINTS.values()]),
        "get_spectator": Method(lambda: describe(world.spectator)),
        "get_actors_by_id": Method(known, (_ids,)),
        "spawn_actor": Method(lambda description, pose: describe(world.spawn(description, pose)),
                              (wire.description, wire.transform)),
        "spawn_actor_with_parent": Method(
            spawn_attached,
            (wire.description, wire.transform, actor, integer("attachment", max(Attachment)), text("socket")),
        ),
        "destroy_actor": Method(destroy, (actor,)),
        "set_actor_transform": Method(world.place, (actor, wire.transform), Reply.VOID),
        "set_actor_location": Method(world.place_at, (actor, wire.location), Reply.VOID),
        "get_actor_bounding_box": Method(world.bounding_box, (actor,)),
        "get_sensor_token": Method(token, (integer("stream id"),)),
        "get_imui_gravity": Method(lambda: world.imu_gravity),
        "set_imui_gravity": Method(set_gravity, (_gravity,), Reply.VOID),
        "are_gbuffers_enabled": Method(lambda sensor: False, (actor,)),
        "is_sensor_enabled_for_ros": Method(lambda stream: False, (integer("stream id"),)),
    }  # fmt: skip
