"""The remote methods: for each name, how its arguments are read, what it does and how the answer is wrapped."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sim2real_bench.envs.carla.embedded import blueprints, raycast, wire
from sim2real_bench.envs.carla.embedded.actors import Actor, Vehicle
from sim2real_bench.envs.carla.embedded.commands import run_batch
from sim2real_bench.envs.carla.embedded.geometry import Transform, Vector
from sim2real_bench.envs.carla.embedded.streams import WORLD_STREAM
from sim2real_bench.envs.carla.embedded.unsupported import UNSUPPORTED_VALUES, UNSUPPORTED_VOIDS
from sim2real_bench.envs.carla.embedded.vehicles import FRICTION, STEERING_CURVE
from sim2real_bench.envs.carla.embedded.world import RefusedError, World

CARLA_VERSION = "0.9.16"
Parser = Callable[[object], Any]


class Reply(Enum):
    """How a method's result is wrapped."""

    VALUE = "value"
    VOID = "void"
    BARE = "bare"


@dataclass(frozen=True)
class Method:
    """A remote method.

    Attributes:
        call: takes the parsed arguments.
        arguments: one parser per argument.
        reply: the wrapping of the result.
        ticks: the call may advance the world, so streams must be ready first.
    """

    call: Callable[..., Any]
    arguments: tuple[Parser, ...] = ()
    reply: Reply = Reply.VALUE
    ticks: bool = False

    def invoke(self, arguments: list[Any]) -> Any:
        """Parse and call.

        Raises:
            WireError: wrong number or kind of arguments.
        """
        values = wire.array(arguments, "arguments", len(self.arguments))
        return self.call(*(parse(value) for parse, value in zip(self.arguments, values, strict=True)))


def build_methods(world: World) -> dict[str, Method]:
    """Every remote method of the server, by name."""
    return {
        **_session_methods(world),
        **_map_methods(world),
        **_actor_methods(world),
        **_vehicle_methods(world),
        **_traffic_manager_methods(),
        **_unsupported_methods(),
    }


# -- parsers with names -----------------------------------------------------------------------------------------------


def _flag(name: str) -> Parser:
    return lambda value: wire.flag(value, name)


def _text(name: str, limit: int = wire.MAX_TEXT) -> Parser:
    return lambda value: wire.text(value, name, limit)


def _integer(name: str, high: int = wire.MAX_U32) -> Parser:
    return lambda value: wire.integer(value, name, 0, high)


def _ids(value: object) -> list[int]:
    return wire.sequence(value, "actor ids", wire.actor_id)


def _commands(value: object) -> list[Any]:
    return wire.sequence(value, "commands", lambda item: item)


def _address(value: object) -> tuple[str, int]:
    host, port = wire.array(value, "traffic manager address", 2)
    return wire.text(host, "host"), wire.integer(port, "port", 0, 65535)


# -- groups -----------------------------------------------------------------------------------------------------------


def _session_methods(world: World) -> dict[str, Method]:
    def load(name: str, reset: bool, layers: int) -> None:
        del layers  # towns have no layers to leave out
        world.load(name, reset)

    def set_settings(wanted: wire.EpisodeSettings) -> int:
        world.apply_settings(wanted)
        return world.frame

    def settings() -> list[Any]:
        return world.settings.wire()

    def batch(commands: list[Any], tick: bool) -> list[Any]:
        responses = run_batch(world, commands)
        if tick:
            world.tick()
        return responses

    return {
        "version": Method(lambda: CARLA_VERSION),
        "get_episode_info": Method(lambda: [world.episode, [world.hub.token(WORLD_STREAM)]]),
        "get_episode_settings": Method(settings),
        "set_episode_settings": Method(set_settings, (wire.episode_settings,)),
        "load_new_episode": Method(load, (_text("map name"), _flag("reset"), _integer("layers", 65535)), Reply.VOID),
        "get_weather_parameters": Method(lambda: list(world.weather.values())),
        "set_weather_parameters": Method(world.set_weather, (wire.weather,), Reply.VOID),
        "tick_cue": Method(world.tick, ticks=True),
        "apply_batch": Method(batch, (_commands, _flag("tick")), Reply.BARE, ticks=True),
        "query_lights_state": Method(lambda client: [], (_text("client"),)),
        "freeze_all_traffic_lights": Method(lambda frozen: None, (_flag("frozen"),), Reply.VOID),
        "reset_all_traffic_lights": Method(lambda: None, (), Reply.VOID),
    }


