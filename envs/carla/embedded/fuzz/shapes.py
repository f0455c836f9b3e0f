"""Well-formed arguments for every remote method, found by asking its parsers what they accept."""

from collections.abc import Mapping, Sequence
from typing import Any

from sim2real_bench.envs.carla.embedded.blueprints import BLUEPRINTS
from sim2real_bench.envs.carla.embedded.methods import Method
from sim2real_bench.envs.carla.weather import Weather
from sim2real_bench.errors import Sim2RealError

_PLACE = [10.0, -20.0, 0.5]
_POSE = [_PLACE, [0.0, 90.0, 0.0]]
_CONTROL = [0.5, 0.1, 0.0, False, False, False, 0]
_WHEEL = [3.5, 0.25, 70.0, 35.0, 1500.0, 3000.0, 3.0, 17.0, 1000.0, [130.0, 80.0, 35.0]]
_PHYSICS = [
    [[0.0, 400.0], [1890.0, 500.0], [5730.0, 400.0]], 5800.0, 1.0, 0.15, 2.0, 0.35, True, 0.5, 10.0, 4.0,
    [[3.2, 0.5, 0.65], [2.1, 0.5, 0.65]], 1500.0, 0.3, [0.0, 0.0, 0.0], [[0.0, 1.0], [100.0, 0.5]], [_WHEEL] * 4, False,
]  # fmt: skip
_SETTINGS = [True, False, [True, 0.1], True, 0.01, 10, 0.0, True, 3000.0, 2000.0, True]
_MAP = '<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="4"/></OpenDRIVE>'
_BATCH = [
    [[0, [[0, "vehicle.audi.tt", []], _POSE, [False], 7, "", [[[16, [0, True]]]]]]],
    [[1, [9]]], [[2, [9, _CONTROL]]], [[6, [9, _POSE]]], [[8, [9, _PLACE]]], [[18, [9, 3]]], [[20, ["stat fps"]]],
]  # fmt: skip
_SHAPES: tuple[Any, ...] = (
    9, 1, 0, True, 0.5, 25.0, "", "MiniTown01", "127.0.0.1:2000", _MAP, b"\x01\x02", [], [False], [True, 1], [2],
    [0.5, 0.5], _PLACE, _POSE, _CONTROL, [[1.0, 0.0, 0.0], 1.5, False], [0.1, 0.0, 5.0, 1.0, 0.0], [0.1] * 6, _PHYSICS,
    _SETTINGS, list(Weather().values()), [1, 2, 9, 4_000_000_000], ["127.0.0.1", 8000], _BATCH,
    [0, "vehicle.audi.tt", []], [2.0, 50.0, 1.0, 0.6, True, True], [2.0, 50.0, 1.0, 0.6, True, True, True],
    ["bus_stop", "tree"], [[0, [_PLACE, 0.1]], [255, 0, 0], -1.0, True],
    [[4, [_PLACE, "text", False]], [255, 0, 0, 255], 1.0, False],
    [[1, [_PLACE, [0.0, 0.0, 0.0], 0.1]], [255, 0, 0, 255], 1.0, False],
)  # fmt: skip


def accepted_arguments(methods: Mapping[str, Method]) -> dict[str, list[list[Any]]]:
    """For each method that takes arguments, for each of them, some values its parser accepts.

    The list of an argument whose parser accepts none of the known shapes is empty.
    """
    shapes = [*_SHAPES, *_descriptions()]
    return {
        name: [_accepted(parse, shapes) for parse in method.arguments]
        for name, method in methods.items()
        if method.arguments
    }


def _accepted(parse: Any, shapes: Sequence[Any]) -> list[Any]:
    found = []
    for shape in shapes:
        try:
            parse(shape)
        except Sim2RealError:
            continue
        found.append(shape)
    return found


def _descriptions() -> list[Any]:
    """One description per kind of blueprint, with all its attributes."""
    kinds: dict[str, Any] = {}
    for blueprint in BLUEPRINTS.values():
        entries = [attribute.wire() for attribute in blueprint.attributes]
        described = [blueprint.uid, blueprint.type_id, [[entry[0], entry[1], entry[2]] for entry in entries]]
        kinds[".".join(blueprint.type_id.split(".")[:3])] = described
    return list(kinds.values())
