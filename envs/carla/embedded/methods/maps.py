"""Remote methods of the map: its text, what stands in it, and rays through it."""

import math
from typing import Any

from sim2real_bench.envs.carla.embedded import raycast, wire
from sim2real_bench.envs.carla.embedded.environment import ANY_TAG, EnvironmentObject, environment_objects
from sim2real_bench.envs.carla.embedded.geometry import Vector
from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply, integer, text
from sim2real_bench.envs.carla.embedded.navigation import NavigationFiles
from sim2real_bench.envs.carla.embedded.world import World

TEXT_MAP = "OpenDriveMap"
"""The name under which a client loads the OpenDRIVE text it has sent."""

MAX_XODR = wire.MAX_REQUEST_BYTES
_LENGTHS = ("vertex_distance", "max_road_length", "wall_height", "additional_width")
_SWITCHES = ("smooth_junctions", "enable_mesh_visibility", "enable_pedestrian_navigation")


def map_methods(world: World) -> dict[str, Method]:
    """The map and rays through it."""

    def objects(tag: int) -> list[EnvironmentObject]:
        return [thing for thing in environment_objects(world.scenery.field) if tag in (thing.tag, ANY_TAG)]

    def level_boxes(tag: int) -> list[Any]:
        return [thing.box() for thing in objects(tag)]

    def import_text(xodr: str, parameters: list[Any]) -> None:
        del parameters  # how a full server meshes the roads; a town is built around them here
        world.library.load_text(TEXT_MAP, xodr)

    def cast(start: Vector, direction: Vector, reach: float) -> list[raycast.RayHit]:
        bodies = tuple(world.solids())
        return raycast.cast(world.scenery.solids.with_bodies(bodies), world.scenery.ground, start, direction, reach)

    def project(start: Vector, direction: Vector, reach: float) -> list[Any]:
        hits = cast(start, direction, reach)
        return [True, hits[0].wire()] if hits else [False, [[0.0, 0.0, 0.0], 0]]

    def ray(start: Vector, end: Vector) -> list[Any]:
        direction = (end[0] - start[0], end[1] - start[1], end[2] - start[2])
        return [hit.wire() for hit in cast(start, direction, math.dist(start, end))]

    def spawn_points() -> list[Any]:
        return [point.wire() for point in world.scenery.spawn_points]

    def required_files(folder: str) -> list[str]:
        """Of a map's files there is only the one for pedestrians; a traffic manager makes its own."""
        return navigation.names(world.scenery) if folder in ("", "Nav") else []

    def navigation_mesh() -> bytes:
        names = navigation.names(world.scenery)
        return navigation.content(world.scenery, names[0]) if names else b""

    navigation = NavigationFiles()
    tag = integer("semantic tag", 255)
    return {
        "get_available_maps": Method(world.library.maps),
        "get_map_info": Method(lambda: [world.scenery.map_name, spawn_points()]),
        "get_map_data": Method(lambda: world.scenery.town.xodr),
        "get_navigation_mesh": Method(navigation_mesh),
        "get_required_files": Method(required_files, (text("folder"),)),
        "request_file": Method(lambda name: navigation.content(world.scenery, name), (text("file"),)),
        "get_all_level_BBs": Method(level_boxes, (tag,)),
        "get_environment_objects": Method(lambda tag: [thing.wire() for thing in objects(tag)], (tag,)),
        "get_names_of_all_objects": Method(lambda: [thing.name for thing in objects(ANY_TAG)]),
        "copy_opendrive_to_file": Method(import_text, (text("OpenDRIVE text", MAX_XODR), _generation), Reply.VOID),
        "project_point": Method(project, (wire.location, wire.location, _distance)),
        "cast_ray": Method(ray, (wire.location, wire.location)),
    }


def _generation(value: object) -> list[Any]:
    """``carla.OpendriveGenerationParameters``."""
    items = wire.array(value, "generation parameters", 7)
    for item, name in zip(items[:4], _LENGTHS, strict=True):
        wire.number(item, name, 0.0, wire.MAX_COORDINATE_M)
    for item, name in zip(items[4:], _SWITCHES, strict=True):
        wire.flag(item, name)
    return items


def _distance(value: object) -> float:
    return wire.number(value, "distance", 0.0, wire.MAX_COORDINATE_M)