def _map_methods(world: World) -> dict[str, Method]:
    def level_boxes(tag: int) -> list[Any]:
        field = world.scenery.field
        boxes = []
        for (x, y, yaw, half_length, half_width), height, own in zip(
            field.boxes.tolist(), field.heights.tolist(), field.tags.tolist(), strict=True
        ):
            if tag in (own, 255):
                half = [half_length, half_width, height / 2.0]
                boxes.append([[x, y, height / 2.0], half, [0.0, math.degrees(yaw), 0.0], 0])
        return boxes

    def project(start: Vector, direction: Vector, reach: float) -> list[Any]:
        hits = raycast.cast(world.scenery.field, start, direction, reach)
        return [True, hits[0].wire()] if hits else [False]

    def ray(start: Vector, end: Vector) -> list[Any]:
        direction = (end[0] - start[0], end[1] - start[1], end[2] - start[2])
        return [hit.wire() for hit in raycast.cast(world.scenery.field, start, direction, math.dist(start, end))]

    def spawn_points() -> list[Any]:
        return [point.wire() for point in world.scenery.spawn_points]

    tag = _integer("semantic tag", 255)
    return {
        "get_available_maps": Method(world.library.maps),
        "get_map_info": Method(lambda: [world.scenery.map_name, spawn_points()]),
        "get_map_data": Method(lambda: world.scenery.town.xodr),
        "get_navigation_mesh": Method(lambda: b""),
        "get_required_files": Method(lambda folder: [], (_text("folder"),)),
        "get_all_level_BBs": Method(level_boxes, (tag,)),
        "get_environment_objects": Method(lambda tag: [], (tag,)),
        "get_names_of_all_objects": Method(list),
        "project_point": Method(project, (wire.location, wire.location, _distance)),
        "cast_ray": Method(ray, (wire.location, wire.location)),
    }


def _distance(value: object) -> float:
    return wire.number(value, "distance", 0.0, wire.MAX_COORDINATE_M)


def _actor_methods(world: World) -> dict[str, Method]:
    def describe(actor: Actor) -> list[Any]:
        return actor.wire(world.hub.token(actor.stream) if actor.stream else b"")

    def spawn_attached(
        description: wire.Description, pose: Transform, parent: int, attachment: int, socket: str
    ) -> list[Any]:
        del attachment  # every kind of attachment is rigid here
        if socket:
            raise RefusedError(f"attaching to the bone {socket!r} is not supported by the embedded server")
        return describe(world.spawn(description, pose, parent))

    def destroy(actor: int) -> bool:
        world.destroy(actor)
        return True

    def token(stream: int) -> list[bytes]:
        if stream != WORLD_STREAM and all(other.stream != stream for other in world.actors.values()):
            raise RefusedError(f"stream {stream} belongs to no living sensor")
        world.hub.expect(stream)
        return [world.hub.token(stream)]

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
            spawn_attached, (wire.description, wire.transform, actor, _integer("attachment"), _text("socket"))
        ),
        "destroy_actor": Method(destroy, (actor,)),
        "set_actor_transform": Method(world.place, (actor, wire.transform), Reply.VOID),
        "set_actor_location": Method(world.place_at, (actor, wire.location), Reply.VOID),
        "get_actor_bounding_box": Method(lambda actor: world.find(actor).bounding_box(), (actor,)),
        "get_sensor_token": Method(token, (_integer("stream id"),)),
    }  # fmt: skip


