"""Remote methods of the map: its text, what stands in it, and rays through it."""

import math
from typing import Any

from sim2real_bench.envs.carla.embedded import raycast, wire
from sim2real_bench.envs.carla.embedded.geometry import Vector
from sim2real_bench.envs.carla.embedded.methods.method import Method, integer, text
from sim2real_bench.envs.carla.embedded.world import World


def map_methods(world: World) -> dict[str, Method]:
    """The map and rays through it."""

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

    def cast(start: Vector, direction: Vector, reach: float) -> list[raycast.RayHit]:
        bodies = (*world.vehicles(), *world.walkers(), *world.props())
        return raycast.cast(world.scenery.solids.with_bodies(bodies), world.scenery.ground, start, direction, reach)

    def project(start: Vector, direction: Vector, reach: float) -> list[Any]:
        hits = cast(start, direction, reach)
        return [True, hits[0].wire()] if hits else [False]

    def ray(start: Vector, end: Vector) -> list[Any]:
        direction = (end[0] - start[0], end[1] - start[1], end[2] - start[2])
        return [hit.wire() for hit in cast(start, direction, math.dist(start, end))]

    def spawn_points() -> list[Any]:
        return [point.wire() for point in world.scenery.spawn_points]

    tag = integer("semantic tag", 255)
    return {
        "get_available_maps": Method(world.library.maps),
        "get_map_info": Method(lambda: [world.scenery.map_name, spawn_points()]),
        "get_map_data": Method(lambda: world.scenery.town.xodr),
        "get_navigation_mesh": Method(lambda: b""),
        "get_required_files": Method(lambda folder: [], (text("folder"),)),
        "get_all_level_BBs": Method(level_boxes, (tag,)),
        "get_environment_objects": Method(lambda tag: [], (tag,)),
        "get_names_of_all_objects": Method(list),
        "project_point": Method(project, (wire.location, wire.location, _distance)),
        "cast_ray": Method(ray, (wire.location, wire.location)),
    }


def _distance(value: object) -> float:
    return wire.number(value, "distance", 0.0, wire.MAX_COORDINATE_M)