def _vehicle_methods(world: World) -> dict[str, Method]:
    def set_collisions(actor: int, on: bool) -> None:
        world.find_vehicle(actor).solid = on

    def wheel_angle(actor: int, wheel: int) -> float:
        """Degrees of a wheel; the two front wheels come first and are not told apart."""
        return math.degrees(world.find_vehicle(actor).dynamics.wheel_angle) if wheel < 2 else 0.0

    def light_states() -> list[Any]:
        return [[vehicle.actor_id, vehicle.lights] for vehicle in world.vehicles()]

    actor, void = wire.actor_id, Reply.VOID
    return {
        "apply_control_to_vehicle": Method(world.set_control, (actor, wire.vehicle_control), void),
        "set_actor_target_velocity": Method(world.set_velocity, (actor, wire.velocity), void),
        "set_actor_simulate_physics": Method(world.set_physics, (actor, _flag("enabled")), void),
        "set_actor_collisions": Method(set_collisions, (actor, _flag("enabled")), void),
        "set_actor_autopilot": Method(lambda actor, on: None, (actor, _flag("enabled")), void),
        "get_physics_control": Method(lambda actor: physics_control(world.find_vehicle(actor)), (actor,)),
        "get_vehicle_light_state": Method(lambda actor: [world.find_vehicle(actor).lights], (actor,)),
        "set_vehicle_light_state": Method(world.set_lights, (actor, wire.light_flags), void),
        "get_vehicle_light_states": Method(light_states),
        "get_wheel_steer_angle": Method(wheel_angle, (actor, _integer("wheel", 3))),
    }


def physics_control(vehicle: Vehicle) -> list[Any]:
    """``carla.VehiclePhysicsControl`` with the values of the embedded model, where it has a counterpart."""
    model = vehicle.dynamics.model
    wheels = []
    for number in range(4):
        x = model.front_axle if number < 2 else -model.rear_axle
        y = (model.track / 2.0) * (-1.0 if number % 2 == 0 else 1.0)
        steer = model.max_steer_deg if number < 2 else 0.0
        hand_brake = 0.0 if number < 2 else 3000.0
        wheels.append([FRICTION, 0.25, steer, 35.0, 1500.0, hand_brake, 3.0, 17.0, 1000.0, [x, y, 0.35]])
    torque = [[0.0, 400.0], [1890.0, 500.0], [5730.0, 400.0]]
    steering = [list(point) for point in STEERING_CURVE]
    gears = [[ratio, 0.5, 0.65] for ratio in (3.2, 2.1, 1.4, 1.0, 0.8, 0.65)]
    return [
        torque, 5800.0, 1.0, 0.15, 2.0, 0.35, True, 0.0, 10.0, 4.0, gears, model.mass, model.drag_area,
        [0.0, 0.0, 0.0], steering, wheels, False,
    ]  # fmt: skip


def _traffic_manager_methods() -> dict[str, Method]:
    """The register of traffic managers; they run in clients, the server only tells clients of each other."""
    running: dict[int, str] = {}
    port = _integer("port", 65535)

    def add(address: tuple[str, int]) -> bool:
        return running.setdefault(address[1], address[0]) == address[0]

    def remove(number: int) -> bool:
        return running.pop(number, None) is not None

    def find(number: int) -> list[Any]:
        if number not in running:
            raise RefusedError(f"no traffic manager is registered for port {number}")
        return [running[number], number]

    return {
        "is_traffic_manager_running": Method(lambda number: number in running, (port,)),
        "get_traffic_manager_running": Method(find, (port,)),
        "add_traffic_manager_running": Method(add, (_address,)),
        "destroy_traffic_manager": Method(remove, (port,)),
    }


@dataclass(frozen=True)
class _Unsupported(Method):
    """A method that answers with an error that names it, whatever its arguments."""

    def invoke(self, arguments: list[Any]) -> Any:
        """Refuse."""
        return self.call()


def _unsupported_methods() -> dict[str, Method]:
    def refusal(name: str) -> Callable[[], None]:
        def refuse() -> None:
            raise RefusedError(f"{name} is not supported by the embedded server; use a full CARLA server for it")

        return refuse

    values: dict[str, Method] = {name: _Unsupported(refusal(name)) for name in UNSUPPORTED_VALUES}
    return values | {name: _Unsupported(refusal(name), reply=Reply.VOID) for name in UNSUPPORTED_VOIDS}
